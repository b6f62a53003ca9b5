/* picture.h - a picture in memory. picture_file.h reads and writes the files. */
#ifndef ONEBOX_IMAGE_PICTURE_H
#define ONEBOX_IMAGE_PICTURE_H

#include "base/box.h"
#include "base/error.h"

#include <stdint.h>

typedef struct picture {
    int width, height;
    uint8_t *pixels; /* height x width x 3, rows without gaps, R first; owned by the picture */
} picture;

/* Limits against decompression bombs: a file that claims more is refused before memory is taken. */
enum {
    PICTURE_MAX_SIDE = 65535,
    PICTURE_MAX_PIXELS = 1 << 27, /* 134 megapixels, 400 MB decoded */
};

/* What a file said beside the pixels. */
typedef struct picture_info {
    int width, height; /* as shown, after the orientation */
    int orientation;   /* EXIF's 1 .. 8; 1 when there is none */
    int warnings;      /* of the library while decoding; 0 from picture_probe */
    char warning[128]; /* the first of them, in the library's words; empty without */
} picture_info;

/* ERR_INPUT when a side is 0 or exceeds the limits. `name` is for the message. */
int picture_limits(uint64_t width, uint64_t height, const char *name, error *e);

/* An empty (black) picture of the size. */
int picture_new(picture *p, int width, int height, error *e);

/* Gives the pixels back; the picture is empty afterwards and may be used again. */
void picture_free(picture *p);

/* Turns and mirrors the pixels as EXIF's orientation 1 .. 8 asks; 5 .. 8 exchange width and height. */
int picture_turn(picture *p, int orientation, error *e);

/* A box on such a picture of width x height (before it is turned) where it lies afterwards. */
box_xywh picture_turn_box(box_xywh b, int width, int height, int orientation);

#endif
