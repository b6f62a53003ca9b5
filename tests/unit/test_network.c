/* Whole networks on every algorithm of a device (argument 1, the CPU by default) against PyTorch
 * (tests/golden/net.txt, made by net.py): outputs, loss, every gradient, running statistics, ten Adam steps;
 * and the naive interpreter's gradients against finite differences, so that test_device.c's comparison with
 * it stands on solid ground. */
#include "device/device.h"
#include "image/picture_file.h"
#include "image/resize.h"
#include "image/sample.h"
#include "nn/checkpoint.h"
#include "nn/initial.h"
#include "net_golden.h"
#include "nn/loss.h"
#include "nn/objects.h"
#include "reference.h"
#include "test.h"

#include <unistd.h>

static const char *device_name = "cpu";

/* In bf16 (8 bits a number) ten steps stay near those of fp32, but not so near: what decides for training is
 * the loss. */
static const double BF16_LOSS = 0.03, BF16_PARAMS = 0.01;

/* ---------------------------------------------------------------- one case */

enum { MAPS = TASKS }; /* a head of maps, of no task */

typedef struct golden_case {
    const char *name;
    int task; /* or MAPS */
    int first_group;
    bool freeze_bn;
} golden_case;

static const golden_case cases[] = {
    {"cls", TASK_CLS, GROUP_STEM, false},
    {"bbox", TASK_BBOX, GROUP_STEM, false},
    {"detn", TASK_DETN, GROUP_STEM, false},
    {"cls-top", TASK_CLS, GROUP_TOP, false},
    {"detn-head", TASK_DETN, GROUP_HEAD, false},
    {"cls-stored", TASK_CLS, GROUP_STEM, true},
    {"maps", MAPS, GROUP_STEM, false},
    {"maps-head", MAPS, GROUP_HEAD, false},
    {"objects", TASK_OBJECTS, GROUP_STEM, false},
    {"objects-top", TASK_OBJECTS, GROUP_TOP, false},
};

static int node_of(const graph *g, const char *name)
{
    int n = g->node_count - 1;
    while (n >= 0 && strcmp(g->nodes[n].name, name) != 0)
        n--;
    return n;
}

/* The network Maps of net.py. */
static int build_maps(graph *g, error *e)
{
    int code = graph_begin(g, SIDE, imagenet_mean, imagenet_std, e),
        coarse = code ? -1 : resnet_backbone(g, ARCH_TINY, NULL, e);
    if (coarse < 0)
        return e->code;
    int fine = graph_conv_bias(g, node_of(g, "layer2.0.relu"), "head.fine", GROUP_HEAD, 24, 1, 1, 0, e);
    int middle = graph_conv_bias(g, node_of(g, "layer3.0.relu"), "head.middle", GROUP_HEAD, 24, 1, 1, 0, e);
    int n = graph_conv_bias(g, coarse, "head.coarse", GROUP_HEAD, 24, 1, 1, 0, e);
    n = graph_add(g, graph_upsample(g, n, "up1", GROUP_HEAD, e), middle, "add1", GROUP_HEAD, e);
    n = graph_add(g, graph_upsample(g, n, "up2", GROUP_HEAD, e), fine, "add2", GROUP_HEAD, e);
    n = graph_batchnorm(g, graph_conv(g, n, "head.conv", GROUP_HEAD, 24, 3, 1, 1, e), "head.bn", GROUP_HEAD, e);
    n = graph_conv_bias(g, graph_relu(g, n, "relu", GROUP_HEAD, e), "head.out", GROUP_HEAD, 6, 1, 1, 0, e);
    return graph_flatten(g, n, "flatten", GROUP_HEAD, e) < 0 ? e->code : 0;
}

static int build_case(const golden_case *c, graph *g, error *e)
{
    return c->task == MAPS ? build_maps(g, e)
                           : network_build(g, (task)c->task, ARCH_TINY, SIDE, CLASSES, imagenet_mean, imagenet_std, e);
}

/* The label and the box of each picture as its only object. */
static int loss_of_objects(const float *out, const int32_t *label, const float *sides, float *slope, loss_value *value,
                           error *e)
{
    const objects_shape shape = {BATCH, CLASSES, SIDE, objects_target_floats(1)};
    float objects[6 * BATCH];
    for (int i = 0; i < BATCH; i++) {
        objects[6 * i] = 1;
        objects[6 * i + 1] = (float)label[i];
        memcpy(&objects[6 * i + 2], &sides[4 * i], 4 * sizeof *sides);
    }
    return objects_loss(&shape, out, objects, slope, value, e);
}

/* The case's loss and its gradient: half the mean square for maps. */
static int loss_of_case(const golden_case *c, const float *out, size_t outputs, const int32_t *label,
                        const float *sides, float *slope, double *loss, error *e)
{
    const loss_shape shape = {(task)c->task, BATCH, c->task == TASK_BBOX ? 0 : CLASSES, SIDE, 0, 0};
    loss_value value = {0};
    if (c->task != MAPS) {
        int code = c->task == TASK_OBJECTS ? loss_of_objects(out, label, sides, slope, &value, e)
                                           : loss_compute(&shape, out, label, sides, slope, &value, e);
        *loss = value.loss;
        return code;
    }
    *loss = 0;
    for (size_t i = 0; i < outputs; i++) {
        *loss += 0.5 * (double)out[i] * (double)out[i] / (double)outputs;
        slope[i] = out[i] / (float)outputs;
    }
    return 0;
}

/* Parameter number i in x, a flat array. */
static void check_param(const char *which, const char *kind, const graph *g, int i, const float *x, double tolerance)
{
    const param *p = &g->params[i];
    check_tensor(which, kind, p->name, p->count, i, x + p->offset, tolerance);
}

/* Outputs, all of them or as a tensor where they are many. */
static void check_outputs(const char *which, const char *kind, const char *name, const float *x, size_t count)
{
    if (count <= 200)
        check_numbers(which, kind, name, x, count);
    else
        check_tensor(which, kind, name, count, 0, x, TOLERANCE);
}

static void check_params(const char *which, const char *kind, const graph *g, const float *x, bool statistics)
{
    for (int i = 0; i < g->param_count; i++)
        if (g->params[i].trainable != statistics)
            check_param(which, kind, g, i, x, TOLERANCE);
}

static void train_steps(const golden_case *c, const graph *g, model *m, plan *p, const float *input, error *e)
{
    size_t outputs = (size_t)BATCH * (size_t)g->outputs;
    float *out = calloc(outputs, sizeof *out), *slope = calloc(outputs, sizeof *slope), sides[4 * BATCH];
    float *x = calloc(g->param_floats, sizeof *x), *second = calloc(g->param_floats, sizeof *x), curve[STEPS];
    int32_t label[BATCH];
    double loss;
    targets(label, sides);
    for (int step = 0; step < STEPS; step++) {
        CHECK(!plan_forward(p, input, SEED, (uint64_t)step, out, e), "%s", e->text);
        CHECK(!loss_of_case(c, out, outputs, label, sides, slope, &loss, e), "%s", e->text);
        CHECK(!plan_backward(p, slope, e), "%s", e->text);
        curve[step] = (float)loss;
        if (step == 0) {
            check_outputs(c->name, "train", "out", out, outputs);
            CHECK(!model_download(m, x, e), "%s", e->text);
            check_params(c->name, "stat", g, x, true);
        }
        CHECK(!model_adam_step(m, rates, c->first_group, step + 1, e), "%s", e->text);
        if (step == 0) { /* the first moments are a tenth of the gradients now */
            CHECK(!model_download_moments(m, x, second, e), "%s", e->text);
            for (size_t i = 0; i < g->param_floats; i++)
                x[i] *= 10;
            for (int i = 0; i < g->param_count; i++)
                if (g->params[i].trainable && g->params[i].group >= c->first_group)
                    check_param(c->name, "grad", g, i, x, TOLERANCE);
        }
    }
    double losses[STEPS];
    CHECK(wanted(c->name, "curve", "loss", losses, STEPS) == STEPS, "no loss curve");
    for (int step = 0; step < STEPS; step++)
        CHECK(fabs((double)curve[step] - losses[step]) <= TOLERANCE * losses[step], "%s: loss %d is %.7g, not %.7g",
              c->name, step, (double)curve[step], losses[step]);
    CHECK(!model_download(m, x, e), "%s", e->text);
    check_params(c->name, "final", g, x, false);
    check_params(c->name, "final", g, x, true);
    free(out);
    free(slope);
    free(x);
    free(second);
}

static void evaluate(const char *which, const char *kind, const char *name, model *m, const graph *g, int batch,
                     const float *input, error *e)
{
    const plan_options options = {.batch = batch};
    size_t outputs = (size_t)batch * (size_t)g->outputs;
    float *out = calloc(outputs, sizeof *out);
    plan *p = plan_create(m, &options, e);
    CHECK(p && !plan_forward(p, input, 0, 0, out, e), "%s", e->text);
    check_outputs(which, kind, name, out, outputs);
    plan_free(p);
    free(out);
}

/* The same ten steps in bf16: outputs, losses and parameters afterwards; and a repetition gives the same
 * bytes. */
static void run_bf16_case(const golden_case *c)
{
    error e = {0};
    graph g;
    const device_options options = {.threads = 2, .precision = PRECISION_BF16};
    device *d = device_open(device_name, &options, &e);
    if (!d) {
        SKIP("%s", e.text);
        return;
    }
    CHECK(strstr(device_describe(d), "bf16"), "%s", device_describe(d));
    CHECK(!build_case(c, &g, &e), "%s", e.text);
    size_t outputs = (size_t)BATCH * (size_t)g.outputs;
    float *params = params_alloc(&g, &e), *input = pictures(BATCH, SIDE), *after[2], sides[4 * BATCH];
    float *out = calloc(outputs, sizeof *out), *slope = calloc(outputs, sizeof *slope);
    int32_t label[BATCH];
    double losses[STEPS], g6[6];
    const plan_options training = {
        .batch = BATCH, .training = true, .first_group = c->first_group, .freeze_bn = c->freeze_bn};
    targets(label, sides);
    fill(&g, GROUP_STEM, params);
    CHECK(wanted(c->name, "curve", "loss", losses, STEPS) == STEPS, "no loss curve");
    for (int run = 0; run < 2; run++) {
        model *m = model_create(d, &g, &e);
        CHECK(m && !model_upload(m, params, &e), "%s", e.text);
        plan *p = plan_create(m, &training, &e);
        CHECK(p, "%s", e.text);
        double loss;
        for (int step = 0; step < STEPS && p; step++) {
            CHECK(!plan_forward(p, input, SEED, (uint64_t)step, out, &e) &&
                      !loss_of_case(c, out, outputs, label, sides, slope, &loss, &e) && !plan_backward(p, slope, &e) &&
                      !model_adam_step(m, rates, c->first_group, step + 1, &e),
                  "%s", e.text);
            CHECK(fabs(loss - losses[step]) <= BF16_LOSS * losses[step], "%s: loss %d is %.7g, in fp32 %.7g", c->name,
                  step, loss, losses[step]);
        }
        after[run] = calloc(g.param_floats, sizeof(float));
        CHECK(!model_download(m, after[run], &e), "%s", e.text);
        plan_free(p);
        model_free(m);
    }
    CHECK(!memcmp(after[0], after[1], g.param_floats * sizeof(float)), "%s: runs differ", c->name);
    for (int i = 0; i < g.param_count; i++)
        if (g.params[i].trainable && wanted(c->name, "final", g.params[i].name, g6, 6) == 6)
            check_param(c->name, "final", &g, i, after[0], BF16_PARAMS);
    device_close(d);
    graph_free(&g);
    free(params);
    free(input);
    free(out);
    free(slope);
    free(after[0]);
    free(after[1]);
}

static void run_case(const golden_case *c, conv_algorithm conv)
{
    error e = {0};
    graph g;
    const device_options options = {.conv = conv, .precision = PRECISION_FP32};
    device *d = device_open(device_name, &options, &e);
    if (!d && conv == CONV_WINOGRAD) {
        SKIP("%s", e.text);
        return;
    }
    CHECK(d, "%s", e.text);
    CHECK(!build_case(c, &g, &e), "%s", e.text);
    float *params = params_alloc(&g, &e), *input = pictures(BATCH, SIDE);
    fill(&g, GROUP_STEM, params);
    model *m = model_create(d, &g, &e);
    CHECK(m && !model_upload(m, params, &e), "%s", e.text);
    evaluate(c->name, "eval", "out", m, &g, BATCH, input, &e);
    const plan_options training = {
        .batch = BATCH, .training = true, .first_group = c->first_group, .freeze_bn = c->freeze_bn};
    plan *p = plan_create(m, &training, &e);
    CHECK(p, "%s", e.text);
    if (p)
        train_steps(c, &g, m, p, input, &e);
    plan_free(p);
    evaluate(c->name, "after", "out", m, &g, BATCH, input, &e);
    model_free(m);
    device_close(d);
    graph_free(&g);
    free(params);
    free(input);
}

static void test_cases(void)
{
    static const conv_algorithm algorithms[] = {CONV_DIRECT, CONV_WINOGRAD};
    bool cpu = strcmp(device_name, "cpu") == 0; /* others choose for themselves */
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int a = 0; a < (cpu ? 2 : 1); a++) {
            char sentence[120];
            snprintf(sentence, sizeof sentence, "%s with %s convolutions computes and trains as PyTorch does",
                     cases[i].name,
                     !cpu ? "the device's"
                     : a  ? "winograd"
                          : "direct");
            TEST(sentence)
            run_case(&cases[i], algorithms[a]);
        }
}

static void test_bf16(void)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        char sentence[120];
        snprintf(sentence, sizeof sentence, "%s in bf16 trains near fp32, and repeats bit for bit", cases[i].name);
        TEST(sentence)
        run_bf16_case(&cases[i]);
    }
}

static void test_concatpool(void)
{
    TEST("the concat-pool gives the maxima first, then the averages")
    {
        const float zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
        const device_options options = {.precision = PRECISION_FP32};
        float input[4 * 4 * 3], out[4] = {0};
        error e = {0};
        graph g;
        for (int i = 0; i < 48; i++)
            input[i] = i % 3 ? 0 : (float)(i / 3) / 16; /* red: 0 to 15/16, mean 7.5/16 */
        float weight[2 * 3] = {1, 0, 0, -1, 0, 0};      /* two channels: red and its negative */
        CHECK(!graph_begin(&g, 4, zero, one, &e), "%s", e.text);
        int at = graph_conv(&g, 0, "conv1", GROUP_STEM, 2, 1, 1, 0, &e);
        CHECK(graph_concatpool(&g, at, "pool", GROUP_TOP, &e) > 0, "%s", e.text);
        device *d = device_open(device_name, &options, &e);
        CHECK(d, "%s", e.text);
        model *m = model_create(d, &g, &e);
        CHECK(m && !model_upload(m, weight, &e), "%s", e.text);
        plan *p = plan_create(m, &(plan_options){.batch = 1}, &e);
        CHECK(p && !plan_forward(p, input, 0, 0, out, &e), "%s", e.text);
        const float pooled[4] = {15.0f / 16, 0, 7.5f / 16, -7.5f / 16};
        for (int i = 0; i < 4; i++)
            CHECK(fabsf(out[i] - pooled[i]) < 1e-6f, "output %d is %g, not %g", i, (double)out[i], (double)pooled[i]);
        plan_free(p);
        model_free(m);
        device_close(d);
        graph_free(&g);
    }
}

/* ---------------------------------------------------------------- whole backbones */

/* A model of a classifier with weights, ready on the CPU device. */
typedef struct ready {
    device *d;
    graph g;
    model *m;
    float *params;
} ready;

static void make_ready(ready *r, arch a, int size, const char *weights, error *e)
{
    const device_options options = {.precision = PRECISION_FP32};
    char sha[65];
    r->d = device_open(device_name, &options, e);
    CHECK(r->d, "%s", e->text);
    CHECK(!network_build(&r->g, TASK_CLS, a, size, CLASSES, imagenet_mean, imagenet_std, e), "%s", e->text);
    r->params = params_alloc(&r->g, e);
    fill(&r->g, weights ? GROUP_HEAD : GROUP_STEM, r->params);
    if (weights)
        CHECK(!backbone_load(&r->g, a, weights, r->params, sha, e), "%s", e->text);
    r->m = model_create(r->d, &r->g, e);
    CHECK(r->m && !model_upload(r->m, r->params, e), "%s", e->text);
}

static void drop_ready(ready *r)
{
    model_free(r->m);
    device_close(r->d);
    graph_free(&r->g);
    free(r->params);
}

/* The picture as a network sees it in evaluation. */
static float *real_picture(const char *name, error *e)
{
    char path[200];
    picture p = {0}, small = {0};
    picture_info info;
    resize_scratch scratch = {0};
    float *pixels = calloc(224 * 224 * 3, sizeof *pixels);
    snprintf(path, sizeof path, "../shared/data/voc2007/JPEGImages/%s", name);
    CHECK(!picture_load(&p, path, &info, e) && !picture_scale(&p, 224, &small, name, &scratch, e), "%s", e->text);
    sampler *s = sampler_create(224, e);
    const scaled_picture from = {name, p.height, p.width, small.height, small.width, small.pixels};
    CHECK(s && !sample_make(s, &from, NULL, NULL, NULL, pixels, NULL, e), "%s", e->text);
    sampler_free(s);
    resize_scratch_free(&scratch);
    picture_free(&p);
    picture_free(&small);
    return pixels;
}

static void test_backbones(void)
{
    static const char weights[] = "../shared/weights/resnet34-init.safetensors";
    static const char *const names[] = {"000012.jpg", "000017.jpg"};
    error e = {0};
    ready r;
    TEST("a ResNet-50 with its bottlenecks computes as PyTorch does")
    {
        float *input = pictures(2, 64);
        make_ready(&r, ARCH_RESNET50, 64, NULL, &e);
        evaluate("resnet50", "eval", "out", r.m, &r.g, 2, input, &e);
        drop_ready(&r);
        free(input);
    }
    TEST("ResNet-34 with ImageNet's weights computes as PyTorch does, on drawn and on real pictures")
    {
        if (access(weights, R_OK) != 0 || access("../shared/data/voc2007/JPEGImages", R_OK) != 0)
            SKIP("../shared is not there");
        else {
            float *input = pictures(2, 224);
            make_ready(&r, ARCH_RESNET34, 224, weights, &e);
            evaluate("synthetic", "eval", "out", r.m, &r.g, 2, input, &e);
            free(input);
            for (int i = 0; i < 2; i++) {
                double sum = 0;
                input = real_picture(names[i], &e);
                for (size_t k = 0; k < 224 * 224 * 3; k++)
                    sum += (double)input[k];
                const float look[] = {(float)sum, input[0], input[(111 * 224 + 57) * 3 + 1],
                                      input[(223 * 224 + 223) * 3 + 2]};
                check_numbers("real", "pixels", names[i], look, 4);
                evaluate("real", "eval", names[i], r.m, &r.g, 1, input, &e);
                free(input);
            }
            drop_ready(&r);
        }
    }
}

/* ---------------------------------------------------------------- finite differences */

/* conv, one node of the kind, then a linear layer: every gradient in front of it passes through the node. */
static void make_probe(graph *g, node_kind kind, error *e)
{
    const float zero[3] = {0.5f, 0.5f, 0.5f}, one[3] = {1, 1, 1};
    CHECK(!graph_begin(g, 8, zero, one, e), "%s", e->text);
    int first = graph_conv(g, 0, "conv", GROUP_STEM, 5, 3, 1, 1, e), at = first;
    switch (kind) {
    case NODE_CONV:
        at = graph_conv_bias(g, at, "x", GROUP_STEM, 4, 3, 2, 1, e);
        break;
    case NODE_BATCHNORM:
        at = graph_batchnorm(g, at, "x", GROUP_STEM, e);
        break;
    case NODE_RELU:
        at = graph_relu(g, at, "x", GROUP_STEM, e);
        break;
    case NODE_ADD: /* one operand is used twice more, so its gradient is a sum */
        at = graph_conv(g, at, "y", GROUP_STEM, 5, 1, 1, 0, e);
        at = graph_add(g, at, first, "x", GROUP_STEM, e);
        at = graph_add(g, at, first, "z", GROUP_STEM, e);
        break;
    case NODE_MAXPOOL:
        at = graph_maxpool(g, at, "x", GROUP_STEM, 3, 2, 1, e);
        break;
    case NODE_UPSAMPLE:
        at = graph_upsample(g, at, "x", GROUP_STEM, e);
        break;
    case NODE_CONCATPOOL:
        at = graph_concatpool(g, at, "x", GROUP_STEM, e);
        break;
    default:
        break;
    }
    if (kind != NODE_CONCATPOOL)
        at = graph_flatten(g, at, "flatten", GROUP_HEAD, e);
    if (kind == NODE_LINEAR) {
        at = graph_linear(g, at, "x", GROUP_HEAD, 6, e);
        at = graph_batchnorm(g, at, "bn", GROUP_HEAD, e);
    }
    if (kind == NODE_DROPOUT)
        at = graph_dropout(g, at, "x", GROUP_HEAD, 0.4f, e);
    at = graph_linear(g, at, "out", GROUP_HEAD, 3, e);
    CHECK(at > 0, "%s", e->text);
}

static double weighted_output(reference *r, const float *input, const float *weight)
{
    int last = r->g->node_count - 1;
    double sum = 0;
    reference_forward(r, input, SEED, 3);
    for (size_t i = 0; i < reference_count(r, last); i++)
        sum += (double)weight[i] * r->value[last][i];
    return sum;
}

static void check_differences(node_kind kind)
{
    enum { N = 4 };
    const double h = 1e-5;
    error e = {0};
    graph g;
    float weight[3 * N], input[N * 8 * 8 * 3];
    make_probe(&g, kind, &e);
    float *params = params_alloc(&g, &e);
    fill(&g, GROUP_STEM, params);
    philox random = philox_start(SEED, 77);
    for (int i = 0; i < 3 * N; i++)
        weight[i] = (float)philox_normal(&random);
    for (int i = 0; i < N * 8 * 8 * 3; i++)
        input[i] = (float)philox_uniform(&random);
    reference r = reference_begin(&g, params, N, true, GROUP_STEM, false);
    weighted_output(&r, input, weight);
    reference_backward(&r, weight, SEED, 3);
    for (int i = 0; i < g.param_count; i++) {
        const param *p = &g.params[i];
        if (!p->trainable)
            continue;
        for (size_t k = 0; k < p->count; k += 1 + p->count / 7) { /* some elements of each */
            double *x = &r.params[p->offset + k], old = *x, slope = r.gradients[p->offset + k];
            *x = old + h;
            double up = weighted_output(&r, input, weight);
            *x = old - h;
            double down = weighted_output(&r, input, weight);
            *x = old;
            double difference = (up - down) / (2 * h);
            CHECK(fabs(difference - slope) <= 1e-6 * (1 + fabs(slope)), "%s[%zu]: slope %.9g, differences %.9g",
                  p->name, k, slope, difference);
        }
    }
    reference_end(&r);
    graph_free(&g);
    free(params);
}

static void test_differences(void)
{
    static const struct {
        node_kind kind;
        const char *sentence;
    } kinds[] = {
        {NODE_CONV, "the gradient through a strided convolution and its bias is that of finite differences"},
        {NODE_BATCHNORM, "the gradient through a batch norm is that of finite differences"},
        {NODE_RELU, "the gradient through a relu is that of finite differences"},
        {NODE_ADD, "the gradient through additions with a shared operand is that of finite differences"},
        {NODE_MAXPOOL, "the gradient through a max-pool is that of finite differences"},
        {NODE_UPSAMPLE, "the gradient through an upsampling is that of finite differences"},
        {NODE_CONCATPOOL, "the gradient through the concat-pool is that of finite differences"},
        {NODE_FLATTEN, "the gradient through a flatten is that of finite differences"},
        {NODE_LINEAR, "the gradient through linear layers and a flat batch norm is that of finite differences"},
        {NODE_DROPOUT, "the gradient through dropout is that of finite differences"},
    };
    for (size_t i = 0; i < COUNT(kinds); i++)
        TEST(kinds[i].sentence)
    check_differences(kinds[i].kind);
}

int main(int argc, char **argv)
{
    error e = {0};
    if (argc > 1)
        device_name = argv[1];
    if (file_open(&golden, "tests/golden/net.txt", &e)) {
        printf("Bail out! %s\n", e.text);
        return 1;
    }
    if (argc <= 1)
        test_differences();
    test_concatpool();
    test_cases();
    test_bf16();
    test_backbones();
    file_close(&golden);
    return test_end();
}
