/* compare.h - annotations held against the pictures that they are of, before anything is trained on them.
 *
 * What is certain is mended and counted:
 *   - a picture's name that is spelled otherwise (pictures.h) becomes that of the file;
 *   - a width or height that is missing is taken from the picture, and with it boxes that are fractions of it;
 *   - boxes on the pixels as stored, of a photo that EXIF turns: annotated width and height are those of the picture
 *     exchanged. The boxes are turned with it (picture_turn_box). A square or mirrored picture, or one turned by half,
 *     does not tell; it goes with the others of the set when these all tell the same.
 * What cannot be is an error with the count, the first picture and both values.
 */
#ifndef ONEBOX_CHECK_COMPARE_H
#define ONEBOX_CHECK_COMPARE_H

#include "base/error.h"
#include "base/text.h"
#include "voc/coco.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct compare_options {
    const char *images; /* the folder of the pictures; NULL: compare_annotations looks at none */
    int64_t max_bad;    /* so many pictures may be missing or damaged; without images none */
    int threads;        /* 0: all there are */
    bool keep_ignored;  /* objects marked so count */
} compare_options;

/* All of the below; without pictures compare_sets alone, and ERR_USAGE for a max_bad. */
int compare_annotations(coco *c, const compare_options *o, text_buffer *remarks, error *e);

/* Compares all pictures that have an object, by the heads of their files, and mends `c`. Lines about what was found go
 * behind `remarks`, each with its '\n'. Bad pictures, up to max_bad, keep their rows, so that a random split of the
 * rest stays what it was (coco_size_by_boxes where nothing tells the size). ERR_INPUT for more than max_bad of them,
 * for none that can be used, for sizes that differ, for two names of one file, and as compare_sets. */
int compare_pictures(coco *c, const compare_options *o, text_buffer *remarks, error *e);

/* What is plausible for one box but not for most of a set, by the sizes that `c` has: fractions in place of pixels,
 * corners in place of width and height, boxes that reach beyond their picture. ERR_INPUT with the count and the first
 * picture. */
int compare_sets(const coco *c, bool keep_ignored, error *e);

/* Remarks about classes: those with a single object, those that differ only in capitals or blanks. */
int compare_classes(const coco *c, bool keep_ignored, text_buffer *remarks, error *e);

#endif
