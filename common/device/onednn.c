/* onednn.c - see onednn.h.
 *
 * In oneDNN a "primitive" is code generated for one operation on tensors of given layouts. It is made from a
 * description, for which the caller names the layouts that must be so (activations: blocked) and leaves others to the
 * library (packed weights: dnnl_format_tag_any). Data are given at each call through "memory" objects. What differs
 * between versions 2 and 3 of the library is behind onednn_calls.h. The last lines define the one symbol of
 * onebox-onednn.so, through which the programs reach all of this.
 */
#include "device/onednn.h"

#include "device/onednn_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMATS = 512 };

extern const onednn_library onebox_onednn;

typedef struct onednn_engine {
    onednn base;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    layout formats[FORMATS]; /* weight layouts seen, for onednn_conv_weight_format */
    int format_count;
} onednn_engine;

static const char *status_text(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not implemented for this shape on this processor";
    default:
        return "internal failure";
    }
}

/* Records a failed call; true when it failed. */
static bool failed(dnnl_status_t status, const char *call, error *e)
{
    if (status != dnnl_success)
        fail(e, ERR_SYSTEM, "oneDNN: %s: %s", call, status_text(status));
    return status != dnnl_success;
}

static const char *onednn_version(void)
{
    static char text[48];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

/* Whether the library uses all of these instructions; its numbers for instruction sets are sets of bits. */
static bool uses(int isa)
{
    return ((int)dnnl_get_effective_cpu_isa() & isa) == isa;
}

static const char *onednn_isa(void)
{
    static const struct {
        int isa;
        const char *name;
    } known[] = {
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
        {dnnl_cpu_isa_avx512_core, "avx512_core"},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
        {dnnl_cpu_isa_avx2, "avx2"},
        {dnnl_cpu_isa_avx, "avx"},
        {dnnl_cpu_isa_sse41, "sse41"},
    };
    for (size_t i = 0; i < COUNT(known); i++)
        if (uses(known[i].isa))
            return known[i].name;
    return "generic";
}

static bool onednn_has_amx(void)
{
    return uses(dnnl_cpu_isa_avx512_core_amx);
}

static void onednn_close(onednn *base)
{
    onednn_engine *d = (onednn_engine *)base;
    if (!d)
        return;
    for (int i = 0; i < d->format_count; i++)
        layout_free(d->formats[i]);
    if (d->stream)
        dnnl_stream_destroy(d->stream);
    if (d->engine)
        dnnl_engine_destroy(d->engine);
    free(d);
}

static onednn *onednn_open(error *e)
{
    onednn_engine *d = mem_zero(1, sizeof *d, "oneDNN", e);
    if (!d)
        return NULL;
    d->base = (onednn){&onebox_onednn};
    if (failed(dnnl_engine_create(&d->engine, dnnl_cpu, 0), "engine", e) ||
        failed(dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags), "stream", e)) {
        onednn_close(&d->base);
        return NULL;
    }
    return &d->base;
}

static bool make_layout(layout *l, int a, int b, int c, int f, dnnl_data_type_t type, dnnl_format_tag_t tag, error *e)
{
    const dnnl_dims_t sizes = {a, b, c, f};
    return !failed(layout_create(l, 4, sizes, type, tag), "layout", e);
}

static void free_layouts(operation *o)
{
    layout_free(o->src);
    layout_free(o->weights);
    layout_free(o->bias);
    layout_free(o->dst);
}

/* ---------------------------------------------------------------- convolution */

struct onednn_conv {
    onednn_engine *device;
    conv_pass pass;
    conv_shape shape;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, weights, bias, scratch; /* data handles are set at each call */
    dnnl_memory_t plain;                        /* OIHW */
    dnnl_primitive_t pack; /* OIHW -> packed, or packed -> OIHW for gradients; NULL: equal layouts */
    const_layout packed;   /* of the weights, inside description */
    size_t scratch_bytes;
    int format;
};

static int format_number(onednn_engine *d, const_layout l)
{
    for (int i = 0; i < d->format_count; i++)
        if (dnnl_memory_desc_equal(d->formats[i], l))
            return i;
    if (d->format_count == FORMATS || layout_copy(&d->formats[d->format_count], l))
        return -1; /* never equal to another: only sharing is lost */
    return d->format_count++;
}

static bool make_memory(dnnl_memory_t *m, const_layout l, onednn_engine *d, error *e)
{
    return !failed(dnnl_memory_create(m, l, d->engine, DNNL_MEMORY_NONE), "memory", e);
}

static bool make_attr(dnnl_primitive_attr_t *attr, const onednn_conv_options *o, error *e)
{
    dnnl_post_ops_t ops = NULL;
    bool ok = !failed(dnnl_primitive_attr_create(attr), "attributes", e) &&
              !failed(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user), "scratchpad", e);
    if (ok && (o->add || o->relu)) {
        ok = !failed(dnnl_post_ops_create(&ops), "post-ops", e);
        if (ok && o->add)
            ok = !failed(append_sum(ops), "post-op sum", e);
        if (ok && o->relu)
            ok = !failed(append_relu(ops), "post-op relu", e);
        if (ok)
            ok = !failed(dnnl_primitive_attr_set_post_ops(*attr, ops), "post-ops", e);
        if (ops)
            dnnl_post_ops_destroy(ops);
    }
    return ok;
}

/* Sets c->description. `src_tag` is the input's order in memory. */
static bool describe_pass(onednn_conv *c, const onednn_conv_options *o, dnnl_format_tag_t src_tag, error *e)
{
    const conv_shape *s = &c->shape;
    const bool forward = c->pass == CONV_FORWARD;
    const dnnl_dims_t bias_sizes = {s->k};
    const dnnl_data_type_t type = o->bf16 ? dnnl_bf16 : dnnl_f32;
    const dnnl_prop_kind_t kind = o->bias ? dnnl_forward_inference : dnnl_forward_training;
    operation conv = {
        .engine = c->device->engine, .strides = {s->stride, s->stride}, .padding = {s->padding, s->padding}};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL;
    bool ok = make_layout(&conv.src, s->n, s->c, s->h, s->w, type, src_tag, e) &&
              make_layout(&conv.weights, s->k, s->c, s->kernel, s->kernel, type, dnnl_format_tag_any, e) &&
              make_layout(&conv.dst, s->n, s->k, s->oh, s->ow, type, dnnl_nChw16c, e) &&
              (!o->bias || !failed(layout_create(&conv.bias, 1, bias_sizes, dnnl_f32, dnnl_a), "layout", e)) &&
              make_attr(&attr, o, e);
    if (ok && !forward) /* backward passes are described by their forward pass */
        ok = !failed(describe_convolution(&conv, kind, &hint), "convolution", e);
    conv.attr = attr;
    if (ok && c->pass == CONV_BACKWARD_WEIGHTS) {
        layout_free(conv.weights);
        conv.weights = NULL;
        ok = make_layout(&conv.weights, s->k, s->c, s->kernel, s->kernel, dnnl_f32, dnnl_format_tag_any, e);
    }
    if (ok)
        ok = !failed(forward                         ? describe_convolution(&conv, kind, &c->description)
                     : c->pass == CONV_BACKWARD_DATA ? describe_convolution_data(&conv, hint, &c->description)
                                                     : describe_convolution_weights(&conv, hint, &c->description),
                     "convolution", e);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    free_layouts(&conv);
    return ok;
}

/* The reorder between OIHW and the packed layout. */
static bool make_pack(onednn_conv *c, error *e)
{
    const conv_shape *s = &c->shape;
    dnnl_engine_t engine = c->device->engine;
    const bool gradient = c->pass == CONV_BACKWARD_WEIGHTS;
    layout plain = NULL;
    dnnl_primitive_desc_t pd = NULL;
    bool ok = make_layout(&plain, s->k, s->c, s->kernel, s->kernel, dnnl_f32, dnnl_oihw, e) &&
              make_memory(&c->plain, plain, c->device, e);
    if (ok && !dnnl_memory_desc_equal(plain, c->packed))
        ok = !failed(dnnl_reorder_primitive_desc_create(&pd, gradient ? c->packed : plain, engine,
                                                        gradient ? plain : c->packed, engine, NULL),
                     "reorder", e) &&
             !failed(dnnl_primitive_create(&c->pack, pd), "reorder", e);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    layout_free(plain);
    return ok;
}

static const_layout layout_of(const onednn_conv *c, dnnl_query_t what, int index)
{
    return dnnl_primitive_desc_query_md(c->description, what, index);
}

static bool finish_conv(onednn_conv *c, const onednn_conv_options *o, error *e)
{
    bool data = c->pass == CONV_BACKWARD_DATA, gradient = c->pass == CONV_BACKWARD_WEIGHTS;
    const_layout src = layout_of(c, data ? dnnl_query_diff_src_md : dnnl_query_src_md, 0);
    const_layout dst = layout_of(c, c->pass == CONV_FORWARD ? dnnl_query_dst_md : dnnl_query_diff_dst_md, 0);
    const_layout scratch = layout_of(c, dnnl_query_scratchpad_md, 0);
    c->packed = layout_of(c, gradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    c->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    c->format = format_number(c->device, c->packed);
    return !failed(dnnl_primitive_create(&c->primitive, c->description), "convolution", e) &&
           make_memory(&c->a, data ? dst : src, c->device, e) && make_memory(&c->b, data ? src : dst, c->device, e) &&
           make_memory(&c->weights, c->packed, c->device, e) && make_memory(&c->scratch, scratch, c->device, e) &&
           (!o->bias || make_memory(&c->bias, layout_of(c, dnnl_query_weights_md, 1), c->device, e)) && make_pack(c, e);
}

static void onednn_conv_free(onednn_conv *c)
{
    if (!c)
        return;
    dnnl_memory_t memories[] = {c->a, c->b, c->weights, c->bias, c->scratch, c->plain};
    for (size_t i = 0; i < COUNT(memories); i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (c->pack)
        dnnl_primitive_destroy(c->pack);
    if (c->primitive)
        dnnl_primitive_destroy(c->primitive);
    if (c->description)
        dnnl_primitive_desc_destroy(c->description);
    free(c);
}

static onednn_conv *onednn_conv_create(onednn *engine, const conv_shape *s, conv_pass pass,
                                       const onednn_conv_options *options, error *e)
{
    onednn_conv *c = mem_zero(1, sizeof *c, "a convolution", e);
    if (!c)
        return NULL;
    c->device = (onednn_engine *)engine;
    c->pass = pass;
    c->shape = *s;
    if (describe_pass(c, options, options->plain_input ? dnnl_nchw : dnnl_nChw16c, e) && finish_conv(c, options, e))
        return c;
    onednn_conv_free(c);
    return NULL;
}

static size_t onednn_conv_weight_floats(const onednn_conv *c)
{
    return (dnnl_memory_desc_get_size(c->packed) + sizeof(float) - 1) / sizeof(float);
}

static size_t onednn_conv_scratch_floats(const onednn_conv *c)
{
    return (c->scratch_bytes + sizeof(float) - 1) / sizeof(float);
}

static int onednn_conv_weight_format(const onednn_conv *c)
{
    return c->format;
}

/* Points a memory object at data; oneDNN's handles are not const. */
static bool point(dnnl_memory_t m, const void *data, error *e)
{
    return !failed(dnnl_memory_set_data_handle(m, (void *)(size_t)data), "data handle", e);
}

static int execute(onednn_engine *d, dnnl_primitive_t p, int count, const dnnl_exec_arg_t *args, const char *what,
                   error *e)
{
    if (failed(dnnl_primitive_execute(p, d->stream, count, args), what, e) ||
        failed(dnnl_stream_wait(d->stream), what, e))
        return ERR_SYSTEM;
    return 0;
}

/* from -> to through the reorder, or a copy where the layouts are equal. */
static int reorder(onednn_conv *c, dnnl_memory_t from_memory, const float *from, dnnl_memory_t to_memory, float *to,
                   error *e)
{
    if (!c->pack) {
        memcpy(to, from, dnnl_memory_desc_get_size(c->packed));
        return 0;
    }
    if (!point(from_memory, from, e) || !point(to_memory, to, e))
        return ERR_SYSTEM;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from_memory}, {DNNL_ARG_TO, to_memory}};
    return execute(c->device, c->pack, 2, args, "reorder", e);
}

static int onednn_conv_pack(onednn_conv *c, const float *oihw, float *packed, error *e)
{
    return reorder(c, c->plain, oihw, c->weights, packed, e);
}

static int onednn_conv_run(onednn_conv *c, const void *a, const float *packed, const float *bias, void *b,
                           float *scratch, error *e)
{
    if (!point(c->a, a, e) || !point(c->b, b, e) || !point(c->weights, packed, e) || !point(c->scratch, scratch, e) ||
        (c->bias && !point(c->bias, bias, e)))
        return ERR_SYSTEM;
    bool data = c->pass == CONV_BACKWARD_DATA;
    const dnnl_exec_arg_t args[] = {{data ? DNNL_ARG_DIFF_DST : DNNL_ARG_SRC, c->a},
                                    {data ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST, c->b},
                                    {DNNL_ARG_WEIGHTS, c->weights},
                                    {DNNL_ARG_SCRATCHPAD, c->scratch},
                                    {DNNL_ARG_BIAS, c->bias}};
    return execute(c->device, c->primitive, c->bias ? 5 : 4, args, "convolution", e);
}

static int onednn_conv_weight_gradient(onednn_conv *c, const void *src, const void *ddst, float *packed, float *dw,
                                       float *scratch, error *e)
{
    if (!point(c->a, src, e) || !point(c->b, ddst, e) || !point(c->weights, c->pack ? packed : dw, e) ||
        !point(c->scratch, scratch, e))
        return ERR_SYSTEM;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, c->a},
                                    {DNNL_ARG_DIFF_DST, c->b},
                                    {DNNL_ARG_DIFF_WEIGHTS, c->weights},
                                    {DNNL_ARG_SCRATCHPAD, c->scratch}};
    int code = execute(c->device, c->primitive, 4, args, "convolution", e);
    return code || !c->pack ? code : reorder(c, c->weights, packed, c->plain, dw, e);
}

/* ---------------------------------------------------------------- the table */

__attribute__((visibility("default")))
const onednn_library onebox_onednn = {.build = DEVICE_BUILD,
                                      .version = onednn_version,
                                      .isa = onednn_isa,
                                      .has_amx = onednn_has_amx,
                                      .open = onednn_open,
                                      .close = onednn_close,
                                      .conv_create = onednn_conv_create,
                                      .conv_free = onednn_conv_free,
                                      .conv_weight_floats = onednn_conv_weight_floats,
                                      .conv_scratch_floats = onednn_conv_scratch_floats,
                                      .conv_weight_format = onednn_conv_weight_format,
                                      .conv_pack = onednn_conv_pack,
                                      .conv_run = onednn_conv_run,
                                      .conv_weight_gradient = onednn_conv_weight_gradient};
