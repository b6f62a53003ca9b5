/* direct_passes.c - forward and backward data of direct.h, and the packed weights for both.
 *
 * Both passes are one: every pixel of the result is a sum over the taps of the kernel that have a source pixel for it.
 * Backward with stride S the taps go by the pixel's place modulo S, so the result is worked off as S x S classes of
 * pixels (forward: one). It is cut into patches, lines of some pictures, and patches into groups of up to 6
 * pixels whose products are made together: neighbours in a line, or the same pixel of 6 pictures where so many taps lie
 * outside of small pictures that it pays to leave them out exactly. A task is a patch and some columns of channels;
 * long sums are worked off in pieces, so that a piece's weights stay in the second cache while the patch's pixels pass.
 */
#include "device/direct.h"
#include "device/direct_plan.h"

#include <omp.h>
#include <string.h>

/* Measured ones: see SPEED.md. */
enum {
    PATCH_GROUPS = 96,       /* of a patch, about */
    PIECE_BYTES = 160 << 10, /* of the weights of a piece of the sum */
    TASKS_OF_A_THREAD = 8    /* at least, where there are so many */
};

bool direct_supported(const direct_shape *s)
{
    const conv_shape *q = &s->conv;
    const int64_t most = INT32_MAX, c_blocks = divide_up(q->c, 16), k_blocks = divide_up(q->k, 16);
    return s->kernels && q->n >= 1 && q->c >= 1 && q->k >= 1 && q->oh >= 1 && q->ow >= 1 && q->kernel >= 1 &&
           q->stride >= 1 && q->padding >= 0 && q->oh == (q->h + 2 * q->padding - q->kernel) / q->stride + 1 &&
           q->ow == (q->w + 2 * q->padding - q->kernel) / q->stride + 1 &&
           (int64_t)q->h * q->w <= most / (c_blocks * q->n) && (int64_t)q->oh * q->ow <= most / (k_blocks * q->n);
}

/* ---- how a pass is cut */

typedef struct data_pass {
    const direct_shape *s;
    packing packing;
    bool backward;
    int h, w, source_h, source_w;  /* of the result and of the source */
    int classes;                   /* along a side */
    int size;                      /* bytes of a number in the tensors */
    bool across;                   /* groups are the same pixel of different pictures */
    int picture_parts, line_parts; /* patches are parts of pictures and parts of lines */
    int patches;
    int lines;           /* of a class */
    int groups;          /* of a patch, at most */
    int taps;            /* of a group, at most */
    int columns, ranges; /* of columns: tasks of a patch */
    int piece_blocks;    /* blocks of a piece of the sum */
    ptrdiff_t src_step;  /* bytes from a block of the source, or of a plain input's copy, to the next */
    int threads;
    const int *source_y, *source_x; /* [h][kernel], [w][kernel]: the tap's source line or column; negative: outside */
    const char *src;
    const float *u;
    void *dst;
    winograd_epilogue epilogue;
    float *rows; /* the epilogue's sums: [patches][2][channels] */
    bool stream;
} data_pass;

/* A patch: pictures and lines of the classes. */
typedef struct patch {
    int n, pictures, line, lines;
} patch;

static patch patch_at(const data_pass *p, int index)
{
    const int n = index % p->picture_parts, line = index / p->picture_parts, pictures = p->s->conv.n;
    patch a = {.n = part_start(pictures, p->picture_parts, n), .line = part_start(p->lines, p->line_parts, line)};
    a.pictures = part_start(pictures, p->picture_parts, n + 1) - a.n;
    a.lines = part_start(p->lines, p->line_parts, line + 1) - a.line;
    return a;
}

/* The source line or column of a result's line or column for a tap; -1: there is none. */
static int source_of(const conv_shape *q, bool backward, int at, int tap)
{
    if (!backward) {
        const int from = at * q->stride - q->padding + tap;
        return from;
    }
    const int from = at + q->padding - tap;
    return from < 0 || from % q->stride ? -1 : from / q->stride;
}

/* How many of the `size` lines' taps are inside, in all. */
static int64_t taps_inside(const conv_shape *q, bool backward, int size, int source_size)
{
    int64_t inside = 0;
    for (int at = 0; at < size; at++)
        for (int tap = 0; tap < q->kernel; tap++) {
            const int from = source_of(q, backward, at, tap);
            inside += from >= 0 && from < source_size;
        }
    return inside;
}

/* Whether groups across pictures make less work: those pay for no tap that is outside, but are smaller where the
 * batch is no multiple of 6. Groups in a line leave out taps only where all their pixels have none. */
static bool pays_across(const data_pass *p)
{
    const conv_shape *q = &p->s->conv;
    if (p->s->plain_input)
        return false;
    const int64_t of_stride = (int64_t)p->classes * p->classes;
    const double taps_x = (double)taps_inside(q, p->backward, p->w, p->source_w),
                 taps_y = (double)taps_inside(q, p->backward, p->h, p->source_h);
    const double in_line = (double)q->n * p->h * p->w / DIRECT_ROWS * q->kernel * q->kernel / (double)of_stride,
                 across = taps_x * taps_y * divide_up(q->n, DIRECT_ROWS);
    return across < 0.98 * in_line;
}

static void cut_patches(data_pass *p, int groups)
{
    const int n = p->s->conv.n, columns = divide_up(p->w, p->classes);
    const int at_once = p->across ? 1 : DIRECT_ROWS; /* of a picture's pixels in a group */
    const int classes = p->classes * p->classes, pixels = p->lines * columns;
    const int wanted = divide_up(groups, classes) * at_once;
    if (p->across)
        p->picture_parts = divide_up(n, DIRECT_ROWS);
    else if (p->s->plain_input || pixels >= wanted)
        p->picture_parts = n;
    else
        p->picture_parts = divide_up(n, wanted / pixels);
    p->line_parts = min_int(p->lines, divide_up(pixels, wanted));
    p->patches = p->picture_parts * p->line_parts;
    const int most = divide_up(p->lines, p->line_parts) * columns;
    p->groups = classes * (p->across ? most : divide_up(divide_up(n, p->picture_parts) * most, DIRECT_ROWS));
}

/* Elements from 16 channels to the next 16 of a picture: of the result, of the source. */
static ptrdiff_t plane_of(const data_pass *p)
{
    return (ptrdiff_t)p->h * p->w * 16;
}

static ptrdiff_t source_plane(const data_pass *p)
{
    return (ptrdiff_t)p->source_h * p->source_w * 16;
}

/* Lines of a plain input's copy have so many numbers, and there are so many of each channel. */
static int copy_pitch(const data_pass *p)
{
    const conv_shape *q = &p->s->conv;
    return (q->ow - 1) * q->stride + q->kernel + 2;
}

static int copy_lines(const data_pass *p, int lines)
{
    return (lines - 1) * p->s->conv.stride + p->s->conv.kernel;
}

static data_pass pass_of(const direct_shape *s, bool backward, int threads)
{
    const conv_shape *q = &s->conv;
    data_pass p = {.s = s,
                   .packing = packing_of(s, backward),
                   .backward = backward,
                   .h = backward ? q->h : q->oh,
                   .w = backward ? q->w : q->ow,
                   .source_h = backward ? q->oh : q->h,
                   .source_w = backward ? q->ow : q->w,
                   .classes = backward ? q->stride : 1,
                   .size = s->kernels->pair == 2 ? 2 : 4,
                   .threads = threads};
    p.lines = divide_up(p.h, p.classes);
    p.taps = s->plain_input ? q->kernel : divide_up(q->kernel, p.classes) * divide_up(q->kernel, p.classes);
    p.across = pays_across(&p);
    p.columns = divide_up(p.packing.channels, p.packing.column);
    const int tasks = TASKS_OF_A_THREAD * threads;
    int groups = PATCH_GROUPS;
    cut_patches(&p, groups);
    while (p.patches * p.columns < tasks && groups > 4) {
        groups /= 2;
        cut_patches(&p, groups);
    }
    p.ranges = min_int(p.columns, divide_up(tasks, p.patches));
    const packing *u = &p.packing;
    const int64_t block_bytes = (int64_t)u->taps * u->words * min_int(u->column, u->channels) * 4;
    const int pieces = min_int(u->blocks, (int)(u->blocks * block_bytes / PIECE_BYTES) + 1);
    p.piece_blocks = divide_up(u->blocks, pieces);
    p.src_step = (s->plain_input ? (ptrdiff_t)copy_lines(&p, divide_up(p.lines, p.line_parts)) * copy_pitch(&p)
                                 : source_plane(&p)) *
                 p.size;
    return p;
}

/* ---- the work area: what all threads share, then what each has */

static size_t shared_floats(const data_pass *p)
{
    return round_up((size_t)(p->h + p->w) * (size_t)p->s->conv.kernel) +
           round_up((size_t)p->patches * 2 * (size_t)p->packing.channels);
}

typedef struct thread_area {
    /* The groups of patches of some lines and of so many pictures; places are those of a patch from picture 0 on. */
    int line, pictures, count;
    direct_group *groups;
    int *tap;      /* [groups][taps] */
    ptrdiff_t *at; /* [groups][taps][6] */
    float *kept;   /* [groups][6][column] */
    char *copy;    /* plain input: the patch's source lines with a border of zeros */
} thread_area;

static size_t area_floats(const data_pass *p)
{
    const size_t groups = (size_t)p->groups, taps = (size_t)p->taps;
    size_t floats = round_up(groups * sizeof(direct_group) / sizeof(float)) + round_up(groups * taps) +
                    round_up((groups + 1) * taps * DIRECT_ROWS * sizeof(ptrdiff_t) / sizeof(float)) +
                    round_up(groups * DIRECT_ROWS * (size_t)p->packing.column);
    if (p->s->plain_input)
        floats += round_up((size_t)p->s->conv.c * (size_t)p->src_step / sizeof(float) + 1);
    return floats;
}

/* `at` has room for one group more: behind the last one as much is read when it looks for the next group's source. */
static thread_area area_at(const data_pass *p, float *scratch)
{
    const size_t groups = (size_t)p->groups, taps = (size_t)p->taps;
    thread_area a = {.line = -1};
    a.kept = scratch;
    scratch += round_up(groups * DIRECT_ROWS * (size_t)p->packing.column);
    a.groups = (direct_group *)(void *)scratch;
    scratch += round_up(groups * sizeof(direct_group) / sizeof(float));
    a.at = (ptrdiff_t *)(void *)scratch;
    scratch += round_up((groups + 1) * taps * DIRECT_ROWS * sizeof(ptrdiff_t) / sizeof(float));
    a.tap = (int *)(void *)scratch;
    scratch += round_up(groups * taps);
    a.copy = (char *)scratch;
    return a;
}

/* ---- groups */

typedef struct place {
    int n, y, x;
} place;

/* Fills in what a group's pixels need: taps and places. `top`: the first line of a plain input's copy. */
static void fill_group(const data_pass *p, direct_group *g, const place *pixels, int rows, int *tap, ptrdiff_t *at,
                       int top)
{
    const conv_shape *q = &p->s->conv;
    const ptrdiff_t picture = plane_of(p) * (p->packing.channels / 16);
    g->rows = rows;
    g->taps = 0;
    g->tap = tap;
    g->at = at;
    for (int r = 0; r < rows; r++)
        g->to[r] = pixels[r].n * picture + ((ptrdiff_t)pixels[r].y * p->w + pixels[r].x) * 16;
    if (p->s->plain_input) {
        for (int y = 0; y < q->kernel; y++, at += DIRECT_ROWS) {
            tap[y] = y;
            for (int r = 0; r < rows; r++)
                at[r] = ((ptrdiff_t)(pixels[r].y * q->stride + y - top) * copy_pitch(p) + pixels[r].x * q->stride) *
                        p->size;
        }
        g->taps = q->kernel;
        return;
    }
    ptrdiff_t start[DIRECT_ROWS];
    const int *lines[DIRECT_ROWS], *columns[DIRECT_ROWS];
    for (int r = 0; r < rows; r++) {
        start[r] = pixels[r].n * source_plane(p) * p->packing.blocks;
        lines[r] = p->source_y + pixels[r].y * q->kernel;
        columns[r] = p->source_x + pixels[r].x * q->kernel;
    }
    for (int y = 0; y < q->kernel; y++)
        for (int x = 0; x < q->kernel; x++) {
            bool any = false;
            for (int r = 0; r < rows; r++) {
                const int line = lines[r][y], column = columns[r][x];
                const bool inside = (line | column) >= 0;
                at[r] = inside ? (start[r] + ((ptrdiff_t)line * p->source_w + column) * 16) * p->size : -1;
                any |= inside;
            }
            if (!any)
                continue;
            *tap++ = y * q->kernel + x;
            at += DIRECT_ROWS;
            g->taps++;
        }
}

/* Appends the groups of one class of a patch. */
static void fill_class(const data_pass *p, const patch *a, int class_y, int class_x, thread_area *area)
{
    const int classes = p->classes, columns = (p->w - class_x + classes - 1) / classes;
    const int lines = min_int(a->line + a->lines, (p->h - class_y + classes - 1) / classes) - a->line;
    const int total = lines > 0 ? lines * columns * (p->across ? 1 : a->pictures) : 0;
    const int groups = p->across ? total : divide_up(total, DIRECT_ROWS);
    int n = 0, line = a->line, column = 0;
    for (int i = 0; i < groups; i++) {
        place pixels[DIRECT_ROWS];
        const int rows = p->across ? a->pictures : min_int(DIRECT_ROWS, total - i * DIRECT_ROWS);
        for (int r = 0; r < rows; r++) {
            pixels[r].n = p->across ? r : n;
            pixels[r].y = class_y + line * classes;
            pixels[r].x = class_x + column * classes;
            if (p->across && r < rows - 1)
                continue;
            if (++column == columns) {
                column = 0;
                if (++line == a->line + lines) {
                    line = a->line;
                    n++;
                }
            }
        }
        const ptrdiff_t at = (ptrdiff_t)area->count * p->taps;
        fill_group(p, area->groups + area->count++, pixels, rows, area->tap + at, area->at + at * DIRECT_ROWS,
                   a->line * p->s->conv.stride);
    }
}

/* Patches follow each other so that the groups mostly stay as they are. */
static void fill_groups(const data_pass *p, const patch *a, thread_area *area)
{
    if (area->line == a->line && area->pictures == a->pictures)
        return;
    area->line = a->line;
    area->pictures = a->pictures;
    area->count = 0;
    /* The next group's places are fetched even where it has fewer taps or pixels, or where there is none. */
    memset(area->at, 0, (size_t)(p->groups + 1) * (size_t)p->taps * DIRECT_ROWS * sizeof *area->at);
    for (int class = 0; class < p->classes * p->classes; class ++)
        fill_class(p, a, class / p->classes, class % p->classes, area);
}

/* Copies the lines that a patch of a plain input needs, with zeros around the picture. */
static void copy_input(const data_pass *p, const patch *a, char *copy)
{
    const conv_shape *q = &p->s->conv;
    const int pitch = copy_pitch(p), lines = copy_lines(p, a->lines), size = p->size;
    const int top = a->line * q->stride - q->padding;
    const int count = min_int(q->w, pitch - q->padding > 0 ? pitch - q->padding : 0);
    for (int c = 0; c < q->c; c++)
        for (int i = 0; i < lines; i++) {
            char *to = copy + c * p->src_step + (ptrdiff_t)i * pitch * size;
            memset(to, 0, (size_t)pitch * (size_t)size);
            if (top + i < 0 || top + i >= q->h)
                continue;
            const ptrdiff_t from = (((ptrdiff_t)a->n * q->c + c) * q->h + top + i) * q->w;
            memcpy(to + (ptrdiff_t)q->padding * size, p->src + from * size, (size_t)count * (size_t)size);
        }
}

/* ---- the passes */

/* What a column's results go through; bias and center are copied, as the last column may be wider than they are. */
static direct_store store_of(const data_pass *p, int n, int channel, int width, float *row, float bias[DIRECT_COLUMN],
                             float center[DIRECT_COLUMN])
{
    const winograd_epilogue *e = &p->epilogue;
    const int channels = p->backward ? p->s->conv.c : p->s->conv.k;
    const ptrdiff_t plane = plane_of(p), picture = plane * (p->packing.channels / 16);
    const ptrdiff_t bytes = (n * picture + channel / 16 * plane + channel % 16) * p->size;
    for (int o = 0; o < width; o++) {
        bias[o] = e->bias && channel + o < channels ? e->bias[channel + o] : 0;
        center[o] = e->sums && channel + o < channels ? e->center[channel + o] : 0;
    }
    return (direct_store){.dst = (char *)p->dst + bytes,
                          .add = e->add ? (const char *)e->add + bytes : NULL,
                          .mask = e->mask ? (const char *)e->mask + bytes : NULL,
                          .x = e->x ? (const char *)e->x + bytes : NULL,
                          .plane = plane,
                          .bias = e->bias ? bias : NULL,
                          .center = center,
                          .sums = row ? row + channel : NULL,
                          .squares = row ? row + p->packing.channels + channel : NULL,
                          .relu = e->relu,
                          .stream = p->stream};
}

static void run_column(const data_pass *p, const thread_area *area, int n, int channel, float *row)
{
    const packing *u = &p->packing;
    const int width = column_width(u, channel);
    float bias[DIRECT_COLUMN], center[DIRECT_COLUMN];
    const direct_store store = store_of(p, n, channel, width, row, bias, center);
    const char *src = p->s->plain_input ? area->copy : p->src + n * source_plane(p) * u->blocks * p->size;
    direct_sum sum = {.src_step = p->src_step,
                      .words = u->words,
                      .group_step = (ptrdiff_t)p->taps * DIRECT_ROWS,
                      .tap_step = (ptrdiff_t)u->words * width,
                      .block_step = (ptrdiff_t)u->taps * u->words * width,
                      .store = &store};
    for (int block = 0; block < u->blocks; block += p->piece_blocks) {
        sum.src = src + block * p->src_step;
        sum.blocks = min_int(p->piece_blocks, u->blocks - block);
        sum.u = p->u + column_at(u, channel) + block * sum.block_step;
        sum.again = block > 0;
        sum.unready = block + sum.blocks < u->blocks;
        const float *next = sum.u + sum.blocks * sum.block_step;
        /* an area has a group NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
        sum.ahead_step = sum.blocks * sum.block_step / 16 / area->count * 16;
        for (int i = 0, end; i < area->count; i = end) {
            const direct_group *g = area->groups + i;
            for (end = i + 1; end < area->count && area->groups[end].rows == g->rows;)
                end++;
            sum.ahead = next + i * sum.ahead_step;
            sum.kept = area->kept + (ptrdiff_t)i * DIRECT_ROWS * width;
            p->s->kernels->product(g->rows, width)(&sum, g, end - i);
        }
    }
}

static void run_task(const data_pass *p, int task, thread_area *area)
{
    const int index = task / p->ranges, range = task % p->ranges;
    const patch a = patch_at(p, index);
    float *row = p->rows ? p->rows + (ptrdiff_t)index * 2 * p->packing.channels : NULL;
    const int first = part_start(p->columns, p->ranges, range), end = part_start(p->columns, p->ranges, range + 1);
    const int begin = first * p->packing.column,
              channels = min_int(end * p->packing.column, p->packing.channels) - begin;
    if (row) {
        memset(row + begin, 0, (size_t)channels * sizeof *row);
        memset(row + p->packing.channels + begin, 0, (size_t)channels * sizeof *row);
    }
    if (p->s->plain_input)
        copy_input(p, &a, area->copy);
    fill_groups(p, &a, area);
    for (int column = first; column < end; column++)
        run_column(p, area, a.n, column * p->packing.column, row);
}

/* Adds the patches' rows in their order. */
static void add_rows(const data_pass *p)
{
    const int padded = p->packing.channels, channels = p->backward ? p->s->conv.c : p->s->conv.k;
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int i = 0; i < 2 * channels; i++) {
        const float *from = p->rows + (i < channels ? i : padded + i - channels);
        double sum = 0;
        for (int patch_index = 0; patch_index < p->patches; patch_index++)
            sum += (double)from[(ptrdiff_t)patch_index * 2 * padded];
        p->epilogue.sums[i] = sum;
    }
}

static void run_pass(const direct_shape *s, bool backward, const void *src, const float *u, void *dst,
                     const winograd_epilogue *epilogue, float *scratch, int threads)
{
    data_pass p = pass_of(s, backward, threads);
    const int kernel = s->conv.kernel;
    int *source_y = (int *)(void *)scratch, *source_x = source_y + p.h * kernel;
    for (int i = 0; i < p.h * kernel; i++) {
        const int from = source_of(&s->conv, backward, i / kernel, i % kernel);
        source_y[i] = from < p.source_h ? from : -1;
    }
    for (int i = 0; i < p.w * kernel; i++) {
        const int from = source_of(&s->conv, backward, i / kernel, i % kernel);
        source_x[i] = from < p.source_w ? from : -1;
    }
    p.source_y = source_y;
    p.source_x = source_x;
    p.src = src;
    p.u = u;
    p.dst = dst;
    if (epilogue)
        p.epilogue = *epilogue;
    if (p.epilogue.sums)
        p.rows = scratch + round_up((size_t)(p.h + p.w) * (size_t)kernel);
    /* Only lines of the caches that are written whole, at once. */
    p.stream = p.packing.column >= 16 && !(p.size == 2 && (p.across || p.classes > 1)) &&
               stores_stream(dst, (size_t)s->conv.n * (size_t)(p.packing.channels / 16) * (size_t)plane_of(&p) *
                                      (size_t)p.size);
    float *areas = scratch + shared_floats(&p);
    const size_t area_size = area_floats(&p);
#pragma omp parallel num_threads(threads)
    {
        thread_area area = area_at(&p, areas + (size_t)omp_get_thread_num() * area_size);
#pragma omp for schedule(dynamic, 1)
        for (int task = 0; task < p.patches * p.ranges; task++)
            run_task(&p, task, &area);
        s->kernels->end_stores();
    }
    if (p.rows)
        add_rows(&p);
}

void direct_forward(const direct_shape *s, const void *src, const float *u, void *dst,
                    const winograd_epilogue *epilogue, float *scratch, int threads)
{
    run_pass(s, false, src, u, dst, epilogue, scratch, threads);
}

void direct_backward_data(const direct_shape *s, const void *ddst, const float *u_backward, void *dsrc,
                          const winograd_epilogue *epilogue, float *scratch, int threads)
{
    run_pass(s, true, ddst, u_backward, dsrc, epilogue, scratch, threads);
}

size_t direct_scratch_floats(const direct_shape *s, int threads)
{
    size_t most = direct_gradient_floats(s, threads);
    for (int backward = 0; backward < (s->plain_input ? 1 : 2); backward++) {
        const data_pass p = pass_of(s, backward, threads);
        const size_t floats = shared_floats(&p) + (size_t)threads * area_floats(&p);
        most = floats > most ? floats : most;
    }
    return most;
}
