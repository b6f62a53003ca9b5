/* graph.c - appends nodes to a network, one function for each kind. Each works out the shape of the result, checks
 * that node, group and sizes are possible, and adds the node's parameters; a node whose parameters cannot be made is
 * taken back. */
#include "graph/graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above these a product of sizes could leave size_t or an int; no network of ours comes near. */
enum { MAX_SIDE = 8192, MAX_CHANNELS = 1 << 24 };

int graph_begin(graph *g, int size, const float mean[3], const float std[3], error *e)
{
    *g = (graph){.size = size};
    if (size < 1 || size > MAX_SIDE)
        return fail(e, ERR_USAGE, "picture size %d is not within 1..%d", size, MAX_SIDE);
    for (int c = 0; c < 3; c++) {
        if (!isfinite(mean[c]) || !isfinite(std[c]) || std[c] <= 0)
            return fail(e, ERR_INPUT, "normalisation of channel %d (mean %g, std %g) is not usable", c, (double)mean[c],
                        (double)std[c]);
        g->mean[c] = mean[c];
        g->std[c] = std[c];
    }
    int code = mem_grow(&g->nodes, &g->node_capacity, 1, sizeof *g->nodes, "the network", e);
    if (code)
        return code;
    g->nodes[0] = (node){.kind = NODE_INPUT,
                         .inputs = {-1, -1},
                         .params = {-1, -1, -1, -1},
                         .group = GROUP_STEM,
                         .c = 3,
                         .h = size,
                         .w = size,
                         .name = "input"};
    g->node_count = 1;
    g->outputs = 3 * size * size;
    return 0;
}

void graph_free(graph *g)
{
    free(g->nodes);
    free(g->params);
    *g = (graph){0};
}

/* ---------------------------------------------------------------- appending */

/* What all nodes share. Returns the new node's number, or -1. */
static int add_node(graph *g, node n, const char *name, error *e)
{
    for (int i = 0; i < 2; i++)
        if (n.inputs[i] >= g->node_count || (i == 0 && n.inputs[i] < 0)) {
            fail(e, ERR_USAGE, "node '%s': there is no node %d to stand behind", name, n.inputs[i]);
            return -1;
        }
    for (int i = 0; i < 2 && n.inputs[i] >= 0; i++)
        if (n.group < g->nodes[n.inputs[i]].group) {
            fail(e, ERR_USAGE, "node '%s' of group %d stands behind '%s' of group %d", name, n.group,
                 g->nodes[n.inputs[i]].name, g->nodes[n.inputs[i]].group);
            return -1;
        }
    if (n.group < 0 || n.group >= GROUPS || strlen(name) >= sizeof n.name) {
        fail(e, ERR_USAGE, "node '%s': group %d or the name is out of range", name, n.group);
        return -1;
    }
    if (n.c < 1 || n.h < 1 || n.w < 1 || n.c > MAX_CHANNELS || (int64_t)n.c * n.h * n.w > INT32_MAX) {
        fail(e, ERR_USAGE, "node '%s': a result of %d x %d x %d per picture is not possible", name, n.c, n.h, n.w);
        return -1;
    }
    if (mem_grow(&g->nodes, &g->node_capacity, (size_t)g->node_count + 1, sizeof *g->nodes, "the network", e))
        return -1;
    snprintf(n.name, sizeof n.name, "%s", name);
    for (int i = 0; i < 4; i++)
        n.params[i] = -1;
    g->nodes[g->node_count] = n;
    g->outputs = n.c * n.h * n.w;
    return g->node_count++;
}

/* Gives node `at` its parameter number `slot`, NAME.SUFFIX of the given shape. */
static int add_param(graph *g, int at, int slot, const char *suffix, int dims, const int shape[4], bool trainable,
                     error *e)
{
    node *n = &g->nodes[at];
    int code =
        mem_grow(&g->params, &g->param_capacity, (size_t)g->param_count + 1, sizeof *g->params, "the network", e);
    if (code)
        return code;
    param *p = &g->params[g->param_count];
    *p = (param){.node = at, .dims = dims, .count = 1, .offset = g->param_floats, .group = n->group};
    p->trainable = trainable;
    snprintf(p->name, sizeof p->name, "%s.%s", n->name, suffix);
    for (int i = 0; i < dims; i++) {
        p->shape[i] = shape[i];
        if (__builtin_mul_overflow(p->count, (size_t)shape[i], &p->count))
            p->count = SIZE_MAX / 2;
    }
    if (p->count > SIZE_MAX / 64)
        return fail(e, ERR_USAGE, "parameter '%s' is too large", p->name);
    g->param_floats += p->count;
    n->params[slot] = g->param_count++;
    return 0;
}

/* Takes back node `at`, the last one, whose parameters could not be made. */
static int drop_node(graph *g, int at)
{
    while (g->param_count > 0 && g->params[g->param_count - 1].node == at)
        g->param_floats -= g->params[--g->param_count].count;
    g->node_count = at;
    const node *last = &g->nodes[at - 1];
    g->outputs = last->c * last->h * last->w;
    return -1;
}

/* A node of `kind` behind `input` with the input's shape. */
static node like_input(const graph *g, node_kind kind, int input, int group)
{
    node n = {.kind = kind, .inputs = {input, -1}, .group = group};
    if (input >= 0 && input < g->node_count) {
        n.c = g->nodes[input].c;
        n.h = g->nodes[input].h;
        n.w = g->nodes[input].w;
    }
    return n;
}

/* The output side of a window of `kernel` sliding over a side padded on both ends; 0 when it does not fit. */
static int window_side(int side, int kernel, int stride, int padding)
{
    int room = side + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

static node window_node(const graph *g, node_kind kind, int input, int group, int kernel, int stride, int padding)
{
    node n = like_input(g, kind, input, group);
    n.kernel = kernel;
    n.stride = stride;
    n.padding = padding;
    if (kernel < 1 || kernel > MAX_SIDE || stride < 1 || padding < 0 || padding >= kernel) {
        n.h = n.w = 0;
        return n;
    }
    n.h = window_side(n.h, kernel, stride, padding);
    n.w = window_side(n.w, kernel, stride, padding);
    return n;
}

int graph_conv(graph *g, int input, const char *name, int group, int channels, int kernel, int stride, int padding,
               error *e)
{
    node n = window_node(g, NODE_CONV, input, group, kernel, stride, padding);
    int inputs = n.c;
    n.c = channels;
    int at = add_node(g, n, name, e);
    if (at < 0)
        return -1;
    if (add_param(g, at, 0, "weight", 4, (int[4]){channels, inputs, kernel, kernel}, true, e))
        return drop_node(g, at);
    return at;
}

int graph_conv_bias(graph *g, int input, const char *name, int group, int channels, int kernel, int stride, int padding,
                    error *e)
{
    int at = graph_conv(g, input, name, group, channels, kernel, stride, padding, e);
    if (at < 0 || !add_param(g, at, 1, "bias", 1, (int[4]){channels}, true, e))
        return at;
    return drop_node(g, at);
}

int graph_batchnorm(graph *g, int input, const char *name, int group, error *e)
{
    node n = like_input(g, NODE_BATCHNORM, input, group);
    int at = add_node(g, n, name, e);
    if (at < 0)
        return -1;
    const char *const suffix[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++)
        if (add_param(g, at, i, suffix[i], 1, (int[4]){n.c}, i < 2, e))
            return drop_node(g, at);
    return at;
}

int graph_relu(graph *g, int input, const char *name, int group, error *e)
{
    return add_node(g, like_input(g, NODE_RELU, input, group), name, e);
}

int graph_add(graph *g, int a, int b, const char *name, int group, error *e)
{
    node n = like_input(g, NODE_ADD, a, group);
    n.inputs[1] = b;
    if (b < 0 || b >= g->node_count) {
        fail(e, ERR_USAGE, "node '%s': there is no node %d to add", name, b);
        return -1;
    }
    const node *other = &g->nodes[b];
    if (other->c != n.c || other->h != n.h || other->w != n.w) {
        fail(e, ERR_USAGE, "node '%s' adds %d x %d x %d to %d x %d x %d", name, n.c, n.h, n.w, other->c, other->h,
             other->w);
        return -1;
    }
    return add_node(g, n, name, e);
}

int graph_maxpool(graph *g, int input, const char *name, int group, int kernel, int stride, int padding, error *e)
{
    node n = window_node(g, NODE_MAXPOOL, input, group, kernel, stride, padding);
    if (2 * padding > kernel) /* a window could lie in the padding alone */
        n.h = n.w = 0;
    return add_node(g, n, name, e);
}

int graph_upsample(graph *g, int input, const char *name, int group, error *e)
{
    node n = like_input(g, NODE_UPSAMPLE, input, group);
    if (n.h > MAX_SIDE || n.w > MAX_SIDE) /* before it is doubled */
        n.c = 0;
    n.h *= 2;
    n.w *= 2;
    return add_node(g, n, name, e);
}

int graph_concatpool(graph *g, int input, const char *name, int group, error *e)
{
    node n = like_input(g, NODE_CONCATPOOL, input, group);
    n.c *= 2;
    n.h = n.w = 1;
    return add_node(g, n, name, e);
}

int graph_flatten(graph *g, int input, const char *name, int group, error *e)
{
    node n = like_input(g, NODE_FLATTEN, input, group);
    n.c *= n.h * n.w;
    n.h = n.w = 1;
    return add_node(g, n, name, e);
}

int graph_linear(graph *g, int input, const char *name, int group, int outputs, error *e)
{
    node n = like_input(g, NODE_LINEAR, input, group);
    int inputs = n.c;
    if (n.h != 1 || n.w != 1) {
        fail(e, ERR_USAGE, "node '%s': a linear layer needs a flat input, not %d x %d x %d", name, n.c, n.h, n.w);
        return -1;
    }
    n.c = outputs;
    int at = add_node(g, n, name, e);
    if (at < 0)
        return -1;
    if (add_param(g, at, 0, "weight", 2, (int[4]){outputs, inputs}, true, e) ||
        add_param(g, at, 1, "bias", 1, (int[4]){outputs}, true, e))
        return drop_node(g, at);
    return at;
}

int graph_dropout(graph *g, int input, const char *name, int group, float p, error *e)
{
    node n = like_input(g, NODE_DROPOUT, input, group);
    n.p = p;
    if (!(p >= 0 && p < 1)) {
        fail(e, ERR_USAGE, "node '%s': dropout probability %g is not within 0 and 1", name, (double)p);
        return -1;
    }
    return add_node(g, n, name, e);
}

/* ---------------------------------------------------------------- looking up */

int graph_find_param(const graph *g, const char *name)
{
    for (int i = 0; i < g->param_count; i++)
        if (strcmp(g->params[i].name, name) == 0)
            return i;
    return -1;
}
