/* winograd_taps.h - blocks of 16 filters by 16 input channels in PyTorch's order, transposed so that a vector holds one
 * tap of several filters, and back. For the bodies of the Winograd and the strided kernels only. */
#ifndef ONEBOX_DEVICE_WINOGRAD_TAPS_H
#define ONEBOX_DEVICE_WINOGRAD_TAPS_H

#include "device/vector.h"

enum { BLOCK_TAPS = 16 * 9 };

/* to[j][i] = from[i][j], 16 x 16 floats, rows from_step and to_step apart. */
ALWAYS_INLINE void transpose16(const float *from, ptrdiff_t from_step, float *to, ptrdiff_t to_step)
{
    for (int i = 0; i < 16; i += VEC_LANES)
        for (int j = 0; j < 16; j += VEC_LANES) {
            vec r[VEC_LANES];
            UNROLL(k, VEC_LANES)
                r[k] = vec_loadu(from + (i + k) * from_step + j);
            vec_transpose(r);
            UNROLL(k, VEC_LANES)
                vec_storeu(to + (j + k) * to_step + i, r[k]);
        }
}

/* 16 filters' rows of 16 input channels x 9 taps (rows `step` apart) to taps[input channel][tap][filter]. */
static inline void load_taps(const float *oihw, ptrdiff_t step, float *taps)
{
    for (int part = 0; part < 9; part++)
        transpose16(oihw + part * 16, step, taps + part * 16 * 16, 16);
}

static inline void store_taps(float *oihw, ptrdiff_t step, const float *taps)
{
    for (int part = 0; part < 9; part++)
        transpose16(taps + part * 16 * 16, 16, oihw + part * 16, step);
}

/* The same for a backward pass, where the taps are turned around and the two kinds of channels change places:
 * taps[filter][8 - tap][input channel]. */
static inline void load_turned_taps(const float *oihw, ptrdiff_t step, float *taps)
{
    float plain[BLOCK_TAPS * 16] __attribute__((aligned(64)));
    load_taps(oihw, step, plain);
    for (int tap = 0; tap < 9; tap++)
        transpose16(plain + tap * 16, 9 * 16, taps + (8 - tap) * 16, 9 * 16);
}

/* Taps of the block of input channels c.. and filters k.. of weights [k][channels][3][3]. */
static inline void load_block(const float *oihw, int channels, int k, int c, bool backward, float *taps)
{
    const ptrdiff_t step = (ptrdiff_t)channels * 9;
    (backward ? load_turned_taps : load_taps)(oihw + k * step + (ptrdiff_t)c * 9, step, taps);
}

static inline void store_block(float *oihw, int channels, int k, int c, const float *taps)
{
    const ptrdiff_t step = (ptrdiff_t)channels * 9;
    store_taps(oihw + k * step + (ptrdiff_t)c * 9, step, taps);
}

#endif
