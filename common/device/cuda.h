/* cuda.h - the GPU device's own structures. Private to common/device; only these files know CUDA:
 *
 *     cuda_device.c   what is found, handles, precision; the library's one symbol
 *     cuda_check.c    errors of CUDA, cuDNN and cuBLAS
 *     cuda_memory.c   memory on the GPU
 *     cuda_model.c    parameters, gradients, optimiser
 *     cuda_conv.c     convolutions
 *     cuda_plan.c     a graph into steps
 *     cuda_run.c      runs the steps
 *     kernels.h       kernels of our own
 *
 * They are built into a shared object of their own (onebox-cuda.so), which device_library.c opens when there is
 * one: the programs themselves need no CUDA library.
 *
 * Number types. fp32 and tf32 keep everything in float; tf32 lets the tensor cores round the factors of
 * products. bf16 and fp16 keep activations of the spatial part, their gradients and copies of the convolutions'
 * weights and biases in 16 bits; sums, statistics, parameters, gradients of parameters and the flat layers of the head
 * stay in float (their products in TF32). fp16 scales the loss (kernel_scale).
 *
 * Order. One stream computes, another uploads pictures. A backward pass and Adam's step return when they are
 * queued; the next forward pass, or any download, waits for them, and reports what went wrong in them.
 *
 * Repeatability. Kernels of our own add in a fixed order, convolution algorithms are chosen by cuDNN's
 * heuristics (not by timing) among those that it calls deterministic, and cuBLAS has one stream and one work
 * area: the same seed gives the same bytes on the same kind of GPU with the same libraries.
 */
#ifndef ONEBOX_DEVICE_CUDA_H
#define ONEBOX_DEVICE_CUDA_H

#include "device/device_ops.h"
#include "device/kernels.h"
#include "device/planning.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

/* ---- errors: CHECK_CUDA(cudaMalloc(…), e) is 0, or ERR_SYSTEM with the call, its place, what was reported
 * and what to do. */
int check_cuda(cudaError_t status, const char *call, const char *file, int line, error *e);
int check_cudnn(cudnnStatus_t status, const char *call, const char *file, int line, error *e);
int check_cublas(cublasStatus_t status, const char *call, const char *file, int line, error *e);
#define CHECK_CUDA(call, e) check_cuda((call), #call, __FILE__, __LINE__, e)
#define CHECK_CUDNN(call, e) check_cudnn((call), #call, __FILE__, __LINE__, e)
#define CHECK_CUBLAS(call, e) check_cublas((call), #call, __FILE__, __LINE__, e)

/* ---- device */

/* What was chosen for a shape, once per device. */
typedef struct cuda_conv_choice {
    conv_shape shape;
    conv_pass pass;
    bool identity; /* forward with bias and without ReLU: cuDNN has one algorithm for it */
    int algorithm;
    cudnnMathType_t math;
    size_t workspace;
} cuda_conv_choice;

enum { SLICES = 2, SLICE_BYTES = 4 << 20 };

typedef struct cuda_device {
    device base;
    int number;
    cudaStream_t stream, copies;
    cudnnHandle_t cudnn;
    cublasHandle_t cublas;
    void *cublas_workspace;
    /* pinned memory through which pictures go up, piece by piece; each has an event for "free again" */
    void *slices[SLICES];
    cudaEvent_t slice_free[SLICES];
    cudaEvent_t uploaded;
    number_type numbers;
    cudnnDataType_t type;
    size_t number_bytes;
    cudnnMathType_t math;
    cublasComputeType_t compute;
    size_t workspace_limit;
    bool find; /* algorithms by timing */
    cuda_conv_choice *choices;
    size_t choice_count, choice_capacity;
} cuda_device;

/* ---- model */

typedef struct cuda_model {
    model base;
    size_t *offset; /* of each parameter in the flat arrays below, in numbers; multiples of 64 */
    size_t floats;  /* of each flat array */
    /* Flat arrays of one layout; convolution weights lie as K, height, width, C. */
    float *params, *gradients, *first, *second;
    void *small_params, *small_gradients; /* 16-bit copies, or NULL */
    void *folded; /* weights times batch norm, and at the batch norm's bias what is left; made on demand */
    kernel_piece *pieces;
    kernel_scale *scale;
    uint32_t piece_count;
    uint64_t version[GROUPS]; /* grows whenever a parameter of the group changes; starts at 1 */
    uint64_t *folded_version; /* for each parameter: the version that was folded; 0: none */
    /* Activations, work area and pictures: one of each for all plans, as large as the largest needs. */
    char *arena, *scratch;
    float *pictures;
    size_t arena_bytes, scratch_bytes, picture_bytes;
    float *output; /* pinned: outputs, then their gradients */
    size_t output_floats;
    cudaEvent_t gradient_free; /* the pinned gradient went up */
    const plan *active;        /* whose activations the arena holds for a backward pass, or NULL */
} cuda_model;

static inline cuda_device *cuda_of(const model *m)
{
    return (cuda_device *)m->device;
}

/* As in device_ops.h. */
model *cuda_model_create(device *d, const graph *g, error *e);
void cuda_model_free(model *m);
int cuda_model_upload(model *m, const float *params, error *e);
int cuda_model_download(model *m, float *params, error *e);
int cuda_model_reset_moments(model *m, error *e);
int cuda_model_download_moments(model *m, float *first, float *second, error *e);
int cuda_model_upload_moments(model *m, const float *first, const float *second, error *e);
int cuda_model_adam_step(model *m, const float lr[GROUPS], int first_group, int64_t t, error *e);

/* Makes the device the current one of this thread. */
int cuda_use(const cuda_device *d, error *e);

static inline double cuda_gib(size_t bytes)
{
    return (double)bytes / 1073741824.0;
}

/* cudaMalloc; `what` and the free memory are in the message. */
int cuda_allocate(void **block, size_t bytes, const char *what, error *e);

/* Room for a plan; says which batch would fit when there is too little. */
typedef struct cuda_need {
    size_t arena, scratch, pictures, outputs; /* bytes, bytes, bytes, floats */
    bool folds;
    int batch;
} cuda_need;
int cuda_model_reserve(cuda_model *m, const cuda_need *need, error *e);

/* Makes gradients and moments, on the first use of a model for training. */
int cuda_model_train(cuda_model *m, error *e);

/* Folds batch norm node `bn` into the weights of parameter `number` when they changed since. */
int cuda_model_fold(cuda_model *m, int number, int bn, error *e);

kernel_params cuda_model_params(const cuda_model *m);

/* ---- convolutions */

typedef struct cuda_conv cuda_conv;

typedef struct cuda_conv_options {
    bool bias; /* forward with bias, and add and relu as below */
    bool add, relu;
    bool backward_data, backward_weights;
} cuda_conv_options;

cuda_conv *cuda_conv_create(cuda_device *d, const conv_shape *s, const cuda_conv_options *o, error *e);
void cuda_conv_free(cuda_conv *c);

/* The same algorithms by timing, in memory that may be overwritten. */
typedef struct cuda_conv_memory {
    void *x, *y, *weights, *weight_gradient, *workspace;
    size_t workspace_bytes;
} cuda_conv_memory;
int cuda_conv_find(cuda_conv *c, const cuda_conv_memory *m, error *e);

size_t cuda_conv_workspace(const cuda_conv *c);
/* y = relu?(conv(x) + bias + add?); bias NULL without options.bias. y may not be add. */
int cuda_conv_forward(cuda_conv *c, const void *x, const void *weights, const void *bias, const void *add, void *y,
                      void *workspace, error *e);
int cuda_conv_backward_data(cuda_conv *c, const void *dy, const void *weights, void *dx, void *workspace, error *e);
int cuda_conv_backward_weights(cuda_conv *c, const void *x, const void *dy, void *dw, void *workspace, error *e);

/* ---- plans */

/* What only a GPU's steps have; NULL or 0 where it does not apply. */
typedef struct cuda_work {
    cuda_conv *conv;
    size_t statistics; /* batch norm: where mean and deviation of this pass lie in the plan's block */
} cuda_work;

typedef struct cuda_plan {
    plan base;
    schedule s;          /* buffers in bytes */
    uint64_t seed, step; /* of the last forward pass: they key the dropout masks */
    float *statistics;   /* on the device: mean and deviation of every batch norm */
    size_t statistic_floats;
    size_t scratch_bytes;
    bool folds;
} cuda_plan;

static inline cuda_work *cuda_work_of(const step *s)
{
    return s->work;
}

plan *cuda_plan_create(model *m, const plan_options *options, error *e);
void cuda_plan_free(plan *p);
int cuda_plan_forward(plan *p, const float *input, uint64_t seed, uint64_t step, float *output, error *e);
int cuda_plan_backward(plan *p, const float *output_gradient, error *e);

#endif
