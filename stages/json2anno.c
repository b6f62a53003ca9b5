/* json2anno - annotations in COCO's JSON to a table with one row per object. */
#include "base/program.h"
#include "check/compare.h"
#include "image/picture_file.h"
#include "voc/coco.h"

static void jsmn_version(char *text, size_t size)
{
    snprintf(text, size, "jsmn (header only, parent links, strict)\n");
}

int main(int argc, char **argv)
{
    const char *output = NULL;
    compare_options o = {0};
    const option options[] = {
        {"output", 'o', OPTION_OUTPUT, &output, "FILE", "the table; '-' for standard output", .required = true},
        {"keep-ignored", 0, OPTION_FLAG, &o.keep_ignored, NULL,
         .help = "keep objects marked ignore (VOC difficult) or iscrowd, with 1 in the column ignore"},
        {"images", 0, OPTION_TEXT, &o.images, "DIR",
         .help = "compare with the pictures in DIR; without this the annotations\nare believed"},
        {"max-bad", 0, OPTION_INT, &o.max_bad, "N",
         "go on when up to N pictures are missing or damaged; they\nkeep their rows: resize-cache leaves them out",
         .min = 0, .max = 1e9},
        {0}};
    const program p = {
        .name = "json2anno",
        .summary = "COCO-like annotations (JSON) to a table with one row per object",
        .usage = "[--keep-ignored] [--images DIR [--max-bad N]] -o anno.tsv FILE.json",
        .details =
            "Reads PASCAL VOC in the form of fast.ai, or COCO's own instances_*.json; '-' is standard input.\n"
            "Columns: image_id file_name width height category y1 x1 y2 x2 ignore (tabs, one header line).\n"
            "Boxes are inclusive pixels counted from 0, row first, cut to the picture.\n"
            "\n"
            "With --images the heads of the pictures are read. The table then holds the names of the files, which "
            "are found if they differ from the annotated ones in the folders before them, in percent-encoding, in "
            "the ending, in capitals, or in how letters with marks are written; a size that is missing is taken "
            "from the picture; and boxes on a photo that EXIF turns, annotated as it is stored, are turned with "
            "it. Each is counted in a line. Sizes that differ otherwise, and boxes that make no sense as a set, "
            "are errors.\n",
        .examples = "  json2anno -o anno.tsv pascal_train2007.json\n"
                    "  json2anno --images photos -o anno.tsv instances.json\n"
                    "  json2anno -o - instances_val2017.json | cut -f5 | sort | uniq -c | sort -rn\n",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
        .check = anno_check,
        .libraries = (void (*const[])(char *, size_t)){jsmn_version, picture_versions, NULL}};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    anno_table t = {0};
    coco c;
    coco_counts n;
    text_buffer found = {0}, compared = {0};
    if (!coco_load(&c, args.items[0], &e) && !compare_annotations(&c, &o, &compared, &e) &&
        !coco_join(&t, &c, o.keep_ignored, &n, &e) && !anno_write(&t, output, &e))
        coco_remarks(&c, &n, &found, &e);
    program_notes(&p, &found);
    program_notes(&p, &compared);
    text_free(&found);
    text_free(&compared);
    anno_free(&t);
    coco_free(&c);
    return program_end(&p, &e);
}
