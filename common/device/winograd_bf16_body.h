/* winograd_bf16_body.h - the Winograd kernels for tensors in bf16: transforms in fp32, their results rounded to bf16,
 * products of pairs added in fp32. The including file defines TABLE. */
#include "device/winograd_kernels.h"
#include "device/winograd_transforms.h"

enum { LINE_WORDS = 8, PAIRED = 1 };

#include "device/winograd_bf16_pixels.h"

ALWAYS_INLINE void store_line(float *line, int at, vec x)
{
    vec_store_bf16((uint16_t *)(void *)line + at, x);
}

ALWAYS_INLINE void store_pair(float *line, vec x, bool second)
{
    vec_store(line, second ? vec_words_high(vec_load(line), x) : vec_words_low(x));
}

ALWAYS_INLINE vec multiply_add(vec x, vec y, vec sum)
{
    return vec_dot_bf16(x, y, sum);
}

#include "device/winograd_filters_body.h"
#include "device/winograd_products_body.h"
#include "device/winograd_tiles_body.h"

static void filter_block_bf16(const float *oihw, int channels, int k, int c, bool backward, float *u,
                              ptrdiff_t coef_step, int width)
{
    enum { ROW = 16 * 16 };
    float block[COEFS * ROW] __attribute__((aligned(64)));
    filter_block(oihw, channels, k, c, backward, block, ROW, 16);
    for (int coef = 0; coef < COEFS; coef++)
        for (int pair = 0; pair < 8; pair++)
            for (int at = 0; at < 16; at += VEC_LANES) {
                const float *from = block + coef * ROW + pair * 32 + at;
                vec_store(u + coef * coef_step + pair * width + at, vec_words(vec_load(from), vec_load(from + 16)));
            }
}

const winograd_kernels TABLE = {
    .pixel_words = 8,
    .line_words = LINE_WORDS,
    .pair = 2,
    .input = input_kernel,
    .output = output_kernel,
    .source = source_kernel,
    .gradient = gradient_kernel,
    .filter = filter_block_bf16,
    .filter_gradient = filter_gradient_block,
    .product = product_kernel,
    .outer_product = outer_product_kernel,
};
