/* winograd_fp32_avx512.c - the Winograd kernels for tensors and products in fp32. */
#include "device/winograd_avx512.h"
#include "device/winograd_kernels.h"

#include "device/winograd_fp32_factors.h"

typedef float number;

ALWAYS_INLINE vec load_pixel(const number *pixel)
{
    return _mm512_loadu_ps(pixel);
}

ALWAYS_INLINE vec load_inside(const number *pixel, bool inside)
{
    return _mm512_maskz_loadu_ps(inside ? (__mmask16)0xffff : (__mmask16)0, pixel);
}

ALWAYS_INLINE void store_pixel(number *pixel, vec x)
{
    _mm512_storeu_ps(pixel, x);
}

ALWAYS_INLINE void stream_pixel(number *pixel, vec x)
{
    _mm512_stream_ps(pixel, x);
}

ALWAYS_INLINE vec broadcast(const float *word)
{
    return set1(*word);
}

ALWAYS_INLINE vec multiply_add(vec x, vec y, vec sum)
{
    return _mm512_fmadd_ps(x, y, sum);
}

#include "device/winograd_products_body.h"
#include "device/winograd_tiles_body.h"

winograd_product *winograd_product_fp32(int rows, int width)
{
    return product_kernel(rows, width);
}

winograd_outer_product *winograd_outer_product_fp32(int width)
{
    return outer_product_kernel(width);
}

const winograd_kernels winograd_kernels_fp32 = {
    .pixel_words = 16,
    .line_words = LINE_WORDS,
    .pair = 1,
    .input = input_kernel,
    .output = output_kernel,
    .source = source_kernel,
    .gradient = gradient_kernel,
    .filter = winograd_filter_block,
    .product = product_kernel,
    .outer_product = outer_product_kernel,
};
