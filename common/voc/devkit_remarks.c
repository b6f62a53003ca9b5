/* What a folder of annotations holds, what was mended and what is left out, in words. */
#include "voc/devkit.h"

/* "N THINGS: a, b, c, ...", when there is one. */
static void remark(text_buffer *remarks, const text_names *n, const char *what)
{
    if (n->count)
        text_add(remarks, "%zu %s: %s\n", n->count, what, n->text);
}

int devkit_remarks(const devkit *d, text_buffer *remarks, error *e)
{
    text_add(remarks, "%s%s%s%s\n", d->layout.words.data, d->class_file && *d->class_file ? ", classes of " : "",
             d->class_file ? d->class_file : "", d->layout.place.data);
    if (d->class_file && !*d->class_file)
        text_add(remarks, "classes by their numbers: there is no data.yaml, obj.names, classes.txt or notes.json\n");
    if (d->lists.count)
        text_add(
            remarks,
            "all annotations are taken (make: SPLIT=); --split NAME (make: SPLIT=NAME) takes those of a list: %s\n",
            d->lists.text);
    remark(remarks, &d->layout.test,
           "annotations for testing are left out; --split test (make: SPLIT=test) takes only them");
    remark(remarks, &d->layout.skipped, "files that look like annotations of another kind or place are passed over");
    remark(remarks, &d->lonely, "label files have no picture, which counts as missing");
    remark(remarks, &d->bare, "pictures have no annotation and are left out");
    remark(remarks, &d->other_name, "annotations name another picture than the one beside them, which is taken");
    remark(remarks, &d->no_ending,
           "annotations name their picture without its extension, with another, or percent-encoded");
    remark(remarks, &d->no_size, "annotations lack the size of their picture, which was looked at");
    remark(
        remarks, &d->untold,
        "photos are turned by EXIF, and nothing tells whether their boxes are, which is taken for granted: look at one "
        "with render --kind boxes");
    if (d->unmarked)
        text_add(remarks, "%zu rows of the list are not marked 1 and left out\n", d->unmarked);
    remark(remarks, &d->reversed, "boxes had reversed corners, which were put in order");
    remark(remarks, &d->rotated, "boxes are rotated; the upright box around each is taken");
    remark(remarks, &d->no_side, "boxes have no width or no height and are left out");
    remark(remarks, &d->outlines, "objects are outlines; the box around each is taken");
    text_add(remarks, "%zu images, %zu objects, %zu difficult, ", d->count, d->objects, d->difficult);
    if (d->used < d->classes.count) /* VOC's twenty are written even if fewer occur */
        text_add(remarks, "%zu of ", d->used);
    text_add(remarks, "%zu classes\n", d->classes.count);
    if (d->clamped || d->dropped)
        text_add(remarks, "%zu boxes cut to their picture, %zu outside it left out\n", d->clamped, d->dropped);
    if (d->numbered)
        text_add(remarks, "image ids are 1 to %zu in list order: the file names give no distinct numbers\n", d->count);
    return text_done(remarks, e);
}
