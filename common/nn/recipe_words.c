#include "nn/recipe_words.h"

#include "device/device.h"
#include "image/augment.h"
#include "nn/schedule.h"

#include <stdio.h>
#include <string.h>

const recipe_word recipe_lines[RECIPE_LINES] = {
    [RECIPE_ARCH] = {"arch", "NAME", "the network: tiny, resnet18, resnet34 or resnet50", 0, 0},
    [RECIPE_SIZE] = {"size", "N", "side of the square input in pixels, a multiple of 32", 32, 2048},
    [RECIPE_BATCH] = {"batch", "N", "pictures in one step", 1, 65536},
    [RECIPE_SEED] = {"seed", "N", "start of all random numbers", 0, 9223372036854775807.0},
    [RECIPE_PRECISION] = {"precision", "NAME", "arithmetic of the network", 0, 0},
    [RECIPE_GIOU] = {"giou", "W", "W times 1 - GIoU is added to the loss of train-bbox and train-detn", 0, 1000},
    [RECIPE_SMOOTHING] = {"smoothing", "E", "share of a label that all classes get, in train-cls and train-detn", 0, 1},
    [RECIPE_AVERAGE] = {"average", "N", "the result is the mean of the weights behind the last N epochs", 0, 1e6},
    [RECIPE_AUGMENT] = {"augment", "NAME NUMBERS", "a random change of the training pictures", 0, 0},
    [RECIPE_PHASE] = {"phase", "NAME from GROUP lr A [B C] SCHEDULE", "a part of the training, with its own rates", 0,
                      0},
};

const recipe_word recipe_augments[RECIPE_AUGMENTS] = {
    [AUGMENT_FLIP] = {"flip", "[P]", "mirrored left to right with probability P, 0..1 [0.5]", 0, 0},
    [AUGMENT_ROTATE] = {"rotate", "D [P]", "turned by up to D degrees, below 90, with probability P, 0..1 [0.75]", 0,
                        0},
    [AUGMENT_LIGHTING] = {"lighting", "B C", "brightness changed by up to B, contrast by up to C, both 0..1", 0, 0},
    [AUGMENT_CROP] = {"crop", "MIN [P]", "cut to MIN..1 of the area around an object, with probability P, 0..1 [0.5]",
                      0, 0},
    [AUGMENT_ZOOM] = {"zoom", "MAX [P]", "made up to MAX times smaller, 1..4, with probability P, 0..1 [0.5]", 0, 0},
    [AUGMENT_COLOUR] = {"colour", "S H", "saturation changed by up to S, 0..1, hue by up to H of a circle, 0..0.5", 0,
                        0},
};

static const char *const precision_helps[PRECISIONS] = {
    [PRECISION_FP32] = "single precision",
    [PRECISION_BF16] = "16 bits with the exponent of fp32",
    [PRECISION_AUTO] = "bf16 on processors that have it, else tf32",
    [PRECISION_TF32] = "TF32 on a GPU, fp32 where there is no TF32",
    [PRECISION_FP16] = "half precision, on a GPU only",
};

recipe_word recipe_precision(precision p)
{
    return (recipe_word){.name = precision_name(p), .argument = "", .help = precision_helps[p]};
}

const recipe_word recipe_groups[GROUPS] = {
    [GROUP_STEM] = {"conv1", "", "the whole network trains", 0, 0},
    [GROUP_TOP] = {"layer3", "", "layer3, layer4 and the head train", 0, 0},
    [GROUP_HEAD] = {"head", "", "the new last part trains alone", 0, 0},
};

const recipe_word recipe_schedules[RECIPE_SCHEDULES] = {
    [SCHEDULE_COSINE] = {"cosine", "cycles N len L [mult M]",
                         "N cycles, in each the rate falls to 0 along half a cosine", 0, 0},
    [SCHEDULE_TRIANGULAR] = {"triangular", "DIV CUT epochs N",
                             "up from lr/DIV in 1/CUT of the batches, then down again", 0, 0},
};

const recipe_word recipe_phase_keys[PHASE_KEYS] = {
    [PHASE_LR] = {"lr", "A[,B,C]", "rate of all layers, or of conv1 to layer2, layer3 and layer4, head", 0, 1e6},
    [PHASE_FROM] = {"from", "GROUP", "the layers from here on train", 0, 0},
    [PHASE_CYCLES] = {"cycles", "N", "cosine: number of cycles", 1, 1000},
    [PHASE_LEN] = {"len", "L", "cosine: epochs of the first cycle", 1, 1e6},
    [PHASE_MULT] = {"mult", "M", "cosine: each cycle takes M times the epochs of the one before", 1, 16},
    [PHASE_DIV] = {"div", "DIV", "triangular: the lowest rate is lr/DIV", 1, 1e9},
    [PHASE_CUT] = {"cut", "CUT", "triangular: the rate rises in the first 1/CUT of the batches", 1, 1e6},
    [PHASE_EPOCHS] = {"epochs", "N", "triangular: epochs of the phase", 1, 1e6},
};

int recipe_choose(const char *what, text_field word, const recipe_word *table, size_t count, error *e)
{
    const char *names[16];
    char copy[100];
    for (size_t i = 0; i < count; i++) {
        if (text_is(word, table[i].name))
            return (int)i;
        names[i] = table[i].name;
    }
    snprintf(copy, sizeof copy, "%.*s", text_shown(word), word.text);
    const char *near = text_nearest(copy, names, count);
    if (near) {
        fail(e, ERR_INPUT, "unknown %s '%s', did you mean '%s'?", what, copy, near);
        return -1;
    }
    char all[200] = "";
    for (size_t i = 0, n = 0; i < count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", names[i]);
    fail(e, ERR_INPUT, "unknown %s '%s' (known: %s)", what, copy, all);
    return -1;
}

/* All limits are whole; the largest is that of 64 bits. */
static long long bound(double limit)
{
    return limit < 0x1p63 ? (long long)limit : INT64_MAX;
}

const char *recipe_limits(const recipe_word *word, char text[RECIPE_LIMITS])
{
    snprintf(text, RECIPE_LIMITS, "%lld..%lld", bound(word->min), bound(word->max));
    return text;
}

int recipe_whole(const recipe_word *word, text_field f, int64_t *value, error *e)
{
    char limits[RECIPE_LIMITS];
    if (text_int(f.text, f.size, bound(word->min), bound(word->max), value))
        return 0;
    return fail(e, ERR_INPUT, "%s '%.*s' is not a whole number within %s", word->name, text_shown(f), f.text,
                recipe_limits(word, limits));
}

int recipe_number(const recipe_word *word, text_field f, double *value, error *e)
{
    char limits[RECIPE_LIMITS];
    if (text_double(f.text, f.size, value) && *value >= word->min && *value <= word->max)
        return 0;
    return fail(e, ERR_INPUT, "%s '%.*s' is not a number within %s", word->name, text_shown(f), f.text,
                recipe_limits(word, limits));
}
