/* winograd_filters_body.h - filters in PyTorch's order to coefficients, and coefficients' gradients back: the taps are
 * transposed, so that a vector holds one tap of several filters; then the transforms of winograd_transforms.h go along
 * both sides. */
#include "device/winograd_taps.h"

static void filter_block(const float *oihw, int channels, int k, int c, bool backward, float *u, ptrdiff_t coef_step,
                         int width)
{
    float taps[BLOCK_TAPS * 16] __attribute__((aligned(64)));
    load_block(oihw, channels, k, c, backward, taps);
    for (int at = 0; at < 16 * 16; at += VEC_LANES) {
        const int channel = at / 16, lane = at % 16;
        vec t[3][6];
        UNROLL(j, 3) {
            vec g[3];
            UNROLL(i, 3)
                g[i] = vec_load(taps + (channel * 9 + i * 3 + j) * 16 + lane);
            filter_1d(t[j], g);
        }
        UNROLL(i, 6) {
            vec row[6];
            const vec g[3] = {t[0][i], t[1][i], t[2][i]};
            filter_1d(row, g);
            UNROLL(j, 6)
                vec_store(u + (i * 6 + j) * coef_step + channel * width + lane, row[j]);
        }
    }
}

static void filter_gradient_block(float *oihw, int channels, int k, int c, const float *u, ptrdiff_t coef_step,
                                  int width, int copies, ptrdiff_t copy_step)
{
    float taps[BLOCK_TAPS * 16] __attribute__((aligned(64)));
    for (int at = 0; at < 16 * 16; at += VEC_LANES) {
        const int channel = at / 16, lane = at % 16;
        vec t[6][3];
        UNROLL(j, 6) {
            vec d[6];
            UNROLL(i, 6) {
                const float *from = u + (i * 6 + j) * coef_step + channel * width + lane;
                d[i] = vec_load(from);
                for (int copy = 1; copy < copies; copy++)
                    d[i] = vec_add(d[i], vec_load(from + copy * copy_step));
            }
            filter_gradient_1d(t[j], d);
        }
        UNROLL(i, 3) {
            vec row[3];
            const vec d[6] = {t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i]};
            filter_gradient_1d(row, d);
            UNROLL(j, 3)
                vec_store(taps + (channel * 9 + i * 3 + j) * 16 + lane, row[j]);
        }
    }
    store_block(oihw, channels, k, c, taps);
}
