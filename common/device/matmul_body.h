/* matmul_body.h - the code of matmul.h, compiled once for each instruction set. The including file defines MATMUL, the
 * function's name.
 *
 * After Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008) and BLIS: the sums of a tile,
 * ROWS rows of C by up to VECTORS vectors, stay in registers while k runs; each step multiplies one float of each row
 * of A by one row of B. A panel of B, MATMUL_KEPT rows by a tile's columns, is copied so that it lies together, and is
 * used for all rows of A of a task. A itself is read where it lies: a float at a time needs no order in memory.
 *
 * Which matrix is A and which is B is free, as (A B)^T = B^T A^T: the one whose copy costs less is copied. So the
 * weights of a linear layer, which are large, are read once, and the batch is copied. Products with fewer rows than a
 * vector has lanes, where both lie along k, are scalar products of rows instead, and nothing is copied.
 *
 * A task is some rows of C in some panels; tasks are handed out as threads get free. Every sum runs through k in order,
 * in one task, so that neither threads nor the cut into tasks change the result.
 */
#include "device/matmul.h"

#include "device/vector.h"

#include <omp.h>

enum {
    ROWS = 6,
    VECTORS = VEC_REGISTERS == 32 ? 4 : 2,
    WIDTH = VECTORS * VEC_LANES,          /* of a panel */
    PANELS = MATMUL_TASK_COLUMNS / WIDTH, /* of a task, at most */
    LINE = 16,                            /* floats in a line of the caches */
    ROWS_IN_PLACE = 16,                   /* of B that are used at a time where it lies */
    ALONE = 1 << 18                       /* multiply-adds that are worth a thread */
};

/* C[i][j] = sum of a(i, p) b(p, j), with A, B and C in either order. */
typedef struct product {
    int rows, columns, k;
    const float *a, *b;
    float *c;
    bool a_along; /* a(i, p) at a[i * a_step + p], else at a[p * a_step + i] */
    bool b_along; /* b(p, j) at b[j * b_step + p], else at b[p * b_step + j] */
    bool c_along; /* C[i][j] at c[j * c_step + i], else at c[i * c_step + j] */
    size_t a_step, b_step, c_step;
    bool accumulate;
    int task_rows, task_columns, column_tasks; /* how it is cut */
    int ahead;                                 /* tasks from one to the next of the same thread */
} product;

/* A task's part of C, and its work area. */
typedef struct part {
    int row, rows, column, columns;
    const float *next;     /* the columns of B that follow, or NULL */
    bool in_place;         /* B is read where it lies */
    float *panels, *aside; /* PANELS copied panels of B; sums of C that can't be made where they belong */
} part;

/* ---------------------------------------------------------------- tiles */

/* Asks for a line that is needed soon; not into the first cache, which a tile fills. */
ALWAYS_INLINE void fetch_line(const float *p)
{
    __builtin_prefetch(p, 0, 2);
}

/* C += (or =) A B for one tile; a: its first row of A. Its part of C is asked for first, and with each step what lies
 * at `ahead` and further `ahead_step`s. The compiler makes one loop for each set of constants. */
ALWAYS_INLINE void tile(int rows, int vectors, bool along, const float *a, size_t a_step, const float *b, size_t b_step,
                        int k, float *c, size_t c_step, bool add, const float *ahead, size_t ahead_step)
{
    UNROLL(r, rows)
        UNROLL(v, vectors)
            fetch_line(c + (size_t)r * c_step + v * VEC_LANES);
    vec sum[ROWS][VECTORS];
    UNROLL(r, rows)
        UNROLL(v, vectors)
            sum[r][v] = vec_zero();
    for (int p = 0; p < k; p++, b += b_step, ahead += ahead_step) {
        vec y[VECTORS];
        fetch_line(ahead);
        UNROLL(v, vectors)
            y[v] = vec_loadu(b + v * VEC_LANES);
        UNROLL(r, rows) {
            const vec x = vec_set1(along ? a[(size_t)r * a_step + (size_t)p] : a[r]);
            UNROLL(v, vectors)
                sum[r][v] = vec_fma(x, y[v], sum[r][v]);
        }
        if (!along)
            a += a_step;
    }
    UNROLL(r, rows)
        UNROLL(v, vectors) {
            float *to = c + (size_t)r * c_step + v * VEC_LANES;
            vec_storeu(to, add ? vec_add(vec_loadu(to), sum[r][v]) : sum[r][v]);
        }
}

#define TILE_OF_ROWS(r, vectors, along)                                                                                \
    case r:                                                                                                            \
        tile(r, (vectors) < VECTORS ? (vectors) : VECTORS, along, a, a_step, b, b_step, k, c, c_step, add, ahead,      \
             ahead_step);                                                                                              \
        break;
#define TILE_OF_VECTORS(v, along)                                                                                      \
    case v:                                                                                                            \
        switch (rows) {                                                                                                \
            TILE_OF_ROWS(1, v, along)                                                                                  \
            TILE_OF_ROWS(2, v, along)                                                                                  \
            TILE_OF_ROWS(3, v, along)                                                                                  \
            TILE_OF_ROWS(4, v, along)                                                                                  \
            TILE_OF_ROWS(5, v, along)                                                                                  \
            TILE_OF_ROWS(6, v, along)                                                                                  \
        }                                                                                                              \
        break;

static void tile_along(int rows, int vectors, const float *a, size_t a_step, const float *b, size_t b_step, int k,
                       float *c, size_t c_step, bool add, const float *ahead, size_t ahead_step)
{
    switch (vectors) {
        TILE_OF_VECTORS(1, true)
        TILE_OF_VECTORS(2, true)
        TILE_OF_VECTORS(3, true)
        TILE_OF_VECTORS(4, true)
    }
}

static void tile_across(int rows, int vectors, const float *a, size_t a_step, const float *b, size_t b_step, int k,
                        float *c, size_t c_step, bool add, const float *ahead, size_t ahead_step)
{
    switch (vectors) {
        TILE_OF_VECTORS(1, false)
        TILE_OF_VECTORS(2, false)
        TILE_OF_VECTORS(3, false)
        TILE_OF_VECTORS(4, false)
    }
}

/* ---------------------------------------------------------------- panels */

static int least(int a, int b)
{
    return a < b ? a : b;
}

static float *panel_at(const part *t, int column)
{
    return t->panels + (size_t)(column / WIDTH) * MATMUL_KEPT * WIDTH + column % WIDTH;
}

/* Copies k rows of B, from row p0 on, for the columns of a task; behind the last one zeros up to a whole vector. */
static void copy_rows(const product *s, const part *t, int p0, int k)
{
    const float *from = s->b + (size_t)p0 * s->b_step + (size_t)t->column;
    for (int p = 0; p < k; p++, from += s->b_step)
        for (int j = 0; j < t->columns; j += WIDTH) {
            float *to = panel_at(t, j) + p * WIDTH;
            if (j + WIDTH <= t->columns) {
                UNROLL(v, VECTORS)
                    vec_store(to + v * VEC_LANES, vec_loadu(from + j + v * VEC_LANES));
                continue;
            }
            const int columns = t->columns - j;
            memcpy(to, from + j, (size_t)columns * sizeof *to);
            for (int i = columns; i % VEC_LANES; i++)
                to[i] = 0;
        }
}

/* The same where B lies along k. */
static void copy_along(const product *s, const part *t, int p0, int k)
{
    for (int v = 0; v < t->columns; v += VEC_LANES) {
        const float *from = s->b + (size_t)(t->column + v) * s->b_step + (size_t)p0;
        float *to = panel_at(t, v);
        const int columns = least(t->columns - v, VEC_LANES);
        int p = 0;
        for (; p + VEC_LANES <= k; p += VEC_LANES) {
            vec r[VEC_LANES];
            UNROLL(i, VEC_LANES)
                r[i] = i < columns ? vec_loadu(from + (size_t)i * s->b_step + (size_t)p) : vec_zero();
            vec_transpose(r);
            UNROLL(i, VEC_LANES)
                vec_store(to + (p + i) * WIDTH, r[i]);
        }
        for (; p < k; p++)
            for (int i = 0; i < VEC_LANES; i++)
                to[p * WIDTH + i] = i < columns ? from[(size_t)i * s->b_step + (size_t)p] : 0;
    }
}

/* Writes sums that lie aside, [rows][WIDTH], to their place in C: `columns` of them from column j of C on. */
static void write_aside(const product *s, const part *t, const float *from, int j, int columns)
{
    const size_t across = s->c_along ? s->c_step : 1, down = s->c_along ? 1 : s->c_step;
    float *to = s->c + (size_t)t->row * down + (size_t)j * across;
    for (int v = 0; v < columns; v += VEC_LANES) {
        const int lanes = least(columns - v, VEC_LANES);
        int i = 0;
        for (; s->c_along && i + VEC_LANES <= t->rows; i += VEC_LANES) {
            vec r[VEC_LANES];
            UNROLL(x, VEC_LANES)
                r[x] = vec_load(from + (i + x) * WIDTH + v);
            vec_transpose(r);
            UNROLL(x, VEC_LANES)
                if (x < lanes) {
                    float *row = to + (size_t)(v + x) * across + (size_t)i;
                    vec_storeu(row, s->accumulate ? vec_add(vec_loadu(row), r[x]) : r[x]);
                }
        }
        for (; i < t->rows; i++)
            for (int x = 0; x < lanes; x++) {
                float *one = to + (size_t)i * down + (size_t)(v + x) * across;
                *one = from[i * WIDTH + v + x] + (s->accumulate ? *one : 0);
            }
    }
}

/* Adds the products of rows p .. p + k - 1 of B to a task's part of C, or begins with them. */
static void add_products(const product *s, const part *t, int p, int k)
{
    int line = 0; /* of the rows of B that the next task may need */
    for (int i = 0; i < t->rows; i += ROWS) {
        const size_t row = (size_t)(t->row + i);
        const float *a = s->a_along ? s->a + row * s->a_step + (size_t)p : s->a + (size_t)p * s->a_step + row;
        for (int j = 0; j < t->columns; j += WIDTH) {
            const int columns = least(t->columns - j, WIDTH), vectors = (columns + VEC_LANES - 1) / VEC_LANES;
            const bool aside = s->c_along || columns % VEC_LANES;
            const float *b = t->in_place ? s->b + (size_t)p * s->b_step + (size_t)(t->column + j) : panel_at(t, j);
            float *c = aside ? t->aside + (size_t)(j / WIDTH * MATMUL_TASK_ROWS + i) * WIDTH
                             : s->c + row * s->c_step + (size_t)(t->column + j);
            const bool fetch = t->next && line < t->columns;
            const float *ahead = fetch ? t->next + line : s->a_along ? b : a + LINE;
            const size_t ahead_step = fetch ? s->b_step : s->a_along ? 0 : s->a_step;
            line += LINE;
            (s->a_along ? tile_along : tile_across)(least(t->rows - i, ROWS), vectors, a, s->a_step, b,
                                                    t->in_place ? s->b_step : WIDTH, k, c, aside ? WIDTH : s->c_step,
                                                    p > 0 || (s->accumulate && !aside), ahead, ahead_step);
        }
    }
}

/* Where the rows of B begin that this thread copies next, most likely; NULL: unknown. */
static const float *next_rows(const product *s, const part *t, int p)
{
    const int column = t->column + s->ahead * s->task_columns;
    if (s->b_along || t->in_place || (p >= s->k && column + s->task_columns > s->columns))
        return NULL;
    return p < s->k ? s->b + (size_t)p * s->b_step + (size_t)t->column : s->b + (size_t)column;
}

static void run_task(const product *s, int task, float *scratch)
{
    const int row = task / s->column_tasks * s->task_rows, column = task % s->column_tasks * s->task_columns;
    part t = {.row = row,
              .rows = least(s->rows - row, s->task_rows),
              .column = column,
              .columns = least(s->columns - column, s->task_columns),
              .panels = scratch,
              .aside = scratch + MATMUL_KEPT * MATMUL_TASK_COLUMNS};
    t.in_place = !s->b_along && s->rows <= ROWS && t.columns % VEC_LANES == 0; /* what is read once needs no copy */
    const int step = t.in_place ? ROWS_IN_PLACE : MATMUL_KEPT;
    for (int p = 0; p < s->k; p += step) {
        const int k = least(s->k - p, step);
        t.next = next_rows(s, &t, p + step);
        if (!t.in_place)
            (s->b_along ? copy_along : copy_rows)(s, &t, p, k);
        add_products(s, &t, p, k);
    }
    for (int j = 0; j < t.columns; j += WIDTH) {
        const int columns = least(t.columns - j, WIDTH);
        if (s->c_along || columns % VEC_LANES)
            write_aside(s, &t, t.aside + (size_t)(j / WIDTH * MATMUL_TASK_ROWS) * WIDTH, column + j, columns);
    }
}

/* What a copy costs for each row of a panel, in rows of A multiplied. */
static int copy_cost(const product *s)
{
    return s->b_along ? 6 : 2;
}

/* Cuts the product into tasks, so that `threads` threads end soonest; wide tasks where that is equal, as they read and
 * write longer runs. Returns their number. */
static int cut(product *s, int threads)
{
    const int fewest = (s->rows + MATMUL_TASK_ROWS - 1) / MATMUL_TASK_ROWS;
    int best = 0;
    double best_cost = 0;
    for (int panels = PANELS; panels > 0; panels--)
        for (int groups = fewest; groups <= fewest + threads; groups++) {
            const int rows = ((s->rows + groups - 1) / groups + ROWS - 1) / ROWS * ROWS;
            const int columns = least(panels * WIDTH, (s->columns + WIDTH - 1) / WIDTH * WIDTH);
            const int column_tasks = (s->columns + columns - 1) / columns;
            const int tasks = column_tasks * ((s->rows + rows - 1) / rows);
            const double cost = (double)((tasks + threads - 1) / threads) * (rows + copy_cost(s)) * columns;
            if (!best || cost < best_cost) {
                best = tasks;
                best_cost = cost;
                s->task_rows = rows;
                s->task_columns = columns;
                s->column_tasks = column_tasks;
            }
        }
    return best;
}

/* ---------------------------------------------------------------- few rows */

enum { DOT_ROWS = 4, DOT_COLUMNS = VEC_REGISTERS == 32 ? 4 : 2 };

/* C[i][j] for `rows` rows i of A and DOT_ROWS rows j of B, all along k; `valid` rows of B are there. */
ALWAYS_INLINE void dots(int rows, const matmul_shape *s, const float *a, const float *b, int valid, float *c)
{
    vec sum[DOT_COLUMNS][DOT_ROWS];
    const float *row[DOT_ROWS];
    UNROLL(j, DOT_ROWS) {
        row[j] = b + (size_t)(j < valid ? j : 0) * (size_t)s->k;
        UNROLL(i, rows)
            sum[i][j] = vec_zero();
    }
    int p = 0;
    for (; p + VEC_LANES <= s->k; p += VEC_LANES) {
        vec y[DOT_ROWS];
        UNROLL(j, DOT_ROWS)
            y[j] = vec_loadu(row[j] + p);
        UNROLL(i, rows) {
            const vec x = vec_loadu(a + (size_t)i * (size_t)s->k + (size_t)p);
            UNROLL(j, DOT_ROWS)
                sum[i][j] = vec_fma(x, y[j], sum[i][j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < valid; j++) {
            float lanes[VEC_LANES], total = 0;
            vec_storeu(lanes, sum[i][j]);
            for (int lane = 0; lane < VEC_LANES; lane++)
                total += lanes[lane];
            for (int q = p; q < s->k; q++)
                total += a[(size_t)i * (size_t)s->k + (size_t)q] * row[j][q];
            float *to = c + (size_t)i * (size_t)s->n + (size_t)j;
            *to = total + (s->accumulate ? *to : 0);
        }
}

/* Columns j .. of all rows of C. */
static void dot_task(const matmul_shape *s, const float *a, const float *b, float *c, int j)
{
    const int valid = least(s->n - j, DOT_ROWS);
    b += (size_t)j * (size_t)s->k;
    for (int i = 0; i < s->m; i += DOT_COLUMNS) {
        const float *x = a + (size_t)i * (size_t)s->k;
        float *y = c + (size_t)i * (size_t)s->n + (size_t)j;
        switch (least(s->m - i, DOT_COLUMNS)) {
        case 1:
            dots(1, s, x, b, valid, y);
            break;
        case 2:
            dots(2, s, x, b, valid, y);
            break;
        case 3:
            dots(DOT_COLUMNS < 3 ? DOT_COLUMNS : 3, s, x, b, valid, y);
            break;
        default:
            dots(DOT_COLUMNS, s, x, b, valid, y);
        }
    }
}

/* ---------------------------------------------------------------- the product */

/* (A B)^T = B^T A^T. */
static product swapped(const product *s)
{
    return (product){.rows = s->columns,
                     .columns = s->rows,
                     .k = s->k,
                     .a = s->b,
                     .b = s->a,
                     .c = s->c,
                     .a_along = s->b_along,
                     .b_along = s->a_along,
                     .c_along = !s->c_along,
                     .a_step = s->b_step,
                     .b_step = s->a_step,
                     .c_step = s->c_step,
                     .accumulate = s->accumulate};
}

/* Rows of A and copies, in vectors of B. */
static double work_of(const product *s)
{
    return (double)(s->rows + copy_cost(s)) * (double)((s->columns + VEC_LANES - 1) / VEC_LANES);
}

void MATMUL(const matmul_shape *s, const float *a, const float *b, float *c, float *scratch, int threads)
{
    const double size = (double)s->m * (double)s->n * (double)s->k;
    if (size < (double)threads * ALONE)
        threads = size < 2.0 * ALONE ? 1 : (int)(size / ALONE);
    if (!s->transpose_a && s->transpose_b && s->m < VEC_LANES) {
        const int tasks = (s->n + DOT_ROWS - 1) / DOT_ROWS;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
        for (int task = 0; task < tasks; task++)
            dot_task(s, a, b, c, task * DOT_ROWS);
        return;
    }
    product p = {.rows = s->m,
                 .columns = s->n,
                 .k = s->k,
                 .a = a,
                 .b = b,
                 .c = c,
                 .a_along = !s->transpose_a,
                 .b_along = s->transpose_b,
                 .a_step = (size_t)(s->transpose_a ? s->m : s->k),
                 .b_step = (size_t)(s->transpose_b ? s->k : s->n),
                 .c_step = (size_t)s->n,
                 .accumulate = s->accumulate};
    const product other = swapped(&p);
    if (s->transpose_b && work_of(&other) < work_of(&p)) /* so that the larger one is not copied with a transpose */
        p = other;
    const int tasks = cut(&p, threads);
    p.ahead = threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int task = 0; task < tasks; task++)
        run_task(&p, task, scratch + (size_t)omp_get_thread_num() * matmul_scratch_floats(1));
}
