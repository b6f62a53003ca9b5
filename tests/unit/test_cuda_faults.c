/* The GPU device over the stand-in for CUDA when things go wrong: every call that can fail does so once,
 * every piece of queued work too, memory ends, and the order of work is the worst that is allowed. One clear
 * line, nothing left behind. */
#include "base/random.h"
#include "device/device.h"
#include "graph/graph.h"
#include "standin_device.h"
#include "test.h"

static standin s;

enum { OUTPUTS = 5, STEPS = 2, MOST = 64 };
static int size = 16; /* of the pictures */

static int make_graph(graph *g, error *e)
{
    static const float mean[3] = {0.5f, 0.4f, 0.3f}, deviation[3] = {0.2f, 0.3f, 0.4f};
    if (graph_begin(g, size, mean, deviation, e))
        return e->code;
    int n = graph_conv(g, 0, "conv1", GROUP_STEM, 8, 3, 2, 1, e);
    n = graph_batchnorm(g, n, "bn1", GROUP_STEM, e);
    n = graph_relu(g, n, "relu", GROUP_STEM, e);
    int x = graph_maxpool(g, n, "maxpool", GROUP_STEM, 3, 2, 1, e);
    n = graph_conv(g, x, "layer1.0.conv1", GROUP_TOP, 8, 3, 1, 1, e);
    n = graph_batchnorm(g, n, "layer1.0.bn1", GROUP_TOP, e);
    n = graph_add(g, n, x, "layer1.0.add", GROUP_TOP, e);
    n = graph_relu(g, n, "layer1.0.relu", GROUP_TOP, e);
    n = graph_concatpool(g, n, "head.0", GROUP_TOP, e);
    n = graph_flatten(g, n, "head.1", GROUP_TOP, e);
    n = graph_batchnorm(g, n, "head.2", GROUP_HEAD, e);
    n = graph_dropout(g, n, "head.3", GROUP_HEAD, 0.25f, e);
    n = graph_linear(g, n, "head.4", GROUP_HEAD, OUTPUTS, e);
    return n < 0 ? e->code : 0;
}

typedef struct outcome {
    error e;
    float output[STEPS + 1][MOST * OUTPUTS];
    float *params; /* after the steps; the caller frees them */
} outcome;

/* Two training steps and a prediction, with everything that a training asks of a device. */
static int use_device(const graph *g, device *d, int batch, int first_group, outcome *o)
{
    error *e = &o->e;
    size_t inputs = (size_t)batch * (size_t)size * (size_t)size * 3, floats = g->param_floats + 1;
    const float lr[GROUPS] = {1e-3f, 1e-3f, 1e-2f};
    const plan_options training = {.batch = batch, .training = true, .first_group = first_group},
                       evaluation = {.batch = batch};
    float *input = malloc(inputs * sizeof *input), *moments = calloc(floats, sizeof *moments),
          *more = calloc(floats, sizeof *more);
    philox random = philox_start(1, 2);
    for (size_t i = 0; i < inputs; i++)
        input[i] = (float)philox_uniform(&random);
    for (size_t i = 0; i < g->param_floats; i++)
        o->params[i] = 0.1f + (float)philox_uniform(&random) / 8;
    model *m = model_create(d, g, e);
    int code = m ? model_upload(m, o->params, e) : e->code;
    plan *p = code ? NULL : plan_create(m, &training, e);
    code = p ? 0 : e->code;
    for (int step = 0; step < STEPS && !code; step++) {
        float slope[MOST * OUTPUTS];
        code = plan_forward(p, input, 7, (uint64_t)step, o->output[step], e);
        for (int i = 0; i < batch * OUTPUTS; i++)
            slope[i] = o->output[step][i] / 64;
        if (!code)
            code = plan_backward(p, slope, e);
        memset(slope, 0xff, sizeof slope); /* it was the caller's again */
        if (!code)
            code = model_adam_step(m, lr, first_group, step + 1, e);
    }
    plan *q = code ? NULL : plan_create(m, &evaluation, e);
    code = q ? plan_forward(q, input, 0, 0, o->output[STEPS], e) : e->code;
    if (!code)
        code = model_download_moments(m, moments, more, e);
    if (!code)
        code = model_upload_moments(m, moments, more, e);
    if (!code)
        code = model_reset_moments(m, e);
    if (!code)
        code = model_download(m, o->params, e);
    plan_free(p);
    plan_free(q);
    model_free(m);
    free(input);
    free(moments);
    free(more);
    return code;
}

static int run(int batch, int first_group, precision numbers, outcome *o)
{
    graph g = {0};
    *o = (outcome){0};
    const device_options options = {.precision = numbers};
    int code = make_graph(&g, &o->e);
    o->params = calloc(g.param_floats + 1, sizeof *o->params);
    device *d = code ? NULL : device_open("cuda", &options, &o->e);
    code = d ? use_device(&g, d, batch, first_group, o) : o->e.code;
    device_close(d);
    graph_free(&g);
    return code;
}

/* What must hold after a failure. */
static void check_failure(const char *what, long n, int code, const outcome *o)
{
    CHECK(code == ERR_SYSTEM && o->e.code == ERR_SYSTEM, "%s %ld (%s): code %d, %d", what, n, s.failed(), code,
          o->e.code);
    CHECK(strncmp(o->e.text, "cuda: ", 6) == 0 && strlen(o->e.text) > 30 && !strchr(o->e.text, '\n'), "%s %ld: '%s'",
          what, n, o->e.text);
    CHECK(s.leaks(true) == 0, "%s %ld leaks after: %s", what, n, o->e.text);
}

/* While everything is given back, a failure has nobody to be told to: no harm is done. */
static bool on_release(const outcome *o, const outcome *right)
{
    const char *name = s.failed();
    return (strcmp(name, "cudaSetDevice") == 0 || strcmp(name, "cudaStreamSynchronize") == 0) && o->e.code == 0 &&
           memcmp(o->output, right->output, sizeof o->output) == 0 && s.leaks(true) == 0;
}

static void test_calls(void)
{
    static const struct {
        const char *sentence;
        cudaError_t error;
        precision numbers;
    } kinds[] = {
        {"every call that fails gives one line with its name, and leaves nothing", cudaSuccess, PRECISION_FP32},
        {"so it does in fp16", cudaSuccess, PRECISION_FP16},
        {"after every call that breaks the device all is released too", cudaErrorLaunchFailure, PRECISION_FP32},
    };
    for (size_t k = 0; k < COUNT(kinds); k++)
        TEST(kinds[k].sentence)
        {
            outcome o, right;
            long n = 1;
            s.reset(STANDIN_LAZY, 0, 0);
            CHECK(!run(2, GROUP_TOP, kinds[k].numbers, &right), "%s", right.e.text);
            free(right.params);
            for (;; n++) {
                s.reset(STANDIN_LAZY, 0, 0);
                s.fail(NULL, n, kinds[k].error);
                int code = run(2, GROUP_TOP, kinds[k].numbers, &o);
                free(o.params);
                if (!s.failed())
                    break;
                if (code || !on_release(&o, &right))
                    check_failure("call", n, code, &o);
                if (!test_ok)
                    break;
            }
            CHECK(n > 100, "only %ld calls", n);
            CHECK(!test_ok || o.e.code == 0, "without a failure: %s", o.e.text);
            printf("# %ld calls failed\n", n - 1);
        }
}

static void test_work(void)
{
    TEST("every kernel and copy that fails on the device is told, by the next download at the latest")
    {
        outcome o;
        long n = 1;
        for (;; n++) {
            s.reset(STANDIN_LAZY, 0, 0);
            s.fail("work", n, cudaSuccess);
            int code = run(2, GROUP_STEM, PRECISION_FP32, &o);
            free(o.params);
            if (!s.failed())
                break;
            check_failure("work", n, code, &o);
            if (!test_ok)
                break;
        }
        CHECK(n > 50, "only %ld pieces of work", n);
        CHECK(!test_ok || o.e.code == 0, "without a failure: %s", o.e.text);
        printf("# %ld pieces of work failed\n", n - 1);
    }
    TEST("calls that only release may fail without harm to the next")
    {
        static const char *const names[] = {"cudaFree",         "cudaFreeHost", "cudaStreamDestroy",
                                            "cudaEventDestroy", "cudnnDestroy", "cublasDestroy"};
        for (size_t i = 0; i < COUNT(names); i++) {
            outcome o;
            s.reset(STANDIN_LAZY, 0, 0);
            s.fail(names[i], 1, cudaSuccess);
            int code = run(2, GROUP_TOP, PRECISION_FP32, &o);
            free(o.params);
            CHECK(code == 0 && s.failed() && s.leaks(true) == 0, "%s: %s", names[i], o.e.text);
        }
    }
}

static void test_memory(void)
{
    TEST("too little memory gives one line and the batch that would fit, and that batch fits")
    {
        outcome o;
        s.reset(STANDIN_LAZY, 0, 0);
        int code = run(MOST, GROUP_STEM, PRECISION_FP32, &o);
        size_t all = s.peak(), small;
        free(o.params);
        CHECK(code == 0, "%s", o.e.text);
        s.reset(STANDIN_LAZY, 0, 0);
        code = run(1, GROUP_STEM, PRECISION_FP32, &o);
        small = s.peak();
        free(o.params);
        int told = 0;
        for (int part = 0; part < 24; part++) {
            size_t memory = part < 8 ? small * (size_t)part / 8 + 512 : small + (all - small) * (size_t)(part - 8) / 16;
            s.reset(STANDIN_LAZY, 0, memory);
            code = run(MOST, GROUP_STEM, PRECISION_FP32, &o);
            free(o.params);
            check_failure("memory", (long)memory, code, &o);
            const char *about = strstr(o.e.text, "a batch of about ");
            if (!about)
                continue;
            int fits = atoi(about + strlen("a batch of about "));
            told++;
            CHECK(fits > 0 && fits < MOST, "%s", o.e.text);
            s.reset(STANDIN_LAZY, 0, memory);
            code = run(fits, GROUP_STEM, PRECISION_FP32, &o);
            free(o.params);
            CHECK(code == 0 && s.leaks(true) == 0, "a batch of %d in %zu bytes: %s", fits, memory, o.e.text);
        }
        CHECK(told >= 8, "a batch was named %d times", told);
        s.reset(STANDIN_LAZY, 0, all);
        code = run(MOST, GROUP_STEM, PRECISION_FP32, &o);
        free(o.params);
        CHECK(code == 0, "with all that it needs: %s", o.e.text);
    }
}

static void compare_orders(int batch, int first_group, precision numbers, unsigned seeds)
{
    outcome eager, o;
    graph g = {0};
    error e = {0};
    CHECK(!make_graph(&g, &e), "%s", e.text);
    s.reset(STANDIN_EAGER, 0, 0);
    CHECK(!run(batch, first_group, numbers, &eager), "%s", eager.e.text);
    for (unsigned seed = 0; seed < seeds && test_ok; seed++) {
        s.reset(seed ? STANDIN_RANDOM : STANDIN_LAZY, seed, 0);
        CHECK(!run(batch, first_group, numbers, &o), "%s", o.e.text);
        CHECK(memcmp(o.output, eager.output, sizeof o.output) == 0, "seed %u: other outputs", seed);
        CHECK(memcmp(o.params, eager.params, g.param_floats * sizeof(float)) == 0, "seed %u: other parameters", seed);
        CHECK(s.leaks(true) == 0, "leaks");
        free(o.params);
    }
    free(eager.params);
    graph_free(&g);
}

static void test_order(void)
{
    TEST("whatever order the streams' work takes, the results are the same")
    {
        compare_orders(3, GROUP_STEM, PRECISION_TF32, 25);
        compare_orders(3, GROUP_STEM, PRECISION_FP16, 25);
        compare_orders(2, GROUP_HEAD, PRECISION_BF16, 10);
    }
    TEST("so they are when pictures go up in many pieces")
    {
        size = 160; /* 64 pictures are 19 MB */
        compare_orders(MOST, GROUP_HEAD, PRECISION_TF32, 8);
        size = 16;
    }
}

int main(void)
{
    if (!standin_open(&s))
        return 1;
    test_calls();
    test_work();
    test_memory();
    test_order();
    s.reset(STANDIN_LAZY, 0, 0);
    return test_end();
}
