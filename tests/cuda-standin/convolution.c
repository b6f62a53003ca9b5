/* convolution.c - cuDNN's convolutions: checks, algorithms and their workspace, the arithmetic.
 *
 * Served is what the vendor documents for filters in NHWC layout: x, y and w all packed NHWC and of one type
 * (float, half, bfloat16), compute type float, cross-correlation, algorithms 0 and 1 of each direction. The
 * rest is NOT_SUPPORTED. Operands are rounded as the math type allows (TF32 for float unless FMA_MATH), sums
 * are kept in float, results are rounded once.
 *
 * The rules are those of NVIDIA's cuDNN API reference, under the functions' names: "Supported Algorithms" of the three
 * convolutions, and "Returns" of cudnnConvolutionBiasActivationForward for the activation, its NaN option, z and the
 * bias; that the identity needs IMPLICIT_PRECOMP_GEMM stands under cudnnActivationMode_t. Sizes of workspaces and the
 * order of algorithms are made up. Descriptors are compared with cuDNN's own by tests/unit/test_standin_descriptors.c.
 */
#include "gemm.h"
#include "tensor.h"

#include <stdlib.h>
#include <string.h>

typedef enum direction { FORWARD, BACKWARD_DATA, BACKWARD_FILTER } direction;

typedef struct job {
    direction direction;
    tensor x, y; /* y: also its gradient */
    struct cudnnFilterStruct w;
    struct cudnnConvolutionStruct conv;
    const void *from, *with; /* x and w; w and dy; x and dy */
    void *to;                /* y; dx; dw */
    void *workspace;
    size_t workspace_bytes;
    float alpha, beta;
    /* cudnnConvolutionBiasActivationForward */
    bool fused, relu;
    float alpha2;
    const void *z, *bias;
} job;

/* ---------------------------------------------------------------- arithmetic */

static size_t filter_size(const job *j)
{
    return (size_t)j->w.h * (size_t)j->w.w * (size_t)j->w.c;
}

static float *floats(size_t count)
{
    float *p = calloc(count, sizeof *p);
    if (!p)
        misuse("no memory for a convolution");
    return p;
}

/* The windows of one picture: rows of filter_size, one for each output pixel; or (back) their sum over
 * pixels.
 */
static void windows(const job *j, float *picture, float *rows, bool back)
{
    size_t c = (size_t)j->x.c, at = 0;
    for (int oy = 0; oy < j->y.h; oy++)
        for (int ox = 0; ox < j->y.w; ox++)
            for (int ky = 0; ky < j->w.h; ky++)
                for (int kx = 0; kx < j->w.w; kx++, at += c) {
                    int iy = oy * j->conv.stride_h - j->conv.pad_h + ky * j->conv.dilation_h,
                        ix = ox * j->conv.stride_w - j->conv.pad_w + kx * j->conv.dilation_w;
                    bool inside = iy >= 0 && ix >= 0 && iy < j->x.h && ix < j->x.w;
                    float *pixel = inside ? picture + ((size_t)iy * (size_t)j->x.w + (size_t)ix) * c : NULL;
                    if (back)
                        for (size_t k = 0; k < c && inside; k++)
                            pixel[k] += rows[at + k];
                    else if (inside)
                        memcpy(rows + at, pixel, c * sizeof(float));
                    else
                        memset(rows + at, 0, c * sizeof(float));
                }
}

static tensor filter_tensor(const struct cudnnFilterStruct *w)
{
    return (tensor){.type = w->type,
                    .n = w->k,
                    .c = w->c,
                    .h = w->h,
                    .w = w->w,
                    .stride = {w->h * w->w * w->c, 1, w->w * w->c, w->c}};
}

static float *operand(const job *j, const tensor *t, const void *data)
{
    float *values = tensor_load(t, data);
    round_operands(values, tensor_count(t), t->type, j->conv.math);
    return values;
}

static void scribble(const job *j)
{
    if (j->workspace)
        memset(j->workspace, 0xb7, j->workspace_bytes);
}

static void run_forward(const job *j)
{
    const tensor w = filter_tensor(&j->w);
    size_t size = filter_size(j), k = (size_t)j->w.k, pixels = (size_t)j->y.h * (size_t)j->y.w,
           in = (size_t)j->x.h * (size_t)j->x.w * (size_t)j->x.c;
    float *x = operand(j, &j->x, j->from), *filters = operand(j, &w, j->with), *turned = floats(size * k),
          *rows = floats(pixels * size), *y = floats(tensor_count(&j->y));
    for (size_t o = 0; o < k; o++)
        for (size_t i = 0; i < size; i++)
            turned[i * k + o] = filters[o * size + i];
    for (size_t n = 0; n < (size_t)j->x.n; n++) {
        windows(j, x + n * in, rows, false);
        gemm(pixels, k, size, rows, size, 1, turned, y + n * pixels * k);
    }
    if (j->fused) {
        const tensor bias_tensor = {
            .type = j->y.type, .n = 1, .c = j->y.c, .h = 1, .w = 1, .stride = {j->y.c, 1, 1, 1}};
        float *z = j->alpha2 != 0 ? tensor_load(&j->y, j->z) : NULL, *bias = tensor_load(&bias_tensor, j->bias);
        for (size_t i = 0; i < tensor_count(&j->y); i++) {
            float value = j->alpha * y[i] + (z ? j->alpha2 * z[i] : 0) + bias[i % k];
            y[i] = j->relu && !(value > 0) ? 0 : value;
        }
        free(z);
        free(bias);
    }
    tensor_store(&j->y, j->to, y, j->fused ? 1 : j->alpha, j->fused ? 0 : j->beta);
    free(x);
    free(filters);
    free(turned);
    free(rows);
    free(y);
}

static void run_backward_data(const job *j)
{
    const tensor w = filter_tensor(&j->w);
    size_t size = filter_size(j), k = (size_t)j->w.k, pixels = (size_t)j->y.h * (size_t)j->y.w,
           in = (size_t)j->x.h * (size_t)j->x.w * (size_t)j->x.c;
    float *filters = operand(j, &w, j->from), *dy = operand(j, &j->y, j->with), *rows = floats(pixels * size),
          *dx = floats(tensor_count(&j->x));
    for (size_t n = 0; n < (size_t)j->x.n; n++) {
        gemm(pixels, size, k, dy + n * pixels * k, k, 1, filters, rows);
        windows(j, dx + n * in, rows, true);
    }
    tensor_store(&j->x, j->to, dx, j->alpha, j->beta);
    free(filters);
    free(dy);
    free(rows);
    free(dx);
}

static void run_backward_filter(const job *j)
{
    const tensor w = filter_tensor(&j->w);
    size_t size = filter_size(j), k = (size_t)j->w.k, pixels = (size_t)j->y.h * (size_t)j->y.w,
           in = (size_t)j->x.h * (size_t)j->x.w * (size_t)j->x.c;
    float *x = operand(j, &j->x, j->from), *dy = operand(j, &j->y, j->with), *rows = floats(pixels * size),
          *part = floats(k * size), *dw = floats(k * size);
    for (size_t n = 0; n < (size_t)j->x.n; n++) {
        windows(j, x + n * in, rows, false);
        gemm(k, size, pixels, dy + n * pixels * k, 1, k, rows, part);
        for (size_t i = 0; i < k * size; i++)
            dw[i] += part[i];
    }
    tensor_store(&w, j->to, dw, j->alpha, j->beta);
    free(x);
    free(dy);
    free(rows);
    free(part);
    free(dw);
}

static void run_job(void *args)
{
    const job *j = args;
    scribble(j);
    if (j->direction == FORWARD)
        run_forward(j);
    else if (j->direction == BACKWARD_DATA)
        run_backward_data(j);
    else
        run_backward_filter(j);
    scribble(j);
}

/* ---------------------------------------------------------------- checks */

/* Descriptors into a job: known, set, fitting. */
static cudnnStatus_t describe(const char *name, job *j, cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                              cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y)
{
    object_check(handle, "cuDNN handle", name);
    object_check(x, "tensor descriptor", name);
    object_check(w, "filter descriptor", name);
    object_check(conv, "convolution descriptor", name);
    object_check(y, "tensor descriptor", name);
    j->x = x->t;
    j->y = y->t;
    j->w = *w;
    j->conv = *conv;
    if (!j->x.set || !j->y.set || !w->set || !conv->set)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor was made but not set");
    if (j->x.n != j->y.n || j->x.c != w->c || j->y.c != w->k)
        return refuse(CUDNN_STATUS_BAD_PARAM, "batch or channels differ: x %d x %d, w %d x %d, y %d x %d", j->x.n,
                      j->x.c, w->k, w->c, j->y.n, j->y.c);
    int oh, ow;
    convolution_output(conv, &j->x, w, &oh, &ow);
    if (oh != j->y.h || ow != j->y.w)
        return refuse(CUDNN_STATUS_BAD_PARAM, "y is %d x %d, the convolution gives %d x %d", j->y.h, j->y.w, oh, ow);
    if (j->x.type != w->type || j->x.type != j->y.type)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "x, w and y have types %d, %d, %d", (int)j->x.type, (int)w->type,
                      (int)j->y.type);
    if (conv->compute != CUDNN_DATA_FLOAT)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "compute type %d", (int)conv->compute);
    if (conv->mode != CUDNN_CROSS_CORRELATION)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "only cross-correlation with filters in NHWC layout");
    if (w->format != CUDNN_TENSOR_NHWC || !tensor_is_nhwc(&j->x) || !tensor_is_nhwc(&j->y))
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "x, w and y must all be packed NHWC");
    return CUDNN_STATUS_SUCCESS;
}

static const int algorithm_count[] = {CUDNN_CONVOLUTION_FWD_ALGO_COUNT, CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT,
                                      CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT};

/* Bytes that an algorithm needs; sizes are ours, that the second needs more than the first is usual. */
static cudnnStatus_t workspace_size(const job *j, int algorithm, size_t *bytes)
{
    *bytes = 0;
    if (algorithm < 0 || algorithm >= algorithm_count[j->direction])
        return refuse(CUDNN_STATUS_BAD_PARAM, "algorithm %d", algorithm);
    if (algorithm > 1)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "algorithm %d with filters in NHWC layout", algorithm);
    if (algorithm == 1)
        *bytes = j->direction == FORWARD         ? filter_size(j) * 16
                 : j->direction == BACKWARD_DATA ? tensor_count(&j->x) * sizeof(float)
                                                 : filter_size(j) * (size_t)j->w.k * 2 * sizeof(float);
    return CUDNN_STATUS_SUCCESS;
}

static bool overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    const char *p = a, *q = b;
    return a && b && p < q + b_bytes && q < p + a_bytes;
}

static cudnnStatus_t launch(const char *name, job *j, cudnnHandle_t handle, int algorithm)
{
    size_t need;
    cudnnStatus_t status = workspace_size(j, algorithm, &need);
    if (status)
        return status;
    if (!j->from || !j->with || !j->to)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a data pointer is NULL");
    if (need > 0 && (!j->workspace || j->workspace_bytes < need))
        return refuse(CUDNN_STATUS_BAD_PARAM, "algorithm %d needs %zu bytes of workspace, not %zu", algorithm, need,
                      j->workspace ? j->workspace_bytes : 0);
    const tensor w = filter_tensor(&j->w);
    size_t x_bytes = tensor_bytes(&j->x), y_bytes = tensor_bytes(&j->y), w_bytes = tensor_bytes(&w);
    size_t from = j->direction == BACKWARD_DATA ? w_bytes : x_bytes, with = j->direction == FORWARD ? w_bytes : y_bytes,
           to = j->direction == FORWARD         ? y_bytes
                : j->direction == BACKWARD_DATA ? x_bytes
                                                : w_bytes;
    memory_check(name, j->direction == BACKWARD_DATA ? "w" : "x", j->from, from);
    memory_check(name, j->direction == FORWARD ? "w" : "dy", j->with, with);
    memory_check(name, "the result", j->to, to);
    if (j->workspace)
        memory_check(name, "the workspace", j->workspace, j->workspace_bytes);
    if (overlap(j->from, from, j->to, to) || overlap(j->with, with, j->to, to))
        misuse("%s: the result overlaps what it is made of", name);
    size_t space = j->workspace ? j->workspace_bytes : 0;
    if (overlap(j->workspace, space, j->from, from) || overlap(j->workspace, space, j->with, with) ||
        overlap(j->workspace, space, j->to, to))
        misuse("%s: the workspace overlaps the data", name);
    if (j->fused) {
        memory_check(name, "z", j->z, y_bytes);
        memory_check(name, "the bias", j->bias, (size_t)j->y.c * type_bytes(j->y.type));
        if (j->z != j->to && overlap(j->z, y_bytes, j->to, y_bytes))
            misuse("%s: z overlaps y and is not the same", name);
    }
    return status_of(work_queue(handle->stream, name, run_job, j, sizeof *j));
}

/* ---------------------------------------------------------------- choosing an algorithm */

/* The three result structs are the same but for the type of their first member. */
typedef cudnnConvolutionFwdAlgoPerf_t result;

static cudnnStatus_t list_algorithms(const job *j, int requested, int *returned, void *results, size_t limit,
                                     bool measured)
{
    static const int order[] = {1, 0, 2, 3, 4, 5, 6, 7};
    if (requested < 1 || !returned || !results)
        return refuse(CUDNN_STATUS_BAD_PARAM, "no room for results");
    result usable[8], rest[8];
    int n = 0, m = 0;
    for (int i = 0; i < algorithm_count[j->direction]; i++) {
        result r = {.algo = (cudnnConvolutionFwdAlgo_t)order[i], .time = -1, .mathType = j->conv.math};
        r.status = workspace_size(j, order[i], &r.memory);
        if (!r.status && r.memory > limit)
            r.status = CUDNN_STATUS_ALLOC_FAILED;
        r.determinism = j->direction == FORWARD || order[i] == 1 ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
        if (!r.status && measured)
            r.time = (float)(n + 1);
        if (r.status)
            rest[m++] = r;
        else
            usable[n++] = r;
    }
    *returned = 0;
    for (int i = 0; i < n + m && i < requested; i++)
        ((result *)results)[(*returned)++] = i < n ? usable[i] : rest[i - n];
    return CUDNN_STATUS_SUCCESS;
}

/* Runs every algorithm that fits, which destroys the result and the workspace, and waits. */
static cudnnStatus_t find_algorithms(const char *name, job *j, cudnnHandle_t handle, int requested, int *returned,
                                     void *results)
{
    if (work_is_captured(handle->stream))
        return status_of(work_forbid_capture());
    j->alpha = 1;
    for (int algorithm = 0; algorithm < 2; algorithm++) {
        size_t need;
        if (workspace_size(j, algorithm, &need) || need > (j->workspace ? j->workspace_bytes : 0))
            continue;
        cudnnStatus_t status = launch(name, j, handle, algorithm);
        if (!status)
            status = status_of(work_finish(handle->stream));
        if (status)
            return status;
    }
    return list_algorithms(j, requested, returned, results, j->workspace ? j->workspace_bytes : 0, true);
}

static cudnnStatus_t max_count(const char *name, cudnnHandle_t handle, direction d, int *count)
{
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    object_check(handle, "cuDNN handle", name);
    if (!status)
        *count = algorithm_count[d];
    return status;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithmMaxCount(cudnnHandle_t handle, int *count)
{
    return max_count("cudnnGetConvolutionForwardAlgorithmMaxCount", handle, FORWARD, count);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithmMaxCount(cudnnHandle_t handle, int *count)
{
    return max_count("cudnnGetConvolutionBackwardDataAlgorithmMaxCount", handle, BACKWARD_DATA, count);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(cudnnHandle_t handle, int *count)
{
    return max_count("cudnnGetConvolutionBackwardFilterAlgorithmMaxCount", handle, BACKWARD_FILTER, count);
}

static cudnnStatus_t heuristics(const char *name, cudnnHandle_t handle, direction d, cudnnTensorDescriptor_t x,
                                cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y,
                                int requested, int *returned, void *results)
{
    job j = {.direction = d};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = describe(name, &j, handle, x, w, conv, y);
    return status ? status : list_algorithms(&j, requested, returned, results, SIZE_MAX, false);
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc,
                                                     cudnnFilterDescriptor_t w_desc, cudnnConvolutionDescriptor_t conv,
                                                     cudnnTensorDescriptor_t y_desc, int requested, int *returned,
                                                     cudnnConvolutionFwdAlgoPerf_t *results)
{
    return heuristics("cudnnGetConvolutionForwardAlgorithm_v7", handle, FORWARD, x_desc, w_desc, conv, y_desc,
                      requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, cudnnFilterDescriptor_t w_desc,
                                                          cudnnTensorDescriptor_t dy_desc,
                                                          cudnnConvolutionDescriptor_t conv,
                                                          cudnnTensorDescriptor_t dx_desc, int requested, int *returned,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *results)
{
    return heuristics("cudnnGetConvolutionBackwardDataAlgorithm_v7", handle, BACKWARD_DATA, dx_desc, w_desc, conv,
                      dy_desc, requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc,
                                                            cudnnTensorDescriptor_t dy_desc,
                                                            cudnnConvolutionDescriptor_t conv,
                                                            cudnnFilterDescriptor_t dw_desc, int requested,
                                                            int *returned, cudnnConvolutionBwdFilterAlgoPerf_t *results)
{
    return heuristics("cudnnGetConvolutionBackwardFilterAlgorithm_v7", handle, BACKWARD_FILTER, x_desc, dw_desc, conv,
                      dy_desc, requested, returned, results);
}

static cudnnStatus_t ask_workspace(const char *name, cudnnHandle_t handle, direction d, cudnnTensorDescriptor_t x,
                                   cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t conv,
                                   cudnnTensorDescriptor_t y, int algorithm, size_t *bytes)
{
    job j = {.direction = d};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = describe(name, &j, handle, x, w, conv, y);
    return status ? status : workspace_size(&j, algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc,
                                                      cudnnFilterDescriptor_t w_desc, cudnnConvolutionDescriptor_t conv,
                                                      cudnnTensorDescriptor_t y_desc,
                                                      cudnnConvolutionFwdAlgo_t algorithm, size_t *bytes)
{
    return ask_workspace("cudnnGetConvolutionForwardWorkspaceSize", handle, FORWARD, x_desc, w_desc, conv, y_desc,
                         (int)algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, cudnnFilterDescriptor_t w_desc,
                                                           cudnnTensorDescriptor_t dy_desc,
                                                           cudnnConvolutionDescriptor_t conv,
                                                           cudnnTensorDescriptor_t dx_desc,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes)
{
    return ask_workspace("cudnnGetConvolutionBackwardDataWorkspaceSize", handle, BACKWARD_DATA, dx_desc, w_desc, conv,
                         dy_desc, (int)algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc,
                                                             cudnnTensorDescriptor_t dy_desc,
                                                             cudnnConvolutionDescriptor_t conv,
                                                             cudnnFilterDescriptor_t dw_desc,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes)
{
    return ask_workspace("cudnnGetConvolutionBackwardFilterWorkspaceSize", handle, BACKWARD_FILTER, x_desc, dw_desc,
                         conv, dy_desc, (int)algorithm, bytes);
}

/* ---------------------------------------------------------------- searches and convolutions */

cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc,
                                                     const void *x, cudnnFilterDescriptor_t w_desc, const void *w,
                                                     cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y_desc,
                                                     void *y, int requested, int *returned,
                                                     cudnnConvolutionFwdAlgoPerf_t *results, void *workspace,
                                                     size_t workspace_bytes)
{
    static const char name[] = "cudnnFindConvolutionForwardAlgorithmEx";
    job j = {.direction = FORWARD,
             .from = x,
             .with = w,
             .to = y,
             .workspace = workspace,
             .workspace_bytes = workspace_bytes};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = describe(name, &j, handle, x_desc, w_desc, conv, y_desc);
    return status ? status : find_algorithms(name, &j, handle, requested, returned, results);
}

cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(cudnnHandle_t handle, cudnnFilterDescriptor_t w_desc,
                                                          const void *w, cudnnTensorDescriptor_t dy_desc,
                                                          const void *dy, cudnnConvolutionDescriptor_t conv,
                                                          cudnnTensorDescriptor_t dx_desc, void *dx, int requested,
                                                          int *returned, cudnnConvolutionBwdDataAlgoPerf_t *results,
                                                          void *workspace, size_t workspace_bytes)
{
    static const char name[] = "cudnnFindConvolutionBackwardDataAlgorithmEx";
    job j = {.direction = BACKWARD_DATA,
             .from = w,
             .with = dy,
             .to = dx,
             .workspace = workspace,
             .workspace_bytes = workspace_bytes};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = describe(name, &j, handle, dx_desc, w_desc, conv, dy_desc);
    return status ? status : find_algorithms(name, &j, handle, requested, returned, results);
}

cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc,
                                                            const void *x, cudnnTensorDescriptor_t dy_desc,
                                                            const void *dy, cudnnConvolutionDescriptor_t conv,
                                                            cudnnFilterDescriptor_t dw_desc, void *dw, int requested,
                                                            int *returned, cudnnConvolutionBwdFilterAlgoPerf_t *results,
                                                            void *workspace, size_t workspace_bytes)
{
    static const char name[] = "cudnnFindConvolutionBackwardFilterAlgorithmEx";
    job j = {.direction = BACKWARD_FILTER,
             .from = x,
             .with = dy,
             .to = dw,
             .workspace = workspace,
             .workspace_bytes = workspace_bytes};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = describe(name, &j, handle, x_desc, dw_desc, conv, dy_desc);
    return status ? status : find_algorithms(name, &j, handle, requested, returned, results);
}

/* Scaling factors lie in host memory and are floats for every type served here. */
static cudnnStatus_t scales(job *j, const void *alpha, const void *beta)
{
    if (!alpha || !beta)
        return refuse(CUDNN_STATUS_BAD_PARAM, "alpha or beta is NULL");
    if (memory_where(alpha) == PLACE_DEVICE || memory_where(beta) == PLACE_DEVICE)
        misuse("alpha and beta must lie in host memory");
    j->alpha = *(const float *)alpha;
    j->beta = *(const float *)beta;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_desc,
                                      const void *x, cudnnFilterDescriptor_t w_desc, const void *w,
                                      cudnnConvolutionDescriptor_t conv, cudnnConvolutionFwdAlgo_t algorithm,
                                      void *workspace, size_t workspace_bytes, const void *beta,
                                      cudnnTensorDescriptor_t y_desc, void *y)
{
    static const char name[] = "cudnnConvolutionForward";
    job j = {.direction = FORWARD,
             .from = x,
             .with = w,
             .to = y,
             .workspace = workspace,
             .workspace_bytes = workspace_bytes};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = scales(&j, alpha, beta);
    if (!status)
        status = describe(name, &j, handle, x_desc, w_desc, conv, y_desc);
    return status ? status : launch(name, &j, handle, (int)algorithm);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, cudnnFilterDescriptor_t w_desc,
                                           const void *w, cudnnTensorDescriptor_t dy_desc, const void *dy,
                                           cudnnConvolutionDescriptor_t conv, cudnnConvolutionBwdDataAlgo_t algorithm,
                                           void *workspace, size_t workspace_bytes, const void *beta,
                                           cudnnTensorDescriptor_t dx_desc, void *dx)
{
    static const char name[] = "cudnnConvolutionBackwardData";
    job j = {.direction = BACKWARD_DATA,
             .from = w,
             .with = dy,
             .to = dx,
             .workspace = workspace,
             .workspace_bytes = workspace_bytes};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = scales(&j, alpha, beta);
    if (!status)
        status = describe(name, &j, handle, dx_desc, w_desc, conv, dy_desc);
    return status ? status : launch(name, &j, handle, (int)algorithm);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_desc,
                                             const void *x, cudnnTensorDescriptor_t dy_desc, const void *dy,
                                             cudnnConvolutionDescriptor_t conv,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *workspace,
                                             size_t workspace_bytes, const void *beta, cudnnFilterDescriptor_t dw_desc,
                                             void *dw)
{
    static const char name[] = "cudnnConvolutionBackwardFilter";
    job j = {.direction = BACKWARD_FILTER,
             .from = x,
             .with = dy,
             .to = dw,
             .workspace = workspace,
             .workspace_bytes = workspace_bytes};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = scales(&j, alpha, beta);
    if (!status)
        status = describe(name, &j, handle, x_desc, dw_desc, conv, dy_desc);
    return status ? status : launch(name, &j, handle, (int)algorithm);
}

/* y = act(alpha1 conv(x, w) + alpha2 z + bias). z may be y itself; the identity needs the algorithm
 * IMPLICIT_PRECOMP_GEMM. */
cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t handle, const void *alpha1, cudnnTensorDescriptor_t x_desc, const void *x,
    cudnnFilterDescriptor_t w_desc, const void *w, cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionFwdAlgo_t algorithm, void *workspace, size_t workspace_bytes, const void *alpha2,
    cudnnTensorDescriptor_t z_desc, const void *z, cudnnTensorDescriptor_t bias_desc, const void *bias,
    cudnnActivationDescriptor_t activation, cudnnTensorDescriptor_t y_desc, void *y)
{
    static const char name[] = "cudnnConvolutionBiasActivationForward";
    job j = {.direction = FORWARD,
             .from = x,
             .with = w,
             .to = y,
             .workspace = workspace,
             .workspace_bytes = workspace_bytes,
             .fused = true,
             .z = z,
             .bias = bias};
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    if (!status)
        status = scales(&j, alpha1, alpha2);
    if (!status)
        status = describe(name, &j, handle, x_desc, w_desc, conv, y_desc);
    if (status)
        return status;
    object_check(z_desc, "tensor descriptor", name);
    object_check(bias_desc, "tensor descriptor", name);
    object_check(activation, "activation descriptor", name);
    j.alpha2 = j.beta;
    j.relu = activation->mode == CUDNN_ACTIVATION_RELU;
    const tensor *b = &bias_desc->t;
    if (!z || !bias || !activation->set || !b->set || !z_desc->t.set)
        return refuse(CUDNN_STATUS_BAD_PARAM, "z, bias or activation is missing");
    if (!tensor_same_shape(&z_desc->t, &j.y) || z_desc->t.type != j.y.type || !tensor_is_nhwc(&z_desc->t))
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "z is not like y");
    if (b->n != 1 || b->c != j.y.c || b->h != 1 || b->w != 1 || b->stride[1] != 1 || b->type != j.y.type)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "the bias must be 1 x %d x 1 x 1 of the type of y", j.y.c);
    if (!j.relu && activation->mode != CUDNN_ACTIVATION_IDENTITY)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "activation %d", (int)activation->mode);
    if (activation->nan != CUDNN_NOT_PROPAGATE_NAN)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "NaN must not be propagated by the activation");
    if (!j.relu && algorithm != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "the identity needs IMPLICIT_PRECOMP_GEMM");
    return launch(name, &j, handle, (int)algorithm);
}
