/* winograd_products_body.h - the matrix products between the transforms, where most of the time goes. The
 * including file has defined multiply_add (for each of 16 sums: one product, or two of a pair) and
 * LINE_WORDS, the words of 16 channels.
 *
 * The largest kernel keeps 6 x 4 vectors of sums in registers, beside 4 of weights and one broadcast: 24
 * multiply-adds for 4 loads and 6 broadcasts. */

/* Lines fetched for a block of channels: what its weights have in cache lines, spread over the tiles. */
enum { AHEAD = PRODUCT_AHEAD_LINES * LINE_WORDS / 16 };

/* rows tiles by `vecs` vectors of output channels. */
ALWAYS_INLINE void product(const int rows, const int vecs, const float *v, ptrdiff_t v_step, const float *u, int blocks,
                           float *m, bool accumulate, const float *ahead)
{
    vec sum[PRODUCT_ROWS][4];
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            sum[r][b] = _mm512_setzero_ps();
            _mm_prefetch(m + (r * vecs + b) * 16, _MM_HINT_T0);
        }
    for (int block = 0; block < blocks; block++) {
        UNROLL(r, rows) /* the next coefficient of these tiles */
            _mm_prefetch(v + (r * LINES + 1) * LINE_WORDS, _MM_HINT_T0);
        UNROLL(i, AHEAD)
            _mm_prefetch(ahead + i * 16, _MM_HINT_T0);
        ahead += AHEAD * 16;
        UNROLL(c, LINE_WORDS) {
            vec weight[4];
            UNROLL(b, vecs)
                weight[b] = _mm512_load_ps(u + (c * vecs + b) * 16);
            UNROLL(r, rows) {
                const vec x = broadcast(v + r * LINES * LINE_WORDS + c);
                UNROLL(b, vecs)
                    sum[r][b] = multiply_add(x, weight[b], sum[r][b]);
            }
        }
        v += v_step;
        u += vecs * LINE_WORDS * 16;
    }
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            float *to = m + (r * vecs + b) * 16;
            _mm512_store_ps(to, accumulate ? add(sum[r][b], _mm512_load_ps(to)) : sum[r][b]);
        }
}

#define PRODUCT(ROWS, VECS)                                                                                            \
    static void product_##ROWS##x##VECS(const float *v, ptrdiff_t v_step, const float *u, int blocks, float *m,        \
                                        bool accumulate, const float *ahead)                                           \
    {                                                                                                                  \
        product(ROWS, VECS, v, v_step, u, blocks, m, accumulate, ahead);                                               \
    }
#define PRODUCTS(VECS)                                                                                                 \
    PRODUCT(1, VECS)                                                                                                   \
    PRODUCT(2, VECS) PRODUCT(3, VECS) PRODUCT(4, VECS) PRODUCT(5, VECS) PRODUCT(6, VECS)
PRODUCTS(1)
PRODUCTS(2)
PRODUCTS(3)
PRODUCTS(4)

static winograd_product *product_kernel(int rows, int width)
{
    static winograd_product *const kernels[4][PRODUCT_ROWS] = {
        {product_1x1, product_2x1, product_3x1, product_4x1, product_5x1, product_6x1},
        {product_1x2, product_2x2, product_3x2, product_4x2, product_5x2, product_6x2},
        {product_1x3, product_2x3, product_3x3, product_4x3, product_5x3, product_6x3},
        {product_1x4, product_2x4, product_3x4, product_4x4, product_5x4, product_6x4},
    };
    return kernels[width / 16 - 1][rows - 1];
}

/* `rows` of the 16 input channels by `vecs` vectors of output channels, summed over `tiles` (pairs in bf16).
 * `ahead` (or NULL): fetched on the way, a line for each tile. */
ALWAYS_INLINE void outer_product(const int rows, const int vecs, const float *v, const float *y, ptrdiff_t y_step,
                                 int tiles, float *du, bool accumulate, const float *ahead)
{
    vec sum[PRODUCT_ROWS][4];
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            sum[r][b] = _mm512_setzero_ps();
            _mm_prefetch(du + (r * vecs + b) * 16, _MM_HINT_T0);
        }
    for (int tile = 0; tile < tiles; tile++) {
        vec gradient[4];
        UNROLL(b, vecs)
            gradient[b] = _mm512_load_ps(y + b * y_step);
        if (ahead) {
            _mm_prefetch(ahead, _MM_HINT_T0);
            ahead += TILE_FLOATS;
        }
        UNROLL(r, rows) {
            const vec x = broadcast(v + r);
            UNROLL(b, vecs)
                sum[r][b] = multiply_add(x, gradient[b], sum[r][b]);
        }
        v += TILE_FLOATS;
        y += TILE_FLOATS;
    }
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            float *to = du + (r * vecs + b) * 16;
            _mm512_store_ps(to, accumulate ? add(sum[r][b], _mm512_load_ps(to)) : sum[r][b]);
        }
}

#define OUTER_PRODUCT(VECS)                                                                                            \
    static void outer_product_##VECS(const float *v, const float *y, ptrdiff_t y_step, int tiles, float *du,           \
                                     bool accumulate, const float *ahead)                                              \
    {                                                                                                                  \
        const int row = VECS * 16;                                                                                     \
        outer_product(6, VECS, v, y, y_step, tiles, du, accumulate, v + 16);                                           \
        outer_product(5, VECS, v + 6, y, y_step, tiles, du + 6 * row, accumulate, ahead);                              \
        outer_product(5, VECS, v + 11, y, y_step, tiles, du + 11 * row, accumulate, NULL);                             \
    }
OUTER_PRODUCT(1)
OUTER_PRODUCT(2)
OUTER_PRODUCT(3)
OUTER_PRODUCT(4)

static winograd_outer_product *outer_product_kernel(int width)
{
    static winograd_outer_product *const kernels[4] = {outer_product_1, outer_product_2, outer_product_3,
                                                       outer_product_4};
    return kernels[width / 16 - 1];
}
