/* winograd_bf16_avx512.c - the Winograd kernels for tensors in bf16: transforms in fp32, their results
 * rounded to bf16, products of pairs added in fp32 (AVX512_BF16). */
#include "device/winograd_avx512.h"
#include "device/winograd_kernels.h"

enum { LINE_WORDS = 8, PAIRED = 1 };

#include "device/winograd_bf16_pixels.h"

ALWAYS_INLINE void store_line(float *line, vec x)
{
    _mm256_store_si256((__m256i *)(void *)line, narrow(x));
}

ALWAYS_INLINE void store_pair(float *line, vec x, bool second)
{
    __m512i word = _mm512_cvtepu16_epi32(narrow(x));
    if (second)
        word = _mm512_or_si512(_mm512_slli_epi32(word, 16), _mm512_load_si512(line));
    _mm512_store_si512(line, word);
}

ALWAYS_INLINE vec broadcast(const float *word)
{
    return set1(*word);
}

ALWAYS_INLINE vec multiply_add(vec x, vec y, vec sum)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)y);
}

#include "device/winograd_products_body.h"
#include "device/winograd_tiles_body.h"

const winograd_kernels winograd_kernels_bf16 = {
    .pixel_words = 8,
    .line_words = LINE_WORDS,
    .pair = 2,
    .input = input_kernel,
    .output = output_kernel,
    .source = source_kernel,
    .gradient = gradient_kernel,
    .filter = winograd_filter_block_bf16,
    .product = product_kernel,
    .outer_product = outer_product_kernel,
};
