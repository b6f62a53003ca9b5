/* cpu_kernels_pool_body.h - max-pooling and upsampling, a part of cpu_kernels_body.h.
 *
 * The forward pass of a pooling walks the outputs, the backward pass the inputs: an input gathers the gradients of
 * those windows around it that say their maximum lies there. Upsampling by 2 walks the smaller side in both. All go in
 * pieces of some rows of one plane, in any order on any thread.
 */
#include "device/vector.h"

enum { VECTORS = BLOCK / VEC_LANES };

#ifdef BF16
static inline vec load_numbers(const number *p)
{
    return vec_load_bf16(p);
}

static inline void store_numbers(number *p, vec x)
{
    vec_store_bf16(p, x);
}
#else
static inline vec load_numbers(const number *p)
{
    return vec_loadu(p);
}

static inline void store_numbers(number *p, vec x)
{
    vec_storeu(p, x);
}
#endif

/* Some rows of one plane: [from, end). */
typedef struct row_piece {
    size_t plane;
    int from, end;
} row_piece;

/* Rows of a piece, when each takes or makes so many numbers. */
static inline int rows_of_piece(int width, int height)
{
    const size_t bytes = (size_t)width * BLOCK * sizeof(number);
    const size_t rows = bytes < PIECE_BYTES ? PIECE_BYTES / bytes : 1;
    return rows < (size_t)height ? (int)rows : height;
}

static inline row_piece row_piece_of(size_t index, int height, int rows)
{
    const size_t pieces = (size_t)((height + rows - 1) / rows);
    const int from = (int)(index % pieces) * rows;
    return (row_piece){index / pieces, from, from + rows < height ? from + rows : height};
}

/* The inputs of one output's window, along one axis, that lie inside: taps [from, end) of the kernel, the first of
 * them at input `first`. */
typedef struct window {
    int from, end, first;
} window;

static inline window window_of(int output, int stride, int padding, int kernel, int inputs)
{
    const int start = output * stride - padding, from = start < 0 ? -start : 0;
    return (window){from, start + kernel > inputs ? inputs - start : kernel, start + from};
}

/* Places of maxima: bytes for windows of up to 16 x 16, else floats. This is x where the place is `tap`, else 0. */
ALWAYS_INLINE vec where_place(const void *where, size_t at, bool bytes, int tap, vec x)
{
    return bytes ? vec_where_byte((const uint8_t *)where + at, (uint8_t)tap, x)
                 : vec_where_equal(vec_loadu((const float *)where + at), vec_set1((float)tap), x);
}

ALWAYS_INLINE void store_places(void *where, size_t at, bool bytes, vec places)
{
    if (bytes)
        vec_store_u8((uint8_t *)where + at, places);
    else
        vec_storeu((float *)where + at, places);
}

ALWAYS_INLINE bool places_are_bytes(const conv_shape *s)
{
    return s->kernel <= 16;
}

/* One number of a window: is it larger than the best so far? */
ALWAYS_INLINE void pool_tap(vec value, int tap, vec *best, vec *place)
{
    *place = vec_where_less(*best, value, vec_set1((float)tap), *place);
    *best = vec_max(value, *best);
}

/* Writes output number `to` (in lanes). */
ALWAYS_INLINE void pool_end(const vec best[VECTORS], const vec place[VECTORS], bool bytes, number *y, void *where,
                            size_t to)
{
    UNROLL(v, VECTORS) {
        const size_t lane = to + (size_t)(v * VEC_LANES);
        store_numbers(y + lane, best[v]);
        if (where)
            store_places(where, lane, bytes, place[v]);
    }
}

/* One output: the largest of its window, and where it is. */
ALWAYS_INLINE void pool_output(int kernel, const number *corner, size_t row_step, window rows, window columns,
                               bool bytes, number *y, void *where, size_t to)
{
    vec best[VECTORS], place[VECTORS];
    UNROLL(v, VECTORS) {
        best[v] = vec_set1(-FLT_MAX);
        place[v] = vec_set1((float)(rows.from * kernel + columns.from));
    }
    for (int ky = rows.from; ky < rows.end; ky++, corner += row_step)
        for (int kx = columns.from; kx < columns.end; kx++)
            UNROLL(v, VECTORS)
                pool_tap(load_numbers(corner + (kx - columns.from) * BLOCK + v * VEC_LANES), ky * kernel + kx, &best[v],
                         &place[v]);
    pool_end(best, place, bytes, y, where, to);
}

/* Outputs beside each other whose windows are 3 x 3 with stride 2 and lie inside: the last column of each is the first
 * of the next. */
ALWAYS_INLINE void pool_outputs_3x3(const number *corner, size_t row_step, int outputs, number *y, void *where,
                                    size_t to)
{
    vec shared[3][VECTORS];
    UNROLL(ky, 3)
        UNROLL(v, VECTORS)
            shared[ky][v] = load_numbers(corner + (size_t)ky * row_step + v * VEC_LANES);
    for (int i = 0; i < outputs; i++, corner += 2 * BLOCK, to += BLOCK) {
        vec best[VECTORS], place[VECTORS];
        UNROLL(v, VECTORS) {
            best[v] = vec_set1(-FLT_MAX);
            place[v] = vec_zero();
            UNROLL(ky, 3) {
                const number *row = corner + (size_t)ky * row_step + v * VEC_LANES;
                pool_tap(shared[ky][v], 3 * ky, &best[v], &place[v]);
                pool_tap(load_numbers(row + BLOCK), 3 * ky + 1, &best[v], &place[v]);
                shared[ky][v] = load_numbers(row + 2 * BLOCK);
                pool_tap(shared[ky][v], 3 * ky + 2, &best[v], &place[v]);
            }
        }
        pool_end(best, place, true, y, where, to);
    }
}

/* One row of outputs. */
ALWAYS_INLINE void pool_row(const conv_shape *s, const number *plane, int oy, bool bytes, number *y, void *where,
                            size_t to)
{
    const window down = window_of(oy, s->stride, s->padding, s->kernel, s->h);
    const size_t row_step = (size_t)s->w * BLOCK;
    const number *row = plane + (size_t)down.first * row_step;
    for (int ox = 0; ox < s->ow;) {
        const window across = window_of(ox, s->stride, s->padding, s->kernel, s->w);
        const number *corner = row + (size_t)across.first * BLOCK;
        const size_t at = to + (size_t)ox * BLOCK;
        if (bytes && s->kernel == 3 && s->stride == 2 && down.end - down.from == 3 && across.end - across.from == 3) {
            const int inside = (s->w - 3 - across.first) / 2 + 1;
            const int outputs = inside < s->ow - ox ? inside : s->ow - ox;
            pool_outputs_3x3(corner, row_step, outputs, y, where, at);
            ox += outputs;
        } else {
            pool_output(s->kernel, corner, row_step, down, across, bytes, y, where, at);
            ox++;
        }
    }
}

static void maxpool_forward(const conv_shape *s, const void *source, void *result, void *where, int threads)
{
    const number *x = source;
    const size_t planes = (size_t)s->n * (size_t)blocks_of(s->c);
    const int rows = rows_of_piece(s->w * s->stride, s->oh);
    PIECES(at, planes * (size_t)((s->oh + rows - 1) / rows)) {
        const row_piece piece = row_piece_of(at, s->oh, rows);
        const number *plane = x + piece.plane * (size_t)s->h * (size_t)s->w * BLOCK;
        for (int oy = piece.from; oy < piece.end; oy++) {
            const size_t to = (piece.plane * (size_t)s->oh + (size_t)oy) * (size_t)s->ow * BLOCK;
            if (places_are_bytes(s))
                pool_row(s, plane, oy, true, result, where, to);
            else
                pool_row(s, plane, oy, false, result, where, to);
        }
    }
}

/* The outputs, along one axis, whose windows hold an input: [from, end), the first of them by its tap `tap`; each
 * further one by the tap that is `stride` less. `phase`: of the input within a stride. */
typedef struct holders {
    int from, end, tap, last, phase;
} holders;

static inline holders holders_of(int input, int stride, int padding, int kernel, int outputs)
{
    const int place = input + padding, last = place / stride;
    const int from = place < kernel ? 0 : (place - kernel) / stride + 1;
    return (holders){from, last < outputs ? last + 1 : outputs, place - from * stride, last, place % stride};
}

/* Those of the next input, without a division. */
static inline holders next_holders(holders h, int stride, int kernel, int outputs)
{
    if (++h.tap == kernel) {
        h.from++;
        h.tap -= stride;
    }
    if (++h.phase == stride) {
        h.phase = 0;
        h.last++;
    }
    h.end = h.last < outputs ? h.last + 1 : outputs;
    return h;
}

/* The gradient of one input that the windows `down` x `across` hold. */
ALWAYS_INLINE void pool_input(const conv_shape *s, const number *dy, const void *where, size_t row, holders down,
                              holders across, bool bytes, number *dx)
{
    int first = down.tap * s->kernel + across.tap;
    vec sum[VECTORS];
    UNROLL(v, VECTORS)
        sum[v] = vec_zero();
    row += (size_t)across.from * BLOCK;
    for (int oy = down.from; oy < down.end; oy++, row += (size_t)s->ow * BLOCK, first -= s->stride * s->kernel) {
        size_t at = row;
        int tap = first;
        for (int ox = across.from; ox < across.end; ox++, at += BLOCK, tap -= s->stride)
            UNROLL(v, VECTORS) {
                const size_t lane = at + (size_t)(v * VEC_LANES);
                sum[v] = vec_add(sum[v], where_place(where, lane, bytes, tap, load_numbers(dy + lane)));
            }
    }
    UNROLL(v, VECTORS)
        store_numbers(dx + v * VEC_LANES, sum[v]);
}

/* Windows of 3 x 3 with stride 2: pairs of inputs, the first held by one window of a row (in the middle), the second
 * by that one and the next. `tap`: the left tap of the first of `rows` rows of windows. */
ALWAYS_INLINE void pool_input_pairs(const number *dy, const void *where, size_t row, size_t row_step, int rows, int tap,
                                    int pairs, number *dx)
{
    for (int i = 0; i < pairs; i++, row += BLOCK, dx += 2 * BLOCK)
        UNROLL(v, VECTORS) {
            vec sum[2] = {vec_zero(), vec_zero()};
            UNROLL(r, rows) {
                const size_t lane = row + (size_t)r * row_step + (size_t)(v * VEC_LANES);
                const vec left = load_numbers(dy + lane), right = load_numbers(dy + lane + BLOCK);
                sum[0] = vec_add(sum[0], where_place(where, lane, true, tap - 6 * r + 1, left));
                sum[1] = vec_add(sum[1], where_place(where, lane, true, tap - 6 * r + 2, left));
                sum[1] = vec_add(sum[1], where_place(where, lane + BLOCK, true, tap - 6 * r, right));
            }
            store_numbers(dx + v * VEC_LANES, sum[0]);
            store_numbers(dx + BLOCK + v * VEC_LANES, sum[1]);
        }
}

/* The gradients of one row of inputs: `plane` is the number of the first output of the plane, in lanes. */
ALWAYS_INLINE void pool_input_row(const conv_shape *s, const number *dy, const void *where, size_t plane, int iy,
                                  bool bytes, number *dx)
{
    const holders down = holders_of(iy, s->stride, s->padding, s->kernel, s->oh);
    const size_t row_step = (size_t)s->ow * BLOCK, row = plane + (size_t)down.from * row_step;
    const bool pairs = bytes && s->kernel == 3 && s->stride == 2 && down.end > down.from;
    holders across = holders_of(0, s->stride, s->padding, s->kernel, s->ow);
    for (int ix = 0; ix < s->w;) {
        if (pairs && across.tap == 1 && across.from + 1 < s->ow && ix + 1 < s->w) {
            const int inside = (s->w - ix) / 2, before = s->ow - 1 - across.from;
            const int count = inside < before ? inside : before;
            const size_t at = row + (size_t)across.from * BLOCK;
            if (down.end - down.from == 1)
                pool_input_pairs(dy, where, at, row_step, 1, down.tap * 3, count, dx + ix * BLOCK);
            else
                pool_input_pairs(dy, where, at, row_step, 2, down.tap * 3, count, dx + ix * BLOCK);
            ix += 2 * count;
            across = holders_of(ix, s->stride, s->padding, s->kernel, s->ow);
            continue;
        }
        pool_input(s, dy, where, row, down, across, bytes, dx + ix * BLOCK);
        across = next_holders(across, s->stride, s->kernel, s->ow);
        ix++;
    }
}

static void maxpool_backward(const conv_shape *s, const void *gradient, const void *where, void *source_gradient,
                             int threads)
{
    number *dx = source_gradient;
    const size_t planes = (size_t)s->n * (size_t)blocks_of(s->c);
    const int rows = rows_of_piece(s->w, s->h);
    PIECES(at, planes * (size_t)((s->h + rows - 1) / rows)) {
        const row_piece piece = row_piece_of(at, s->h, rows);
        const size_t from = piece.plane * (size_t)s->oh * (size_t)s->ow * BLOCK;
        for (int iy = piece.from; iy < piece.end; iy++) {
            number *to = dx + (piece.plane * (size_t)s->h + (size_t)iy) * (size_t)s->w * BLOCK;
            if (places_are_bytes(s))
                pool_input_row(s, gradient, where, from, iy, true, to);
            else
                pool_input_row(s, gradient, where, from, iy, false, to);
        }
    }
}

/* ---------------------------------------------------------------- upsampling */

/* Two numbers of a row of y from each of w numbers x. */
ALWAYS_INLINE void upsample_row(const number *x, int w, const number *add, number *y)
{
    for (int at = 0; at < w * BLOCK; at += BLOCK)
        UNROLL(v, VECTORS) {
            const vec value = load_numbers(x + at + v * VEC_LANES);
            UNROLL(i, 2) {
                const int to = 2 * at + i * BLOCK + v * VEC_LANES;
                store_numbers(y + to, add ? vec_add(value, load_numbers(add + to)) : value);
            }
        }
}

static void upsample_forward(const void *source, int n, int c, int h, int w, const void *addend, void *result,
                             int threads)
{
    const number *x = source, *add = addend;
    number *y = result;
    const size_t planes = (size_t)n * (size_t)blocks_of(c), width = (size_t)w * BLOCK;
    const int rows = rows_of_piece(4 * w, h);
    PIECES(at, planes * (size_t)((h + rows - 1) / rows)) {
        const row_piece piece = row_piece_of(at, h, rows);
        for (int row = 2 * piece.from; row < 2 * piece.end; row++) {
            const size_t from = (piece.plane * (size_t)h + (size_t)row / 2) * width,
                         to = (piece.plane * 2 * (size_t)h + (size_t)row) * 2 * width;
            if (add)
                upsample_row(x + from, w, add + to, y + to);
            else
                upsample_row(x + from, w, NULL, y + to);
        }
    }
}

static void upsample_backward(const void *gradient, int n, int c, int h, int w, void *source_gradient, int threads)
{
    const number *dy = gradient;
    number *dx = source_gradient;
    const size_t planes = (size_t)n * (size_t)blocks_of(c), width = (size_t)w * BLOCK;
    const int rows = rows_of_piece(4 * w, h);
    PIECES(at, planes * (size_t)((h + rows - 1) / rows)) {
        const row_piece piece = row_piece_of(at, h, rows);
        for (int row = piece.from; row < piece.end; row++) {
            const size_t to = (piece.plane * (size_t)h + (size_t)row) * width;
            const number *upper = dy + 4 * to, *lower = upper + 2 * width;
            for (size_t i = 0; i < width; i += BLOCK)
                UNROLL(v, VECTORS) {
                    const size_t lane = (size_t)(v * VEC_LANES), left = 2 * i + lane, right = left + BLOCK;
                    const vec above = vec_add(load_numbers(upper + left), load_numbers(upper + right)),
                              below = vec_add(load_numbers(lower + left), load_numbers(lower + right));
                    store_numbers(dx + to + i + lane, vec_add(above, below));
                }
        }
    }
}
