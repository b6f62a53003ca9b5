/* The table walks the graph's nodes and prints the modules that PyTorch would list: some nodes are none (additions),
 * one residual block and one pooling are several. The noise is what that listing did to the network as a side
 * effect. */
#include "nn/summary.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOISE_PICTURES = 3 };

/* ---------------------------------------------------------------- the table */

/* Shape of one picture's values: flat ones have no height and width. */
typedef struct shape {
    int c, h, w;
    bool flat;
} shape;

typedef struct listing {
    text_buffer *b;
    int rows;
} listing;

static void picture_shape(shape s, char *text, size_t size)
{
    if (s.flat)
        snprintf(text, size, "[-1,%d]", s.c);
    else
        snprintf(text, size, "[-1,%d,%d,%d]", s.c, s.h, s.w);
}

static void add_row(listing *t, const char *class, shape in, shape out, const char *trainable, size_t params)
{
    char name[48], from[48], to[48];
    snprintf(name, sizeof name, "%s-%d", class, ++t->rows);
    picture_shape(in, from, sizeof from);
    picture_shape(out, to, sizeof to);
    text_add(t->b, "%-24s %-18s %-18s %-9s %zu\n", name, from, to, trainable, params);
}

/* Results are flat from a concat-pool or a flatten on. */
static bool is_flat(const graph *g, int at)
{
    for (; at > 0; at = g->nodes[at].inputs[0])
        if (g->nodes[at].kind == NODE_CONCATPOOL || g->nodes[at].kind == NODE_FLATTEN)
            return true;
    return false;
}

static shape shape_of(const graph *g, int at)
{
    const node *n = &g->nodes[at];
    return (shape){n->c, n->h, n->w, is_flat(g, at)};
}

static const char *class_of(const graph *g, int at)
{
    const node *n = &g->nodes[at];
    switch (n->kind) {
    case NODE_CONV:
        return "Conv2d";
    case NODE_BATCHNORM:
        return is_flat(g, at) ? "BatchNorm1d" : "BatchNorm2d";
    case NODE_RELU:
        return "ReLU";
    case NODE_MAXPOOL:
        return "MaxPool2d";
    case NODE_UPSAMPLE:
        return "Upsample";
    case NODE_FLATTEN:
        return "Flatten";
    case NODE_LINEAR:
        return "Linear";
    case NODE_DROPOUT:
        return "Dropout";
    case NODE_INPUT:
    case NODE_ADD:
    case NODE_CONCATPOOL:
        break;
    }
    return NULL; /* no module of its own */
}

/* The residual block whose last node, a relu, follows the addition `add`. */
static void add_block(listing *t, const graph *g, int add, shape out)
{
    int branch = g->nodes[add].inputs[0], input = g->nodes[add].inputs[1];
    if (g->nodes[input].kind == NODE_BATCHNORM) /* the shortcut's convolution and batch norm */
        input = g->nodes[g->nodes[input].inputs[0]].inputs[0];
    add_row(t, text_ends_with(g->nodes[branch].name, ".bn3") ? "Bottleneck" : "BasicBlock", shape_of(g, input), out,
            "-", 0);
}

static void add_concatpool(listing *t, shape in, shape out)
{
    shape half = {in.c, 1, 1, false}, both = {out.c, 1, 1, false};
    add_row(t, "AdaptiveMaxPool2d", in, half, "-", 0);
    add_row(t, "AdaptiveAvgPool2d", in, half, "-", 0);
    add_row(t, "AdaptiveConcatPool2d", in, both, "-", 0);
    add_row(t, "Flatten", both, out, "-", 0);
}

static size_t node_params(const graph *g, const node *n)
{
    size_t count = 0;
    for (int i = 0; i < 4 && n->params[i] >= 0; i++)
        if (g->params[n->params[i]].trainable)
            count += g->params[n->params[i]].count;
    return count;
}

void summary_table(const graph *g, task t, int first_group, text_buffer *b, int *modules)
{
    listing list = {.b = b};
    text_add(b, "%-24s %-18s %-18s %-9s %s\n", "module", "input_shape", "output_shape", "trainable", "nb_params");
    for (int i = 1; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        shape in = shape_of(g, n->inputs[0]), out = shape_of(g, i);
        const char *class = class_of(g, i);
        if (n->kind == NODE_CONCATPOOL)
            add_concatpool(&list, in, out);
        if (!class)
            continue;
        const char *trainable = n->params[0] < 0 ? "-" : n->group >= first_group ? "True" : "False";
        add_row(&list, class, in, out, trainable, node_params(g, n));
        if (n->group != GROUP_HEAD && g->nodes[n->inputs[0]].kind == NODE_ADD)
            add_block(&list, g, n->inputs[0], out);
    }
    shape last = shape_of(g, g->node_count - 1);
    if (t == TASK_CLS)
        add_row(&list, "LogSoftmax", last, last, "-", 0);
    *modules = list.rows;
}

/* ---------------------------------------------------------------- noise */

/* x so that (x - mean) / std is uniform in [0, 1). */
static void fill_noise(const graph *g, uint64_t seed, float *x, size_t pixels)
{
    philox random = philox_start(seed, PHILOX_STREAM(PURPOSE_NOISE, 0));
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++)
            /* whoever calls this has looked at x NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            x[3 * i + (size_t)c] = g->mean[c] + g->std[c] * (float)philox_uniform(&random);
}

int summary_noise(device *d, const graph *g, uint64_t seed, float *params, error *e)
{
    size_t pixels = NOISE_PICTURES * (size_t)g->size * (size_t)g->size;
    float *input = mem_aligned(3 * pixels * sizeof *input, "noise", e);
    float *output = mem_zero(NOISE_PICTURES * (size_t)g->outputs, sizeof *output, "outputs", e);
    model *m = input && output ? model_create(d, g, e) : NULL;
    plan_options o = {.batch = NOISE_PICTURES, .training = true, .first_group = GROUP_STEM};
    plan *p = NULL;
    int code = m ? model_upload(m, params, e) : e->code;
    if (!code) {
        p = plan_create(m, &o, e);
        code = p ? 0 : e->code;
    }
    if (!code) {
        fill_noise(g, seed, input, pixels);
        code = plan_forward(p, input, seed, 0, output, e);
    }
    if (!code)
        code = model_download(m, params, e);
    plan_free(p);
    model_free(m);
    free(input);
    free(output);
    return code;
}
