/* json2anno - annotations in COCO's JSON to a table with one row per object. */
#include "base/file.h"
#include "base/program.h"
#include "check/compare.h"
#include "image/picture_file.h"
#include "voc/coco.h"

static void jsmn_version(char *text, size_t size)
{
    snprintf(text, size, "jsmn (header only, parent links, strict)\n");
}

/* A table that would not change is left alone, with its time: what is made of it need not be made again. */
static void write_table(const anno_table *t, const char *path, error *e)
{
    out_file out;
    bool changed;
    if (out_open(&out, path, e))
        return;
    anno_print_header(out.stream);
    for (size_t i = 0; i < t->count; i++)
        anno_print_row(out.stream, &t->rows[i]);
    out_commit_if_changed(&out, &changed, e);
}

static void report(const program *p, const coco *c, const coco_counts *n, size_t rows)
{
    char used[40] = "";
    if (n->used < n->categories)
        snprintf(used, sizeof used, "%zu of ", n->used);
    program_note(p, "%zu images, %zu objects, %zu ignored, %s%zu classes; %zu rows", n->images, n->objects, n->ignored,
                 used, n->categories, rows);
    if (c->reversed)
        program_note(p, "%zu boxes had a negative width or height; their corners were put in order. The first is in %s",
                     c->reversed, coco_image_of(c, &c->objects[c->first_reversed - 1])->file_name);
    if (c->rotated)
        program_note(p, "%zu boxes are rotated; the upright box around each is taken. The first is in %s", c->rotated,
                     coco_image_of(c, &c->objects[c->first_rotated - 1])->file_name);
    if (c->trimmed.count)
        program_note(p, "%zu names of classes have blanks around them, which are left out: %s", c->trimmed.count,
                     c->trimmed.text);
    if (n->clamped || n->dropped || n->unused)
        program_note(p, "%zu boxes cut to their picture, %zu outside it left out; %zu pictures without a row",
                     n->clamped, n->dropped, n->unused);
}

static int compare(coco *c, const compare_options *o, text_buffer *remarks, error *e)
{
    if (!o->images && o->max_bad)
        return fail(e, ERR_USAGE, "--max-bad is for --images DIR, without which no picture is looked at");
    if (!o->images)
        return compare_sets(c, o->keep_ignored, e);
    return compare_pictures(c, o, remarks, e) ? e->code : compare_classes(c, o->keep_ignored, remarks, e);
}

/* Each line of the remarks. */
static void print_remarks(const program *p, const text_buffer *remarks)
{
    text_lines lines = text_lines_of(remarks->data, remarks->size);
    const char *line;
    size_t size;
    while (text_line(&lines, &line, &size))
        program_note(p, "%.*s", (int)size, line);
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
    text_buffer remarks = {0};
    if (!coco_load(&c, args.items[0], &e) && !compare(&c, &o, &remarks, &e) &&
        !coco_join(&t, &c, o.keep_ignored, &n, &e))
        write_table(&t, output, &e);
    if (!e.code)
        report(&p, &c, &n, t.count);
    print_remarks(&p, &remarks);
    text_free(&remarks);
    anno_free(&t);
    coco_free(&c);
    return program_end(&p, &e);
}
