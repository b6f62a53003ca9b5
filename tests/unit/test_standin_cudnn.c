/* The stand-in for cuDNN and cuBLAS: numbers against sums in double precision, rules against the vendor's
 * documentation. */
#include <cublas_v2.h>
#include <cudnn.h>

#include "base/random.h"
#include "number.h"
#include "standin.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- rounding */

/* x rounded to `bits` of mantissa, nearest even; the smallest exponent is `lowest`. */
static double rounded(double x, int bits, int lowest)
{
    int exponent;
    frexp(x, &exponent);
    if (exponent - 1 < lowest)
        exponent = lowest + 1;
    double unit = ldexp(1, exponent - 1 - bits);
    return nearbyint(x / unit) * unit;
}

static void test_numbers(void)
{
    TEST("fp16, bf16 and TF32 round to nearest even, with subnormals, infinities and NaN")
    {
        philox random = philox_start(3, 1);
        for (int i = 0; i < 20000; i++) {
            float x = (float)ldexp(philox_normal(&random), (int)philox_below(&random, 44) - 30);
            if (fabsf(x) < 60000)
                CHECK((double)fp16_value(fp16_of(x)) == rounded((double)x, 10, -14), "fp16 of %a: %a", (double)x,
                      (double)fp16_value(fp16_of(x)));
            CHECK((double)bf16_value(bf16_of(x)) == rounded((double)x, 7, -126), "bf16 of %a", (double)x);
            CHECK((double)round_tf32(x) == rounded((double)x, 10, -126), "TF32 of %a", (double)x);
        }
        for (unsigned h = 0; h < 0x10000; h++)
            if ((h & 0x7c00) != 0x7c00)
                CHECK(fp16_of(fp16_value((uint16_t)h)) == h, "fp16 %04x", h);
        CHECK(fp16_of(65519.0f) == 0x7bff && fp16_of(65520.0f) == 0x7c00 && fp16_of(-1e9f) == 0xfc00, "range");
        CHECK(isnan(fp16_value(fp16_of(NAN))) && isnan(bf16_value(bf16_of(NAN))) && isnan(round_tf32(NAN)), "NaN");
        CHECK(isinf(bf16_value(bf16_of(INFINITY))) && isinf(bf16_value(bf16_of(3.4e38f))), "infinity");
        CHECK(fp16_of(0x1.002p0f) == 0x3c00 && fp16_of(0x1.006p0f) == 0x3c02, "halves go to even");
    }
}

/* ---------------------------------------------------------------- one convolution */

typedef struct shape {
    int n, c, h, w, k, kernel, stride, pad;
} shape;

enum { FORWARD, BACKWARD_DATA, BACKWARD_FILTER };

/* All there is for one convolution on the device. */
typedef struct scene {
    shape s;
    int oh, ow;
    cudnnDataType_t type;
    cudnnMathType_t math;
    size_t count[3]; /* x, y, w */
    float *value[3]; /* on the host, rounded to the type */
    void *data[3];   /* on the device */
    cudaStream_t stream;
    cudnnHandle_t handle;
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t conv;
    void *workspace;
    size_t workspace_bytes;
} scene;

#define OK(call) CHECK((call) == 0, "failed")

static size_t element_bytes(cudnnDataType_t type)
{
    return type == CUDNN_DATA_FLOAT ? 4 : 2;
}

static float of_type(cudnnDataType_t type, float x)
{
    return type == CUDNN_DATA_FLOAT ? x : type == CUDNN_DATA_HALF ? fp16_value(fp16_of(x)) : bf16_value(bf16_of(x));
}

static void put(const scene *c, int which, const float *values)
{
    size_t n = c->count[which];
    uint16_t *small = malloc(n * sizeof *small);
    for (size_t i = 0; i < n; i++)
        small[i] = c->type == CUDNN_DATA_HALF ? fp16_of(values[i]) : bf16_of(values[i]);
    standin_poke(c->data[which], c->type == CUDNN_DATA_FLOAT ? (const void *)values : small,
                 n * element_bytes(c->type));
    free(small);
}

static void get(const scene *c, int which, float *values)
{
    size_t n = c->count[which];
    uint16_t *small = calloc(n, sizeof *small);
    standin_peek(c->data[which], c->type == CUDNN_DATA_FLOAT ? (void *)values : small, n * element_bytes(c->type));
    for (size_t i = 0; i < n && c->type != CUDNN_DATA_FLOAT; i++)
        values[i] = c->type == CUDNN_DATA_HALF ? fp16_value(small[i]) : bf16_value(small[i]);
    free(small);
}

static scene begin(shape s, cudnnDataType_t type, cudnnMathType_t math)
{
    scene c = {.s = s, .type = type, .math = math};
    philox random = philox_start(11, (uint64_t)(s.n + s.c + s.k));
    standin_reset(STANDIN_LAZY, 0, 0);
    c.oh = (s.h + 2 * s.pad - s.kernel) / s.stride + 1;
    c.ow = (s.w + 2 * s.pad - s.kernel) / s.stride + 1;
    c.count[0] = (size_t)(s.n * s.c * s.h * s.w);
    c.count[1] = (size_t)(s.n * s.k * c.oh * c.ow);
    c.count[2] = (size_t)(s.k * s.c * s.kernel * s.kernel);
    OK(cudaStreamCreateWithFlags(&c.stream, cudaStreamNonBlocking));
    OK(cudnnCreate(&c.handle));
    OK(cudnnSetStream(c.handle, c.stream));
    for (int i = 0; i < 3; i++) {
        c.value[i] = malloc(c.count[i] * sizeof(float));
        for (size_t k = 0; k < c.count[i]; k++)
            c.value[i][k] = of_type(type, (float)philox_normal(&random));
        OK(cudaMalloc(&c.data[i], c.count[i] * element_bytes(type)));
        put(&c, i, c.value[i]);
    }
    OK(cudnnCreateTensorDescriptor(&c.x));
    OK(cudnnCreateTensorDescriptor(&c.y));
    OK(cudnnCreateFilterDescriptor(&c.w));
    OK(cudnnCreateConvolutionDescriptor(&c.conv));
    OK(cudnnSetTensor4dDescriptor(c.x, CUDNN_TENSOR_NHWC, type, s.n, s.c, s.h, s.w));
    OK(cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NHWC, type, s.n, s.k, c.oh, c.ow));
    OK(cudnnSetFilter4dDescriptor(c.w, type, CUDNN_TENSOR_NHWC, s.k, s.c, s.kernel, s.kernel));
    OK(cudnnSetConvolution2dDescriptor(c.conv, s.pad, s.pad, s.stride, s.stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                       CUDNN_DATA_FLOAT));
    OK(cudnnSetConvolutionMathType(c.conv, math));
    c.workspace_bytes = 1 << 20;
    OK(cudaMalloc(&c.workspace, c.workspace_bytes));
    return c;
}

static void end(scene *c)
{
    OK(cudnnDestroyTensorDescriptor(c->x));
    OK(cudnnDestroyTensorDescriptor(c->y));
    OK(cudnnDestroyFilterDescriptor(c->w));
    OK(cudnnDestroyConvolutionDescriptor(c->conv));
    OK(cudnnDestroy(c->handle));
    OK(cudaFree(c->workspace));
    for (int i = 0; i < 3; i++) {
        OK(cudaFree(c->data[i]));
        free(c->value[i]);
    }
    OK(cudaStreamDestroy(c->stream));
    CHECK(standin_leaks(true) == 0, "leaks");
}

static cudnnStatus_t run(const scene *c, int direction, int algorithm, float alpha, float beta)
{
    if (direction == FORWARD)
        return cudnnConvolutionForward(c->handle, &alpha, c->x, c->data[0], c->w, c->data[2], c->conv,
                                       (cudnnConvolutionFwdAlgo_t)algorithm, c->workspace, c->workspace_bytes, &beta,
                                       c->y, c->data[1]);
    if (direction == BACKWARD_DATA)
        return cudnnConvolutionBackwardData(c->handle, &alpha, c->w, c->data[2], c->y, c->data[1], c->conv,
                                            (cudnnConvolutionBwdDataAlgo_t)algorithm, c->workspace, c->workspace_bytes,
                                            &beta, c->x, c->data[0]);
    return cudnnConvolutionBackwardFilter(c->handle, &alpha, c->x, c->data[0], c->y, c->data[1], c->conv,
                                          (cudnnConvolutionBwdFilterAlgo_t)algorithm, c->workspace, c->workspace_bytes,
                                          &beta, c->w, c->data[2]);
}

/* Which of x, y, w a direction makes. */
static const int made[] = {1, 0, 2};

static double operand(const scene *c, int which, size_t i)
{
    float x = c->value[which][i];
    bool tf32 = c->type == CUDNN_DATA_FLOAT && c->math != CUDNN_FMA_MATH;
    return (double)(tf32 ? round_tf32(x) : x);
}

static double *expected(const scene *c, int direction)
{
    const shape *s = &c->s;
    double *r = calloc(c->count[made[direction]], sizeof *r);
    for (int n = 0; n < s->n; n++)
        for (int oy = 0; oy < c->oh; oy++)
            for (int ox = 0; ox < c->ow; ox++)
                for (int k = 0; k < s->k; k++)
                    for (int ky = 0; ky < s->kernel; ky++)
                        for (int kx = 0; kx < s->kernel; kx++)
                            for (int ch = 0; ch < s->c; ch++) {
                                int iy = oy * s->stride - s->pad + ky, ix = ox * s->stride - s->pad + kx;
                                if (iy < 0 || ix < 0 || iy >= s->h || ix >= s->w)
                                    continue;
                                size_t x = (size_t)(((n * s->h + iy) * s->w + ix) * s->c + ch),
                                       y = (size_t)(((n * c->oh + oy) * c->ow + ox) * s->k + k),
                                       w = (size_t)(((k * s->kernel + ky) * s->kernel + kx) * s->c + ch);
                                if (direction == FORWARD)
                                    r[y] += operand(c, 0, x) * operand(c, 2, w);
                                else if (direction == BACKWARD_DATA)
                                    r[x] += operand(c, 1, y) * operand(c, 2, w);
                                else
                                    r[w] += operand(c, 0, x) * operand(c, 1, y);
                            }
    return r;
}

/* The device's result against alpha r + beta old, relative to the size of the whole. */
static double difference(const scene *c, int which, const double *r, double alpha, double beta, const float *old)
{
    float *is = malloc(c->count[which] * sizeof *is);
    double off = 0, size = 0;
    get(c, which, is);
    for (size_t i = 0; i < c->count[which]; i++) {
        double want = alpha * r[i] + (beta != 0 ? beta * (double)old[i] : 0);
        off += ((double)is[i] - want) * ((double)is[i] - want);
        size += want * want;
    }
    free(is);
    return sqrt(off / (size + 1e-30));
}

static void test_convolutions(void)
{
    static const shape shapes[] = {
        {2, 3, 9, 11, 5, 3, 1, 1}, {1, 16, 8, 8, 16, 3, 2, 1}, {3, 8, 7, 7, 12, 1, 1, 0},
        {2, 8, 7, 9, 12, 1, 2, 0}, {2, 3, 15, 15, 8, 7, 2, 3}, {1, 4, 6, 6, 3, 2, 2, 0},
        {2, 5, 10, 6, 9, 5, 1, 2}, {1, 1, 1, 1, 1, 3, 1, 1},   {4, 20, 5, 5, 33, 3, 1, 1},
    };
    static const struct {
        const char *sentence;
        cudnnDataType_t type;
        cudnnMathType_t math;
        double tolerance;
    } kinds[] = {
        {"convolutions in float without TF32 are those of the formula", CUDNN_DATA_FLOAT, CUDNN_FMA_MATH, 1e-6},
        {"convolutions in float see operands rounded to TF32 by default", CUDNN_DATA_FLOAT, CUDNN_DEFAULT_MATH, 1e-6},
        {"convolutions in bf16 sum in float and round once", CUDNN_DATA_BFLOAT16, CUDNN_DEFAULT_MATH, 3e-3},
        {"convolutions in fp16 sum in float and round once", CUDNN_DATA_HALF, CUDNN_TENSOR_OP_MATH, 4e-4},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        TEST(kinds[k].sentence)
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int direction = 0; direction < 3; direction++)
            for (int algorithm = 0; algorithm < 2; algorithm++) {
                scene c = begin(shapes[i], kinds[k].type, kinds[k].math);
                double *r = expected(&c, direction);
                int which = made[direction];
                OK(run(&c, direction, algorithm, 1, 0));
                OK(cudaStreamSynchronize(c.stream));
                double off = difference(&c, which, r, 1, 0, NULL);
                CHECK(off < kinds[k].tolerance, "shape %zu direction %d: off by %g", i, direction, off);
                put(&c, which, c.value[which]);
                OK(run(&c, direction, algorithm, 0.5f, -2));
                OK(cudaStreamSynchronize(c.stream));
                off = difference(&c, which, r, 0.5, -2, c.value[which]);
                CHECK(off < kinds[k].tolerance, "with alpha and beta off by %g", off);
                free(r);
                end(&c);
            }
    TEST("beta 0 doesn't read the old result: NaN there is overwritten")
    {
        scene c = begin(shapes[0], CUDNN_DATA_FLOAT, CUDNN_FMA_MATH);
        double *r = expected(&c, FORWARD);
        void *fresh = NULL;
        OK(cudaMalloc(&fresh, c.count[1] * sizeof(float)));
        void *old = c.data[1];
        c.data[1] = fresh;
        OK(run(&c, FORWARD, 0, 1, 0));
        OK(cudaStreamSynchronize(c.stream));
        CHECK(difference(&c, 1, r, 1, 0, NULL) < 1e-6, "NaN");
        c.data[1] = old;
        OK(cudaFree(fresh));
        free(r);
        end(&c);
    }
}

static cudnnStatus_t run_fused(const scene *c, int algorithm, cudnnActivationMode_t mode, float alpha2, const void *z,
                               const void *bias)
{
    const float one = 1;
    cudnnTensorDescriptor_t b;
    cudnnActivationDescriptor_t a;
    OK(cudnnCreateTensorDescriptor(&b));
    OK(cudnnCreateActivationDescriptor(&a));
    OK(cudnnSetTensor4dDescriptor(b, CUDNN_TENSOR_NHWC, c->type, 1, c->s.k, 1, 1));
    OK(cudnnSetActivationDescriptor(a, mode, CUDNN_NOT_PROPAGATE_NAN, 0));
    cudnnStatus_t status = cudnnConvolutionBiasActivationForward(
        c->handle, &one, c->x, c->data[0], c->w, c->data[2], c->conv, (cudnnConvolutionFwdAlgo_t)algorithm,
        c->workspace, c->workspace_bytes, &alpha2, c->y, z, b, bias, a, c->y, c->data[1]);
    OK(cudnnDestroyTensorDescriptor(b)); /* the call has read them */
    OK(cudnnDestroyActivationDescriptor(a));
    return status;
}

static void test_fused(void)
{
    const shape s = {2, 6, 7, 5, 9, 3, 1, 1};
    TEST("convolution + addend + bias + ReLU in one call; the addend may lie in the result")
    for (int in_place = 0; in_place < 2; in_place++)
        for (int relu = 0; relu < 2; relu++) {
            scene c = begin(s, CUDNN_DATA_FLOAT, CUDNN_FMA_MATH);
            double *r = expected(&c, FORWARD);
            float bias[9], *z = malloc(c.count[1] * sizeof *z);
            void *z_data = c.data[1], *bias_data = NULL;
            if (!in_place)
                OK(cudaMalloc(&z_data, c.count[1] * sizeof *z));
            OK(cudaMalloc(&bias_data, sizeof bias));
            for (int i = 0; i < 9; i++)
                bias[i] = (float)i - 4;
            standin_poke(bias_data, bias, sizeof bias);
            for (size_t i = 0; i < c.count[1]; i++)
                z[i] = (float)(i % 17) - 8;
            standin_poke(z_data, z, c.count[1] * sizeof *z);
            OK(run_fused(&c, 1, relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY, 1, z_data, bias_data));
            OK(cudaStreamSynchronize(c.stream));
            for (size_t i = 0; i < c.count[1]; i++) {
                r[i] += (double)z[i] + (double)bias[i % 9];
                r[i] = relu && r[i] < 0 ? 0 : r[i];
            }
            CHECK(difference(&c, 1, r, 1, 0, NULL) < 1e-6, "in place %d, relu %d", in_place, relu);
            CHECK(run_fused(&c, 0, CUDNN_ACTIVATION_IDENTITY, 1, z_data, bias_data) == CUDNN_STATUS_NOT_SUPPORTED,
                  "the identity with IMPLICIT_GEMM");
            CHECK(run_fused(&c, 1, CUDNN_ACTIVATION_TANH, 1, z_data, bias_data) == CUDNN_STATUS_NOT_SUPPORTED, "tanh");
            OK(cudaFree(bias_data));
            if (!in_place)
                OK(cudaFree(z_data));
            free(z);
            free(r);
            end(&c);
        }
}

static void test_rules(void)
{
    const shape s = {2, 8, 6, 6, 4, 3, 1, 1};
    TEST("shapes, types and layouts that don't fit are refused, with the reason")
    {
        char text[200];
        scene c = begin(s, CUDNN_DATA_FLOAT, CUDNN_DEFAULT_MATH);
        OK(cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NHWC, c.type, 2, 4, 5, 6));
        CHECK(run(&c, FORWARD, 0, 1, 0) == CUDNN_STATUS_BAD_PARAM, "height");
        cudnnGetLastErrorString(text, sizeof text);
        CHECK(strstr(text, "5 x 6"), "%s", text);
        OK(cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NHWC, c.type, 2, 5, 6, 6));
        CHECK(run(&c, FORWARD, 0, 1, 0) == CUDNN_STATUS_BAD_PARAM, "channels");
        OK(cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NHWC, CUDNN_DATA_HALF, 2, 4, 6, 6));
        CHECK(run(&c, FORWARD, 0, 1, 0) == CUDNN_STATUS_NOT_SUPPORTED, "types");
        OK(cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NCHW, c.type, 2, 4, 6, 6));
        CHECK(run(&c, FORWARD, 0, 1, 0) == CUDNN_STATUS_NOT_SUPPORTED, "NCHW");
        OK(cudnnSetTensor4dDescriptorEx(c.y, c.type, 2, 4, 6, 6, 400, 1, 24, 4));
        CHECK(run(&c, FORWARD, 0, 1, 0) == CUDNN_STATUS_NOT_SUPPORTED, "not packed");
        OK(cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NHWC, c.type, 2, 4, 6, 6));
        CHECK(run(&c, FORWARD, 0, 1, 0) == CUDNN_STATUS_SUCCESS, "right again");
        CHECK(cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NHWC, c.type, 0, 4, 6, 6) == CUDNN_STATUS_BAD_PARAM,
              "empty");
        end(&c);
    }
    TEST("algorithms say what workspace they need, and get no less")
    for (int direction = 0; direction < 3; direction++) {
        scene c = begin(s, CUDNN_DATA_FLOAT, CUDNN_DEFAULT_MATH);
        cudnnConvolutionFwdAlgoPerf_t forward[8];
        cudnnConvolutionBwdDataAlgoPerf_t data[8];
        cudnnConvolutionBwdFilterAlgoPerf_t filter[8];
        int count = 0, first = -1;
        size_t memory = 0, need = 0;
        if (direction == FORWARD) {
            OK(cudnnGetConvolutionForwardAlgorithm_v7(c.handle, c.x, c.w, c.conv, c.y, 8, &count, forward));
            first = (int)forward[0].algo;
            memory = forward[0].memory;
            CHECK(forward[2].status == CUDNN_STATUS_NOT_SUPPORTED, "third");
            OK(cudnnGetConvolutionForwardWorkspaceSize(c.handle, c.x, c.w, c.conv, c.y, forward[0].algo, &need));
            OK(cudnnFindConvolutionForwardAlgorithmEx(c.handle, c.x, c.data[0], c.w, c.data[2], c.conv, c.y, c.data[1],
                                                      1, &count, forward, c.workspace, need - 1));
            CHECK(count == 1 && forward[0].algo != (cudnnConvolutionFwdAlgo_t)first, "the one that fits");
        } else if (direction == BACKWARD_DATA) {
            OK(cudnnGetConvolutionBackwardDataAlgorithm_v7(c.handle, c.w, c.y, c.conv, c.x, 8, &count, data));
            first = (int)data[0].algo;
            memory = data[0].memory;
            OK(cudnnGetConvolutionBackwardDataWorkspaceSize(c.handle, c.w, c.y, c.conv, c.x, data[0].algo, &need));
            OK(cudnnFindConvolutionBackwardDataAlgorithmEx(c.handle, c.w, c.data[2], c.y, c.data[1], c.conv, c.x,
                                                           c.data[0], 8, &count, data, c.workspace, c.workspace_bytes));
            CHECK((int)data[0].algo == first && data[0].time > 0, "measured");
        } else {
            OK(cudnnGetConvolutionBackwardFilterAlgorithm_v7(c.handle, c.x, c.y, c.conv, c.w, 8, &count, filter));
            first = (int)filter[0].algo;
            memory = filter[0].memory;
            OK(cudnnGetConvolutionBackwardFilterWorkspaceSize(c.handle, c.x, c.y, c.conv, c.w, filter[0].algo, &need));
            OK(cudnnFindConvolutionBackwardFilterAlgorithmEx(c.handle, c.x, c.data[0], c.y, c.data[1], c.conv, c.w,
                                                             c.data[2], 8, &count, filter, c.workspace,
                                                             c.workspace_bytes));
            CHECK((int)filter[0].algo == first && filter[0].time > 0, "measured");
        }
        CHECK(memory > 0 && memory == need, "%zu and %zu", memory, need);
        c.workspace_bytes = need - 1;
        CHECK(run(&c, direction, first, 1, 0) == CUDNN_STATUS_BAD_PARAM, "too small");
        c.workspace_bytes = need;
        CHECK(run(&c, direction, first, 1, 0) == CUDNN_STATUS_SUCCESS, "enough");
        CHECK(run(&c, direction, 4, 1, 0) == CUDNN_STATUS_NOT_SUPPORTED, "FFT");
        end(&c);
    }
    TEST("after a broken launch every call of cuDNN and cuBLAS fails")
    {
        scene c = begin(s, CUDNN_DATA_FLOAT, CUDNN_DEFAULT_MATH);
        cublasHandle_t blas;
        standin_fail("work", 1, cudaSuccess);
        OK(run(&c, FORWARD, 0, 1, 0));
        CHECK(cudaStreamSynchronize(c.stream) == cudaErrorLaunchFailure, "wait");
        CHECK(run(&c, FORWARD, 0, 1, 0) == CUDNN_STATUS_EXECUTION_FAILED, "convolution");
        CHECK(cublasCreate(&blas) == CUBLAS_STATUS_EXECUTION_FAILED, "cuBLAS");
        for (int i = 0; i < 3; i++) {
            cudaFree(c.data[i]);
            free(c.value[i]);
        }
        cudaFree(c.workspace);
        cudnnDestroyTensorDescriptor(c.x);
        cudnnDestroyTensorDescriptor(c.y);
        cudnnDestroyFilterDescriptor(c.w);
        cudnnDestroyConvolutionDescriptor(c.conv);
        cudnnDestroy(c.handle);
        cudaStreamDestroy(c.stream);
        CHECK(standin_leaks(true) == 0, "leaks");
    }
}

/* ---------------------------------------------------------------- cuBLAS */

static void test_products(void)
{
    TEST("products of all transpositions, with leading dimensions, alpha and beta, in float and TF32")
    {
        enum { M = 13, N = 9, K = 300, LDA = 310, LDB = 305, LDC = 15 };
        static float a[LDA * K], b[LDB * K], c[LDC * N], old[LDC * N];
        philox random = philox_start(5, 5);
        for (size_t i = 0; i < sizeof a / sizeof *a; i++)
            a[i] = (float)philox_normal(&random);
        for (size_t i = 0; i < sizeof b / sizeof *b; i++)
            b[i] = (float)philox_normal(&random);
        for (size_t i = 0; i < sizeof c / sizeof *c; i++)
            old[i] = (float)philox_normal(&random);
        for (int variant = 0; variant < 8; variant++) {
            void *da, *db, *dc;
            cublasHandle_t handle;
            bool turn_a = variant & 1, turn_b = variant & 2, tf32 = variant & 4;
            const float alpha = 0.5f, beta = variant == 3 ? 0 : 2;
            standin_reset(STANDIN_LAZY, 0, 0);
            OK(cublasCreate(&handle));
            OK(cublasSetMathMode(handle, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH));
            OK(cudaMalloc(&da, sizeof a));
            OK(cudaMalloc(&db, sizeof b));
            OK(cudaMalloc(&dc, sizeof c));
            standin_poke(da, a, sizeof a);
            standin_poke(db, b, sizeof b);
            if (beta != 0)
                standin_poke(dc, old, sizeof c);
            OK(cublasGemmEx(handle, turn_a ? CUBLAS_OP_T : CUBLAS_OP_N, turn_b ? CUBLAS_OP_T : CUBLAS_OP_N, M, N, K,
                            &alpha, da, CUDA_R_32F, LDA, db, CUDA_R_32F, LDB, &beta, dc, CUDA_R_32F, LDC,
                            CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
            OK(cudaDeviceSynchronize());
            standin_peek(dc, c, sizeof c);
            double off = 0;
            for (int i = 0; i < M; i++)
                for (int j = 0; j < N; j++) {
                    double sum = 0;
                    for (int k = 0; k < K; k++) {
                        float x = a[turn_a ? k + i * LDA : i + k * LDA], y = b[turn_b ? j + k * LDB : k + j * LDB];
                        sum += tf32 ? (double)round_tf32(x) * (double)round_tf32(y) : (double)x * (double)y;
                    }
                    double want = 0.5 * sum + (beta != 0 ? 2 * (double)old[i + j * LDC] : 0);
                    off = fmax(off, fabs((double)c[i + j * LDC] - want));
                }
            CHECK(off < 2e-5, "variant %d: off by %g", variant, off);
            CHECK(cublasGemmEx(handle, turn_a ? CUBLAS_OP_T : CUBLAS_OP_N, CUBLAS_OP_N, M, N, K, &alpha, da, CUDA_R_32F,
                               12, db, CUDA_R_32F, LDB, &beta, dc, CUDA_R_32F, LDC, CUBLAS_COMPUTE_32F,
                               CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_INVALID_VALUE,
                  "lda");
            CHECK(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, M, N, K, &alpha, da, CUDA_R_32F, LDA, db, CUDA_R_16F,
                               LDB, &beta, dc, CUDA_R_32F, LDC, CUBLAS_COMPUTE_32F,
                               CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_NOT_SUPPORTED,
                  "types");
            OK(cudaFree(da));
            OK(cudaFree(db));
            OK(cudaFree(dc));
            OK(cublasDestroy(handle));
            CHECK(standin_leaks(true) == 0, "leaks");
        }
    }
}

int main(void)
{
    test_numbers();
    test_convolutions();
    test_fused();
    test_rules();
    test_products();
    standin_reset(STANDIN_LAZY, 0, 0);
    return test_end();
}
