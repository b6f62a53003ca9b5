/* What a COCO file holds and what was mended in it, in words. */
#include "voc/coco.h"

int coco_remarks(const coco *c, const coco_counts *n, text_buffer *remarks, error *e)
{
    text_add(remarks, "%zu images, %zu objects, %zu ignored, ", n->images, n->objects, n->ignored);
    if (n->used < n->categories)
        text_add(remarks, "%zu of ", n->used);
    text_add(remarks, "%zu classes; %zu rows\n", n->categories, n->rows);
    if (c->reversed)
        text_add(remarks,
                 "%zu boxes had a negative width or height; their corners were put in order. The first is in %s\n",
                 c->reversed, coco_image_of(c, &c->objects[c->first_reversed - 1])->file_name);
    if (c->rotated)
        text_add(remarks, "%zu boxes are rotated; the upright box around each is taken. The first is in %s\n",
                 c->rotated, coco_image_of(c, &c->objects[c->first_rotated - 1])->file_name);
    if (c->trimmed.count)
        text_add(remarks, "%zu names of classes have blanks around them, which are left out: %s\n", c->trimmed.count,
                 c->trimmed.text);
    if (n->no_size.count)
        text_add(remarks, "%zu boxes have no width or no height and are left out: %s\n", n->no_size.count,
                 n->no_size.text);
    if (n->clamped || n->dropped || n->unused)
        text_add(remarks, "%zu boxes cut to their picture, %zu outside it left out; %zu pictures without a row\n",
                 n->clamped, n->dropped, n->unused);
    return text_done(remarks, e);
}
