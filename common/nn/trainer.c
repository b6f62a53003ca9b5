/* A session holds what lives as long as a run: the model on the device, plans for whole batches and for the smaller
 * last one, the two loaders. A phase makes new training plans and moments; an epoch is a loop over batches (forward,
 * loss, backward, Adam) and a pass over the validation set. Where the groups in front are frozen, what they make of
 * the validation pictures is kept from the first epoch on, and what they make of the training pictures from before it,
 * when these have few forms. Between epochs the training can be handed out as it stands. */
#include "nn/trainer.h"

#include "base/limits.h"
#include "base/progress.h"
#include "nn/features.h"
#include "nn/initial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A plan for whole batches and one for the smaller last one; either may be missing. */
typedef struct plan_pair {
    plan *whole, *rest;
    int whole_count, rest_count;
} plan_pair;

/* Everything that lives as long as a run. */
typedef struct train_session {
    const trainer *t;
    model *model;
    plan_pair train, eval;
    loader *train_loader, *val_loader;
    float *output, *gradient;          /* batch x the network's outputs */
    size_t train_batches, val_batches; /* per epoch */
    uint64_t step;                     /* training batches since the start, over all phases */
    float *first, *second;             /* moments of the last point; NULL before one inside a phase */
    float *mean, *next_mean;           /* of the parameters behind the averaged epochs, up to the last point and with
                                          the epoch behind it; NULL before the first */
    bool torn;                         /* parameters and moments of the last point are being overwritten */
    /* What the frozen groups of a phase make of the validation pictures, and of every form of the training pictures;
     * room for a batch of these, and their numbers. */
    features val_features, train_features;
    float *gathered;
    size_t *gathered_rows;
} train_session;

/* Those of the validation set are kept up to so many bytes. */
static const double val_feature_limit = 256 << 20;

size_t trainer_batches(size_t pictures, int batch)
{
    return loader_batches(pictures, batch, 2);
}

/* ---------------------------------------------------------------- plans */

static void free_pair(plan_pair *p)
{
    plan_free(p->whole);
    plan_free(p->rest);
    *p = (plan_pair){0};
}

/* Plans for `samples` in batches of `batch`; a rest below `least` needs none. */
static int make_pair(plan_pair *p, model *m, size_t samples, int batch, int least, plan_options o, error *e)
{
    *p = (plan_pair){0};
    int rest = (int)(samples % (size_t)batch);
    if (samples >= (size_t)batch) {
        o.batch = p->whole_count = batch;
        p->whole = plan_create(m, &o, e);
        if (!p->whole)
            return e->code;
    }
    if (rest > 0 && rest >= least) {
        o.batch = p->rest_count = rest;
        p->rest = plan_create(m, &o, e);
        if (!p->rest)
            return e->code;
    }
    return 0;
}

static plan *plan_of(const plan_pair *p, int count)
{
    return p->whole && count == p->whole_count ? p->whole : p->rest;
}

/* ---------------------------------------------------------------- a run's beginning and end */

static loader *open_loader(const trainer *t, const trainer_set *set, bool shuffle, uint32_t first_epoch,
                           uint32_t epochs, bool pictures, error *e)
{
    loader_options o = {.make = set->make,
                        .context = set->context,
                        .samples = set->count,
                        .picture_floats = pictures ? (size_t)t->graph->size * (size_t)t->graph->size * 3 : 0,
                        .target_floats = (size_t)t->target_floats,
                        .batch = t->recipe->batch,
                        .least = shuffle ? 2 : 1,
                        .threads = t->threads,
                        .ring = shuffle ? 3 : 2,
                        .shuffle = shuffle,
                        .seed = t->seed,
                        .first_epoch = first_epoch,
                        .epochs = epochs};
    return loader_open(&o, e);
}

/* The training pictures of so many epochs from now on; without what is kept of them already. */
static int open_train_loader(train_session *s, int epochs, error *e)
{
    loader_close(s->train_loader);
    /* an epoch has a batch NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    const uint32_t behind = (uint32_t)(s->step / s->train_batches);
    s->train_loader = open_loader(s->t, &s->t->train, true, behind, (uint32_t)epochs, !s->train_features.kept, e);
    return s->train_loader ? 0 : e->code;
}

static void session_close(train_session *s)
{
    loader_close(s->train_loader);
    loader_close(s->val_loader);
    free_pair(&s->train);
    free_pair(&s->eval);
    features_free(&s->val_features);
    features_free(&s->train_features);
    free(s->gathered);
    free(s->gathered_rows);
    model_free(s->model);
    free(s->output);
    free(s->gradient);
    free(s->first);
    free(s->second);
    free(s->mean);
    free(s->next_mean);
}

/* first_epoch: how many are behind us; epochs: how many passes over the validation set will be asked for. */
static int session_open(train_session *s, const trainer *t, uint32_t first_epoch, uint32_t epochs, error *e)
{
    *s = (train_session){.t = t};
    int batch = t->recipe->batch;
    if (batch < 2)
        return fail(e, ERR_INPUT, "a batch of %d cannot train: batch norm needs at least two pictures", batch);
    s->train_batches = trainer_batches(t->train.count, batch);
    s->val_batches = loader_batches(t->val.count, batch, 1);
    s->step = (uint64_t)first_epoch * s->train_batches;
    if (s->train_batches == 0)
        return fail(e, ERR_INPUT, "%zu training pictures are too few, at least two are needed", t->train.count);
    if (t->val.count == 0)
        return fail(e, ERR_INPUT, "there are no validation pictures");
    size_t floats = (size_t)batch * (size_t)t->graph->outputs;
    s->output = mem_zero(floats, sizeof *s->output, "outputs", e);
    s->gradient = mem_zero(floats, sizeof *s->gradient, "gradients", e);
    if (!s->output || !s->gradient)
        return e->code;
    s->model = model_create(t->device, t->graph, e);
    if (!s->model)
        return e->code;
    int code = model_upload(s->model, t->params, e);
    if (code)
        return code;
    s->val_loader = open_loader(t, &t->val, false, first_epoch, epochs, true, e);
    if (!s->val_loader)
        return e->code;
    plan_options o = {.training = false};
    return make_pair(&s->eval, s->model, t->val.count, batch, 1, o, e);
}

/* The plans of the phase before are freed first, so that only one set of activations exists at a time. */
static int make_train_plans(train_session *s, const recipe_phase *phase, error *e)
{
    free_pair(&s->train);
    plan_options o = {.training = true, .first_group = phase->from, .freeze_bn = s->t->freeze_bn};
    return make_pair(&s->train, s->model, s->t->train.count, s->t->recipe->batch, 2, o, e);
}

/* ---------------------------------------------------------------- features */

/* Makes every form of the training pictures, and keeps what the frozen groups make of it. */
static int fill_train_features(train_session *s, const recipe_phase *phase, error *e)
{
    const trainer *t = s->t;
    trainer_set all = t->train;
    all.make = t->train.make_form;
    all.count = t->train.count * (size_t)t->train.forms;
    loader *l = open_loader(t, &all, false, 0, 1, true, e);
    features *f = &s->train_features;
    int code = l ? 0 : e->code;
    while (!code && f->filled < all.count) {
        loader_batch b;
        code = loader_next(l, &b, e);
        if (!code)
            code = features_add(f, s->train.whole, b.pictures, b.count, e);
        if (!code && t->report.features)
            code = t->report.features(t->report.context, phase, f->filled, all.count, e);
    }
    loader_close(l);
    return code;
}

/* Keeps features in a phase that has `epochs` to go, where groups in front are frozen and it pays. */
static int open_features(train_session *s, const recipe_phase *phase, int epochs, error *e)
{
    const trainer *t = s->t;
    const size_t batch = (size_t)t->recipe->batch;
    features_free(&s->val_features);
    features_free(&s->train_features);
    if (phase->from == GROUP_STEM)
        return 0;
    int code = 0;
    if (epochs > 1)
        code = features_open(&s->val_features, s->eval.whole ? s->eval.whole : s->eval.rest, phase->from, t->val.count,
                             val_feature_limit, e);
    if (code || t->train.forms == 0 || epochs <= t->train.forms)
        return code;
    const size_t rows = t->train.count * (size_t)t->train.forms + batch - 1; /* the last batch is made whole */
    code = features_open(&s->train_features, s->train.whole, phase->from, rows, limits_memory("") / 4, e);
    if (code || !s->train_features.kept)
        return code;
    free(s->gathered);
    free(s->gathered_rows);
    s->gathered = mem_room(batch * s->train_features.floats * sizeof *s->gathered, "features", e);
    s->gathered_rows = mem_zero(batch, sizeof *s->gathered_rows, "features", e);
    return s->gathered && s->gathered_rows ? fill_train_features(s, phase, e) : e->code;
}

/* Outputs of validation batch `number` on s->output. */
static int validation_forward(train_session *s, size_t number, const loader_batch *b, error *e)
{
    plan *p = plan_of(&s->eval, b->count);
    features *f = &s->val_features;
    const size_t row = number * (size_t)s->t->recipe->batch;
    if (!f->kept)
        return plan_forward(p, b->pictures, 0, 0, s->output, e);
    int code = row < f->filled ? 0 : features_add(f, p, b->pictures, b->count, e);
    return code ? code : plan_forward_features(p, f->first_group, features_at(f, row), 0, 0, s->output, e);
}

/* Outputs of a training batch on s->output. */
static int train_forward(train_session *s, plan *p, const loader_batch *b, error *e)
{
    const trainer_set *set = &s->t->train;
    const features *f = &s->train_features;
    if (!f->kept)
        return plan_forward(p, b->pictures, s->t->seed, s->step, s->output, e);
    const uint32_t epoch = (uint32_t)(s->step / s->train_batches);
    for (int i = 0; i < b->count; i++)
        s->gathered_rows[i] =
            (size_t)b->samples[i] * (size_t)set->forms + (size_t)set->form(set->context, b->samples[i], epoch);
    features_gather(f, s->gathered_rows, b->count, s->gathered);
    return plan_forward_features(p, f->first_group, s->gathered, s->t->seed, s->step, s->output, e);
}

/* ---------------------------------------------------------------- steps */

static int batch_loss(train_session *s, const loader_batch *b, float *gradient, loss_value *value, error *e)
{
    const trainer *t = s->t;
    if (t->task == TASK_OBJECTS) {
        const objects_shape dense = {b->count, t->classes, t->graph->size, t->target_floats};
        return objects_loss(&dense, s->output, b->targets, gradient, value, e);
    }
    const loss_shape shape = {t->task, b->count, t->classes, t->graph->size, t->recipe->giou, t->recipe->smoothing};
    return loss_compute(&shape, s->output, b->labels, b->targets, gradient, value, e);
}

/* One training batch: forward, loss, backward, Adam's step number `number` (from 1) with the given rates. */
static int train_step(train_session *s, const loader_batch *b, const float lr[GROUPS], int first_group, int64_t number,
                      loss_value *value, error *e)
{
    plan *p = plan_of(&s->train, b->count);
    int code = train_forward(s, p, b, e);
    if (!code)
        code = batch_loss(s, b, s->gradient, value, e);
    if (!code)
        code = plan_backward(p, s->gradient, e);
    if (!code)
        code = model_adam_step(s->model, lr, first_group, number, e);
    s->step++;
    return code;
}

/* A pass over the validation set. `last`: what the report shows beside it, may be NULL. */
static int validate(train_session *s, const trainer_batch *last, loss_value *value, error *e)
{
    loss_mean mean = {0};
    const trainer_report *r = &s->t->report;
    for (size_t i = 0; i < s->val_batches; i++) {
        loader_batch b;
        loss_value one;
        int code = loader_next(s->val_loader, &b, e);
        if (!code)
            code = validation_forward(s, i, &b, e);
        if (!code)
            code = batch_loss(s, &b, NULL, &one, e);
        if (!code && r->validation && last)
            code = r->validation(r->context, last, (int)i + 1, (int)s->val_batches, e);
        if (code)
            return code;
        loss_mean_add(&mean, one, b.count);
    }
    *value = loss_mean_value(&mean);
    return 0;
}

/* Whether the network answers something for a picture of the batch that is no number. */
static bool broken(const train_session *s, int picture)
{
    const size_t outputs = (size_t)s->t->graph->outputs;
    size_t i = 0;
    while (i < outputs && isfinite(s->output[(size_t)picture * outputs + i]))
        i++;
    return i < outputs;
}

/* ", with a.jpg, b.jpg, c.jpg and 3 more of 64 pictures": those of the batch that are broken, or all when none is.
 * Nothing where they have no names. */
static void name_pictures(const train_session *s, const loader_batch *b, text_buffer *text)
{
    enum { SHOWN = 3 };
    const trainer_set *set = &s->t->train;
    int count = 0, shown = 0;
    for (int i = 0; i < b->count; i++)
        count += broken(s, i);
    for (int i = 0; i < b->count && shown < SHOWN && set->name; i++)
        if (count == 0 || broken(s, i))
            text_add(text, "%s%s", shown++ ? ", " : ", with ", set->name(set->context, b->samples[i]));
    const int more = (count ? count : b->count) - shown;
    if (shown > 0 && more > 0)
        text_add(text, " and %d more", more);
    if (shown > 0)
        text_add(text, " of %d pictures", b->count);
}

/* b: the batch it was noticed in, or NULL behind the epoch. */
static int not_finite(const train_session *s, const trainer_batch *at, const loader_batch *b, error *e)
{
    const recipe_phase *phase = at->phase;
    text_buffer pictures = {0};
    if (b)
        name_pictures(s, b, &pictures);
    fail(e, ERR_INPUT,
         "the training loss is not a finite number any more in phase %s, epoch %d, batch %lld (rate of the head "
         "%g)%s: try a lower one, --set phase.%s.lr=%g",
         phase->name, at->epoch, (long long)at->batch, at->lr, pictures.data ? pictures.data : "", phase->name,
         phase->lr[GROUP_HEAD] / 10);
    text_free(&pictures);
    return e->code;
}

/* ---------------------------------------------------------------- phases */

/* Batch report->epoch_batch of an epoch, report->batch of the phase; fills in the rest. *before: when the last one
 * ended. */
static int run_batch(train_session *s, trainer_batch *report, loss_smooth *smooth, double *before, error *e)
{
    const trainer_report *r = &s->t->report;
    const recipe_phase *phase = report->phase;
    const double factor = schedule_factor(&phase->schedule, report->epoch_batches, report->batch);
    loader_batch b;
    loss_value value = {0};
    float lr[GROUPS];
    for (int g = 0; g < GROUPS; g++)
        lr[g] = (float)(phase->lr[g] * factor);
    int code = loader_next(s->train_loader, &b, e);
    if (!code)
        code = train_step(s, &b, lr, phase->from, report->batch + 1, &value, e);
    if (code)
        return code;
    double now = progress_seconds();
    report->count = b.count;
    report->lr = phase->lr[GROUP_HEAD] * factor;
    report->loss = value.loss;
    report->smoothed = loss_smooth_add(smooth, value.loss);
    report->wait = b.wait;
    report->seconds = now - *before;
    *before = now;
    if (!isfinite(value.loss))
        return not_finite(s, report, &b, e);
    return r->batch ? r->batch(r->context, report, e) : 0;
}

/* Takes what epoch number `epoch` has made into the next mean, if it belongs to the averaged ones. Behind the last
 * epoch the network gets it. */
static int average_epoch(train_session *s, int number, int epoch, int epochs, error *e)
{
    const trainer *t = s->t;
    const int count = recipe_averaged(t->recipe, number, epoch + 1);
    if (count == 0)
        return 0;
    if (!s->mean)
        s->mean = params_alloc(t->graph, e);
    if (!s->next_mean)
        s->next_mean = params_alloc(t->graph, e);
    int code = s->mean && s->next_mean ? model_download(s->model, s->next_mean, e) : ERR_SYSTEM;
    for (size_t i = 0; i < t->graph->param_floats && !code; i++)
        s->next_mean[i] = s->mean[i] + (s->next_mean[i] - s->mean[i]) / (float)count;
    return code || epoch + 1 < epochs ? code : model_upload(s->model, s->next_mean, e);
}

static int run_epoch(train_session *s, int number, int epoch, int epochs, loss_smooth *smooth, trainer_epoch *row,
                     error *e)
{
    const trainer *t = s->t;
    const recipe_phase *phase = &t->recipe->phases[number];
    const int nb = (int)s->train_batches;
    trainer_batch report = {.phase = phase, .epoch = epoch, .batches = (int64_t)nb * epochs, .epoch_batches = nb};
    double start = progress_seconds(), before = start;
    size_t pictures = 0;
    int code = 0;
    for (int i = 0; i < nb && !code; i++) {
        report.batch = (int64_t)epoch * nb + i;
        report.epoch_batch = i;
        code = run_batch(s, &report, smooth, &before, e);
        pictures += (size_t)report.count;
    }
    if (!code)
        code = average_epoch(s, number, epoch, epochs, e);
    if (code)
        return code;
    *row = (trainer_epoch){
        .phase = phase, .epoch = epoch, .trn_loss = loss_smooth_value(smooth), .seconds = before - start};
    row->rate = (double)pictures / (row->seconds > 0 ? row->seconds : 1e-9);
    double middle = progress_seconds();
    code = validate(s, &report, &row->val, e);
    if (code)
        return code;
    double seconds = progress_seconds() - middle;
    row->val_rate = (double)t->val.count / (seconds > 0 ? seconds : 1e-9);
    if (!isfinite(row->val.loss))
        return not_finite(s, &report, NULL, e);
    if (recipe_averaged(t->recipe, number, epoch + 1)) { /* what was told of the old one stays as it is */
        float *mean = s->next_mean;
        s->next_mean = s->mean;
        s->mean = mean;
    }
    return t->report.epoch ? t->report.epoch(t->report.context, row, e) : 0;
}

/* Hands the training out as it stands in front of an epoch, if somebody wants it. In front of a phase's first epoch
 * the parameters have been downloaded already, and there are no moments. */
static int report_point(train_session *s, int phase, int epoch, loss_smooth smooth, error *e)
{
    const trainer *t = s->t;
    trainer_point next = {.phase = phase, .epoch = epoch, .smooth = smooth};
    if (!t->report.point)
        return 0;
    if (epoch > 0) {
        if (!s->first)
            s->first = params_alloc(t->graph, e);
        if (!s->second)
            s->second = params_alloc(t->graph, e);
        s->torn = true;
        int code = s->first && s->second ? model_download(s->model, t->params, e) : e->code;
        if (!code)
            code = model_download_moments(s->model, s->first, s->second, e);
        if (code)
            return code;
        next.first = s->first;
        next.second = s->second;
        next.mean = recipe_averaged(t->recipe, phase, epoch) ? s->mean : NULL;
    }
    s->torn = false;
    return t->report.point(t->report.context, &next, t->params, e);
}

/* From `from`, a point of this phase, on. */
static int run_phase(train_session *s, const trainer_point *from, error *e)
{
    const trainer *t = s->t;
    const int number = from->phase;
    const recipe_phase *phase = &t->recipe->phases[number];
    int epochs = schedule_epochs(&phase->schedule);
    int code = make_train_plans(s, phase, e);
    if (!code && from->mean) {
        s->mean = params_alloc(t->graph, e);
        code = s->mean ? 0 : ERR_SYSTEM;
    }
    if (!code && from->mean)
        memcpy(s->mean, from->mean, t->graph->param_floats * sizeof *s->mean);
    if (!code)
        code = from->epoch ? model_upload_moments(s->model, from->first, from->second, e)
                           : model_reset_moments(s->model, e);
    if (!code && t->report.phase_start)
        code = t->report.phase_start(t->report.context, number, from->epoch, (int64_t)s->train_batches * epochs, e);
    if (!code)
        code = open_features(s, phase, epochs - from->epoch, e);
    if (!code)
        code = open_train_loader(s, epochs - from->epoch, e);
    loss_smooth smooth = from->smooth;
    trainer_epoch row = {0};
    for (int epoch = from->epoch; epoch < epochs && !code; epoch++) {
        code = run_epoch(s, number, epoch, epochs, &smooth, &row, e);
        if (!code && epoch + 1 < epochs)
            code = report_point(s, number, epoch + 1, smooth, e);
    }
    s->torn = s->torn || !code;
    if (!code)
        code = model_download(s->model, t->params, e);
    if (!code && t->report.phase_end)
        code = t->report.phase_end(t->report.context, number, &row, t->params, e);
    if (!code && number + 1 < t->recipe->phase_count)
        code = report_point(s, number + 1, 0, (loss_smooth){0}, e);
    return code;
}

int trainer_run(const trainer *t, error *e)
{
    train_session s;
    trainer_point at = t->from ? *t->from : (trainer_point){0};
    int64_t epochs = 0, done = at.epoch;
    for (int i = 0; i < t->recipe->phase_count; i++) {
        int more = schedule_epochs(&t->recipe->phases[i].schedule);
        if (more < 0)
            return fail(e, ERR_INPUT, "phase %s: too many epochs", t->recipe->phases[i].name);
        epochs += more;
        done += i < at.phase ? more : 0;
    }
    if (at.phase < 0 || at.phase >= t->recipe->phase_count || at.epoch < 0 ||
        (at.epoch > 0 && at.epoch >= schedule_epochs(&t->recipe->phases[at.phase].schedule)))
        return fail(e, ERR_INPUT, "there is no epoch %d in phase number %d to go on with", at.epoch, at.phase);
    int code = session_open(&s, t, (uint32_t)done, (uint32_t)(epochs - done), e);
    for (; at.phase < t->recipe->phase_count && !code; at = (trainer_point){.phase = at.phase + 1})
        code = run_phase(&s, &at, e);
    if (code && t->report.failed)
        t->report.failed(t->report.context, !s.torn);
    session_close(&s);
    return code;
}

/* ---------------------------------------------------------------- learning-rate finder */

static int find_steps(train_session *s, const trainer_lr_find *find, trainer_lr_found *found, error *e)
{
    const recipe_phase *phase = &s->t->recipe->phases[find->phase];
    int nb = (int)s->train_batches;
    double growth = lr_find_growth(find->start[GROUP_HEAD], find->end, nb);
    loss_smooth smooth = {0};
    lr_find state = {.best = LR_FIND_BEST};
    for (int i = 0; i < nb; i++) {
        loader_batch b;
        loss_value value = {0};
        double factor = pow(growth, i);
        float lr[GROUPS];
        for (int g = 0; g < GROUPS; g++)
            lr[g] = (float)(find->start[g] * factor);
        int code = loader_next(s->train_loader, &b, e);
        if (!code)
            code = train_step(s, &b, lr, phase->from, i + 1, &value, e);
        if (code)
            return code;
        found->smoothed = loss_smooth_add(&smooth, value.loss);
        if (!lr_find_record(&state, found->smoothed)) {
            found->stopped = true;
            return 0;
        }
        found->recorded = state.recorded;
        if (find->record)
            code = find->record(find->context, i, find->start[GROUP_HEAD] * factor, value.loss, found->smoothed, e);
        if (code)
            return code;
    }
    return validate(s, NULL, &found->val, e);
}

int trainer_find_lr(const trainer *t, const trainer_lr_find *find, trainer_lr_found *found, error *e)
{
    train_session s;
    *found = (trainer_lr_found){0};
    int code = session_open(&s, t, 0, 1, e);
    found->batches = (int)s.train_batches;
    if (!code)
        code = make_train_plans(&s, &t->recipe->phases[find->phase], e);
    if (!code)
        code = open_train_loader(&s, 1, e);
    if (!code)
        code = model_reset_moments(s.model, e);
    if (!code)
        code = find_steps(&s, find, found, e);
    session_close(&s);
    return code;
}
