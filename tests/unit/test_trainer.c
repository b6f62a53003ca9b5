/* The trainer against a device that is written here: a linear network on one pixel, which also keeps a record
 * of how it was used. (The real devices are tested with the programs, end to end.) */
#include "test.h"

#include "nn/trainer.h"

#include <math.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- the device */

struct device {
    int unused;
};

struct model {
    const graph *graph;
    float *params, *gradients;
};

struct plan {
    model *model;
    plan_options options;
    float input[64][3];
};

typedef struct step {
    int batch, first_group;
    float lr[GROUPS];
    int64_t t;
    uint64_t dropout_step;
} step;

static step steps[4096];
static int step_count, resets, uploads, live_plans, most_plans, live_training, most_training, eval_forwards;
static uint64_t last_step;
static int last_batch;
static bool wrong_mode;
static int nan_at; /* training forward that gives NaN; -1: none */

static void forget(void)
{
    step_count = resets = uploads = live_plans = most_plans = live_training = most_training = eval_forwards = 0;
    wrong_mode = false;
    nan_at = -1;
}

model *model_create(device *d, const graph *g, error *e)
{
    (void)d;
    model *m = mem_zero(1, sizeof *m, "a model", e);
    m->graph = g;
    m->params = mem_zero(g->param_floats, sizeof(float), "parameters", e);
    m->gradients = mem_zero(g->param_floats, sizeof(float), "gradients", e);
    return m;
}

void model_free(model *m)
{
    if (m) {
        free(m->params);
        free(m->gradients);
    }
    free(m);
}

int model_upload(model *m, const float *params, error *e)
{
    (void)e;
    uploads++;
    memcpy(m->params, params, m->graph->param_floats * sizeof(float));
    return 0;
}

int model_download(model *m, float *params, error *e)
{
    (void)e;
    memcpy(params, m->params, m->graph->param_floats * sizeof(float));
    return 0;
}

int model_reset_moments(model *m, error *e)
{
    (void)m;
    (void)e;
    resets++;
    return 0;
}

int model_upload_moments(model *m, const float *first, const float *second, error *e)
{
    (void)m;
    (void)first;
    (void)second;
    return fail(e, ERR_SYSTEM, "this optimiser has no moments");
}

int model_download_moments(model *m, float *first, float *second, error *e)
{
    return model_upload_moments(m, first, second, e);
}

int model_adam_step(model *m, const float lr[GROUPS], int first_group, int64_t t, error *e)
{
    (void)e;
    steps[step_count] = (step){last_batch, first_group, {lr[0], lr[1], lr[2]}, t, last_step};
    step_count++;
    for (size_t i = 0; i < m->graph->param_floats; i++) /* plain descent is enough here */
        m->params[i] -= lr[GROUP_HEAD] * m->gradients[i];
    return 0;
}

plan *plan_create(model *m, const plan_options *o, error *e)
{
    plan *p = mem_zero(1, sizeof *p, "a plan", e);
    p->model = m;
    p->options = *o;
    if (++live_plans > most_plans)
        most_plans = live_plans;
    if (o->training && ++live_training > most_training)
        most_training = live_training;
    return p;
}

void plan_free(plan *p)
{
    if (!p)
        return;
    live_plans--;
    live_training -= p->options.training;
    free(p);
}

int plan_forward(plan *p, const float *input, uint64_t seed, uint64_t number, float *output, error *e)
{
    (void)e;
    const graph *g = p->model->graph;
    const float *w = p->model->params, *b = w + 3 * g->outputs;
    memcpy(p->input, input, (size_t)p->options.batch * 3 * sizeof(float));
    for (int i = 0; i < p->options.batch; i++)
        for (int o = 0; o < g->outputs; o++) {
            double s = b[o];
            for (int c = 0; c < 3; c++)
                s += (double)w[3 * o + c] * (double)input[3 * i + c];
            output[i * g->outputs + o] = (float)s;
        }
    if (p->options.training) {
        wrong_mode |= seed != 5;
        last_step = number;
        last_batch = p->options.batch;
        if (step_count == nan_at)
            output[0] = NAN;
    } else {
        eval_forwards++;
    }
    return 0;
}

size_t plan_feature_floats(const plan *p, int first_group)
{
    (void)p;
    (void)first_group;
    return 0;
}

int plan_features(plan *p, int first_group, const float *input, float *features, error *e)
{
    (void)p;
    (void)first_group;
    (void)input;
    (void)features;
    return fail(e, ERR_SYSTEM, "these plans can't be cut");
}

int plan_forward_features(plan *p, int first_group, const float *features, uint64_t seed, uint64_t number,
                          float *output, error *e)
{
    (void)features;
    (void)seed;
    (void)number;
    return plan_features(p, first_group, output, NULL, e);
}

int plan_backward(plan *p, const float *gradient, error *e)
{
    (void)e;
    wrong_mode |= !p->options.training;
    const graph *g = p->model->graph;
    memset(p->model->gradients, 0, g->param_floats * sizeof(float));
    for (int i = 0; i < p->options.batch; i++)
        for (int o = 0; o < g->outputs; o++) {
            float d = gradient[i * g->outputs + o];
            p->model->gradients[3 * g->outputs + o] += d;
            for (int c = 0; c < 3; c++)
                p->model->gradients[3 * o + c] += d * p->input[i][c];
        }
    return 0;
}

/* ---------------------------------------------------------------- data and callbacks */

enum { TRAIN = 21, VAL = 11, BATCH = 8 };

typedef struct world {
    int calls[8]; /* batches, validations, epochs, phase starts, phase ends, failures */
    double trn[16];
    loss_value val[16];
    int stop_after_epochs; /* 0: never */
    bool fail_sample, fail_end, kept;
} world;

/* Pixel and class go together; validation samples 8 .. 10 (the small batch) carry the other class. */
static int make(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label,
                float *target, error *e)
{
    world *w = context;
    (void)worker;
    if (w->fail_sample && epoch == 1 && sample == 3)
        return fail(e, ERR_INPUT, "224.cache: picture 3 is damaged");
    *label = sample % 2 ? 1 : 0;
    picture[0] = *label ? 1.0f : 0.0f;
    picture[1] = 0.5f;
    picture[2] = (float)sample / 32;
    for (int i = 0; i < 4; i++)
        target[i] = (float)(10 * i);
    return 0;
}

static int make_val(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label,
                    float *target, error *e)
{
    int code = make(context, sample, 0, worker, picture, label, target, e);
    (void)epoch;
    if (sample >= 8)
        *label = 1 - *label;
    return code;
}

static int on_start(void *context, int number, int first_epoch, int64_t batches, error *e)
{
    (void)e;
    CHECK(first_epoch == 0, "phase %d starts with epoch %d", number, first_epoch);
    world *w = context;
    CHECK(batches == (number == 0 ? 6 : 3), "phase %d has %lld batches", number, (long long)batches);
    w->calls[3]++;
    return 0;
}

static int on_batch(void *context, const trainer_batch *b, error *e)
{
    (void)e;
    world *w = context;
    CHECK(b->batch == b->epoch * 3 + b->epoch_batch && b->epoch_batches == 3, "batch %lld, %d of %d",
          (long long)b->batch, b->epoch_batch, b->epoch_batches);
    w->calls[0]++;
    return 0;
}

static int on_validation(void *context, const trainer_batch *last, int done, int total, error *e)
{
    (void)e;
    (void)last;
    world *w = context;
    CHECK(done >= 1 && done <= total && total == 2, "validation %d of %d", done, total);
    w->calls[1]++;
    return 0;
}

static int on_epoch(void *context, const trainer_epoch *row, error *e)
{
    world *w = context;
    w->trn[w->calls[2]] = row->trn_loss;
    w->val[w->calls[2]] = row->val;
    w->calls[2]++;
    if (w->calls[2] == w->stop_after_epochs)
        return fail(e, ERR_SYSTEM, "disk full");
    return 0;
}

static void on_failure(void *context, bool kept)
{
    world *w = context;
    w->calls[5]++;
    w->kept = kept;
}

static const char *name_of(void *context, uint32_t sample)
{
    (void)context;
    static char text[16];
    snprintf(text, sizeof text, "%u.jpg", sample);
    return text;
}

static graph net;
static recipe plans;

static int on_end(void *context, int number, const trainer_epoch *last, const float *params, error *e)
{
    world *w = context;
    CHECK(number == w->calls[4] && strcmp(last->phase->name, plans.phases[number].name) == 0 && params != NULL,
          "phase %d", number);
    w->calls[4]++;
    return w->fail_end ? fail(e, ERR_SYSTEM, "disk full") : 0;
}

static trainer trainer_for(world *w, float *params, int threads)
{
    return (trainer){.graph = &net,
                     .params = params,
                     .task = TASK_CLS,
                     .classes = 2,
                     .target_floats = 4,
                     .recipe = &plans,
                     .seed = 5,
                     .train = {.make = make, .context = w, .count = TRAIN, .name = name_of},
                     .val = {.make = make_val, .context = w, .count = VAL},
                     .threads = threads,
                     .report = {.context = w,
                                .phase_start = on_start,
                                .batch = on_batch,
                                .validation = on_validation,
                                .epoch = on_epoch,
                                .phase_end = on_end,
                                .failed = on_failure}};
}

int main(void)
{
    error e = {0};
    const float zero[3] = {0}, one[3] = {1, 1, 1};
    if (graph_begin(&net, 1, zero, one, &e) || graph_flatten(&net, 0, "head.0", GROUP_HEAD, &e) < 0 ||
        graph_linear(&net, 1, "head.1", GROUP_HEAD, 2, &e) < 0) {
        printf("not ok 1 - a network: %s\n1..1\n", e.text);
        return 1;
    }
    plans = (recipe){.size = 1, .batch = BATCH, .seed = 5, .phase_count = 2};
    plans.phases[0] = (recipe_phase){.name = "head",
                                     .from = GROUP_HEAD,
                                     .lr = {0.1, 0.2, 0.5},
                                     .schedule = {.kind = SCHEDULE_COSINE, .cycles = 1, .length = 2, .mult = 1}};
    plans.phases[1] =
        (recipe_phase){.name = "all",
                       .from = GROUP_STEM,
                       .lr = {1e-3, 1e-2, 1e-1},
                       .schedule = {.kind = SCHEDULE_TRIANGULAR, .cycles = 1, .length = 1, .div = 32, .cut = 3}};

    TEST("each phase is a fit of its own: new moments, steps from 1, its own rates and frozen groups")
    {
        forget();
        world w = {0};
        float params[8] = {0};
        trainer t = trainer_for(&w, params, 1);
        CHECK(trainer_run(&t, &e) == 0, "%s", e.text);
        CHECK(uploads == 1 && resets == 2 && step_count == 9, "%d uploads, %d resets, %d steps", uploads, resets,
              step_count);
        for (int i = 0; i < step_count; i++) {
            const recipe_phase *p = &plans.phases[i >= 6];
            int k = i >= 6 ? i - 6 : i;
            CHECK(steps[i].t == k + 1, "step %d has t %lld", i, (long long)steps[i].t);
            CHECK(steps[i].dropout_step == (uint64_t)i, "step %d draws dropout %llu", i,
                  (unsigned long long)steps[i].dropout_step);
            CHECK(steps[i].first_group == p->from, "step %d trains from group %d", i, steps[i].first_group);
            CHECK(steps[i].batch == (i % 3 == 2 ? 5 : 8), "step %d has %d pictures", i, steps[i].batch);
            double f = schedule_factor(&p->schedule, 3, k);
            for (int g = 0; g < GROUPS; g++)
                CHECK(steps[i].lr[g] == (float)(p->lr[g] * f), "step %d group %d: rate %g", i, g,
                      (double)steps[i].lr[g]);
        }
        CHECK(!wrong_mode, "the wrong mode or seed");
        CHECK(w.calls[0] == 9 && w.calls[1] == 6 && w.calls[2] == 3 && w.calls[3] == 2 && w.calls[4] == 2,
              "%d batches, %d validations, %d epochs, %d starts, %d ends", w.calls[0], w.calls[1], w.calls[2],
              w.calls[3], w.calls[4]);
        CHECK(eval_forwards == 6, "%d evaluations", eval_forwards);
        CHECK(w.trn[1] < w.trn[0], "the loss does not fall: %g, %g", w.trn[0], w.trn[1]);
    }
    TEST("only the plans of one phase are alive at a time, and none in the end")
    {
        CHECK(most_training == 2 && most_plans == 4, "%d training plans, %d in all", most_training, most_plans);
        CHECK(live_plans == 0, "%d plans left", live_plans);
    }
    TEST("validation means are weighted by batch size: 8 and 3 pictures are not two halves")
    {
        forget();
        world w = {0};
        float params[8] = {-4, 0, 0, 4, 0, 0, 2, -2}; /* class 1 when the first pixel is 1: right for 0 .. 7 */
        trainer t = trainer_for(&w, params, 0);
        recipe still = plans; /* a phase that changes nothing */
        still.phase_count = 1;
        memset(still.phases[0].lr, 0, sizeof still.phases[0].lr);
        t.recipe = &still;
        CHECK(trainer_run(&t, &e) == 0, "%s", e.text);
        const loss_value value = w.val[0];
        CHECK(fabs(value.accuracy - 8.0 / 11) < 1e-12, "accuracy %.6f; unweighted it would be 0.5", value.accuracy);
        double right = log1p(exp(-4)), wrong = 4 + log1p(exp(-4));
        CHECK(fabs(value.loss - (8 * right + 3 * wrong) / 11) < 1e-6, "loss %.6f", value.loss);
        CHECK(step_count == 6 && eval_forwards == 4 && live_plans == 0, "%d steps, %d evaluations", step_count,
              eval_forwards);
    }
    TEST("the number of threads changes nothing")
    {
        float first[8];
        for (int threads = 0; threads < 4; threads++) {
            forget();
            world w = {0};
            float params[8] = {0};
            trainer t = trainer_for(&w, params, threads);
            CHECK(trainer_run(&t, &e) == 0, "%s", e.text);
            if (threads == 0)
                memcpy(first, params, sizeof first);
            CHECK(memcmp(first, params, sizeof first) == 0, "%d threads give other parameters", threads);
        }
    }
    TEST("a loss that is no number ends the training and says where")
    {
        forget();
        nan_at = 4;
        world w = {0};
        float params[8] = {0};
        trainer t = trainer_for(&w, params, 1);
        error bad = {0};
        CHECK(trainer_run(&t, &bad) == ERR_INPUT, "no failure");
        CHECK(strstr(bad.text, "phase head, epoch 1, batch 4") != NULL, "%s", bad.text);
        CHECK(strstr(bad.text, "--set phase.head.lr=0.05") != NULL, "%s", bad.text);
        CHECK(w.calls[5] == 1 && w.kept, "%d failures, the last point is lost", w.calls[5]);
        unsigned picture = TRAIN; /* one of eight answers is no number */
        const char *at = strstr(bad.text, ", with ");
        CHECK(at && sscanf(at, ", with %u.jpg of 8 pictures", &picture) == 1 && picture < TRAIN &&
                  strstr(at, ".jpg of 8 pictures: try a lower one"),
              "%s", bad.text);
        CHECK(w.calls[4] == 0 && live_plans == 0, "%d phases ended", w.calls[4]);
    }
    TEST("a picture that cannot be made, and a report that fails, end the training with their line")
    {
        forget();
        world w = {.fail_sample = true};
        float params[8] = {0};
        trainer t = trainer_for(&w, params, 1);
        error bad = {0};
        CHECK(trainer_run(&t, &bad) == ERR_INPUT && strcmp(bad.text, "224.cache: picture 3 is damaged") == 0, "%s",
              bad.text);
        w = (world){.stop_after_epochs = 2};
        bad = (error){0};
        CHECK(trainer_run(&t, &bad) == ERR_SYSTEM && strcmp(bad.text, "disk full") == 0, "%s", bad.text);
        CHECK(w.calls[2] == 2 && live_plans == 0 && w.kept, "%d epochs", w.calls[2]);
        w = (world){.fail_end = true};
        bad = (error){0};
        CHECK(trainer_run(&t, &bad) == ERR_SYSTEM && w.calls[4] == 1 && w.calls[5] == 1 && !w.kept,
              "parameters behind the phase are taken for those of its last point");
    }
    TEST("too few pictures are refused, a single left-over one is left out")
    {
        forget();
        world w = {0};
        float params[8] = {0};
        trainer t = trainer_for(&w, params, 1);
        t.report = (trainer_report){0};
        t.train.count = 1;
        error bad = {0};
        CHECK(trainer_run(&t, &bad) == ERR_INPUT, "one picture was accepted");
        recipe none = *t.recipe;
        none.batch = 0;
        t.recipe = &none;
        bad = (error){0};
        CHECK(trainer_run(&t, &bad) == ERR_INPUT && strstr(bad.text, "batch of 0"), "%s", bad.text);
        t = trainer_for(&w, params, 1);
        t.report = (trainer_report){0};
        t.train.count = 17;
        bad = (error){0};
        CHECK(trainer_run(&t, &bad) == 0 && step_count == 6, "%s; %d steps", bad.text, step_count);
    }
    TEST("the rate finder multiplies all rates from batch to batch and leaves the parameters alone")
    {
        forget();
        world w = {0};
        float params[8] = {1, 2, 3, 4, 5, 6, 7, 8}, before[8];
        memcpy(before, params, sizeof before);
        trainer t = trainer_for(&w, params, 1);
        trainer_lr_find find = {.phase = 1, .start = {1e-7, 1e-6, 1e-5}, .end = 1e-2};
        trainer_lr_found found;
        CHECK(trainer_find_lr(&t, &find, &found, &e) == 0, "%s", e.text);
        CHECK(found.recorded == 3 && found.batches == 3 && !found.stopped, "%d of %d", found.recorded, found.batches);
        for (int i = 0; i < 3; i++)
            for (int g = 0; g < GROUPS; g++) {
                double want = find.start[g] * pow(10, i);
                CHECK(fabs((double)steps[i].lr[g] - want) < 1e-5 * want, "batch %d group %d: %g", i, g,
                      (double)steps[i].lr[g]);
            }
        CHECK(found.val.loss > 0 && memcmp(params, before, sizeof params) == 0, "parameters changed");
        CHECK(resets == 1 && live_plans == 0, "%d resets", resets);
    }
    graph_free(&net);
    return test_end();
}
