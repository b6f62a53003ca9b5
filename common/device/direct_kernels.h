/* direct_kernels.h - what direct_passes.c and direct_weights.c use of direct_body.h, which is compiled for each
 * instruction set: products of matrices that stay in one thread. Not for use outside direct*.c.
 *
 * Factors are counted in words of 32 bits: a float, or in bf16 two numbers that follow each other along the sum, whose
 * products the processor adds to one float. A line is what the sum runs over without a gap in the source: 16 channels
 * of a pixel, or in a plain input a row of the kernel; `words` is its length.
 *
 *   weights          [column][block][tap][word][width]  a column is as many output channels as one product makes, the
 *                    last one the rest; blocks of 16 input channels and taps of the kernel, or in a plain input
 *                    channels and the kernel's rows
 *   their gradient   [column][tap][channel][width]; a plain input: [column][channel and tap][width]
 */
#ifndef ONEBOX_DEVICE_DIRECT_KERNELS_H
#define ONEBOX_DEVICE_DIRECT_KERNELS_H

#include "device/direct.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIRECT_ROWS = 6,    /* most pixels of one product; most input channels of one outer product */
    DIRECT_COLUMN = 64, /* the widest column of all instruction sets */
};

/* Up to 6 pixels of the result, and the taps that have source pixels for at least one of them. */
typedef struct direct_group {
    int rows, taps;
    const int *tap;            /* [taps] which they are */
    const ptrdiff_t *at;       /* [taps][6] the pixels' lines, in bytes from `src` below; negative: outside */
    ptrdiff_t to[DIRECT_ROWS]; /* elements from `dst` below to the pixel's first channel */
} direct_group;

/* The epilogue of winograd.h for one column: pointers are to its first channel. */
typedef struct direct_store {
    void *dst;
    const void *add, *mask, *x; /* like dst, or NULL */
    ptrdiff_t plane;            /* elements from 16 channels to the next 16 of a picture */
    const float *bias, *center; /* [width]; NULL: none */
    float *sums, *squares;      /* [width] each, added to, or NULL */
    bool relu;
    bool stream; /* past the caches */
} direct_store;

/* The sum over a piece of the blocks. */
typedef struct direct_sum {
    const char *src; /* first block */
    ptrdiff_t src_step;
    int blocks, words;
    ptrdiff_t group_step; /* from the group's `at` to the next group's, whose source is fetched ahead */
    const float *u;       /* weights of the first block */
    ptrdiff_t tap_step, block_step;
    const float *ahead;   /* weights that are needed later: two lines are fetched for each tap of a block, */
    ptrdiff_t ahead_step; /* from here on for the next group */
    float *kept;          /* sums between pieces [groups][6][width] */
    bool again, unready;  /* goes on from kept; leaves sums there instead of storing results */
    const direct_store *store;
} direct_sum;
typedef void direct_product(const direct_sum *s, const direct_group *g, int count); /* groups of as many rows */

/* sums[r][0..width) += x[pixel][r] * y[pixel][0..width), over three nested loops of pixels, the innermost first. */
typedef struct direct_outer {
    const float *x, *y;
    ptrdiff_t at[DIRECT_ROWS]; /* from x to the rows */
    ptrdiff_t plane;           /* of y, from 16 channels to the next 16 */
    int count[3];
    ptrdiff_t x_step[3], y_step[3];
    const char *fetch;                /* what is needed later: with each pixel a cache line is fetched, */
    ptrdiff_t fetch_step, fetch_jump; /* so many bytes behind the last; for each turn of the outermost loop from here */
    float *sums;
    bool again; /* else the sums begin with zero */
} direct_outer;
typedef void direct_outer_product(const direct_outer *o);

struct direct_kernels {
    int column; /* output channels of a full column */
    int pair;   /* numbers in a word: 1, or 2 in bf16 */
    direct_product *(*product)(int rows, int width);
    direct_outer_product *(*outer_product)(int rows, int width);
    void (*end_stores)(void); /* of a thread, after stores past the caches */
    /* Words of numbers of two pictures (second may be NULL: zeros), or in fp32 a copy: `count` of them, or lines of 16
     * channels that are `apart` numbers apart. */
    void (*words)(const void *first, const void *second, float *words, size_t count);
    void (*lines)(const void *first, const void *second, ptrdiff_t apart, float *words, int lines);
};

extern const direct_kernels direct_sse2, direct_avx2, direct_avx512, direct_bf16_avx512, direct_neon, direct_bf16_neon;

#endif
