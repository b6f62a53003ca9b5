/* unframe.h - predicted boxes back to the picture's own pixels.
 *
 * A network learns labels as the training path left them: each stage of boxmask.h cuts and shifts a little,
 * flips move the lost column to the other side half of the time, and rotations make boxes grow. The map here
 * inverts the expectation of that path, so that labels sent through it and back are right on average.
 */
#ifndef ONEBOX_IMAGE_UNFRAME_H
#define ONEBOX_IMAGE_UNFRAME_H

#include "base/box.h"
#include "image/augment.h"

/* The expected label, in the size x size frame of the unmirrored, unrotated picture, that the training path makes
 * of a box in own pixels. `trained` is the augmentation list of the training; NULL or an empty list: Scale and
 * NoCrop alone. */
box_real frame_expected(box_real own, int height, int width, int size, const augment_list *trained);

/* Its inverse: a predicted box of the frame in own pixels, clamped to the picture and ordered (y1 <= y2, x1 <= x2), in
 * float32's precision. */
box_real frame_to_own(box_real frame, int height, int width, int size, const augment_list *trained);

#endif
