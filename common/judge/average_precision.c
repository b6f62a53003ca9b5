/* Predictions are sorted once, by class and then by score; each class is a run of them. Which objects have been taken
 * is remembered by their rows in the table of annotations. The curve of a class is kept as the precision at each right
 * prediction, made monotonous from its end, from which both averages are read off. */
#include "judge/average_precision.h"

#include "base/json.h"
#include "base/json_text.h"
#include "judge/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- judging */

typedef struct detection {
    const pred_row *row;
    size_t class_number; /* in class_names */
} detection;

static int by_class_and_score(const void *a, const void *b)
{
    const detection *x = a, *y = b;
    if (x->class_number != y->class_number)
        return x->class_number < y->class_number ? -1 : 1;
    if (x->row->probability != y->row->probability)
        return x->row->probability < y->row->probability ? 1 : -1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* The class of that name; it is added when it is new. */
static average_precision_class *class_of(average_precision *a, const char *name, error *e)
{
    size_t number;
    /* a found object has a class NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    if (names_add(&a->class_names, name, strlen(name), &number, e))
        return NULL;
    if (number == a->class_count) {
        if (mem_grow(&a->classes, &a->class_capacity, number + 1, sizeof *a->classes, "classes", e))
            return NULL;
        a->classes[a->class_count++] =
            (average_precision_class){.name = a->class_names.items[number], .area = NAN, .eleven = NAN};
    }
    return &a->classes[number];
}

/* Counts the objects of the pictures that were predicted. */
static int count_objects(average_precision *a, const pred_table *pred, const anno_table *anno, error *e)
{
    text_names unknown = {0};
    for (size_t i = 0; i < pred->file_names.count; i++) {
        const anno_image *image = anno_find(anno, pred->file_names.items[i]);
        if (!image)
            text_names_add(&unknown, "%s", pred->file_names.items[i]);
        for (uint32_t k = 0; image && k < image->count; k++) {
            const anno_row *o = &anno->rows[image->rows[k]];
            average_precision_class *c = class_of(a, o->category, e);
            if (!c)
                return e->code;
            *(o->ignore ? &a->ignored : &c->objects) += 1;
            a->objects += !o->ignore;
        }
    }
    a->pictures = pred->file_names.count;
    if (unknown.count)
        return fail(e, ERR_INPUT, "%zu of %zu pictures are not in the annotations: %s; they must be of the same set",
                    unknown.count, a->pictures, unknown.text);
    return a->objects ? 0 : fail(e, ERR_INPUT, "the %zu pictures have no object in the annotations", a->pictures);
}

/* What a prediction is: 1 right, 0 wrong, -1 neither. */
static int verdict(const pred_row *p, const anno_table *anno, bool *taken)
{
    const anno_image *image = anno_find(anno, p->file_name);
    double best = -1;
    uint32_t at = 0;
    for (uint32_t k = 0; k < image->count; k++) {
        const anno_row *o = &anno->rows[image->rows[k]];
        const double overlap = strcmp(o->category, p->category) ? -1 : box_iou(p->box, box_to_real(o->box));
        if (overlap > best) {
            best = overlap;
            at = image->rows[k];
        }
    }
    if (best < AVERAGE_PRECISION_IOU)
        return 0;
    if (anno->rows[at].ignore)
        return -1;
    const bool again = taken[at];
    taken[at] = true;
    return !again;
}

/* The greatest precision from a recall of `hits` / objects on; precision[i] is that at the (i+1)th right prediction. */
static double precision_from(const double *precision, size_t right, double hits)
{
    const double first = fmax(ceil(hits - 1e-9), 1);
    return first > (double)right ? 0 : precision[(size_t)first - 1];
}

/* One class from its run of predictions. precision: room for `count`. */
static void judge_class(average_precision_class *c, const detection *run, size_t count, const anno_table *anno,
                        bool *taken, double *precision)
{
    size_t judged = 0;
    c->predicted = count;
    for (size_t i = 0; i < count; i++) {
        const int v = verdict(run[i].row, anno, taken);
        judged += v >= 0;
        if (v > 0) {
            c->right++;
            precision[c->right - 1] = (double)c->right / (double)judged;
        }
    }
    if (!c->objects)
        return;
    for (size_t i = c->right; i > 1; i--)
        precision[i - 2] = fmax(precision[i - 2], precision[i - 1]);
    c->area = c->eleven = 0;
    for (size_t i = 0; i < c->right; i++)
        c->area += precision[i] / (double)c->objects;
    for (int t = 0; t <= 10; t++)
        c->eleven += precision_from(precision, c->right, t / 10.0 * (double)c->objects) / 11;
}

static int judge(average_precision *a, const pred_table *pred, const anno_table *anno, detection *list, bool *taken,
                 double *precision, error *e)
{
    for (size_t i = 0; i < pred->count; i++) {
        if (!pred->rows[i].category)
            continue;
        const average_precision_class *c = class_of(a, pred->rows[i].category, e);
        if (!c)
            return e->code;
        list[a->predicted++] = (detection){&pred->rows[i], (size_t)(c - a->classes)};
    }
    qsort(list, a->predicted, sizeof *list, by_class_and_score);
    for (size_t i = 0, next; i < a->predicted; i = next) {
        for (next = i; next < a->predicted && list[next].class_number == list[i].class_number; next++)
            ;
        judge_class(&a->classes[list[i].class_number], list + i, next - i, anno, taken, precision);
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const average_precision_class *)a)->name, ((const average_precision_class *)b)->name);
}

int average_precision_compute(average_precision *a, const pred_table *pred, const anno_table *anno, error *e)
{
    *a = (average_precision){0};
    int code = count_objects(a, pred, anno, e);
    if (code)
        return code;
    detection *list = mem_zero(pred->count, sizeof *list, "predictions", e);
    bool *taken = mem_zero(anno->count, sizeof *taken, "objects", e);
    double *precision = mem_zero(pred->count, sizeof *precision, "predictions", e);
    code = list && taken && precision ? judge(a, pred, anno, list, taken, precision, e) : ERR_SYSTEM;
    free(list);
    free(taken);
    free(precision);
    if (code)
        return code;
    qsort(a->classes, a->class_count, sizeof *a->classes, by_name);
    size_t n = 0;
    for (size_t i = 0; i < a->class_count; i++) {
        average_precision_class *c = &a->classes[i];
        if (!c->objects)
            continue;
        if (!c->predicted)
            c->area = c->eleven = 0;
        a->area += c->area;
        a->eleven += c->eleven;
        n++;
    }
    a->area /= (double)n;
    a->eleven /= (double)n;
    return 0;
}

/* ---------------------------------------------------------------- as text */

static void add_number(text_buffer *out, const char *key, double v)
{
    text_add(out, isfinite(v) ? "\"%s\": %.6f" : "\"%s\": null", key, v);
}

int average_precision_json(const average_precision *a, text_buffer *out, error *e)
{
    text_add(out, "{\n  \"pictures\": %zu,\n  \"objects\": %zu,\n  \"predicted\": %zu,\n  \"ignored\": %zu,\n  ",
             a->pictures, a->objects, a->predicted, a->ignored);
    add_number(out, "ap50", a->area);
    text_add(out, ",\n  ");
    add_number(out, "ap50_eleven", a->eleven);
    text_add(out, ",\n  \"classes\": [\n");
    for (size_t i = 0; i < a->class_count; i++) {
        const average_precision_class *c = &a->classes[i];
        text_add(out, "    {\"name\": ");
        json_add_string(out, c->name);
        text_add(out, ", \"objects\": %zu, \"predicted\": %zu, \"right\": %zu, ", c->objects, c->predicted, c->right);
        add_number(out, "ap50", c->area);
        text_add(out, ", ");
        add_number(out, "ap50_eleven", c->eleven);
        text_add(out, "}%s\n", i + 1 < a->class_count ? "," : "");
    }
    text_add(out, "  ]\n}\n");
    return text_done(out, e);
}

static void add_row(text_buffer *out, const char *name, size_t objects, size_t predicted, double area, double eleven)
{
    text_add(out, "%-20s %8zu %10zu", name, objects, predicted);
    if (isfinite(area))
        text_add(out, " %9.4f %9.4f\n", area, eleven);
    else
        text_add(out, " %9s %9s\n", "-", "-");
}

int average_precision_table(const average_precision *a, text_buffer *out, error *e)
{
    text_add(out, "%zu objects in %zu pictures, %zu predicted", a->objects, a->pictures, a->predicted);
    if (a->ignored)
        text_add(out, "; %zu to be ignored are neither right nor wrong", a->ignored);
    text_add(out, "\n\n%-20s %8s %10s %9s %9s\n", "class", "objects", "predicted", "AP@0.5", "11 points");
    for (size_t i = 0; i < a->class_count; i++) {
        const average_precision_class *c = &a->classes[i];
        add_row(out, c->name, c->objects, c->predicted, c->area, c->eleven);
    }
    add_row(out, "mean", a->objects, a->predicted, a->area, a->eleven);
    return text_done(out, e);
}

/* ---------------------------------------------------------------- reading */

static int read_count(size_t *v, const json_reader *r, int object, const char *key, error *e)
{
    int64_t number;
    const int token = key ? json_get(r, object, key, e) : object;
    if (e->code)
        return e->code;
    if (token < 0 || !json_whole(r, token, 0, INT64_MAX, &number))
        return json_fail(r, e, "'%s' is missing or no count", key ? key : "it");
    *v = (size_t)number;
    return 0;
}

/* A share, or null. */
static int read_share(double *v, const json_reader *r, int token, const char *key, error *e)
{
    if (e->code)
        return e->code;
    if (token >= 0 && r->text[r->tokens[token].start] == 'n')
        *v = NAN;
    else if (token < 0 || !json_number(r, token, v) || *v < 0 || *v > 1)
        return json_fail(r, e, "'%s' is missing, or no number from 0 to 1 nor null", key);
    return 0;
}

static int read_class(average_precision *a, const json_reader *r, error *e)
{
    text_buffer name = {0};
    const int token = json_get(r, 0, "name", e);
    if (!e->code && (token < 0 || !json_string(r, token, &name, e)))
        json_fail(r, e, "'name' is missing or no text");
    average_precision_class *c = e->code ? NULL : class_of(a, name.data, e);
    if (c) {
        read_count(&c->objects, r, 0, "objects", e);
        read_count(&c->predicted, r, 0, "predicted", e);
        read_count(&c->right, r, 0, "right", e);
        read_share(&c->area, r, json_get(r, 0, "ap50", e), "ap50", e);
        read_share(&c->eleven, r, json_get(r, 0, "ap50_eleven", e), "ap50_eleven", e);
    }
    text_free(&name);
    return e->code;
}

int average_precision_read(average_precision *a, const char *path, error *e)
{
    static const char *const keys[] = {"pictures", "objects", "predicted", "ignored", "ap50", "ap50_eleven", "classes"};
    bool seen[COUNT(keys)] = {false};
    json_reader r;
    *a = (average_precision){0};
    size_t *const counts[] = {&a->pictures, &a->objects, &a->predicted, &a->ignored};
    int code = json_open(&r, path, e);
    while (!code && json_next(&r, e))
        for (size_t i = 0; i < COUNT(keys) && !code; i++) {
            if (!json_is_member(&r, keys[i]))
                continue;
            if (seen[i] && r.index <= 0)
                code = json_fail(&r, e, "'%s' is there twice", keys[i]);
            else if ((i == 6) == (r.index < 0))
                code = json_fail(&r, e, "is not what evaluate --all writes");
            else if (i < 4)
                code = read_count(counts[i], &r, 0, NULL, e);
            else
                code = i == 6 ? read_class(a, &r, e) : read_share(i == 4 ? &a->area : &a->eleven, &r, 0, keys[i], e);
            seen[i] = true;
        }
    for (size_t i = 0; i < COUNT(keys) && !e->code; i++)
        if (!seen[i])
            fail(e, ERR_INPUT, "%s: '%s' is missing", r.view.path, keys[i]);
    json_close(&r);
    return e->code;
}

int average_precision_check(const char *path, error *e)
{
    average_precision a;
    error other = {0};
    const int code = average_precision_read(&a, path, &other);
    average_precision_free(&a);
    return code == ERR_INPUT ? metrics_check(path, e) : code ? fail(e, code, "%s", other.text) : 0;
}

void average_precision_free(average_precision *a)
{
    free(a->classes);
    names_free(&a->class_names);
    *a = (average_precision){0};
}
