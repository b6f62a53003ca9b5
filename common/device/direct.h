/* direct.h - convolutions of any kernel size, stride, padding, batch and number of channels, by their definition: as
 * products of matrices whose left factor is read from where it lies. For what winograd.h and strided.h do not serve.
 *
 * Activations are nChw16c (N, ceil(C/16), H, W, 16), where channels past the last hold zeros and get zeros; those of
 * the network's input may be plain NCHW. Weights and their gradients outside are PyTorch's OIHW. With kernels for bf16
 * activations and their gradients are bf16 (uint16_t) and so are the factors of products, packed weights included;
 * sums, bias, weights outside and their gradients are fp32.
 *
 * Work area, determinism and epilogue are those of winograd.h.
 */
#ifndef ONEBOX_DEVICE_DIRECT_H
#define ONEBOX_DEVICE_DIRECT_H

#include "device/planning.h"
#include "device/winograd.h"

typedef struct direct_kernels direct_kernels; /* for one instruction set, fp32 or bf16: see instructions.h */

typedef struct direct_shape {
    conv_shape conv;
    bool plain_input; /* src is plain NCHW; then there is no backward pass for the data */
    const direct_kernels *kernels;
} direct_shape;

/* True when there are kernels and the sizes are served: all of them but tensors of more than 2^31 pixels times blocks
 * of channels. */
bool direct_supported(const direct_shape *s);

/* Packed weights for one of the two passes, and the packing from OIHW [k][c][kernel][kernel]. u must be 64-byte
 * aligned; its layout depends on the kernels, on k, c, kernel and plain_input alone, and differs between the passes. */
size_t direct_weight_floats(const direct_shape *s, conv_pass pass);
void direct_weights_forward(const direct_shape *s, const float *oihw, float *u, int threads);
void direct_weights_backward(const direct_shape *s, const float *oihw, float *u, int threads);

/* Work area shared by all calls with these threads: floats needed (64-byte aligned by the caller, contents free). */
size_t direct_scratch_floats(const direct_shape *s, int threads);

/* dst[n,k,oh,ow] = epilogue(conv(src[n,c,h,w], weights)). */
void direct_forward(const direct_shape *s, const void *src, const float *u, void *dst,
                    const winograd_epilogue *epilogue, float *scratch, int threads);

/* dsrc[n,c,h,w] = epilogue(gradient from ddst[n,k,oh,ow]); the epilogue's k is c here, its tensors are like dsrc. */
void direct_backward_data(const direct_shape *s, const void *ddst, const float *u_backward, void *dsrc,
                          const winograd_epilogue *epilogue, float *scratch, int threads);

/* dw OIHW [k][c][kernel][kernel] (overwritten) from src and ddst. */
void direct_backward_weights(const direct_shape *s, const void *src, const void *ddst, float *dw, float *scratch,
                             int threads);

#endif
