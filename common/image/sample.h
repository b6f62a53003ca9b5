/* sample.h - from a cached picture to what the network sees: float32, augmented, squashed to a square.
 *
 *   8-bit cached picture -> value/255 -> augmentations in listed order -> INTER_AREA to size x size
 *
 * and its box through the same stages by the rule of boxmask.h. Normalisation is the device's.
 */
#ifndef ONEBOX_IMAGE_SAMPLE_H
#define ONEBOX_IMAGE_SAMPLE_H

#include "base/error.h"
#include "image/augment.h"
#include "image/boxmask.h"

#include <stdint.h>

/* A picture scaled to shorter side `size`; a row of the cache, or one made by picture_scale. Not owned. */
typedef struct scaled_picture {
    const char *name;
    int original_height, original_width;
    int height, width;
    const uint8_t *pixels; /* height x width x 3, RGB */
} scaled_picture;

/* Scratch memory for samples of one size; one per thread. */
typedef struct sampler sampler;
sampler *sampler_create(int size, error *e);
void sampler_free(sampler *s);

/* Makes one sample. `list` and `states` (as augment_draw made them) may both be NULL: the validation form,
 * two stages for the box. `raw` is the box in the original picture's pixels, or NULL when the task has none;
 * then `target` is not written. pixels: size x size x 3 floats in [0,1], NHWC, or NULL: only the target is made;
 * target: y1, x1, y2, x2 in the size x size frame, inclusive. Every flip and rotate of the list costs the box one
 * stage, taken or not; crop and zoom cost it nothing. A crop leaves the box wholly inside, and is larger than was drawn
 * where it must be. */
int sample_make(sampler *s, const scaled_picture *from, const augment_list *list, const augment_state *states,
                const box *raw, float *pixels, float target[4], error *e);

/* An object of a sample: its edges in the size x size frame, y2 and x2 one more than its last pixel, cut to the frame,
 * and the share of its area that is left inside (0: nothing, and the edges mean nothing). */
typedef struct sample_object {
    box_real edges;
    double left;
} sample_object;

/* The same sample for `count` objects, whose boxes in the original picture's pixels are `raws`. Edges are real numbers
 * that follow the picture exactly: nothing is rounded, and no stage costs a row or a column. A turned box becomes the
 * upright one around it. A crop leaves a drawn one of them wholly inside. pixels may be NULL here, too. */
int sample_make_objects(sampler *s, const scaled_picture *from, const augment_list *list, const augment_state *states,
                        const box *raws, int count, float *pixels, sample_object *objects, error *e);

#endif
