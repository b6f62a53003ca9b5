/* devkit.h - a PASCAL VOC devkit folder as COCO-like JSON.
 *
 * Read: DIR/Annotations/STEM.xml for each line STEM of DIR/ImageSets/Main/SPLIT.txt, or every *.xml there,
 * ascending. Written: images, type, annotations, categories, as fast.ai's pascal_*.json has them: bbox [x, y,
 * width, height] counted from 0, ignore = difficult, segmentation the box's outline.
 *
 * Ids of pictures are the digits of their file names ("000012.jpg" is 12, "2007_000027.jpg" is 2007000027).
 * When a name has anything but digits and '_' before its extension, or two ids would be equal, or one above
 * 2^53, they are 1, 2, 3 … in list order. Ids of classes: VOC's twenty are 1 to 20, in alphabetical order;
 * with any other name among them, the names that occur, in byte order, from 1.
 */
#ifndef ONEBOX_VOC_DEVKIT_H
#define ONEBOX_VOC_DEVKIT_H

#include "base/error.h"
#include "voc/names.h"
#include "voc/vocxml.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct devkit {
    voc_picture *pictures; /* in list order */
    int64_t *ids;
    size_t count, capacity;
    names classes;  /* number + 1 = id */
    size_t used;    /* classes that have an object */
    bool numbered;  /* ids are 1, 2, 3 … because the names give none */
    size_t objects; /* written ones */
    size_t difficult, clamped, dropped;
} devkit; /* zero-initialise */

/* split NULL: every annotation. ERR_INPUT for missing folders and files, bad lists, a picture named twice.
 * devkit_free also after a failure. */
int devkit_read(devkit *d, const char *dir, const char *split, error *e);

/* Prints the JSON, one line. */
int devkit_print(const devkit *d, FILE *f, error *e);

void devkit_free(devkit *d);

#endif
