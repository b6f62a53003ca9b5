/* unframe.h - predicted boxes back to the picture's own pixels.
 *
 * A network learns labels as the training path left them: each stage of boxmask.h cuts and shifts a little,
 * flips move the lost column to the other side half of the time, and rotations make boxes grow. The map here
 * inverts the expectation of that path, so that labels sent through it and back are right on average.
 */
#ifndef ONEBOX_IMAGE_UNFRAME_H
#define ONEBOX_IMAGE_UNFRAME_H

#include "image/augment.h"

/* The expected label, in the size x size frame of the unmirrored, unrotated picture, that the training path
 * makes of a box in own pixels (y1, x1, y2, x2, inclusive, real numbers allowed). `trained` is the
 * augmentation list of the training; NULL or an empty list: Scale and NoCrop alone. */
void frame_expected(const double own[4], int height, int width, int size, const augment_list *trained,
                    double frame[4]);

/* Its inverse: a predicted box of the frame in own pixels, inclusive, clamped to the picture and ordered
 * (y1 <= y2, x1 <= x2). */
void frame_to_own(const float frame[4], int height, int width, int size, const augment_list *trained,
                  float own[4]);

#endif
