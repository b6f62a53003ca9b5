/* recipe.h - how a network is trained, as text: one setting, augmentation or phase a line.
 *
 *     arch   resnet34            tiny, resnet18, resnet34 or resnet50
 *     size   224                 side of the square input, a multiple of 32
 *     batch  64
 *     seed   0
 *     precision auto             auto (bf16 on processors that have it, else tf32), fp32, tf32 (fp32
 *                                where there is no TF32), bf16 or fp16
 *     giou   0                   weight of 1 - GIoU in the loss of boxes (nn/loss.h)
 *     smoothing 0                share of a label that all classes get (nn/loss.h)
 *     average 0                  epochs of the last phase whose weights are averaged; 0: the last one's are taken
 *     augment flip P             mirror with probability P
 *     augment rotate DEG P       by an angle within +-DEG with probability P
 *     augment lighting B C       brightness within +-B, contrast within +-C
 *     augment crop MIN P         a window of MIN to 1 of the area, with an object wholly inside, with probability P
 *     augment zoom MAX P         onto a canvas up to MAX times as wide and high, with probability P
 *     augment colour S H         saturation within +-S, hue within +-H of a full circle
 *     phase NAME from GROUP lr A [B C] SCHEDULE
 *
 * Augmentations are applied in the order of their lines. A phase trains the layers from GROUP (head, layer3
 * or conv1) on; lr is one rate for all groups or three (conv1 to layer2, layer3 and layer4, head); SCHEDULE
 * is `cosine cycles N len L [mult M]` or `triangular DIV CUT epochs N`. '#' starts a comment. Any setting may
 * be left out (defaults as above); at least one phase is needed; names are unique.
 */
#ifndef ONEBOX_NN_RECIPE_H
#define ONEBOX_NN_RECIPE_H

#include "base/text.h"
#include "device/device.h"
#include "graph/resnet.h"
#include "image/augment.h"
#include "nn/schedule.h"

enum { RECIPE_PHASES = 16, RECIPE_NAME = 32 };

typedef struct recipe_phase {
    char name[RECIPE_NAME]; /* letters, digits, '-', '_' */
    int from;               /* GROUP_HEAD, GROUP_TOP or GROUP_STEM */
    double lr[GROUPS];
    schedule schedule;
} recipe_phase;

typedef struct recipe {
    arch arch;
    int size, batch;
    uint64_t seed;
    precision precision;
    double giou, smoothing;
    int average;
    augment_list augments; /* image/augment.h; lines are added with augment_add */
    int phase_count;
    recipe_phase phases[RECIPE_PHASES];
} recipe;

/* Reads `path` ("-": standard input). ERR_INPUT with file and line; unknown words name the nearest known one.
 * recipe_parse does the same with text in memory; `name` is what error lines call it. */
int recipe_load(recipe *r, const char *path, error *e);
int recipe_parse(recipe *r, const char *name, const char *text, size_t size, error *e);

/* The recipe that a checkpoint carries (checkpoint_info's text). NULL or empty: the defaults, without phases.
 */
int recipe_of_checkpoint(recipe *r, const char *text, error *e);

/* Applies one "KEY=VALUE[,VALUE…]"; ERR_USAGE when it does not fit, without the option's name, which the caller
 * knows (--set, --size …). Keys: arch, size, batch, seed, precision, giou, smoothing, average,
 * augment.NAME (all lines of that kind; "none" drops them), phase.NAME.lr, phase.NAME.from,
 * phase.NAME.cycles, .len, .mult, .div, .cut, .epochs, and phase.NAME=none, which drops the phase. */
int recipe_set(recipe *r, const char *assignment, error *e);

/* The canonical text: every setting in a fixed order, single blanks, numbers in their shortest form, no
 * comments; giou, smoothing and average only where they are not 0. Reading it back gives the same recipe. Appended to
 * b. */
int recipe_text(const recipe *r, text_buffer *b, error *e);

/* All words of the language with what they mean, their limits and defaults, for reading. Appended to b. */
int recipe_reference(text_buffer *b, error *e);

/* So many epochs in front of epoch `epoch` of a phase belong to the averaged ones (average). */
int recipe_averaged(const recipe *r, int phase, int epoch);

/* Number of the phase of this name, or -1. */
int recipe_find_phase(const recipe *r, const char *name);

const char *group_name(int group); /* "conv1", "layer3", "head" */

#endif
