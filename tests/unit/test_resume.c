/* A training that is taken up again ends as if it had never stopped: from every point between two epochs, by
 * the trainer alone and through a state file; and what is wrong with such a file. */
#include "test.h"

#include "base/text.h"
#include "nn/initial.h"
#include "nn/train_state.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIDE = 32, SAMPLES = 21, POINTS = 8 };

/* Grey with a bright spot that moves with the epoch, as augmentation moves things; class and box go with it.
 */
static int make(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label,
                float *target, error *e)
{
    (void)context;
    (void)worker;
    (void)e;
    const int y = (int)((sample * 7 + epoch * 3) % 20), x = (int)(sample * 11 % 20);
    *label = (int32_t)(sample % 3);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        picture[i] = 0.4f;
    for (int i = y; i < y + 12; i++)
        for (int j = x; j < x + 12; j++)
            picture[(i * SIDE + j) * 3 + *label] = 0.9f;
    for (int i = 0; i < 4; i++)
        target[i] = (float)((i % 2 ? x : y) + (i < 2 ? 0 : 11));
    return 0;
}

static int make_val(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label,
                    float *target, error *e)
{
    (void)epoch;
    return make(context, sample, 0, worker, picture, label, target, e);
}

static const char *const path = "resume.state";
static recipe plans;
static graph net;

typedef struct kept_point {
    trainer_point at;
    float *params, *first, *second, *mean;
} kept_point;

/* What a run tells: its rows, and the points if it is asked for them. */
typedef struct told {
    double rows[POINTS + 1][3];
    int row_count;
    bool keep;
    kept_point points[POINTS];
    int point_count;
    bool refuse;
    const float *handed, *handed_mean; /* parameters and mean of the last point, where the trainer has them */
} told;

static float *copy_of(const float *a)
{
    error e = {0};
    float *copy = a ? params_alloc(&net, &e) : NULL;
    if (copy)
        memcpy(copy, a, net.param_floats * sizeof *a);
    return copy;
}

static int on_epoch(void *context, const trainer_epoch *row, error *e)
{
    (void)e;
    told *t = context;
    const double values[3] = {row->trn_loss, row->val.loss, row->val.l1};
    memcpy(t->rows[t->row_count++], values, sizeof values);
    return 0;
}

static const char rows[] = "rows\twith\ttabs\n";

static train_state state_of(void)
{
    return (train_state){.facts = {{"recipe", "this one"}, {"labels", "those"}},
                         .fact_count = 2,
                         .device = "a processor",
                         .history = train_rows_of(rows, sizeof rows - 1),
                         .batches = train_rows_of("", 0)};
}

static int on_point(void *context, const trainer_point *next, const float *params, error *e)
{
    told *t = context;
    t->handed = params;
    t->handed_mean = next->mean;
    if (!t->keep)
        return 0;
    if (t->refuse)
        return fail(e, ERR_SYSTEM, "disk full");
    t->points[t->point_count++] = (kept_point){.at = *next,
                                               .params = copy_of(params),
                                               .first = copy_of(next->first),
                                               .second = copy_of(next->second),
                                               .mean = copy_of(next->mean)};
    return 0;
}

/* In the middle of an epoch, what the last point told is still there to be written. */
static int on_validation(void *context, const trainer_batch *last, int done, int all, error *e)
{
    (void)last;
    (void)done;
    (void)all;
    (void)e;
    const told *t = context;
    const kept_point *p = t->point_count > 0 ? &t->points[t->point_count - 1] : NULL;
    const size_t bytes = net.param_floats * sizeof(float);
    if (p)
        CHECK(memcmp(t->handed, p->params, bytes) == 0 && (!p->mean || memcmp(t->handed_mean, p->mean, bytes) == 0),
              "what belongs to point %d is another in the next epoch", t->point_count - 1);
    return 0;
}

static trainer_point point_of(const kept_point *p)
{
    return (trainer_point){p->at.phase, p->at.epoch, p->at.smooth, p->first, p->second, p->mean};
}

static int run(device *d, told *t, float *params, const trainer_point *from, error *e)
{
    const trainer all = {.device = d,
                         .graph = &net,
                         .params = params,
                         .from = from,
                         .task = TASK_DETN,
                         .target_floats = 4,
                         .classes = 3,
                         .recipe = &plans,
                         .seed = 3,
                         .train = {.make = make, .count = SAMPLES},
                         .val = {.make = make_val, .count = SAMPLES},
                         .threads = 1,
                         .report = {.context = t, .validation = on_validation, .epoch = on_epoch, .point = on_point}};
    return trainer_run(&all, e);
}

/* The loss of the validation pictures with these parameters, in one batch on a model of its own. */
static double judged(device *d, const float *params)
{
    error e = {0};
    float *pictures = mem_zero(SAMPLES * SIDE * SIDE * 3, sizeof *pictures, "pictures", &e);
    float *outputs = mem_zero((size_t)SAMPLES * (size_t)net.outputs, sizeof *outputs, "outputs", &e);
    float targets[SAMPLES * 4];
    int32_t labels[SAMPLES];
    model *m = model_create(d, &net, &e);
    const plan_options options = {.batch = SAMPLES};
    plan *p = m && !model_upload(m, params, &e) ? plan_create(m, &options, &e) : NULL;
    for (uint32_t i = 0; i < SAMPLES; i++)
        make_val(NULL, i, 0, 0, pictures + i * SIDE * SIDE * 3, &labels[i], targets + 4 * i, &e);
    const loss_shape shape = {TASK_DETN, SAMPLES, 3, SIDE, 0, 0};
    loss_value value = {0};
    CHECK(p && !plan_forward(p, pictures, 0, 0, outputs, &e) &&
              !loss_compute(&shape, outputs, labels, targets, NULL, &value, &e),
          "%s", e.text);
    plan_free(p);
    model_free(m);
    free(pictures);
    free(outputs);
    return value.loss;
}

static recipe_phase phase(const char *name, int from, int epochs)
{
    recipe_phase p = {.from = from,
                      .lr = {1e-4, 1e-3, 1e-2},
                      .schedule = {.kind = SCHEDULE_COSINE, .cycles = 1, .length = epochs, .mult = 1}};
    snprintf(p.name, sizeof p.name, "%s", name);
    return p;
}

/* The file's bytes with one text in place of another one of the same length. */
static void forge(const char *what, const char *with)
{
    error e = {0};
    file_view v;
    if (file_open(&v, path, &e)) {
        CHECK(false, "%s", e.text);
        return;
    }
    char *copy = malloc(v.size), *at = NULL;
    memcpy(copy, v.data, v.size);
    at = memmem(copy, v.size, what, strlen(what));
    CHECK(at != NULL && strlen(what) == strlen(with), "no '%s' in the file", what);
    if (at)
        memcpy(at, with, strlen(with));
    FILE *f = fopen("forged.state", "wb");
    fwrite(copy, 1, v.size, f);
    fclose(f);
    free(copy);
    file_close(&v);
}

static void refused(const char *file, const train_state *wanted, const recipe *r, const char *line)
{
    error e = {0};
    train_state s = *wanted;
    train_state_file f;
    float *params = params_alloc(&net, &e);
    CHECK(train_state_open(&f, file, &s, &net, r, params, &e) == ERR_INPUT, "%s was taken", file);
    CHECK(strstr(e.text, line) != NULL && strstr(e.text, file) != NULL, "%s", e.text);
    free(params);
}

int main(void)
{
    error e = {0};
    char folder[] = "/tmp/onebox-resume-XXXXXX";
    if (!mkdtemp(folder) || chdir(folder)) {
        printf("not ok 1 - a folder\n1..1\n");
        return 1;
    }
    device_options options = {.threads = 2};
    device *d = device_open("cpu", &options, &e);
    plans = (recipe){.size = SIDE, .batch = 8, .average = 2, .phase_count = 3};
    plans.phases[0] = phase("head", GROUP_HEAD, 2);
    plans.phases[1] = phase("top", GROUP_TOP, 1);
    plans.phases[2] = phase("all", GROUP_STEM, 3);
    if (!d || network_build(&net, TASK_DETN, ARCH_TINY, SIDE, 3, imagenet_mean, imagenet_std, &e)) {
        printf("not ok 1 - a device and a network: %s\n1..1\n", e.text);
        return 1;
    }
    const size_t bytes = net.param_floats * sizeof(float);
    float *start = params_alloc(&net, &e), *end = params_alloc(&net, &e), *again = params_alloc(&net, &e);
    initial_backbone(&net, 1, start);
    initial_head(&net, TASK_DETN, 1, start);
    told whole = {.keep = true};

    TEST("a training tells its points: after each epoch but the last, with moments inside a phase only")
    {
        static const int expected[5][2] = {{0, 1}, {1, 0}, {2, 0}, {2, 1}, {2, 2}};
        memcpy(end, start, bytes);
        CHECK(run(d, &whole, end, NULL, &e) == 0, "%s", e.text);
        CHECK(whole.point_count == 5 && whole.row_count == 6, "%d points, %d rows", whole.point_count, whole.row_count);
        for (int i = 0; i < whole.point_count && i < 5; i++) {
            const kept_point *p = &whole.points[i];
            CHECK(p->at.phase == expected[i][0] && p->at.epoch == expected[i][1], "point %d: %d %d", i, p->at.phase,
                  p->at.epoch);
            CHECK((p->first != NULL) == (p->at.epoch > 0) && (p->second != NULL) == (p->at.epoch > 0),
                  "moments at point %d", i);
            CHECK((p->mean != NULL) == (i == 4), "mean at point %d", i);
            CHECK(p->at.smooth.count == p->at.epoch * 3, "%lld losses at point %d", (long long)p->at.smooth.count, i);
        }
    }
    TEST("telling them changes nothing")
    {
        told quiet = {0};
        memcpy(again, start, bytes);
        CHECK(run(d, &quiet, again, NULL, &e) == 0 && quiet.point_count == 0, "%s", e.text);
        CHECK(memcmp(again, end, bytes) == 0, "other parameters");
    }
    TEST("average 2 ends with the mean behind the last two epochs, which the last validation judges")
    {
        told plain = {0};
        const float *before = whole.points[whole.point_count - 1].params;
        memcpy(again, start, bytes);
        plans.average = 0;
        CHECK(run(d, &plain, again, NULL, &e) == 0, "%s", e.text);
        plans.average = 2;
        size_t other = 0;
        for (size_t i = 0; i < net.param_floats; i++)
            other += end[i] != before[i] + (again[i] - before[i]) / 2;
        CHECK(other == 0, "%zu of %zu parameters are not the mean of both", other, net.param_floats);
        const double *mean = whole.rows[whole.row_count - 1], *last = plain.rows[plain.row_count - 1];
        CHECK(mean[0] == last[0] && mean[1] != last[1], "losses %g and %g, of validation %g and %g", mean[0], last[0],
              mean[1], last[1]);
        CHECK(fabs(judged(d, end) - mean[1]) < 1e-4, "loss %g; alone it is %g", mean[1], judged(d, end));
        CHECK(fabs(judged(d, again) - last[1]) < 1e-4, "loss %g; alone it is %g", last[1], judged(d, again));
        CHECK(memcmp(whole.rows, plain.rows, (size_t)(whole.row_count - 1) * sizeof *whole.rows) == 0,
              "an earlier row is another one");
    }
    TEST("taken up again at any point it ends with the same bytes, and the rows left are the same")
    {
        for (int i = 0; i < whole.point_count; i++) {
            const kept_point *p = &whole.points[i];
            trainer_point from = point_of(p);
            told rest = {0};
            memcpy(again, p->params, bytes);
            CHECK(run(d, &rest, again, &from, &e) == 0, "%s", e.text);
            CHECK(memcmp(again, end, bytes) == 0, "from point %d on: other parameters", i);
            CHECK(rest.row_count == whole.row_count - i - 1 &&
                      memcmp(rest.rows, whole.rows[i + 1], (size_t)rest.row_count * sizeof *rest.rows) == 0,
                  "from point %d on: %d rows, or others", i, rest.row_count);
        }
    }
    TEST("a point that the recipe has not is refused, and a point that can't be kept ends the training")
    {
        static const int wrong[3][2] = {{3, 0}, {1, 1}, {-1, 0}};
        for (int i = 0; i < 3; i++) {
            error bad = {0};
            told t = {0};
            trainer_point from = {.phase = wrong[i][0], .epoch = wrong[i][1]};
            CHECK(run(d, &t, again, &from, &bad) == ERR_INPUT && t.row_count == 0, "%s", bad.text);
        }
        error bad = {0};
        told t = {.keep = true, .refuse = true};
        memcpy(again, start, bytes);
        CHECK(run(d, &t, again, NULL, &bad) == ERR_SYSTEM && strcmp(bad.text, "disk full") == 0, "%s", bad.text);
        CHECK(t.row_count == 1, "%d rows", t.row_count);
    }
    TEST("a state file gives back what was put in, bit for bit, and holds the moments of trained groups alone")
    {
        for (int i = 0; i < whole.point_count; i++) {
            const kept_point *p = &whole.points[i];
            train_state s = state_of(), back = state_of();
            s.point = point_of(p);
            back.history = back.batches = (train_rows){0};
            back.device = NULL;
            CHECK(train_state_save(path, &s, &net, &plans, p->params, &e) == 0, "%s", e.text);
            train_state_file f;
            if (train_state_open(&f, path, &back, &net, &plans, again, &e)) {
                CHECK(false, "%s", e.text);
                break;
            }
            CHECK(memcmp(again, p->params, bytes) == 0, "parameters of point %d", i);
            CHECK(train_rows_begin(&back.history, rows, sizeof rows - 1) && back.history.bytes == sizeof rows - 1 &&
                      back.batches.bytes == 0 && strcmp(back.device, s.device) == 0,
                  "texts of point %d", i);
            CHECK(!train_rows_begin(&back.history, "rows\twith\ttab\n", sizeof rows - 2) &&
                      !train_rows_begin(&back.history, "rows\twith\tdabs\n", sizeof rows - 1) &&
                      train_rows_begin(&back.history, "rows\twith\ttabs\nand\tmore\n", sizeof rows + 8),
                  "other rows, or fewer, are taken for those of point %d", i);
            CHECK(back.point.phase == p->at.phase && back.point.epoch == p->at.epoch &&
                      back.point.smooth.average == p->at.smooth.average &&
                      back.point.smooth.count == p->at.smooth.count,
                  "place of point %d", i);
            CHECK((safetensors_find(&f.file, "head.2.weight.first") != NULL ||
                   safetensors_find(&f.file, "head.5.weight.first") != NULL) == (p->at.epoch > 0),
                  "moments of the head at point %d", i);
            CHECK((safetensors_find(&f.file, "conv1.weight.second") != NULL) == (p->at.phase == 2 && p->at.epoch > 0),
                  "moments of the first layer at point %d", i);
            CHECK((safetensors_find(&f.file, "conv1.weight.mean") != NULL) == (i == 4), "mean at point %d", i);
            told rest = {0};
            CHECK(run(d, &rest, again, &back.point, &e) == 0, "%s", e.text);
            CHECK(memcmp(again, end, bytes) == 0, "from the file of point %d on: other parameters", i);
            train_state_close(&f);
        }
    }
    TEST("a state of another training, a damaged one and one of another network are refused in words")
    {
        const train_state mine = state_of();
        train_state other = mine;
        other.facts[0].value = "another";
        refused(path, &other, &plans, "belongs to another training (recipe)");
        other = mine;
        other.facts[1].value = "fewer";
        refused(path, &other, &plans, "belongs to another training (labels)");
        recipe shorter = plans;
        shorter.phase_count = 2;
        refused(path, &mine, &shorter, "its 'point' is not in the phases to run");
        forge("\"point\":\"2 2\"", "\"point\":\"2 3\"");
        refused("forged.state", &mine, &plans, "its 'point' is not in the phases to run");
        forge("onebox state 2", "onebox state 1");
        refused("forged.state", &mine, &plans, "was written by an earlier version of this program");
        forge("onebox state 2", "onebox state 3");
        refused("forged.state", &mine, &plans, "its 'format' is not");
        forge("\"smoothed\":\"", "\"smoothes\":\"");
        refused("forged.state", &mine, &plans, "its 'smoothed' is not two numbers");
        forge("\"history\":", "\"hostory\":");
        refused("forged.state", &mine, &plans, "does not say which rows of the tables are its own");
        forge("\"conv1.weight.second\"", "\"conv1.weight.secomd\"");
        refused("forged.state", &mine, &plans, "tensor 'conv1.weight.second' is missing");
        forge("onebox state 2", "onebox state 2");
        CHECK(truncate("forged.state", 1000) == 0, "no forged.state");
        refused("forged.state", &mine, &plans, "forged.state");
        refused("nothing.state", &mine, &plans, "nothing.state");
    }
    for (int i = 0; i < whole.point_count; i++) {
        free(whole.points[i].params);
        free(whole.points[i].first);
        free(whole.points[i].second);
        free(whole.points[i].mean);
    }
    unlink(path);
    unlink("forged.state");
    free(start);
    free(end);
    free(again);
    graph_free(&net);
    device_close(d);
    rmdir(folder);
    return test_end();
}
