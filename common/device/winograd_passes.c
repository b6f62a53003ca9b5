/* winograd_passes.c - the three passes over blocks of tiles.
 *
 * Each thread takes blocks of its own; with few channels their V and M stay in its second-level cache. Where there
 * are few tiles, and for the weight gradient of many channels, the threads share one block's V, and each takes other
 * output channels. Which thread takes which block is left open where a block's results do not meet those of others
 * (forward), and fixed where they are summed (weight gradients).
 */
#include "device/instructions.h"
#include "device/vector.h"
#include "device/winograd_plan.h"

#include <omp.h>
#include <stdint.h>

/* ---- weights */

static const winograd_kernels *kernels_of(const winograd_shape *s)
{
    return s->on->winograd[s->numbers];
}

/* Rows of U for `channels` input channels. */
static int u_rows(const winograd_kernels *kernels, int channels)
{
    return channels / 16 * kernels->line_words;
}

size_t winograd_weight_floats(const winograd_shape *s)
{
    const int most = s->c > s->k ? s->c : s->k, blocks = (most + K_BLOCK - 1) / K_BLOCK;
    const size_t words = (size_t)s->c * (size_t)s->k / (s->numbers == WINOGRAD_BF16 ? 2 : 1);
    return (size_t)COEFS * (words + 16 * (size_t)blocks);
}

static void transform_weights(const winograd_shape *s, const float *oihw, float *u, bool backward, int threads)
{
    const winograd_kernels *kernels = kernels_of(s);
    const int in = backward ? s->k : s->c, out = backward ? s->c : s->k, rows = u_rows(kernels, in);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int o = 0; o < out; o += 16)
        for (int i = 0; i < in; i += 16) {
            const int start = o / K_BLOCK * K_BLOCK, width = k_block_width(start, out);
            const ptrdiff_t step = u_coef_step(rows, width);
            float *to = u + u_offset(rows, start) + (ptrdiff_t)u_rows(kernels, i) * width + o - start;
            kernels->filter(oihw, s->c, backward ? i : o, backward ? o : i, backward, to, step, width);
        }
}

void winograd_weights_forward(const winograd_shape *s, const float *oihw, float *u, int threads)
{
    transform_weights(s, oihw, u, false, threads);
}

void winograd_weights_backward(const winograd_shape *s, const float *oihw, float *u, int threads)
{
    transform_weights(s, oihw, u, true, threads);
}

/* ---- source rows fetched ahead */

/* Walks the rows of pixels of a block's tiles, plane by plane, while another block is computed. */
typedef struct fetcher {
    const float *tensor;
    int pixel_words;
    const tile_block *block; /* NULL: nothing to fetch */
    const tiling *t;
    int channel_blocks;
    int lines;                    /* rows of pixels to fetch in a step */
    int channel_block, tile, row; /* the next one */
} fetcher;

/* Where the plane of a channel block of picture n begins, in words. */
static ptrdiff_t plane_at(const tiling *t, int pixel_words, int channel_blocks, int n, int channel_block)
{
    return ((ptrdiff_t)n * channel_blocks + channel_block) * t->h * t->w * pixel_words;
}

/* `calls` calls of fetch_some will go through the whole block. */
static fetcher fetch_block(const float *tensor, int pixel_words, const tile_block *b, const tiling *t, int channels,
                           int calls)
{
    return (fetcher){.tensor = tensor,
                     .pixel_words = pixel_words,
                     .block = b,
                     .t = t,
                     .channel_blocks = channels / 16,
                     .lines = (channels / 16 * b->count * 4 + calls - 1) / calls};
}

static void fetch_some(fetcher *f)
{
    if (!f->block)
        return;
    for (int i = 0; i < f->lines; i++) {
        const tile *q = &f->block->tiles[f->tile];
        if (q->y + f->row < f->t->h) {
            const float *line = f->tensor + plane_at(f->t, f->pixel_words, f->channel_blocks, q->n, f->channel_block) +
                                ((ptrdiff_t)(q->y + f->row) * f->t->w + q->x) * f->pixel_words;
            const int words = min_int(4, f->t->w - q->x) * f->pixel_words;
            for (int j = 0; j < words; j += 16)
                prefetch(line + j);
        }
        if (++f->row < 4)
            continue;
        f->row = 0;
        if (++f->tile < f->block->count)
            continue;
        f->tile = 0;
        if (++f->channel_block == f->channel_blocks) {
            f->block = NULL;
            return;
        }
    }
}

/* ---- forward, and backward data, which is a forward pass with other weights */

typedef struct forward_pass {
    winograd_shape s; /* c in, k out */
    const winograd_kernels *kernels;
    tiling t;
    blocking cut;
    const float *src, *u; /* tensors in words: two pixels of a channel in bf16 */
    float *dst;
    winograd_epilogue epilogue;
    float *rows; /* epilogue's sums: [blocks][ranges][2][k], added up in this order at the end */
    bool stream;
    winograd_input_tile *input[TILE_CLASSES];
    winograd_output_tile *output[TILE_CLASSES];
} forward_pass;

/* From tile to tile and from channel block to channel block of V. */
static int tile_words(const winograd_kernels *kernels)
{
    return LINES * kernels->line_words;
}

static ptrdiff_t v_step(const winograd_kernels *kernels, const blocking *cut)
{
    return (ptrdiff_t)cut->tiles * tile_words(kernels);
}

static size_t v_floats(const winograd_kernels *kernels, int channels, const blocking *cut)
{
    return round_up((size_t)channels / 16 * (size_t)v_step(kernels, cut));
}

static size_t m_floats(const blocking *cut)
{
    return round_up((size_t)COEFS * ((size_t)cut->tiles * K_BLOCK + 16));
}

/* V of one channel block. */
static void transform_input(const forward_pass *p, const tile_block *b, int channel_block, float *v)
{
    const int words = p->kernels->pixel_words, step = tile_words(p->kernels);
    v += channel_block * v_step(p->kernels, &p->cut);
    for (int i = 0; i < b->count; i++, v += step) {
        const tile *q = &b->tiles[i];
        const float *plane = p->src + plane_at(&p->t, words, p->s.c / 16, q->n, channel_block);
        p->input[q->kind](plane, p->t.h, p->t.w, q->y, q->x, v);
    }
}

/* The outputs of tiles first .. end-1 in the k block that starts at k, by way of M. `row` is where this part
 * of block and range puts its sums. */
static void multiply(const forward_pass *p, const tile_block *b, int k, int first, int end, const float *v, float *m,
                     float *row, fetcher *fetch)
{
    const int width = k_block_width(k, p->s.k), c_blocks = p->s.c / 16, at_once = 16;
    const int words = p->kernels->line_words, rows = u_rows(p->kernels, p->s.c);
    const ptrdiff_t u_step = u_coef_step(rows, width), m_step = (ptrdiff_t)(end - first) * width + 16;
    const ptrdiff_t step = v_step(p->kernels, &p->cut), tile_step = tile_words(p->kernels);
    const float *u = p->u + u_offset(rows, k);
    for (int coef = 0; coef < COEFS; coef++) {
        const int from = b->first[coef] > first ? b->first[coef] : first, count = min_int(b->end[coef], end) - from;
        const int groups = count > 0 ? (count + PRODUCT_ROWS - 1) / PRODUCT_ROWS : 0;
        for (int c = 0; c < c_blocks; c += at_once) {
            const float *now = u + coef * u_step + (ptrdiff_t)c * words * width;
            const float *next =
                c + at_once < c_blocks ? now + (ptrdiff_t)at_once * words * width : u + (coef + 1) * u_step;
            for (int g = 0; g < groups; g++) {
                const int lo = from + g * count / groups, hi = from + (g + 1) * count / groups;
                p->kernels->product(hi - lo, width)(v + c * step + lo * tile_step + coef * words, step, now,
                                                    min_int(at_once, c_blocks - c),
                                                    m + coef * m_step + (ptrdiff_t)(lo - first) * width, c > 0,
                                                    next + (ptrdiff_t)g * at_once * PRODUCT_AHEAD_LINES * words);
                if (fetch)
                    fetch_some(fetch);
            }
        }
    }
    for (int o = 0; o < width; o += 16) {
        const winograd_epilogue *e = &p->epilogue;
        float sums[32] = {0};
        for (int i = first; i < end; i++) {
            const tile *q = &b->tiles[i];
            const ptrdiff_t plane = plane_at(&p->t, p->kernels->pixel_words, p->s.k / 16, q->n, (k + o) / 16);
            const winograd_store to = store_at(e, p->dst, plane, k + o, sums, p->stream);
            p->output[q->kind](m + (ptrdiff_t)(i - first) * width + o, m_step, &to, p->t.h, p->t.w, q->y, q->x);
        }
        if (e->sums)
            row_keep(row, p->s.k, k + o, sums);
    }
}

static float *row_of(const forward_pass *p, int index, int range)
{
    return p->rows ? p->rows + ((ptrdiff_t)index * p->cut.ranges + range) * 2 * p->s.k : NULL;
}

static void fill_block(tile_block *b, const tiling *t, const blocking *cut, int index, int total)
{
    const int start = index * cut->tiles;
    tile_block_fill(b, t, start, min_int(cut->tiles, total - start));
}

/* Blocks of each thread's own. */
static void forward_private(const forward_pass *p, float *scratch, int threads)
{
    const size_t v_size = v_floats(p->kernels, p->s.c, &p->cut), m_size = m_floats(&p->cut);
    const int total = tiling_count(&p->s), c_blocks = p->s.c / 16;
    int next_block = 0; /* counted from the first blocks, one for each thread */
#pragma omp parallel num_threads(threads)
    {
        float *v = scratch + (size_t)omp_get_thread_num() * (v_size + m_size), *m = v + v_size;
        tile_block two[2], *now = &two[0], *next = &two[1];
        int index = omp_get_thread_num();
        if (index < p->cut.blocks)
            fill_block(now, &p->t, &p->cut, index, total);
        while (index < p->cut.blocks) {
            fetcher fetch = {0};
            float *row = row_of(p, index, 0);
#pragma omp atomic capture
            index = next_block++;
            index += omp_get_num_threads();
            if (index < p->cut.blocks) {
                fill_block(next, &p->t, &p->cut, index, total);
                const int groups = (next->count + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
                fetch = fetch_block(p->src, p->kernels->pixel_words, next, &p->t, p->s.c,
                                    divide_up(p->s.k, K_BLOCK) * COEFS * groups);
            }
            for (int c = 0; c < c_blocks; c++)
                transform_input(p, now, c, v);
            for (int k = 0; k < p->s.k; k += K_BLOCK)
                multiply(p, now, k, 0, now->count, v, m, row, &fetch);
            tile_block *done = now;
            now = next;
            next = done;
        }
        vec_stream_end();
    }
}

/* One block after another by all threads. */
static void forward_shared(const forward_pass *p, float *scratch, int threads)
{
    const size_t v_size = v_floats(p->kernels, p->s.c, &p->cut), m_size = m_floats(&p->cut);
    const int total = tiling_count(&p->s), c_blocks = p->s.c / 16, ranges = p->cut.ranges;
    float *v = scratch;
#pragma omp parallel num_threads(threads)
    {
        float *m = scratch + v_size + (size_t)omp_get_thread_num() * m_size;
        tile_block b;
        for (int index = 0; index < p->cut.blocks; index++) {
            fill_block(&b, &p->t, &p->cut, index, total);
#pragma omp for schedule(dynamic, 1)
            for (int c = 0; c < c_blocks; c++)
                transform_input(p, &b, c, v);
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int k = 0; k < p->s.k; k += K_BLOCK)
                for (int r = 0; r < ranges; r++)
                    multiply(p, &b, k, r * b.count / ranges, (r + 1) * b.count / ranges, v, m, row_of(p, index, r),
                             NULL);
        }
        vec_stream_end();
    }
}

/* V and M of all threads. */
static size_t work_floats(const winograd_shape *s, const blocking *cut, int threads)
{
    const size_t v = v_floats(kernels_of(s), s->c, cut), m = m_floats(cut);
    return cut->shared ? v + (size_t)threads * m : (size_t)threads * (v + m);
}

static void run_forward(const winograd_shape *s, const void *src, const float *u, void *dst,
                        const winograd_epilogue *epilogue, float *scratch, int threads)
{
    forward_pass p = {.s = *s,
                      .kernels = kernels_of(s),
                      .t = tiling_of(s),
                      .cut = blocking_forward(s, threads),
                      .src = src,
                      .u = u,
                      .dst = dst};
    if (epilogue)
        p.epilogue = *epilogue;
    p.stream = stores_stream(dst, (size_t)s->n * (size_t)s->k * (size_t)s->h * (size_t)s->w *
                                      (s->numbers == WINOGRAD_FP32 ? 4 : 2));
    for (int kind = 0; kind < TILE_CLASSES; kind++) {
        const int size_y = kind & 2 ? p.t.tail_y : 4, size_x = kind & 1 ? p.t.tail_x : 4;
        p.input[kind] = p.kernels->input(size_y, size_x);
        p.output[kind] = p.kernels->output(size_y, size_x);
    }
    if (p.epilogue.sums)
        p.rows = scratch + work_floats(s, &p.cut, threads);
    if (p.cut.shared)
        forward_shared(&p, scratch, threads);
    else
        forward_private(&p, scratch, threads);
    if (p.rows)
        rows_add(&p.epilogue, p.rows, p.cut.blocks * p.cut.ranges, s->k);
}

void winograd_forward(const winograd_shape *s, const void *src, const float *u, void *dst,
                      const winograd_epilogue *epilogue, float *scratch, int threads)
{
    run_forward(s, src, u, dst, epilogue, scratch, threads);
}

static winograd_shape reversed(const winograd_shape *s)
{
    winograd_shape r = *s;
    r.c = s->k;
    r.k = s->c;
    return r;
}

void winograd_backward_data(const winograd_shape *s, const void *ddst, const float *u_backward, void *dsrc,
                            const winograd_epilogue *epilogue, float *scratch, int threads)
{
    const winograd_shape r = reversed(s);
    run_forward(&r, ddst, u_backward, dsrc, epilogue, scratch, threads);
}

/* ---- backward weights */

typedef struct weights_pass {
    winograd_shape s;
    const winograd_kernels *kernels;
    tiling t;
    blocking cut;
    const float *src, *ddst;
    float *dw;
    winograd_pair_tile *source[TILE_CLASSES], *gradient[TILE_CLASSES];
} weights_pass;

/* From channel block to channel block of V and Y: lines of 16 words, each for one tile or a pair. */
static ptrdiff_t pairs_step(const winograd_kernels *kernels, const blocking *cut)
{
    return (ptrdiff_t)((cut->tiles + kernels->pair - 1) / kernels->pair) * TILE_FLOATS;
}

static size_t pairs_floats(const winograd_kernels *kernels, int channels, const blocking *cut)
{
    return round_up((size_t)channels / 16 * (size_t)pairs_step(kernels, cut));
}

/* Transforms channel block `index` of `channel_blocks` of the block's tiles. */
static void transform_pairs(const weights_pass *p, winograd_pair_tile *const kernel[TILE_CLASSES], const float *tensor,
                            const tile_block *b, int channel_blocks, int index, float *v)
{
    const int pair = p->kernels->pair;
    v += index * pairs_step(p->kernels, &p->cut);
    for (int i = 0; i < b->count; i++) {
        const tile *q = &b->tiles[i];
        const float *plane = tensor + plane_at(&p->t, p->kernels->pixel_words, channel_blocks, q->n, index);
        kernel[q->kind](plane, p->t.h, p->t.w, q->y, q->x, v + (ptrdiff_t)(i / pair) * TILE_FLOATS, i % pair != 0);
    }
}

static void transform_gradient(const weights_pass *p, const tile_block *b, int channel_block, float *y)
{
    transform_pairs(p, p->gradient, p->ddst, b, p->s.k / 16, channel_block, y);
}

static void transform_source(const weights_pass *p, const tile_block *b, int channel_block, float *v)
{
    transform_pairs(p, p->source, p->src, b, p->s.c / 16, channel_block, v);
}

/* Adds (or, first, writes) the block's part of one coefficient of one piece. */
static void multiply_piece(const weights_pass *p, const tile_block *b, int index, int coef, const float *v,
                           const float *y, float *piece, bool accumulate, fetcher fetch[2])
{
    const piece_place q = piece_at(p->s.c, p->s.k, index);
    const ptrdiff_t step = pairs_step(p->kernels, &p->cut);
    const int at_once = 64, pair = p->kernels->pair;
    const int first = b->first[coef] / pair, end = (b->end[coef] + pair - 1) / pair;
    float *du = piece + coef * u_coef_step(q.channels, q.width);
    const int count = end - first, parts = count > at_once ? (count + at_once - 1) / at_once : 1;
    for (int i = 0; i < parts; i++) {
        const int from = i * count / parts, tiles = (i + 1) * count / parts - from;
        const ptrdiff_t at = (ptrdiff_t)(first + from) * TILE_FLOATS + coef * 16;
        for (int c = 0; c < q.channels; c += 16) {
            p->kernels->outer_product(q.width)(v + (q.c + c) / 16 * step + at, y + q.k / 16 * step + at, step, tiles,
                                               du + c * q.width, accumulate,
                                               y + (q.k + c % q.width) / 16 * step + at + 16);
            if (fetch) {
                fetch_some(&fetch[0]);
                fetch_some(&fetch[1]);
            }
        }
        accumulate = true;
    }
}

/* dw of the piece's 16 input channels from c + `channel` on; the sum of its copies, in order. */
static void finish_channels(const weights_pass *p, int index, int channel, const float *piece, int copies,
                            size_t copy_step)
{
    const piece_place q = piece_at(p->s.c, p->s.k, index);
    for (int o = 0; o < q.width; o += 16)
        p->kernels->filter_gradient(p->dw, p->s.c, q.k + o, q.c + channel, piece + (ptrdiff_t)channel * q.width + o,
                                    u_coef_step(q.channels, q.width), q.width, copies, (ptrdiff_t)copy_step);
}

static size_t weights_private_floats(const winograd_shape *s, const blocking *cut)
{
    const winograd_kernels *kernels = kernels_of(s);
    return pairs_floats(kernels, s->c, cut) + pairs_floats(kernels, s->k, cut) +
           (size_t)piece_count(s->c, s->k) * PIECE_FLOATS;
}

/* Each thread sums a fixed run of blocks into pieces of its own. */
static void weights_private(const weights_pass *p, float *scratch, int threads)
{
    const int total = tiling_count(&p->s), pieces = piece_count(p->s.c, p->s.k);
    const size_t v_size = pairs_floats(p->kernels, p->s.c, &p->cut), y_size = pairs_floats(p->kernels, p->s.k, &p->cut);
    const size_t share = weights_private_floats(&p->s, &p->cut);
#pragma omp parallel num_threads(threads)
    {
        const int thread = omp_get_thread_num(), workers = min_int(omp_get_num_threads(), p->cut.blocks);
        float *v = scratch + (size_t)thread * share, *y = v + v_size, *du = y + y_size;
        tile_block two[2], *now = &two[0], *next = &two[1];
        const int first = thread < workers ? (int)((int64_t)p->cut.blocks * thread / workers) : 0;
        const int end = thread < workers ? (int)((int64_t)p->cut.blocks * (thread + 1) / workers) : 0;
        if (first < end)
            fill_block(now, &p->t, &p->cut, first, total);
        for (int index = first; index < end; index++) {
            fetcher fetch[2] = {{.tensor = p->src, .block = next, .t = &p->t, .channel_blocks = p->s.c / 16},
                                {.tensor = p->ddst, .block = next, .t = &p->t, .channel_blocks = p->s.k / 16}};
            if (index + 1 < end) {
                fill_block(next, &p->t, &p->cut, index + 1, total);
                const int calls = COEFS * p->s.c / 16 * divide_up(p->s.k, K_BLOCK);
                const int words = p->kernels->pixel_words;
                fetch[0] = fetch_block(p->src, words, next, &p->t, p->s.c, calls);
                fetch[1] = fetch_block(p->ddst, words, next, &p->t, p->s.k, calls);
            }
            for (int c = 0; c < p->s.c / 16; c++)
                transform_source(p, now, c, v);
            for (int k = 0; k < p->s.k / 16; k++)
                transform_gradient(p, now, k, y);
            for (int coef = 0; coef < COEFS; coef++) {
                for (int i = 0; i < pieces; i++)
                    multiply_piece(p, now, i, coef, v, y, du + (size_t)i * PIECE_FLOATS, index > first, fetch);
            }
            tile_block *done = now;
            now = next;
            next = done;
        }
#pragma omp barrier
        const float *gradients = scratch + v_size + y_size;
#pragma omp for schedule(static) collapse(2)
        for (int i = 0; i < pieces; i++)
            for (int channel = 0; channel < C_BLOCK; channel += 16)
                if (channel < piece_at(p->s.c, p->s.k, i).channels)
                    finish_channels(p, i, channel, gradients + (size_t)i * PIECE_FLOATS, workers, share);
    }
}

static size_t weights_shared_floats(const winograd_shape *s, const blocking *cut, int threads)
{
    const winograd_kernels *kernels = kernels_of(s);
    const size_t pieces = cut->blocks == 1 ? (size_t)threads : (size_t)piece_count(s->c, s->k);
    return pairs_floats(kernels, s->c, cut) + pairs_floats(kernels, s->k, cut) + pieces * PIECE_FLOATS;
}

/* One block after another by all threads, each summing other pieces. With one block in all a piece is done
 * with at once, and one for each thread is enough. */
static void weights_shared(const weights_pass *p, float *scratch, int threads)
{
    const int total = tiling_count(&p->s), pieces = piece_count(p->s.c, p->s.k);
    float *v = scratch, *y = v + pairs_floats(p->kernels, p->s.c, &p->cut),
          *du = y + pairs_floats(p->kernels, p->s.k, &p->cut);
#pragma omp parallel num_threads(threads)
    {
        tile_block b;
        for (int index = 0; index < p->cut.blocks; index++) {
            const bool last = index == p->cut.blocks - 1;
            fill_block(&b, &p->t, &p->cut, index, total);
#pragma omp for schedule(dynamic, 1) nowait
            for (int c = 0; c < p->s.c / 16; c++)
                transform_source(p, &b, c, v);
#pragma omp for schedule(dynamic, 1)
            for (int k = 0; k < p->s.k / 16; k++)
                transform_gradient(p, &b, k, y);
#pragma omp for schedule(dynamic, 1)
            for (int i = 0; i < pieces; i++) {
                float *piece = du + (size_t)(p->cut.blocks == 1 ? omp_get_thread_num() : i) * PIECE_FLOATS;
                for (int coef = 0; coef < COEFS; coef++)
                    multiply_piece(p, &b, i, coef, v, y, piece, index > 0, NULL);
                for (int channel = 0; last && channel < piece_at(p->s.c, p->s.k, i).channels; channel += 16)
                    finish_channels(p, i, channel, piece, 1, 0);
            }
        }
    }
}

void winograd_backward_weights(const winograd_shape *s, const void *src, const void *ddst, float *dw, float *scratch,
                               int threads)
{
    weights_pass p = {.s = *s,
                      .kernels = kernels_of(s),
                      .t = tiling_of(s),
                      .cut = blocking_weights(s, threads),
                      .src = src,
                      .ddst = ddst,
                      .dw = dw};
    for (int kind = 0; kind < TILE_CLASSES; kind++) {
        const int size_y = kind & 2 ? p.t.tail_y : 4, size_x = kind & 1 ? p.t.tail_x : 4;
        p.source[kind] = p.kernels->source(size_y, size_x);
        p.gradient[kind] = p.kernels->gradient(size_y, size_x);
    }
    if (p.cut.shared)
        weights_shared(&p, scratch, threads);
    else
        weights_private(&p, scratch, threads);
}

/* ---- scratch */

static size_t forward_floats(const winograd_shape *s, int threads)
{
    const blocking cut = blocking_forward(s, threads);
    return work_floats(s, &cut, threads) + (size_t)cut.blocks * (size_t)cut.ranges * 2 * (size_t)s->k;
}

size_t winograd_scratch_floats(const winograd_shape *s, int threads)
{
    const winograd_shape r = reversed(s);
    const blocking cut = blocking_weights(s, threads);
    const size_t forward = forward_floats(s, threads), backward = forward_floats(&r, threads);
    const size_t weights =
        cut.shared ? weights_shared_floats(s, &cut, threads) : (size_t)threads * weights_private_floats(s, &cut);
    const size_t most = forward > backward ? forward : backward;
    return most > weights ? most : weights;
}
