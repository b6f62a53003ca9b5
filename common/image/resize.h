/* resize.h - the resampling rules of OpenCV that the reference recipe rests on: INTER_AREA for pictures,
 * INTER_NEAREST for masks, and the size that a picture is scaled to.
 *
 * Area resampling is separable. A per-axis table of taps (first source pixel, count, weights) is made once
 * and applied row by row: across first, then down, float32 throughout and in OpenCV's order of additions.
 *
 * Shrinking or equal on both axes, source s and target d: scale = 1/(d/s) in double. Target t covers
 * [t scale, t scale + scale), cut at s; a source pixel weighs by its covered part, and parts below 0.001 are
 * left out.
 * Enlarging: pixel floor(t scale) and its right neighbour, weighted 1-f and f with
 * f = float32((t+1) - (floor(t scale)+1) (d/s)), 0 when not positive, its fractional part otherwise.
 */
#ifndef ONEBOX_IMAGE_RESIZE_H
#define ONEBOX_IMAGE_RESIZE_H

#include "base/error.h"
#include "image/picture.h"

#include <stdint.h>

/* The size of a picture whose shorter side becomes `size`: max(floor(side * (size / min(height, width))),
 * size) for both sides, in double. 500 x 333 (w x h) at 224 gives 336 x 224. */
void scaled_size(int height, int width, int size, int *scaled_height, int *scaled_width);

/* The same for a picture that is to be scaled: ERR_INPUT when it is more than 64 times as long as it is high, or the
 * other way. `name` is for messages. */
int scaled_size_allowed(int height, int width, int size, int *scaled_height, int *scaled_width, const char *name,
                        error *e);

/* Source pixel that nearest resampling shows at target t: min(floor(t * (1/(target/source))), source - 1), in
 * double, without a half-pixel centre. Never decreases with t. */
int nearest_index(int t, int source, int target);

/* Tables and row buffers, kept between calls. Zero-initialise; one per thread. */
typedef struct resize_axis {
    int *first;           /* per target: the first source pixel */
    int *count;           /* per target: taps, at least 1 */
    float *weight;        /* all taps, one target after another */
    size_t targets, taps; /* capacities */
} resize_axis;

typedef struct resize_scratch {
    resize_axis across, down;
    float *row, *line, *sum; /* one source row, one row resampled across, one target row */
    size_t row_size, line_size, sum_size;
} resize_scratch;

void resize_scratch_free(resize_scratch *s);

/* INTER_AREA on float32 pictures of 3 channels, rows without gaps. target: target_height x target_width x 3,
 * must not overlap the source. */
int resize_area(const float *source, int height, int width, float *target, int target_height, int target_width,
                resize_scratch *s, error *e);

/* The same on an 8-bit picture: value/255 is resampled in float32, times 255, rounded to nearest even. This
 * is what the cache holds. */
int resize_area_8bit(const uint8_t *source, int height, int width, uint8_t *target, int target_height, int target_width,
                     resize_scratch *s, error *e);

/* The 8-bit picture scaled to shorter side `size`, as the cache holds it. `scaled` is made by the call. What
 * scaled_size_allowed refuses is refused; `name` is for messages. */
int picture_scale(const picture *p, int size, picture *scaled, const char *name, resize_scratch *s, error *e);

#endif
