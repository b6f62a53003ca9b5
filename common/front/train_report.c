/* The callbacks of a trainer (trainer.h), in the order in which a training calls them: a phase starts, a batch is done,
 * validation goes on, an epoch is done (a row of each table), the state may be written, a phase ends (a checkpoint).
 * The rows of both tables are kept in memory and written whole. */
#include "front/train_report.h"

#include "base/file.h"
#include "base/signals.h"
#include "nn/history.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- tables */

/* The header of a table, and its rows so far when a training goes on. */
static int begin_table(const train_report *r, const char *path, const char *header, const train_rows *rows,
                       text_buffer *b, error *e)
{
    struct stat st;
    size_t skip = strlen(header);
    text_add(b, "%s", header);
    if (!r->s->resumed || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        return text_done(b, e);
    file_view v;
    int code = file_open(&v, path, e);
    if (code)
        return fail_context(e, "%s needs its rows (--fresh starts anew without them)", r->s->files.state);
    if (v.size < skip || memcmp(v.data, header, skip) != 0 || !train_rows_begin(rows, v.data + skip, v.size - skip))
        code = fail(e, ERR_INPUT,
                    "%s: is not the table that %s goes on from; put that one back, or start anew with --fresh", path,
                    r->s->files.state);
    else
        text_add_bytes(b, v.data + skip, rows->bytes);
    file_close(&v);
    return code ? code : text_done(b, e);
}

/* ---------------------------------------------------------------- callbacks */

/* Asked after each batch: something when a signal has come. */
static int stopped(train_report *r, error *e)
{
    return signals_deferred() ? train_report_stop(r, e) : 0;
}

static int on_phase_start(void *context, int number, int first_epoch, int64_t batches, error *e)
{
    (void)e;
    train_report *r = context;
    const recipe *all = &r->s->recipe;
    const recipe_phase *p = &all->phases[number];
    int epochs = schedule_epochs(&p->schedule);
    char before[48] = "";
    if (first_epoch > 0)
        snprintf(before, sizeof before, " (%d of them done before)", first_epoch);
    program_note(r->s->program, "phase %s (%d of %d): trains from %s on, %d epoch%s%s of %lld batches, rate %g",
                 p->name, number + 1, all->phase_count, group_name(p->from), epochs, epochs == 1 ? "" : "s", before,
                 (long long)(batches / epochs), p->lr[GROUP_HEAD]);
    r->phase_first = batches / epochs * first_epoch;
    r->header_shown = false;
    r->phase_start = progress_seconds();
    r->progress = progress_start(stderr, isatty(STDERR_FILENO), 10, r->phase_start);
    return 0;
}

static int on_batch(void *context, const trainer_batch *b, error *e)
{
    train_report *r = context;
    if (b->epoch_batch == 0) {
        r->epoch_seconds = 0;
        r->epoch_pictures = 0;
    }
    r->epoch_seconds += b->seconds;
    r->epoch_pictures += b->count;
    double rate = b->seconds > 0 ? b->count / b->seconds : 0;
    batches_row(b->phase->name, b->epoch, b->batch, b->lr, b->loss, b->smoothed, b->wait, rate, &r->batches);
    char what[64], values[160], eta[24];
    double now = progress_seconds();
    double done = (double)(b->batch + 1 - r->phase_first), left = (double)(b->batches - b->batch - 1);
    progress_duration(eta, (now - r->phase_start) / done * left);
    snprintf(what, sizeof what, "%s epoch %d", b->phase->name, b->epoch);
    snprintf(values, sizeof values, "loss %.4g  lr %.3g  %.1f img/s  eta %s", b->smoothed, b->lr,
             r->epoch_seconds > 0 ? (double)r->epoch_pictures / r->epoch_seconds : 0, eta);
    progress_show(&r->progress, now, what, b->epoch_batch + 1, b->epoch_batches, values);
    return stopped(r, e);
}

static int on_features(void *context, const recipe_phase *phase, size_t done, size_t total, error *e)
{
    train_report *r = context;
    char what[80];
    snprintf(what, sizeof what, "%s features", phase->name);
    progress_show(&r->progress, progress_seconds(), what, (int)done, (int)total, "");
    return stopped(r, e);
}

static int on_validation(void *context, const trainer_batch *last, int done, int total, error *e)
{
    train_report *r = context;
    char what[80];
    snprintf(what, sizeof what, "%s epoch %d validation", last->phase->name, last->epoch);
    progress_show(&r->progress, progress_seconds(), what, done, total, "");
    return stopped(r, e);
}

static int on_epoch(void *context, const trainer_epoch *row, error *e)
{
    train_report *r = context;
    text_buffer table = {0};
    progress_clear(&r->progress);
    if (!r->header_shown) {
        r->header_shown = true;
        history_table_header(r->s->task, &table);
        text_add(&table, "\n");
    }
    history_table_row(r->s->task, row->epoch, row->trn_loss, row->val, &table);
    history_row(r->s->task, row->phase->name, row->epoch, row->trn_loss, row->val, row->seconds, row->rate,
                &r->history);
    int code = text_done(&table, e);
    if (!code) {
        puts(table.data);
        fflush(stdout);
        code = text_done(&r->history, e);
    }
    text_free(&table);
    if (!code)
        code = file_write(r->s->files.history, r->history.data, r->history.size, e);
    if (!code)
        code = text_done(&r->batches, e);
    return code ? code : file_write(r->s->files.batches, r->batches.data, r->batches.size, e);
}

static void add_metric(text_buffer *b, const char *name, double value)
{
    char number[HISTORY_NUMBER];
    history_rounded(value, number);
    text_add(b, "%s%s %s", b->size ? " " : "", name, number);
}

static int on_phase_end(void *context, int number, const trainer_epoch *last, const float *params, error *e)
{
    train_report *r = context;
    const train_setup *s = r->s;
    const char *path = s->files.checkpoints[number];
    text_buffer metrics = {0};
    progress_clear(&r->progress);
    add_metric(&metrics, "val_loss", last->val.loss);
    if (s->task != TASK_BBOX)
        add_metric(&metrics, "accuracy", last->val.accuracy);
    if (s->task != TASK_CLS)
        add_metric(&metrics, "l1", last->val.l1);
    int code = text_done(&metrics, e);
    if (!code) {
        checkpoint_info info = {.task = s->task,
                                .arch = s->recipe.arch,
                                .size = s->recipe.size,
                                .class_count = (int)s->labels.class_count,
                                .classes = s->labels.classes,
                                .recipe = s->recipe_text.data,
                                .parent = s->parent,
                                .version = ONEBOX_VERSION,
                                .conv = device_describe(s->device),
                                .phase = last->phase->name,
                                .seed = s->seed,
                                .metrics = metrics.data};
        memcpy(info.mean, imagenet_mean, sizeof info.mean);
        memcpy(info.std, imagenet_std, sizeof info.std);
        code = checkpoint_save(path, &info, &s->graph, params, e);
    }
    if (!code) {
        char took[24];
        progress_duration(took, progress_seconds() - r->phase_start);
        program_note(s->program,
                     "phase %s done in %s (last epoch: training %.1f img/s, validation %.1f img/s); wrote %s",
                     last->phase->name, took, last->rate, last->val_rate, path);
    }
    text_free(&metrics);
    return code;
}

/* The state of the last point. */
static int write_state(train_report *r, error *e)
{
    train_state s = r->s->state;
    s.point = r->point;
    s.device = device_describe(r->s->device);
    s.history = train_rows_of(r->history.data + strlen(HISTORY_COLUMNS), r->history_rows);
    s.batches = train_rows_of(r->batches.data + strlen(BATCHES_COLUMNS), r->batches_rows);
    int code = train_state_save(r->s->files.state, &s, &r->s->graph, &r->s->recipe, r->params, e);
    r->state_written = progress_seconds();
    r->point_written = !code;
    return code;
}

static int on_point(void *context, const trainer_point *next, const float *params, error *e)
{
    (void)e;
    train_report *r = context;
    error refused = {0};
    r->point = *next;
    r->params = params;
    r->history_rows = r->history.size - strlen(HISTORY_COLUMNS);
    r->batches_rows = r->batches.size - strlen(BATCHES_COLUMNS);
    r->point_written = false;
    if (progress_seconds() - r->state_written < r->s->o->state_every)
        return 0;
    if (!write_state(r, &refused)) {
        r->state_refused = false;
    } else if (!r->state_refused) {
        r->state_refused = true;
        progress_clear(&r->progress);
        program_note(r->s->program, "%s; the training goes on, and tries it again after other epochs", refused.text);
    }
    return 0;
}

/* What was trained up to the last point is lost only where the point is. */
static void on_failure(void *context, bool kept)
{
    train_report *r = context;
    error refused = {0};
    progress_clear(&r->progress);
    if (signals_deferred() || !r->params || (!r->point_written && (!kept || write_state(r, &refused))))
        return;
    program_note(r->s->program, "what was trained before phase %s, epoch %d is in %s",
                 r->s->recipe.phases[r->point.phase].name, r->point.epoch, r->s->files.state);
}

int train_report_stop(train_report *r, error *e)
{
    const train_setup *s = r->s;
    progress_clear(&r->progress);
    if (!r->params && !s->resumed)
        return fail(e, ERR_SYSTEM,
                    "interrupted in its first epoch: no state to go on from yet, the same command "
                    "starts anew");
    const trainer_point *at = r->params ? &r->point : &s->state.point;
    if (r->params && !r->point_written && write_state(r, e))
        return fail_context(e, "interrupted, and what was trained is lost");
    return fail(e, ERR_SYSTEM, "interrupted; the same command (or make) goes on from %s, with phase %s, epoch %d",
                s->files.state, s->recipe.phases[at->phase].name, at->epoch);
}

int train_report_start(train_report *r, const train_setup *s, trainer_report *callbacks, error *e)
{
    *r = (train_report){.s = s, .state_written = progress_seconds()};
    *callbacks = (trainer_report){.context = r,
                                  .phase_start = on_phase_start,
                                  .batch = on_batch,
                                  .features = on_features,
                                  .validation = on_validation,
                                  .epoch = on_epoch,
                                  .phase_end = on_phase_end,
                                  .point = on_point,
                                  .failed = on_failure};
    int code = begin_table(r, s->files.history, HISTORY_COLUMNS, &s->state.history, &r->history, e);
    return code ? code : begin_table(r, s->files.batches, BATCHES_COLUMNS, &s->state.batches, &r->batches, e);
}

void train_report_free(train_report *r)
{
    progress_clear(&r->progress);
    text_free(&r->history);
    text_free(&r->batches);
}
