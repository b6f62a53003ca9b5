/* winograd_products_body.h - the matrix products between the transforms, where most of the time goes. The including
 * file has defined multiply_add (for each lane: one product, or two of a pair) and LINE_WORDS, words of 16 channels.
 *
 * The largest kernel keeps 6 x 4 vectors of sums in 32 registers, beside 4 of weights and one broadcast: 24
 * multiply-adds for 4 loads and 6 broadcasts. With 16 registers it is 6 x 2. What is wider is worked off in columns. */

enum {
    COLUMN_VECS = VEC_REGISTERS == 32 ? 4 : 2,     /* most vectors of a column */
    AHEAD = PRODUCT_AHEAD_LINES * LINE_WORDS / 16, /* lines fetched for a block of channels */
};

/* Vectors of a column of a product that is `width` wide. */
ALWAYS_INLINE int column_vecs(const int width)
{
    return width / VEC_LANES < COLUMN_VECS ? width / VEC_LANES : COLUMN_VECS;
}

/* rows tiles by `vecs` vectors of the `width` output channels. `first`: this is the first column, which
 * fetches the next coefficient of v; the lines from `ahead` on are shared out among the columns. */
ALWAYS_INLINE void product(const int rows, const int vecs, const int width, const float *v, ptrdiff_t v_step,
                           const float *u, int blocks, float *m, bool accumulate, const float *ahead, const bool first)
{
    const int columns = width / (vecs * VEC_LANES);
    vec sum[PRODUCT_ROWS][COLUMN_VECS];
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            sum[r][b] = vec_zero();
            if (b * VEC_LANES % 16 == 0)
                prefetch(m + r * width + b * VEC_LANES);
        }
    for (int block = 0; block < blocks; block++) {
        if (first)
            UNROLL(r, rows) /* the next coefficient of these tiles */
                prefetch(v + (r * LINES + 1) * LINE_WORDS);
        UNROLL(i, (AHEAD + columns - 1) / columns)
            prefetch(ahead + i * 16);
        ahead += AHEAD * 16 / columns;
        UNROLL(c, LINE_WORDS) {
            vec weight[COLUMN_VECS];
            UNROLL(b, vecs)
                weight[b] = vec_load(u + c * width + b * VEC_LANES);
            UNROLL(r, rows) {
                const vec x = vec_set1(v[r * LINES * LINE_WORDS + c]);
                UNROLL(b, vecs)
                    sum[r][b] = multiply_add(x, weight[b], sum[r][b]);
            }
        }
        v += v_step;
        u += width * LINE_WORDS;
    }
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            float *to = m + r * width + b * VEC_LANES;
            vec_store(to, accumulate ? vec_add(sum[r][b], vec_load(to)) : sum[r][b]);
        }
}

#define PRODUCT(ROWS, BLOCKS)                                                                                          \
    static void product_##ROWS##x##BLOCKS(const float *v, ptrdiff_t v_step, const float *u, int blocks, float *m,      \
                                          bool accumulate, const float *ahead)                                         \
    {                                                                                                                  \
        const int width = BLOCKS * 16, vecs = column_vecs(width);                                                      \
        for (int at = 0; at < width; at += vecs * VEC_LANES)                                                           \
            product(ROWS, vecs, width, v, v_step, u + at, blocks, m + at, accumulate,                                  \
                    ahead + (ptrdiff_t)blocks * AHEAD * 16 * at / width, at == 0);                                     \
    }
#define PRODUCTS(BLOCKS)                                                                                               \
    PRODUCT(1, BLOCKS)                                                                                                 \
    PRODUCT(2, BLOCKS) PRODUCT(3, BLOCKS) PRODUCT(4, BLOCKS) PRODUCT(5, BLOCKS) PRODUCT(6, BLOCKS)
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
ALWAYS_INLINE void outer_product(const int rows, const int vecs, const int width, const float *v, const float *y,
                                 ptrdiff_t y_step, int tiles, float *du, bool accumulate, const float *ahead)
{
    vec sum[PRODUCT_ROWS][COLUMN_VECS];
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            sum[r][b] = vec_zero();
            if (b * VEC_LANES % 16 == 0)
                prefetch(du + r * width + b * VEC_LANES);
        }
    for (int tile = 0; tile < tiles; tile++) {
        vec gradient[COLUMN_VECS];
        UNROLL(b, vecs)
            gradient[b] = vec_load(y + b * VEC_LANES / 16 * y_step + b * VEC_LANES % 16);
        if (ahead) {
            prefetch(ahead);
            ahead += TILE_FLOATS;
        }
        UNROLL(r, rows) {
            const vec x = vec_set1(v[r]);
            UNROLL(b, vecs)
                sum[r][b] = multiply_add(x, gradient[b], sum[r][b]);
        }
        v += TILE_FLOATS;
        y += TILE_FLOATS;
    }
    UNROLL(r, rows)
        UNROLL(b, vecs) {
            float *to = du + r * width + b * VEC_LANES;
            vec_store(to, accumulate ? vec_add(sum[r][b], vec_load(to)) : sum[r][b]);
        }
}

#define OUTER_PRODUCT(BLOCKS)                                                                                          \
    static void outer_product_##BLOCKS(const float *v, const float *y, ptrdiff_t y_step, int tiles, float *du,         \
                                       bool accumulate, const float *ahead)                                            \
    {                                                                                                                  \
        const int width = BLOCKS * 16, vecs = column_vecs(width);                                                      \
        for (int at = 0; at < width; at += vecs * VEC_LANES) {                                                         \
            const float *from = y + at / 16 * y_step + at % 16, *v_next = at ? NULL : v + 16;                          \
            float *to = du + at;                                                                                       \
            outer_product(6, vecs, width, v, from, y_step, tiles, to, accumulate, v_next);                             \
            outer_product(5, vecs, width, v + 6, from, y_step, tiles, to + 6 * width, accumulate, at ? NULL : ahead);  \
            outer_product(5, vecs, width, v + 11, from, y_step, tiles, to + 11 * width, accumulate, NULL);             \
        }                                                                                                              \
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
