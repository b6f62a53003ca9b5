/* strided_passes.c - the three passes of strided.h over blocks of tiles. Forward and backward data: each
 * thread takes blocks of its own. Weight gradients: the threads transform a block together, then each takes
 * products of other factors, so that every sum has one order. */
#include "device/strided.h"
#include "device/instructions.h"
#include "device/vector.h"
#include "device/winograd_plan.h"

#include <omp.h>

bool strided_supported(const strided_shape *s)
{
    const winograd_shape same = {.on = s->on, .n = s->n, .c = s->c, .k = s->k, .h = s->oh, .w = s->ow};
    return s->on->strided && winograd_supported(&same);
}

/* ---- tiles */

static tiling tiles_of(const strided_shape *s)
{
    const winograd_shape outputs = {.n = s->n, .c = 16, .k = 16, .h = s->oh, .w = s->ow};
    return tiling_of(&outputs);
}

static int tile_total(const strided_shape *s)
{
    return s->n * divide_up(s->oh, 4) * divide_up(s->ow, 4);
}

/* A block of tiles, and which of them have coefficient i (along rows) and j: first[i][j] to end[i][j] - 1. */
typedef struct strided_block {
    tile_block tiles;
    short first[SIDE_COEFS][SIDE_COEFS], end[SIDE_COEFS][SIDE_COEFS];
} strided_block;

static bool size_has_coef(int size, int i)
{
    if (i >= 5)
        return i - 5 < size;
    return size == 4 || i == 4 || i < size;
}

/* The order of tile_block_fill: smaller column, full, smaller row, both. */
static void fill_block(strided_block *b, const tiling *t, int tiles, int index, int total)
{
    int of_class[TILE_CLASSES] = {0};
    tile_block_fill(&b->tiles, t, index * tiles, min_int(tiles, total - index * tiles));
    for (int i = 0; i < b->tiles.count; i++)
        of_class[b->tiles.tiles[i].kind]++;
    for (int i = 0; i < SIDE_COEFS; i++)
        for (int j = 0; j < SIDE_COEFS; j++) {
            const bool row_has = size_has_coef(t->tail_y, i), column_has = size_has_coef(t->tail_x, j);
            int end = of_class[1] + of_class[0];
            if (row_has)
                end += of_class[2] + (column_has ? of_class[3] : 0);
            b->first[i][j] = (short)(column_has ? 0 : of_class[1]);
            b->end[i][j] = (short)end;
        }
}

/* The coefficients along a side that have factor f: first_coef(f) to end_coef(f) - 1. */
static int first_coef(int f)
{
    return f;
}

static int end_coef(int f)
{
    return f < 5 ? f + 1 : SIDE_COEFS;
}

/* ---- layouts */

static ptrdiff_t part_floats(int channels, int tiles)
{
    return (ptrdiff_t)(channels / 16) * tiles * TILE_FLOATS + 16 * 5;
}

static size_t v_floats(int channels, int tiles)
{
    return round_up(3 * (size_t)part_floats(channels, tiles));
}

static const float *coef_of(const float *v, ptrdiff_t part, int i, int j)
{
    return v + i / 3 * part + (i % 3 * SIDE_COEFS + j) * 16;
}

static size_t m_floats(int tiles)
{
    return round_up((size_t)STRIDED_COEFS * ((size_t)tiles * K_BLOCK + 16));
}

/* ---- weights */

size_t strided_weight_floats(const strided_shape *s)
{
    const int most = s->c > s->k ? s->c : s->k;
    return (size_t)COEFS * ((size_t)s->c * (size_t)s->k + 16 * (size_t)divide_up(most, K_BLOCK));
}

static void transform_weights(const strided_shape *s, const float *oihw, float *u, bool backward, int threads)
{
    const int in = backward ? s->k : s->c, out = backward ? s->c : s->k;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int o = 0; o < out; o += 16)
        for (int i = 0; i < in; i += 16) {
            const int start = o / K_BLOCK * K_BLOCK, width = k_block_width(start, out);
            float *to = u + u_offset(in, start) + (ptrdiff_t)i * width + o - start;
            s->on->strided->filter(oihw, s->c, backward ? i : o, backward ? o : i, backward, to, u_coef_step(in, width),
                                   width);
        }
}

void strided_weights_forward(const strided_shape *s, const float *oihw, float *u, int threads)
{
    transform_weights(s, oihw, u, false, threads);
}

void strided_weights_backward(const strided_shape *s, const float *oihw, float *u, int threads)
{
    transform_weights(s, oihw, u, true, threads);
}

/* ---- forward and backward data */

typedef struct data_pass {
    const instructions *on;
    int c, k; /* channels in and out of this pass */
    tiling t;
    int tiles, blocks, threads;
    int source_plane, result_plane; /* floats of 16 channels of a picture */
    const float *src, *u;
    float *dst;
    winograd_epilogue epilogue;
    float *rows; /* epilogue's sums: [blocks][2][k] */
    bool stream;
    strided_input_tile *input[TILE_CLASSES];
    strided_output_tile *output[TILE_CLASSES];
} data_pass;

static int tiles_at_once(int channels)
{
    return channels <= 64 ? 18 : channels <= 128 ? 30 : 60;
}

/* Blocks of at most `most` tiles, as many for each thread where there are enough. */
static void cut_tiles(int total, int most, int threads, int *tiles, int *blocks)
{
    const int wanted = divide_up(divide_up(total, most), threads) * threads;
    *tiles = divide_up(total, wanted);
    *blocks = divide_up(total, *tiles);
}

static void multiply_factor(const data_pass *p, const strided_block *b, const float *v, const float *u, float *m,
                            int width, int fi, int fj)
{
    const ptrdiff_t part = part_floats(p->c, p->tiles), step = (ptrdiff_t)p->tiles * TILE_FLOATS;
    const ptrdiff_t m_step = (ptrdiff_t)b->tiles.count * width + 16;
    const int c_blocks = p->c / 16, at_once = 16, positions = fi < 5 && fj < 5 ? 1 : fi < 5 || fj < 5 ? 4 : 16;
    for (int c = 0; c < c_blocks; c += at_once) {
        const int blocks = min_int(at_once, c_blocks - c);
        const float *now = u + (ptrdiff_t)c * 16 * width, *next = now + (ptrdiff_t)blocks * 16 * width;
        for (int i = first_coef(fi); i < end_coef(fi); i++)
            for (int j = first_coef(fj); j < end_coef(fj); j++) {
                const int from = b->first[i][j], count = b->end[i][j] - from;
                const int groups = divide_up(count > 0 ? count : 0, PRODUCT_ROWS);
                for (int g = 0; g < groups; g++) {
                    const int lo = from + g * count / groups, hi = from + (g + 1) * count / groups;
                    p->on->winograd[WINOGRAD_FP32]->product(hi - lo, width)(
                        coef_of(v, part, i, j) + c * step + (ptrdiff_t)lo * TILE_FLOATS, step, now, blocks,
                        m + (i * SIDE_COEFS + j) * m_step + (ptrdiff_t)lo * width, c > 0,
                        next + (ptrdiff_t)(positions == 1 ? g : 0) * blocks * PRODUCT_AHEAD_LINES * 16);
                }
            }
    }
}

static void finish_tiles(const data_pass *p, const strided_block *b, int k, int width, const float *m, float *row)
{
    const winograd_epilogue *e = &p->epilogue;
    const ptrdiff_t m_step = (ptrdiff_t)b->tiles.count * width + 16;
    for (int o = 0; o < width; o += 16) {
        float sums[32] = {0};
        for (int i = 0; i < b->tiles.count; i++) {
            const tile *q = &b->tiles.tiles[i];
            const ptrdiff_t plane = ((ptrdiff_t)q->n * (p->k / 16) + (k + o) / 16) * p->result_plane;
            const winograd_store to = store_at(e, p->dst, plane, k + o, sums, p->stream);
            p->output[q->kind](m + (ptrdiff_t)i * width + o, m_step, &to, p->t.h, p->t.w, q->y, q->x);
        }
        if (e->sums)
            row_keep(row, p->k, k + o, sums);
    }
}

static void transform_tiles(strided_input_tile *const kernels[TILE_CLASSES], const strided_block *b, const tiling *t,
                            const float *tensor, int channel_blocks, int plane_floats, int channel_block, int tiles,
                            float *v)
{
    const ptrdiff_t part = part_floats(channel_blocks * 16, tiles);
    v += (ptrdiff_t)channel_block * tiles * TILE_FLOATS;
    for (int i = 0; i < b->tiles.count; i++, v += TILE_FLOATS) {
        const tile *q = &b->tiles.tiles[i];
        const float *plane = tensor + ((ptrdiff_t)q->n * channel_blocks + channel_block) * plane_floats;
        kernels[q->kind](plane, t->h, t->w, q->y, q->x, v, part);
    }
}

static void run_data(data_pass *p, int total, float *scratch)
{
    const size_t v_size = v_floats(p->c, p->tiles), m_size = m_floats(p->tiles);
    if (p->epilogue.sums)
        p->rows = scratch + (size_t)p->threads * (v_size + m_size);
#pragma omp parallel num_threads(p->threads)
    {
        float *v = scratch + (size_t)omp_get_thread_num() * (v_size + m_size), *m = v + v_size;
        strided_block b;
#pragma omp for schedule(dynamic, 1)
        for (int index = 0; index < p->blocks; index++) {
            fill_block(&b, &p->t, p->tiles, index, total);
            float *row = p->rows ? p->rows + (ptrdiff_t)index * 2 * p->k : NULL;
            for (int c = 0; c < p->c / 16; c++)
                transform_tiles(p->input, &b, &p->t, p->src, p->c / 16, p->source_plane, c, p->tiles, v);
            for (int k = 0; k < p->k; k += K_BLOCK) {
                const int width = k_block_width(k, p->k);
                const float *u = p->u + u_offset(p->c, k);
                for (int fi = 0; fi < 6; fi++)
                    for (int fj = 0; fj < 6; fj++)
                        multiply_factor(p, &b, v, u + (fi * 6 + fj) * u_coef_step(p->c, width), m, width, fi, fj);
                finish_tiles(p, &b, k, width, m, row);
            }
        }
        vec_stream_end();
    }
    if (p->rows)
        rows_add(&p->epilogue, p->rows, p->blocks, p->k);
}

static data_pass pass_of(const strided_shape *s, bool backward, int threads)
{
    data_pass p = {.on = s->on,
                   .c = backward ? s->k : s->c,
                   .k = backward ? s->c : s->k,
                   .t = tiles_of(s),
                   .threads = threads,
                   .source_plane = s->oh * s->ow * 16 * (backward ? 1 : 4),
                   .result_plane = s->oh * s->ow * 16 * (backward ? 4 : 1)};
    cut_tiles(tile_total(s), tiles_at_once(p.c), threads, &p.tiles, &p.blocks);
    for (int kind = 0; kind < TILE_CLASSES; kind++) {
        const int size_y = kind & 2 ? p.t.tail_y : 4, size_x = kind & 1 ? p.t.tail_x : 4;
        p.input[kind] = (backward ? s->on->strided->spread : s->on->strided->source)(size_y, size_x);
        p.output[kind] = (backward ? s->on->strided->backward : s->on->strided->forward)(size_y, size_x);
    }
    return p;
}

static void run_pass(const strided_shape *s, bool backward, const float *src, const float *u, float *dst,
                     const winograd_epilogue *epilogue, float *scratch, int threads)
{
    data_pass p = pass_of(s, backward, threads);
    p.src = src;
    p.u = u;
    p.dst = dst;
    if (epilogue)
        p.epilogue = *epilogue;
    p.stream = stores_stream(dst, (size_t)s->n * (size_t)p.k / 16 * (size_t)p.result_plane * sizeof(float));
    run_data(&p, tile_total(s), scratch);
}

void strided_forward(const strided_shape *s, const float *src, const float *u, float *dst,
                     const winograd_epilogue *epilogue, float *scratch, int threads)
{
    run_pass(s, false, src, u, dst, epilogue, scratch, threads);
}

void strided_backward_data(const strided_shape *s, const float *ddst, const float *u_backward, float *dsrc,
                           const winograd_epilogue *epilogue, float *scratch, int threads)
{
    run_pass(s, true, ddst, u_backward, dsrc, epilogue, scratch, threads);
}

/* ---- backward weights */

static void weight_tiles(const strided_shape *s, int *tiles, int *blocks)
{
    cut_tiles(tile_total(s), s->c <= 64 ? 128 : 64, 1, tiles, blocks);
}

/* Adds the block's part of factor (fi, fj) of a piece; the first block writes it. */
static void multiply_piece(const strided_shape *s, const strided_block *b, int tiles, piece_place q, const float *v,
                           const float *y, float *piece, int fi, int fj, bool accumulate)
{
    const ptrdiff_t v_part = part_floats(s->c, tiles), y_part = part_floats(s->k, tiles),
                    step = (ptrdiff_t)tiles * TILE_FLOATS;
    float *du = piece + (fi * 6 + fj) * u_coef_step(q.channels, q.width);
    for (int i = first_coef(fi); i < end_coef(fi); i++)
        for (int j = first_coef(fj); j < end_coef(fj); j++) {
            const int first = b->first[i][j], count = b->end[i][j] - first;
            if (count <= 0 && accumulate)
                continue;
            const ptrdiff_t at = (ptrdiff_t)first * TILE_FLOATS;
            const float *from = coef_of(v, v_part, i, j) + q.c / 16 * step + at,
                        *gradient = coef_of(y, y_part, i, j) + q.k / 16 * step + at;
            for (int c = 0; c < q.channels; c += 16)
                s->on->winograd[WINOGRAD_FP32]->outer_product(q.width)(
                    from + c / 16 * step, gradient, step, count > 0 ? count : 0, du + c * q.width, accumulate,
                    gradient + c % q.width / 16 * step + 16);
            accumulate = true;
        }
}

void strided_backward_weights(const strided_shape *s, const float *src, const float *ddst, float *dw, float *scratch,
                              int threads)
{
    const tiling t = tiles_of(s);
    const int total = tile_total(s), pieces = piece_count(s->c, s->k);
    int tiles, blocks;
    weight_tiles(s, &tiles, &blocks);
    float *v = scratch, *y = v + v_floats(s->c, tiles), *du = y + v_floats(s->k, tiles);
    strided_input_tile *source[TILE_CLASSES], *gradient[TILE_CLASSES];
    for (int kind = 0; kind < TILE_CLASSES; kind++) {
        const int size_y = kind & 2 ? t.tail_y : 4, size_x = kind & 1 ? t.tail_x : 4;
        source[kind] = s->on->strided->source(size_y, size_x);
        gradient[kind] = s->on->strided->gradient(size_y, size_x);
    }
    const int plane = s->oh * s->ow * 16;
#pragma omp parallel num_threads(threads)
    {
        strided_block b;
        for (int index = 0; index < blocks; index++) {
            fill_block(&b, &t, tiles, index, total);
#pragma omp for schedule(dynamic, 1) nowait
            for (int c = 0; c < s->c / 16; c++)
                transform_tiles(source, &b, &t, src, s->c / 16, 4 * plane, c, tiles, v);
#pragma omp for schedule(dynamic, 1)
            for (int k = 0; k < s->k / 16; k++)
                transform_tiles(gradient, &b, &t, ddst, s->k / 16, plane, k, tiles, y);
#pragma omp for schedule(dynamic, 1) nowait
            for (int item = 6 * pieces - 1; item >= 0; item--) /* lines of factors, longest first */
                for (int fj = 0; fj < 6; fj++) {
                    const int piece = item % pieces, fi = item / pieces;
                    multiply_piece(s, &b, tiles, piece_at(s->c, s->k, piece), v, y, du + (size_t)piece * PIECE_FLOATS,
                                   fi, fj, index > 0);
                }
#pragma omp barrier
        }
#pragma omp for schedule(static) collapse(2)
        for (int piece = 0; piece < pieces; piece++)
            for (int channel = 0; channel < C_BLOCK; channel += 16) {
                const piece_place q = piece_at(s->c, s->k, piece);
                for (int o = 0; channel < q.channels && o < q.width; o += 16)
                    s->on->strided->filter_gradient(dw, s->c, q.k + o, q.c + channel,
                                                    du + (size_t)piece * PIECE_FLOATS + channel * q.width + o,
                                                    u_coef_step(q.channels, q.width), q.width);
            }
    }
}

/* ---- scratch */

static size_t data_floats(const strided_shape *s, bool backward, int threads)
{
    const data_pass p = pass_of(s, backward, threads);
    return (size_t)threads * (v_floats(p.c, p.tiles) + m_floats(p.tiles)) + (size_t)p.blocks * 2 * (size_t)p.k;
}

size_t strided_scratch_floats(const strided_shape *s, int threads)
{
    int tiles, blocks;
    weight_tiles(s, &tiles, &blocks);
    const size_t forward = data_floats(s, false, threads), backward = data_floats(s, true, threads);
    const size_t weights =
        v_floats(s->c, tiles) + v_floats(s->k, tiles) + (size_t)piece_count(s->c, s->k) * PIECE_FLOATS;
    const size_t most = forward > backward ? forward : backward;
    return most > weights ? most : weights;
}
