/* cuda_conv.c - convolutions of the GPU device: descriptors, choice of algorithms, the three passes.
 *
 * The choice is made once for a shape and a device: cuDNN's heuristics rank the algorithms, and the first one
 * that is deterministic, of the wanted arithmetic and within the limit of the work area is taken. With
 * ONEBOX_CUDA_ALGORITHMS=find they are timed instead (runs may differ in the last bits then);
 * ONEBOX_CUDA_WORKSPACE is the limit of the work area in MiB.
 */
#include "device/cuda.h"

#include <stdlib.h>
#include <string.h>

struct cuda_conv {
    cuda_device *device;
    conv_shape shape;
    cuda_conv_options options;
    cudnnTensorDescriptor_t x, y, bias;
    cudnnFilterDescriptor_t w;
    cudnnActivationDescriptor_t activation;
    cudnnConvolutionDescriptor_t pass[CONV_PASSES]; /* differ in their arithmetic */
    cuda_conv_choice choice[CONV_PASSES];
    bool unfused; /* cuDNN has no fused call for this: bias, addition and ReLU by a kernel of our own */
};

/* ---------------------------------------------------------------- choosing */

static bool wanted(const cuda_conv *c, conv_pass pass)
{
    return pass == CONV_FORWARD || (pass == CONV_BACKWARD_DATA && c->options.backward_data) ||
           (pass == CONV_BACKWARD_WEIGHTS && c->options.backward_weights);
}

/* With a bias and without ReLU cuDNN has this algorithm alone. */
static bool identity(const cuda_conv *c, conv_pass pass)
{
    return pass == CONV_FORWARD && c->options.bias && !c->options.relu;
}

static const cuda_conv_choice *known(const cuda_conv *c, conv_pass pass)
{
    const cuda_device *d = c->device;
    for (size_t i = 0; i < d->choice_count; i++)
        if (d->choices[i].pass == pass && d->choices[i].identity == identity(c, pass) &&
            memcmp(&d->choices[i].shape, &c->shape, sizeof c->shape) == 0)
            return &d->choices[i];
    return NULL;
}

/* Notes an algorithm when it is the first to fit. fp32 stays with plain multiply-adds whatever is offered. */
static bool fits(const cuda_conv *c, cuda_conv_choice *choice, cudnnStatus_t status, cudnnDeterminism_t determinism,
                 cudnnMathType_t math, size_t memory, int algorithm)
{
    if (status != CUDNN_STATUS_SUCCESS || determinism != CUDNN_DETERMINISTIC || memory > c->device->workspace_limit)
        return false;
    if (choice->identity && algorithm != (int)CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM)
        return false;
    choice->algorithm = algorithm;
    choice->math = c->device->math == CUDNN_FMA_MATH ? CUDNN_FMA_MATH : math;
    return true;
}

enum { OFFERS = 16 };

/* The bytes of work area that a choice needs. */
static int workspace_of(const cuda_conv *c, cuda_conv_choice *choice, error *e)
{
    cudnnHandle_t h = c->device->cudnn;
    cudnnConvolutionDescriptor_t pass = c->pass[choice->pass];
    int code = CHECK_CUDNN(cudnnSetConvolutionMathType(pass, choice->math), e);
    if (code)
        return code;
    switch (choice->pass) {
    case CONV_FORWARD:
        return CHECK_CUDNN(cudnnGetConvolutionForwardWorkspaceSize(h, c->x, c->w, pass, c->y,
                                                                   (cudnnConvolutionFwdAlgo_t)choice->algorithm,
                                                                   &choice->workspace),
                           e);
    case CONV_BACKWARD_DATA:
        return CHECK_CUDNN(
            cudnnGetConvolutionBackwardDataWorkspaceSize(
                h, c->w, c->y, pass, c->x, (cudnnConvolutionBwdDataAlgo_t)choice->algorithm, &choice->workspace),
            e);
    default:
        return CHECK_CUDNN(
            cudnnGetConvolutionBackwardFilterWorkspaceSize(
                h, c->x, c->y, pass, c->w, (cudnnConvolutionBwdFilterAlgo_t)choice->algorithm, &choice->workspace),
            e);
    }
}

/* Asks cuDNN for algorithms: by its heuristics, or (memory given) by timing. */
static int ask_cudnn(const cuda_conv *c, cuda_conv_choice *choice, const cuda_conv_memory *m, bool *found, error *e)
{
    cudnnHandle_t h = c->device->cudnn;
    cudnnConvolutionDescriptor_t pass = c->pass[choice->pass];
    int offers = 0, code;
    *found = false;
    if (choice->pass == CONV_FORWARD) {
        cudnnConvolutionFwdAlgoPerf_t offer[OFFERS];
        code = m ? CHECK_CUDNN(cudnnFindConvolutionForwardAlgorithmEx(h, c->x, m->x, c->w, m->weights, pass, c->y, m->y,
                                                                      OFFERS, &offers, offer, m->workspace,
                                                                      m->workspace_bytes),
                               e)
                 : CHECK_CUDNN(
                       cudnnGetConvolutionForwardAlgorithm_v7(h, c->x, c->w, pass, c->y, OFFERS, &offers, offer), e);
        for (int i = 0; i < offers && !code && !*found; i++)
            *found = fits(c, choice, offer[i].status, offer[i].determinism, offer[i].mathType, offer[i].memory,
                          (int)offer[i].algo);
    } else if (choice->pass == CONV_BACKWARD_DATA) {
        cudnnConvolutionBwdDataAlgoPerf_t offer[OFFERS];
        code =
            m ? CHECK_CUDNN(cudnnFindConvolutionBackwardDataAlgorithmEx(h, c->w, m->weights, c->y, m->y, pass, c->x,
                                                                        m->x, OFFERS, &offers, offer, m->workspace,
                                                                        m->workspace_bytes),
                            e)
              : CHECK_CUDNN(
                    cudnnGetConvolutionBackwardDataAlgorithm_v7(h, c->w, c->y, pass, c->x, OFFERS, &offers, offer), e);
        for (int i = 0; i < offers && !code && !*found; i++)
            *found = fits(c, choice, offer[i].status, offer[i].determinism, offer[i].mathType, offer[i].memory,
                          (int)offer[i].algo);
    } else {
        cudnnConvolutionBwdFilterAlgoPerf_t offer[OFFERS];
        code = m ? CHECK_CUDNN(cudnnFindConvolutionBackwardFilterAlgorithmEx(h, c->x, m->x, c->y, m->y, pass, c->w,
                                                                             m->weight_gradient, OFFERS, &offers, offer,
                                                                             m->workspace, m->workspace_bytes),
                               e)
                 : CHECK_CUDNN(
                       cudnnGetConvolutionBackwardFilterAlgorithm_v7(h, c->x, c->y, pass, c->w, OFFERS, &offers, offer),
                       e);
        for (int i = 0; i < offers && !code && !*found; i++)
            *found = fits(c, choice, offer[i].status, offer[i].determinism, offer[i].mathType, offer[i].memory,
                          (int)offer[i].algo);
    }
    return code;
}

/* Fills c->choice for one pass, from what is known or by asking. */
static int choose(cuda_conv *c, conv_pass pass, const cuda_conv_memory *m, error *e)
{
    cuda_device *d = c->device;
    cuda_conv_choice *choice = &c->choice[pass];
    const cuda_conv_choice *old = known(c, pass);
    if (old) {
        *choice = *old;
        return CHECK_CUDNN(cudnnSetConvolutionMathType(c->pass[pass], choice->math), e);
    }
    *choice = (cuda_conv_choice){.shape = c->shape, .pass = pass, .identity = identity(c, pass), .math = d->math};
    bool found;
    int code = ask_cudnn(c, choice, m, &found, e);
    if (!code && !found) {
        /* the deterministic algorithms that every GPU has */
        choice->algorithm = pass == CONV_FORWARD         ? (int)CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM
                            : pass == CONV_BACKWARD_DATA ? (int)CUDNN_CONVOLUTION_BWD_DATA_ALGO_1
                                                         : (int)CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
    }
    if (!code)
        code = workspace_of(c, choice, e);
    /* by heuristics first, by timing when memory is there: only the last word is kept */
    if (code || (d->find && !m))
        return code;
    code = mem_grow(&d->choices, &d->choice_capacity, d->choice_count + 1, sizeof *d->choices, "convolution algorithms",
                    e);
    if (!code)
        d->choices[d->choice_count++] = *choice;
    return code;
}

int cuda_conv_find(cuda_conv *c, const cuda_conv_memory *m, error *e)
{
    for (int pass = 0; pass < CONV_PASSES; pass++)
        if (wanted(c, (conv_pass)pass)) {
            int code = choose(c, (conv_pass)pass, m, e);
            if (code)
                return code;
        }
    return 0;
}

size_t cuda_conv_workspace(const cuda_conv *c)
{
    size_t most = 0;
    for (int pass = 0; pass < CONV_PASSES; pass++)
        if (wanted(c, (conv_pass)pass) && c->choice[pass].workspace > most)
            most = c->choice[pass].workspace;
    return most;
}

/* ---------------------------------------------------------------- descriptors */

static int tensor(cudnnTensorDescriptor_t *t, cudnnDataType_t type, int n, int c, int h, int w, error *e)
{
    int code = CHECK_CUDNN(cudnnCreateTensorDescriptor(t), e);
    return code ? code : CHECK_CUDNN(cudnnSetTensor4dDescriptor(*t, CUDNN_TENSOR_NHWC, type, n, c, h, w), e);
}

static int make_descriptors(cuda_conv *c, error *e)
{
    const conv_shape *s = &c->shape;
    cudnnDataType_t type = c->device->type;
    int code = tensor(&c->x, type, s->n, s->c, s->h, s->w, e);
    if (!code)
        code = tensor(&c->y, type, s->n, s->k, s->oh, s->ow, e);
    if (!code && c->options.bias)
        code = tensor(&c->bias, type, 1, s->k, 1, 1, e);
    if (!code)
        code = CHECK_CUDNN(cudnnCreateFilterDescriptor(&c->w), e);
    if (!code)
        code =
            CHECK_CUDNN(cudnnSetFilter4dDescriptor(c->w, type, CUDNN_TENSOR_NHWC, s->k, s->c, s->kernel, s->kernel), e);
    if (!code && c->options.bias) {
        code = CHECK_CUDNN(cudnnCreateActivationDescriptor(&c->activation), e);
        if (!code)
            code = CHECK_CUDNN(cudnnSetActivationDescriptor(
                                   c->activation, c->options.relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
                                   CUDNN_PROPAGATE_NAN, 0),
                               e);
    }
    for (int pass = 0; pass < CONV_PASSES && !code; pass++) {
        if (!wanted(c, (conv_pass)pass))
            continue;
        code = CHECK_CUDNN(cudnnCreateConvolutionDescriptor(&c->pass[pass]), e);
        if (!code)
            code =
                CHECK_CUDNN(cudnnSetConvolution2dDescriptor(c->pass[pass], s->padding, s->padding, s->stride, s->stride,
                                                            1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                            e);
        if (!code)
            code = CHECK_CUDNN(cudnnSetConvolutionMathType(c->pass[pass], c->device->math), e);
        if (!code)
            code = choose(c, (conv_pass)pass, NULL, e);
    }
    return code;
}

cuda_conv *cuda_conv_create(cuda_device *d, const conv_shape *s, const cuda_conv_options *o, error *e)
{
    cuda_conv *c = mem_zero(1, sizeof *c, "a convolution", e);
    if (!c)
        return NULL;
    c->device = d;
    c->shape = *s;
    c->options = *o;
    if (!make_descriptors(c, e))
        return c;
    cuda_conv_free(c);
    return NULL;
}

void cuda_conv_free(cuda_conv *c)
{
    if (!c)
        return;
    const cudnnTensorDescriptor_t tensors[] = {c->x, c->y, c->bias};
    for (size_t i = 0; i < COUNT(tensors); i++)
        if (tensors[i])
            (void)cudnnDestroyTensorDescriptor(tensors[i]);
    if (c->w)
        (void)cudnnDestroyFilterDescriptor(c->w);
    if (c->activation)
        (void)cudnnDestroyActivationDescriptor(c->activation);
    for (int pass = 0; pass < CONV_PASSES; pass++)
        if (c->pass[pass])
            (void)cudnnDestroyConvolutionDescriptor(c->pass[pass]);
    free(c);
}

/* ---------------------------------------------------------------- running */

static const float one = 1, zero = 0;

int cuda_conv_forward(cuda_conv *c, const void *x, const void *weights, const void *bias, const void *add, void *y,
                      void *workspace, error *e)
{
    const cuda_device *d = c->device;
    const cuda_conv_choice *choice = &c->choice[CONV_FORWARD];
    cudnnConvolutionDescriptor_t pass = c->pass[CONV_FORWARD];
    cudnnConvolutionFwdAlgo_t algorithm = (cudnnConvolutionFwdAlgo_t)choice->algorithm;
    if (bias && !c->unfused) {
        /* without an addend the call still wants one: y, times zero */
        cudnnStatus_t status = cudnnConvolutionBiasActivationForward(
            d->cudnn, &one, c->x, x, c->w, weights, pass, algorithm, workspace, choice->workspace, add ? &one : &zero,
            c->y, add ? add : y, c->bias, bias, c->activation, c->y, y);
        if (status != CUDNN_STATUS_NOT_SUPPORTED)
            return check_cudnn(status, "cudnnConvolutionBiasActivationForward", __FILE__, __LINE__, e);
        c->unfused = true;
    }
    int code = CHECK_CUDNN(cudnnConvolutionForward(d->cudnn, &one, c->x, x, c->w, weights, pass, algorithm, workspace,
                                                   choice->workspace, &zero, c->y, y),
                           e);
    if (code || !bias)
        return code;
    return CHECK_CUDA(kernel_bias_act(d->stream, d->numbers, y, bias, add,
                                      (size_t)c->shape.n * (size_t)c->shape.oh * (size_t)c->shape.ow,
                                      (size_t)c->shape.k, c->options.relu),
                      e);
}

int cuda_conv_backward_data(cuda_conv *c, const void *dy, const void *weights, void *dx, void *workspace, error *e)
{
    const cuda_conv_choice *choice = &c->choice[CONV_BACKWARD_DATA];
    return CHECK_CUDNN(cudnnConvolutionBackwardData(c->device->cudnn, &one, c->w, weights, c->y, dy,
                                                    c->pass[CONV_BACKWARD_DATA],
                                                    (cudnnConvolutionBwdDataAlgo_t)choice->algorithm, workspace,
                                                    choice->workspace, &zero, c->x, dx),
                       e);
}

int cuda_conv_backward_weights(cuda_conv *c, const void *x, const void *dy, void *dw, void *workspace, error *e)
{
    const cuda_conv_choice *choice = &c->choice[CONV_BACKWARD_WEIGHTS];
    return CHECK_CUDNN(cudnnConvolutionBackwardFilter(c->device->cudnn, &one, c->x, x, c->y, dy,
                                                      c->pass[CONV_BACKWARD_WEIGHTS],
                                                      (cudnnConvolutionBwdFilterAlgo_t)choice->algorithm, workspace,
                                                      choice->workspace, &zero, c->w, dw),
                       e);
}
