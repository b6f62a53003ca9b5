/* pred.tsv: predict writes it, evaluate, render and report read it.
 *
 * The header decides which columns there are (frame, pairs of category and probability), and each row must have them. A
 * dash stands for what the model does not give; a category without its probability, or a part of a box, is an error. A
 * class may be called "-": the probability tells it from none. */
#include "voc/pred.h"

#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BASE_COLUMNS = 7,
    FRAME_COLUMNS = 4,
    COLUMNS_MAX = BASE_COLUMNS + FRAME_COLUMNS + 2 * PRED_TOP_MAX,
    FRAME_MAX = 1000000
};
static const char *const base_names[BASE_COLUMNS] = {"file_name", "category", "probability", "y1", "x1", "y2", "x2"};

/* ---------------------------------------------------------------- writing */

void pred_print_header(FILE *f, int frame, int top)
{
    fputs("file_name\tcategory\tprobability\ty1\tx1\ty2\tx2", f);
    for (int i = 0; i < FRAME_COLUMNS && frame > 0; i++)
        fprintf(f, "\t%s_%d", base_names[3 + i], frame);
    for (int k = 1; k <= top; k++)
        fprintf(f, "\tcategory_%d\tprobability_%d", k, k);
    fputc('\n', f);
}

static void print_box(FILE *f, bool there, box_real b)
{
    const double v[4] = {b.y1, b.x1, b.y2, b.x2};
    for (int i = 0; i < 4; i++) {
        double rounded = round(v[i] * 100) / 100;
        if (there)
            fprintf(f, "\t%.2f", rounded == 0 ? 0 : v[i]); /* no "-0.00" */
        else
            fputs("\t-", f);
    }
}

void pred_print_row(FILE *f, const pred_row *row, int frame, int top)
{
    fputs(row->file_name, f);
    if (row->category)
        fprintf(f, "\t%s\t%.6f", row->category, row->probability);
    else
        fputs("\t-\t-", f);
    print_box(f, row->has_box, row->box);
    if (frame > 0)
        print_box(f, row->has_box, row->frame);
    for (int k = 0; k < top; k++)
        if (row->category && row->top)
            fprintf(f, "\t%s\t%.6f", row->top[k].category, row->top[k].probability);
        else
            fputs("\t-\t-", f);
    fputc('\n', f);
}

/* ---------------------------------------------------------------- reading */

static bool is_dash(text_field f)
{
    return f.size == 1 && f.text[0] == '-';
}

/* "NAME_<number>" */
static bool numbered(text_field f, const char *name, int64_t min, int64_t max, int64_t *number)
{
    size_t n = strlen(name);
    return f.size > n + 1 && memcmp(f.text, name, n) == 0 && f.text[n] == '_' &&
           text_int(f.text + n + 1, f.size - n - 1, min, max, number);
}

/* Sets t->frame and t->top from the header; `columns` of them. */
static int read_header(pred_table *t, const text_field *f, size_t columns, error *e)
{
    int64_t n;
    size_t at = BASE_COLUMNS;
    for (size_t i = 0; i < BASE_COLUMNS; i++)
        if (columns <= i || !text_is(f[i], base_names[i]))
            return fail(e, ERR_INPUT, "no prediction table: column %zu must be '%s'", i + 1, base_names[i]);
    if (columns >= BASE_COLUMNS + FRAME_COLUMNS && numbered(f[at], "y1", 1, FRAME_MAX, &n)) {
        t->frame = (int)n;
        for (size_t i = 0; i < FRAME_COLUMNS; i++, at++)
            if (!numbered(f[at], base_names[3 + i], n, n, &n))
                return fail(e, ERR_INPUT, "column %zu must be '%s_%d', not '%.*s'", at + 1, base_names[3 + i], t->frame,
                            text_shown(f[at]), f[at].text);
    }
    while (at < columns) {
        t->top++;
        if (!numbered(f[at], "category", t->top, t->top, &n) || at + 1 == columns ||
            !numbered(f[at + 1], "probability", t->top, t->top, &n))
            return fail(e, ERR_INPUT, "column %zu is '%.*s', category_%d and probability_%d are expected", at + 1,
                        text_shown(f[at]), f[at].text, t->top, t->top);
        at += 2;
    }
    return 0;
}

/* A category and its probability, both or none. */
static int read_pair(pred_table *t, const text_field *f, const char **category, double *probability, error *e)
{
    *category = NULL;
    *probability = 0;
    if (is_dash(f[0]) && is_dash(f[1]))
        return 0;
    const char *wrong = names_bad_category(f[0].text, f[0].size);
    if (wrong)
        return fail(e, ERR_INPUT, "category '%.*s' %s", text_shown(f[0]), f[0].text, wrong);
    if (!text_double(f[1].text, f[1].size, probability) || *probability < 0 || *probability > 1)
        return fail(e, ERR_INPUT, "probability '%.*s' is not a number from 0 to 1", text_shown(f[1]), f[1].text);
    size_t number;
    int code = names_add(&t->categories, f[0].text, f[0].size, &number, e);
    if (!code)
        *category = t->categories.items[number];
    return code;
}

static int read_box(const text_field *f, bool *there, box_real *b, error *e)
{
    double v[4] = {0};
    *there = !is_dash(f[0]);
    for (int i = 0; i < 4; i++) {
        if (is_dash(f[i]) != !*there)
            return fail(e, ERR_INPUT, "a part of the box is missing");
        if (*there && (!text_double(f[i].text, f[i].size, &v[i]) || fabs(v[i]) > 1e9))
            return fail(e, ERR_INPUT, "%s '%.*s' is not a number", base_names[3 + i], text_shown(f[i]), f[i].text);
    }
    *b = (box_real){v[0], v[1], v[2], v[3]};
    return 0;
}

/* The picture of a row: a new one, or that of the row before. */
static int read_name(pred_table *t, text_field f, const char **name, error *e)
{
    const size_t count = t->file_names.count;
    const bool again = t->count && text_is(f, t->rows[t->count - 1].file_name);
    if (again && !t->all)
        return fail(e, ERR_INPUT, "%s is there twice; several rows of a picture are for evaluate --all",
                    t->rows[t->count - 1].file_name);
    int code = again ? 0 : names_add_file(&t->file_names, f, e);
    if (!code)
        *name = again ? t->rows[t->count - 1].file_name : t->file_names.items[count];
    return code;
}

static int read_row(pred_table *t, const text_field *f, error *e)
{
    pred_row row = {0};
    int code = read_name(t, f[0], &row.file_name, e);
    if (!code)
        code = read_pair(t, f + 1, &row.category, &row.probability, e);
    if (!code)
        code = read_box(f + 3, &row.has_box, &row.box, e);
    const text_field *at = f + BASE_COLUMNS;
    if (!code && t->frame) {
        bool there;
        code = read_box(at, &there, &row.frame, e);
        if (!code && there != row.has_box)
            code = fail(e, ERR_INPUT, "the box is there only in one of picture and frame");
        at += FRAME_COLUMNS;
    }
    if (!code)
        code = mem_grow(&t->rows, &t->capacity, t->count + 1, sizeof *t->rows, "predictions", e);
    if (!code && t->top)
        code = mem_grow(&t->tops, &t->top_capacity, (t->count + 1) * (size_t)t->top, sizeof *t->tops, "predictions", e);
    for (int k = 0; k < t->top && !code; k++) {
        pred_top *top = &t->tops[t->count * (size_t)t->top + (size_t)k];
        code = read_pair(t, at + 2 * (size_t)k, &top->category, &top->probability, e);
        if (!code && !top->category != !row.category)
            code = fail(e, ERR_INPUT, "category_%d is there without category, or the other way round", k + 1);
    }
    if (code)
        return code;
    t->rows[t->count++] = row;
    return 0;
}

/* The table being read and the fields of a line. */
typedef struct pred_reader {
    pred_table *t;
    size_t columns;
    text_field f[COLUMNS_MAX];
} pred_reader;

static int take_line(void *context, size_t number, const char *line, size_t size, error *e)
{
    pred_reader *r = context;
    size_t count = text_split(line, size, '\t', r->f, COLUMNS_MAX);
    if (number == 1) {
        r->columns = count;
        return count > COLUMNS_MAX ? fail(e, ERR_INPUT, "%zu columns are too many", count)
                                   : read_header(r->t, r->f, count, e);
    }
    return count == r->columns
               ? read_row(r->t, r->f, e)
               : fail(e, ERR_INPUT, "%zu columns, the header has %zu (tabs between them)", count, r->columns);
}

static int read_table(pred_table *t, bool all, const char *path, error *e)
{
    file_view view;
    *t = (pred_table){.all = all};
    int code = file_open(&view, path, e);
    if (code)
        return code;
    pred_reader *r = mem_zero(1, sizeof *r, "predictions", e);
    if (r)
        r->t = t;
    code = r ? file_lines(&view, true, take_line, r, e) : ERR_SYSTEM;
    free(r);
    file_close(&view);
    if (code)
        pred_free(t);
    for (size_t i = 0; i < t->count && t->top; i++) /* only now has the array stopped moving */
        t->rows[i].top = t->rows[i].category ? &t->tops[i * (size_t)t->top] : NULL;
    return code;
}

int pred_read(pred_table *t, const char *path, error *e)
{
    return read_table(t, false, path, e);
}

int pred_read_all(pred_table *t, const char *path, error *e)
{
    return read_table(t, true, path, e);
}

const pred_row *pred_find(const pred_table *t, const char *file_name)
{
    size_t row = names_find(&t->file_names, file_name, strlen(file_name));
    return row == NAMES_NONE ? NULL : &t->rows[row];
}

void pred_free(pred_table *t)
{
    free(t->rows);
    free(t->tops);
    names_free(&t->file_names);
    names_free(&t->categories);
    *t = (pred_table){0};
}

int pred_check(const char *path, error *e)
{
    pred_table t;
    int code = pred_read_all(&t, path, e);
    pred_free(&t);
    return code;
}
