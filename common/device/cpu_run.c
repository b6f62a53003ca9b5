/* cpu_run.c - runs the steps of a CPU's plan: one case for each kind of step, forward and backward.
 *
 * A step names buffers by number; they lie in the model's arena, which all plans of the model share. Blocked values go
 * to the kernels for the plan's precision, flat ones to those for fp32. For a bench the time of each step is added up.
 * A plan can be cut in two where the frozen groups end (plan_features).
 */
#include "device/cpu_plan.h"

#include "base/random.h"

#include <string.h>

typedef struct cpu_run {
    cpu_plan *p;
    cpu_model *m;
    const graph *g;
    const instructions *on;
    const cpu_kernels *k, *blocked;
    int threads;
    const float *input;
    double *seconds; /* of the present step, by spent_part; NULL: not timed */
    error *e;
} cpu_run;

static double now(const cpu_run *r)
{
    return r->seconds ? r->p->clock() : 0;
}

/* Adds the time since `start` to a part of the present step. */
static void spend(const cpu_run *r, spent_part part, double start)
{
    if (r->seconds)
        r->seconds[part] += now(r) - start;
}

static float *at(const cpu_run *r, int which)
{
    return which == NONE ? NULL : r->m->arena + r->p->s.buffers.items[which].offset;
}

static float *param_of(const cpu_run *r, const node *x, int which)
{
    return r->m->params + r->g->params[x->params[which]].offset;
}

static float *gradient_of(const cpu_run *r, const node *x, int which)
{
    return r->m->gradients + r->g->params[x->params[which]].offset;
}

static batchnorm batchnorm_of(const cpu_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node];
    return (batchnorm){.n = r->p->base.options.batch,
                       .c = x->c,
                       .hw = x->h * x->w,
                       .flat = s->flat,
                       .stored = s->stored,
                       .relu = s->relu,
                       .eps = (float)BATCHNORM_EPS,
                       .momentum = (float)BATCHNORM_MOMENTUM,
                       .weight = param_of(r, x, 0),
                       .bias = param_of(r, x, 1),
                       .running_mean = param_of(r, x, 2),
                       .running_var = param_of(r, x, 3),
                       .mean = cpu_work_of(s)->mean,
                       .inverse_std = cpu_work_of(s)->inverse_std,
                       .sums = (s->backward ? s->sums_backward : s->sums_forward) ? cpu_work_of(s)->sums : NULL,
                       .partial = r->m->scratch,
                       .threads = r->threads};
}

/* What convolution step s gathers for its batch norm. */
static conv_sums sums_of(const cpu_run *r, const step *s)
{
    const step *norm = &r->p->s.steps[s->norm];
    const node *x = &r->g->nodes[norm->node];
    if (!s->backward)
        return (conv_sums){.sums = cpu_work_of(norm)->sums, .center = param_of(r, x, 2)};
    return (conv_sums){.sums = cpu_work_of(norm)->sums,
                       .center = cpu_work_of(norm)->mean,
                       .add = at(r, s->add),
                       .mask = at(r, s->norm_y),
                       .x = at(r, s->norm_x)};
}

/* The kernels for elementwise steps on what s makes. */
static const cpu_kernels *kernels_of(const cpu_run *r, const step *s)
{
    return s->flat ? r->k : r->blocked;
}

/* Elements of a buffer of step s, the padding behind them included. */
static size_t elements(const cpu_run *r, const step *s, int which)
{
    const size_t floats = r->p->s.buffers.items[which].size;
    return cpu_of(&r->m->base)->bf16 && !s->flat ? floats * 2 : floats;
}

static size_t bytes_of(const cpu_run *r, int which)
{
    return r->p->s.buffers.items[which].size * sizeof(float);
}

static int pack(const cpu_run *r, const step *s, packed *slot, conv_pass pass, int folded)
{
    const double start = now(r);
    int code = cpu_model_pack(r->m, slot, cpu_work_of(s)->conv, pass, folded, r->e);
    spend(r, SPENT_PACK, start);
    return code;
}

static int forward_conv(const cpu_run *r, const step *s)
{
    const cpu_work *k = s->work;
    const bool with_bias = s->folded != NONE || r->g->nodes[s->node].params[1] >= 0;
    const float *bias = with_bias ? k->packed_forward->bias : NULL;
    conv_sums sums;
    if (s->norm != NONE)
        sums = sums_of(r, s);
    int code = pack(r, s, k->packed_forward, CONV_FORWARD, s->folded);
    return code ? code
                : conv_forward(k->conv, at(r, s->in), k->packed_forward->data, bias, at(r, s->add), at(r, s->out),
                               s->norm == NONE ? NULL : &sums, r->m->scratch, r->e);
}

static int backward_conv(const cpu_run *r, const step *s)
{
    const cpu_work *k = s->work;
    const node *x = &r->g->nodes[s->node];
    const float *gradient = at(r, s->gradient[0]);
    int code = 0;
    if (s->in_gradient != NONE) {
        code = pack(r, s, k->packed_backward, CONV_BACKWARD_DATA, NONE);
        const conv_sums none = {.add = at(r, s->add)}, sums = s->norm == NONE ? none : sums_of(r, s);
        if (!code)
            code = conv_backward_data(k->conv, gradient, k->packed_backward->data, at(r, s->in_gradient),
                                      sums.sums || sums.add ? &sums : NULL, r->m->scratch, r->e);
    }
    const double start = now(r);
    if (!code)
        code = conv_backward_weights(k->conv, at(r, s->in), gradient, gradient_of(r, x, 0), r->m->scratch, r->e);
    if (!code && x->params[1] >= 0)
        r->blocked->channel_sums(gradient, r->p->base.options.batch, x->c, x->h * x->w, gradient_of(r, x, 1),
                                 r->m->scratch, r->threads);
    spend(r, SPENT_WEIGHTS, start);
    return code;
}

static void forward_linear(const cpu_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node];
    const int batch = r->p->base.options.batch, inputs = r->g->nodes[s->source].c;
    const matmul_shape product = {.transpose_b = true, .m = batch, .n = x->c, .k = inputs};
    r->on->matmul(&product, at(r, s->in), param_of(r, x, 0), at(r, s->out), r->m->scratch, r->threads);
    r->k->add_bias(at(r, s->out), param_of(r, x, 1), batch, x->c, r->threads);
}

static void backward_linear(const cpu_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node];
    const int batch = r->p->base.options.batch, inputs = r->g->nodes[s->source].c;
    const float *gradient = at(r, s->gradient[0]);
    const matmul_shape of_weights = {.transpose_a = true, .m = x->c, .n = inputs, .k = batch},
                       of_input = {.m = batch, .n = inputs, .k = x->c};
    r->on->matmul(&of_weights, gradient, at(r, s->in), gradient_of(r, x, 0), r->m->scratch, r->threads);
    r->k->bias_gradient(gradient, gradient_of(r, x, 1), batch, x->c);
    if (s->in_gradient != NONE)
        r->on->matmul(&of_input, gradient, param_of(r, x, 0), at(r, s->in_gradient), r->m->scratch, r->threads);
}

/* Forward from `in` to `out`, backward from the gradient of `out` to that of `in`: the same mask. */
static void run_dropout(const cpu_run *r, const step *s, const float *from, float *to)
{
    const node *x = &r->g->nodes[s->node];
    const size_t count = (size_t)r->p->base.options.batch * (size_t)x->c * (size_t)x->h * (size_t)x->w;
    r->k->dropout(from, to, count, x->p, r->p->seed, PHILOX_STREAM(PURPOSE_DROPOUT, s->node), r->p->step, r->threads);
}

static int run_forward(const cpu_run *r, const step *s)
{
    const node *source = &r->g->nodes[s->source == NONE ? s->node : s->source];
    const int batch = r->p->base.options.batch, c = source->c, hw = source->h * source->w, threads = r->threads;
    const cpu_kernels *k = kernels_of(r, s);
    float *in = at(r, s->in), *out = at(r, s->out);
    switch (s->kind) {
    case STEP_NORMALIZE:
        r->blocked->normalize(r->input, batch, hw, r->g->mean, r->g->std, out, threads);
        return 0;
    case STEP_CONV:
        return forward_conv(r, s);
    case STEP_BATCHNORM: {
        batchnorm b = batchnorm_of(r, s);
        k->batchnorm_forward(&b, in, at(r, s->add), out);
        return 0;
    }
    case STEP_RELU:
        k->relu_forward(in, out, elements(r, s, s->out), threads);
        return 0;
    case STEP_ADD:
        k->add(in, at(r, s->add), out, elements(r, s, s->out), threads);
        return 0;
    case STEP_MAXPOOL: {
        const conv_shape shape = conv_shape_of(r->g, batch, s->node);
        r->blocked->maxpool_forward(&shape, in, out, at(r, s->extra), threads);
        return 0;
    }
    case STEP_UPSAMPLE:
        r->blocked->upsample_forward(in, batch, c, source->h, source->w, at(r, s->add), out, threads);
        return 0;
    case STEP_CONCATPOOL:
        r->blocked->concatpool_forward(in, batch, c, hw, out, (int32_t *)(void *)at(r, s->extra), threads);
        return 0;
    case STEP_FLATTEN:
        r->blocked->flatten(in, batch, c, hw, out, threads);
        return 0;
    case STEP_LINEAR:
        forward_linear(r, s);
        return 0;
    case STEP_DROPOUT:
        run_dropout(r, s, in, out);
        return 0;
    case STEP_SUM: /* backward only */
        return 0;
    }
    return 0;
}

static int run_backward(const cpu_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node], *source = &r->g->nodes[s->source == NONE ? s->node : s->source];
    const int batch = r->p->base.options.batch, c = source->c, hw = source->h * source->w, threads = r->threads;
    const cpu_kernels *k = kernels_of(r, s);
    float *dy = at(r, s->gradient[0]), *dy1 = at(r, s->gradient[1]), *dx = at(r, s->in_gradient);
    switch (s->kind) {
    case STEP_SUM:
        k->add(dy, dy1, dy, elements(r, s, s->gradient[0]), threads);
        return 0;
    case STEP_CONV:
        return backward_conv(r, s);
    case STEP_BATCHNORM: {
        batchnorm b = batchnorm_of(r, s);
        k->batchnorm_backward(&b, dy, dy1, at(r, s->in), at(r, s->out), gradient_of(r, x, 0), gradient_of(r, x, 1), dx,
                              at(r, s->add_gradient));
        return 0;
    }
    case STEP_RELU:
        k->relu_backward(dy, at(r, s->out), dx, elements(r, s, s->in_gradient), threads);
        return 0;
    case STEP_MAXPOOL: {
        const conv_shape shape = conv_shape_of(r->g, batch, s->node);
        r->blocked->maxpool_backward(&shape, dy, at(r, s->extra), dx, threads);
        return 0;
    }
    case STEP_UPSAMPLE:
        if (dx)
            r->blocked->upsample_backward(dy, batch, c, source->h, source->w, dx, threads);
        return 0;
    case STEP_CONCATPOOL:
        r->blocked->concatpool_backward(dy, batch, c, hw, (const int32_t *)(const void *)at(r, s->extra), dx, threads);
        return 0;
    case STEP_FLATTEN:
        r->blocked->unflatten(dy, batch, c, hw, dx, threads);
        return 0;
    case STEP_LINEAR:
        backward_linear(r, s);
        return 0;
    case STEP_DROPOUT:
        run_dropout(r, s, dy, dx);
        return 0;
    case STEP_ADD:
        if (dx)
            memcpy(dx, dy, bytes_of(r, s->in_gradient));
        if (s->add_gradient != NONE)
            memcpy(at(r, s->add_gradient), dy, bytes_of(r, s->add_gradient));
        return 0;
    case STEP_NORMALIZE:
        return 0;
    }
    return 0;
}

static cpu_run run_of(cpu_plan *p, const float *input, error *e)
{
    const cpu_device *d = cpu_of(p->base.model);
    return (cpu_run){.p = p,
                     .m = (cpu_model *)p->base.model,
                     .g = p->base.model->graph,
                     .on = d->on,
                     .k = d->kernels,
                     .blocked = d->blocked,
                     .threads = d->threads,
                     .input = input,
                     .e = e};
}

static int run_step(cpu_run *r, size_t index)
{
    const step *s = &r->p->s.steps[index];
    r->seconds = r->p->seconds ? r->p->seconds[index] : NULL;
    const double start = now(r);
    int code = s->backward ? run_backward(r, s) : run_forward(r, s);
    spend(r, SPENT_STEP, start);
    return code;
}

static int run_steps(cpu_run *r, int first, int end)
{
    for (int i = first; i < end; i++) {
        int code = run_step(r, (size_t)i);
        if (code)
            return code;
    }
    return 0;
}

static void copy_output(const cpu_run *r, float *output)
{
    memcpy(output, at(r, r->p->s.output), (size_t)r->p->base.options.batch * (size_t)r->g->outputs * sizeof *output);
}

/* Forward steps from number `first` on, to the output. */
static int finish_forward(cpu_run *r, int first, uint64_t seed, uint64_t step_number, float *output)
{
    cpu_plan *p = r->p;
    const plan_options *o = &p->base.options;
    p->seed = seed;
    p->step = step_number;
    int code = run_steps(r, first, p->s.forward_steps);
    if (code)
        return code;
    for (int i = o->first_group; i < GROUPS && o->training; i++) /* running statistics moved */
        r->m->version[i]++;
    r->m->active = &p->base;
    copy_output(r, output);
    return 0;
}

int cpu_plan_forward(plan *base, const float *input, uint64_t seed, uint64_t step_number, float *output, error *e)
{
    cpu_run r = run_of((cpu_plan *)base, input, e);
    r.m->active = NULL;
    return finish_forward(&r, 0, seed, step_number, output);
}

/* Where the steps of the groups from first_group on begin, and the values that lead over to them. */
enum { CUT_VALUES = 8 };
typedef struct cut {
    int step; /* NONE: there is no such place */
    int count, buffer[CUT_VALUES];
    size_t floats[CUT_VALUES], total; /* of one sample */
} cut;

/* Floats of one sample of what step s makes; 0: not known. */
static size_t sample_floats(const cpu_plan *p, const step *s)
{
    const node *x = &p->base.model->graph->nodes[s->value];
    const cpu_device *d = cpu_of(p->base.model);
    const size_t block = (size_t)d->kernels->block, blocks = ((size_t)x->c + block - 1) / block;
    if (s->kind == STEP_NORMALIZE)
        return 0;
    return s->flat ? (size_t)x->c : blocks * block * (size_t)x->h * (size_t)x->w / (d->bf16 ? 2 : 1);
}

/* The first step of the groups from first_group on, when all of them stand behind all others, which have no part in a
 * training; else NONE. */
static int cut_step(const cpu_plan *p, int first_group)
{
    const node *nodes = p->base.model->graph->nodes;
    const plan_options *o = &p->base.options;
    int first = NONE;
    for (int i = 0; i < p->s.forward_steps; i++) {
        const step *s = &p->s.steps[i];
        const bool behind = nodes[s->value].group >= first_group;
        if (behind && first == NONE)
            first = i;
        if (behind != (first != NONE) || (behind && nodes[s->node].group < first_group) ||
            (!behind && s->kind == STEP_DROPOUT))
            return NONE;
    }
    return first == 0 || (o->training && o->first_group < first_group) ? NONE : first;
}

static cut cut_at(const cpu_plan *p, int first_group)
{
    const cut none = {.step = NONE};
    cut c = {.step = cut_step(p, first_group)};
    for (int i = 0; i < c.step; i++) { /* by steps, so that all plans have the same order */
        const int out = p->s.steps[i].out;
        int last = c.step - 1; /* to write there */
        while (p->s.steps[last].out != out)
            last--;
        if (last != i || p->s.buffers.items[out].last < c.step)
            continue;
        const size_t floats = sample_floats(p, &p->s.steps[i]);
        if (floats == 0 || c.count == CUT_VALUES)
            return none;
        c.buffer[c.count] = out;
        c.floats[c.count++] = floats;
        c.total += floats;
    }
    return c.count ? c : none;
}

size_t cpu_plan_feature_floats(const plan *base, int first_group)
{
    const cut c = cut_at((const cpu_plan *)base, first_group);
    return c.step == NONE ? 0 : c.total;
}

int cpu_plan_features(plan *base, int first_group, const float *input, float *features, error *e)
{
    const cut c = cut_at((cpu_plan *)base, first_group);
    if (c.step == NONE)
        return fail(e, ERR_SYSTEM, "cpu device: this plan cannot be cut in two");
    cpu_run r = run_of((cpu_plan *)base, input, e);
    r.m->active = NULL;
    int code = run_steps(&r, 0, c.step);
    for (int i = 0; i < base->options.batch && !code; i++)
        for (int k = 0; k < c.count; k++, features += c.floats[k - 1])
            memcpy(features, at(&r, c.buffer[k]) + (size_t)i * c.floats[k], c.floats[k] * sizeof *features);
    return code;
}

int cpu_plan_forward_features(plan *base, int first_group, const float *features, uint64_t seed, uint64_t step_number,
                              float *output, error *e)
{
    const cut c = cut_at((cpu_plan *)base, first_group);
    if (c.step == NONE)
        return fail(e, ERR_SYSTEM, "cpu device: this plan cannot be cut in two");
    cpu_run r = run_of((cpu_plan *)base, NULL, e);
    r.m->active = NULL;
    for (int i = 0; i < base->options.batch; i++)
        for (int k = 0; k < c.count; k++, features += c.floats[k - 1])
            memcpy(at(&r, c.buffer[k]) + (size_t)i * c.floats[k], features, c.floats[k] * sizeof *features);
    return finish_forward(&r, c.step, seed, step_number, output);
}

int cpu_plan_backward(plan *base, const float *output_gradient, error *e)
{
    cpu_plan *p = (cpu_plan *)base;
    cpu_run r = run_of(p, NULL, e);
    if (!base->options.training || r.m->active != base)
        return fail(e, ERR_SYSTEM, "cpu device: a backward pass needs its own forward pass just before it");
    r.m->active = NULL; /* the gradients take the activations' places */
    memcpy(at(&r, p->s.output_gradient), output_gradient,
           (size_t)base->options.batch * (size_t)r.g->outputs * sizeof *output_gradient);
    return run_steps(&r, p->s.forward_steps, (int)p->s.count);
}
