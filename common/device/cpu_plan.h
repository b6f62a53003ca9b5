/* cpu_plan.h - a plan of the CPU device: steps and the buffers they use. Made by cpu_plan.c, run by
 * cpu_run.c. Private to common/device. */
#ifndef ONEBOX_DEVICE_CPU_PLAN_H
#define ONEBOX_DEVICE_CPU_PLAN_H

#include "device/cpu.h"
#include "device/planning.h"

/* Parts of a step's time, for cpu_profile.h. */
typedef enum spent_part {
    SPENT_STEP,    /* all of it */
    SPENT_PACK,    /* convolutions: weights into the kernels' layouts */
    SPENT_WEIGHTS, /* convolutions: gradients of the weights */
    SPENT_PARTS
} spent_part;

typedef struct step {
    step_kind kind;
    bool backward;
    int node;                      /* the graph's node: parameters and shapes */
    int value;                     /* forward: the node whose value is made (the end of the chain) */
    int source;                    /* forward: the node whose value is read */
    int addend;                    /* forward: the node whose value is added, or NONE */
    int in, add, out;              /* buffers of those values */
    int gradient[2];               /* backward: buffers with the gradient of `out`; the second may be NONE */
    int in_gradient, add_gradient; /* backward: buffers that receive gradients, or NONE */
    int extra; /* buffer for what forward tells backward: pooling's workspace, positions of maxima */
    bool relu;
    bool stored; /* batch norm: running statistics instead of the batch's */
    bool flat;   /* makes (backward: reads the gradient of) a flat value */
    /* A convolution can gather the sums of the batch norm behind it (forward) or in front of it (backward).
     */
    int norm;           /* convolution: the forward step of that batch norm, or NONE */
    int norm_x, norm_y; /* backward: buffers with that batch norm's input and, with a ReLU, output, or NONE */
    bool sums_forward;  /* batch norm: its sums are gathered so */
    bool sums_backward; /* likewise; its gradient is summed and masked then */
    double *sums;       /* batch norm: [2][c] */
    int folded;         /* batch norm node folded into a convolution, or NONE */
    conv *conv;         /* forward steps own these; the backward step refers to the same */
    packed *packed_forward, *packed_backward;
    onednn_pool *pool;
    float *mean, *inverse_std; /* batch norm: statistics of this pass */
} step;

typedef struct cpu_plan {
    plan base;
    step *steps;
    size_t step_count, step_capacity;
    int forward_steps;
    buffer_list buffers; /* in floats */
    int output_buffer, output_gradient;
    uint64_t seed, step; /* of the last forward pass: they key the dropout masks */
    int bn_channels;     /* the widest batch norm */
    size_t scratch_floats;
    double (*seconds)[SPENT_PARTS]; /* of each step, or NULL: not timed */
    bool processor_time;
} cpu_plan;

#endif
