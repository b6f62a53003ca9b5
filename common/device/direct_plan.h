/* direct_plan.h - what the files of direct.h share: how weights are packed and work is cut. Not for use outside
 * direct*.c. */
#ifndef ONEBOX_DEVICE_DIRECT_PLAN_H
#define ONEBOX_DEVICE_DIRECT_PLAN_H

#include "device/direct_kernels.h"
#include "device/winograd_plan.h"

/* How the weights of a pass are packed: see direct_kernels.h. */
typedef struct packing {
    int channels;            /* of the result */
    int column;              /* channels of a full column */
    int blocks, taps, words; /* of the sum */
    ptrdiff_t tap_words;     /* of a full column */
} packing;

packing packing_of(const direct_shape *s, bool backward);

static inline int column_width(const packing *p, int channel)
{
    return min_int(p->column, p->channels - channel);
}

/* From column to column. */
static inline ptrdiff_t column_at(const packing *p, int channel)
{
    return (ptrdiff_t)p->blocks * p->taps * p->words * channel;
}

/* Where part `index` of `parts` equal ones of `total` begins. */
static inline int part_start(int total, int parts, int index)
{
    return (int)((int64_t)total * index / parts);
}

/* The work area of direct_backward_weights. */
size_t direct_gradient_floats(const direct_shape *s, int threads);

#endif
