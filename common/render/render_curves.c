/* What trainings write down, as plots: losses and metrics by epoch, loss against learning rate, the rate by batch.
 *
 * The tables are those of the train programs: a row for each epoch (X.history.tsv), for each batch (X.batches.tsv) or
 * for each batch of the learning-rate finder (lr.tsv). Columns are found by name. A timeline says where each row stands
 * on the x axis and where phases begin; rows number their epochs anew in each phase, the axis counts them through.
 */
#include "render/render.h"

#include "render/figure.h"
#include "render/plot.h"
#include "render/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool same_field(const table *t, size_t a, size_t b, int column)
{
    text_field x = table_text(t, a, column), y = table_text(t, b, column);
    return x.size == y.size && memcmp(x.text, y.text, x.size) == 0;
}

/* ---------------------------------------------------------------- a training's tables */

/* Where each row stands on the x axis, and where phases begin. */
typedef struct timeline {
    double *x;
    plot_phase *phases;
    size_t phase_count;
} timeline;

static void timeline_free(timeline *t)
{
    for (size_t i = 0; i < t->phase_count; i++)
        free(t->phases[i].name);
    free(t->phases);
    free(t->x);
}

/* The phases of the rows; starts[i] is the x of the moment before row i. */
static int timeline_phases(timeline *t, const table *rows, const double *starts, error *e)
{
    int column = table_find(rows, "phase");
    if (column < 0)
        return fail(e, ERR_INPUT, "%s:1: has no column 'phase'", rows->file.path);
    size_t capacity = 0;
    for (size_t i = 0; i < rows->rows; i++) {
        if (i > 0 && same_field(rows, i - 1, i, column))
            continue;
        text_field name = table_text(rows, i, column);
        if (mem_grow(&t->phases, &capacity, t->phase_count + 1, sizeof *t->phases, "phases", e))
            return ERR_SYSTEM;
        /* starts are there when this is called NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        t->phases[t->phase_count++] = (plot_phase){starts[i], text_copy(name.text, name.size, e)};
    }
    return e->code;
}

/* A row's x is how many epochs are done behind it: row i of the history (from 0) ends at i + 1, through all phases.
 * Batches are evenly spread over their epoch, which the columns phase and epoch tell, or simply numbered. */
enum timeline_kind { BY_EPOCH, IN_EPOCHS, BY_BATCH };

static int timeline_of(timeline *t, const table *rows, enum timeline_kind kind, error *e)
{
    size_t n = rows->rows, number = 0;
    int phase = table_find(rows, "phase"), epoch = table_find(rows, "epoch");
    if (kind == IN_EPOCHS && (phase < 0 || epoch < 0))
        return fail(e, ERR_INPUT, "%s:1: needs the columns 'phase' and 'epoch'", rows->file.path);
    double *starts = mem_zero(n, sizeof *starts, "a time line", e);
    t->x = mem_zero(n, sizeof *t->x, "a time line", e);
    for (size_t i = 0, end; starts && t->x && i < n; i = end, number++) {
        end = i + 1;
        while (kind == IN_EPOCHS && end < n && same_field(rows, i, end, phase) && same_field(rows, i, end, epoch))
            end++;
        for (size_t k = i; k < end; k++) {
            starts[k] = (double)number + (double)(k - i) / (double)(end - i);
            t->x[k] = kind == BY_BATCH ? starts[k] : (double)number + (double)(k - i + 1) / (double)(end - i);
        }
    }
    if (!e->code)
        timeline_phases(t, rows, starts, e);
    free(starts);
    return e->code;
}

static bool any_number(const double *values, size_t count)
{
    for (size_t i = 0; values && i < count; i++)
        if (isfinite(values[i]))
            return true;
    return false;
}

/* ---------------------------------------------------------------- curves */

enum { PANELS_MAX = 4 };

typedef struct curves {
    table history, batches;
    timeline epochs, steps;
    double *training, *validation, *accuracy, *l1; /* by epoch */
    double *loss, *lr;                             /* by batch */
    plot_line lines[2 * PANELS_MAX];
    plot panels[PANELS_MAX];
    size_t panel_count, line_count;
} curves;

static void curves_free(curves *c)
{
    double *columns[] = {c->training, c->validation, c->accuracy, c->l1, c->loss, c->lr};
    for (size_t i = 0; i < COUNT(columns); i++)
        free(columns[i]);
    timeline_free(&c->epochs);
    timeline_free(&c->steps);
    table_free(&c->history);
    table_free(&c->batches);
}

static int curves_read(curves *c, const render_request *r, error *e)
{
    const struct {
        const table *from;
        const char *name;
        double **values;
        bool optional;
    } columns[] = {{&c->history, "trn_loss", &c->training, false}, {&c->history, "val_loss", &c->validation, false},
                   {&c->history, "accuracy", &c->accuracy, true},  {&c->history, "l1", &c->l1, true},
                   {&c->batches, "loss", &c->loss, !r->batches},   {&c->batches, "lr", &c->lr, !r->batches}};
    if (table_read(&c->history, r->history, e) || timeline_of(&c->epochs, &c->history, BY_EPOCH, e))
        return e->code;
    if (r->batches && (table_read(&c->batches, r->batches, e) || timeline_of(&c->steps, &c->batches, IN_EPOCHS, e)))
        return e->code;
    for (size_t i = 0; i < COUNT(columns) && !e->code; i++)
        if (!columns[i].optional || table_find(columns[i].from, columns[i].name) >= 0)
            *columns[i].values = table_numbers(columns[i].from, columns[i].name, e);
    return e->code;
}

static void add_curve(curves *c, const char *name, bool batches, const double *y, int colour)
{
    plot *p = &c->panels[c->panel_count - 1];
    c->lines[c->line_count] = (plot_line){.name = name,
                                          .x = batches ? c->steps.x : c->epochs.x,
                                          .y = y,
                                          .count = batches ? c->batches.rows : c->history.rows,
                                          .colour = colour,
                                          .dots = !batches,
                                          .faint = y == c->loss};
    if (!p->line_count)
        p->lines = &c->lines[c->line_count];
    c->line_count++;
    p->line_count++;
}

static void add_panel(curves *c, const char *title, bool batches)
{
    const timeline *t = batches ? &c->steps : &c->epochs;
    c->panels[c->panel_count++] = (plot){
        .title = title, .x_label = "epochs done", .whole_x = true, .phases = t->phases, .phase_count = t->phase_count};
}

static void add_panels(curves *c)
{
    add_panel(c, "loss", false);
    if (c->loss)
        add_curve(c, "training, each batch", true, c->loss, 0);
    add_curve(c, "training", false, c->training, 0);
    add_curve(c, "validation", false, c->validation, 1);
    if (any_number(c->accuracy, c->history.rows)) {
        add_panel(c, "accuracy (validation)", false);
        add_curve(c, NULL, false, c->accuracy, 1);
    }
    if (any_number(c->l1, c->history.rows)) {
        add_panel(c, "box error L1 in pixels (validation)", false);
        add_curve(c, NULL, false, c->l1, 1);
    }
    if (c->lr) {
        add_panel(c, "learning rate", true);
        add_curve(c, NULL, true, c->lr, 0);
    }
}

/* Over all panels; takes its height from *area. */
static int draw_title(figure *f, const char *text, figure_rect *area, error *e)
{
    figure_font(f, 12, true);
    char *title = figure_fit_text(f, text, area->width, e);
    if (!title)
        return e->code;
    figure_set_colour(f, FIGURE_BLACK);
    figure_text(f, f->width / 2.0, area->y + 14, ALIGN_CENTRE, title);
    area->y += 22;
    area->height -= 22;
    free(title);
    return 0;
}

int render_curves(const render_request *r, text_buffer *printed, error *e)
{
    curves c = {0};
    figure f = {0};
    if (!curves_read(&c, r, e)) {
        add_panels(&c);
        int columns = c.panel_count == 4 ? 2 : (int)c.panel_count, rows = c.panel_count == 4 ? 2 : 1;
        render_open(&f, r, columns == 1 ? 7.5 : 6 * columns, 4.5 * rows, e);
        figure_rect area = figure_inside(&f, 10);
        if (!e->code && r->title)
            draw_title(&f, r->title, &area, e);
        for (size_t i = 0; i < c.panel_count && !e->code; i++)
            plot_draw(&f, figure_cell(area, rows, columns, (int)i, 16), &c.panels[i], e);
    }
    text_add(printed, "%zu epochs, %zu batches\n", c.history.rows, c.batches.rows);
    if (!e->code)
        render_save(&f, r, e);
    figure_close(&f);
    curves_free(&c);
    return e->code;
}

/* ---------------------------------------------------------------- one plot alone */

static int render_plot(const render_request *r, const plot *p, error *e)
{
    figure f = {0};
    if (!render_open(&f, r, 7.5, 4.5, e) && !plot_draw(&f, figure_inside(&f, 10), p, e))
        render_save(&f, r, e);
    figure_close(&f);
    return e->code;
}

/* Where the curve is lowest, if it has any number. */
static void print_lowest(const plot_line *l, text_buffer *printed)
{
    size_t best = l->count;
    for (size_t i = 0; i < l->count; i++)
        if (isfinite(l->y[i]) && (best == l->count || l->y[i] < l->y[best]))
            best = i;
    if (best < l->count)
        text_add(printed, "rates %.3g to %.3g, the lowest loss %.4g at %.3g\n", l->x[0], l->x[l->count - 1], l->y[best],
                 l->x[best]);
}

int render_lr_find(const render_request *r, text_buffer *printed, error *e)
{
    table t;
    if (table_read(&t, r->lr, e))
        return e->code;
    double *lr = table_numbers(&t, "lr", e), *loss = lr ? table_numbers(&t, "smoothed", e) : NULL;
    size_t skip = (size_t)r->skip, skip_end = (size_t)r->skip_end + 1;
    if (loss) {
        if (t.rows <= skip + skip_end) /* too short a curve to trim */
            skip = skip_end = 0;
        size_t shown = t.rows - skip - skip_end;
        plot_line line = {.x = lr + skip, .y = loss + skip, .count = shown, .dots = true};
        plot p = {.title = r->title,
                  .x_label = "learning rate (log scale)",
                  .y_label = "smoothed training loss",
                  .log_x = true,
                  .lines = &line,
                  .line_count = 1};
        text_add(printed, "%zu of %zu points\n", shown, t.rows);
        print_lowest(&line, printed);
        render_plot(r, &p, e);
    }
    free(lr);
    free(loss);
    table_free(&t);
    return e->code;
}

int render_schedule(const render_request *r, text_buffer *printed, error *e)
{
    table t;
    timeline line = {0};
    if (table_read(&t, r->batches, e))
        return e->code;
    double *lr = table_numbers(&t, "lr", e);
    if (lr && !timeline_of(&line, &t, BY_BATCH, e)) {
        plot_line curve = {.x = line.x, .y = lr, .count = t.rows};
        plot p = {.title = r->title,
                  .x_label = "batch",
                  .y_label = "learning rate",
                  .whole_x = true,
                  .lines = &curve,
                  .line_count = 1,
                  .phases = line.phases,
                  .phase_count = line.phase_count};
        text_add(printed, "%zu batches\n", t.rows);
        render_plot(r, &p, e);
    }
    free(lr);
    timeline_free(&line);
    table_free(&t);
    return e->code;
}
