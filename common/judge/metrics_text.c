/* metrics.json and the table of metrics.h.
 *
 * The JSON holds every member whatever was predicted, with null for what the predictions do not have: programs read it.
 * The table is for people and leaves such rows and columns out. The last part is --check: that a file has the members
 * with numbers in their range; metrics_read.c reads one that passed. */
#include "base/json.h"
#include "base/json_text.h"
#include "judge/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* sum / n; NaN without pictures, or when the predictions do not have it. */
static double ratio(double sum, size_t n, bool known)
{
    return n && known ? sum / (double)n : NAN;
}

/* ---------------------------------------------------------------- JSON */

/* A number with six decimals, null for NaN. */
static void add_number(text_buffer *out, const char *before, double v)
{
    if (isfinite(v))
        text_add(out, "%s%.6f", before, v);
    else
        text_add(out, "%snull", before);
}

static void add_metric(text_buffer *out, const char *name, metric m)
{
    text_add(out, "  \"%s\": {", name);
    add_number(out, "\"value\": ", m.value);
    add_number(out, ", \"se\": ", m.error);
    text_add(out, "},\n");
}

static void add_class(text_buffer *out, const metrics *m, const metrics_class *c)
{
    const bool both = m->has_class && m->has_box;
    text_add(out, "    {\"name\": ");
    json_add_string(out, c->name);
    text_add(out, ", \"n\": %zu, \"predicted\": %zu, \"correct\": %zu", c->n, c->predicted, c->correct);
    add_number(out, ", \"recall\": ", ratio((double)c->correct, c->n, m->has_class));
    add_number(out, ", \"precision\": ", ratio((double)c->correct, c->predicted, m->has_class));
    add_number(out, ", \"l1\": ", ratio(c->l1_sum, c->n, m->has_box));
    add_number(out, ", \"mean_iou\": ", ratio(c->iou_sum, c->n, m->has_box));
    add_number(out, ", \"iou_half\": ", ratio((double)c->iou_half, c->n, m->has_box));
    add_number(out, ", \"locacc_largest\": ", ratio((double)c->located, c->n, both));
    add_number(out, ", \"locacc_any\": ", ratio((double)c->located_any, c->n, both));
    text_add(out, "}");
}

int metrics_json(const metrics *m, text_buffer *out, error *e)
{
    text_add(out, "{\n  \"n\": %zu,\n  \"unjudged\": %zu,\n  \"unpredicted\": %zu,\n", m->n, m->unjudged,
             m->unpredicted);
    text_add(out, "  \"frame\": %d,\n  \"l1_from\": \"%s\",\n", m->frame,
             m->l1_from_own_pixels ? "own pixels" : "frame");
    add_metric(out, "accuracy", m->accuracy);
    add_metric(out, "l1", m->l1);
    add_metric(out, "mean_iou", m->mean_iou);
    add_metric(out, "iou_half", m->iou_half);
    add_metric(out, "locacc_largest", m->loc_largest);
    add_metric(out, "locacc_any", m->loc_any);
    text_add(out, "  \"classes\": [\n");
    for (size_t i = 0; i < m->class_count; i++) {
        add_class(out, m, &m->classes[i]);
        text_add(out, "%s\n", i + 1 < m->class_count ? "," : "");
    }
    text_add(out, "  ]\n}\n");
    return text_done(out, e);
}

/* ---------------------------------------------------------------- the table */

static void add_cell(text_buffer *out, int width, int decimals, double v)
{
    if (isfinite(v))
        text_add(out, " %*.*f", width, decimals, v);
    else
        text_add(out, " %*s", width, "-");
}

static void add_line(text_buffer *out, const char *name, metric m, int decimals)
{
    text_add(out, "%-28s", name);
    add_cell(out, 9, decimals, m.value);
    add_cell(out, 9, decimals, m.error);
    text_add(out, "\n");
}

static void add_class_line(text_buffer *out, const metrics *m, const metrics_class *c)
{
    text_add(out, "%-20s %6zu", c->name, c->n);
    if (m->has_class) {
        text_add(out, " %9zu", c->predicted);
        add_cell(out, 7, 3, ratio((double)c->correct, c->n, true));
        add_cell(out, 9, 3, ratio((double)c->correct, c->predicted, true));
    }
    if (m->has_box) {
        add_cell(out, 7, 2, ratio(c->l1_sum, c->n, true));
        add_cell(out, 8, 3, ratio(c->iou_sum, c->n, true));
        add_cell(out, 8, 3, ratio((double)c->iou_half, c->n, true));
    }
    if (m->has_class && m->has_box) {
        add_cell(out, 7, 3, ratio((double)c->located, c->n, true));
        add_cell(out, 7, 3, ratio((double)c->located_any, c->n, true));
    }
    text_add(out, "\n");
}

int metrics_table(const metrics *m, text_buffer *out, error *e)
{
    const bool both = m->has_class && m->has_box;
    char l1[80];
    snprintf(l1, sizeof l1, "L1 in the %d frame", m->frame);
    text_add(out, "%zu pictures judged against their largest object", m->n);
    if (m->unjudged)
        text_add(out, ", %zu without one left out", m->unjudged);
    if (m->unpredicted)
        text_add(out, "; %zu annotated ones not predicted", m->unpredicted);
    text_add(out, "\n\n%-28s %9s %9s\n", "", "value", "std.err.");
    if (m->has_class)
        add_line(out, "class accuracy", m->accuracy, 4);
    if (m->has_box) {
        add_line(out, l1, m->l1, 3);
        add_line(out, "mean IoU", m->mean_iou, 4);
        add_line(out, "IoU >= 0.5", m->iou_half, 4);
    }
    if (both) {
        add_line(out, "LocAcc@0.5, largest object", m->loc_largest, 4);
        add_line(out, "LocAcc@0.5, any object", m->loc_any, 4);
    }
    if (m->has_box && m->l1_from_own_pixels)
        text_add(out, "(L1 from boxes in own pixels: the predictions have no frame columns)\n");
    text_add(out, "\n%-20s %6s%s%s%s\n", "class", "n", m->has_class ? " predicted  recall precision" : "",
             m->has_box ? "      L1      IoU  IoU>=.5" : "", both ? "  LocAcc   (any)" : "");
    for (size_t i = 0; i < m->class_count; i++)
        add_class_line(out, m, &m->classes[i]);
    return text_done(out, e);
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
