/* metrics.json and the table of metrics.h. The JSON holds every member whatever was predicted, with null for what the
 * predictions do not have: programs read it. The table is for people and leaves such rows and columns out. */
#include "base/json_text.h"
#include "judge/metrics.h"

#include <math.h>
#include <stdio.h>

/* ---------------------------------------------------------------- JSON */

const char *const metric_names[METRICS] = {"accuracy", "l1", "mean_iou", "iou_half", "locacc_largest", "locacc_any"};

/* A number with six decimals, null for NaN. */
static void add_number(text_buffer *out, const char *key, double v)
{
    text_add(out, isfinite(v) ? "\"%s\": %.6f" : "\"%s\": null", key, v);
}

static void add_class(text_buffer *out, const metrics_class *c)
{
    text_add(out, "    {\"name\": ");
    json_add_string(out, c->name);
    text_add(out, ", \"n\": %zu, \"predicted\": %zu, \"correct\": %zu, ", c->n, c->predicted, c->correct);
    add_number(out, "recall", c->of[METRIC_ACCURACY].value);
    text_add(out, ", ");
    add_number(out, "precision", c->precision);
    for (int i = METRIC_L1; i < METRICS; i++) {
        text_add(out, ", ");
        add_number(out, metric_names[i], c->of[i].value);
    }
    text_add(out, "}");
}

int metrics_json(const metrics *m, text_buffer *out, error *e)
{
    text_add(out, "{\n  \"n\": %zu,\n  \"unjudged\": %zu,\n  \"unpredicted\": %zu,\n", m->n, m->unjudged,
             m->unpredicted);
    text_add(out, "  \"frame\": %zu,\n  \"l1_from\": \"%s\",\n", m->frame,
             m->l1_from_own_pixels ? "own pixels" : "frame");
    for (int i = 0; i < METRICS; i++) {
        text_add(out, "  \"%s\": {", metric_names[i]);
        add_number(out, "value", m->of[i].value);
        text_add(out, ", ");
        add_number(out, "se", m->of[i].error);
        text_add(out, "},\n");
    }
    if (m->near > 0) {
        text_add(out, "  \"either\": {\"near\": %g, \"n\": %zu, ", m->near, m->near_n);
        add_number(out, "value", m->either.value);
        text_add(out, ", ");
        add_number(out, "se", m->either.error);
        text_add(out, "},\n");
    }
    text_add(out, "  \"classes\": [\n");
    for (size_t i = 0; i < m->class_count; i++) {
        add_class(out, &m->classes[i]);
        text_add(out, "%s\n", i + 1 < m->class_count ? "," : "");
    }
    text_add(out, "  ]\n}\n");
    return text_done(out, e);
}

/* ---------------------------------------------------------------- the table */

/* The figures in the table's order: those of classes, of boxes, of both; and their columns in the table of classes. */
static const struct {
    const char *title; /* NULL: "L1 in the N frame" */
    int decimals, width, class_decimals;
} figures[METRICS] = {{"class accuracy", 4, 7, 3},
                      {NULL, 3, 7, 2},
                      {"mean IoU", 4, 8, 3},
                      {"IoU >= 0.5", 4, 8, 3},
                      {"LocAcc@0.5, largest object", 4, 7, 3},
                      {"LocAcc@0.5, any object", 4, 7, 3}};

static void add_cell(text_buffer *out, int width, int decimals, double v)
{
    if (isfinite(v))
        text_add(out, " %*.*f", width, decimals, v);
    else
        text_add(out, " %*s", width, "-");
}

static void add_class_line(text_buffer *out, const metrics *m, const metrics_class *c)
{
    text_add(out, "%-20s %6zu", c->name, c->n);
    if (m->has_class)
        text_add(out, " %9zu", c->predicted);
    for (int i = 0; i < METRICS; i++) {
        if (isfinite(m->of[i].value))
            add_cell(out, figures[i].width, figures[i].class_decimals, c->of[i].value);
        if (m->has_class && i == METRIC_ACCURACY)
            add_cell(out, 9, 3, c->precision);
    }
    text_add(out, "\n");
}

int metrics_table(const metrics *m, text_buffer *out, error *e)
{
    char l1[80];
    snprintf(l1, sizeof l1, "L1 in the %zu frame", m->frame);
    text_add(out, "%zu pictures judged against their largest object", m->n);
    if (m->unjudged)
        text_add(out, ", %zu without one left out", m->unjudged);
    if (m->unpredicted)
        text_add(out, "; %zu annotated ones not predicted", m->unpredicted);
    text_add(out, "\n\n%-28s %9s %9s\n", "", "value", "std.err.");
    for (int i = 0; i < METRICS; i++) {
        if (!isfinite(m->of[i].value))
            continue;
        text_add(out, "%-28s", figures[i].title ? figures[i].title : l1);
        add_cell(out, 9, figures[i].decimals, m->of[i].value);
        add_cell(out, 9, figures[i].decimals, m->of[i].error);
        text_add(out, "\n");
    }
    if (m->near > 0 && m->has_box) {
        text_add(out, "%-28s", "IoU >= 0.5 with either");
        add_cell(out, 9, 4, m->either.value);
        add_cell(out, 9, 4, m->either.error);
        text_add(out, "\n(either: of %zu pictures whose second object has %g of the largest one's area)\n", m->near_n,
                 m->near);
    }
    if (m->has_box && m->l1_from_own_pixels)
        text_add(out, "(L1 from boxes in own pixels: the predictions have no frame columns)\n");
    text_add(out, "\n%-20s %6s%s%s%s\n", "class", "n", m->has_class ? " predicted  recall precision" : "",
             m->has_box ? "      L1      IoU  IoU>=.5" : "", m->has_class && m->has_box ? "  LocAcc   (any)" : "");
    for (size_t i = 0; i < m->class_count; i++)
        add_class_line(out, m, &m->classes[i]);
    return text_done(out, e);
}
