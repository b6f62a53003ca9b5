/* device.h - the seam between the network and the hardware.
 *
 * device -> model -> plan. A device is a processor or a GPU. A model holds, on the device, one network's
 * parameters, gradients and Adam moments. A plan is the network made ready for one use: a batch size, training or
 * evaluation, a first trainable group. How a plan lays out, fuses and reuses memory is its own matter, but:
 *   - nodes of frozen groups run in evaluation mode: their batch norms are folded into the convolutions, nothing is
 *     kept for a backward pass, and they have no gradients;
 *   - the backward pass stops at the first trainable node;
 *   - several plans of one model share its parameters; a plan notices when they changed.
 *
 * Everything is synchronous for the caller: when a call returns, its host outputs are complete and its host
 * inputs may be reused. Calls on one model and its plans must not overlap in time.
 */
#ifndef ONEBOX_DEVICE_DEVICE_H
#define ONEBOX_DEVICE_DEVICE_H

#include "base/error.h"
#include "graph/graph.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct device device;
typedef struct model model;
typedef struct plan plan;

/* Arithmetic of the network. In all of them parameters, moments, statistics, sums, the head and losses are fp32. */
typedef enum precision {
    PRECISION_FP32,
    PRECISION_BF16, /* the backbone's activations, their gradients and the factors of products, but for the CPU's
                       forward passes by Winograd in a training; refused without AVX512_BF16, or on a GPU older
                       than sm_80 */
    PRECISION_AUTO, /* the fastest that costs no accuracy (SPEED.md): bf16 on a CPU that has it, else fp32; tf32 on
                       a GPU */
    PRECISION_TF32, /* fp32, with the factors of products rounded to TF32 on GPUs that can; elsewhere fp32 */
    PRECISION_FP16, /* on a GPU only: as bf16, with a loss scale that adapts itself */
    PRECISIONS
} precision;
typedef enum conv_algorithm { CONV_AUTO, CONV_DIRECT, CONV_WINOGRAD, CONV_ONEDNN, CONV_ALGORITHMS } conv_algorithm;

/* Their words in recipes and on command lines. The functions give PRECISION_AUTO and CONV_AUTO for any other word. */
#define PRECISION_CHOICES "fp32|tf32|bf16|fp16|auto"
#define CONV_CHOICES "auto|direct|winograd|onednn"
const char *precision_name(precision p);
precision precision_of(const char *word);
conv_algorithm conv_algorithm_of(const char *word);

typedef struct device_options {
    int threads; /* 0: as many as threads_count(0) */
    /* CONV_AUTO: Winograd for 3x3 of stride 1, and of stride 2 in fp32, where there is a kernel (by shape and
     * processor, never by timing), else direct; in bf16 on a processor with matrix tiles CONV_ONEDNN, if it is there.
     * CONV_ONEDNN: oneDNN computes all of them; device_open fails with ERR_SYSTEM where it is missing */
    conv_algorithm conv;
    precision precision;
} device_options;

/* `name`: "auto" (a GPU when one works, else the CPU), "cpu" or "cuda[:N]" (the first GPU, or number N). NULL with
 * e set when it is not there. */
device *device_open(const char *name, const device_options *options, error *e);
void device_close(device *d);

/* One line for logs and metadata: "cpu: kernels avx512, 2 threads, conv winograd, fp32".
 * Inside d. */
const char *device_describe(const device *d);

/* What "auto" should tell the user, or "": why no GPU is used though this build could. Inside d. */
const char *device_remark(const device *d);

/* Appends the lines for --version: libraries and what was found. A function of program.libraries. */
void device_versions(char *text, size_t size);

/* Makes room on the device for g's parameters, gradients and moments. g must outlive the model. */
model *model_create(device *d, const graph *g, error *e);
void model_free(model *m);

/* Copies all parameters to / from the device; `params` is the flat array of graph.h. Upload zeroes the
 * moments. */
int model_upload(model *m, const float *params, error *e);
int model_download(model *m, float *params, error *e);

/* Zeroes Adam's moments (a new optimiser). */
int model_reset_moments(model *m, error *e);

/* Copies Adam's moments (flat arrays like params; 0 where never trained), for --resume. */
int model_download_moments(model *m, float *first, float *second, error *e);
int model_upload_moments(model *m, const float *first, const float *second, error *e);

/* One Adam step over the trainable parameters of groups >= first_group, with the gradients of the last
 * plan_backward: m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr[group] sqrt(1-b2^t)/(1-b1^t) m /
 * (sqrt(v) + eps) with b1 = 0.9, b2 = 0.999, eps = 1e-8 beside the uncorrected root (PyTorch 0.3). t counts
 * from 1. */
int model_adam_step(model *m, const float lr[GROUPS], int first_group, int64_t t, error *e);

typedef struct plan_options {
    int batch;       /* samples; exactly this many are computed */
    bool training;   /* batch statistics, dropout, activations kept for plan_backward */
    int first_group; /* training: groups below it are frozen (GROUP_STEM: all trainable) */
    bool freeze_bn;  /* training: batch norms of trainable backbone groups use stored statistics (weights
                        train) */
} plan_options;

/* NULL with e set: a graph that no device runs, or too little memory; the model's other plans must not run then. */
plan *plan_create(model *m, const plan_options *options, error *e);
void plan_free(plan *p);

/* Runs the network. `input`: batch x size x size x 3 float32 NHWC in [0,1]. `output`: batch x graph.outputs.
 * `seed` and `step` key the dropout masks (training): the mask of element i of dropout node k is kept when
 * word (i mod 4) of philox_block(seed, PHILOX_STREAM(PURPOSE_DROPOUT, k), step << 32 | i / 4), seen as a
 * number in [0,1) by dividing by 2^32, is >= p; i counts the node's elements of the whole batch in N, C, H, W
 * order. Training plans update the running statistics of trainable batch norms in the model. */
int plan_forward(plan *p, const float *input, uint64_t seed, uint64_t step, float *output, error *e);

/* A pass in two parts, for callers that keep what does not change: plan_features computes what the groups below
 * first_group hand to the others, plan_forward_features goes on from there, as plan_forward would: behind a training's
 * plan_backward may follow. Together they give the bits of plan_forward. In a training these groups must be frozen.
 * `features`: batch x plan_feature_floats, sample by sample, so that samples of several passes can be mixed; what lies
 * in a sample is the device's own, the same for all plans of a model. In bf16 an evaluation makes them faster than a
 * training does, and not quite as exact (see PRECISION_BF16). plan_feature_floats: 0 where this plan cannot be cut. */
size_t plan_feature_floats(const plan *p, int first_group);
int plan_features(plan *p, int first_group, const float *input, float *features, error *e);
int plan_forward_features(plan *p, int first_group, const float *features, uint64_t seed, uint64_t step, float *output,
                          error *e);

/* Training plans: gradients of all trainable parameters of groups >= first_group from d(loss)/d(output),
 * batch x outputs. They overwrite those in the model and are what model_adam_step uses. Each backward pass needs
 * plan_forward of the same plan just before it, without a pass of another plan of the model in between: ERR_SYSTEM. */
int plan_backward(plan *p, const float *output_gradient, error *e);

#endif
