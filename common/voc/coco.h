/* coco.h - annotations in COCO's JSON: an object with the arrays images, annotations and categories, in any
 * order, and anything else beside them. The fast.ai form of PASCAL VOC (with "ignore") and COCO's own
 * instances_*.json.
 *
 *   image       file_name, height, width, id; of "train/7.jpg" only "7.jpg" is kept
 *   annotation  image_id, category_id, bbox [x, y, width, height]; optional iscrowd, ignore
 *   category    id, name
 */
#ifndef ONEBOX_VOC_COCO_H
#define ONEBOX_VOC_COCO_H

#include "base/error.h"
#include "voc/anno.h"

#include <stdbool.h>

/* What was in the file and what became of it. */
typedef struct coco_counts {
    size_t images, objects, categories;
    size_t used;    /* categories that have an object, ignored or not */
    size_t ignored; /* ignore or iscrowd set */
    size_t clamped; /* boxes that reached out of their picture and were cut */
    size_t dropped; /* boxes with nothing left inside, left out */
    size_t unused;  /* pictures without a row */
    size_t folders; /* file names that had folders before them, which were left out */
} coco_counts;

/* Reads path ("-": standard input) into `t`: pictures in file order, their objects in file order. Ignored
 * objects are left out unless keep_ignored. Boxes become whole pixels (box_from_real_xywh). Memory: about 50
 * bytes an object and 100 a picture, plus one record. ERR_INPUT with file, byte and record for: no valid
 * JSON; a missing or repeated member; a value of another kind or out of range; repeated image ids, file names
 * or category ids; ids that no image or category has; no images array, no annotations array or no categories.
 * anno_free(t) afterwards (after a failure it is empty). */
int coco_read(anno_table *t, const char *path, bool keep_ignored, coco_counts *counts, error *e);

/* --check of voc2json. */
int coco_check(const char *path, error *e);

#endif
