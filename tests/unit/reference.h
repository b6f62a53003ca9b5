/* reference.h - a naive interpreter of graphs in double precision, forward and backward: the oracle of the
 * device tests. Values are plain [N][C][H][W]. Written for clarity; no layout, fusion or reuse. */
#ifndef ONEBOX_TEST_REFERENCE_H
#define ONEBOX_TEST_REFERENCE_H

#include "base/random.h"
#include "graph/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reference {
    const graph *g;
    int batch, first_group;
    bool training, freeze_bn;
    double *params, *gradients; /* flat */
    double **value, **gradient; /* by node */
    double **mean, **inverse_std;
} reference;

static inline size_t reference_count(const reference *r, int n)
{
    const node *x = &r->g->nodes[n];
    return (size_t)r->batch * (size_t)x->c * (size_t)x->h * (size_t)x->w;
}

static inline reference reference_begin(const graph *g, const float *params, int batch, bool training, int first_group,
                                        bool freeze_bn)
{
    reference r = {.g = g, .batch = batch, .first_group = first_group, .training = training, .freeze_bn = freeze_bn};
    size_t nodes = (size_t)g->node_count;
    r.params = calloc(g->param_floats + 1, sizeof(double));
    r.gradients = calloc(g->param_floats + 1, sizeof(double));
    r.value = calloc(nodes, sizeof(double *));
    r.gradient = calloc(nodes, sizeof(double *));
    r.mean = calloc(nodes, sizeof(double *));
    r.inverse_std = calloc(nodes, sizeof(double *));
    for (size_t i = 0; i < g->param_floats; i++)
        r.params[i] = (double)params[i];
    for (int n = 0; n < g->node_count; n++) {
        r.value[n] = calloc(reference_count(&r, n), sizeof(double));
        r.gradient[n] = calloc(reference_count(&r, n), sizeof(double));
        r.mean[n] = calloc((size_t)g->nodes[n].c, sizeof(double));
        r.inverse_std[n] = calloc((size_t)g->nodes[n].c, sizeof(double));
    }
    return r;
}

static inline void reference_end(reference *r)
{
    for (int n = 0; n < r->g->node_count; n++) {
        free(r->value[n]);
        free(r->gradient[n]);
        free(r->mean[n]);
        free(r->inverse_std[n]);
    }
    free(r->value);
    free(r->gradient);
    free(r->mean);
    free(r->inverse_std);
    free(r->params);
    free(r->gradients);
}

static inline double *reference_param(reference *r, const node *x, int which)
{
    return r->params + r->g->params[x->params[which]].offset;
}

/* The channel of number i of node x's value. */
static inline size_t reference_channel(const node *x, size_t i)
{
    return i / ((size_t)x->h * (size_t)x->w) % (size_t)x->c;
}

/* The number that an upsampling by 2 copies to number i of its result x. */
static inline size_t reference_nearest(const node *x, size_t i)
{
    const size_t w = (size_t)x->w, row = i / w; /* the sides are even: rows count through all planes */
    return row / 2 * (w / 2) + i % w / 2;
}

/* Calls `visit` for every product of a convolution: output index, input index, weight index. */
#define REFERENCE_CONV(x, in, body)                                                                                    \
    for (int n_ = 0; n_ < r->batch; n_++)                                                                              \
        for (int k_ = 0; k_ < (x)->c; k_++)                                                                            \
            for (int oy = 0; oy < (x)->h; oy++)                                                                        \
                for (int ox = 0; ox < (x)->w; ox++)                                                                    \
                    for (int c_ = 0; c_ < (in)->c; c_++)                                                               \
                        for (int ky = 0; ky < (x)->kernel; ky++)                                                       \
                            for (int kx = 0; kx < (x)->kernel; kx++) {                                                 \
                                int iy = oy * (x)->stride - (x)->padding + ky,                                         \
                                    ix = ox * (x)->stride - (x)->padding + kx;                                         \
                                if (iy < 0 || ix < 0 || iy >= (in)->h || ix >= (in)->w)                                \
                                    continue;                                                                          \
                                size_t o =                                                                             \
                                    (((size_t)n_ * (size_t)(x)->c + (size_t)k_) * (size_t)(x)->h + (size_t)oy) *       \
                                        (size_t)(x)->w +                                                               \
                                    (size_t)ox;                                                                        \
                                size_t i =                                                                             \
                                    (((size_t)n_ * (size_t)(in)->c + (size_t)c_) * (size_t)(in)->h + (size_t)iy) *     \
                                        (size_t)(in)->w +                                                              \
                                    (size_t)ix;                                                                        \
                                size_t w_ =                                                                            \
                                    (((size_t)k_ * (size_t)(in)->c + (size_t)c_) * (size_t)(x)->kernel + (size_t)ky) * \
                                        (size_t)(x)->kernel +                                                          \
                                    (size_t)kx;                                                                        \
                                body;                                                                                  \
                            }

static inline bool reference_stored(const reference *r, const node *x)
{
    return !r->training || x->group < r->first_group || (r->freeze_bn && x->group < GROUP_HEAD);
}

static inline void reference_batchnorm(reference *r, int n)
{
    const node *x = &r->g->nodes[n];
    const double *in = r->value[x->inputs[0]];
    double *weight = reference_param(r, x, 0), *bias = reference_param(r, x, 1), *mean = reference_param(r, x, 2),
           *var = reference_param(r, x, 3);
    size_t hw = (size_t)x->h * (size_t)x->w, c = (size_t)x->c, count = (size_t)r->batch * hw;
    for (size_t k = 0; k < c; k++) {
        double m = mean[k], v = var[k];
        if (!reference_stored(r, x)) {
            m = v = 0;
            for (size_t b = 0; b < (size_t)r->batch; b++)
                for (size_t p = 0; p < hw; p++)
                    m += in[(b * c + k) * hw + p] / (double)count;
            for (size_t b = 0; b < (size_t)r->batch; b++)
                for (size_t p = 0; p < hw; p++)
                    v += pow(in[(b * c + k) * hw + p] - m, 2) / (double)count;
            mean[k] = 0.9 * mean[k] + 0.1 * m;
            var[k] = 0.9 * var[k] + 0.1 * (count > 1 ? v * (double)count / (double)(count - 1) : v);
        }
        r->mean[n][k] = m;
        r->inverse_std[n][k] = 1 / sqrt(v + 1e-5);
        for (size_t b = 0; b < (size_t)r->batch; b++)
            for (size_t p = 0; p < hw; p++) {
                size_t i = (b * c + k) * hw + p;
                r->value[n][i] = (in[i] - m) * r->inverse_std[n][k] * weight[k] + bias[k];
            }
    }
}

static inline bool reference_kept(const reference *r, int n, size_t i, uint64_t seed, uint64_t step)
{
    (void)r;
    uint32_t word[4];
    philox_block(seed, PHILOX_STREAM(PURPOSE_DROPOUT, n), step << 32 | i / 4, word);
    return (double)word[i % 4] / 4294967296.0 >= (double)r->g->nodes[n].p;
}

static inline void reference_forward(reference *r, const float *input, uint64_t seed, uint64_t step)
{
    const graph *g = r->g;
    size_t pixels = (size_t)g->size * (size_t)g->size;
    for (size_t b = 0; b < (size_t)r->batch; b++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < 3; c++)
                r->value[0][(b * 3 + c) * pixels + p] =
                    ((double)input[(b * pixels + p) * 3 + c] - (double)g->mean[c]) / (double)g->std[c];
    for (int n = 1; n < g->node_count; n++) {
        const node *x = &g->nodes[n], *in = &g->nodes[x->inputs[0]];
        const double *a = r->value[x->inputs[0]];
        double *y = r->value[n];
        size_t count = reference_count(r, n), hw = (size_t)in->h * (size_t)in->w;
        memset(y, 0, count * sizeof *y);
        switch (x->kind) {
        case NODE_CONV: {
            const double *w = reference_param(r, x, 0);
            REFERENCE_CONV(x, in, y[o] += a[i] * w[w_])
            if (x->params[1] >= 0)
                for (size_t i = 0; i < count; i++)
                    y[i] += reference_param(r, x, 1)[reference_channel(x, i)];
            break;
        }
        case NODE_BATCHNORM:
            reference_batchnorm(r, n);
            break;
        case NODE_RELU:
            for (size_t i = 0; i < count; i++)
                y[i] = a[i] > 0 ? a[i] : 0;
            break;
        case NODE_ADD:
            for (size_t i = 0; i < count; i++)
                y[i] = a[i] + r->value[x->inputs[1]][i];
            break;
        case NODE_MAXPOOL:
            for (size_t i = 0; i < count; i++)
                y[i] = -INFINITY;
            for (size_t plane = 0; plane < (size_t)r->batch * (size_t)x->c; plane++)
                for (int oy = 0; oy < x->h; oy++)
                    for (int ox = 0; ox < x->w; ox++)
                        for (int k = 0; k < x->kernel * x->kernel; k++) {
                            int iy = oy * x->stride - x->padding + k / x->kernel,
                                ix = ox * x->stride - x->padding + k % x->kernel;
                            if (iy < 0 || ix < 0 || iy >= in->h || ix >= in->w)
                                continue;
                            double v = a[plane * hw + (size_t)(iy * in->w + ix)];
                            double *o = &y[(plane * (size_t)x->h + (size_t)oy) * (size_t)x->w + (size_t)ox];
                            *o = v > *o ? v : *o;
                        }
            break;
        case NODE_UPSAMPLE:
            for (size_t i = 0; i < count; i++)
                y[i] = a[reference_nearest(x, i)];
            break;
        case NODE_CONCATPOOL:
            for (size_t b = 0; b < (size_t)r->batch; b++)
                for (size_t c = 0; c < (size_t)in->c; c++) {
                    double best = -INFINITY, sum = 0;
                    for (size_t p = 0; p < hw; p++) {
                        double v = a[(b * (size_t)in->c + c) * hw + p];
                        best = v > best ? v : best;
                        sum += v;
                    }
                    y[b * 2 * (size_t)in->c + c] = best;
                    y[b * 2 * (size_t)in->c + (size_t)in->c + c] = sum / (double)hw;
                }
            break;
        case NODE_FLATTEN:
            memcpy(y, a, count * sizeof *y);
            break;
        case NODE_LINEAR: {
            const double *w = reference_param(r, x, 0), *bias = reference_param(r, x, 1);
            size_t features = (size_t)in->c, outputs = (size_t)x->c;
            for (size_t b = 0; b < (size_t)r->batch; b++)
                for (size_t o = 0; o < outputs; o++) {
                    y[b * outputs + o] = bias[o];
                    for (size_t i = 0; i < features; i++)
                        y[b * outputs + o] += a[b * features + i] * w[o * features + i];
                }
            break;
        }
        case NODE_DROPOUT:
            for (size_t i = 0; i < count; i++)
                y[i] = !r->training ? a[i] : reference_kept(r, n, i, seed, step) ? a[i] / (1 - (double)x->p) : 0;
            break;
        case NODE_INPUT:
            break;
        }
    }
}

static inline void reference_batchnorm_backward(reference *r, int n)
{
    const node *x = &r->g->nodes[n];
    const double *in = r->value[x->inputs[0]], *dy = r->gradient[n], *weight = reference_param(r, x, 0);
    double *dx = r->gradient[x->inputs[0]];
    double *dweight = r->gradients + r->g->params[x->params[0]].offset,
           *dbias = r->gradients + r->g->params[x->params[1]].offset;
    size_t hw = (size_t)x->h * (size_t)x->w, c = (size_t)x->c, count = (size_t)r->batch * hw;
    for (size_t k = 0; k < c; k++) {
        double sum = 0, product = 0, s = r->inverse_std[n][k], m = r->mean[n][k];
        for (size_t b = 0; b < (size_t)r->batch; b++)
            for (size_t p = 0; p < hw; p++) {
                size_t i = (b * c + k) * hw + p;
                sum += dy[i];
                product += dy[i] * (in[i] - m) * s;
            }
        dbias[k] += sum;
        dweight[k] += product;
        if (reference_stored(r, x))
            sum = product = 0;
        for (size_t b = 0; b < (size_t)r->batch; b++)
            for (size_t p = 0; p < hw; p++) {
                size_t i = (b * c + k) * hw + p;
                dx[i] += weight[k] * s * (dy[i] - sum / (double)count - (in[i] - m) * s * product / (double)count);
            }
    }
}

/* After reference_forward with the same seed and step. Gradients of groups below first_group are zeroed at
 * the end. */
static inline void reference_backward(reference *r, const float *output_gradient, uint64_t seed, uint64_t step)
{
    const graph *g = r->g;
    int last = g->node_count - 1;
    for (size_t i = 0; i < reference_count(r, last); i++)
        r->gradient[last][i] = (double)output_gradient[i];
    for (int n = last; n > 0; n--) {
        const node *x = &g->nodes[n], *in = &g->nodes[x->inputs[0]];
        const double *a = r->value[x->inputs[0]], *dy = r->gradient[n];
        double *dx = r->gradient[x->inputs[0]];
        size_t count = reference_count(r, n), hw = (size_t)in->h * (size_t)in->w;
        switch (x->kind) {
        case NODE_CONV: {
            const double *w = reference_param(r, x, 0);
            double *dw = r->gradients + g->params[x->params[0]].offset;
            REFERENCE_CONV(x, in, {
                dx[i] += dy[o] * w[w_];
                dw[w_] += dy[o] * a[i];
            })
            if (x->params[1] >= 0)
                for (size_t i = 0; i < count; i++)
                    r->gradients[g->params[x->params[1]].offset + reference_channel(x, i)] += dy[i];
            break;
        }
        case NODE_BATCHNORM:
            reference_batchnorm_backward(r, n);
            break;
        case NODE_RELU:
            for (size_t i = 0; i < count; i++)
                dx[i] += a[i] > 0 ? dy[i] : 0;
            break;
        case NODE_ADD:
            for (size_t i = 0; i < count; i++) {
                dx[i] += dy[i];
                r->gradient[x->inputs[1]][i] += dy[i];
            }
            break;
        case NODE_MAXPOOL:
            for (size_t plane = 0; plane < (size_t)r->batch * (size_t)x->c; plane++)
                for (int oy = 0; oy < x->h; oy++)
                    for (int ox = 0; ox < x->w; ox++) {
                        size_t o = (plane * (size_t)x->h + (size_t)oy) * (size_t)x->w + (size_t)ox;
                        for (int k = 0; k < x->kernel * x->kernel; k++) {
                            int iy = oy * x->stride - x->padding + k / x->kernel,
                                ix = ox * x->stride - x->padding + k % x->kernel;
                            if (iy < 0 || ix < 0 || iy >= in->h || ix >= in->w)
                                continue;
                            size_t i = plane * hw + (size_t)(iy * in->w + ix);
                            if (a[i] == r->value[n][o]) { /* the first maximum */
                                dx[i] += dy[o];
                                break;
                            }
                        }
                    }
            break;
        case NODE_UPSAMPLE:
            for (size_t i = 0; i < count; i++)
                dx[reference_nearest(x, i)] += dy[i];
            break;
        case NODE_CONCATPOOL:
            for (size_t b = 0; b < (size_t)r->batch; b++)
                for (size_t c = 0; c < (size_t)in->c; c++) {
                    size_t at = (b * (size_t)in->c + c) * hw, first = 0;
                    while (a[at + first] != r->value[n][b * 2 * (size_t)in->c + c])
                        first++;
                    dx[at + first] += dy[b * 2 * (size_t)in->c + c];
                    for (size_t p = 0; p < hw; p++)
                        dx[at + p] += dy[b * 2 * (size_t)in->c + (size_t)in->c + c] / (double)hw;
                }
            break;
        case NODE_FLATTEN:
            for (size_t i = 0; i < count; i++)
                dx[i] += dy[i];
            break;
        case NODE_LINEAR: {
            const double *w = reference_param(r, x, 0);
            double *dw = r->gradients + g->params[x->params[0]].offset,
                   *db = r->gradients + g->params[x->params[1]].offset;
            size_t features = (size_t)in->c, outputs = (size_t)x->c;
            for (size_t b = 0; b < (size_t)r->batch; b++)
                for (size_t o = 0; o < outputs; o++) {
                    db[o] += dy[b * outputs + o];
                    for (size_t i = 0; i < features; i++) {
                        dw[o * features + i] += dy[b * outputs + o] * a[b * features + i];
                        dx[b * features + i] += dy[b * outputs + o] * w[o * features + i];
                    }
                }
            break;
        }
        case NODE_DROPOUT:
            for (size_t i = 0; i < count; i++)
                if (reference_kept(r, n, i, seed, step))
                    dx[i] += dy[i] / (1 - (double)x->p);
            break;
        case NODE_INPUT:
            break;
        }
    }
    for (int i = 0; i < g->param_count; i++)
        if (g->params[i].group < r->first_group)
            memset(r->gradients + g->params[i].offset, 0, g->params[i].count * sizeof(double));
}

#endif
