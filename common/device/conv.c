/* conv.c - chooses who computes a convolution, by the rules of conv.h, and hands its passes on: to the Winograd kernels
 * (winograd.h), to those for stride 2 (strided.h), to those for any shape (direct.h), or to oneDNN.
 */
#include "device/conv.h"

#include "device/direct.h"
#include "device/strided.h"
#include "device/winograd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef enum maker { DIRECT, WINOGRAD, STRIDED, LIBRARY } maker;

struct conv {
    conv_shape shape;
    conv_options options;
    maker maker;                      /* whose kernels */
    winograd_shape winograd_shape[3]; /* by conv_pass */
    strided_shape strided_shape;
    direct_shape direct_shape;
    const onednn_library *library; /* of `pass`, which is empty but for the maker LIBRARY */
    onednn_conv *pass[3];          /* by conv_pass */
};

/* Layout numbers of our own packings, one for each pass; the library's are >= 0. */
enum { FORMAT_DIRECT = -2, FORMAT_WINOGRAD = -4, FORMAT_WINOGRAD_BF16 = -6, FORMAT_STRIDED = -8 };

static bool wants_winograd(const conv_shape *s, const conv_options *o)
{
    if (o->algorithm == CONV_DIRECT)
        return false;
    return !o->plain_input && s->kernel == 3 && s->stride == 1 && s->padding == 1 && s->h >= 4 && s->w >= 4;
}

static winograd_numbers winograd_numbers_of(const conv_options *o, conv_pass pass)
{
    return !o->bf16 ? WINOGRAD_FP32 : pass == CONV_FORWARD && o->training ? WINOGRAD_MIXED : WINOGRAD_BF16;
}

static bool wants_strided(const conv_shape *s, const conv_options *o)
{
    if (o->algorithm == CONV_DIRECT || o->bf16 || o->plain_input)
        return false;
    return s->kernel == 3 && s->stride == 2 && s->padding == 1 && s->h % 2 == 0 && s->w % 2 == 0 && s->oh >= 4 &&
           s->ow >= 4;
}

static bool create_passes(conv *c, onednn *d, error *e)
{
    const conv_options *o = &c->options;
    onednn_conv_options forward = {
        .bf16 = o->bf16, .plain_input = o->plain_input, .bias = o->bias, .add = o->add, .relu = o->relu};
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

static maker maker_of(const conv *c)
{
    if (wants_winograd(&c->shape, &c->options) && winograd_supported(&c->winograd_shape[CONV_FORWARD]))
        return WINOGRAD;
    return wants_strided(&c->shape, &c->options) && strided_supported(&c->strided_shape) ? STRIDED : DIRECT;
}

conv *conv_create(onednn *d, const conv_shape *s, const conv_options *options, error *e)
{
    const instructions *on = options->on;
    conv *c = mem_zero(1, sizeof *c, "a convolution", e);
    if (!c)
        return NULL;
    c->shape = *s;
    c->options = *options;
    for (int pass = 0; pass < 3; pass++)
        c->winograd_shape[pass] = (winograd_shape){.on = on,
                                                   .n = s->n,
                                                   .c = s->c,
                                                   .k = s->k,
                                                   .h = s->h,
                                                   .w = s->w,
                                                   .numbers = winograd_numbers_of(options, (conv_pass)pass)};
    c->strided_shape = (strided_shape){.on = on, .n = s->n, .c = s->c, .k = s->k, .oh = s->oh, .ow = s->ow};
    c->direct_shape =
        (direct_shape){.conv = *s, .plain_input = options->plain_input, .kernels = on->direct[options->bf16]};
    c->library = d ? d->call : NULL;
    c->maker = d ? LIBRARY : maker_of(c);
    if (c->maker == DIRECT && !direct_supported(&c->direct_shape))
        fail(e, ERR_SYSTEM, "a convolution of %d pictures of %d x %d is too large", s->n, s->h, s->w);
    else if (c->maker != LIBRARY || create_passes(c, d, e))
        return c;
    conv_free(c);
    return NULL;
}

void conv_free(conv *c)
{
    if (!c)
        return;
    for (int pass = 0; pass < 3; pass++)
        if (c->pass[pass])
            /* a pass has been made by the library NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            c->library->conv_free(c->pass[pass]);
    free(c);
}

bool conv_gathers(const conv *c)
{
    return c->maker != LIBRARY;
}

bool conv_is_winograd(const conv *c)
{
    return c->maker == WINOGRAD || c->maker == STRIDED;
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
    if (c->maker == DIRECT)
        return direct_scratch_floats(&c->direct_shape, c->options.threads);
    size_t most = 0;
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
           : c->maker == DIRECT  ? direct_weight_floats(&c->direct_shape, pass)
                                 : c->library->conv_weight_floats(c->pass[pass]);
}

int conv_packed_format(const conv *c, conv_pass pass)
{
    if (c->maker == LIBRARY)
        return c->library->conv_weight_format(c->pass[pass]);
    const int format = c->maker == DIRECT                                 ? FORMAT_DIRECT
                       : c->maker == STRIDED                              ? FORMAT_STRIDED
                       : c->winograd_shape[pass].numbers == WINOGRAD_BF16 ? FORMAT_WINOGRAD_BF16
                                                                          : FORMAT_WINOGRAD;
    return pass == CONV_FORWARD ? format : format - 1;
}

int conv_pack(conv *c, conv_pass pass, const float *oihw, float *packed, error *e)
{
    const int threads = c->options.threads;
    const bool forward = pass == CONV_FORWARD;
    switch (c->maker) {
    case DIRECT:
        (forward ? direct_weights_forward : direct_weights_backward)(&c->direct_shape, oihw, packed, threads);
        return 0;
    case WINOGRAD:
        (forward ? winograd_weights_forward : winograd_weights_backward)(&c->winograd_shape[pass], oihw, packed,
                                                                         threads);
        return 0;
    case STRIDED:
        (forward ? strided_weights_forward : strided_weights_backward)(&c->strided_shape, oihw, packed, threads);
        return 0;
    case LIBRARY:
        return c->library->conv_pack(c->pass[pass], oihw, packed, e);
    }
    return 0;
}

/* The library adds in place only: copies what is added to where the result goes. */
static void add_in_place(const conv *c, const void *add, void *dst)
{
    const conv_shape *s = &c->shape;
    if (add && add != dst)
        memcpy(dst, add,
               (size_t)s->n * (size_t)((s->k + 15) / 16 * 16) * (size_t)s->oh * (size_t)s->ow *
                   (c->options.bf16 ? sizeof(uint16_t) : sizeof(float)));
}

int conv_forward(conv *c, const void *src, const float *packed, const float *bias, const void *add, void *dst,
                 const conv_sums *sums, float *scratch, error *e)
{
    const int threads = c->options.threads;
    const winograd_epilogue epilogue = {.bias = bias,
                                        .add = add,
                                        .relu = c->options.relu,
                                        .sums = sums ? sums->sums : NULL,
                                        .center = sums ? sums->center : NULL};
    switch (c->maker) {
    case DIRECT:
        direct_forward(&c->direct_shape, src, packed, dst, &epilogue, scratch, threads);
        return 0;
    case WINOGRAD:
        winograd_forward(&c->winograd_shape[CONV_FORWARD], src, packed, dst, &epilogue, scratch, threads);
        return 0;
    case STRIDED:
        strided_forward(&c->strided_shape, src, packed, dst, &epilogue, scratch, threads);
        return 0;
    case LIBRARY:
        add_in_place(c, add, dst);
        return c->library->conv_run(c->pass[CONV_FORWARD], src, packed, bias, dst, scratch, e);
    }
    return 0;
}

int conv_backward_data(conv *c, const void *ddst, const float *packed, void *dsrc, const conv_sums *sums,
                       float *scratch, error *e)
{
    const int threads = c->options.threads;
    winograd_epilogue epilogue = {0};
    if (sums)
        epilogue = (winograd_epilogue){
            .sums = sums->sums, .center = sums->center, .add = sums->add, .mask = sums->mask, .x = sums->x};
    switch (c->maker) {
    case DIRECT:
        direct_backward_data(&c->direct_shape, ddst, packed, dsrc, &epilogue, scratch, threads);
        return 0;
    case WINOGRAD:
        winograd_backward_data(&c->winograd_shape[CONV_BACKWARD_DATA], ddst, packed, dsrc, &epilogue, scratch, threads);
        return 0;
    case STRIDED:
        strided_backward_data(&c->strided_shape, ddst, packed, dsrc, &epilogue, scratch, threads);
        return 0;
    case LIBRARY:
        return c->library->conv_run(c->pass[CONV_BACKWARD_DATA], ddst, packed, NULL, dsrc, scratch, e);
    }
    return 0;
}

int conv_backward_weights(conv *c, const void *src, const void *ddst, float *dw_oihw, float *scratch, error *e)
{
    const int threads = c->options.threads;
    switch (c->maker) {
    case DIRECT:
        direct_backward_weights(&c->direct_shape, src, ddst, dw_oihw, scratch, threads);
        return 0;
    case WINOGRAD:
        winograd_backward_weights(&c->winograd_shape[CONV_BACKWARD_WEIGHTS], src, ddst, dw_oihw, scratch, threads);
        return 0;
    case STRIDED:
        strided_backward_weights(&c->strided_shape, src, ddst, dw_oihw, scratch, threads);
        return 0;
    case LIBRARY: {
        onednn_conv *gradient = c->pass[CONV_BACKWARD_WEIGHTS];
        float *packed = scratch + (c->library->conv_scratch_floats(gradient) + 15) / 16 * 16;
        return c->library->conv_weight_gradient(gradient, src, ddst, packed, dw_oihw, scratch, e);
    }
    }
    return 0;
}
