/* cpu.h - the CPU device's own structures, shared by cpu.c (device and model), cpu_plan.c and cpu_run.c.
 * Private to common/device. */
#ifndef ONEBOX_DEVICE_CPU_H
#define ONEBOX_DEVICE_CPU_H

#include "device/conv.h"
#include "device/cpu_kernels.h"
#include "device/device_ops.h"
#include "device/instructions.h"

typedef struct cpu_device {
    device base;
    const instructions *on;     /* the processor's */
    const cpu_kernels *kernels; /* for what is flat: fp32 */
    const cpu_kernels *blocked; /* for blocked tensors */
    onednn *library;            /* computes all convolutions; NULL: kernels of our own */
    int threads;
    conv_algorithm algorithm;
    bool bf16; /* blocked tensors, and products of convolutions */
} cpu_device;

/* One convolution's weights in the layout of its kernel, shared by all plans that want this layout, and
 * repacked when the parameters changed since. `bias`: the convolution's own, 0 without. With `folded` >= 0 the batch
 * norm of that node is multiplied in, and `bias` holds what it makes of the bias. */
typedef struct packed {
    int param, format, users;
    float *data, *bias;
    uint64_t version; /* the group's version when packed; 0: never */
    int folded;
} packed;

typedef struct cpu_model {
    model base;
    float *params, *gradients, *first, *second; /* flat, as in graph.h; but for params NULL until needed */
    uint64_t version[GROUPS];                   /* grows whenever a parameter of the group changes; starts at 1 */
    float *fold;                                /* room for one convolution's folded weights, OIHW */
    packed **slots;
    size_t slot_count, slot_capacity;
    /* Activations and work area: one of each for all plans, as large as the largest needs. Plans hold
     * offsets. `active`: the plan whose activations the arena holds for a backward pass; NULL behind a pass that
     * failed, a backward pass, or half an evaluation. */
    float *arena, *scratch;
    size_t arena_floats, scratch_floats;
    const plan *active;
} cpu_model;

static inline cpu_device *cpu_of(const model *m)
{
    return (cpu_device *)m->device;
}

/* A slot for (parameter number, format), made on first use; cpu_model_release_slot ends one use. NULL with e set
 * without memory. */
packed *cpu_model_slot(cpu_model *m, int number, int format, size_t floats, int channels, error *e);
void cpu_model_release_slot(cpu_model *m, packed *slot);

/* Makes the slot hold the present weights for `pass` of c, with batch norm node `folded` multiplied in (-1:
 * none). */
int cpu_model_pack(cpu_model *m, packed *slot, conv *c, conv_pass pass, int folded, error *e);

/* Makes sure that gradients and moments are there, zero at first. */
int cpu_model_train(cpu_model *m, error *e);

/* Enlarges arena and scratch to at least these sizes. After a failure (ERR_SYSTEM) there may be none, and no plan of
 * the model can run. */
int cpu_model_reserve(cpu_model *m, size_t arena_floats, size_t scratch_floats, error *e);

plan *cpu_plan_create(model *m, const plan_options *options, error *e);
void cpu_plan_free(plan *p);
int cpu_plan_forward(plan *p, const float *input, uint64_t seed, uint64_t step, float *output, error *e);
int cpu_plan_backward(plan *p, const float *output_gradient, error *e);
size_t cpu_plan_feature_floats(const plan *p, int first_group);
int cpu_plan_features(plan *p, int first_group, const float *input, float *features, error *e);
int cpu_plan_forward_features(plan *p, int first_group, const float *features, uint64_t seed, uint64_t step,
                              float *output, error *e);

#endif
