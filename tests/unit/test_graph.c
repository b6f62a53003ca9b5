#include "graph/graph.h"
#include "graph/resnet.h"
#include "nn/initial.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

static int build(graph *g, task t, arch a, int size, int classes)
{
    error e = {0};
    int code = network_build(g, t, a, size, classes, imagenet_mean, imagenet_std, &e);
    if (code)
        printf("# %s\n", e.text);
    return code;
}

static const param *find(const graph *g, const char *name)
{
    int i = graph_find_param(g, name);
    return i < 0 ? NULL : &g->params[i];
}

/* "a x b x c x d" of a parameter, or "none". */
static const char *shape_of(const graph *g, const char *name)
{
    static char text[64];
    const param *p = find(g, name);
    size_t n = 0;
    snprintf(text, sizeof text, "none");
    for (int i = 0; p && i < p->dims; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", i ? "x" : "", p->shape[i]);
    return text;
}

static void test_counts(void)
{
    graph g;
    TEST("the ResNet-34 classifier of 20 classes has the learnable parameters of each group")
    {
        CHECK(!build(&g, TASK_CLS, ARCH_RESNET34, 224, 20), "cannot build");
        size_t stem = graph_learnable(&g, GROUP_STEM, GROUP_STEM);
        size_t top = graph_learnable(&g, GROUP_TOP, GROUP_TOP);
        size_t head = graph_learnable(&g, GROUP_HEAD, GROUP_HEAD);
        CHECK(stem == 1347904, "stem %zu", stem);
        CHECK(top == 19936768, "top %zu", top);
        CHECK(stem + top == 21284672, "backbone %zu", stem + top);
        CHECK(head == 538132, "head %zu", head);
        CHECK(g.outputs == 20, "outputs %d", g.outputs);
        graph_free(&g);
    }
    TEST("the ResNet-34 box regressor's head has 100356 parameters")
    {
        CHECK(!build(&g, TASK_BBOX, ARCH_RESNET34, 224, 0), "cannot build");
        CHECK(graph_learnable(&g, GROUP_HEAD, GROUP_HEAD) == 100356, "head %zu",
              graph_learnable(&g, GROUP_HEAD, GROUP_HEAD));
        CHECK(graph_learnable(&g, GROUP_STEM, GROUP_TOP) == 21284672, "backbone");
        CHECK(g.outputs == 4, "outputs %d", g.outputs);
        graph_free(&g);
    }
    TEST("the ResNet-34 detector's head has 6429464 parameters for 20 classes")
    {
        CHECK(!build(&g, TASK_DETN, ARCH_RESNET34, 224, 20), "cannot build");
        CHECK(graph_learnable(&g, GROUP_HEAD, GROUP_HEAD) == 6429464, "head %zu",
              graph_learnable(&g, GROUP_HEAD, GROUP_HEAD));
        CHECK(g.outputs == 24, "outputs %d", g.outputs);
        graph_free(&g);
    }
    TEST("ResNet-18 and ResNet-50 have torchvision's backbone sizes")
    {
        CHECK(!build(&g, TASK_BBOX, ARCH_RESNET18, 224, 0), "cannot build");
        CHECK(graph_learnable(&g, GROUP_STEM, GROUP_TOP) == 11689512 - 513000, "resnet18 %zu",
              graph_learnable(&g, GROUP_STEM, GROUP_TOP));
        graph_free(&g);
        CHECK(!build(&g, TASK_BBOX, ARCH_RESNET50, 224, 0), "cannot build");
        CHECK(graph_learnable(&g, GROUP_STEM, GROUP_TOP) == 25557032 - 2049000, "resnet50 %zu",
              graph_learnable(&g, GROUP_STEM, GROUP_TOP));
        CHECK(g.nodes[graph_find_param(&g, "layer4.2.conv3.weight") < 0 ? 0 : find(&g, "layer4.2.conv3.weight")->node]
                      .c == 2048,
              "channels of the last block");
        graph_free(&g);
    }
}

static void test_names(void)
{
    graph g;
    TEST("parameters have torchvision's names and shapes")
    {
        CHECK(!build(&g, TASK_DETN, ARCH_RESNET34, 224, 20), "cannot build");
        const char *const wanted[][2] = {
            {"conv1.weight", "64x3x7x7"},
            {"bn1.running_var", "64"},
            {"layer1.0.conv1.weight", "64x64x3x3"},
            {"layer1.0.downsample.0.weight", "none"},
            {"layer2.0.downsample.0.weight", "128x64x1x1"},
            {"layer2.0.downsample.1.running_mean", "128"},
            {"layer3.5.bn2.bias", "256"},
            {"layer4.0.conv1.weight", "512x256x3x3"},
            {"fc.weight", "none"},
            {"head.3.weight", "256x25088"},
            {"head.3.bias", "256"},
            {"head.5.running_mean", "256"},
            {"head.7.weight", "24x256"},
        };
        for (size_t i = 0; i < COUNT(wanted); i++) {
            const char *shape = shape_of(&g, wanted[i][0]);
            CHECK(strcmp(shape, wanted[i][1]) == 0, "%s is %s, not %s", wanted[i][0], shape, wanted[i][1]);
        }
        graph_free(&g);
    }
    TEST("the classifier's and the regressor's heads are numbered like torch's Sequential")
    {
        CHECK(!build(&g, TASK_CLS, ARCH_RESNET34, 224, 20), "cannot build");
        CHECK(strcmp(shape_of(&g, "head.2.weight"), "1024") == 0, "%s", shape_of(&g, "head.2.weight"));
        CHECK(strcmp(shape_of(&g, "head.4.weight"), "512x1024") == 0, "%s", shape_of(&g, "head.4.weight"));
        CHECK(strcmp(shape_of(&g, "head.6.weight"), "512") == 0, "%s", shape_of(&g, "head.6.weight"));
        CHECK(strcmp(shape_of(&g, "head.8.weight"), "20x512") == 0, "%s", shape_of(&g, "head.8.weight"));
        graph_free(&g);
        CHECK(!build(&g, TASK_BBOX, ARCH_RESNET34, 224, 20), "cannot build");
        CHECK(strcmp(shape_of(&g, "head.1.weight"), "4x25088") == 0, "%s", shape_of(&g, "head.1.weight"));
        graph_free(&g);
    }
    TEST("the strides of a bottleneck stand on its 3x3 convolution")
    {
        CHECK(!build(&g, TASK_CLS, ARCH_RESNET50, 224, 20), "cannot build");
        CHECK(g.nodes[find(&g, "layer2.0.conv1.weight")->node].stride == 1, "conv1");
        CHECK(g.nodes[find(&g, "layer2.0.conv2.weight")->node].stride == 2, "conv2");
        CHECK(strcmp(shape_of(&g, "layer1.0.downsample.0.weight"), "256x64x1x1") == 0, "%s",
              shape_of(&g, "layer1.0.downsample.0.weight"));
        graph_free(&g);
    }
}

/* The first node of the groups >= first_group; node_count when there is none. */
static int first_of(const graph *g, int first_group)
{
    int n = 0;
    while (n < g->node_count && g->nodes[n].group < first_group)
        n++;
    return n;
}

static void test_structure(void)
{
    graph g;
    error e = {0};
    TEST("groups begin at layer3 and at the head, and the default pooling belongs to the middle group")
    {
        CHECK(!build(&g, TASK_CLS, ARCH_RESNET34, 224, 20), "cannot build");
        CHECK(first_of(&g, GROUP_STEM) == 0, "stem at %d", first_of(&g, GROUP_STEM));
        CHECK(strcmp(g.nodes[first_of(&g, GROUP_TOP)].name, "layer3.0.conv1") == 0, "top at %s",
              g.nodes[first_of(&g, GROUP_TOP)].name);
        CHECK(strcmp(g.nodes[first_of(&g, GROUP_HEAD)].name, "head.2") == 0, "head at %s",
              g.nodes[first_of(&g, GROUP_HEAD)].name);
        CHECK(first_of(&g, GROUPS) == g.node_count, "behind the head");
        graph_free(&g);
        CHECK(!build(&g, TASK_DETN, ARCH_RESNET34, 224, 20), "cannot build");
        CHECK(strcmp(g.nodes[first_of(&g, GROUP_HEAD)].name, "head.0") == 0, "head at %s",
              g.nodes[first_of(&g, GROUP_HEAD)].name);
        const node *last = &g.nodes[first_of(&g, GROUP_HEAD) - 1];
        CHECK(last->c == 512 && last->h == 7 && last->w == 7, "backbone gives %dx%dx%d", last->c, last->h, last->w);
        graph_free(&g);
    }
    TEST("every input comes before its node, and offsets lie side by side")
    {
        CHECK(!build(&g, TASK_CLS, ARCH_TINY, 96, 3), "cannot build");
        size_t at = 0;
        for (int i = 0; i < g.node_count; i++)
            for (int k = 0; k < 2; k++)
                CHECK(g.nodes[i].inputs[k] < i, "node %d reads %d", i, g.nodes[i].inputs[k]);
        for (int i = 0; i < g.param_count; i++) {
            CHECK(g.params[i].offset == at, "parameter %d at %zu", i, g.params[i].offset);
            at += g.params[i].count;
        }
        CHECK(at == g.param_floats, "%zu of %zu floats", at, g.param_floats);
        graph_free(&g);
    }
    TEST("impossible networks are refused with a reason")
    {
        CHECK(network_build(&g, TASK_CLS, ARCH_TINY, 100, 3, imagenet_mean, imagenet_std, &e) == ERR_USAGE, "size 100");
        CHECK(strstr(e.text, "multiple of 32"), "%s", e.text);
        e = (error){0};
        CHECK(network_build(&g, TASK_DETN, ARCH_TINY, 96, 0, imagenet_mean, imagenet_std, &e) == ERR_USAGE,
              "no classes");
        e = (error){0};
        CHECK(!graph_begin(&g, 8, imagenet_mean, imagenet_std, &e), "%s", e.text);
        CHECK(graph_linear(&g, 0, "fc", GROUP_HEAD, 2, &e) == -1 && strstr(e.text, "flat"), "%s", e.text);
        e = (error){0};
        CHECK(graph_conv(&g, 0, "c", GROUP_STEM, 4, 9, 1, 0, &e) == -1, "kernel above the picture");
        CHECK(graph_add(&g, 0, 5, "a", GROUP_STEM, NULL) == -1, "no such node");
        CHECK(graph_conv_bias(&g, 0, "c", GROUP_STEM, 4, 9, 1, 0, NULL) == -1, "with a bias");
        CHECK(graph_upsample(&g, 1, "u", GROUP_STEM, NULL) == -1, "no such node");
        CHECK(graph_dropout(&g, 0, "d", GROUP_STEM, 1.0f, NULL) == -1, "p = 1");
        CHECK(g.node_count == 1 && g.param_count == 0, "%d nodes", g.node_count);
        graph_free(&g);
    }
    TEST("a convolution with a bias has two parameters, one without has one; an upsampling doubles both sides")
    {
        CHECK(!graph_begin(&g, 8, imagenet_mean, imagenet_std, &e), "%s", e.text);
        int plain = graph_conv(&g, 0, "plain", GROUP_STEM, 5, 3, 1, 1, &e);
        int n = graph_conv_bias(&g, plain, "late", GROUP_HEAD, 7, 1, 2, 0, &e);
        n = graph_upsample(&g, n, "up", GROUP_HEAD, &e);
        CHECK(n == 3 && g.nodes[n].c == 7 && g.nodes[n].h == 8 && g.nodes[n].w == 8 && g.outputs == 448, "%s: %d x %d",
              e.text, g.nodes[n].h, g.nodes[n].w);
        CHECK(g.nodes[plain].params[1] == -1 && g.param_count == 3, "%d parameters", g.param_count);
        CHECK(strcmp(shape_of(&g, "late.weight"), "7x5x1x1") == 0, "%s", shape_of(&g, "late.weight"));
        CHECK(strcmp(shape_of(&g, "late.bias"), "7") == 0 && find(&g, "late.bias")->trainable, "%s",
              shape_of(&g, "late.bias"));
        CHECK(find(&g, "late.bias")->offset + 7 == g.param_floats, "%zu floats", g.param_floats);
        graph_free(&g);
    }
    TEST("task and arch names round-trip")
    {
        task t = TASKS;
        arch a = ARCHS;
        CHECK(task_parse("detn", &t) && t == TASK_DETN && strcmp(task_name(t), "detn") == 0, "detn");
        CHECK(arch_parse("resnet50", &a) && a == ARCH_RESNET50, "resnet50");
        CHECK(!task_parse("det", &t) && !arch_parse("resnet", &a), "prefixes");
    }
}

/* Mean, standard deviation, least and largest of a parameter. */
typedef struct spread {
    double mean, std, low, high;
} spread;

static spread spread_of(const graph *g, const float *params, const char *name)
{
    const param *p = find(g, name);
    spread s = {0, 0, INFINITY, -INFINITY};
    for (size_t i = 0; i < p->count; i++) {
        double v = params[p->offset + i];
        s.mean += v / (double)p->count;
        s.std += v * v / (double)p->count;
        s.low = v < s.low ? v : s.low;
        s.high = v > s.high ? v : s.high;
    }
    s.std = sqrt(s.std - s.mean * s.mean);
    return s;
}

static void test_init(void)
{
    graph g;
    error e = {0};
    TEST("the default head starts kaiming normal with bias 0, its batch norms uniform in [0,1)")
    {
        CHECK(!build(&g, TASK_CLS, ARCH_TINY, 96, 20), "cannot build");
        float *w = params_alloc(&g, &e);
        initial_head(&g, TASK_CLS, 7, w);
        spread s = spread_of(&g, w, "head.4.weight"); /* 256 inputs */
        CHECK(fabs(s.std / sqrt(2.0 / 256) - 1) < 0.01 && fabs(s.mean) < 0.001, "std %g", s.std);
        s = spread_of(&g, w, "head.8.weight"); /* 512 inputs: 0.0625 */
        CHECK(fabs(s.std / 0.0625 - 1) < 0.03, "std %g", s.std);
        s = spread_of(&g, w, "head.8.bias");
        CHECK(s.low == 0 && s.high == 0, "bias");
        s = spread_of(&g, w, "head.2.weight");
        CHECK(s.low >= 0 && s.high < 1 && s.low < 0.05 && s.high > 0.95 && fabs(s.mean - 0.5) < 0.06,
              "batch norm weight in %g..%g, mean %g: must not be 1", s.low, s.high, s.mean);
        s = spread_of(&g, w, "head.2.running_var");
        CHECK(s.low == 1 && s.high == 1, "running_var");
        free(w);
        graph_free(&g);
    }
    TEST("the other heads start uniform in +-1/sqrt(fan in), weights and biases")
    {
        CHECK(!build(&g, TASK_DETN, ARCH_TINY, 96, 20), "cannot build");
        float *w = params_alloc(&g, &e);
        initial_head(&g, TASK_DETN, 7, w);
        double bound = 1 / sqrt(128 * 9);
        spread s = spread_of(&g, w, "head.3.weight");
        CHECK(s.low >= -bound && s.high <= bound && s.high > 0.99 * bound && s.low < -0.99 * bound, "%g..%g, bound %g",
              s.low, s.high, bound);
        s = spread_of(&g, w, "head.7.bias");
        CHECK(s.low >= -0.0625 && s.high <= 0.0625 && s.std > 0.02, "%g..%g", s.low, s.high);
        s = spread_of(&g, w, "head.5.weight");
        CHECK(s.low >= 0 && s.high < 1 && fabs(s.mean - 0.5) < 0.08, "batch norm weight mean %g", s.mean);
        free(w);
        graph_free(&g);
    }
    TEST("the backbone from nothing is kaiming normal by fan out, batch norms 1 and 0")
    {
        CHECK(!build(&g, TASK_CLS, ARCH_TINY, 96, 20), "cannot build");
        float *w = params_alloc(&g, &e), *again = params_alloc(&g, &e);
        initial_backbone(&g, 7, w);
        spread s = spread_of(&g, w, "layer4.0.conv1.weight"); /* 128 out, 3x3 */
        CHECK(fabs(s.std / sqrt(2.0 / (128 * 9)) - 1) < 0.02, "std %g", s.std);
        s = spread_of(&g, w, "layer4.0.bn1.weight");
        CHECK(s.low == 1 && s.high == 1, "batch norm weight");
        initial_backbone(&g, 7, again);
        CHECK(memcmp(w, again, g.param_floats * sizeof *w) == 0, "the same seed gives other weights");
        initial_backbone(&g, 8, again);
        CHECK(memcmp(w, again, g.param_floats * sizeof *w) != 0, "another seed gives the same weights");
        free(w);
        free(again);
        graph_free(&g);
    }
}

int main(void)
{
    test_counts();
    test_names();
    test_structure();
    test_init();
    return test_end();
}
