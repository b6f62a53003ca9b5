/* voc2json - the annotations of a PASCAL VOC devkit as COCO-like JSON. */
#include "base/file.h"
#include "base/program.h"
#include "voc/coco.h"
#include "voc/devkit.h"

static void report(const program *p, const devkit *d)
{
    char used[40] = ""; /* VOC's twenty are written even if fewer occur */
    if (d->used < d->classes.count)
        snprintf(used, sizeof used, "%zu of ", d->used);
    program_note(p, "%zu images, %zu objects, %zu difficult, %s%zu classes", d->count, d->objects, d->difficult, used,
                 d->classes.count);
    if (d->clamped || d->dropped)
        program_note(p, "%zu boxes cut to their picture, %zu outside it left out", d->clamped, d->dropped);
    if (d->numbered)
        program_note(p, "image ids are 1 to %zu in list order: the file names give no distinct numbers", d->count);
}

int main(int argc, char **argv)
{
    const char *output = NULL, *split = NULL;
    const option options[] = {
        {"split", 's', OPTION_TEXT, &split, "NAME",
         .help = "take the pictures of ImageSets/Main/NAME.txt, in its order;\n"
                 "without this every annotation, ascending"},
        {"output", 'o', OPTION_OUTPUT, &output, "FILE", "the JSON to write; '-' for standard output", .required = true},
        {0}};
    const program p = {
        .name = "voc2json",
        .summary = "annotations of a PASCAL VOC devkit to COCO-like JSON",
        .usage = "[--split NAME] -o train.json VOCDIR",
        .details = "VOCDIR holds Annotations/*.xml and, for --split, ImageSets/Main/NAME.txt: VOC 2007, VOC 2012 or a\n"
                   "data set in their form, with any class names. Pixels in XML are counted from 1, in JSON from 0.\n",
        .examples = "  voc2json --split train -o train.json VOCdevkit/VOC2007\n"
                    "  voc2json -o - mydata | json2anno -o anno.tsv -\n",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
        .check = coco_check,
        .libraries = (void (*const[])(char *, size_t)){voc_xml_version, NULL}};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    devkit d;
    out_file out = {0};
    if (!devkit_read(&d, args.items[0], split, &e) && !out_open(&out, output, &e)) {
        if (devkit_print(&d, out.stream, &e))
            out_discard(&out);
        else
            out_commit(&out, &e);
        if (!e.code)
            report(&p, &d);
    }
    devkit_free(&d);
    return program_end(&p, &e);
}
