#include "judge/metrics_read.h"

#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The number behind a key, NaN when it is absent or null. */
static double number_of(const json_reader *r, const char *key, error *e)
{
    double v = NAN;
    int token = json_get(r, 0, key, e);
    if (token < 0 || !json_number(r, token, &v))
        return NAN;
    return v;
}

static int64_t count_of(const json_reader *r, const char *key, error *e)
{
    int64_t v = 0;
    int token = json_get(r, 0, key, e);
    if (token >= 0 && !json_whole(r, token, 0, INT64_MAX, &v) && !e->code)
        json_fail(r, e, "'%s' is no count", key);
    return v;
}

static int read_class(metrics_file *m, const json_reader *r, error *e)
{
    text_buffer name = {0};
    int token = json_get(r, 0, "name", e);
    int code = e->code;
    if (!code && (token < 0 || !json_string(r, token, &name, e)))
        code = e->code ? e->code : json_fail(r, e, "'name' is missing or no text");
    if (!code)
        code =
            mem_grow(&m->classes, &m->class_capacity, m->class_count + 1, sizeof *m->classes, "classes", e);
    if (code) {
        text_free(&name);
        return code;
    }
    m->classes[m->class_count++] = (metrics_file_class){
        .name = name.data,
        .n = count_of(r, "n", e),
        .predicted = count_of(r, "predicted", e),
        .correct = count_of(r, "correct", e),
        .recall = number_of(r, "recall", e),
        .precision = number_of(r, "precision", e),
        .l1 = number_of(r, "l1", e),
        .mean_iou = number_of(r, "mean_iou", e),
        .iou_half = number_of(r, "iou_half", e),
        .loc_largest = number_of(r, "locacc_largest", e),
        .loc_any = number_of(r, "locacc_any", e),
    };
    return e->code;
}

static int read_member(metrics_file *m, const json_reader *r, error *e)
{
    const struct {
        const char *name;
        metric *value;
    } figures[] = {{"accuracy", &m->accuracy},  {"l1", &m->l1},
                   {"mean_iou", &m->mean_iou},  {"iou_half", &m->iou_half},
                   {"locacc_any", &m->loc_any}, {"locacc_largest", &m->loc_largest}};
    const struct {
        const char *name;
        int64_t *value;
    } counts[] = {
        {"n", &m->n}, {"unjudged", &m->unjudged}, {"unpredicted", &m->unpredicted}, {"frame", &m->frame}};
    if (json_is_member(r, "classes"))
        return r->index >= 0 && r->token_count ? read_class(m, r, e) : 0;
    for (size_t i = 0; i < COUNT(figures); i++)
        if (json_is_member(r, figures[i].name))
            *figures[i].value = (metric){number_of(r, "value", e), number_of(r, "se", e)};
    for (size_t i = 0; i < COUNT(counts); i++)
        if (json_is_member(r, counts[i].name) && r->token_count &&
            !json_whole(r, 0, 0, INT64_MAX, counts[i].value))
            return json_fail(r, e, "is no count");
    return e->code;
}

int metrics_read(metrics_file *m, const char *path, error *e)
{
    const metric unknown = {NAN, NAN};
    *m = (metrics_file){.accuracy = unknown,
                        .l1 = unknown,
                        .mean_iou = unknown,
                        .iou_half = unknown,
                        .loc_largest = unknown,
                        .loc_any = unknown};
    int code = metrics_check(path, e);
    if (code)
        return code;
    json_reader r;
    code = json_open(&r, path, e);
    while (!code && json_next(&r, e))
        code = read_member(m, &r, e);
    json_close(&r);
    return e->code;
}

void metrics_file_free(metrics_file *m)
{
    for (size_t i = 0; i < m->class_count; i++)
        free(m->classes[i].name);
    free(m->classes);
    *m = (metrics_file){0};
}
