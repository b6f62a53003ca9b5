/* devkit.h - a folder of annotations, in any layout that layout.h knows, as COCO-like JSON.
 *
 * Read: the annotations that a list of ImageSets/Main names, those of one part (train, valid, test), or all. Written:
 * images, type, annotations, categories, as fast.ai's pascal_*.json has them: bbox [x, y, width, height] counted from
 * 0, ignore = difficult, segmentation the box's outline. The names of pictures are relative to the pictures' folder.
 *
 * The picture of an XML file is the one that has the file's own name and lies where it should, else the one that
 * <filename> names, else one that only fits; else the name stays as it is written there. A picture whose size nothing
 * tells, missing or damaged, has width and height 0 in the JSON; check/compare.h says what becomes of it.
 *
 * Ids of pictures are the digits of their file names ("000012.jpg" is 12, "2007_000027.jpg" is 2007000027).
 * When a name has anything but digits and '_' before its extension, or two ids would be equal, or one above
 * 2^53, they are 1, 2, 3 … in list order. Ids of classes: VOC's twenty are 1 to 20, in alphabetical order;
 * with any other name among them, the names that occur, in byte order, from 1.
 */
#ifndef ONEBOX_VOC_DEVKIT_H
#define ONEBOX_VOC_DEVKIT_H

#include "base/error.h"
#include "base/text.h"
#include "voc/layout.h"
#include "voc/vocxml.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct devkit {
    voc_picture *pictures; /* in list order */
    int64_t *ids;
    bool *is_valid; /* is of the part valid */
    size_t count, capacity;
    layout layout;
    const char *class_file; /* where YOLO's names of classes are from; "": from nowhere; NULL: no YOLO */
    names classes;          /* number + 1 = id */
    size_t used;            /* classes that have an object */
    bool numbered;          /* ids are 1, 2, 3 … because the names give none */
    size_t objects;         /* written ones */
    size_t difficult, clamped, dropped;
    size_t unmarked; /* rows of the list that are not marked 1 */
    /* How many, and the first of them, by annotation or picture: */
    text_names reversed, rotated; /* boxes put in order; upright around rotated ones */
    text_names outlines;          /* boxes around outlines */
    text_names no_side;           /* boxes of width or height 0, left out */
    text_names other_name;        /* annotations whose <filename> is another than their picture's */
    text_names no_ending;         /* … has no extension, or another */
    text_names no_size;           /* annotations without a size, which got the picture's */
    text_names lonely;            /* label files of YOLO without a picture */
    text_names untold;            /* photos that EXIF turns, of which nothing tells whether the boxes are */
    text_names bare;              /* pictures without an annotation */
    text_names lists;             /* of ImageSets/Main, when none was asked for */
} devkit;                         /* zero-initialise */

/* The size of a picture, as it is looked at; *exchanged: in the file it is as wide as it is shown high. Returns 0 or a
 * code: ERR_INPUT for a damaged picture. */
typedef int devkit_sizer(const char *path, int32_t *width, int32_t *height, bool *exchanged, error *e);

typedef struct devkit_options {
    const char *split;     /* NULL: every annotation, but for a folder test beside train */
    const char *images;    /* the folder of the pictures; NULL: layout.h says which */
    devkit_sizer *size_of; /* YOLO's fractions need it, and XML without a size */
} devkit_options;

/* ERR_INPUT for missing folders and files, bad lists, a picture that two annotations have. devkit_free also after a
 * failure. */
int devkit_read(devkit *d, const char *dir, const devkit_options *options, error *e);

/* Writes the JSON, one line, and, where `val` is not NULL, the names of the pictures of the part valid that have an
 * object to learn, one a line (none without parts): both files or neither. */
int devkit_write(const devkit *d, const char *json, const char *val, error *e);

/* Lines about what was found, mended and left out, each with its '\n': the layout first. */
int devkit_remarks(const devkit *d, text_buffer *remarks, error *e);

void devkit_free(devkit *d);

#endif
