#include "nn/initial.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

float *params_alloc(const graph *g, error *e)
{
    return mem_aligned((g->param_floats ? g->param_floats : 1) * sizeof(float), "the weights", e);
}

/* ---------------------------------------------------------------- fillers: one parameter each */

static void fill_constant(const param *p, float *params, float value)
{
    for (size_t i = 0; i < p->count; i++)
        params[p->offset + i] = value;
}

static philox stream_of(const graph *g, const param *p, uint64_t seed)
{
    return philox_start(seed, PHILOX_STREAM(PURPOSE_INIT, p - g->params));
}

static void fill_normal(const graph *g, const param *p, uint64_t seed, float *params, double std)
{
    philox r = stream_of(g, p, seed);
    for (size_t i = 0; i < p->count; i++)
        params[p->offset + i] = (float)(std * philox_normal(&r));
}

static void fill_uniform(const graph *g, const param *p, uint64_t seed, float *params, double low, double high)
{
    philox r = stream_of(g, p, seed);
    for (size_t i = 0; i < p->count; i++)
        params[p->offset + i] = (float)(low + (high - low) * philox_uniform(&r));
}

/* ---------------------------------------------------------------- layers */

/* A convolution of a head: a ReLU or a sum follows, or nothing at all. */
static void initial_map(const graph *g, const node *n, bool last, uint64_t seed, float *params)
{
    const param *weight = &g->params[n->params[0]];
    const bool bias = n->params[1] >= 0;
    const double fan_in = (double)(weight->count / (size_t)weight->shape[0]);
    fill_normal(g, weight, seed, params, last ? 0.01 : sqrt((bias ? 1 : 2) / fan_in));
    if (bias)
        fill_constant(&g->params[n->params[1]], params, 0);
}

void initial_head(const graph *g, task t, uint64_t seed, float *params)
{
    for (int i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        if (n->group != GROUP_HEAD)
            continue;
        if (n->kind == NODE_BATCHNORM) {
            if (t == TASK_OBJECTS)
                fill_constant(&g->params[n->params[0]], params, 1);
            else
                fill_uniform(g, &g->params[n->params[0]], seed, params, 0, 1);
            fill_constant(&g->params[n->params[1]], params, 0);
            fill_constant(&g->params[n->params[2]], params, 0);
            fill_constant(&g->params[n->params[3]], params, 1);
        } else if (n->kind == NODE_LINEAR) {
            const param *weight = &g->params[n->params[0]], *bias = &g->params[n->params[1]];
            double fan_in = weight->shape[1], bound = 1 / sqrt(fan_in);
            if (t == TASK_CLS) {
                fill_normal(g, weight, seed, params, sqrt(2 / fan_in));
                fill_constant(bias, params, 0);
            } else {
                fill_uniform(g, weight, seed, params, -bound, bound);
                fill_uniform(g, bias, seed, params, -bound, bound);
            }
        } else if (n->kind == NODE_CONV) {
            initial_map(g, n, strcmp(n->name, "head.out") == 0, seed, params);
        }
    }
    const int out = t == TASK_OBJECTS ? graph_find_param(g, "head.out.bias") : -1;
    for (int i = 4; out >= 0 && i < g->params[out].shape[0]; i++)
        params[g->params[out].offset + (size_t)i] = (float)-log(99);
}

void initial_backbone(const graph *g, uint64_t seed, float *params)
{
    for (int i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        if (n->group == GROUP_HEAD)
            continue;
        if (n->kind == NODE_BATCHNORM) {
            for (int k = 0; k < 4; k++)
                fill_constant(&g->params[n->params[k]], params, k == 0 || k == 3 ? 1.0f : 0.0f);
        } else if (n->kind == NODE_CONV) {
            double fan_out = (double)n->c * n->kernel * n->kernel;
            fill_normal(g, &g->params[n->params[0]], seed, params, sqrt(2 / fan_out));
        }
    }
}
