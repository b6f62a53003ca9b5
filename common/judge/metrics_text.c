/* metrics.json and the table of metrics.h. */
#include "base/json.h"
#include "judge/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- JSON */

/* A number with six decimals, null for NaN. */
static int append_number(text_buffer *out, double v, error *e)
{
    return isfinite(v) ? text_append(out, e, "%.6f", v) : text_append(out, e, "null");
}

/* sum / n, null without pictures. */
static int append_ratio(text_buffer *out, const char *name, double sum, size_t n, bool known, error *e)
{
    int code = text_append(out, e, ", \"%s\": ", name);
    return code ? code : append_number(out, n && known ? sum / (double)n : NAN, e);
}

static int append_metric(text_buffer *out, const char *name, metric m, error *e)
{
    int code = text_append(out, e, "  \"%s\": {\"value\": ", name);
    if (!code)
        code = append_number(out, m.value, e);
    if (!code)
        code = text_append(out, e, ", \"se\": ");
    if (!code)
        code = append_number(out, m.error, e);
    return code ? code : text_append(out, e, "},\n");
}

static int append_class(text_buffer *out, const metrics *m, const metrics_class *c, error *e)
{
    bool both = m->has_class && m->has_box;
    int code = text_append(out, e, "    {\"name\": ");
    if (!code)
        code = json_append_string(out, c->name, e);
    if (!code)
        code = text_append(out, e, ", \"n\": %zu, \"predicted\": %zu, \"correct\": %zu", c->n, c->predicted,
                           c->correct);
    if (!code)
        code = append_ratio(out, "recall", (double)c->correct, c->n, m->has_class, e);
    if (!code)
        code = append_ratio(out, "precision", (double)c->correct, c->predicted, m->has_class, e);
    if (!code)
        code = append_ratio(out, "l1", c->l1_sum, c->n, m->has_box, e);
    if (!code)
        code = append_ratio(out, "mean_iou", c->iou_sum, c->n, m->has_box, e);
    if (!code)
        code = append_ratio(out, "iou_half", (double)c->iou_half, c->n, m->has_box, e);
    if (!code)
        code = append_ratio(out, "locacc_largest", (double)c->located, c->n, both, e);
    if (!code)
        code = append_ratio(out, "locacc_any", (double)c->located_any, c->n, both, e);
    return code ? code : text_append(out, e, "}");
}

int metrics_json(const metrics *m, text_buffer *out, error *e)
{
    int code = text_append(out, e, "{\n  \"n\": %zu,\n  \"unjudged\": %zu,\n  \"unpredicted\": %zu,\n", m->n,
                           m->unjudged, m->unpredicted);
    if (!code)
        code = text_append(out, e, "  \"frame\": %d,\n  \"l1_from\": \"%s\",\n", m->frame,
                           m->l1_from_own_pixels ? "own pixels" : "frame");
    if (!code)
        code = append_metric(out, "accuracy", m->accuracy, e);
    if (!code)
        code = append_metric(out, "l1", m->l1, e);
    if (!code)
        code = append_metric(out, "mean_iou", m->mean_iou, e);
    if (!code)
        code = append_metric(out, "iou_half", m->iou_half, e);
    if (!code)
        code = append_metric(out, "locacc_largest", m->loc_largest, e);
    if (!code)
        code = append_metric(out, "locacc_any", m->loc_any, e);
    if (!code)
        code = text_append(out, e, "  \"classes\": [\n");
    for (size_t i = 0; i < m->class_count && !code; i++) {
        code = append_class(out, m, &m->classes[i], e);
        if (!code)
            code = text_append(out, e, "%s\n", i + 1 < m->class_count ? "," : "");
    }
    return code ? code : text_append(out, e, "  ]\n}\n");
}

/* ---------------------------------------------------------------- the table */

static int append_cell(text_buffer *out, int width, int decimals, double v, error *e)
{
    return isfinite(v) ? text_append(out, e, " %*.*f", width, decimals, v)
                       : text_append(out, e, " %*s", width, "-");
}

static int append_line(text_buffer *out, const char *name, metric m, int decimals, error *e)
{
    int code = text_append(out, e, "%-28s", name);
    if (!code)
        code = append_cell(out, 9, decimals, m.value, e);
    if (!code)
        code = append_cell(out, 9, decimals, m.error, e);
    return code ? code : text_append(out, e, "\n");
}

static double ratio(double sum, size_t n, bool known)
{
    return n && known ? sum / (double)n : NAN;
}

static int append_class_line(text_buffer *out, const metrics *m, const metrics_class *c, error *e)
{
    bool both = m->has_class && m->has_box;
    int code = text_append(out, e, "%-20s %6zu %9zu", c->name, c->n, c->predicted);
    if (!code)
        code = append_cell(out, 7, 3, ratio((double)c->correct, c->n, m->has_class), e);
    if (!code)
        code = append_cell(out, 9, 3, ratio((double)c->correct, c->predicted, m->has_class), e);
    if (!code)
        code = append_cell(out, 7, 2, ratio(c->l1_sum, c->n, m->has_box), e);
    if (!code)
        code = append_cell(out, 8, 3, ratio(c->iou_sum, c->n, m->has_box), e);
    if (!code)
        code = append_cell(out, 8, 3, ratio((double)c->iou_half, c->n, m->has_box), e);
    if (!code)
        code = append_cell(out, 7, 3, ratio((double)c->located, c->n, both), e);
    if (!code)
        code = append_cell(out, 7, 3, ratio((double)c->located_any, c->n, both), e);
    return code ? code : text_append(out, e, "\n");
}

int metrics_table(const metrics *m, text_buffer *out, error *e)
{
    char l1[80];
    snprintf(l1, sizeof l1, "L1 in the %d frame", m->frame);
    int code = text_append(out, e, "%zu pictures judged against their largest object", m->n);
    if (!code && m->unjudged)
        code = text_append(out, e, ", %zu without one left out", m->unjudged);
    if (!code && m->unpredicted)
        code = text_append(out, e, "; %zu annotated ones not predicted", m->unpredicted);
    if (!code)
        code = text_append(out, e, "\n\n%-28s %9s %9s\n", "", "value", "std.err.");
    if (!code)
        code = append_line(out, "class accuracy", m->accuracy, 4, e);
    if (!code)
        code = append_line(out, l1, m->l1, 3, e);
    if (!code)
        code = append_line(out, "mean IoU", m->mean_iou, 4, e);
    if (!code)
        code = append_line(out, "IoU >= 0.5", m->iou_half, 4, e);
    if (!code)
        code = append_line(out, "LocAcc@0.5, largest object", m->loc_largest, 4, e);
    if (!code)
        code = append_line(out, "LocAcc@0.5, any object", m->loc_any, 4, e);
    if (!code && m->has_box && m->l1_from_own_pixels)
        code = text_append(out, e, "(L1 from boxes in own pixels: the predictions have no frame columns)\n");
    if (!code)
        code = text_append(out, e, "\n%-20s %6s %9s %7s %9s %7s %8s %8s %7s %7s\n", "class", "n", "predicted",
                           "recall", "precision", "L1", "IoU", "IoU>=.5", "LocAcc", "(any)");
    for (size_t i = 0; i < m->class_count && !code; i++)
        code = append_class_line(out, m, &m->classes[i], e);
    return code;
}

/* ---------------------------------------------------------------- checking a file */

/* {"value": number or null, "se": …}; a share must lie in [0, 1]. */
static int check_metric(const json_reader *r, bool is_share, error *e)
{
    double v;
    int value = json_get(r, 0, "value", e), se = json_get(r, 0, "se", e);
    if (e->code)
        return e->code;
    if (value < 0 || se < 0)
        return json_fail(r, e, "'value' or 'se' is missing");
    const int both[2] = {value, se};
    for (int i = 0; i < 2; i++) {
        const jsmntok_t *t = &r->tokens[both[i]];
        if (t->type == JSMN_PRIMITIVE && r->text[t->start] == 'n')
            continue;
        if (!json_number(r, both[i], &v) || v < 0 || (is_share && v > 1))
            return json_fail(r, e, "the value is out of range");
    }
    return 0;
}

static int check_class(const json_reader *r, error *e)
{
    static const char *const counts[] = {"n", "predicted", "correct"};
    int64_t v;
    for (int i = 0; i < 3; i++) {
        int token = json_get(r, 0, counts[i], e);
        if (e->code)
            return e->code;
        if (token < 0 || !json_whole(r, token, 0, INT64_MAX, &v))
            return json_fail(r, e, "'%s' is missing or no count", counts[i]);
    }
    int name = json_get(r, 0, "name", e);
    if (!e->code && (name < 0 || r->tokens[name].type != JSMN_STRING))
        json_fail(r, e, "'name' is missing");
    return e->code;
}

enum { CHECK_N, CHECK_FRAME, CHECK_CLASSES, CHECK_L1, CHECK_ACCURACY, CHECK_COUNT = CHECK_ACCURACY + 5 };

static int check_member(const json_reader *r, bool *seen, error *e)
{
    static const char *const members[CHECK_COUNT] = {
        "n", "frame", "classes", "l1", "accuracy", "mean_iou", "iou_half", "locacc_largest", "locacc_any"};
    int64_t v;
    for (int i = 0; i < CHECK_COUNT; i++) {
        if (!json_is_member(r, members[i]))
            continue;
        if (seen[i] && r->index <= 0)
            return json_fail(r, e, "'%s' is there twice", members[i]);
        seen[i] = true;
        if (i == CHECK_CLASSES)
            return r->index < 0 ? json_fail(r, e, "no array of classes") : check_class(r, e);
        if (i >= CHECK_L1)
            return r->token_count ? check_metric(r, i != CHECK_L1, e) : json_fail(r, e, "no metric");
        if (!r->token_count || r->index >= 0 || !json_whole(r, 0, 1, INT64_MAX, &v))
            return json_fail(r, e, "is not a whole number from 1 on");
    }
    return 0;
}

int metrics_check(const char *path, error *e)
{
    json_reader r;
    bool seen[CHECK_COUNT] = {false};
    int code = json_open(&r, path, e);
    while (!code && json_next(&r, e))
        code = check_member(&r, seen, e);
    for (int i = 0; i < CHECK_COUNT && !e->code; i++)
        if (!seen[i])
            fail(e, ERR_INPUT, "%s: no metrics: a member is missing", path);
    json_close(&r);
    return e->code;
}
