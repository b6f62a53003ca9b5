/* winograd_fp32_body.h - the Winograd kernels for tensors and products in fp32; the including file defines TABLE. */
#include "device/winograd_kernels.h"
#include "device/winograd_transforms.h"

#include "device/winograd_fp32_factors.h"

typedef float number;

ALWAYS_INLINE vec load_pixel(const number *pixel)
{
    return vec_loadu(pixel);
}

ALWAYS_INLINE vec load_inside(const number *pixel, bool inside)
{
    return vec_load_if(pixel, inside);
}

ALWAYS_INLINE void store_pixel(number *pixel, vec x)
{
    vec_storeu(pixel, x);
}

ALWAYS_INLINE void stream_pixel(number *pixel, vec x)
{
    vec_stream(pixel, x);
}

#include "device/winograd_filters_body.h"
#include "device/winograd_products_body.h"
#include "device/winograd_tiles_body.h"

const winograd_kernels TABLE = {
    .pixel_words = 16,
    .line_words = LINE_WORDS,
    .pair = 1,
    .input = input_kernel,
    .output = output_kernel,
    .source = source_kernel,
    .gradient = gradient_kernel,
    .filter = filter_block,
    .filter_gradient = filter_gradient_block,
    .product = product_kernel,
    .outer_product = outer_product_kernel,
};
