/* direct_body.h - the kernels of direct_kernels.h for one instruction set. The including file has defined DIRECT_TABLE,
 * the table's name, and for bf16 DIRECT_BF16.
 *
 * A product keeps 6 x 4 vectors of sums in registers where there are 32, else 6 x 2: 24 multiply-adds for 4 loads and
 * 6 broadcasts.
 */
#include "device/direct_kernels.h"
#include "device/vector.h"

#include <string.h>

enum { VECS = VEC_REGISTERS == 32 ? 4 : 2, COLUMN = VECS * VEC_LANES };

#ifdef DIRECT_BF16
enum { LINE = 8, NUMBER_BYTES = 2 }; /* words of 16 channels */
ALWAYS_INLINE vec multiply_add(vec x, vec y, vec sum)
{
    return vec_dot_bf16(x, y, sum);
}
ALWAYS_INLINE vec load_pixel(const void *p, ptrdiff_t at)
{
    return vec_load_bf16((const uint16_t *)p + at);
}
ALWAYS_INLINE void store_pixel(void *p, ptrdiff_t at, vec x)
{
    vec_store_bf16((uint16_t *)p + at, x);
}
ALWAYS_INLINE void stream_pixel(void *p, ptrdiff_t at, vec x)
{
    vec_stream_bf16((uint16_t *)p + at, x);
}
#else
enum { LINE = 16, NUMBER_BYTES = 4 };
ALWAYS_INLINE vec multiply_add(vec x, vec y, vec sum)
{
    return vec_fma(x, y, sum);
}
ALWAYS_INLINE vec load_pixel(const void *p, ptrdiff_t at)
{
    return vec_loadu((const float *)p + at);
}
ALWAYS_INLINE void store_pixel(void *p, ptrdiff_t at, vec x)
{
    vec_storeu((float *)p + at, x);
}
ALWAYS_INLINE void stream_pixel(void *p, ptrdiff_t at, vec x)
{
    vec_stream((float *)p + at, x);
}
#endif

/* The word at p in all lanes; pairs in a plain input lie at any even address. */
ALWAYS_INLINE vec broadcast(const void *p)
{
    float word;
    memcpy(&word, p, sizeof word);
    return vec_set1(word);
}

static const float outside[16] __attribute__((aligned(64))); /* a line of zeros */

/* From the first channel of a column to vector b, in a tensor whose blocks of 16 channels are `plane` apart. */
ALWAYS_INLINE ptrdiff_t vector_at(int b, ptrdiff_t plane)
{
    return b * VEC_LANES / 16 * plane + b * VEC_LANES % 16;
}

ALWAYS_INLINE void finish(const int rows, const int vecs, vec sum[DIRECT_ROWS][VECS], const direct_store *store,
                          const direct_group *g)
{
    const direct_store kept = *store, *s = &kept; /* no store below changes it */
#define EVERY                                                                                                          \
    UNROLL(b, vecs)                                                                                                    \
        UNROLL(r, rows)
    if (s->bias)
        EVERY sum[r][b] = vec_add(sum[r][b], vec_loadu(s->bias + b * VEC_LANES));
    if (s->add)
        EVERY sum[r][b] = vec_add(sum[r][b], load_pixel(s->add, g->to[r] + vector_at(b, s->plane)));
    if (s->mask)
        EVERY sum[r][b] = vec_where_positive(load_pixel(s->mask, g->to[r] + vector_at(b, s->plane)), sum[r][b]);
    if (s->sums)
        UNROLL(b, vecs) {
            const vec center = vec_loadu(s->center + b * VEC_LANES);
            float *sums = s->sums + b * VEC_LANES, *squares = s->squares + b * VEC_LANES;
            vec first = vec_loadu(sums), second = vec_loadu(squares);
            UNROLL(r, rows) {
                const vec d = vec_sub(s->x ? load_pixel(s->x, g->to[r] + vector_at(b, s->plane)) : sum[r][b], center);
                first = vec_add(first, s->x ? sum[r][b] : d);
                second = vec_fma(s->x ? sum[r][b] : d, d, second);
            }
            vec_storeu(sums, first);
            vec_storeu(squares, second);
        }
    if (s->relu)
        EVERY sum[r][b] = vec_max(vec_zero(), sum[r][b]);
    if (s->stream)
        EVERY stream_pixel(s->dst, g->to[r] + vector_at(b, s->plane), sum[r][b]);
    else
        EVERY store_pixel(s->dst, g->to[r] + vector_at(b, s->plane), sum[r][b]);
#undef EVERY
}

/* Adds one word of each pixel times a row of weights. */
ALWAYS_INLINE void add_word(const int rows, const int vecs, vec sum[DIRECT_ROWS][VECS], const char *x[DIRECT_ROWS],
                            ptrdiff_t at, const float *weights)
{
    vec weight[VECS];
    UNROLL(b, vecs)
        weight[b] = vec_load(weights + b * VEC_LANES);
    UNROLL(r, rows) {
        const vec a = broadcast(x[r] + at);
        UNROLL(b, vecs)
            sum[r][b] = multiply_add(a, weight[b], sum[r][b]);
    }
}

ALWAYS_INLINE void product_one(const int rows, const int vecs, const direct_sum *s, const direct_group *g, float *kept,
                               const float *later)
{
    vec sum[DIRECT_ROWS][VECS];
    UNROLL(r, rows)
        UNROLL(b, vecs)
            sum[r][b] = s->again ? vec_load(kept + (r * vecs + b) * VEC_LANES) : vec_zero();
    const char *src = s->src;
    const float *u = s->u;
    for (int block = 0; block < s->blocks; block++) {
        const bool last = block == s->blocks - 1;
        const char *ahead = last ? s->src : src + s->src_step; /* the next block, or the next group's first */
        const ptrdiff_t next = last ? s->group_step : 0;
        const ptrdiff_t *at = g->at;
        for (int tap = 0; tap < g->taps; tap++) {
            const float *weights = u + g->tap[tap] * s->tap_step;
            const char *x[DIRECT_ROWS];
            UNROLL(r, rows) {
                x[r] = at[r] >= 0 ? src + at[r] : (const char *)outside;
                prefetch(ahead + at[next + r]);
            }
            UNROLL(i, 2)
                prefetch(later + i * 16);
            later += 2 * 16;
            if (s->words == LINE)
                UNROLL(c, LINE)
                    add_word(rows, vecs, sum, x, 4 * c, weights + c * vecs * VEC_LANES);
            else
                for (ptrdiff_t c = 0; c < s->words; c++)
                    add_word(rows, vecs, sum, x, 4 * c, weights + c * vecs * VEC_LANES);
            at += DIRECT_ROWS;
        }
        src += s->src_step;
        u += s->block_step;
    }
    if (s->unready)
        UNROLL(r, rows)
            UNROLL(b, vecs)
                vec_store(kept + (r * vecs + b) * VEC_LANES, sum[r][b]);
    else
        finish(rows, vecs, sum, s->store, g);
}

ALWAYS_INLINE void product(const int rows, const int vecs, const direct_sum *s, const direct_group *g, int count)
{
    float *kept = s->kept;
    const float *later = s->ahead;
    for (int i = 0; i < count; i++) {
        product_one(rows, vecs, s, g + i, kept, later);
        kept += DIRECT_ROWS * vecs * VEC_LANES;
        later += s->ahead_step;
    }
}

ALWAYS_INLINE void outer_product(const int rows, const int vecs, const direct_outer *o)
{
    vec sum[DIRECT_ROWS][VECS];
    UNROLL(r, rows)
        UNROLL(b, vecs)
            sum[r][b] = o->again ? vec_load(o->sums + (r * vecs + b) * VEC_LANES) : vec_zero();
    /* In bytes: else gcc adds a slower loop for steps of 1. */
    const ptrdiff_t x_step = o->x_step[0] * 4, y_step = o->y_step[0] * 4;
    for (int k = 0; k < o->count[2]; k++) {
        const char *fetch = o->fetch + k * o->fetch_jump;
        for (int j = 0; j < o->count[1]; j++) {
            const float *from = o->x + k * o->x_step[2] + j * o->x_step[1];
            const char *y = (const char *)(o->y + k * o->y_step[2] + j * o->y_step[1]), *x[DIRECT_ROWS];
            UNROLL(r, rows)
                x[r] = (const char *)(from + o->at[r]);
            ptrdiff_t at = 0;
            for (int i = 0; i < o->count[0]; i++) {
                vec gradient[VECS];
                prefetch(fetch);
                fetch += o->fetch_step;
                UNROLL(b, vecs)
                    gradient[b] = vec_load((const float *)(const void *)y + vector_at(b, o->plane));
                UNROLL(r, rows) {
                    const vec a = broadcast(x[r] + at);
                    UNROLL(b, vecs)
                        sum[r][b] = multiply_add(a, gradient[b], sum[r][b]);
                }
                y += y_step;
                at += x_step;
            }
        }
    }
    UNROLL(r, rows)
        UNROLL(b, vecs)
            vec_store(o->sums + (r * vecs + b) * VEC_LANES, sum[r][b]);
}

#define KERNELS(ROWS, VECS_)                                                                                           \
    static void product_##ROWS##x##VECS_(const direct_sum *s, const direct_group *g, int count)                        \
    {                                                                                                                  \
        product(ROWS, VECS_, s, g, count);                                                                             \
    }                                                                                                                  \
    static void outer_product_##ROWS##x##VECS_(const direct_outer *o)                                                  \
    {                                                                                                                  \
        outer_product(ROWS, VECS_, o);                                                                                 \
    }
#define COLUMN_KERNELS(VECS_)                                                                                          \
    KERNELS(1, VECS_)                                                                                                  \
    KERNELS(2, VECS_)                                                                                                  \
    KERNELS(3, VECS_)                                                                                                  \
    KERNELS(4, VECS_)                                                                                                  \
    KERNELS(5, VECS_)                                                                                                  \
    KERNELS(6, VECS_)
#define ROW_OF(NAME, VECS_)                                                                                            \
    {                                                                                                                  \
        NAME##_1x##VECS_, NAME##_2x##VECS_, NAME##_3x##VECS_, NAME##_4x##VECS_, NAME##_5x##VECS_, NAME##_6x##VECS_     \
    }

/* Columns narrower than 16 channels there are none, so all are full where a full one is no wider. */
#if defined(__AVX512F__)
COLUMN_KERNELS(1)
COLUMN_KERNELS(2)
COLUMN_KERNELS(3)
COLUMN_KERNELS(4)
#define TABLE_OF(NAME)                                                                                                 \
    {                                                                                                                  \
        ROW_OF(NAME, 1), ROW_OF(NAME, 2), ROW_OF(NAME, 3), ROW_OF(NAME, 4)                                             \
    }
#elif defined(__ARM_NEON)
COLUMN_KERNELS(4)
#define TABLE_OF(NAME)                                                                                                 \
    {                                                                                                                  \
        {0}, {0}, {0}, ROW_OF(NAME, 4)                                                                                 \
    }
#else
COLUMN_KERNELS(2)
#define TABLE_OF(NAME)                                                                                                 \
    {                                                                                                                  \
        {0}, ROW_OF(NAME, 2)                                                                                           \
    }
#endif

static direct_product *product_kernel(int rows, int width)
{
    static direct_product *const kernels[VECS][DIRECT_ROWS] = TABLE_OF(product);
    return kernels[width / VEC_LANES - 1][rows - 1];
}

static direct_outer_product *outer_product_kernel(int rows, int width)
{
    static direct_outer_product *const kernels[VECS][DIRECT_ROWS] = TABLE_OF(outer_product);
    return kernels[width / VEC_LANES - 1][rows - 1];
}

static void end_stores(void)
{
    vec_stream_end();
}

ALWAYS_INLINE void words_of(const void *first, const void *second, float *words, size_t count)
{
#ifdef DIRECT_BF16
    const uint16_t *low = first, *high = second;
    uint32_t *to = (uint32_t *)(void *)words;
    for (size_t i = 0; i < count; i++)
        to[i] = high ? low[i] | (uint32_t)high[i] << 16 : low[i];
#else
    (void)second;
    memcpy(words, first, count * sizeof *words);
#endif
}

static void make_words(const void *first, const void *second, float *words, size_t count)
{
    words_of(first, second, words, count);
}

static void make_lines(const void *first, const void *second, ptrdiff_t apart, float *words, int lines)
{
    const char *low = first, *high = second;
    for (int i = 0; i < lines; i++) {
        words_of(low, high, words, 16);
        low += apart * NUMBER_BYTES;
        high = high ? high + apart * NUMBER_BYTES : NULL;
        words += 16;
    }
}

const direct_kernels DIRECT_TABLE = {
    .column = COLUMN,
    .product = product_kernel,
    .outer_product = outer_product_kernel,
    .end_stores = end_stores,
    .words = make_words,
    .lines = make_lines,
#ifdef DIRECT_BF16
    .pair = 2,
#else
    .pair = 1,
#endif
};
