/* tensor.c - cuDNN's handle, descriptors and error texts. */
#include "tensor.h"
#include "number.h"

#include <stdio.h>
#include <stdlib.h>

static _Thread_local char last_text[256];

cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_text, sizeof last_text, format, args);
    va_end(args);
    return status;
}

cudnnStatus_t status_of(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return CUDNN_STATUS_SUCCESS;
    case cudaErrorMemoryAllocation:
        return refuse(CUDNN_STATUS_ALLOC_FAILED, "%s", cudaGetErrorString(error));
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
        return refuse(CUDNN_STATUS_NOT_INITIALIZED, "%s", cudaGetErrorString(error));
    default:
        return refuse(CUDNN_STATUS_EXECUTION_FAILED, "%s", cudaGetErrorString(error));
    }
}

cudnnStatus_t cudnn_begin(const char *name, call_kind kind)
{
    return status_of(call_begin(name, kind));
}

/* ---------------------------------------------------------------- library and handle */

size_t cudnnGetVersion(void)
{
    call_begin("cudnnGetVersion", CALL_ASKS);
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    switch ((int)status) {
    case CUDNN_STATUS_SUCCESS:
        return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
        return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
        return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
        return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_ALLOC_FAILED:
        return "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
    case CUDNN_STATUS_EXECUTION_FAILED:
        return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
        return "CUDNN_STATUS_UNKNOWN";
    }
}

void cudnnGetLastErrorString(char *message, size_t size)
{
    if (message && size)
        snprintf(message, size, "%s", last_text);
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    cudnnStatus_t status = cudnn_begin("cudnnCreate", CALL_ALLOCATES);
    if (status)
        return status;
    if (!handle)
        return refuse(CUDNN_STATUS_BAD_PARAM, "handle is NULL");
    if (driver_version() < CUDART_VERSION)
        return status_of(cudaErrorInsufficientDriver);
    if (device_count() == 0)
        return status_of(cudaErrorNoDevice);
    *handle = object_new(sizeof **handle, "cuDNN handle", "cudnnCreate");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    cudnnStatus_t status = cudnn_begin("cudnnDestroy", CALL_RELEASES);
    object_check(handle, "cuDNN handle", "cudnnDestroy");
    cudaError_t left = work_finish_all();
    object_free(&handle->object);
    return status ? status : status_of(left);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    cudnnStatus_t status = cudnn_begin("cudnnSetStream", CALL_PLAIN);
    object_check(handle, "cuDNN handle", "cudnnSetStream");
    if (stream)
        object_check(stream, "stream", "cudnnSetStream");
    if (!status)
        handle->stream = stream;
    return status;
}

/* ---------------------------------------------------------------- tensors */

size_t type_bytes(cudnnDataType_t type)
{
    return type == CUDNN_DATA_FLOAT ? 4 : 2;
}

bool type_known(cudnnDataType_t type)
{
    return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}

size_t tensor_count(const tensor *t)
{
    return (size_t)t->n * (size_t)t->c * (size_t)t->h * (size_t)t->w;
}

size_t tensor_bytes(const tensor *t)
{
    const int size[4] = {t->n, t->c, t->h, t->w};
    size_t last = 0;
    for (int i = 0; i < 4; i++)
        last += (size_t)(size[i] - 1) * (size_t)t->stride[i];
    return (last + 1) * type_bytes(t->type);
}

bool tensor_is_nhwc(const tensor *t)
{
    return t->stride[1] == 1 && t->stride[3] == t->c && t->stride[2] == t->w * t->c &&
           t->stride[0] == t->h * t->w * t->c;
}

bool tensor_same_shape(const tensor *a, const tensor *b)
{
    return a->n == b->n && a->c == b->c && a->h == b->h && a->w == b->w;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *desc)
{
    cudnnStatus_t status = cudnn_begin("cudnnCreateTensorDescriptor", CALL_ALLOCATES);
    if (!status)
        *desc = object_new(sizeof **desc, "tensor descriptor", "cudnnCreateTensorDescriptor");
    return status;
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t desc)
{
    cudnnStatus_t status = cudnn_begin("cudnnDestroyTensorDescriptor", CALL_RELEASES);
    object_check(desc, "tensor descriptor", "cudnnDestroyTensorDescriptor");
    object_free(&desc->object);
    return status;
}

static cudnnStatus_t set_tensor(const char *name, cudnnTensorDescriptor_t desc, const tensor *t)
{
    cudnnStatus_t status = cudnn_begin(name, CALL_PLAIN);
    object_check(desc, "tensor descriptor", name);
    if (status)
        return status;
    if (t->n <= 0 || t->c <= 0 || t->h <= 0 || t->w <= 0)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a dimension of %d x %d x %d x %d is not positive", t->n, t->c, t->h,
                      t->w);
    for (int i = 0; i < 4; i++)
        if (t->stride[i] <= 0) /* cuDNN takes negative strides */
            return refuse(t->stride[i] ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_BAD_PARAM,
                          "stride %d of dimension %d is not positive", t->stride[i], i);
    if (!type_known(t->type))
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "data type %d is not in the stand-in", (int)t->type);
    if ((double)t->n * t->c * t->h * t->w >= 2147483648.0)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "more than 2^31 - 1 elements");
    desc->t = *t;
    desc->t.set = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t desc, cudnnTensorFormat_t format, cudnnDataType_t type,
                                         int n, int c, int h, int w)
{
    tensor t = {.type = type, .n = n, .c = c, .h = h, .w = w, .stride = {c * h * w, h * w, w, 1}};
    if (format == CUDNN_TENSOR_NHWC) {
        const int nhwc[4] = {h * w * c, 1, w * c, c};
        memcpy(t.stride, nhwc, sizeof nhwc);
    } else if (format != CUDNN_TENSOR_NCHW)
        t.n = -1; /* refused below */
    return set_tensor("cudnnSetTensor4dDescriptor", desc, &t);
}

cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t desc, cudnnDataType_t type, int n, int c, int h,
                                           int w, int n_stride, int c_stride, int h_stride, int w_stride)
{
    const tensor t = {.type = type, .n = n, .c = c, .h = h, .w = w, .stride = {n_stride, c_stride, h_stride, w_stride}};
    return set_tensor("cudnnSetTensor4dDescriptorEx", desc, &t);
}

cudnnStatus_t cudnnGetTensorSizeInBytes(cudnnTensorDescriptor_t desc, size_t *size)
{
    cudnnStatus_t status = cudnn_begin("cudnnGetTensorSizeInBytes", CALL_PLAIN);
    object_check(desc, "tensor descriptor", "cudnnGetTensorSizeInBytes");
    if (!status)
        *size = tensor_bytes(&desc->t);
    return status;
}

static float read_one(cudnnDataType_t type, const void *data, size_t i)
{
    if (type == CUDNN_DATA_FLOAT)
        return ((const float *)data)[i];
    uint16_t h = ((const uint16_t *)data)[i];
    return type == CUDNN_DATA_HALF ? fp16_value(h) : bf16_value(h);
}

static void write_one(cudnnDataType_t type, void *data, size_t i, float value)
{
    if (type == CUDNN_DATA_FLOAT)
        ((float *)data)[i] = value;
    else
        ((uint16_t *)data)[i] = type == CUDNN_DATA_HALF ? fp16_of(value) : bf16_of(value);
}

#define EACH_ELEMENT(t, body)                                                                                          \
    for (size_t n_ = 0, i = 0; n_ < (size_t)(t)->n; n_++)                                                              \
        for (size_t h_ = 0; h_ < (size_t)(t)->h; h_++)                                                                 \
            for (size_t w_ = 0; w_ < (size_t)(t)->w; w_++)                                                             \
                for (size_t c_ = 0; c_ < (size_t)(t)->c; c_++, i++) {                                                  \
                    size_t at = n_ * (size_t)(t)->stride[0] + c_ * (size_t)(t)->stride[1] +                            \
                                h_ * (size_t)(t)->stride[2] + w_ * (size_t)(t)->stride[3];                             \
                    body;                                                                                              \
                }

float *tensor_load(const tensor *t, const void *data)
{
    float *values = malloc(tensor_count(t) * sizeof *values);
    if (!values)
        misuse("no memory for a tensor's values");
    EACH_ELEMENT(t, values[i] = read_one(t->type, data, at))
    return values;
}

void tensor_store(const tensor *t, void *data, const float *values, float alpha, float beta)
{
    EACH_ELEMENT(t, {
        float value = alpha * values[i];
        if (beta != 0)
            value += beta * read_one(t->type, data, at);
        write_one(t->type, data, at, value);
    })
}

void round_operands(float *values, size_t count, cudnnDataType_t type, cudnnMathType_t math)
{
    if (type != CUDNN_DATA_FLOAT || math == CUDNN_FMA_MATH)
        return; /* 16-bit operands are exact already */
    for (size_t i = 0; i < count; i++)
        values[i] =
            math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION ? fp16_value(fp16_of(values[i])) : round_tf32(values[i]);
}

/* ---------------------------------------------------------------- filters, convolutions, activations */

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *desc)
{
    cudnnStatus_t status = cudnn_begin("cudnnCreateFilterDescriptor", CALL_ALLOCATES);
    if (!status)
        *desc = object_new(sizeof **desc, "filter descriptor", "cudnnCreateFilterDescriptor");
    return status;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t desc, cudnnDataType_t type, cudnnTensorFormat_t format,
                                         int k, int c, int h, int w)
{
    cudnnStatus_t status = cudnn_begin("cudnnSetFilter4dDescriptor", CALL_PLAIN);
    object_check(desc, "filter descriptor", "cudnnSetFilter4dDescriptor");
    if (status)
        return status;
    if (k <= 0 || c <= 0 || h <= 0 || w <= 0)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a dimension of the filter is not positive");
    if (!type_known(type) || (format != CUDNN_TENSOR_NCHW && format != CUDNN_TENSOR_NHWC))
        return refuse(CUDNN_STATUS_BAD_PARAM, "data type %d or format %d of the filter", (int)type, (int)format);
    desc->type = type;
    desc->format = format;
    desc->k = k;
    desc->c = c;
    desc->h = h;
    desc->w = w;
    desc->set = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t desc)
{
    cudnnStatus_t status = cudnn_begin("cudnnDestroyFilterDescriptor", CALL_RELEASES);
    object_check(desc, "filter descriptor", "cudnnDestroyFilterDescriptor");
    object_free(&desc->object);
    return status;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *conv)
{
    cudnnStatus_t status = cudnn_begin("cudnnCreateConvolutionDescriptor", CALL_ALLOCATES);
    if (!status)
        *conv = object_new(sizeof **conv, "convolution descriptor", "cudnnCreateConvolutionDescriptor");
    return status;
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t conv, int pad_h, int pad_w, int stride_h,
                                              int stride_w, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute)
{
    cudnnStatus_t status = cudnn_begin("cudnnSetConvolution2dDescriptor", CALL_PLAIN);
    object_check(conv, "convolution descriptor", "cudnnSetConvolution2dDescriptor");
    if (status)
        return status;
    if (pad_h < 0 || pad_w < 0 || stride_h <= 0 || stride_w <= 0 || dilation_h <= 0 || dilation_w <= 0)
        return refuse(CUDNN_STATUS_BAD_PARAM, "padding, stride or dilation out of range");
    conv->pad_h = pad_h;
    conv->pad_w = pad_w;
    conv->stride_h = stride_h;
    conv->stride_w = stride_w;
    conv->dilation_h = dilation_h;
    conv->dilation_w = dilation_w;
    conv->mode = mode;
    conv->compute = compute;
    conv->set = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t conv, cudnnMathType_t math)
{
    cudnnStatus_t status = cudnn_begin("cudnnSetConvolutionMathType", CALL_PLAIN);
    object_check(conv, "convolution descriptor", "cudnnSetConvolutionMathType");
    if (!status && ((int)math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH))
        return refuse(CUDNN_STATUS_BAD_PARAM, "math type %d", (int)math);
    if (!status)
        conv->math = math;
    return status;
}

static int output_size(int in, int pad, int window, int dilation, int stride)
{
    int room = in + 2 * pad - ((window - 1) * dilation + 1);
    return room < 0 ? 0 : 1 + room / stride;
}

void convolution_output(const struct cudnnConvolutionStruct *conv, const tensor *x, const struct cudnnFilterStruct *w,
                        int *h, int *w_out)
{
    *h = output_size(x->h, conv->pad_h, w->h, conv->dilation_h, conv->stride_h);
    *w_out = output_size(x->w, conv->pad_w, w->w, conv->dilation_w, conv->stride_w);
}

cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t x_desc,
                                                    cudnnFilterDescriptor_t w_desc, int *n, int *c, int *h, int *w)
{
    cudnnStatus_t status = cudnn_begin("cudnnGetConvolution2dForwardOutputDim", CALL_PLAIN);
    object_check(conv, "convolution descriptor", "cudnnGetConvolution2dForwardOutputDim");
    object_check(x_desc, "tensor descriptor", "cudnnGetConvolution2dForwardOutputDim");
    object_check(w_desc, "filter descriptor", "cudnnGetConvolution2dForwardOutputDim");
    if (status)
        return status;
    if (!conv->set || !x_desc->t.set || !w_desc->set || x_desc->t.c != w_desc->c)
        return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor is not set, or the channels differ");
    convolution_output(conv, &x_desc->t, w_desc, h, w);
    if (*h < 1 || *w < 1)
        return refuse(CUDNN_STATUS_BAD_PARAM, "the window is larger than the padded picture");
    *n = x_desc->t.n;
    *c = w_desc->k;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t conv)
{
    cudnnStatus_t status = cudnn_begin("cudnnDestroyConvolutionDescriptor", CALL_RELEASES);
    object_check(conv, "convolution descriptor", "cudnnDestroyConvolutionDescriptor");
    object_free(&conv->object);
    return status;
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t *activation)
{
    cudnnStatus_t status = cudnn_begin("cudnnCreateActivationDescriptor", CALL_ALLOCATES);
    if (!status)
        *activation = object_new(sizeof **activation, "activation descriptor", "cudnnCreateActivationDescriptor");
    return status;
}

cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t activation, cudnnActivationMode_t mode,
                                           cudnnNanPropagation_t nan, double ceiling)
{
    cudnnStatus_t status = cudnn_begin("cudnnSetActivationDescriptor", CALL_PLAIN);
    object_check(activation, "activation descriptor", "cudnnSetActivationDescriptor");
    if (status)
        return status;
    if ((int)mode < CUDNN_ACTIVATION_SIGMOID || mode > CUDNN_ACTIVATION_SWISH)
        return refuse(CUDNN_STATUS_BAD_PARAM, "activation mode %d", (int)mode);
    activation->mode = mode;
    activation->nan = nan;
    activation->ceiling = ceiling;
    activation->set = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t activation)
{
    cudnnStatus_t status = cudnn_begin("cudnnDestroyActivationDescriptor", CALL_RELEASES);
    object_check(activation, "activation descriptor", "cudnnDestroyActivationDescriptor");
    object_free(&activation->object);
    return status;
}
