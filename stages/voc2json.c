/* voc2json - annotations in the layouts of annotation tools as COCO-like JSON. */
#include "base/program.h"
#include "image/picture_file.h"
#include "voc/coco.h"
#include "voc/devkit.h"

static int size_of_picture(const char *path, int32_t *width, int32_t *height, bool *exchanged, error *e)
{
    picture_info info;
    int code = picture_head(path, &info, e);
    *width = info.width;
    *height = info.height;
    *exchanged = info.orientation >= 5;
    return code;
}

int main(int argc, char **argv)
{
    const char *output = NULL, *val = NULL;
    devkit_options o = {.size_of = size_of_picture};
    const option options[] = {
        {"split", 's', OPTION_TEXT, &o.split, "NAME",
         .help =
             "take the pictures of ImageSets/Main/NAME.txt, in its order (of a\nlist with marks, those marked 1), or "
             "those of the folder NAME of\ntrain, valid and test; without this every annotation but test's,\n"
             "ascending"},
        {"images", 0, OPTION_TEXT, &o.images, "DIR",
         .help = "the folder of the pictures [VOCDIR/JPEGImages, VOCDIR/images, VOCDIR]"},
        {"output", 'o', OPTION_OUTPUT, &output, "FILE", "the JSON to write; '-' for standard output", .required = true},
        {"val", 0, OPTION_OUTPUT, &val, "FILE",
         .help = "write the names of the pictures in the folder valid, one a line"},
        {0}};
    const program p = {
        .name = "voc2json",
        .summary = "annotations of many tools to COCO-like JSON",
        .usage = "[--split NAME] [--images DIR] [--val valid.txt] -o train.json VOCDIR",
        .details =
            "Recognises, and says which: VOC's devkit (Annotations, ImageSets/Main) and what CVAT, VoTT, LabelMe\n"
            "and Label Studio export in its form; XML beside the pictures or in folders (labelImg, Roboflow);\n"
            "YOLO's text files with data.yaml, obj.names, classes.txt or notes.json; COCO's JSON in folders\n"
            "train, valid and test (Roboflow). Pixels in XML are counted from 1, in JSON from 0.\n",
        .examples = "  voc2json --split train -o train.json VOCdevkit/VOC2007\n"
                    "  voc2json -o - mydata | json2anno -o anno.tsv -\n",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
        .check = coco_check,
        .libraries = (void (*const[])(char *, size_t)){voc_xml_version, picture_versions, NULL}};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    devkit d;
    text_buffer remarks = {0};
    if (!devkit_read(&d, args.items[0], &o, &e) && !devkit_write(&d, output, val, &e))
        devkit_remarks(&d, &remarks, &e);
    program_notes(&p, &remarks);
    text_free(&remarks);
    devkit_free(&d);
    return program_end(&p, &e);
}
