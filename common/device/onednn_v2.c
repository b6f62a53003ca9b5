/* onednn_v2.c - onednn_calls.h in version 2 of oneDNN: a struct is filled in first, then made into a description. */
#include "device/onednn_calls.h"

#if DNNL_VERSION_MAJOR == 2

#include <stdlib.h>

dnnl_status_t layout_create(layout *l, int dimensions, const dnnl_dims_t sizes, dnnl_data_type_t type,
                            dnnl_format_tag_t tag)
{
    *l = malloc(sizeof **l);
    return *l ? dnnl_memory_desc_init_by_tag(*l, dimensions, sizes, type, tag) : dnnl_out_of_memory;
}

dnnl_status_t layout_copy(layout *l, const_layout from)
{
    *l = malloc(sizeof **l);
    if (*l)
        **l = *from;
    return *l ? dnnl_success : dnnl_out_of_memory;
}

void layout_free(layout l)
{
    free(l);
}

static dnnl_status_t describe(const operation *o, const void *filled, dnnl_primitive_desc_t hint, dnnl_status_t status,
                              dnnl_primitive_desc_t *out)
{
    return status ? status : dnnl_primitive_desc_create(out, filled, o->attr, o->engine, hint);
}

dnnl_status_t describe_convolution(const operation *o, dnnl_prop_kind_t kind, dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(&d, kind, dnnl_convolution_direct, o->src, o->weights,
                                                              o->bias, o->dst, o->strides, o->padding, o->padding);
    return describe(o, &d, NULL, status, out);
}

dnnl_status_t describe_convolution_data(const operation *o, dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, o->src, o->weights,
                                                                    o->dst, o->strides, o->padding, o->padding);
    return describe(o, &d, hint, status, out);
}

dnnl_status_t describe_convolution_weights(const operation *o, dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_backward_weights_desc_init(
        &d, dnnl_convolution_direct, o->src, o->weights, o->bias, o->dst, o->strides, o->padding, o->padding);
    return describe(o, &d, hint, status, out);
}

dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f);
}

dnnl_status_t append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0, 0);
}

#endif
