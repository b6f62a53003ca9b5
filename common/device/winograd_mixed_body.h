/* winograd_mixed_body.h - the Winograd kernels for tensors in bf16 with products in fp32: what the transforms make is
 * not rounded. The including file defines TABLE. */
#include "device/winograd_kernels.h"
#include "device/winograd_transforms.h"

#include "device/winograd_bf16_pixels.h"
#include "device/winograd_fp32_factors.h"

#include "device/winograd_filters_body.h"
#include "device/winograd_products_body.h"
#include "device/winograd_tiles_body.h"

const winograd_kernels TABLE = {
    .pixel_words = 8,
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
