/* augment.h - the random changes of a training picture, and the order in which they draw.
 *
 * A recipe lists augmentations; they are applied in that order to the aspect-keeping float32 picture. Each
 * one first draws its state, always all of it, so later draws do not depend on earlier outcomes:
 *   flip p          1 draw:  mirrored left to right when draw < p
 *   rotate deg p    2 draws: angle = sym(deg); then rotated only when draw < p
 *   lighting b c    2 draws: B = sym(b); C = sym(c), factor = C < 0 ? 1/(1-C) : 1+C
 *   crop min p      6 draws: cut out only when draw < p; share of the area = min + draw * (1 - min); its width's share
 *                            by its height's = exp(sym(log 4/3)); place down, place across; which object is kept
 *   zoom max p      4 draws: onto a canvas only when draw < p; times = 1 + draw * (max - 1); place down, across
 *   colour s h      2 draws: factor of the saturation = 1 + sym(s); hue turned by sym(h) of a full circle
 * where a draw is uniform in [0,1) with 53 bits and sym(s) = draw * 2s - s.
 */
#ifndef ONEBOX_IMAGE_AUGMENT_H
#define ONEBOX_IMAGE_AUGMENT_H

#include "base/error.h"
#include "base/random.h"

#include <stdbool.h>

typedef enum augment_kind {
    AUGMENT_FLIP,
    AUGMENT_ROTATE,
    AUGMENT_LIGHTING,
    AUGMENT_CROP,
    AUGMENT_ZOOM,
    AUGMENT_COLOUR
} augment_kind;

typedef struct augment {
    augment_kind kind;
    double numbers[2]; /* as above, in that order */
} augment;

enum { AUGMENT_MAX = 8 };

typedef struct augment_list {
    augment items[AUGMENT_MAX];
    int count;
} augment_list;

/* Appends the augmentation called `name` with its numbers: flip [p = 0.5]; rotate deg [p = 0.75];
 * lighting b c; crop min [p = 0.5]; zoom max [p = 0.5]; colour s h. Errors (ERR_INPUT, one line without a file
 * name: use fail_context): unknown name (the nearest known one is named), wrong count, probability outside [0,1],
 * degrees outside [0,90), b outside [0,1], c outside [0,1), min outside [0.01,1], max outside [1,4], s outside [0,1],
 * h outside [0,0.5], list full. */
int augment_add(augment_list *list, const char *name, const double *numbers, int count, error *e);

/* "flip" … of a kind; how many numbers it has. */
const char *augment_name(augment_kind kind);
int augment_numbers(augment_kind kind);

/* One drawn state; which fields count depends on the kind. */
typedef struct augment_state {
    bool taken;        /* flip, rotate, crop, zoom */
    double angle;      /* rotate, degrees, counter-clockwise */
    double brightness; /* lighting: B */
    double contrast;   /* lighting: factor */
    double share;      /* crop: of the area */
    double ratio;      /* crop: width's share by height's share */
    double y, x;       /* crop, zoom: place among those possible, 0..1 */
    double object;     /* crop: which one is kept, 0..1 */
    double times;      /* zoom: width and height of the canvas in those of the picture */
    double saturation; /* colour: factor */
    double hue;        /* colour: part of a full circle */
} augment_state;

/* Draws the states of all items in order. states: list->count of them. */
void augment_draw(const augment_list *list, philox *random, augment_state *states);

/* The generator of one sample's augmentation: a function of the training's seed, the epoch since its start
 * and the sample's row alone, so pictures do not depend on threads or batch borders. */
philox augment_random(uint64_t seed, uint32_t epoch, uint64_t row);

/* The changes themselves, on float32 height x width x 3. */
void augment_flip(float *pixels, int height, int width);

/* clip((p - mu) * factor + mu + brightness, 0, 1) with mu the mean over all pixels and channels; unchanged
 * when brightness is 0 and factor 1. */
void augment_lighting(float *pixels, int height, int width, double brightness, double contrast);

/* torchvision's adjust_saturation (the picture blended with its greys), then its adjust_hue (the hue of HSV turned),
 * each left out when it would do nothing (1, 0). Pixels are within [0,1] before and after. */
void augment_colour(float *pixels, int height, int width, double saturation, double hue);

#endif
