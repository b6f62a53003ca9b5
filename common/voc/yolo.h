/* yolo.h - annotations as YOLO's text files, and the names of their classes.
 *
 *     img_7.txt   1 0.617 0.359 0.114 0.174        class, middle x y, width, height
 *                 0 0.1 0.2 0.3 0.2 0.3 0.4        class and an outline x1 y1 x2 y2 x3 y3 …
 *
 * All but the class are fractions of the picture. The classes are numbered from 0 in the order of one of these files,
 * which may lie in any folder:
 *
 *     data.yaml    names: ['cat', 'dog']           (Roboflow, Ultralytics)
 *     obj.names    a name a line                   (Darknet, CVAT); _darknet.labels of Roboflow is the same
 *     classes.txt  a name a line                   (labelImg, Label Studio)
 *     notes.json   {"categories": [{"id": 0, "name": "cat"}, …]}   (Label Studio)
 */
#ifndef ONEBOX_VOC_YOLO_H
#define ONEBOX_VOC_YOLO_H

#include "voc/layout.h"
#include "voc/vocxml.h"

typedef struct yolo_classes {
    char **items; /* by number; two may be equal */
    size_t count, capacity;
    const char *file; /* where they are from, relative to the layout's folder; NULL: there is no such file */
    bool keypoints;   /* data.yaml says that points follow the box */
} yolo_classes;       /* zero-initialise */

/* Reads the first of those files that there is, of equal kinds that in the outermost folder. ERR_INPUT for a file
 * without names, and when another of them has other names for the same numbers. Without any file the classes are
 * called by their numbers. */
int yolo_classes_read(yolo_classes *c, const layout *l, error *e);

void yolo_classes_free(yolo_classes *c);

/* Reads the objects of one file into `p`, for a picture of that size, or for one of 0 x 0 corners as
 * of a picture of one pixel; *outlines counts those that were outlines and got
 * the upright box around them. Edges are rounded to the nearest border of pixels. ERR_INPUT with the line for: another
 * number of values, numbers that are none or no fractions, a class that has no name. */
int yolo_picture_read(voc_picture *p, const char *path, const yolo_classes *c, int32_t width, int32_t height,
                      size_t *outlines, error *e);

#endif
