/* direct_gradient.c - the weights' gradient of direct.h: for each tap the product of the source's pixels under it with
 * the gradient's, summed over all pixels.
 *
 * The gradient of the weights is cut into pieces (some channels in, some out), the pixels into bands (lines of some
 * pictures) that are small enough for the caches, and the bands into parts. A task is a piece and a part: over its
 * bands it adds up an area of its own. In the end the areas of a piece's parts are added in their order. There are as
 * many parts as it takes to keep the threads busy, so that there is one where there are many pieces.
 *
 * In bf16 the processor adds the products of two pixels at once: here the same pixel of two pictures, so that every tap
 * has the same pairs. A task first makes words of both tensors for its band; from there on all is as in fp32 with half
 * the pictures. Of a plain input the band is copied with a border of zeros, in fp32 too.
 */
#include "device/direct_plan.h"

#include <omp.h>
#include <string.h>

/* Measured ones: see SPEED.md. */
enum {
    BAND_PIXELS = 192,     /* of a band, about */
    PIECE_ROWS = 128,      /* input channels and taps of a piece, about, in bf16 twice that; at least 64 channels */
    PIECE_CHANNELS = 256,  /* output channels of a piece of one tap, at most; else DIRECT_COLUMN */
    TASKS_OF_A_THREAD = 8, /* about, where the areas do not grow too large */
    AREA_BYTES = 32 << 20  /* most for all areas, where there is more than one part */
};

/* How the pass is cut. */
typedef struct gradient_pass {
    const direct_shape *s;
    int pair;                       /* pictures in a word */
    int pictures;                   /* or pairs of them */
    int rows, taps;                 /* input channels, and taps; a plain input: channels times taps, and 1 */
    int channels;                   /* output channels, in whole blocks */
    int sampled;                    /* 1, or the stride where only pixels that far apart are read at all */
    int piece_rows, piece_channels; /* of a full piece */
    int pieces_c, pieces_k;
    int band_pictures, band_lines; /* of a full band */
    int picture_bands, line_bands;
    int parts;
    size_t area_floats; /* of a piece */
    const void *src, *ddst;
    float *areas;
} gradient_pass;

typedef struct band {
    int n, pictures; /* first picture (or pair), and how many */
    int line, lines; /* of the gradient */
} band;

/* A tensor of words: steps in words. */
typedef struct view {
    const float *words;
    ptrdiff_t picture, block, line, column;
    int top; /* source line of the first line */
} view;

static void cut_pass(gradient_pass *p, int threads)
{
    const conv_shape *q = &p->s->conv;
    const int pixels = q->oh * q->ow;
    if (pixels >= BAND_PIXELS) {
        p->picture_bands = p->pictures;
        p->line_bands = min_int(q->oh, divide_up(pixels, BAND_PIXELS));
    } else {
        p->picture_bands = divide_up(p->pictures, min_int(p->pictures, divide_up(BAND_PIXELS, pixels)));
        p->line_bands = 1;
    }
    p->band_pictures = divide_up(p->pictures, p->picture_bands);
    p->band_lines = divide_up(q->oh, p->line_bands);
    const int pieces = p->pieces_c * p->pieces_k, bands = p->picture_bands * p->line_bands;
    const size_t bytes = (size_t)pieces * p->area_floats * sizeof(float);
    p->parts = divide_up(TASKS_OF_A_THREAD * threads, pieces);
    p->parts = min_int(p->parts, bytes < AREA_BYTES ? (int)(AREA_BYTES / bytes) : 1);
    p->parts = min_int(p->parts, bands);
}

static gradient_pass pass_of(const direct_shape *s, int threads)
{
    const conv_shape *q = &s->conv;
    const int taps = q->kernel * q->kernel;
    gradient_pass p = {.s = s,
                       .pair = s->kernels->pair,
                       .pictures = divide_up(q->n, s->kernels->pair),
                       .rows = s->plain_input ? q->c * taps : divide_up(q->c, 16) * 16,
                       .taps = s->plain_input ? 1 : taps,
                       .channels = divide_up(q->k, 16) * 16,
                       .sampled = q->kernel == 1 && q->padding == 0 ? q->stride : 1};
    const int rows = PIECE_ROWS * p.pair / p.taps / 16 * 16;
    p.piece_rows = s->plain_input ? p.rows : min_int(p.rows, rows < 64 ? 64 : rows);
    p.piece_channels = min_int(p.channels, p.taps == 1 ? PIECE_CHANNELS : DIRECT_COLUMN);
    p.pieces_c = divide_up(p.rows, p.piece_rows);
    p.pieces_k = divide_up(p.channels, p.piece_channels);
    p.area_floats = round_up((size_t)p.piece_rows * (size_t)p.taps * (size_t)p.piece_channels);
    cut_pass(&p, threads);
    return p;
}

static band band_at(const gradient_pass *p, int index)
{
    const int n = index / p->line_bands, line = index % p->line_bands, oh = p->s->conv.oh;
    band b = {.n = part_start(p->pictures, p->picture_bands, n), .line = part_start(oh, p->line_bands, line)};
    b.pictures = part_start(p->pictures, p->picture_bands, n + 1) - b.n;
    b.lines = part_start(oh, p->line_bands, line + 1) - b.line;
    return b;
}

/* ---- a band as words */

/* Columns and lines of the source that a band's copy has, at most. */
static int copy_columns(const gradient_pass *p)
{
    const conv_shape *q = &p->s->conv;
    return p->s->plain_input ? (q->ow - 1) * q->stride + q->kernel : p->sampled > 1 ? q->ow : q->w;
}

static int copy_lines(const gradient_pass *p, int lines)
{
    const conv_shape *q = &p->s->conv;
    return p->sampled > 1 ? lines : (lines - 1) * q->stride + q->kernel;
}

static size_t source_floats(const gradient_pass *p)
{
    const size_t pixels = (size_t)p->band_pictures * (size_t)copy_lines(p, p->band_lines) * (size_t)copy_columns(p);
    if (p->s->plain_input)
        return round_up(pixels * (size_t)p->s->conv.c);
    return p->pair == 2 || p->sampled > 1 ? round_up(pixels * (size_t)p->piece_rows) : 0;
}

static size_t gradient_floats(const gradient_pass *p)
{
    return p->pair == 2 ? round_up((size_t)p->band_pictures * (size_t)(p->band_lines * p->s->conv.ow) *
                                   (size_t)p->piece_channels)
                        : 0;
}

/* Number `at` of a tensor's picture; and the same of the second picture of its pair, which is `picture` numbers
 * further, or NULL where there is none. */
static const char *number_at(const gradient_pass *p, const void *tensor, ptrdiff_t at)
{
    return (const char *)tensor + at * (p->pair == 2 ? 2 : 4);
}

static const char *second_at(const gradient_pass *p, const void *tensor, ptrdiff_t at, ptrdiff_t picture, int n)
{
    return p->pair == 2 && n + 1 < p->s->conv.n ? number_at(p, tensor, at + picture) : NULL;
}

/* The lines of a plain input under a band, with zeros around the picture. */
static view copy_plain(const gradient_pass *p, const band *b, float *to)
{
    const conv_shape *q = &p->s->conv;
    const int columns = copy_columns(p), lines = copy_lines(p, b->lines), top = b->line * q->stride - q->padding;
    const ptrdiff_t plane = (ptrdiff_t)q->h * q->w;
    const int count = min_int(q->w, columns - q->padding > 0 ? columns - q->padding : 0);
    const view v = {.words = to,
                    .picture = (ptrdiff_t)q->c * lines * columns,
                    .block = (ptrdiff_t)lines * columns,
                    .line = columns,
                    .column = 1};
    for (int n = 0; n < b->pictures; n++)
        for (int c = 0; c < q->c; c++)
            for (int i = 0; i < lines; i++, to += columns) {
                const int picture = (b->n + n) * p->pair;
                memset(to, 0, (size_t)columns * sizeof *to);
                const ptrdiff_t from = (picture * q->c + c) * plane + (ptrdiff_t)(top + i) * q->w;
                if (top + i >= 0 && top + i < q->h && count > 0)
                    p->s->kernels->words(number_at(p, p->src, from), second_at(p, p->src, from, q->c * plane, picture),
                                         to + q->padding, (size_t)count);
            }
    return v;
}

/* Lines of blocks of channels of a tensor [n][blocks][h][w][16] as words, `sampled` pixels apart. */
static view copy_blocks(const gradient_pass *p, const void *tensor, int blocks_in_all, int h, int w, int first_block,
                        int blocks, const band *b, int top, int lines, int sampled, float *to)
{
    const int columns = divide_up(w, sampled);
    const ptrdiff_t plane = (ptrdiff_t)h * w * 16;
    const view v = {.words = to,
                    .picture = (ptrdiff_t)blocks * lines * columns * 16,
                    .block = (ptrdiff_t)lines * columns * 16,
                    .line = (ptrdiff_t)columns * 16,
                    .column = 16,
                    .top = top};
    for (int n = 0; n < b->pictures; n++)
        for (int block = 0; block < blocks; block++) {
            const int picture = (b->n + n) * p->pair;
            const ptrdiff_t from = ((ptrdiff_t)picture * blocks_in_all + first_block + block) * plane;
            float *line = to + n * v.picture + block * v.block;
            const int runs = sampled == 1 ? 1 : lines; /* of lines of 16 channels at equal distances */
            for (int i = 0; i < runs; i++, line += v.line) {
                const ptrdiff_t at = from + (ptrdiff_t)(top + i) * sampled * w * 16;
                p->s->kernels->lines(number_at(p, tensor, at), second_at(p, tensor, at, blocks_in_all * plane, picture),
                                     16 * sampled, line, columns * (sampled == 1 ? lines : 1));
            }
        }
    return v;
}

/* The source under a band, from the piece's first channel on. */
static view source_view(const gradient_pass *p, const band *b, int row, int rows, float *copy)
{
    const conv_shape *q = &p->s->conv;
    if (p->s->plain_input)
        return copy_plain(p, b, copy);
    const int blocks = divide_up(q->c, 16);
    if (p->pair == 2 || p->sampled > 1) {
        int top = b->line * q->stride - q->padding, end = (b->line + b->lines - 1) * q->stride - q->padding + q->kernel;
        if (p->sampled > 1) {
            top = b->line;
            end = b->line + b->lines;
        }
        top = top < 0 ? 0 : top;
        end = end > q->h ? q->h : end;
        return copy_blocks(p, p->src, blocks, q->h, q->w, row / 16, rows / 16, b, top, end > top ? end - top : 0,
                           p->sampled, copy);
    }
    const ptrdiff_t plane = (ptrdiff_t)q->h * q->w * 16;
    return (view){.words = (const float *)p->src + ((ptrdiff_t)b->n * blocks + row / 16) * plane,
                  .picture = blocks * plane,
                  .block = plane,
                  .line = (ptrdiff_t)q->w * 16,
                  .column = 16};
}

static view gradient_view(const gradient_pass *p, const band *b, int channel, int channels, float *copy)
{
    const conv_shape *q = &p->s->conv;
    const int blocks = p->channels / 16;
    if (p->pair == 2)
        return copy_blocks(p, p->ddst, blocks, q->oh, q->ow, channel / 16, channels / 16, b, b->line, b->lines, 1,
                           copy);
    const ptrdiff_t plane = (ptrdiff_t)q->oh * q->ow * 16;
    return (view){.words = (const float *)p->ddst + ((ptrdiff_t)b->n * blocks + channel / 16) * plane +
                           (ptrdiff_t)b->line * q->ow * 16,
                  .picture = blocks * plane,
                  .block = plane,
                  .line = (ptrdiff_t)q->ow * 16,
                  .column = 16};
}

/* ---- products */

/* From `first` to `end` - 1: the lines (or columns) of the gradient among from .. from + count - 1 whose source line
 * for the tap is inside. */
static void inside(const conv_shape *q, int tap, int size, int from, int count, int *first, int *end)
{
    const int before = q->padding - tap; /* source = at stride - before */
    int lo = before > 0 ? divide_up(before, q->stride) : 0, hi = size - 1 + before;
    hi = hi < 0 ? 0 : hi / q->stride + 1;
    lo = lo < from ? from : lo;
    hi = hi > from + count ? from + count : hi;
    *first = lo;
    *end = hi > lo ? hi : lo;
}

/* Loops of one step after another become one; the innermost should be long: true when that is the pictures'. */
static bool arrange(direct_outer *o)
{
    if (o->x_step[1] == o->count[0] * o->x_step[0] && o->y_step[1] == o->count[0] * o->y_step[0]) {
        o->count[0] *= o->count[1];
        o->count[1] = 1;
    }
    if (o->count[0] >= 8 || o->count[0] >= o->count[2])
        return false;
    const int count = o->count[0];
    const ptrdiff_t x = o->x_step[0], y = o->y_step[0];
    o->count[0] = o->count[2];
    o->x_step[0] = o->x_step[2];
    o->y_step[0] = o->y_step[2];
    o->count[2] = count;
    o->x_step[2] = x;
    o->y_step[2] = y;
    return true;
}

/* The piece's place: input channels (rows) and output channels. */
typedef struct piece {
    int row, rows, channel, channels;
} piece;

static piece gradient_piece(const gradient_pass *p, int index)
{
    piece a = {.row = index % p->pieces_c * p->piece_rows, .channel = index / p->pieces_c * p->piece_channels};
    a.rows = min_int(p->piece_rows, p->rows - a.row);
    a.channels = min_int(p->piece_channels, p->channels - a.channel);
    return a;
}

/* The next band, whose lines of both tensors are fetched during the products of this one: with each product some pixels
 * of a channel block (of a plain input: of a channel) of one of the word's pictures. */
typedef struct fetches {
    band b;
    piece a;
    int calls; /* products so far */
} fetches;

/* Lines of a tensor [N][blocks][h][w][numbers]: from `top` on. */
typedef struct tensor_lines {
    const void *tensor;
    int blocks, h, w, numbers; /* numbers: of a pixel in a block */
    int block, top, lines, sampled;
} tensor_lines;

static tensor_lines lines_to_fetch(const gradient_pass *p, const fetches *f, int index)
{
    const conv_shape *q = &p->s->conv;
    const bool plain = p->s->plain_input;
    const int of_src = plain ? q->c : f->a.rows / 16, top = f->b.line * q->stride - q->padding;
    if (index >= of_src)
        return (tensor_lines){.tensor = p->ddst,
                              .blocks = p->channels / 16,
                              .h = q->oh,
                              .w = q->ow,
                              .numbers = 16,
                              .block = f->a.channel / 16 + index - of_src,
                              .top = f->b.line,
                              .lines = f->b.lines,
                              .sampled = 1};
    return (tensor_lines){.tensor = p->src,
                          .blocks = plain ? q->c : divide_up(q->c, 16),
                          .h = q->h,
                          .w = q->w,
                          .numbers = plain ? 1 : 16,
                          .block = plain ? index : f->a.row / 16 + index,
                          .top = top < 0 ? 0 : top,
                          .lines = f->b.lines * q->stride,
                          .sampled = p->sampled};
}

static void fetch_next(const gradient_pass *p, fetches *f, direct_outer *o)
{
    const int tensors = (p->s->plain_input ? p->s->conv.c : f->a.rows / 16) + f->a.channels / 16;
    const int call = f->calls++, second = call / tensors % p->pair, part = call / tensors / p->pair;
    const tensor_lines l = lines_to_fetch(p, f, call % tensors);
    const ptrdiff_t number = p->pair == 2 ? 2 : 4, line = (ptrdiff_t)l.w * l.numbers * number, plane = l.h * line;
    const ptrdiff_t apart = l.sampled > 1 ? l.sampled * l.numbers * number : 64;
    const ptrdiff_t done = (ptrdiff_t)part * f->b.pictures * f->b.lines * p->s->conv.ow; /* fetches before */
    const int n = min_int(f->b.n * p->pair + second, p->s->conv.n - 1);
    const bool all = done * apart >= l.lines * line * f->b.pictures || (part > 0 && f->b.pictures > 1);
    o->fetch = (const char *)l.tensor + (n * l.blocks + l.block) * plane + l.top * line + (all ? 0 : done * apart);
    o->fetch_step = all ? 0 : apart;
    o->fetch_jump = all ? 0 : p->pair * l.blocks * plane;
}

/* From the source's first row of a piece to row r, for a plain input with its tap. */
static ptrdiff_t row_at(const gradient_pass *p, const view *x, int r)
{
    if (!p->s->plain_input)
        return r / 16 * x->block + r % 16;
    const int kernel = p->s->conv.kernel, tap = r % (kernel * kernel);
    return r / (kernel * kernel) * x->block + tap / kernel * x->line + tap % kernel;
}

/* Adds a band's products for one tap and one column to sums [rows][width]. */
static void multiply_tap(const gradient_pass *p, const band *b, fetches *f, const view *x, const view *y, int tap,
                         int rows, int width, float *sums, bool again)
{
    const conv_shape *q = &p->s->conv;
    const int kernel = q->kernel, tap_y = tap / kernel, tap_x = tap % kernel;
    direct_outer o = {.plane = y->block, .again = again};
    int line = b->line, end_line = b->line + b->lines, column = 0, end_column = q->ow;
    ptrdiff_t from = 0;
    int line_stride = q->stride;
    if (p->s->plain_input) {
        from = 0;
    } else if (p->sampled > 1) {
        line_stride = 1;
        from = (line - x->top) * x->line;
    } else {
        inside(q, tap_y, q->h, b->line, b->lines, &line, &end_line);
        inside(q, tap_x, q->w, 0, q->ow, &column, &end_column);
        from = (line * q->stride - q->padding + tap_y - x->top) * x->line +
               (column * q->stride - q->padding + tap_x) * x->column;
    }
    if (again && (end_line == line || end_column == column))
        return;
    o.x = x->words + from;
    o.y = y->words + (line - b->line) * y->line + column * y->column;
    o.count[0] = end_column - column;
    o.count[1] = end_line - line;
    o.count[2] = b->pictures;
    o.x_step[0] = x->column * line_stride;
    o.x_step[1] = x->line * line_stride;
    o.x_step[2] = x->picture;
    o.y_step[0] = y->column;
    o.y_step[1] = y->line;
    o.y_step[2] = y->picture;
    const bool turned = arrange(&o);
    const int groups = divide_up(rows, DIRECT_ROWS);
    for (int i = 0; i < groups; i++) {
        const int first = part_start(rows, groups, i), count = part_start(rows, groups, i + 1) - first;
        for (int r = 0; r < count; r++)
            o.at[r] = row_at(p, x, first + r);
        o.sums = sums + (ptrdiff_t)first * width;
        fetch_next(p, f, &o);
        if (turned)
            o.fetch_step = o.fetch_jump = 0;
        p->s->kernels->outer_product(count, width)(&o);
    }
}

static void run_task(const gradient_pass *p, int task, float *copies)
{
    const int pieces = p->pieces_c * p->pieces_k, part = task / pieces, bands = p->picture_bands * p->line_bands;
    const piece a = gradient_piece(p, task % pieces);
    float *area = p->areas + (size_t)task * p->area_floats, *gradients = copies + source_floats(p);
    const int first = part_start(bands, p->parts, part), end = part_start(bands, p->parts, part + 1);
    for (int i = first; i < end; i++) {
        const band b = band_at(p, i);
        fetches f = {.b = band_at(p, i + 1 < end ? i + 1 : i), .a = a};
        const view x = source_view(p, &b, a.row, a.rows, copies),
                   y = gradient_view(p, &b, a.channel, a.channels, gradients);
        for (int channel = 0; channel < a.channels; channel += p->s->kernels->column) {
            const int width = min_int(p->s->kernels->column, a.channels - channel);
            view column = y;
            column.words += channel / 16 * y.block + channel % 16;
            for (int tap = 0; tap < p->taps; tap++)
                multiply_tap(p, &b, &f, &x, &column, tap, a.rows, width,
                             area + ((ptrdiff_t)channel * p->taps + (ptrdiff_t)tap * width) * a.rows, i > first);
        }
    }
}

/* Adds the parts of a block of 16 output channels of a piece and writes them as OIHW. */
static void write_block(const gradient_pass *p, int index, int block, float *dw)
{
    const conv_shape *q = &p->s->conv;
    const piece a = gradient_piece(p, index);
    const int column = p->s->kernels->column, from = block * 16;
    if (from >= a.channels)
        return;
    const int in_all = p->s->plain_input ? p->rows : q->c, rows = min_int(a.rows, in_all - a.row);
    const int count = min_int(16, q->k - a.channel - from), pieces = p->pieces_c * p->pieces_k;
    const ptrdiff_t of_k = (ptrdiff_t)in_all * p->taps; /* of dw */
    float *to = dw + (ptrdiff_t)(a.channel + from) * of_k + (ptrdiff_t)a.row * p->taps;
    for (int start = 0; start < 16; start += column) { /* a column may be half a block */
        const int first = (from + start) / column * column, width = min_int(column, a.channels - first);
        const int lanes = min_int(width, 16), offset = from + start - first;
        for (int r = 0; r < rows; r++)
            for (int tap = 0; tap < p->taps; tap++) {
                float sum[16] = {0};
                for (int part = 0; part < p->parts; part++) {
                    const float *at = p->areas + (size_t)(part * pieces + index) * p->area_floats +
                                      ((ptrdiff_t)first * p->taps + (ptrdiff_t)tap * width) * a.rows +
                                      (ptrdiff_t)r * width + offset;
                    for (int o = 0; o < lanes; o++)
                        sum[o] += at[o];
                }
                for (int o = 0; o < lanes && start + o < count; o++)
                    to[(start + o) * of_k + (ptrdiff_t)r * p->taps + tap] = sum[o];
            }
    }
}

void direct_backward_weights(const direct_shape *s, const void *src, const void *ddst, float *dw, float *scratch,
                             int threads)
{
    gradient_pass p = pass_of(s, threads);
    const int pieces = p.pieces_c * p.pieces_k;
    const size_t copy_floats = source_floats(&p) + gradient_floats(&p);
    p.src = src;
    p.ddst = ddst;
    p.areas = scratch + (size_t)threads * copy_floats;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(dynamic, 1)
        for (int task = 0; task < pieces * p.parts; task++)
            run_task(&p, task, scratch + (size_t)omp_get_thread_num() * copy_floats);
#pragma omp for schedule(dynamic, 1) collapse(2)
        for (int index = 0; index < pieces; index++)
            for (int block = 0; block < p.piece_channels / 16; block++)
                write_block(&p, index, block, dw);
    }
}

size_t direct_gradient_floats(const direct_shape *s, int threads)
{
    const gradient_pass p = pass_of(s, threads);
    return (size_t)threads * (source_floats(&p) + gradient_floats(&p)) +
           (size_t)(p.pieces_c * p.pieces_k * p.parts) * p.area_floats;
}
