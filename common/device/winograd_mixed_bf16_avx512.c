/* winograd_mixed_bf16_avx512.c - the Winograd kernels for tensors in bf16 with products in fp32: what the
 * transforms make is not rounded. */
#include "device/winograd_avx512.h"
#include "device/winograd_kernels.h"

#include "device/winograd_bf16_pixels.h"
#include "device/winograd_fp32_factors.h"
#include "device/winograd_tiles_body.h"

const winograd_kernels winograd_kernels_mixed = {
    .pixel_words = 8,
    .line_words = LINE_WORDS,
    .pair = 1,
    .input = input_kernel,
    .output = output_kernel,
    .source = source_kernel,
    .gradient = gradient_kernel,
    .filter = winograd_filter_block,
    .product = winograd_product_fp32,
    .outer_product = winograd_outer_product_fp32,
};
