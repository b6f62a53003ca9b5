/* winograd_passes.c - the three passes over blocks of tiles.
 *
 * Few channels: each thread takes blocks of its own, whose V and M stay in its second-level cache. Many
 * channels: the threads share one block's V, each takes other output channels. Which thread takes which block
 * is left open where a block's results do not meet those of others (forward), and fixed where they are summed
 * (weight gradients).
 */
#include "device/winograd.h"
#include "device/winograd_kernels.h"
#include "device/winograd_plan.h"

#include <omp.h>
#include <stdint.h>
#include <xmmintrin.h>

/* Outputs larger than this are stored past the caches. */
static const size_t stream_from_bytes = (size_t)8 << 20;

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t floats)
{
    return (floats + 15) / 16 * 16 + 16 * 8;
}

/* Output channels of the k block that starts at k. */
static int k_block_width(int k, int channels)
{
    return min_int(channels - k, K_BLOCK);
}

/* ---- weights */

/* From coefficient to coefficient of U, for a k block of `width`. */
static ptrdiff_t u_coef_step(int c, int width)
{
    return (ptrdiff_t)c * width + 16;
}

/* Where the k block that starts at output channel k lies in U: all blocks before it are K_BLOCK wide. */
static ptrdiff_t u_offset(int c, int k)
{
    return k / K_BLOCK * COEFS * u_coef_step(c, K_BLOCK);
}

size_t winograd_weight_floats(const winograd_shape *s)
{
    const int most = s->c > s->k ? s->c : s->k, blocks = (most + K_BLOCK - 1) / K_BLOCK;
    return (size_t)COEFS * ((size_t)s->c * (size_t)s->k + 16 * (size_t)blocks);
}

static void transform_weights(const winograd_shape *s, const float *oihw, float *u, bool backward,
                              int threads)
{
    const int in = backward ? s->k : s->c, out = backward ? s->c : s->k;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int o = 0; o < out; o += 16)
        for (int i = 0; i < in; i += 16) {
            const int start = o / K_BLOCK * K_BLOCK, width = k_block_width(start, out);
            const ptrdiff_t step = u_coef_step(in, width);
            float *to = u + u_offset(in, start) + (ptrdiff_t)i * width + o - start;
            winograd_filter_block(oihw, s->c, backward ? i : o, backward ? o : i, backward, to, step, width);
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

/* Walks the pixels of a block's tiles, plane by plane, while another block is computed. */
typedef struct fetcher {
    const float *tensor;
    const tile_block *block;
    const tiling *t;
    int channel_blocks;
    int steps, done; /* (channel block, tile) pairs */
} fetcher;

static const float *plane_of(const float *tensor, const tiling *t, int channel_blocks, int n,
                             int channel_block)
{
    return tensor + ((ptrdiff_t)n * channel_blocks + channel_block) * t->h * t->w * 16;
}

/* Fetches until `part` of `parts` is done. */
static void fetch_until(fetcher *f, int part, int parts)
{
    const int target = (int)((int64_t)f->steps * part / parts);
    for (; f->done < target; f->done++) {
        const tile *q = &f->block->tiles[f->done % f->block->count];
        const float *plane = plane_of(f->tensor, f->t, f->channel_blocks, q->n, f->done / f->block->count);
        const int rows = min_int(4, f->t->h - q->y), columns = min_int(4, f->t->w - q->x);
        for (int i = 0; i < rows; i++) {
            const float *line = plane + ((ptrdiff_t)(q->y + i) * f->t->w + q->x) * 16;
            for (int j = 0; j < columns; j++)
                _mm_prefetch(line + j * 16, _MM_HINT_T0);
        }
    }
}

/* ---- forward, and backward data, which is a forward pass with other weights */

typedef struct forward_pass {
    winograd_shape s; /* c in, k out */
    tiling t;
    blocking cut;
    const float *src, *u;
    float *dst;
    winograd_epilogue epilogue;
    bool stream;
    winograd_input_tile *input[TILE_CLASSES];
    winograd_output_tile *output[TILE_CLASSES];
} forward_pass;

static ptrdiff_t v_step(const blocking *cut)
{
    return (ptrdiff_t)cut->tiles * TILE_FLOATS;
}

static size_t v_floats(int channels, const blocking *cut)
{
    return round_up((size_t)channels / 16 * (size_t)cut->tiles * TILE_FLOATS);
}

static size_t m_floats(const blocking *cut)
{
    return round_up((size_t)COEFS * ((size_t)cut->tiles * K_BLOCK + 16));
}

/* V of one channel block. */
static void transform_input(const forward_pass *p, const tile_block *b, int channel_block, float *v)
{
    v += channel_block * v_step(&p->cut);
    for (int i = 0; i < b->count; i++, v += TILE_FLOATS) {
        const tile *q = &b->tiles[i];
        const float *plane = plane_of(p->src, &p->t, p->s.c / 16, q->n, channel_block);
        p->input[q->kind](plane, p->t.h, p->t.w, q->y, q->x, v);
    }
}

/* The outputs of tiles first .. end-1 in the k block that starts at k, by way of M. */
static void multiply(const forward_pass *p, const tile_block *b, int k, int first, int end, const float *v,
                     float *m, fetcher *fetch)
{
    const int width = k_block_width(k, p->s.k), c_blocks = p->s.c / 16, at_once = 8;
    const ptrdiff_t u_step = u_coef_step(p->s.c, width), m_step = (ptrdiff_t)(end - first) * width + 16;
    const float *u = p->u + u_offset(p->s.c, k);
    for (int coef = 0; coef < COEFS; coef++) {
        const int from = b->first[coef] > first ? b->first[coef] : first,
                  count = min_int(b->end[coef], end) - from;
        const int groups = count > 0 ? (count + PRODUCT_ROWS - 1) / PRODUCT_ROWS : 0;
        for (int c = 0; c < c_blocks; c += at_once)
            for (int g = 0; g < groups; g++) {
                const int lo = from + g * count / groups, hi = from + (g + 1) * count / groups;
                winograd_product_kernel(hi - lo, width)(
                    v + c * v_step(&p->cut) + (ptrdiff_t)lo * TILE_FLOATS + coef * 16, v_step(&p->cut),
                    u + coef * u_step + (ptrdiff_t)c * 16 * width, min_int(at_once, c_blocks - c),
                    m + coef * m_step + (ptrdiff_t)(lo - first) * width, c > 0);
            }
        if (fetch)
            fetch_until(fetch, k / K_BLOCK * COEFS + coef + 1, (p->s.k + K_BLOCK - 1) / K_BLOCK * COEFS);
    }
    for (int o = 0; o < width; o += 16)
        for (int i = first; i < end; i++) {
            const tile *q = &b->tiles[i];
            const ptrdiff_t plane = plane_of(p->dst, &p->t, p->s.k / 16, q->n, (k + o) / 16) - p->dst;
            const winograd_store to = {.bias = p->epilogue.bias ? p->epilogue.bias + k + o : NULL,
                                       .add = p->epilogue.add ? p->epilogue.add + plane : NULL,
                                       .plane = p->dst + plane,
                                       .relu = p->epilogue.relu,
                                       .stream = p->stream};
            p->output[q->kind](m + (ptrdiff_t)(i - first) * width + o, m_step, &to, p->t.h, p->t.w, q->y,
                               q->x);
        }
}

static void fill_block(tile_block *b, const tiling *t, const blocking *cut, int index, int total)
{
    const int start = index * cut->tiles;
    tile_block_fill(b, t, start, min_int(cut->tiles, total - start));
}

/* Blocks of each thread's own. */
static void forward_private(const forward_pass *p, float *scratch, int threads)
{
    const size_t v_size = v_floats(p->s.c, &p->cut), m_size = m_floats(&p->cut);
    const int total = tiling_count(&p->s), c_blocks = p->s.c / 16;
    int next_block = 0;
#pragma omp parallel num_threads(threads)
    {
        float *v = scratch + (size_t)omp_get_thread_num() * (v_size + m_size), *m = v + v_size;
        tile_block two[2];
        int index, now = 0;
#pragma omp atomic capture
        index = next_block++;
        if (index < p->cut.blocks)
            fill_block(&two[now], &p->t, &p->cut, index, total);
        while (index < p->cut.blocks) {
            fetcher f = {.tensor = p->src, .block = &two[!now], .t = &p->t, .channel_blocks = c_blocks};
#pragma omp atomic capture
            index = next_block++;
            if (index < p->cut.blocks) {
                fill_block(&two[!now], &p->t, &p->cut, index, total);
                f.steps = c_blocks * two[!now].count;
            }
            for (int c = 0; c < c_blocks; c++)
                transform_input(p, &two[now], c, v);
            for (int k = 0; k < p->s.k; k += K_BLOCK)
                multiply(p, &two[now], k, 0, two[now].count, v, m, &f);
            now = !now;
        }
        _mm_sfence();
    }
}

/* One block after another by all threads. */
static void forward_shared(const forward_pass *p, float *scratch, int threads)
{
    const size_t v_size = v_floats(p->s.c, &p->cut), m_size = m_floats(&p->cut);
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
                    multiply(p, &b, k, r * b.count / ranges, (r + 1) * b.count / ranges, v, m, NULL);
        }
        _mm_sfence();
    }
}

static void run_forward(const winograd_shape *s, const float *src, const float *u, float *dst,
                        const winograd_epilogue *epilogue, float *scratch, int threads)
{
    forward_pass p = {
        .s = *s, .t = tiling_of(s), .cut = blocking_forward(s, threads), .src = src, .u = u, .dst = dst};
    if (epilogue)
        p.epilogue = *epilogue;
    p.stream =
        (size_t)s->n * (size_t)s->k * (size_t)s->h * (size_t)s->w * sizeof(float) > stream_from_bytes &&
        (uintptr_t)dst % 64 == 0;
    for (int kind = 0; kind < TILE_CLASSES; kind++) {
        const int size_y = kind & 2 ? p.t.tail_y : 4, size_x = kind & 1 ? p.t.tail_x : 4;
        p.input[kind] = winograd_input_kernel(size_y, size_x);
        p.output[kind] = winograd_output_kernel(size_y, size_x);
    }
    if (p.cut.shared)
        forward_shared(&p, scratch, threads);
    else
        forward_private(&p, scratch, threads);
}

void winograd_forward(const winograd_shape *s, const float *src, const float *u, float *dst,
                      const winograd_epilogue *epilogue, float *scratch, int threads)
{
    run_forward(s, src, u, dst, epilogue, scratch, threads);
}

static winograd_shape reversed(const winograd_shape *s)
{
    return (winograd_shape){.n = s->n, .c = s->k, .k = s->c, .h = s->h, .w = s->w};
}

void winograd_backward_data(const winograd_shape *s, const float *ddst, const float *u_backward, float *dsrc,
                            float *scratch, int threads)
{
    const winograd_shape r = reversed(s);
    run_forward(&r, ddst, u_backward, dsrc, NULL, scratch, threads);
}

/* ---- backward weights */

typedef struct weights_pass {
    winograd_shape s;
    tiling t;
    blocking cut;
    const float *src, *ddst;
    float *dw;
    winograd_input_tile *input[TILE_CLASSES];
    winograd_gradient_tile *gradient[TILE_CLASSES];
} weights_pass;

/* dU is kept in pieces of C_BLOCK input by K_BLOCK output channels: [36][channels * width + 16]. */
static const size_t piece_floats = (size_t)COEFS * (C_BLOCK * K_BLOCK + 16);

static int pieces_along(int channels, int block)
{
    return (channels + block - 1) / block;
}

static void transform_gradient(const weights_pass *p, const tile_block *b, int channel_block, float *y)
{
    y += channel_block * v_step(&p->cut);
    for (int i = 0; i < b->count; i++, y += TILE_FLOATS) {
        const tile *q = &b->tiles[i];
        const float *plane = plane_of(p->ddst, &p->t, p->s.k / 16, q->n, channel_block);
        p->gradient[q->kind](plane, p->t.h, p->t.w, q->y, q->x, y);
    }
}

static void transform_source(const weights_pass *p, const tile_block *b, int channel_block, float *v)
{
    v += channel_block * v_step(&p->cut);
    for (int i = 0; i < b->count; i++, v += TILE_FLOATS) {
        const tile *q = &b->tiles[i];
        const float *plane = plane_of(p->src, &p->t, p->s.c / 16, q->n, channel_block);
        p->input[q->kind](plane, p->t.h, p->t.w, q->y, q->x, v);
    }
}

/* Adds (or, first, writes) the block's part of one piece. */
static void multiply_piece(const weights_pass *p, const tile_block *b, int c, int k, const float *v,
                           const float *y, float *piece, bool accumulate)
{
    const int width = k_block_width(k, p->s.k), channels = min_int(C_BLOCK, p->s.c - c), at_once = 64;
    const ptrdiff_t coef_step = u_coef_step(channels, width), step = v_step(&p->cut);
    winograd_outer_product *kernel = winograd_outer_product_kernel(width);
    for (int coef = 0; coef < COEFS; coef++) {
        bool add = accumulate;
        for (int i = b->first[coef]; i < b->end[coef] || !add; i += at_once) {
            const int count = min_int(at_once, b->end[coef] - i);
            for (int q = 0; q < channels; q += 16)
                kernel(v + (c + q) / 16 * step + (ptrdiff_t)i * TILE_FLOATS + coef * 16,
                       y + k / 16 * step + (ptrdiff_t)i * TILE_FLOATS + coef * 16, step, count,
                       piece + coef * coef_step + (ptrdiff_t)q * width, add);
            add = true;
        }
    }
}

/* dw of 16 input channels of one piece, whose copies are summed in order. */
static void finish_channels(const weights_pass *p, int c, int k, const float *piece, int copies,
                            size_t copy_step)
{
    const int start = c / C_BLOCK * C_BLOCK, width = k_block_width(k, p->s.k);
    const int channels = min_int(C_BLOCK, p->s.c - start);
    for (int o = 0; o < width; o += 16)
        winograd_filter_gradient_block(p->dw, p->s.c, k + o, c, piece + (ptrdiff_t)(c - start) * width + o,
                                       u_coef_step(channels, width), width, copies, (ptrdiff_t)copy_step);
}

static size_t weights_private_floats(const winograd_shape *s, const blocking *cut)
{
    const size_t pieces = (size_t)pieces_along(s->c, C_BLOCK) * (size_t)pieces_along(s->k, K_BLOCK);
    return v_floats(s->c, cut) + v_floats(s->k, cut) + pieces * piece_floats;
}

static void weights_private(const weights_pass *p, float *scratch, int threads)
{
    const int total = tiling_count(&p->s), c_pieces = pieces_along(p->s.c, C_BLOCK),
              k_pieces = pieces_along(p->s.k, K_BLOCK);
    const size_t v_size = v_floats(p->s.c, &p->cut), y_size = v_floats(p->s.k, &p->cut),
                 share = weights_private_floats(&p->s, &p->cut);
    float *gradients = scratch + v_size + y_size;
#pragma omp parallel num_threads(threads)
    {
        const int thread = omp_get_thread_num(), workers = min_int(omp_get_num_threads(), p->cut.blocks);
        float *v = scratch + (size_t)thread * share, *y = v + v_size, *pieces = y + y_size;
        tile_block two[2];
        int now = 0;
        const int first = thread < workers ? (int)((int64_t)p->cut.blocks * thread / workers) : 0;
        const int end = thread < workers ? (int)((int64_t)p->cut.blocks * (thread + 1) / workers) : 0;
        if (first < end)
            fill_block(&two[now], &p->t, &p->cut, first, total);
        for (int index = first; index < end; index++) {
            fetcher fx = {.tensor = p->src, .block = &two[!now], .t = &p->t, .channel_blocks = p->s.c / 16};
            fetcher fy = {.tensor = p->ddst, .block = &two[!now], .t = &p->t, .channel_blocks = p->s.k / 16};
            if (index + 1 < end) {
                fill_block(&two[!now], &p->t, &p->cut, index + 1, total);
                fx.steps = fx.channel_blocks * two[!now].count;
                fy.steps = fy.channel_blocks * two[!now].count;
            }
            for (int c = 0; c < p->s.c / 16; c++)
                transform_source(p, &two[now], c, v);
            for (int k = 0; k < p->s.k / 16; k++)
                transform_gradient(p, &two[now], k, y);
            for (int i = 0; i < k_pieces; i++)
                for (int j = 0; j < c_pieces; j++) {
                    multiply_piece(p, &two[now], j * C_BLOCK, i * K_BLOCK, v, y,
                                   pieces + (size_t)(i * c_pieces + j) * piece_floats, index > first);
                    fetch_until(&fx, i * c_pieces + j + 1, k_pieces * c_pieces);
                    fetch_until(&fy, i * c_pieces + j + 1, k_pieces * c_pieces);
                }
            now = !now;
        }
#pragma omp barrier
#pragma omp for schedule(static) collapse(2)
        for (int k = 0; k < p->s.k; k += K_BLOCK)
            for (int c = 0; c < p->s.c; c += 16)
                finish_channels(p, c, k,
                                gradients + (size_t)(k / K_BLOCK * c_pieces + c / C_BLOCK) * piece_floats,
                                workers, share);
    }
}

static size_t weights_shared_floats(const winograd_shape *s, const blocking *cut, int threads)
{
    const size_t pieces = (size_t)pieces_along(s->c, C_BLOCK) * (size_t)pieces_along(s->k, K_BLOCK);
    return v_floats(s->c, cut) + v_floats(s->k, cut) +
           (cut->blocks == 1 ? (size_t)threads : pieces) * piece_floats;
}

static void weights_shared(const weights_pass *p, float *scratch, int threads)
{
    const int total = tiling_count(&p->s), c_pieces = pieces_along(p->s.c, C_BLOCK),
              k_pieces = pieces_along(p->s.k, K_BLOCK);
    float *v = scratch, *y = v + v_floats(p->s.c, &p->cut), *pieces = y + v_floats(p->s.k, &p->cut);
#pragma omp parallel num_threads(threads)
    {
        tile_block b;
        for (int index = 0; index < p->cut.blocks; index++) {
            fill_block(&b, &p->t, &p->cut, index, total);
#pragma omp for schedule(dynamic, 1) nowait
            for (int c = 0; c < p->s.c / 16; c++)
                transform_source(p, &b, c, v);
#pragma omp for schedule(dynamic, 1)
            for (int k = 0; k < p->s.k / 16; k++)
                transform_gradient(p, &b, k, y);
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int i = 0; i < k_pieces; i++)
                for (int j = 0; j < c_pieces; j++) {
                    const int slot = p->cut.blocks == 1 ? omp_get_thread_num() : i * c_pieces + j;
                    float *piece = pieces + (size_t)slot * piece_floats;
                    multiply_piece(p, &b, j * C_BLOCK, i * K_BLOCK, v, y, piece, index > 0);
                    const int end = min_int((j + 1) * C_BLOCK, p->s.c);
                    for (int c = j * C_BLOCK; c < end && index == p->cut.blocks - 1; c += 16)
                        finish_channels(p, c, i * K_BLOCK, piece, 1, 0);
                }
        }
    }
}

void winograd_backward_weights(const winograd_shape *s, const float *src, const float *ddst, float *dw,
                               float *scratch, int threads)
{
    weights_pass p = {
        .s = *s, .t = tiling_of(s), .cut = blocking_weights(s, threads), .src = src, .ddst = ddst, .dw = dw};
    for (int kind = 0; kind < TILE_CLASSES; kind++) {
        const int size_y = kind & 2 ? p.t.tail_y : 4, size_x = kind & 1 ? p.t.tail_x : 4;
        p.input[kind] = winograd_input_kernel(size_y, size_x);
        p.gradient[kind] = winograd_gradient_kernel(size_y, size_x);
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
    const size_t v = v_floats(s->c, &cut), m = m_floats(&cut);
    return cut.shared ? v + (size_t)threads * m : (size_t)threads * (v + m);
}

size_t winograd_scratch_floats(const winograd_shape *s, int threads)
{
    const winograd_shape r = reversed(s);
    const blocking cut = blocking_weights(s, threads);
    const size_t forward = forward_floats(s, threads), backward = forward_floats(&r, threads);
    const size_t weights = cut.shared ? weights_shared_floats(s, &cut, threads)
                                      : (size_t)threads * weights_private_floats(s, &cut);
    const size_t most = forward > backward ? forward : backward;
    return most > weights ? most : weights;
}
