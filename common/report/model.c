/* One trained model: how good it is, how it was trained, what its pictures look like.
 *
 * A model is what the folder holds under one name: NAME.ckpt, whose header has recipe, classes and figures;
 * NAME.metrics.json of evaluate; NAME.history.tsv and log/NAME.log of the training. Each may be missing, and its part
 * of the section with it.
 */
#include "report/report.h"

#include "judge/average_precision.h"
#include "judge/metrics.h"
#include "nn/recipe.h"
#include "render/table.h"
#include "weights/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what belongs to a model */

typedef struct model {
    const char *name;
    metrics metrics;
    bool has_metrics;
    safetensors ckpt;
    bool has_ckpt;
    task task;
    table history;
    bool has_history;
    found_step step;
} model;

/* "NAME.ending" inside the folder, opened by nobody yet; NULL when it is not there. */
static char *path_of(html *h, const found *f, const model *m, const char *ending)
{
    char name[300];
    if (h->e->code || !found_has(f, m->name, ending))
        return NULL;
    snprintf(name, sizeof name, "%s%s", m->name, ending);
    return html_path(h, name);
}

static void open_ckpt(html *h, const found *f, model *m)
{
    char *path = path_of(h, f, m, ".ckpt");
    if (path && !safetensors_open(&m->ckpt, path, h->e)) {
        m->has_ckpt = true;
        const char *t = safetensors_value(&m->ckpt, "task");
        if (!safetensors_value(&m->ckpt, "recipe") || !t || !task_parse(t, &m->task))
            fail(h->e, ERR_INPUT, "%s: is no checkpoint of a training: it says nothing of task and recipe", path);
    }
    free(path);
}

static void open_model(html *h, const found *f, const char *name, model *m)
{
    *m = (model){.name = name, .task = TASKS};
    task_parse(name, &m->task);
    open_ckpt(h, f, m);
    char *path = path_of(h, f, m, ".metrics.json");
    m->has_metrics = path && !metrics_read(&m->metrics, path, h->e);
    free(path);
    path = path_of(h, f, m, ".history.tsv");
    m->has_history = path && !table_read(&m->history, path, h->e);
    free(path);
    char log[300];
    snprintf(log, sizeof log, "log/%s.log", name);
    for (size_t i = 0; i < f->logs.count; i++)
        if (strcmp(f->logs.names[i], log) == 0 && (path = html_path(h, log))) {
            found_read_step(&m->step, path, h->e);
            free(path);
        }
}

static void close_model(model *m)
{
    metrics_free(&m->metrics);
    safetensors_close(&m->ckpt);
    table_free(&m->history);
}

static const char *ckpt_value(const model *m, const char *key)
{
    const char *text = m->has_ckpt ? safetensors_value(&m->ckpt, key) : NULL;
    return text ? text : "";
}

/* ---------------------------------------------------------------- numbers */

static const char *number_text(char text[32], int decimals, double v)
{
    if (isfinite(v))
        snprintf(text, 32, "%.*f", decimals, v);
    else
        strcpy(text, "\xe2\x80\x93"); /* an en dash */
    return text;
}

static bool has_spread(metric m)
{
    return isfinite(m.value) && isfinite(m.error);
}

/* "0.788 ± 0.018" */
static const char *with_error(char text[80], int decimals, metric m)
{
    char a[32], b[32];
    if (has_spread(m))
        snprintf(text, 80, "%s \xc2\xb1 %s", number_text(a, decimals, m.value), number_text(b, decimals, m.error));
    else
        snprintf(text, 80, "%s", number_text(a, decimals, m.value));
    return text;
}

/* ---------------------------------------------------------------- figures */

static const struct {
    const char *title, *heading; /* in the tables of all pictures and of classes */
    const char *meaning;         /* NULL: that of L1 */
    int decimals;
} figures[METRICS] = {
    {"Class accuracy", "recall", "share of pictures whose class is right", 3},
    {"L1", "L1", NULL, 2},
    {"Mean IoU", "mean IoU", "overlap of box and truth: intersection by union", 3},
    {"IoU \xe2\x89\xa5 0.5", "IoU \xe2\x89\xa5 0.5", "share of boxes that overlap by half or more", 3},
    {"LocAcc@0.5", "LocAcc", "class right and IoU \xe2\x89\xa5 0.5, against the largest object", 3},
    {"LocAcc@0.5, any", "any", "the same against any object of the predicted class", 3},
};

static void figure_table(html *h, const model *m)
{
    char text[80], l1[120], name[300];
    snprintf(l1, sizeof l1, "mean distance of the box's four sides, in pixels of the %zu x %zu input", m->metrics.frame,
             m->metrics.frame);
    html_put(h, "<h3>How good it is</h3>\n<div class=\"wide\"><table>\n<tbody>\n");
    for (int i = 0; i < METRICS; i++)
        if (isfinite(m->metrics.of[i].value))
            html_put(h, "<tr><th>%s<td class=\"key\">%s<td class=\"text\">%s\n", figures[i].title,
                     with_error(text, figures[i].decimals, m->metrics.of[i]),
                     figures[i].meaning ? figures[i].meaning : l1);
    html_put(h,
             "</tbody></table></div>\n"
             "<p class=\"note\">%zu validation pictures; \xc2\xb1 is one standard error. ",
             m->metrics.n);
    snprintf(name, sizeof name, "%s.metrics.json", m->name);
    html_link(h, name, NULL);
    html_put(h, "</p>\n");
}

/* A warning when the predictions judged seem to be another model's: their accuracy is not that of the
 * training's last epoch (a picture or two may tip over, with batches of other sizes). */
static void doubtful(html *h, const model *m)
{
    const char *at = strstr(ckpt_value(m, "metrics"), "accuracy ");
    if (!at || !m->has_metrics || !isfinite(m->metrics.of[METRIC_ACCURACY].value))
        return;
    char seen[32];
    double trained = strtod(at + 9, NULL);
    if (fabs(trained - m->metrics.of[METRIC_ACCURACY].value) > 2.5 / (double)m->metrics.n)
        html_put(h,
                 "<p class=\"warn\">The training ended with an accuracy of %s: "
                 "these figures are of another model or other pictures. Predict and evaluate again.</p>\n",
                 number_text(seen, 3, trained));
}

static void class_figures(html *h, const metrics *m)
{
    char text[32];
    html_put(h, "<h3>By class</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>class<th>pictures");
    for (int k = 0; k < METRICS; k++)
        if (isfinite(m->of[k].value))
            html_put(h, k == METRIC_ACCURACY ? "<th>predicted<th>%s<th>precision" : "<th>%s", figures[k].heading);
    html_put(h, "</thead>\n<tbody>\n");
    for (size_t i = 0; i < m->class_count; i++) {
        const metrics_class *c = &m->classes[i];
        html_put(h, "<tr><th>%s<td>%zu", c->name, c->n);
        for (int k = 0; k < METRICS; k++) {
            if (!isfinite(m->of[k].value))
                continue;
            if (k == METRIC_ACCURACY)
                html_put(h, "<td>%zu", c->predicted);
            html_put(h, "<td>%s", number_text(text, figures[k].decimals, c->of[k].value));
            if (k == METRIC_ACCURACY)
                html_put(h, "<td>%s", number_text(text, 3, c->precision));
        }
        html_put(h, "\n");
    }
    html_put(h, "</tbody></table></div>\n");
}

/* ---------------------------------------------------------------- training */

static void phase_table(html *h, const recipe *r)
{
    html_put(h, "<div class=\"wide\"><table>\n<thead><tr><th>phase<th class=\"text\">trains<th>epochs"
                "<th class=\"text\">learning rate<th class=\"text\">schedule</thead>\n<tbody>\n");
    for (int i = 0; i < r->phase_count; i++) {
        const recipe_phase *p = &r->phases[i];
        bool one = p->lr[0] == p->lr[1] && p->lr[1] == p->lr[2];
        char rates[120], shape[120];
        if (one || p->from == GROUP_HEAD)
            snprintf(rates, sizeof rates, "%g", p->lr[GROUP_HEAD]);
        else
            snprintf(rates, sizeof rates, "%g, %g, %g", p->lr[0], p->lr[1], p->lr[2]);
        if (p->schedule.kind == SCHEDULE_TRIANGULAR)
            snprintf(shape, sizeof shape, "up from 1/%g in the first 1/%d, then down", p->schedule.div,
                     p->schedule.cut);
        else
            snprintf(shape, sizeof shape, "%d cosine cycle%s", p->schedule.cycles, p->schedule.cycles == 1 ? "" : "s");
        html_put(h, "<tr><th>%s<td class=\"text\">%s<td>%d<td class=\"text\">%s<td class=\"text\">%s\n", p->name,
                 p->from == GROUP_HEAD  ? "the head"
                 : p->from == GROUP_TOP ? "from layer3 on"
                                        : "everything",
                 schedule_epochs(&p->schedule), rates, shape);
    }
    html_put(h, "</tbody></table></div>\n");
}

static const char *column_title(text_field name)
{
    static const char *const titles[][2] = {{"epoch", "epoch, from 0"},
                                            {"trn_loss", "training loss"},
                                            {"val_loss", "validation loss"},
                                            {"images_per_second", "pictures a second"},
                                            {"l1", "L1"}};
    for (size_t i = 0; i < COUNT(titles); i++)
        if (text_is(name, titles[i][0]))
            return titles[i][1];
    return NULL;
}

static bool has_values(const table *t, int column)
{
    for (size_t i = 0; i < t->rows; i++)
        if (!text_is(table_text(t, i, column), "-"))
            return true;
    return false;
}

static void history_table(html *h, const model *m)
{
    const table *t = &m->history;
    html_put(h, "<h3>History</h3>\n<div class=\"wide\"><table>\n<thead><tr>");
    for (int c = 0; c < (int)t->columns; c++)
        if (has_values(t, c)) {
            const char *title = column_title(t->names[c]);
            html_put(h, "<th>");
            html_text(h, title ? title : t->names[c].text, title ? strlen(title) : t->names[c].size);
        }
    html_put(h, "</thead>\n<tbody>\n");
    for (size_t i = 0; i < t->rows; i++) {
        html_put(h, "<tr>");
        for (int c = 0; c < (int)t->columns; c++)
            if (has_values(t, c)) {
                html_put(h, c ? "<td>" : "<th>");
                html_text(h, table_text(t, i, c).text, table_text(t, i, c).size);
            }
        html_put(h, "\n");
    }
    html_put(h, "</tbody></table></div>\n");
}

/* ", 21.8 million numbers": what the checkpoint holds. */
static void parameter_count(html *h, const model *m)
{
    double count = 0;
    char text[32];
    for (size_t i = 0; i < m->ckpt.count; i++)
        count += (double)m->ckpt.tensors[i].count;
    if (count >= 1e6)
        html_put(h, ", %s million numbers", number_text(text, 1, count / 1e6));
    else
        html_put(h, ", %s numbers", number_text(text, 0, count));
}

static void training_facts(html *h, const model *m)
{
    recipe r;
    const char *text = ckpt_value(m, "recipe"), *parent = ckpt_value(m, "parent");
    char name[300], where[320];
    snprintf(name, sizeof name, "%s.ckpt", m->name);
    char *path = html_path(h, name);
    snprintf(where, sizeof where, "the recipe in %s", path ? path : name);
    free(path);
    if (recipe_parse(&r, where, text, strlen(text), h->e))
        return;
    html_put(h, "<h3>How it was trained</h3>\n");
    phase_table(h, &r);
    html_put(h, "<dl>\n<dt>Network</dt><dd>%s on %d x %d pixels", arch_name(r.arch), r.size, r.size);
    parameter_count(h, m);
    html_put(h, " (");
    html_link(h, name, NULL);
    html_put(h, ")</dd>\n");
    html_put(h,
             *parent ? "<dt>Starts from</dt><dd>weights with SHA-256 <code>%s</code></dd>\n"
                     : "<dt>Starts from</dt><dd>random weights</dd>\n",
             parent);
    if (*ckpt_value(m, "conv"))
        html_put(h, "<dt>Computed on</dt><dd>%s</dd>\n", ckpt_value(m, "conv"));
    html_put(h, "<dt>Program</dt><dd>onebox %s, seed %s</dd>\n", ckpt_value(m, "version"), ckpt_value(m, "seed"));
    if (*m->step.seconds) {
        html_put(h, "<dt>Time</dt><dd>%s s", m->step.seconds);
        if (*m->step.memory)
            html_put(h, ", %s of memory at most", m->step.memory);
        html_put(h, "</dd>\n");
    }
    html_put(h, "</dl>\n<details><summary>The whole recipe</summary>\n<pre>%s</pre></details>\n", text);
}

static void model_picture(html *h, const found *f, const model *m, const char *ending, const char *caption)
{
    char name[300];
    if (!found_has(f, m->name, ending))
        return;
    snprintf(name, sizeof name, "%s%s", m->name, ending);
    html_put(h, "<figure>\n");
    html_picture(h, name, name);
    html_put(h, "<figcaption>%s ", caption);
    html_link(h, name, NULL);
    html_put(h, "</figcaption></figure>\n");
}

/* Of all objects, where they were judged. */
static void all_objects(html *h, const found *f, const model *m)
{
    average_precision a = {0};
    char name[300], area[32], eleven[32];
    char *path = path_of(h, f, m, ".ap.json");
    if (path && !average_precision_read(&a, path, h->e)) {
        snprintf(name, sizeof name, "%s.ap.json", m->name);
        html_put(h,
                 "<p>All %zu objects of the %zu validation pictures: average precision at IoU 0.5 is <b>%s</b> "
                 "(VOC\xe2\x80\x99s area below the curve, mean over the classes; by eleven points %s), ",
                 a.objects, a.pictures, number_text(area, 3, a.area), number_text(eleven, 3, a.eleven));
        html_link(h, name, NULL);
        html_put(h, "</p>\n");
    }
    average_precision_free(&a);
    free(path);
}

static const char *const task_sentences[TASKS + 1] = {
    [TASK_CLS] = "Says what the largest object of a picture is.",
    [TASK_BBOX] = "Says where the largest object of a picture is.",
    [TASK_DETN] = "Says what the largest object of a picture is, and where, in one network.",
    [TASK_OBJECTS] =
        "Says what all objects of a picture are, and where. The table is of its answers for the largest one.",
    [TASKS] = ""};

void report_model(html *h, const found *f, const char *name)
{
    model m;
    char anchor[64];
    html_anchor(name, anchor);
    open_model(h, f, name, &m);
    html_put(h, "<section id=\"%s\">\n<h2>%s</h2>\n<p>%s</p>\n", anchor, found_title(name), task_sentences[m.task]);
    if (!m.has_ckpt)
        html_put(h, "<p class=\"warn\">There is no %s.ckpt: this training did not reach its end.</p>\n", name);
    all_objects(h, f, &m);
    if (m.has_metrics)
        figure_table(h, &m);
    doubtful(h, &m);
    model_picture(h, f, &m, ".grid.png",
                  m.task == TASK_CLS ? "Validation pictures with the predicted class."
                                     : "Validation pictures: predictions, and the annotated truth in green.");
    if (m.has_metrics && m.metrics.class_count)
        class_figures(h, &m.metrics);
    if (m.has_ckpt)
        training_facts(h, &m);
    model_picture(h, f, &m, ".curves.png", "The training by epoch and batch.");
    if (m.has_history)
        history_table(h, &m);
    html_put(h, "</section>\n");
    close_model(&m);
}

void report_summary_head(html *h)
{
    html_put(h, "<thead><tr><th>model<th>network<th>epochs<th>validation loss"
                "<th>class accuracy<th>L1<th>mean IoU<th>LocAcc@0.5</thead>\n");
}

/* The last row of the history in that column; NaN when there is none. */
static double last_of(const model *m, const char *name)
{
    double v = NAN;
    int column = m->has_history ? table_find(&m->history, name) : -1;
    if (column >= 0) {
        text_field field = table_text(&m->history, m->history.rows - 1, column);
        text_double(field.text, field.size, &v);
    }
    return v;
}

bool report_summary_row(html *h, const found *f, const char *name)
{
    bool errors = false;
    model m;
    char anchor[64], text[80];
    html_anchor(name, anchor);
    open_model(h, f, name, &m);
    html_put(h, "<tr><th><a href=\"#%s\">%s</a><td>%s<td>", anchor, found_title(name),
             *ckpt_value(&m, "arch") ? ckpt_value(&m, "arch") : "\xe2\x80\x93");
    if (m.has_history)
        html_put(h, "%zu", m.history.rows);
    const metric *of = m.metrics.of, unknown = {NAN, NAN};
    metric values[] = {{last_of(&m, "val_loss"), NAN},
                       of[METRIC_ACCURACY],
                       of[METRIC_L1],
                       of[METRIC_MEAN_IOU],
                       of[METRIC_LOC_LARGEST]};
    if (!m.has_metrics) { /* what the training itself measured */
        values[1] = (metric){last_of(&m, "accuracy"), NAN};
        values[2] = (metric){last_of(&m, "l1"), NAN};
        values[3] = values[4] = unknown;
    }
    for (int i = 0; i < 5; i++) {
        html_put(h, "<td>%s", with_error(text, i == 2 ? 2 : 3, values[i]));
        errors |= has_spread(values[i]);
    }
    html_put(h, "\n");
    close_model(&m);
    return errors;
}
