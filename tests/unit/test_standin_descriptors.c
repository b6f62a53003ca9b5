/* The stand-in's descriptors against those of the real cuDNN, which answers such calls without a GPU.
 *
 * The linker gives every call of these functions to the ones below (--wrap in the Makefile): they ask the stand-in
 * and the real library, which is opened with dlopen, and compare the answers: status, sizes, strides, and what the
 * descriptors hold. The calls are the device's own (cuda_conv.c), for every convolution of the networks in every
 * precision, and by hand those that are refused. Only what needs a handle cannot be asked: cudnnCreate wants a GPU.
 */
#include "device/cuda.h"
#include "graph/resnet.h"
#include "standin.h"
#include "tensor.h"
#include "test.h"

#include <dlfcn.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- the real library */

/* Its functions that are used here, with their arguments; the stand-in has no pooling. */
#define FUNCTIONS(X)                                                                                                   \
    X(CreateTensorDescriptor, cudnnTensorDescriptor_t *)                                                               \
    X(SetTensor4dDescriptor, cudnnTensorDescriptor_t, cudnnTensorFormat_t, cudnnDataType_t, int, int, int, int)        \
    X(SetTensor4dDescriptorEx, cudnnTensorDescriptor_t, cudnnDataType_t, int, int, int, int, int, int, int, int)       \
    X(GetTensor4dDescriptor, cudnnTensorDescriptor_t, cudnnDataType_t *, int *, int *, int *, int *, int *, int *,     \
      int *, int *)                                                                                                    \
    X(GetTensorSizeInBytes, cudnnTensorDescriptor_t, size_t *)                                                         \
    X(DestroyTensorDescriptor, cudnnTensorDescriptor_t)                                                                \
    X(CreateFilterDescriptor, cudnnFilterDescriptor_t *)                                                               \
    X(SetFilter4dDescriptor, cudnnFilterDescriptor_t, cudnnDataType_t, cudnnTensorFormat_t, int, int, int, int)        \
    X(GetFilter4dDescriptor, cudnnFilterDescriptor_t, cudnnDataType_t *, cudnnTensorFormat_t *, int *, int *, int *,   \
      int *)                                                                                                           \
    X(GetFilterSizeInBytes, cudnnFilterDescriptor_t, size_t *)                                                         \
    X(DestroyFilterDescriptor, cudnnFilterDescriptor_t)                                                                \
    X(CreateConvolutionDescriptor, cudnnConvolutionDescriptor_t *)                                                     \
    X(SetConvolution2dDescriptor, cudnnConvolutionDescriptor_t, int, int, int, int, int, int, cudnnConvolutionMode_t,  \
      cudnnDataType_t)                                                                                                 \
    X(GetConvolution2dDescriptor, cudnnConvolutionDescriptor_t, int *, int *, int *, int *, int *, int *,              \
      cudnnConvolutionMode_t *, cudnnDataType_t *)                                                                     \
    X(SetConvolutionMathType, cudnnConvolutionDescriptor_t, cudnnMathType_t)                                           \
    X(GetConvolutionMathType, cudnnConvolutionDescriptor_t, cudnnMathType_t *)                                         \
    X(GetConvolution2dForwardOutputDim, cudnnConvolutionDescriptor_t, cudnnTensorDescriptor_t,                         \
      cudnnFilterDescriptor_t, int *, int *, int *, int *)                                                             \
    X(DestroyConvolutionDescriptor, cudnnConvolutionDescriptor_t)                                                      \
    X(CreateActivationDescriptor, cudnnActivationDescriptor_t *)                                                       \
    X(SetActivationDescriptor, cudnnActivationDescriptor_t, cudnnActivationMode_t, cudnnNanPropagation_t, double)      \
    X(GetActivationDescriptor, cudnnActivationDescriptor_t, cudnnActivationMode_t *, cudnnNanPropagation_t *,          \
      double *)                                                                                                        \
    X(DestroyActivationDescriptor, cudnnActivationDescriptor_t)                                                        \
    X(CreatePoolingDescriptor, void **)                                                                                \
    X(SetPooling2dDescriptor, void *, int, cudnnNanPropagation_t, int, int, int, int, int, int)                        \
    X(GetPooling2dForwardOutputDim, void *, cudnnTensorDescriptor_t, int *, int *, int *, int *)                       \
    X(DestroyPoolingDescriptor, void *)

#define MEMBER(name, ...) cudnnStatus_t (*name)(__VA_ARGS__);
static struct {
    FUNCTIONS(MEMBER)
} real;

/* NULL, or why the real library cannot be asked. */
static const char *open_real(void)
{
#define NAME(name, ...) "cudnn" #name,
    static const char *const names[] = {FUNCTIONS(NAME)};
    void *library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        library = dlopen("/usr/local/cuda/lib64/libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return "cuDNN 9 is not installed";
    for (size_t i = 0; i < COUNT(names); i++) {
        void *function = dlsym(library, names[i]);
        if (!function)
            return "this cuDNN lacks a function that descriptors need";
        memcpy((char *)&real + i * sizeof function, &function, sizeof function);
    }
    return NULL;
}

/* ---------------------------------------------------------------- both at once */

enum { MOST = 64 };
/* The real descriptor of each living one of the stand-in. */
static struct {
    const void *ours;
    void *real;
} pairs[MOST];
static long compared; /* calls */

static void pair(const void *ours, void *theirs)
{
    for (int i = 0; i < MOST; i++)
        if (!pairs[i].ours) {
            pairs[i].ours = ours;
            pairs[i].real = theirs;
            return;
        }
    CHECK(false, "more than %d descriptors at once", MOST);
}

static void *real_of(const void *ours, bool forget)
{
    for (int i = 0; i < MOST; i++)
        if (pairs[i].ours == ours) {
            if (forget)
                pairs[i].ours = NULL;
            return pairs[i].real;
        }
    CHECK(false, "an unknown descriptor");
    return NULL;
}

static cudnnStatus_t same(const char *name, cudnnStatus_t ours, cudnnStatus_t theirs)
{
    compared++;
    CHECK(ours == theirs, "%s: the stand-in says %d, cuDNN %d", name, (int)ours, (int)theirs);
    return ours;
}

/* Functions of the stand-in (__real_NAME) and what is called in their place (__wrap_NAME); the linker wants these
 * names. The arguments hold the descriptor or its address first. */
#define WRAP(name, ...)                                                                                                \
    cudnnStatus_t __real_cudnn##name(__VA_ARGS__);                                                                     \
    cudnnStatus_t __wrap_cudnn##name(__VA_ARGS__);                                                                     \
    cudnnStatus_t __wrap_cudnn##name(__VA_ARGS__)

#define WRAP_KIND(kind)                                                                                                \
    WRAP(Create##kind##Descriptor, cudnn##kind##Descriptor_t *d)                                                       \
    {                                                                                                                  \
        cudnn##kind##Descriptor_t theirs = NULL;                                                                       \
        cudnnStatus_t status = same("Create" #kind "Descriptor", __real_cudnnCreate##kind##Descriptor(d),              \
                                    real.Create##kind##Descriptor(&theirs));                                           \
        pair(*d, theirs);                                                                                              \
        return status;                                                                                                 \
    }                                                                                                                  \
    WRAP(Destroy##kind##Descriptor, cudnn##kind##Descriptor_t d)                                                       \
    {                                                                                                                  \
        cudnn##kind##Descriptor_t theirs = real_of(d, true);                                                           \
        return same("Destroy" #kind "Descriptor", __real_cudnnDestroy##kind##Descriptor(d),                            \
                    real.Destroy##kind##Descriptor(theirs));                                                           \
    }

WRAP_KIND(Tensor)
WRAP_KIND(Filter)
WRAP_KIND(Convolution)
WRAP_KIND(Activation)

static void compare_tensors(cudnnTensorDescriptor_t d, cudnnTensorDescriptor_t theirs)
{
    const tensor *t = &d->t;
    tensor r = {0};
    size_t ours_bytes = 0, bytes = 0;
    real.GetTensor4dDescriptor(theirs, &r.type, &r.n, &r.c, &r.h, &r.w, &r.stride[0], &r.stride[1], &r.stride[2],
                               &r.stride[3]);
    CHECK(r.type == t->type && r.n == t->n && r.c == t->c && r.h == t->h && r.w == t->w &&
              memcmp(r.stride, t->stride, sizeof r.stride) == 0,
          "%d x %d x %d x %d: strides %d %d %d %d, cuDNN has %d %d %d %d", t->n, t->c, t->h, t->w, t->stride[0],
          t->stride[1], t->stride[2], t->stride[3], r.stride[0], r.stride[1], r.stride[2], r.stride[3]);
    same("GetTensorSizeInBytes", cudnnGetTensorSizeInBytes(d, &ours_bytes), real.GetTensorSizeInBytes(theirs, &bytes));
    CHECK(bytes == ours_bytes, "%zu bytes, cuDNN says %zu", ours_bytes, bytes);
}

WRAP(SetTensor4dDescriptor, cudnnTensorDescriptor_t d, cudnnTensorFormat_t format, cudnnDataType_t type, int n, int c,
     int h, int w)
{
    cudnnTensorDescriptor_t theirs = real_of(d, false);
    cudnnStatus_t status = same("SetTensor4dDescriptor", __real_cudnnSetTensor4dDescriptor(d, format, type, n, c, h, w),
                                real.SetTensor4dDescriptor(theirs, format, type, n, c, h, w));
    if (!status)
        compare_tensors(d, theirs);
    return status;
}

WRAP(SetTensor4dDescriptorEx, cudnnTensorDescriptor_t d, cudnnDataType_t type, int n, int c, int h, int w, int n_stride,
     int c_stride, int h_stride, int w_stride)
{
    cudnnTensorDescriptor_t theirs = real_of(d, false);
    cudnnStatus_t status =
        same("SetTensor4dDescriptorEx",
             __real_cudnnSetTensor4dDescriptorEx(d, type, n, c, h, w, n_stride, c_stride, h_stride, w_stride),
             real.SetTensor4dDescriptorEx(theirs, type, n, c, h, w, n_stride, c_stride, h_stride, w_stride));
    if (!status)
        compare_tensors(d, theirs);
    return status;
}

WRAP(SetFilter4dDescriptor, cudnnFilterDescriptor_t d, cudnnDataType_t type, cudnnTensorFormat_t format, int k, int c,
     int h, int w)
{
    cudnnFilterDescriptor_t theirs = real_of(d, false);
    cudnnStatus_t status = same("SetFilter4dDescriptor", __real_cudnnSetFilter4dDescriptor(d, type, format, k, c, h, w),
                                real.SetFilter4dDescriptor(theirs, type, format, k, c, h, w));
    if (status)
        return status;
    struct cudnnFilterStruct r = {.k = 0};
    size_t bytes = 0, expected = type_bytes(type) * (size_t)k * (size_t)c * (size_t)h * (size_t)w;
    real.GetFilter4dDescriptor(theirs, &r.type, &r.format, &r.k, &r.c, &r.h, &r.w);
    real.GetFilterSizeInBytes(theirs, &bytes);
    CHECK(r.type == d->type && r.format == d->format && r.k == d->k && r.c == d->c && r.h == d->h && r.w == d->w &&
              bytes == expected,
          "filter %d x %d x %d x %d of %zu bytes, cuDNN has %d x %d x %d x %d of %zu", k, c, h, w, expected, r.k, r.c,
          r.h, r.w, bytes);
    return CUDNN_STATUS_SUCCESS;
}

WRAP(SetConvolution2dDescriptor, cudnnConvolutionDescriptor_t d, int pad_h, int pad_w, int stride_h, int stride_w,
     int dilation_h, int dilation_w, cudnnConvolutionMode_t mode, cudnnDataType_t compute)
{
    cudnnConvolutionDescriptor_t theirs = real_of(d, false);
    cudnnStatus_t status = same("SetConvolution2dDescriptor",
                                __real_cudnnSetConvolution2dDescriptor(d, pad_h, pad_w, stride_h, stride_w, dilation_h,
                                                                       dilation_w, mode, compute),
                                real.SetConvolution2dDescriptor(theirs, pad_h, pad_w, stride_h, stride_w, dilation_h,
                                                                dilation_w, mode, compute));
    if (status)
        return status;
    struct cudnnConvolutionStruct r = {.pad_h = 0};
    real.GetConvolution2dDescriptor(theirs, &r.pad_h, &r.pad_w, &r.stride_h, &r.stride_w, &r.dilation_h, &r.dilation_w,
                                    &r.mode, &r.compute);
    real.GetConvolutionMathType(theirs, &r.math);
    CHECK(r.pad_h == d->pad_h && r.pad_w == d->pad_w && r.stride_h == d->stride_h && r.stride_w == d->stride_w &&
              r.dilation_h == d->dilation_h && r.dilation_w == d->dilation_w && r.mode == d->mode &&
              r.compute == d->compute && r.math == d->math,
          "cuDNN has padding %d %d, stride %d %d, math type %d", r.pad_h, r.pad_w, r.stride_h, r.stride_w, (int)r.math);
    return CUDNN_STATUS_SUCCESS;
}

WRAP(SetConvolutionMathType, cudnnConvolutionDescriptor_t d, cudnnMathType_t math)
{
    cudnnConvolutionDescriptor_t theirs = real_of(d, false);
    cudnnMathType_t r = CUDNN_DEFAULT_MATH;
    cudnnStatus_t status = same("SetConvolutionMathType", __real_cudnnSetConvolutionMathType(d, math),
                                real.SetConvolutionMathType(theirs, math));
    real.GetConvolutionMathType(theirs, &r);
    CHECK(r == d->math, "math type %d, cuDNN has %d", (int)d->math, (int)r);
    return status;
}

WRAP(SetActivationDescriptor, cudnnActivationDescriptor_t d, cudnnActivationMode_t mode, cudnnNanPropagation_t nan,
     double ceiling)
{
    cudnnActivationDescriptor_t theirs = real_of(d, false);
    cudnnStatus_t status = same("SetActivationDescriptor", __real_cudnnSetActivationDescriptor(d, mode, nan, ceiling),
                                real.SetActivationDescriptor(theirs, mode, nan, ceiling));
    struct cudnnActivationStruct r = {.ceiling = -1};
    if (!status) {
        real.GetActivationDescriptor(theirs, &r.mode, &r.nan, &r.ceiling);
        CHECK(r.mode == d->mode && r.nan == d->nan && r.ceiling == d->ceiling, "cuDNN has mode %d, NaN %d, %g",
              (int)r.mode, (int)r.nan, r.ceiling);
    }
    return status;
}

static cudnnStatus_t output(cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                            int size[4])
{
    int r[4] = {0};
    memset(size, 0, sizeof r);
    cudnnStatus_t status =
        same("GetConvolution2dForwardOutputDim",
             cudnnGetConvolution2dForwardOutputDim(conv, x, w, &size[0], &size[1], &size[2], &size[3]),
             real.GetConvolution2dForwardOutputDim(real_of(conv, false), real_of(x, false), real_of(w, false), &r[0],
                                                   &r[1], &r[2], &r[3]));
    CHECK(status || memcmp(size, r, sizeof r) == 0, "%d x %d x %d x %d, cuDNN says %d x %d x %d x %d", size[0], size[1],
          size[2], size[3], r[0], r[1], r[2], r[3]);
    return status;
}

static long outputs; /* convolutions whose output size was compared */

/* Asked once for each shape: all its descriptors are set then. */
WRAP(GetConvolutionForwardAlgorithm_v7, cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
     cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y, int requested, int *returned,
     cudnnConvolutionFwdAlgoPerf_t *results)
{
    int size[4];
    output(conv, x, w, size);
    CHECK(size[0] == y->t.n && size[1] == y->t.c && size[2] == y->t.h && size[3] == y->t.w,
          "the device's output is %d x %d x %d x %d", y->t.n, y->t.c, y->t.h, y->t.w);
    outputs++;
    return __real_cudnnGetConvolutionForwardAlgorithm_v7(handle, x, w, conv, y, requested, returned, results);
}

/* ---------------------------------------------------------------- tests */

enum { CLASSES = 20 };

/* Every convolution of g as a training and as an evaluation make it, by the device's own code. */
static void make_convolutions(const graph *g, device *d, int batch)
{
    for (int i = 0; i < g->node_count; i++) {
        if (g->nodes[i].kind != NODE_CONV)
            continue;
        const conv_shape shape = conv_shape_of(g, batch, i);
        for (int kind = 0; kind < 4; kind++) { /* trained; folded: bare, with ReLU, with addend and ReLU */
            const cuda_conv_options options = {.bias = kind > 0,
                                               .relu = kind > 1,
                                               .add = kind > 2,
                                               .backward_weights = kind == 0,
                                               .backward_data = kind == 0};
            error e = {0};
            cuda_conv *c = cuda_conv_create((cuda_device *)d, &shape, &options, &e);
            CHECK(c, "%s, batch %d: %s", g->nodes[i].name, batch, e.text);
            cuda_conv_free(c);
        }
    }
}

/* The graph's max-pools, which kernels of our own compute, have the size that cuDNN's would have. */
static void compare_pools(const graph *g, int batch)
{
    for (int i = 0; i < g->node_count; i++) {
        if (g->nodes[i].kind != NODE_MAXPOOL)
            continue;
        const node *to = &g->nodes[i], *from = &g->nodes[to->inputs[0]];
        cudnnTensorDescriptor_t x;
        void *pool;
        int n = 0, c = 0, h = 0, w = 0;
        real.CreateTensorDescriptor(&x);
        real.SetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, batch, from->c, from->h, from->w);
        real.CreatePoolingDescriptor(&pool);
        real.SetPooling2dDescriptor(pool, 0, CUDNN_PROPAGATE_NAN, to->kernel, to->kernel, to->padding, to->padding,
                                    to->stride, to->stride);
        cudnnStatus_t status = real.GetPooling2dForwardOutputDim(pool, x, &n, &c, &h, &w);
        CHECK(!status && n == batch && c == to->c && h == to->h && w == to->w,
              "%s: status %d, %d x %d x %d x %d, cuDNN says %d x %d x %d x %d", to->name, (int)status, batch, to->c,
              to->h, to->w, n, c, h, w);
        real.DestroyPoolingDescriptor(pool);
        real.DestroyTensorDescriptor(x);
    }
}

extern const device_library onebox_cuda_device;

static void test_networks(const char *missing)
{
    static const precision precisions[] = {PRECISION_FP32, PRECISION_TF32, PRECISION_BF16, PRECISION_FP16};
    static const arch archs[] = {ARCH_RESNET34, ARCH_TINY};
    static const int batches[] = {1, 15, 64, 256};
    TEST("every descriptor of the three networks in four precisions is the same in cuDNN: sizes, strides, status")
    {
        if (missing) {
            SKIP("%s", missing);
            continue;
        }
        standin_reset(STANDIN_LAZY, 0, 0);
        for (size_t p = 0; p < COUNT(precisions); p++) {
            error e = {0};
            const device_options options = {.precision = precisions[p]};
            device *d = onebox_cuda_device.open(0, &options, &e);
            CHECK(d, "%s", e.text);
            for (int n = 0; n < TASKS * (int)COUNT(archs) && d; n++) {
                graph g = {0};
                const arch a = archs[n / TASKS];
                int code = network_build(&g, (task)(n % TASKS), a, a == ARCH_TINY ? 64 : 224, CLASSES, imagenet_mean,
                                         imagenet_std, &e);
                CHECK(!code, "%s", e.text);
                for (size_t b = 0; b < COUNT(batches) && !code; b++) {
                    make_convolutions(&g, d, batches[b]);
                    compare_pools(&g, batches[b]);
                }
                graph_free(&g);
            }
            device_close(d);
        }
        CHECK(compared > 10000 && outputs > 300, "only %ld calls and %ld output sizes were compared", compared,
              outputs);
        CHECK(standin_leaks(true) == 0, "something is left");
    }
}

static void test_refusals(const char *missing)
{
    TEST("what the stand-in refuses cuDNN refuses, with the same status")
    {
        if (missing) {
            SKIP("%s", missing);
            continue;
        }
        cudnnTensorDescriptor_t x;
        cudnnFilterDescriptor_t w;
        cudnnConvolutionDescriptor_t conv;
        cudnnActivationDescriptor_t a;
        int size[4];
        cudnnCreateTensorDescriptor(&x);
        cudnnCreateFilterDescriptor(&w);
        cudnnCreateConvolutionDescriptor(&conv);
        cudnnCreateActivationDescriptor(&a);
        CHECK(output(conv, x, w, size), "descriptors that were not set");
        for (int i = 0; i < 4; i++)
            for (int bad = -1; bad < 1; bad++) {
                int d[] = {2, 3, 4, 5}, s[] = {60, 1, 15, 3};
                d[i] = bad;
                CHECK(cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, d[0], d[1], d[2], d[3]),
                      "dimension %d is %d", i, bad);
                CHECK(cudnnSetFilter4dDescriptor(w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, d[0], d[1], d[2], d[3]),
                      "filter's dimension %d is %d", i, bad);
                s[i] = 0;
                cudnnSetTensor4dDescriptorEx(x, CUDNN_DATA_FLOAT, 2, 3, 4, 5, s[0], s[1], s[2], s[3]);
            }
        cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_HALF, 2048, 1024, 32, 32);
        cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_HALF, 2048, 1024, 32, 31);
        cudnnSetTensor4dDescriptor(x, (cudnnTensorFormat_t)99, CUDNN_DATA_FLOAT, 2, 3, 4, 5);
        cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NCHW, CUDNN_DATA_BFLOAT16, 2, 3, 4, 5);
        cudnnSetTensor4dDescriptorEx(x, CUDNN_DATA_FLOAT, 2, 3, 4, 5, 100, 1, 20, 4);
        cudnnSetFilter4dDescriptor(w, CUDNN_DATA_FLOAT, (cudnnTensorFormat_t)99, 2, 3, 4, 5);
        cudnnSetFilter4dDescriptor(w, CUDNN_DATA_HALF, CUDNN_TENSOR_NCHW, 2, 3, 4, 5);
        for (int i = 0; i < 6; i++)
            for (int value = -1; value < 3; value++) {
                int v[] = {1, 1, 1, 1, 1, 1};
                v[i] = value;
                cudnnSetConvolution2dDescriptor(conv, v[0], v[1], v[2], v[3], v[4], v[5], CUDNN_CROSS_CORRELATION,
                                                CUDNN_DATA_FLOAT);
            }
        for (int math = -1; math < 6; math++)
            cudnnSetConvolutionMathType(conv, (cudnnMathType_t)math);
        for (int mode = -1; mode < 9; mode++)
            for (int nan = 0; nan < 2; nan++)
                cudnnSetActivationDescriptor(a, (cudnnActivationMode_t)mode, (cudnnNanPropagation_t)nan, 0.5);
        cudnnDestroyTensorDescriptor(x);
        cudnnDestroyFilterDescriptor(w);
        cudnnDestroyConvolutionDescriptor(conv);
        cudnnDestroyActivationDescriptor(a);
    }
}

static void test_outputs(const char *missing)
{
    TEST("output sizes of convolutions of all shapes, windows larger than the picture and other channels included")
    {
        if (missing) {
            SKIP("%s", missing);
            continue;
        }
        cudnnTensorDescriptor_t x;
        cudnnFilterDescriptor_t w;
        cudnnConvolutionDescriptor_t conv;
        int size[4];
        long refused = 0;
        cudnnCreateTensorDescriptor(&x);
        cudnnCreateFilterDescriptor(&w);
        cudnnCreateConvolutionDescriptor(&conv);
        for (int side = 1; side < 12; side += 2)
            for (int kernel = 1; kernel < 8; kernel++)
                for (int stride = 1; stride < 4; stride++)
                    for (int padding = 0; padding < 4; padding++)
                        for (int dilation = 1; dilation < 3; dilation++) {
                            cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 2, 3, side, side + 1);
                            cudnnSetFilter4dDescriptor(w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 5, 3, kernel, kernel);
                            cudnnSetConvolution2dDescriptor(conv, padding, padding, stride, stride, dilation, dilation,
                                                            CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
                            refused += output(conv, x, w, size) != CUDNN_STATUS_SUCCESS;
                        }
        CHECK(refused > 0, "no window was too large");
        cudnnSetFilter4dDescriptor(w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 5, 4, 1, 1);
        CHECK(output(conv, x, w, size), "4 channels for 3");
        cudnnDestroyTensorDescriptor(x);
        cudnnDestroyFilterDescriptor(w);
        cudnnDestroyConvolutionDescriptor(conv);
    }
}

int main(void)
{
    const char *missing = open_real();
    test_networks(missing);
    test_refusals(missing);
    test_outputs(missing);
    return test_end();
}
