/* conv.c - chooses who computes a convolution, by the rules of conv.h, and hands its passes on: to the Winograd kernels
 * (winograd.h), to those for stride 2 (strided.h) or to oneDNN.
 *
 * One exception inside: in bf16 oneDNN 2 is slow at the weights' gradient of strided kernels; there the tensors are
 * widened, and a second convolution in fp32 makes it (`wide`).
 */
#include "device/conv.h"

#include "device/strided.h"
#include "device/winograd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef enum maker { LIBRARY, WINOGRAD, STRIDED } maker;

struct conv {
    conv_shape shape;
    conv_options options;
    maker maker;                      /* whose kernels; but for the library's, `pass` is empty */
    winograd_shape winograd_shape[3]; /* by conv_pass */
    strided_shape strided_shape;
    const onednn_library *library; /* of `pass` */
    onednn_conv *pass[3];          /* by conv_pass */
    size_t dst_bytes;              /* blocked */
    conv *wide;                    /* bf16: makes the weights' gradient in fp32, from widened tensors; NULL: not so */
};

/* Layout numbers of our own packings; the library's are >= 0. */
enum {
    FORMAT_WINOGRAD_FORWARD = -2,
    FORMAT_WINOGRAD_BACKWARD = -3,
    FORMAT_WINOGRAD_BF16_FORWARD = -4,
    FORMAT_WINOGRAD_BF16_BACKWARD = -5,
    FORMAT_STRIDED_FORWARD = -6,
    FORMAT_STRIDED_BACKWARD = -7
};

bool conv_may_be_winograd(const onednn *d, conv_algorithm algorithm, bool bf16)
{
    return algorithm == CONV_WINOGRAD || (algorithm == CONV_AUTO && !(bf16 && d->call->has_amx()));
}

static bool wants_winograd(const onednn *d, const conv_shape *s, const conv_options *o)
{
    if (!conv_may_be_winograd(d, o->algorithm, o->bf16))
        return false;
    return !o->plain_input && s->kernel == 3 && s->stride == 1 && s->padding == 1 && s->h >= 4 && s->w >= 4;
}

static winograd_numbers winograd_numbers_of(const conv_options *o, conv_pass pass)
{
    return !o->bf16 ? WINOGRAD_FP32 : pass == CONV_FORWARD && o->training ? WINOGRAD_MIXED : WINOGRAD_BF16;
}

static bool wants_strided(const conv_shape *s, const conv_options *o)
{
    if (o->algorithm == CONV_DIRECT || o->algorithm == CONV_ONEDNN || o->bf16 || o->plain_input)
        return false;
    return s->kernel == 3 && s->stride == 2 && s->padding == 1 && s->h % 2 == 0 && s->w % 2 == 0 && s->oh >= 4 &&
           s->ow >= 4;
}

/* In bf16 oneDNN 2 makes the weights' gradient of strided kernels larger than 1x1 at a quarter of its speed
 * in fp32 (but not with AMX). */
static bool wants_wide(const onednn *d, const conv_shape *s, const conv_options *o)
{
    return o->bf16 && o->backward_weights && s->stride > 1 && s->kernel > 1 && !o->plain_input && !d->call->has_amx();
}

/* Floats of a tensor in blocks of 16 channels: whole cache lines. */
static size_t wide_floats(int n, int channels, int h, int w)
{
    return (size_t)n * (size_t)((channels + 15) / 16 * 16) * (size_t)h * (size_t)w;
}

static size_t wide_src(const conv *c)
{
    return wide_floats(c->shape.n, c->shape.c, c->shape.h, c->shape.w);
}

static size_t wide_dst(const conv *c)
{
    return wide_floats(c->shape.n, c->shape.k, c->shape.oh, c->shape.ow);
}

/* bf16 to fp32: the upper half of a float. */
static void widen(const void *from, float *to, size_t count, int threads)
{
    const uint16_t *x = from;
    uint32_t *bits = (uint32_t *)(void *)to;
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < count; i++)
        bits[i] = (uint32_t)x[i] << 16;
}

static bool create_passes(conv *c, onednn *d, error *e)
{
    const conv_options *o = &c->options;
    onednn_conv_options forward = {
        .bf16 = o->bf16, .plain_input = o->plain_input, .inference = o->inference, .add = o->add, .relu = o->relu};
    onednn_conv_options backward = {.bf16 = o->bf16, .plain_input = o->plain_input};
    const bool wanted[3] = {true, o->backward_data, o->backward_weights};
    for (int pass = 0; pass < 3; pass++) {
        if (!wanted[pass])
            continue;
        c->pass[pass] =
            d->call->conv_create(d, &c->shape, (conv_pass)pass, pass == CONV_FORWARD ? &forward : &backward, e);
        if (!c->pass[pass])
            return false;
    }
    return true;
}

conv *conv_create(onednn *d, const conv_shape *s, const conv_options *options, error *e)
{
    conv *c = mem_zero(1, sizeof *c, "a convolution", e);
    if (!c)
        return NULL;
    c->shape = *s;
    c->options = *options;
    c->library = d->call;
    for (int pass = 0; pass < 3; pass++)
        c->winograd_shape[pass] = (winograd_shape){.on = options->on,
                                                   .n = s->n,
                                                   .c = s->c,
                                                   .k = s->k,
                                                   .h = s->h,
                                                   .w = s->w,
                                                   .numbers = winograd_numbers_of(options, (conv_pass)pass)};
    c->strided_shape = (strided_shape){.on = options->on, .n = s->n, .c = s->c, .k = s->k, .oh = s->oh, .ow = s->ow};
    const int block = d->block;
    c->dst_bytes = (size_t)s->n * (size_t)((s->k + block - 1) / block * block) * (size_t)s->oh * (size_t)s->ow *
                   (options->bf16 ? 2 : 4);
    if (block == 16 && wants_strided(s, options) && strided_supported(&c->strided_shape))
        c->maker = STRIDED;
    if (block == 16 && wants_winograd(d, s, options) && winograd_supported(&c->winograd_shape[CONV_FORWARD]))
        c->maker = WINOGRAD;
    if (wants_wide(d, s, options)) {
        conv_options fp32 = *options;
        fp32.bf16 = fp32.backward_data = false;
        c->options.backward_weights = false;
        c->wide = conv_create(d, s, &fp32, e);
        if (!c->wide) {
            free(c);
            return NULL;
        }
    }
    if (c->maker == LIBRARY && !create_passes(c, d, e)) {
        conv_free(c);
        return NULL;
    }
    return c;
}

void conv_free(conv *c)
{
    if (!c)
        return;
    conv_free(c->wide);
    for (int pass = 0; pass < 3; pass++)
        c->library->conv_free(c->pass[pass]);
    free(c);
}

bool conv_gathers(const conv *c)
{
    return c->maker != LIBRARY;
}

bool conv_is_winograd(const conv *c)
{
    return c->maker != LIBRARY;
}

size_t conv_scratch_floats(const conv *c)
{
    if (c->maker == WINOGRAD) {
        const size_t forward = winograd_scratch_floats(&c->winograd_shape[CONV_FORWARD], c->options.threads),
                     backward = winograd_scratch_floats(&c->winograd_shape[CONV_BACKWARD_DATA], c->options.threads);
        return forward > backward ? forward : backward;
    }
    if (c->maker == STRIDED)
        return strided_scratch_floats(&c->strided_shape, c->options.threads);
    size_t most = c->wide ? wide_src(c) + wide_dst(c) + conv_scratch_floats(c->wide) : 0;
    for (int pass = 0; pass < 3; pass++) {
        if (!c->pass[pass])
            continue;
        size_t floats = c->library->conv_scratch_floats(c->pass[pass]);
        if (pass == CONV_BACKWARD_WEIGHTS) /* the packed gradient lies behind the library's area */
            floats = (floats + 15) / 16 * 16 + c->library->conv_weight_floats(c->pass[pass]);
        most = floats > most ? floats : most;
    }
    return most;
}

size_t conv_packed_floats(const conv *c, conv_pass pass)
{
    return c->maker == WINOGRAD  ? winograd_weight_floats(&c->winograd_shape[pass])
           : c->maker == STRIDED ? strided_weight_floats(&c->strided_shape)
                                 : c->library->conv_weight_floats(c->pass[pass]);
}

int conv_packed_format(const conv *c, conv_pass pass)
{
    if (c->maker == WINOGRAD && c->winograd_shape[pass].numbers == WINOGRAD_BF16)
        return pass == CONV_FORWARD ? FORMAT_WINOGRAD_BF16_FORWARD : FORMAT_WINOGRAD_BF16_BACKWARD;
    if (c->maker == WINOGRAD)
        return pass == CONV_FORWARD ? FORMAT_WINOGRAD_FORWARD : FORMAT_WINOGRAD_BACKWARD;
    if (c->maker == STRIDED)
        return pass == CONV_FORWARD ? FORMAT_STRIDED_FORWARD : FORMAT_STRIDED_BACKWARD;
    return c->library->conv_weight_format(c->pass[pass]);
}

int conv_pack(conv *c, conv_pass pass, const float *oihw, float *packed, error *e)
{
    const int threads = c->options.threads;
    if (c->maker == LIBRARY)
        return c->library->conv_pack(c->pass[pass], oihw, packed, e);
    if (c->maker == WINOGRAD && pass == CONV_FORWARD)
        winograd_weights_forward(&c->winograd_shape[pass], oihw, packed, threads);
    else if (c->maker == WINOGRAD)
        winograd_weights_backward(&c->winograd_shape[pass], oihw, packed, threads);
    else if (pass == CONV_FORWARD)
        strided_weights_forward(&c->strided_shape, oihw, packed, threads);
    else
        strided_weights_backward(&c->strided_shape, oihw, packed, threads);
    return 0;
}

int conv_forward(conv *c, const void *src, const float *packed, const float *bias, const void *add, void *dst,
                 const conv_sums *sums, float *scratch, error *e)
{
    const winograd_epilogue epilogue = {.bias = bias,
                                        .add = add,
                                        .relu = c->options.relu,
                                        .sums = sums ? sums->sums : NULL,
                                        .center = sums ? sums->center : NULL};
    if (c->maker == WINOGRAD)
        winograd_forward(&c->winograd_shape[CONV_FORWARD], src, packed, dst, &epilogue, scratch, c->options.threads);
    if (c->maker == STRIDED)
        strided_forward(&c->strided_shape, src, packed, dst, &epilogue, scratch, c->options.threads);
    if (c->maker != LIBRARY)
        return 0;
    if (add && add != dst) /* the library adds in place only */
        memcpy(dst, add, c->dst_bytes);
    return c->library->conv_run(c->pass[CONV_FORWARD], src, packed, bias, dst, scratch, e);
}

int conv_backward_data(conv *c, const void *ddst, const float *packed, void *dsrc, const conv_sums *sums,
                       float *scratch, error *e)
{
    winograd_epilogue epilogue = {0};
    if (sums)
        epilogue = (winograd_epilogue){
            .sums = sums->sums, .center = sums->center, .add = sums->add, .mask = sums->mask, .x = sums->x};
    if (c->maker == WINOGRAD)
        winograd_backward_data(&c->winograd_shape[CONV_BACKWARD_DATA], ddst, packed, dsrc, &epilogue, scratch,
                               c->options.threads);
    if (c->maker == STRIDED)
        strided_backward_data(&c->strided_shape, ddst, packed, dsrc, &epilogue, scratch, c->options.threads);
    if (c->maker != LIBRARY)
        return 0;
    return c->library->conv_run(c->pass[CONV_BACKWARD_DATA], ddst, packed, NULL, dsrc, scratch, e);
}

int conv_backward_weights(conv *c, const void *src, const void *ddst, float *dw_oihw, float *scratch, error *e)
{
    if (c->maker == WINOGRAD)
        winograd_backward_weights(&c->winograd_shape[CONV_BACKWARD_WEIGHTS], src, ddst, dw_oihw, scratch,
                                  c->options.threads);
    if (c->maker == STRIDED)
        strided_backward_weights(&c->strided_shape, src, ddst, dw_oihw, scratch, c->options.threads);
    if (c->maker != LIBRARY)
        return 0;
    if (c->wide) {
        float *wide_gradient = scratch + wide_src(c), *rest = wide_gradient + wide_dst(c);
        widen(src, scratch, wide_src(c), c->options.threads);
        widen(ddst, wide_gradient, wide_dst(c), c->options.threads);
        return conv_backward_weights(c->wide, scratch, wide_gradient, dw_oihw, rest, e);
    }
    onednn_conv *gradient = c->pass[CONV_BACKWARD_WEIGHTS];
    float *packed = scratch + (c->library->conv_scratch_floats(gradient) + 15) / 16 * 16;
    return c->library->conv_weight_gradient(gradient, src, ddst, packed, dw_oihw, scratch, e);
}
