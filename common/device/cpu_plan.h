/* cpu_plan.h - a plan of the CPU device: steps and the buffers they use. Made by cpu_plan.c, run by
 * cpu_run.c. Private to common/device. */
#ifndef ONEBOX_DEVICE_CPU_PLAN_H
#define ONEBOX_DEVICE_CPU_PLAN_H

#include "device/cpu.h"
#include "device/planning.h"

/* Parts of a step's time, for a bench that asks for it. */
typedef enum spent_part {
    SPENT_STEP,    /* all of it */
    SPENT_PACK,    /* convolutions: weights into the kernels' layouts */
    SPENT_WEIGHTS, /* convolutions: gradients of the weights */
    SPENT_PARTS
} spent_part;

/* What only a CPU's steps have; NULL or 0 where it does not apply. */
typedef struct cpu_work {
    conv *conv;
    packed *packed_forward, *packed_backward;
    float *mean, *inverse_std; /* batch norm: statistics of this pass */
    double *sums;              /* batch norm: [2][c], gathered by the convolution beside it */
} cpu_work;

typedef struct cpu_plan {
    plan base;
    schedule s;          /* buffers in floats; in bf16 the blocked values take half a float an element */
    uint64_t seed, step; /* of the last forward pass: they key the dropout masks */
    int sum_channels;    /* most channels of a batch norm, or of a convolution with a bias to train */
    size_t scratch_floats;
    double (*seconds)[SPENT_PARTS]; /* of each step, added up by `clock`; NULL: not timed */
    double (*clock)(void);
} cpu_plan;

static inline cpu_work *cpu_work_of(const step *s)
{
    return s->work;
}

#endif
