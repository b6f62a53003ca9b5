/* coco.h - annotations in COCO's JSON: an object with the arrays images, annotations and categories, in any
 * order, and anything else beside them. The fast.ai form of PASCAL VOC (with "ignore") and COCO's own
 * instances_*.json.
 *
 *   image       file_name (folders stay), id; optional height, width; and voc2json's "fractions": true where bbox is in
 *               fractions of a picture whose size it could not tell
 *   annotation  image_id, category_id, bbox [x, y, width, height]; optional area, iscrowd, ignore, and CVAT's
 *               "attributes": {"rotation": 30.0} of a box that is turned about its middle
 *   category    id, name
 *
 * Ids are whole numbers or strings. A number may be written as a string ("64"), and a name of a category as a number.
 */
#ifndef ONEBOX_VOC_COCO_H
#define ONEBOX_VOC_COCO_H

#include "base/error.h"
#include "base/text.h"
#include "voc/anno.h"
#include "voc/idmap.h"
#include "voc/names.h"

#include <stdbool.h>

/* A picture as the file describes it. */
typedef struct coco_image {
    int64_t id;
    const char *file_name; /* of coco.file_names, or the caller's */
    int32_t width, height; /* 0: absent, null or 0 in the file */
    size_t first;          /* its first object, by number + 1; 0: none */
    bool fractions;        /* its boxes are fractions of it; coco_scale ends that */
} coco_image;

typedef struct coco_object {
    int64_t image_id, category_id;
    box_xywh bbox; /* width and height not negative; see coco.reversed, coco.rotated */
    double area;   /* NaN: none is given */
    bool ignore;
    size_t next; /* of the same picture, by number + 1; 0: none */
} coco_object;

/* The file's records, joined by their ids. */
typedef struct coco {
    const char *path; /* for messages; as given to coco_load */
    coco_image *images;
    coco_object *objects;
    size_t image_count, image_capacity, object_count, object_capacity;
    names file_names, category_names;
    idmap image_ids, category_ids; /* to indices into images, category_names */
    names id_texts;                /* ids that are no numbers */
    text_names trimmed;            /* names of categories that had blanks around them */
    size_t used;                   /* categories that have an object, ignored or not */
    size_t reversed;               /* boxes whose width or height was negative: their corners were put in order */
    size_t first_reversed;         /* object, by number + 1 */
    size_t rotated, first_rotated; /* the same of boxes that became the upright ones around rotated ones */
    bool seen[3];                  /* images, annotations, categories */
    text_buffer text;              /* of the value being read */
} coco;

/* What was in the file and what became of it. */
typedef struct coco_counts {
    size_t images, objects, categories;
    size_t used;        /* categories that have an object, ignored or not */
    size_t ignored;     /* ignore or iscrowd set */
    size_t clamped;     /* boxes that reached out of their picture and were cut */
    size_t dropped;     /* boxes with nothing left inside, left out */
    text_names no_size; /* pictures of boxes of width or height 0, left out */
    size_t unused;      /* pictures without a row */
    size_t rows;        /* of the table */
} coco_counts;

/* Reads path ("-": standard input). Memory: about 80 bytes an object and 100 a picture, plus one record. ERR_INPUT with
 * file, byte and record for: no valid JSON; a missing or repeated member; a value of another kind or out of range;
 * repeated image ids, file names or category ids; ids that no image or category has; no images array, no annotations
 * array or no categories. coco_free(c) afterwards, also after a failure. */
int coco_load(coco *c, const char *path, error *e);
void coco_free(coco *c);

/* The class of an object, and its picture. */
const char *coco_category(const coco *c, const coco_object *o);
const coco_image *coco_image_of(const coco *c, const coco_object *o);

/* Gives a picture its size, and with `fractions` its boxes in pixels, with edges at the nearest border of pixels. */
void coco_scale(coco *c, coco_image *image, int32_t width, int32_t height);

/* For a picture that nothing can tell the size of: one that its boxes fit into, so that it keeps its rows. */
void coco_size_by_boxes(coco *c, coco_image *image);

/* Makes the table: pictures in file order, their objects in file order, boxes as whole pixels (box_from_real_xywh).
 * Ignored objects are left out unless keep_ignored. ERR_INPUT for a picture with a row whose size is not known.
 * anno_free(t) afterwards (after a failure it is empty). */
int coco_join(anno_table *t, const coco *c, bool keep_ignored, coco_counts *counts, error *e);

/* Lines about what was found and mended, each with its '\n': the counts first. Of coco_load and coco_join. */
int coco_remarks(const coco *c, const coco_counts *counts, text_buffer *remarks, error *e);

/* Both in one. */
int coco_read(anno_table *t, const char *path, bool keep_ignored, coco_counts *counts, error *e);

/* --check of voc2json. */
int coco_check(const char *path, error *e);

#endif
