/* onednn.h - convolutions by oneDNN, version 2 or 3. Private to common/device.
 *
 * It is built into a shared object of its own (onebox-onednn.so), which the programs open when they want it
 * (device_library.h), so that they run where oneDNN is not installed. All of it is reached through one table.
 *
 * Activations are blocked as in cpu_kernels.h (nChw16c), fp32 or bf16; weights outside and their gradients are fp32.
 * Objects are made for one shape and hold no tensors: weights, tensors and work areas are passed in at each call. On a
 * processor where oneDNN would have blocks of 8 it takes those of 16 by a slow way of its own: good to compare with.
 */
#ifndef ONEBOX_DEVICE_ONEDNN_H
#define ONEBOX_DEVICE_ONEDNN_H

#include "device/planning.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct onednn_library onednn_library;

typedef struct onednn { /* an engine; it begins so */
    const onednn_library *call;
} onednn;

typedef struct onednn_conv onednn_conv; /* one pass of one convolution */

typedef struct onednn_conv_options {
    bool bf16;        /* source, destination and packed weights; sums, bias and gradients of weights are fp32 */
    bool plain_input; /* the input is plain NCHW: for the network's 3 channels */
    bool bias;        /* forward only: bias, and the two below, are wanted */
    bool add;         /* forward: the result is added to what dst holds */
    bool relu;        /* forward: ReLU at the end */
} onednn_conv_options;

struct onednn_library {
    const char *build; /* see device_library.h */

    /* "oneDNN 2.6.3" and the instruction set that it uses, e.g. "avx512_core_bf16". */
    const char *(*version)(void);
    const char *(*isa)(void);

    bool (*has_amx)(void); /* whether it makes use of AMX_BF16 */

    onednn *(*open)(error *e);
    void (*close)(onednn *d);

    /* By the direct algorithm. NULL with e set on failure. */
    onednn_conv *(*conv_create)(onednn *d, const conv_shape *s, conv_pass pass, const onednn_conv_options *options,
                                error *e);
    void (*conv_free)(onednn_conv *c);

    /* Floats of the packed weights (backward weights: of the packed gradient), and of the work area. */
    size_t (*conv_weight_floats)(const onednn_conv *c);
    size_t (*conv_scratch_floats)(const onednn_conv *c);

    /* A number that is equal for passes whose packed weights have equal layouts (within one onednn). */
    int (*conv_weight_format)(const onednn_conv *c);

    /* OIHW -> packed. */
    int (*conv_pack)(onednn_conv *c, const float *oihw, float *packed, error *e);

    /* CONV_FORWARD: a = src, b = dst. CONV_BACKWARD_DATA: a = gradient of dst, b = gradient of src. `bias` (k floats)
     * only with options->bias. */
    int (*conv_run)(onednn_conv *c, const void *a, const float *packed, const float *bias, void *b, float *scratch,
                    error *e);

    /* CONV_BACKWARD_WEIGHTS: dw OIHW from src and the gradient of dst; `packed` is a work area of
     * conv_weight_floats. */
    int (*conv_weight_gradient)(onednn_conv *c, const void *src, const void *ddst, float *packed, float *dw,
                                float *scratch, error *e);
};

#endif
