/* winograd_kernels.h - what winograd_passes.c and strided_passes.c use of the kernels: tile transforms, weight
 * transforms and matrix products, each on data of one thread. Not for use outside winograd*.c and strided*.c.
 *
 * Layouts with factors in fp32 (floats; pixels may be bf16):
 *   V  transformed input    [c/16][tile][37][16]
 *   Y  transformed gradient [k/16][tile][37][16]
 *   U  transformed weights  [k block][36][c * width + 16]: rows of `width` output channels, where a k block
 *      has 64 output channels and the last one the rest (16, 32 or 48)
 *   M  products             [36][tiles * width + 16]: rows of `width` output channels
 * The 37th coefficient (never touched) and the 16 floats behind each coefficient keep the addresses of
 * different coefficients from falling into the same cache sets.
 *
 * With factors in bf16 the processor multiplies pairs and adds both products to one float, so V, Y and U are
 * made of words of 32 bits, each a pair along the sum:
 *   V and U forward          two input channels: V lines and U rows count half
 *   V and Y of the weights   two tiles: [c/16][tile / 2][37][16 words]; what a pair lacks is zero
 * Everything below is counted in words (a float, or a pair); M and the weights' gradient are always fp32.
 */
#ifndef ONEBOX_DEVICE_WINOGRAD_KERNELS_H
#define ONEBOX_DEVICE_WINOGRAD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    COEFS = 36, /* coefficients of a 6x6 tile */
    LINES = 37, /* from tile to tile in V and Y */
    TILE_FLOATS = LINES * 16,
    K_BLOCK = 64,            /* output channels of one product */
    C_BLOCK = 64,            /* input channels of one piece of the weight gradient */
    PRODUCT_ROWS = 6,        /* most tiles of one product */
    PRODUCT_AHEAD_LINES = 6, /* cache lines fetched for each block of 16 channels; of bf16 half */
};

/* Transforms of the tile whose top left output pixel is (y, x) in one plane [h][w][16]. Sizes are outputs
 * along a side: 4, 3 or 2. Pixels outside the plane count as zero and are not written. */
typedef void winograd_input_tile(const void *plane, int h, int w, int y, int x, float *v);

/* The same for the weights' gradient, from source pixels or gradients: `second` (factors in bf16 only) says
 * that the tile is the second of its pair, whose first one has been transformed before. */
typedef void winograd_pair_tile(const void *plane, int h, int w, int y, int x, float *v, bool second);

/* What the output transform does with the results: winograd_epilogue for 16 channels and one picture. */
typedef struct winograd_store {
    const float *bias;          /* of the 16 channels, or NULL */
    const void *add, *mask, *x; /* planes like the output's, or NULL */
    const float *center;        /* with sums */
    void *plane;
    float *sums; /* 2 x 16, added to, or NULL */
    bool relu;
    bool stream; /* past the caches */
} winograd_store;
typedef void winograd_output_tile(const float *m, ptrdiff_t coef_step, const winograd_store *to, int h, int w, int y,
                                  int x);

/* Weights [k][c][3][3]: the 16 x 16 block of input channels c.. and output channels k.. goes to u, the row of
 * channel c in coefficient 0 of its k block: u[coef * coef_step + input channel * width + output channel].
 * With `backward` c and k change places and the taps are turned by 180 degrees. */
typedef void winograd_filter(const float *oihw, int channels, int k, int c, bool backward, float *u,
                             ptrdiff_t coef_step, int width);
/* The reverse for gradients: sums `copies` of u (copy_step apart) and writes dw of a 16 x 16 block. */
typedef void winograd_filter_gradient(float *oihw, int channels, int k, int c, const float *u, ptrdiff_t coef_step,
                                      int width, int copies, ptrdiff_t copy_step);

/* m[r][0..width) (+)= sum over channels of v[r][channel] * u[channel][0..width), r = 0..rows-1: rows 1 to 6,
 * width 16 to 64, `blocks` blocks of 16 channels, v_step apart. m's rows are `width` apart. On the way it
 * fetches the next coefficient of v, and PRODUCT_AHEAD_LINES lines from `ahead` on for each block (which may
 * lie outside of any memory: fetching never fails). */
typedef void winograd_product(const float *v, ptrdiff_t v_step, const float *u, int blocks, float *m, bool accumulate,
                              const float *ahead);
/* du[r][0..width) (+)= sum over tiles of v[tile][r] * y[tile][0..width), r = 0..15: v points at one
 * coefficient of tile 0 of one input channel block, y at that of the first output channel block; these are
 * y_step apart. On the way it fetches the next coefficient of v and one line for each tile from `ahead` on.
 */
typedef void winograd_outer_product(const float *v, const float *y, ptrdiff_t y_step, int tiles, float *du,
                                    bool accumulate, const float *ahead);

/* The kernels for one kind of numbers. Sizes are outputs along a tile's side, widths output channels. */
typedef struct winograd_kernels {
    int pixel_words; /* of 16 channels of a pixel in the tensors */
    int line_words;  /* of a line of V, forward */
    int pair;        /* tiles in a word of V and Y of the weights' gradient: 1 or 2 */
    winograd_input_tile *(*input)(int size_y, int size_x);
    winograd_output_tile *(*output)(int size_y, int size_x);
    winograd_pair_tile *(*source)(int size_y, int size_x);
    winograd_pair_tile *(*gradient)(int size_y, int size_x);
    winograd_filter *filter;
    winograd_filter_gradient *filter_gradient;
    winograd_product *(*product)(int rows, int width);
    winograd_outer_product *(*outer_product)(int width);
} winograd_kernels;
extern const winograd_kernels winograd_fp32_sse2, winograd_fp32_avx2, winograd_fp32_avx512, winograd_fp32_neon;
extern const winograd_kernels winograd_mixed_avx512, winograd_mixed_neon, winograd_bf16_avx512, winograd_bf16_neon;

#endif
