/* onednn_calls.h - the calls that differ between versions 2 and 3 of oneDNN. Private to onednn.c.
 *
 * onednn_v2.c or onednn_v3.c implements them, whichever fits the installed headers; onednn.c makes all other calls,
 * which are the same in both. What changed:
 * https://uxlfoundation.github.io/oneDNN/v3.7/dev_guide_transition_to_v3.html
 */
#ifndef ONEBOX_DEVICE_ONEDNN_CALLS_H
#define ONEBOX_DEVICE_ONEDNN_CALLS_H

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_version.h>

/* Sizes, type and order in memory of a tensor: "memory descriptor" in oneDNN. In version 2 a struct, in version 3 a
 * pointer to one that only the library knows. */
#if DNNL_VERSION_MAJOR == 2
typedef dnnl_memory_desc_t *layout;
typedef const dnnl_memory_desc_t *const_layout;
#elif DNNL_VERSION_MAJOR == 3
typedef dnnl_memory_desc_t layout;
typedef const_dnnl_memory_desc_t const_layout;
#else
#error "oneDNN 2 or 3 is needed (Debian: apt-get install libdnnl-dev)"
#endif

/* Free *l with layout_free, which takes NULL too. */
dnnl_status_t layout_create(layout *l, int dimensions, const dnnl_dims_t sizes, dnnl_data_type_t type,
                            dnnl_format_tag_t tag);
dnnl_status_t layout_copy(layout *l, const_layout from);
void layout_free(layout l);

/* What a convolution is made from. In backward passes src and dst (and in the last one weights) stand
 * for their gradients. */
typedef struct operation {
    dnnl_engine_t engine;
    layout src, weights, bias, dst; /* bias may be NULL */
    dnnl_dims_t strides, padding;
    dnnl_primitive_attr_t attr; /* may be NULL */
} operation;

/* `kind`: dnnl_forward_training or dnnl_forward_inference; `hint`: the description of the forward pass. The caller
 * frees *out with dnnl_primitive_desc_destroy. */
dnnl_status_t describe_convolution(const operation *o, dnnl_prop_kind_t kind, dnnl_primitive_desc_t *out);
dnnl_status_t describe_convolution_data(const operation *o, dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out);
dnnl_status_t describe_convolution_weights(const operation *o, dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out);

/* What a convolution does with its result: adds what dst holds; ReLU. */
dnnl_status_t append_sum(dnnl_post_ops_t ops);
dnnl_status_t append_relu(dnnl_post_ops_t ops);

#endif
