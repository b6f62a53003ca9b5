/* resnet.c - the words for tasks and architectures, and the networks: a backbone, then the head of a task.
 *
 * A backbone is a stem and four stages of residual blocks; a table says how many and how wide. A builder remembers the
 * last node. After a failure that is -1, behind which nothing can stand: all later steps fail as well, the first error
 * stays, and network_build gives it back.
 */
#include "graph/resnet.h"

#include <stdio.h>
#include <string.h>

const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f};
const float imagenet_std[3] = {0.229f, 0.224f, 0.225f};

static const char *const task_names[TASKS] = {"cls", "bbox", "detn", "objects"};

/* Blocks and widths of the four stages; a bottleneck's block gives 4 times its width. */
static const struct {
    const char *name;
    int blocks[4], widths[4];
    bool bottleneck;
} archs[ARCHS] = {
    [ARCH_TINY] = {"tiny", {1, 1, 1, 1}, {16, 32, 64, 128}, false},
    [ARCH_RESNET18] = {"resnet18", {2, 2, 2, 2}, {64, 128, 256, 512}, false},
    [ARCH_RESNET34] = {"resnet34", {3, 4, 6, 3}, {64, 128, 256, 512}, false},
    [ARCH_RESNET50] = {"resnet50", {3, 4, 6, 3}, {64, 128, 256, 512}, true},
};

const char *task_name(task t)
{
    return task_names[t];
}

const char *arch_name(arch a)
{
    return archs[a].name;
}

bool task_parse(const char *name, task *t)
{
    for (int i = 0; i < TASKS; i++)
        if (strcmp(name, task_names[i]) == 0) {
            *t = (task)i;
            return true;
        }
    return false;
}

bool arch_parse(const char *name, arch *a)
{
    for (int i = 0; i < ARCHS; i++)
        if (strcmp(name, archs[i].name) == 0) {
            *a = (arch)i;
            return true;
        }
    return false;
}

int task_outputs(task t, int classes)
{
    return t == TASK_CLS ? classes : t == TASK_BBOX ? 4 : 4 + classes;
}

/* ---------------------------------------------------------------- backbone */

/* A network being built. `at` is its last node, or -1 after a failure. */
typedef struct builder {
    graph *g;
    error *e;
    int at;
    int group;
} builder;

static void add_conv(builder *b, const char *prefix, const char *name, int channels, int kernel, int stride)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    b->at = graph_conv(b->g, b->at, full, b->group, channels, kernel, stride, kernel / 2, b->e);
}

static void add_batchnorm(builder *b, const char *prefix, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    b->at = graph_batchnorm(b->g, b->at, full, b->group, b->e);
}

static void add_relu(builder *b, const char *prefix, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    b->at = graph_relu(b->g, b->at, full, b->group, b->e);
}

/* One residual block. The shortcut is the input itself, or a 1x1 convolution with batch norm where the shape
 * changes. */
static void add_block(builder *b, const char *prefix, bool bottleneck, int width, int stride)
{
    if (b->at < 0)
        return;
    int input = b->at, out = bottleneck ? 4 * width : width;
    bool project = stride != 1 || b->g->nodes[input].c != out;
    add_conv(b, prefix, "conv1", width, bottleneck ? 1 : 3, bottleneck ? 1 : stride);
    add_batchnorm(b, prefix, "bn1");
    add_relu(b, prefix, "relu1");
    add_conv(b, prefix, "conv2", width, 3, bottleneck ? stride : 1);
    add_batchnorm(b, prefix, "bn2");
    if (bottleneck) {
        add_relu(b, prefix, "relu2");
        add_conv(b, prefix, "conv3", out, 1, 1);
        add_batchnorm(b, prefix, "bn3");
    }
    int branch = b->at, shortcut = input;
    if (project) {
        b->at = input;
        add_conv(b, prefix, "downsample.0", out, 1, stride);
        add_batchnorm(b, prefix, "downsample.1");
        shortcut = b->at;
    }
    char full[64];
    snprintf(full, sizeof full, "%sadd", prefix);
    b->at = graph_add(b->g, branch, shortcut, full, b->group, b->e);
    add_relu(b, prefix, "relu");
}

int resnet_backbone(graph *g, arch a, int layers[4], error *e)
{
    builder b = {.g = g, .e = e, .group = GROUP_STEM};
    add_conv(&b, "", "conv1", archs[a].widths[0], 7, 2);
    add_batchnorm(&b, "", "bn1");
    add_relu(&b, "", "relu");
    b.at = graph_maxpool(g, b.at, "maxpool", b.group, 3, 2, 1, e);
    for (int stage = 0; stage < 4; stage++) {
        b.group = stage < 2 ? GROUP_STEM : GROUP_TOP;
        for (int i = 0; i < archs[a].blocks[stage]; i++) {
            char prefix[32];
            snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, i);
            add_block(&b, prefix, archs[a].bottleneck, archs[a].widths[stage], stage > 0 && i == 0 ? 2 : 1);
        }
        if (layers)
            layers[stage] = b.at;
    }
    return b.at;
}

/* ---------------------------------------------------------------- heads */

static void add_dropout(builder *b, const char *name, float p)
{
    b->at = graph_dropout(b->g, b->at, name, b->group, p, b->e);
}

static void add_linear(builder *b, const char *name, int outputs)
{
    b->at = graph_linear(b->g, b->at, name, b->group, outputs, b->e);
}

static void add_flatten(builder *b, const char *name)
{
    b->at = graph_flatten(b->g, b->at, name, b->group, b->e);
}

static void head_cls(builder *b, int classes)
{
    b->at = graph_concatpool(b->g, b->at, "head.0", GROUP_TOP, b->e);
    add_batchnorm(b, "", "head.2");
    add_dropout(b, "head.3", 0.25f);
    add_linear(b, "head.4", 512);
    add_relu(b, "", "head.5");
    add_batchnorm(b, "", "head.6");
    add_dropout(b, "head.7", 0.5f);
    add_linear(b, "head.8", classes);
}

static void head_bbox(builder *b)
{
    add_flatten(b, "head.0");
    add_linear(b, "head.1", 4);
}

static void head_detn(builder *b, int classes)
{
    add_flatten(b, "head.0");
    add_relu(b, "", "head.1");
    add_dropout(b, "head.2", 0.5f);
    add_linear(b, "head.3", 256);
    add_relu(b, "", "head.4");
    add_batchnorm(b, "", "head.5");
    add_dropout(b, "head.6", 0.5f);
    add_linear(b, "head.7", 4 + classes);
}

/* layers: the ends of layer1 to layer4. */
static void head_objects(builder *b, const int layers[4], int channels, int classes)
{
    b->at = graph_conv_bias(b->g, layers[3], "head.lateral4", b->group, channels, 1, 1, 0, b->e);
    const int coarse = graph_upsample(b->g, b->at, "head.up", b->group, b->e);
    b->at = graph_conv_bias(b->g, layers[2], "head.lateral3", b->group, channels, 1, 1, 0, b->e);
    b->at = graph_add(b->g, b->at, coarse, "head.sum", b->group, b->e);
    add_relu(b, "", "head.relu");
    for (int i = 0; i < 3; i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "head.block%d.", i);
        add_conv(b, prefix, "conv", channels, 3, 1);
        add_batchnorm(b, prefix, "bn");
        add_relu(b, prefix, "relu");
    }
    b->at = graph_conv_bias(b->g, b->at, "head.out", b->group, 4 + classes, 1, 1, 0, b->e);
    add_flatten(b, "head.flatten");
}

int network_build(graph *g, task t, arch a, int size, int classes, const float mean[3], const float std[3], error *e)
{
    *g = (graph){0};
    if (size < 32 || size > 2048 || size % 32 != 0)
        return fail(e, ERR_USAGE, "picture size %d is not a multiple of 32 within 32..2048", size);
    if (t != TASK_BBOX && (classes < 1 || classes > 65536))
        return fail(e, ERR_USAGE, "%d classes: 1 to 65536 are possible", classes);
    error local = {0};
    if (!e)
        e = &local;
    int code = graph_begin(g, size, mean, std, e);
    if (code)
        return code;
    int layers[4];
    builder b = {.g = g, .e = e, .at = resnet_backbone(g, a, layers, e), .group = GROUP_HEAD};
    if (t == TASK_CLS)
        head_cls(&b, classes);
    else if (t == TASK_BBOX)
        head_bbox(&b);
    else if (t == TASK_DETN)
        head_detn(&b, classes);
    else
        head_objects(&b, layers, archs[a].widths[1] * 3 / 2, classes);
    if (b.at < 0) {
        graph_free(g);
        return e->code;
    }
    return 0;
}

size_t graph_learnable(const graph *g, int first_group, int last_group)
{
    size_t n = 0;
    for (int i = 0; i < g->param_count; i++) {
        const param *p = &g->params[i];
        if (p->trainable && p->group >= first_group && p->group <= last_group)
            n += p->count;
    }
    return n;
}
