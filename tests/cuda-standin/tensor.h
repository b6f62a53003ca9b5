/* tensor.h - descriptors of the cuDNN stand-in by value, and the data behind them as plain floats. */
#ifndef ONEBOX_STANDIN_TENSOR_H
#define ONEBOX_STANDIN_TENSOR_H

#include "core.h"

#include <cudnn.h>

typedef struct tensor {
    cudnnDataType_t type;
    int n, c, h, w;
    int stride[4]; /* of n, c, h, w, in elements */
    bool set;
} tensor;

struct cudnnTensorStruct {
    object object;
    tensor t;
};

/* k filters of c x h x w. */
struct cudnnFilterStruct {
    object object;
    cudnnDataType_t type;
    cudnnTensorFormat_t format;
    int k, c, h, w;
    bool set;
};

struct cudnnConvolutionStruct {
    object object;
    int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
    cudnnConvolutionMode_t mode;
    cudnnDataType_t compute;
    cudnnMathType_t math;
    bool set;
};

struct cudnnActivationStruct {
    object object;
    cudnnActivationMode_t mode;
    cudnnNanPropagation_t nan;
    double ceiling;
    bool set;
};

struct cudnnContext {
    object object;
    cudaStream_t stream;
};

size_t type_bytes(cudnnDataType_t type);
bool type_known(cudnnDataType_t type);
size_t tensor_count(const tensor *t);
/* From the first to behind the last element. */
size_t tensor_bytes(const tensor *t);
bool tensor_is_nhwc(const tensor *t);
bool tensor_same_shape(const tensor *a, const tensor *b);

/* The elements in order n, h, w, c as floats (malloc). */
float *tensor_load(const tensor *t, const void *data);
/* data = alpha values + beta data, rounded to the tensor's type; data isn't read when beta is 0. */
void tensor_store(const tensor *t, void *data, const float *values, float alpha, float beta);

/* Rows and columns that a convolution of x gives; 0 or less when the window is larger than the padded picture. */
void convolution_output(const struct cudnnConvolutionStruct *conv, const tensor *x, const struct cudnnFilterStruct *w,
                        int *h, int *w_out);

/* Rounds what goes into a product, as the arithmetic of these types does. */
void round_operands(float *values, size_t count, cudnnDataType_t type, cudnnMathType_t math);

/* Records why a call was refused (for cudnnGetLastErrorString) and returns the status. */
cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What cuDNN makes of an error of the runtime. */
cudnnStatus_t status_of(cudaError_t error);

/* Begins every entry point of cuDNN. */
cudnnStatus_t cudnn_begin(const char *name, call_kind kind);

#endif
