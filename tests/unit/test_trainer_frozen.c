/* What a phase may change and what it must leave alone, on the processor's own device. */
#include "test.h"

#include "nn/initial.h"
#include "nn/trainer.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE = 32, BATCH = 8 };

/* A bright square on grey, somewhere; the box is its corners, the class its colour. */
static int make(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label,
                float *target, error *e)
{
    (void)context;
    (void)epoch;
    (void)worker;
    (void)e;
    int y = (int)(sample * 7 % 20), x = (int)(sample * 11 % 20);
    *label = (int32_t)(sample % 3);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        picture[i] = 0.4f;
    for (int i = y; i < y + 12; i++)
        for (int j = x; j < x + 12; j++)
            picture[(i * SIDE + j) * 3 + *label] = 0.9f;
    const float corners[4] = {(float)y, (float)x, (float)y + 11, (float)x + 11};
    memcpy(target, corners, sizeof corners);
    return 0;
}

/* Two forms of each of these pictures, as they are and turned by a quarter (they are square), by turns. */
static int form(void *context, uint32_t sample, uint32_t epoch)
{
    (void)context;
    return (sample * sample + epoch) % 3 == 0;
}

static int make_form(void *context, uint32_t number, uint32_t epoch, int worker, float *picture, int32_t *label,
                     float *target, error *e)
{
    static const int turned[4] = {1, 0, 3, 2};
    float plain[SIDE * SIDE * 3], corners[4];
    CHECK(picture != NULL, "forms are made for their pictures");
    int code = make(context, number / 2, epoch, worker, plain, label, corners, e);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        picture[i] = plain[number % 2 ? (i / 3 % SIDE * SIDE + i / 3 / SIDE) * 3 + i % 3 : i];
    for (int i = 0; i < 4; i++)
        target[i] = corners[number % 2 ? turned[i] : i];
    return code;
}

static int make_by_epoch(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label,
                         float *target, error *e)
{
    float unseen[SIDE * SIDE * 3];
    const uint32_t number = sample * 2 + (uint32_t)form(context, sample, epoch);
    return make_form(context, number, epoch, worker, picture ? picture : unseen, label, target, e);
}

typedef struct record {
    double first, last; /* batch loss */
    int batches;
    double validation; /* loss after the last epoch */
    size_t forms;      /* made in front of the first epoch */
} record;

static int on_features(void *context, const recipe_phase *phase, size_t done, size_t total, error *e)
{
    (void)phase;
    (void)e;
    CHECK(done <= total, "%zu of %zu", done, total);
    ((record *)context)->forms = done;
    return 0;
}

static int on_epoch(void *context, const trainer_epoch *row, error *e)
{
    (void)e;
    ((record *)context)->validation = row->val.loss;
    return 0;
}

static int on_batch(void *context, const trainer_batch *b, error *e)
{
    (void)e;
    record *r = context;
    if (r->batches++ == 0)
        r->first = b->loss;
    r->last = b->loss;
    return 0;
}

/* Trains `net` (task t) for `epochs` from a group on with that training set; `params` are changed. */
static record train_set(device *d, const graph *net, task t, float *params, double lr, int from, int epochs,
                        trainer_set set, bool freeze_bn)
{
    recipe r = {.size = SIDE, .batch = BATCH, .seed = 3, .phase_count = 1};
    r.phases[0] =
        (recipe_phase){.name = "phase",
                       .from = from,
                       .lr = {lr, lr, lr},
                       .schedule = {.kind = SCHEDULE_TRIANGULAR, .cycles = 1, .length = epochs, .div = 2, .cut = 2}};
    record seen = {0};
    trainer all = {.device = d,
                   .graph = net,
                   .params = params,
                   .task = t,
                   .classes = t == TASK_BBOX ? 0 : 3,
                   .target_floats = 4,
                   .recipe = &r,
                   .seed = 3,
                   .train = set,
                   .val = {.make = make, .count = set.count},
                   .threads = 1,
                   .freeze_bn = freeze_bn,
                   .report = {.context = &seen, .batch = on_batch, .features = on_features, .epoch = on_epoch}};
    error e = {0};
    CHECK(trainer_run(&all, &e) == 0, "%s", e.text);
    return seen;
}

static record train(device *d, const graph *net, task t, float *params, double lr, int from, int epochs, size_t count,
                    bool freeze_bn)
{
    return train_set(d, net, t, params, lr, from, epochs, (trainer_set){.make = make, .count = count}, freeze_bn);
}

/* Loss of `count` pictures in evaluation mode, without a trainer. */
static double evaluated(device *d, const graph *net, task t, const float *params, size_t count)
{
    static float pictures[BATCH * SIDE * SIDE * 3], output[BATCH * 8];
    float boxes[BATCH][4];
    int32_t labels[BATCH];
    error e = {0};
    loss_mean mean = {0};
    model *m = model_create(d, net, &e);
    int code = m ? model_upload(m, params, &e) : e.code;
    for (size_t first = 0; first < count && !code; first += BATCH) {
        int n = count - first < BATCH ? (int)(count - first) : BATCH;
        for (int i = 0; i < n; i++)
            make(NULL, (uint32_t)first + (uint32_t)i, 0, 0, pictures + i * SIDE * SIDE * 3, &labels[i], boxes[i], &e);
        loss_shape shape = {t, n, t == TASK_BBOX ? 0 : 3, SIDE, 0, 0};
        loss_value value = {0};
        plan *p = plan_create(m, &(plan_options){.batch = n}, &e);
        code = p ? plan_forward(p, pictures, 0, 0, output, &e) : e.code;
        if (!code)
            code = loss_compute(&shape, output, labels, boxes[0], NULL, &value, &e);
        loss_mean_add(&mean, value, n);
        plan_free(p);
    }
    model_free(m);
    CHECK(!code, "%s", e.text);
    return loss_mean_value(&mean).loss;
}

/* Number of tensors of the groups first .. last, trainable or statistics, that differ / are the same. */
static int count_tensors(const graph *g, const float *a, const float *b, int first, int last, bool trainable,
                         bool differ)
{
    int n = 0;
    for (int i = 0; i < g->param_count; i++) {
        const param *p = &g->params[i];
        if (p->group >= first && p->group <= last && p->trainable == trainable)
            n += (memcmp(a + p->offset, b + p->offset, p->count * sizeof *a) != 0) == differ;
    }
    return n;
}

static int changed(const graph *g, const float *a, const float *b, int first, int last, bool trainable)
{
    return count_tensors(g, a, b, first, last, trainable, true);
}

static int kept(const graph *g, const float *a, const float *b, int first, int last, bool trainable)
{
    return count_tensors(g, a, b, first, last, trainable, false);
}

int main(void)
{
    error e = {0};
    device_options options = {.threads = 1};
    device *d = device_open("cpu", &options, &e);
    graph net = {0}, boxes = {0};
    if (!d || network_build(&net, TASK_DETN, ARCH_TINY, SIDE, 3, imagenet_mean, imagenet_std, &e) ||
        network_build(&boxes, TASK_BBOX, ARCH_TINY, SIDE, 0, imagenet_mean, imagenet_std, &e)) {
        printf("not ok 1 - a device and two networks: %s\n1..1\n", e.text);
        return 1;
    }
    size_t bytes = net.param_floats * sizeof(float);
    float *start = params_alloc(&net, &e), *a = params_alloc(&net, &e), *b = params_alloc(&net, &e);
    float *box_start = params_alloc(&boxes, &e), *box_params = params_alloc(&boxes, &e);
    initial_backbone(&net, 1, start);
    initial_head(&net, TASK_DETN, 1, start);
    initial_backbone(&boxes, 1, box_start);
    initial_head(&boxes, TASK_BBOX, 1, box_start);
    for (int i = 0; i < boxes.param_count; i++) { /* stored statistics that no batch of these pictures has */
        const param *p = &boxes.params[i];
        for (size_t k = 0; k < p->count && !p->trainable; k++)
            box_start[p->offset + k] += 0.25f;
    }

    TEST("a head phase leaves every tensor and every statistic of the backbone bit for bit")
    {
        memcpy(a, start, bytes);
        train(d, &net, TASK_DETN, a, 1e-3, GROUP_HEAD, 3, 21, false);
        CHECK(changed(&net, start, a, GROUP_STEM, GROUP_TOP, true) == 0, "%d weights changed",
              changed(&net, start, a, GROUP_STEM, GROUP_TOP, true));
        CHECK(changed(&net, start, a, GROUP_STEM, GROUP_TOP, false) == 0, "%d statistics changed",
              changed(&net, start, a, GROUP_STEM, GROUP_TOP, false));
        CHECK(kept(&net, start, a, GROUP_HEAD, GROUP_HEAD, true) == 0 &&
                  kept(&net, start, a, GROUP_HEAD, GROUP_HEAD, false) == 0,
              "a part of the head did not train");
    }
    TEST("a phase from layer3 on trains layer3, layer4 and the head with their statistics, and nothing before")
    {
        memcpy(a, start, bytes);
        train(d, &net, TASK_DETN, a, 1e-3, GROUP_TOP, 2, 21, false);
        CHECK(changed(&net, start, a, GROUP_STEM, GROUP_STEM, true) == 0 &&
                  changed(&net, start, a, GROUP_STEM, GROUP_STEM, false) == 0,
              "conv1 to layer2 changed");
        CHECK(kept(&net, start, a, GROUP_TOP, GROUP_HEAD, true) == 0, "%d weights did not train",
              kept(&net, start, a, GROUP_TOP, GROUP_HEAD, true));
        CHECK(kept(&net, start, a, GROUP_TOP, GROUP_HEAD, false) == 0, "%d statistics did not move",
              kept(&net, start, a, GROUP_TOP, GROUP_HEAD, false));
    }
    TEST("a phase from conv1 on trains everything, the loss falls, and a second run gives the same bytes")
    {
        memcpy(a, start, bytes);
        record seen = train(d, &net, TASK_DETN, a, 2e-3, GROUP_STEM, 12, 21, false);
        CHECK(kept(&net, start, a, GROUP_STEM, GROUP_HEAD, true) == 0 &&
                  kept(&net, start, a, GROUP_STEM, GROUP_HEAD, false) == 0,
              "something did not train");
        CHECK(seen.last < 0.8 * seen.first, "loss %g, then %g", seen.first, seen.last);
        memcpy(b, start, bytes);
        train(d, &net, TASK_DETN, b, 2e-3, GROUP_STEM, 12, 21, false);
        CHECK(memcmp(a, b, bytes) == 0, "two runs differ");
    }
    TEST("with frozen batch norms the backbone's weights train and its statistics stay")
    {
        memcpy(a, start, bytes);
        train(d, &net, TASK_DETN, a, 1e-3, GROUP_STEM, 2, 21, true);
        CHECK(kept(&net, start, a, GROUP_STEM, GROUP_HEAD, true) == 0, "%d weights did not train",
              kept(&net, start, a, GROUP_STEM, GROUP_HEAD, true));
        CHECK(changed(&net, start, a, GROUP_STEM, GROUP_TOP, false) == 0, "statistics of the backbone changed");
        CHECK(kept(&net, start, a, GROUP_HEAD, GROUP_HEAD, false) == 0, "statistics of the head did not move");
    }
    TEST("frozen batch norms work with stored statistics while the head trains, trained ones with the batch's")
    {
        /* This head has neither dropout nor batch norm, so the first training loss is the evaluation loss. */
        size_t n = boxes.param_floats * sizeof(float);
        double value = evaluated(d, &boxes, TASK_BBOX, box_start, BATCH);
        memcpy(box_params, box_start, n);
        record frozen = train(d, &boxes, TASK_BBOX, box_params, 1e-3, GROUP_HEAD, 1, BATCH, false);
        CHECK(fabs(frozen.first - value) < 1e-4 * value, "%.6f in training, %.6f in evaluation", frozen.first, value);
        memcpy(box_params, box_start, n);
        record still = train(d, &boxes, TASK_BBOX, box_params, 1e-3, GROUP_STEM, 1, BATCH, true);
        CHECK(fabs(still.first - value) < 1e-4 * value, "%.6f with --bn-freeze, %.6f in evaluation", still.first,
              value);
        memcpy(box_params, box_start, n);
        record moving = train(d, &boxes, TASK_BBOX, box_params, 1e-3, GROUP_STEM, 1, BATCH, false);
        CHECK(fabs(moving.first - value) > 1e-3 * value, "%.6f with the batch's statistics too", moving.first);
    }
    TEST("what is kept of the frozen groups between epochs changes no bit of the validation")
    {
        for (int from = GROUP_TOP; from <= GROUP_HEAD; from++) {
            memcpy(a, start, net.param_floats * sizeof(float));
            record seen = train(d, &net, TASK_DETN, a, 1e-3, from, 3, BATCH + 3, false);
            double value = evaluated(d, &net, TASK_DETN, a, BATCH + 3);
            CHECK(seen.validation == value, "%.17g while training, %.17g afterwards", seen.validation, value);
        }
    }
    TEST("what is kept of the frozen groups for each form of a training picture changes no bit of the training")
    {
        const trainer_set plain = {.make = make_by_epoch, .count = 2 * BATCH + 3},
                          kept_forms = {make_by_epoch, NULL, 2 * BATCH + 3, 2, form, make_form, NULL};
        for (int from = GROUP_TOP; from <= GROUP_HEAD; from++) {
            memcpy(a, start, bytes);
            memcpy(b, start, bytes);
            record one = train_set(d, &net, TASK_DETN, a, 1e-3, from, 4, plain, false),
                   two = train_set(d, &net, TASK_DETN, b, 1e-3, from, 4, kept_forms, false);
            CHECK(one.forms == 0 && two.forms == 2 * plain.count, "%zu and %zu forms", one.forms, two.forms);
            CHECK(memcmp(a, b, bytes) == 0 && memcmp(a, start, bytes) != 0, "other weights");
            CHECK(one.first == two.first && one.last == two.last && one.validation == two.validation, "other losses");
        }
        record few = train_set(d, &net, TASK_DETN, a, 1e-3, GROUP_HEAD, 2, kept_forms, false);
        CHECK(few.forms == 0, "%zu forms were made for two epochs", few.forms);
        record all = train_set(d, &net, TASK_DETN, a, 1e-3, GROUP_STEM, 3, kept_forms, false);
        CHECK(all.forms == 0, "%zu forms were made with nothing frozen", all.forms);
    }
    free(start);
    free(a);
    free(b);
    free(box_start);
    free(box_params);
    graph_free(&net);
    graph_free(&boxes);
    device_close(d);
    return test_end();
}
