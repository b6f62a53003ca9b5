/* drawing.h - one picture of the demo set, drawn with cairo: a background, clutter, and several objects whose
 * boxes are known.
 *
 * The rules of a drawing:
 *   - one object is the largest: its (y2 - y1) * (x2 - x1) is at least 1.5 times that of any other one,
 *     difficult ones included, and nothing lies over it;
 *   - a box holds what is visible of its object, outline included: objects that reach outside are cut at the
 *     picture's edge (truncated); others may be partly covered (occluded);
 *   - difficult objects are tiny or nearly transparent; the largest object never is one;
 *   - colours, sizes and places tell nothing about the class; silhouettes do.
 */
#ifndef ONEBOX_RENDER_DRAWING_H
#define ONEBOX_RENDER_DRAWING_H

#include "base/box.h"
#include "base/error.h"
#include "image/picture.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DRAWING_CLASSES = 6,
    DRAWING_OBJECTS = 7,   /* at most, in one picture */
    DRAWING_MIN_SIZE = 32, /* shorter side in pixels */
    DRAWING_MAX_SIZE = 1024,
};

extern const char *const drawing_classes[DRAWING_CLASSES]; /* in byte order */

typedef struct drawing_object {
    int class;      /* index into drawing_classes */
    box box;        /* inside the picture */
    bool truncated; /* part of it lies outside the picture */
    bool occluded;  /* part of it is covered by another object */
    bool difficult; /* tiny or faint */
} drawing_object;

typedef struct drawing {
    picture p; /* shorter side `size`; three pictures of five are square, the others portrait or landscape */
    drawing_object objects[DRAWING_OBJECTS]; /* in no order of size */
    int count;                               /* 1 or more */
} drawing;

/* Draws picture `number` of the set of `seed`: a pure function of the three numbers. Zero-initialise *d or
 * free it before; drawing_free gives its memory back. Errors: ERR_SYSTEM for memory. */
int drawing_make(drawing *d, int size, uint64_t seed, uint32_t number, error *e);
void drawing_free(drawing *d);

#endif
