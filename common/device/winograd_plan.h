/* winograd_plan.h - how winograd_passes.c and strided_passes.c cut the work: pictures into tiles, tiles into
 * blocks; and what else the two share. Not for use outside winograd*.c and strided*.c, but for the small functions
 * that direct*.c share. */
#ifndef ONEBOX_DEVICE_WINOGRAD_PLAN_H
#define ONEBOX_DEVICE_WINOGRAD_PLAN_H

#include "device/winograd.h"
#include "device/winograd_kernels.h"

enum { MAX_BLOCK_TILES = 256 };

/* Tiles of one picture: 4x4 outputs, except that the last row and the last column of tiles may be smaller
 * (56 = 14 x 4, 14 = 3 x 4 + 2, 7 = 4 + 3). A last side of 1 uses a tile of 2. */
typedef struct tiling {
    int h, w;
    int rows, columns;  /* of tiles */
    int tail_y, tail_x; /* outputs along a side of the last row and column: 4, 3 or 2 */
} tiling;

/* A tile's class is 2 (in a smaller last row) + 1 (in a smaller last column). */
enum { TILE_CLASSES = 4 };

typedef struct tile {
    int n;    /* picture */
    int y, x; /* its top left output */
    int kind; /* class */
} tile;

/* A run of tiles (counted over pictures, rows, columns), ordered by class: smaller column, full, smaller row,
 * both. In this order the tiles that have a certain coefficient are neighbours, first[coef] to
 * end[coef] - 1. */
typedef struct tile_block {
    int count;
    short first[COEFS], end[COEFS];
    tile tiles[MAX_BLOCK_TILES];
} tile_block;

/* How a pass is cut. */
typedef struct blocking {
    int tiles;   /* of a block, at most */
    int blocks;  /* in all */
    bool shared; /* all threads work on one block after another; else each thread has blocks of its own */
    int ranges;  /* forward, shared: parts of a block's tiles that can be worked on apart */
} blocking;

tiling tiling_of(const winograd_shape *s);
int tiling_count(const winograd_shape *s);
void tile_block_fill(tile_block *b, const tiling *t, int start, int count);

blocking blocking_forward(const winograd_shape *s, int threads);
blocking blocking_weights(const winograd_shape *s, int threads);

static inline int min_int(int a, int b)
{
    return a < b ? a : b;
}

static inline int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

/* Floats of a part of the work area, with room behind it for fetches ahead. */
static inline size_t round_up(size_t floats)
{
    return (floats + 15) / 16 * 16 + 16 * 8;
}

/* From coefficient to coefficient of U (or of its gradient), for a k block of `width` and `rows` rows: one
 * for each input channel, with factors in bf16 for each two. */
static inline ptrdiff_t u_coef_step(int rows, int width)
{
    return (ptrdiff_t)rows * width + 16;
}

/* Where the k block that starts at output channel k lies in U: all blocks before it are K_BLOCK wide. */
static inline ptrdiff_t u_offset(int rows, int k)
{
    return k / K_BLOCK * COEFS * u_coef_step(rows, K_BLOCK);
}

/* Output channels of the k block that starts at k. */
static inline int k_block_width(int k, int channels)
{
    return min_int(channels - k, K_BLOCK);
}

/* The gradient of U is summed in pieces of at most C_BLOCK input by K_BLOCK output channels, each
 * [36][channels * width + 16]. Pieces of the same output channels follow each other. */
typedef struct piece_place {
    int c, channels; /* first input channel, and how many */
    int k, width;    /* output channels */
} piece_place;

enum { PIECE_FLOATS = COEFS * (C_BLOCK * K_BLOCK + 16) };

/* Pieces of c by k channels, and the place of piece `index`. */
int piece_count(int c, int k);
piece_place piece_at(int c, int k, int index);

/* Where a tensor of `bytes` at `dst` is stored past the caches: when it is larger than they are. */
bool stores_stream(const void *dst, size_t bytes);

/* What the output transform does for 16 channels from `channel` on of the plane `at` words into the tensors.
 * `sums`: 2 x 16 floats, used when the epilogue gathers sums. */
static inline winograd_store store_at(const winograd_epilogue *e, float *dst, ptrdiff_t at, int channel, float *sums,
                                      bool stream)
{
    return (winograd_store){.bias = e->bias ? e->bias + channel : NULL,
                            .add = e->add ? (const float *)e->add + at : NULL,
                            .mask = e->mask ? (const float *)e->mask + at : NULL,
                            .x = e->x ? (const float *)e->x + at : NULL,
                            .center = e->center ? e->center + channel : NULL,
                            .plane = dst + at,
                            .sums = e->sums ? sums : NULL,
                            .relu = e->relu,
                            .stream = stream};
}

/* A part of the work keeps its sums in a row [2][channels]: those of 16 channels from `channel` on. */
void row_keep(float *row, int channels, int channel, const float sums[32]);

/* Adds `count` rows in their order to e->sums. */
void rows_add(const winograd_epilogue *e, const float *rows, int count, int channels);

#endif
