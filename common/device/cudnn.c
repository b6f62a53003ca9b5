/* cudnn.c - the GPU device: what is found, parameters, optimiser. Convolutions are in cudnn_conv.c, plans in
 * cudnn_plan.c and cudnn_run.c. */
#include "device/cudnn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- errors */

static int call_failed(const char *call, const char *file, int line, const char *name, const char *text,
                       const char *hint, error *e)
{
    int length = (int)strcspn(call, "(");
    const char *base = strrchr(file, '/');
    return fail(e, ERR_SYSTEM, "cuda: %.*s failed with %s (%s) at %s:%d%s%s", length, call, name, text,
                base ? base + 1 : file, line, *hint ? ": " : "", hint);
}

static const char *cuda_hint(cudaError_t status)
{
    switch (status) {
    case cudaErrorInsufficientDriver:
        return "the GPU's driver is older than this build's CUDA; install a newer driver, or build with an "
               "older toolkit";
    case cudaErrorNoDevice:
        return "no GPU is visible (CUDA_VISIBLE_DEVICES, driver, container without --gpus?); use --device "
               "cpu";
    case cudaErrorInvalidDevice:
        return "there is no GPU of that number";
    case cudaErrorMemoryAllocation:
        return "the GPU's memory is too small or used by others; a smaller --set batch=N needs less";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
        return "this build has no code for that GPU; build with a toolkit that knows it (sm_75 or newer)";
    case cudaErrorDevicesUnavailable:
        return "another process holds the GPU for itself";
    case cudaErrorLaunchFailure:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
        return "the GPU stopped; this or an earlier call made it (dmesg, nvidia-smi)";
    default:
        return "";
    }
}

int check_cuda(cudaError_t status, const char *call, const char *file, int line, error *e)
{
    if (status == cudaSuccess)
        return 0;
    (void)cudaGetLastError(); /* forget it, unless the device is lost */
    return call_failed(call, file, line, cudaGetErrorName(status), cudaGetErrorString(status),
                       cuda_hint(status), e);
}

int check_cudnn(cudnnStatus_t status, const char *call, const char *file, int line, error *e)
{
    if (status == CUDNN_STATUS_SUCCESS)
        return 0;
    char text[200] = "";
    cudnnGetLastErrorString(text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    const char *hint = "";
    if (status == CUDNN_STATUS_NOT_INITIALIZED)
        hint = "cuDNN found no usable GPU or driver";
    else if (status == CUDNN_STATUS_ALLOC_FAILED ||
             status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
        hint = "too little memory on the GPU or the host; a smaller --set batch=N needs less";
    else if (status == CUDNN_STATUS_NOT_SUPPORTED)
        hint = "this GPU or cuDNN lacks it; try --precision fp32, or --device cpu";
    else if (status == CUDNN_STATUS_EXECUTION_FAILED)
        hint = "the GPU stopped; this or an earlier call made it (dmesg, nvidia-smi)";
    return call_failed(call, file, line, cudnnGetErrorString(status), *text ? text : "cuDNN says no more",
                       hint, e);
}

int check_cublas(cublasStatus_t status, const char *call, const char *file, int line, error *e)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    const char *hint = status == CUBLAS_STATUS_ALLOC_FAILED
                           ? "too little memory on the GPU; a smaller --set batch=N needs less"
                       : status == CUBLAS_STATUS_EXECUTION_FAILED
                           ? "the GPU stopped; this or an earlier call made it (dmesg, nvidia-smi)"
                           : "";
    return call_failed(call, file, line, cublasGetStatusString(status), "cuBLAS says no more", hint, e);
}

int cuda_use(const cuda_device *d, error *e)
{
    return CHECK_CUDA(cudaSetDevice(d->number), e);
}

static double gib(size_t bytes)
{
    return (double)bytes / 1073741824.0;
}

static size_t free_memory(void)
{
    size_t left = 0, total = 0;
    return cudaMemGetInfo(&left, &total) == cudaSuccess ? left : 0;
}

/* Where cudaMalloc is called. */
enum { MALLOC_LINE = __LINE__ + 5 };

int cuda_allocate(void **block, size_t bytes, const char *what, error *e)
{
    cudaError_t status = cudaMalloc(block, bytes ? bytes : 1);
    if (status == cudaSuccess)
        return 0;
    *block = NULL;
    if (status != cudaErrorMemoryAllocation)
        return check_cuda(status, "cudaMalloc", __FILE__, MALLOC_LINE, e);
    (void)cudaGetLastError();
    return fail(e, ERR_SYSTEM,
                "cuda: cudaMalloc of %.2f GiB for %s failed with cudaErrorMemoryAllocation at cudnn.c:%d: "
                "%.2f GiB are free on the GPU; end other programs on it, or use a smaller --set batch=N",
                gib(bytes), what, MALLOC_LINE, gib(free_memory()));
}

/* ---------------------------------------------------------------- parameters */

static void cuda_model_free(model *base)
{
    cuda_model *m = (cuda_model *)base;
    (void)cudaSetDevice(cuda_of(base)->number);
    (void)cudaStreamSynchronize(cuda_of(base)->stream);
    void *blocks[] = {m->params, m->gradients, m->first,  m->second, m->small_params, m->small_gradients,
                      m->folded, m->scale,     m->pieces, m->arena,  m->scratch,      m->pictures};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (blocks[i])
            (void)cudaFree(blocks[i]);
    if (m->output)
        (void)cudaFreeHost(m->output);
    if (m->gradient_free)
        (void)cudaEventDestroy(m->gradient_free);
    (void)cudaGetLastError();
    free(m->offset);
    free(m->folded_version);
    free(m);
}

/* 16-bit copies stand in for parameter p? */
static bool is_small(const cuda_model *m, const param *p)
{
    return cuda_of(&m->base)->numbers != NUMBER_FLOAT && m->base.graph->nodes[p->node].kind == NODE_CONV;
}

static int make_pieces(cuda_model *m, error *e)
{
    const graph *g = m->base.graph;
    size_t count = 0, at = 0;
    for (int i = 0; i < g->param_count; i++)
        count += (g->params[i].count + PIECE_FLOATS - 1) / PIECE_FLOATS;
    kernel_piece *pieces = mem_zero(count, sizeof *pieces, "a table of parameters", e);
    if (!pieces)
        return ERR_SYSTEM;
    for (int i = 0; i < g->param_count; i++)
        for (size_t done = 0; done < g->params[i].count; done += PIECE_FLOATS) {
            size_t left = g->params[i].count - done;
            pieces[at++] = (kernel_piece){.offset = m->offset[i] + done,
                                          .count = (uint32_t)(left < PIECE_FLOATS ? left : PIECE_FLOATS),
                                          .group = (int16_t)g->params[i].group,
                                          .small = is_small(m, &g->params[i])};
        }
    m->piece_count = (uint32_t)count;
    cudaStream_t stream = cuda_of(&m->base)->stream;
    int code = cuda_allocate((void **)&m->pieces, count * sizeof *pieces, "a table of parameters", e);
    if (!code)
        code = CHECK_CUDA(
            cudaMemcpyAsync(m->pieces, pieces, count * sizeof *pieces, cudaMemcpyHostToDevice, stream), e);
    if (!code)
        code = CHECK_CUDA(cudaStreamSynchronize(stream), e);
    free(pieces);
    return code;
}

static int zeroed(void **block, size_t bytes, const char *what, cudaStream_t stream, error *e)
{
    int code = cuda_allocate(block, bytes, what, e);
    return code ? code : CHECK_CUDA(cudaMemsetAsync(*block, 0, bytes, stream), e);
}

int cuda_model_train(cuda_model *m, error *e)
{
    const cuda_device *d = cuda_of(&m->base);
    struct {
        void **block;
        size_t bytes;
        bool wanted;
    } blocks[] = {{(void **)&m->gradients, m->floats * sizeof(float), true},
                  {(void **)&m->first, m->floats * sizeof(float), true},
                  {(void **)&m->second, m->floats * sizeof(float), true},
                  {&m->small_gradients, m->floats * 2, d->numbers != NUMBER_FLOAT},
                  {(void **)&m->scale, sizeof *m->scale, d->numbers == NUMBER_FP16}};
    int code = cuda_use(d, e);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks && !code; i++) {
        if (!blocks[i].wanted || *blocks[i].block)
            continue;
        code = zeroed(blocks[i].block, blocks[i].bytes, "gradients and moments", d->stream, e);
        if (!code && blocks[i].block == (void **)&m->scale) {
            const kernel_scale start = {.scale = 1024};
            code = CHECK_CUDA(
                cudaMemcpyAsync(m->scale, &start, sizeof start, cudaMemcpyHostToDevice, d->stream), e);
            if (!code)
                code = CHECK_CUDA(cudaStreamSynchronize(d->stream), e);
        }
    }
    return code;
}

static int make_arrays(cuda_model *m, error *e)
{
    const cuda_device *d = cuda_of(&m->base);
    int code = cuda_use(d, e);
    if (!code)
        code = zeroed((void **)&m->params, m->floats * sizeof(float), "parameters", d->stream, e);
    if (!code && d->numbers != NUMBER_FLOAT)
        code = zeroed(&m->small_params, m->floats * 2, "16-bit weights", d->stream, e);
    if (!code)
        code = CHECK_CUDA(cudaEventCreateWithFlags(&m->gradient_free, cudaEventDisableTiming), e);
    return code ? code : make_pieces(m, e);
}

static model *cuda_model_create(device *d, const graph *g, error *e)
{
    cuda_model *m = mem_zero(1, sizeof *m, "a model", e);
    if (!m)
        return NULL;
    m->base = (model){d, g};
    m->offset = mem_zero((size_t)g->param_count, sizeof *m->offset, "a model", e);
    m->folded_version = mem_zero((size_t)g->param_count, sizeof *m->folded_version, "a model", e);
    if (!m->offset || !m->folded_version) {
        free(m->offset);
        free(m->folded_version);
        free(m);
        return NULL;
    }
    for (int i = 0; i < GROUPS; i++)
        m->version[i] = 1;
    for (int i = 0; i < g->param_count; i++) {
        m->offset[i] = m->floats;
        m->floats += (g->params[i].count + 63) / 64 * 64;
    }
    if (!make_arrays(m, e))
        return &m->base;
    cuda_model_free(&m->base);
    return NULL;
}

kernel_params cuda_model_params(const cuda_model *m)
{
    return (kernel_params){.type = cuda_of(&m->base)->numbers,
                           .pieces = m->pieces,
                           .piece_count = m->piece_count,
                           .params = m->params,
                           .gradients = m->gradients,
                           .first = m->first,
                           .second = m->second,
                           .small_params = m->small_params,
                           .small_gradients = m->small_gradients,
                           .scale = m->scale};
}

/* One parameter between PyTorch's layout (convolutions K, C, height, width) and ours (K, height, width, C).
 */
static void reorder(const graph *g, const param *p, const float *from, float *to, bool up)
{
    if (g->nodes[p->node].kind != NODE_CONV) {
        memcpy(to, from, p->count * sizeof *to);
        return;
    }
    size_t c = (size_t)p->shape[1], window = (size_t)p->shape[2] * (size_t)p->shape[3];
    for (size_t k = 0; k < (size_t)p->shape[0]; k++)
        for (size_t i = 0; i < c; i++)
            for (size_t j = 0; j < window; j++) {
                size_t plain = (k * c + i) * window + j, ours = (k * window + j) * c + i;
                to[up ? ours : plain] = from[up ? plain : ours];
            }
}

/* Copies a flat array to the device. */
static int send(cuda_model *m, const float *host, float *array, error *e)
{
    const graph *g = m->base.graph;
    cudaStream_t stream = cuda_of(&m->base)->stream;
    float *block = mem_zero(m->floats, sizeof *block, "parameters", e);
    if (!block)
        return ERR_SYSTEM;
    for (int i = 0; i < g->param_count; i++)
        reorder(g, &g->params[i], host + g->params[i].offset, block + m->offset[i], true);
    int code = cuda_use(cuda_of(&m->base), e);
    if (!code)
        code = CHECK_CUDA(
            cudaMemcpyAsync(array, block, m->floats * sizeof *block, cudaMemcpyHostToDevice, stream), e);
    if (!code)
        code = CHECK_CUDA(cudaStreamSynchronize(stream), e);
    free(block);
    return code;
}

/* Copies a flat array from the device; groups below first_group are given as zeros. */
static int fetch(cuda_model *m, const float *array, int first_group, float *host, error *e)
{
    const graph *g = m->base.graph;
    cudaStream_t stream = cuda_of(&m->base)->stream;
    float *block = mem_zero(m->floats, sizeof *block, "parameters", e);
    if (!block)
        return ERR_SYSTEM;
    int code = cuda_use(cuda_of(&m->base), e);
    if (!code)
        code = CHECK_CUDA(
            cudaMemcpyAsync(block, array, m->floats * sizeof *block, cudaMemcpyDeviceToHost, stream), e);
    if (!code)
        code = CHECK_CUDA(cudaStreamSynchronize(stream), e);
    for (int i = 0; i < g->param_count && !code; i++)
        if (g->params[i].group < first_group)
            memset(host + g->params[i].offset, 0, g->params[i].count * sizeof *host);
        else
            reorder(g, &g->params[i], block + m->offset[i], host + g->params[i].offset, false);
    free(block);
    return code;
}

static int cuda_reset_moments(model *base, error *e)
{
    cuda_model *m = (cuda_model *)base;
    cudaStream_t stream = cuda_of(base)->stream;
    int code = cuda_use(cuda_of(base), e);
    if (!m->first || !m->second)
        return code;
    if (!code)
        code = CHECK_CUDA(cudaMemsetAsync(m->first, 0, m->floats * sizeof(float), stream), e);
    if (!code)
        code = CHECK_CUDA(cudaMemsetAsync(m->second, 0, m->floats * sizeof(float), stream), e);
    return code;
}

static int cuda_upload(model *base, const float *params, error *e)
{
    cuda_model *m = (cuda_model *)base;
    int code = send(m, params, m->params, e);
    for (int i = 0; i < GROUPS; i++)
        m->version[i]++;
    if (!code && m->small_params) {
        kernel_params p = cuda_model_params(m);
        code = CHECK_CUDA(kernel_copy_params(cuda_of(base)->stream, &p), e);
    }
    return code ? code : cuda_reset_moments(base, e);
}

static int cuda_download(model *base, float *params, error *e)
{
    cuda_model *m = (cuda_model *)base;
    return fetch(m, m->params, 0, params, e);
}

static int cuda_download_moments(model *base, float *first, float *second, error *e)
{
    cuda_model *m = (cuda_model *)base;
    int code = cuda_model_train(m, e);
    if (!code)
        code = fetch(m, m->first, 0, first, e);
    return code ? code : fetch(m, m->second, 0, second, e);
}

static int cuda_upload_moments(model *base, const float *first, const float *second, error *e)
{
    cuda_model *m = (cuda_model *)base;
    int code = cuda_model_train(m, e);
    if (!code)
        code = send(m, first, m->first, e);
    return code ? code : send(m, second, m->second, e);
}

static int cuda_download_gradients(model *base, float *gradients, error *e)
{
    cuda_model *m = (cuda_model *)base;
    int code = cuda_model_train(m, e);
    return code ? code : fetch(m, m->gradients, m->gradient_group, gradients, e);
}

static int cuda_adam_step(model *base, const float lr[GROUPS], int first_group, int64_t t, error *e)
{
    cuda_model *m = (cuda_model *)base;
    double correction = sqrt(1 - pow(0.999, (double)t)) / (1 - pow(0.9, (double)t));
    float step_size[GROUPS];
    for (int i = 0; i < GROUPS; i++)
        step_size[i] = (float)((double)lr[i] * correction);
    int code = cuda_model_train(m, e);
    const kernel_params p = cuda_model_params(m);
    if (!code)
        code = CHECK_CUDA(kernel_adam(cuda_of(base)->stream, &p, step_size, GROUPS, first_group), e);
    for (int i = first_group; i < GROUPS; i++)
        m->version[i]++;
    return code;
}

int cuda_model_fold(cuda_model *m, int number, int bn, error *e)
{
    const graph *g = m->base.graph;
    const param *p = &g->params[number];
    if (m->folded_version[number] == m->version[p->group])
        return 0;
    const cuda_device *d = cuda_of(&m->base);
    const int *norm = g->nodes[bn].params;
    char *folded = m->folded;
    int code =
        CHECK_CUDA(kernel_fold(d->stream, d->numbers, m->params + m->offset[number], (size_t)p->shape[0],
                               p->count / (size_t)p->shape[0], m->params + m->offset[norm[0]],
                               m->params + m->offset[norm[1]], m->params + m->offset[norm[2]],
                               m->params + m->offset[norm[3]], folded + m->offset[number] * d->number_bytes,
                               folded + m->offset[norm[1]] * d->number_bytes),
                   e);
    m->folded_version[number] = code ? 0 : m->version[p->group];
    return code;
}

/* ---------------------------------------------------------------- room for plans */

static int grow(void **block, size_t *have, size_t need, const char *what, error *e)
{
    if (need <= *have)
        return 0;
    if (*block)
        (void)cudaFree(*block);
    *block = NULL;
    *have = 0;
    int code = cuda_allocate(block, need, what, e);
    if (!code)
        *have = need;
    return code;
}

/* Says which batch would fit, from what grows with the batch and what is free when all of it is given back.
 */
static int too_large(cuda_model *m, const cuda_need *need, error *e)
{
    void **blocks[] = {(void **)&m->arena, (void **)&m->scratch, (void **)&m->pictures};
    size_t *sizes[] = {&m->arena_bytes, &m->scratch_bytes, &m->picture_bytes};
    for (int i = 0; i < 3; i++) {
        if (*blocks[i])
            (void)cudaFree(*blocks[i]);
        *blocks[i] = NULL;
        *sizes[i] = 0;
    }
    size_t left = free_memory(), spare = left / 32, fixed = need->scratch + spare,
           each = (need->arena + need->pictures) / (size_t)need->batch + 1;
    size_t fits = left > fixed ? (left - fixed) / each : 0;
    if (fits >= (size_t)need->batch) /* free, but not in one piece */
        fits = (size_t)need->batch / 2;
    return fail(
        e, ERR_SYSTEM,
        "cuda: a batch of %d needs %.2f GiB for activations and work areas, and cudaMalloc failed with "
        "cudaErrorMemoryAllocation at cudnn.c:%d: %.2f GiB are free on the GPU; %s%.0zu%s",
        need->batch, gib(need->arena + need->scratch + need->pictures), MALLOC_LINE, gib(left),
        fits ? "a batch of about " : "not even one picture would fit", fits,
        fits ? " would fit (--set batch=N, or --batch N of predict)" : "");
}

static int grow_output(cuda_model *m, size_t floats, error *e)
{
    if (floats <= m->output_floats)
        return 0;
    if (m->output)
        (void)cudaFreeHost(m->output);
    m->output = NULL;
    m->output_floats = 0;
    int code = CHECK_CUDA(
        cudaHostAlloc((void **)&m->output, 2 * floats * sizeof *m->output, cudaHostAllocDefault), e);
    if (!code)
        m->output_floats = floats;
    return code;
}

int cuda_model_reserve(cuda_model *m, const cuda_need *need, error *e)
{
    const cuda_device *d = cuda_of(&m->base);
    m->active = NULL;
    int code = CHECK_CUDA(cudaStreamSynchronize(d->stream), e); /* nothing uses the present memory any more */
    if (code)
        return code;
    error full = {0};
    code = need->folds && !m->folded
               ? cuda_allocate(&m->folded, m->floats * d->number_bytes, "folded weights", &full)
               : 0;
    if (!code)
        code = grow((void **)&m->arena, &m->arena_bytes, need->arena, "activations", &full);
    if (!code)
        code = grow((void **)&m->scratch, &m->scratch_bytes, need->scratch, "work areas", &full);
    if (!code)
        code = grow((void **)&m->pictures, &m->picture_bytes, need->pictures, "pictures", &full);
    if (code && strstr(full.text, "cudaErrorMemoryAllocation"))
        return too_large(m, need, e);
    if (code)
        return fail(e, full.code, "%s", full.text);
    return grow_output(m, need->outputs, e);
}

/* ---------------------------------------------------------------- the device */

static void cuda_close(device *base)
{
    cuda_device *d = (cuda_device *)base;
    (void)cudaSetDevice(d->number);
    if (d->cublas)
        (void)cublasDestroy(d->cublas);
    if (d->cudnn)
        (void)cudnnDestroy(d->cudnn);
    if (d->cublas_workspace)
        (void)cudaFree(d->cublas_workspace);
    for (int i = 0; i < SLICES; i++) {
        if (d->slices[i])
            (void)cudaFreeHost(d->slices[i]);
        if (d->slice_free[i])
            (void)cudaEventDestroy(d->slice_free[i]);
    }
    if (d->uploaded)
        (void)cudaEventDestroy(d->uploaded);
    if (d->stream)
        (void)cudaStreamDestroy(d->stream);
    if (d->copies)
        (void)cudaStreamDestroy(d->copies);
    (void)cudaGetLastError();
    free(d->choices);
    free(d);
}

static const device_ops cuda_ops = {
    .close = cuda_close,
    .model_create = cuda_model_create,
    .model_free = cuda_model_free,
    .upload = cuda_upload,
    .download = cuda_download,
    .reset_moments = cuda_reset_moments,
    .download_moments = cuda_download_moments,
    .upload_moments = cuda_upload_moments,
    .download_gradients = cuda_download_gradients,
    .adam_step = cuda_adam_step,
    .plan_create = cuda_plan_create,
    .plan_free = cuda_plan_free,
    .forward = cuda_plan_forward,
    .backward = cuda_plan_backward,
    .plan_bytes = cuda_plan_bytes,
};

/* cuBLAS's work area: what its documentation advises for the largest GPUs. */
enum { CUBLAS_WORKSPACE = 32 << 20, WORKSPACE_DEFAULT = 512 };

static int make_handles(cuda_device *d, error *e)
{
    int code = CHECK_CUDA(cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking), e);
    if (!code)
        code = CHECK_CUDA(cudaStreamCreateWithFlags(&d->copies, cudaStreamNonBlocking), e);
    if (!code)
        code = CHECK_CUDNN(cudnnCreate(&d->cudnn), e);
    if (!code)
        code = CHECK_CUDNN(cudnnSetStream(d->cudnn, d->stream), e);
    if (!code)
        code = CHECK_CUBLAS(cublasCreate(&d->cublas), e);
    if (!code)
        code = CHECK_CUBLAS(cublasSetStream(d->cublas, d->stream), e);
    if (!code)
        code = cuda_allocate(&d->cublas_workspace, CUBLAS_WORKSPACE, "cuBLAS", e);
    if (!code) /* after the stream: setting that takes the work area back */
        code = CHECK_CUBLAS(cublasSetWorkspace(d->cublas, d->cublas_workspace, CUBLAS_WORKSPACE), e);
    if (!code)
        code = CHECK_CUBLAS(cublasSetMathMode(d->cublas, d->compute == CUBLAS_COMPUTE_32F
                                                             ? CUBLAS_PEDANTIC_MATH
                                                             : CUBLAS_TF32_TENSOR_OP_MATH),
                            e);
    for (int i = 0; i < SLICES && !code; i++) {
        code = CHECK_CUDA(cudaHostAlloc(&d->slices[i], SLICE_BYTES, cudaHostAllocDefault), e);
        if (!code)
            code = CHECK_CUDA(cudaEventCreateWithFlags(&d->slice_free[i], cudaEventDisableTiming), e);
    }
    if (!code)
        code = CHECK_CUDA(cudaEventCreateWithFlags(&d->uploaded, cudaEventDisableTiming), e);
    return code;
}

/* Name and arithmetic of the precision; bf16 and TF32 came with sm_80. */
static int choose_precision(cuda_device *d, precision wanted, const struct cudaDeviceProp *gpu,
                            const char **name, error *e)
{
    *d = (cuda_device){.base = d->base, .number = d->number};
    d->numbers = wanted == PRECISION_BF16   ? NUMBER_BF16
                 : wanted == PRECISION_FP16 ? NUMBER_FP16
                                            : NUMBER_FLOAT;
    d->number_bytes = d->numbers == NUMBER_FLOAT ? 4 : 2;
    d->type = d->numbers == NUMBER_FLOAT  ? CUDNN_DATA_FLOAT
              : d->numbers == NUMBER_BF16 ? CUDNN_DATA_BFLOAT16
                                          : CUDNN_DATA_HALF;
    bool strict = wanted == PRECISION_FP32;
    d->compute = strict ? CUBLAS_COMPUTE_32F : CUBLAS_COMPUTE_32F_FAST_TF32;
    d->math = strict                       ? CUDNN_FMA_MATH
              : d->numbers == NUMBER_FLOAT ? CUDNN_DEFAULT_MATH
                                           : CUDNN_TENSOR_OP_MATH;
    *name = strict                      ? "fp32"
            : d->numbers == NUMBER_BF16 ? "bf16"
            : d->numbers == NUMBER_FP16 ? "fp16"
            : gpu->major < 8            ? "fp32 (no tf32 on this GPU)"
                                        : "tf32";
    if (wanted == PRECISION_BF16 && gpu->major < 8)
        return fail(e, ERR_USAGE, "precision bf16 needs a GPU of sm_80 or newer, %s is sm_%d%d; use fp16",
                    gpu->name, gpu->major, gpu->minor);
    return 0;
}

static int read_settings(cuda_device *d, error *e)
{
    const char *limit = getenv("ONEBOX_CUDA_WORKSPACE"), *how = getenv("ONEBOX_CUDA_ALGORITHMS");
    char *end = NULL;
    unsigned long long mib = limit ? strtoull(limit, &end, 10) : WORKSPACE_DEFAULT;
    if (limit && (!*limit || *end || *limit == '-' || mib > 1u << 20))
        return fail(e, ERR_USAGE, "ONEBOX_CUDA_WORKSPACE=%s is not a number of MiB up to 1048576", limit);
    d->workspace_limit = (size_t)mib << 20;
    d->find = how && strcmp(how, "find") == 0;
    if (how && !d->find && strcmp(how, "heuristics") != 0)
        return fail(e, ERR_USAGE, "ONEBOX_CUDA_ALGORITHMS=%s is neither heuristics nor find", how);
    return 0;
}

/* One digit after the point of a CUDA version, 13000 -> "13.0". */
static void version_text(int version, char text[16])
{
    snprintf(text, 16, "%d.%d", version / 1000, version % 1000 / 10);
}

static int check_versions(error *e)
{
    int driver = 0, runtime = 0;
    char a[16], b[16];
    int code = CHECK_CUDA(cudaDriverGetVersion(&driver), e);
    if (!code)
        code = CHECK_CUDA(cudaRuntimeGetVersion(&runtime), e);
    if (code)
        return code;
    version_text(driver, a);
    version_text(runtime, b);
    if (driver == 0)
        return fail(e, ERR_SYSTEM, "cuda: no GPU driver is installed here; use --device cpu");
    if (driver / 1000 < runtime / 1000)
        return fail(
            e, ERR_SYSTEM,
            "cuda: the GPU's driver knows CUDA %s, this build needs %s: install a newer driver, or build "
            "with an older toolkit",
            a, b);
    if (cudnnGetVersion() / 10000 != CUDNN_MAJOR)
        return fail(e, ERR_SYSTEM, "cuda: cuDNN %zu was loaded, this build needs version %d",
                    cudnnGetVersion(), CUDNN_MAJOR);
    return 0;
}

static void describe(cuda_device *d, const struct cudaDeviceProp *gpu, const char *precision_text)
{
    size_t v = cudnnGetVersion();
    int runtime = 0;
    (void)cudaRuntimeGetVersion(&runtime);
    char text[16];
    version_text(runtime, text);
    snprintf(d->base.description, sizeof d->base.description,
             "cuda:%d: %.80s (sm_%d%d, %.1f GiB), CUDA %s, cuDNN %zu.%zu.%zu, %s%s", d->number, gpu->name,
             gpu->major, gpu->minor, gib(gpu->totalGlobalMem), text, v / 10000, v / 100 % 100, v % 100,
             precision_text, d->find ? ", algorithms by timing" : "");
}

static device *cuda_open(int number, const device_options *options, error *e)
{
    int count = 0;
    if (check_versions(e) || CHECK_CUDA(cudaGetDeviceCount(&count), e))
        return NULL;
    if (number >= count) {
        fail(e, ERR_SYSTEM, "cuda: there is no GPU number %d, %d %s found; use --device cuda:0 or cpu",
             number, count, count == 1 ? "was" : "were");
        return NULL;
    }
    cuda_device *d = mem_zero(1, sizeof *d, "the GPU device", e);
    if (!d)
        return NULL;
    d->base.ops = &cuda_ops;
    d->number = number;
    struct cudaDeviceProp gpu;
    const char *name = "";
    int code = CHECK_CUDA(cudaGetDeviceProperties(&gpu, number), e);
    if (!code)
        code = choose_precision(d, options->precision, &gpu, &name, e);
    if (!code)
        code = read_settings(d, e);
    if (!code)
        code = cuda_use(d, e);
    if (!code)
        code = make_handles(d, e);
    if (!code) {
        describe(d, &gpu, name);
        return &d->base;
    }
    cuda_close(&d->base);
    return NULL;
}

/* For --version: the GPUs, or why there is none. */
static void cuda_versions(char *text, size_t size)
{
    size_t used = strlen(text), v = cudnnGetVersion();
    int count = 0, runtime = 0;
    char version[16];
    (void)cudaRuntimeGetVersion(&runtime);
    version_text(runtime, version);
    int more = snprintf(text + used, size - used, "CUDA %s, cuDNN %zu.%zu.%zu\n", version, v / 10000,
                        v / 100 % 100, v % 100);
    used += more > 0 ? (size_t)more : 0;
    error e = {0};
    if (used < size && (check_versions(&e) || CHECK_CUDA(cudaGetDeviceCount(&count), &e)))
        snprintf(text + used, size - used, "devices: no cuda (%s)\n", e.text);
    for (int i = 0; i < count && used < size; i++) {
        struct cudaDeviceProp gpu;
        if (cudaGetDeviceProperties(&gpu, i) != cudaSuccess)
            continue;
        more = snprintf(text + used, size - used, "devices: cuda:%d (%.80s, sm_%d%d, %.1f GiB)\n", i,
                        gpu.name, gpu.major, gpu.minor, gib(gpu.totalGlobalMem));
        used += more > 0 ? (size_t)more : 0;
    }
}

__attribute__((visibility("default"))) const device_library onebox_device_library = {
    .layout = DEVICE_LAYOUT, .open = cuda_open, .versions = cuda_versions};
