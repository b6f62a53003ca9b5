/* voc2json - annotations in the layouts of annotation tools as COCO-like JSON. */
#include "base/file.h"
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

/* "N THINGS: a, b, c, ...", when there is one. */
static void remark(const program *p, const text_names *n, const char *what)
{
    if (n->count)
        program_note(p, "%zu %s: %s", n->count, what, n->text);
}

static void report(const program *p, const devkit *d)
{
    char used[40] = ""; /* VOC's twenty are written even if fewer occur */
    if (d->used < d->classes.count)
        snprintf(used, sizeof used, "%zu of ", d->used);
    program_note(p, "%s%s%s%s", d->layout.words.data, d->class_file && *d->class_file ? ", classes of " : "",
                 d->class_file ? d->class_file : "", d->layout.place.data);
    if (d->class_file && !*d->class_file)
        program_note(p, "classes by their numbers: there is no data.yaml, obj.names, classes.txt or notes.json");
    if (d->lists.count)
        program_note(
            p, "all annotations are taken (make: SPLIT=); --split NAME (make: SPLIT=NAME) takes those of a list: %s",
            d->lists.text);
    remark(p, &d->layout.test, "annotations for testing are left out; --split test (make: SPLIT=test) takes only them");
    remark(p, &d->layout.skipped, "files that look like annotations of another kind or place are passed over");
    remark(p, &d->layout.lonely, "label files have no picture and are left out");
    remark(p, &d->bare, "pictures have no annotation and are left out");
    remark(p, &d->other_name, "annotations name another picture than the one beside them, which is taken");
    remark(p, &d->no_ending, "annotations name their picture without its extension, with another, or percent-encoded");
    remark(p, &d->no_size, "annotations lack the size of their picture, which was looked at");
    if (d->unmarked)
        program_note(p, "%zu rows of the list are not marked 1 and left out", d->unmarked);
    remark(p, &d->reversed, "boxes had reversed corners, which were put in order");
    remark(p, &d->rotated, "boxes are rotated; the upright box around each is taken");
    remark(p, &d->outlines, "objects are outlines; the box around each is taken");
    program_note(p, "%zu images, %zu objects, %zu difficult, %s%zu classes", d->count, d->objects, d->difficult, used,
                 d->classes.count);
    if (d->clamped || d->dropped)
        program_note(p, "%zu boxes cut to their picture, %zu outside it left out", d->clamped, d->dropped);
    if (d->numbered)
        program_note(p, "image ids are 1 to %zu in list order: the file names give no distinct numbers", d->count);
}

/* The JSON and the list of validation pictures: both or none. */
static void write_all(const devkit *d, const char *output, const char *val, error *e)
{
    out_file json = {0}, list = {0};
    if (!out_open(&json, output, e) && (!val || !out_open(&list, val, e)) && !devkit_print(d, json.stream, e)) {
        if (val)
            devkit_print_valid(d, list.stream);
        if (!val || !out_commit(&list, e))
            out_commit(&json, e);
    }
    out_discard(&list);
    out_discard(&json);
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
    if (!devkit_read(&d, args.items[0], &o, &e))
        write_all(&d, output, val, &e);
    if (!e.code)
        report(&p, &d);
    devkit_free(&d);
    return program_end(&p, &e);
}
