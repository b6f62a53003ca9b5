/* onednn_v3.c - onednn_calls.h in version 3 of oneDNN. */
#include "device/onednn_calls.h"

#if DNNL_VERSION_MAJOR == 3

static const dnnl_dims_t dense = {0, 0}; /* no dilation */

dnnl_status_t layout_create(layout *l, int dimensions, const dnnl_dims_t sizes, dnnl_data_type_t type,
                            dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(l, dimensions, sizes, type, tag);
}

dnnl_status_t layout_copy(layout *l, const_layout from)
{
    return dnnl_memory_desc_clone(l, from);
}

void layout_free(layout l)
{
    if (l)
        dnnl_memory_desc_destroy(l);
}

dnnl_status_t describe_convolution(const operation *o, dnnl_prop_kind_t kind, dnnl_primitive_desc_t *out)
{
    return dnnl_convolution_forward_primitive_desc_create(out, o->engine, kind, dnnl_convolution_direct, o->src,
                                                          o->weights, o->bias, o->dst, o->strides, dense, o->padding,
                                                          o->padding, o->attr);
}

dnnl_status_t describe_convolution_data(const operation *o, dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out)
{
    return dnnl_convolution_backward_data_primitive_desc_create(out, o->engine, dnnl_convolution_direct, o->src,
                                                                o->weights, o->dst, o->strides, dense, o->padding,
                                                                o->padding, hint, o->attr);
}

dnnl_status_t describe_convolution_weights(const operation *o, dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(out, o->engine, dnnl_convolution_direct, o->src,
                                                                   o->weights, o->bias, o->dst, o->strides, dense,
                                                                   o->padding, o->padding, hint, o->attr);
}

dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}

dnnl_status_t append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
}

#endif
