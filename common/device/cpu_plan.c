/* cpu_plan.c - turns a graph into a list of steps with fixed memory.
 *
 * 1. Fusion. A convolution followed by a batch norm in evaluation mode becomes one step with the batch norm
 * folded in; an addition and a ReLU behind it are folded in as well. A batch norm with batch statistics takes
 * the addition and the ReLU behind it. A chain runs where its last member stands, and its value is its last
 * member's.
 * 2. Steps. Forward steps in graph order, then (training) backward steps in reverse, from the output to the
 * first trainable node. Each names the buffers that it reads and writes.
 * In bf16 the blocked values and their gradients take half a float an element; what is flat (the head) is
 * fp32, and so are parameters, their gradients and statistics.
 * 3. Memory. A buffer lives from its first to its last step; buffers that never live at the same time share
 * memory.
 */
#include "device/cpu_plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct builder {
    planning w;
    cpu_plan *p;
    cpu_model *m;
} builder;

/* ---------------------------------------------------------------- buffers and steps */

static int new_buffer(builder *b, size_t floats)
{
    return buffer_new(&b->p->buffers, (floats + 31) / 16 * 16, b->w.e);
}

static step *new_step(builder *b, step_kind kind, int node_number)
{
    cpu_plan *p = b->p;
    if (mem_grow(&p->steps, &p->step_capacity, p->step_count + 1, sizeof *p->steps, "a plan", b->w.e))
        return NULL;
    step *s = &p->steps[p->step_count++];
    *s = (step){.kind = kind,
                .flat = node_number != NONE && b->w.info[node_number].flat,
                .node = node_number,
                .value = node_number,
                .source = NONE,
                .addend = NONE,
                .in = NONE,
                .add = NONE,
                .out = NONE,
                .gradient = {NONE, NONE},
                .in_gradient = NONE,
                .add_gradient = NONE,
                .extra = NONE,
                .norm = NONE,
                .norm_x = NONE,
                .norm_y = NONE,
                .folded = NONE};
    return s;
}

/* Marks the buffers of the newest step as used by it. */
static void use_all(builder *b)
{
    int at = (int)b->p->step_count - 1;
    const step *s = &b->p->steps[at];
    const int all[] = {s->in,          s->add,          s->out,   s->gradient[0], s->gradient[1],
                       s->in_gradient, s->add_gradient, s->extra, s->norm_x,      s->norm_y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buffer_use(&b->p->buffers, all[i], at);
}

/* Floats for the value of node n, or for its gradient. */
static size_t value_floats(const builder *b, int n)
{
    const node *x = &b->w.g->nodes[n];
    const cpu_device *d = cpu_of(&b->m->base);
    int block = d->kernels->block;
    int channels = b->w.info[n].flat ? x->c : (x->c + block - 1) / block * block;
    size_t count = (size_t)b->p->base.options.batch * (size_t)channels * (size_t)x->h * (size_t)x->w;
    return d->bf16 && !b->w.info[n].flat ? count / 2 : count;
}

/* ---------------------------------------------------------------- fusion */

/* True when a node behind `owner`, other than `except`, reads the value of n. */
static bool read_later(const builder *b, int n, int owner, int except)
{
    for (int k = owner + 1; k < b->w.g->node_count; k++)
        for (int j = 0; j < 2; j++) {
            int input = b->w.g->nodes[k].inputs[j];
            if (k != except && input >= 0 && b->w.info[input].root == b->w.info[n].root &&
                b->w.info[k].root == k)
                return true;
        }
    return false;
}

/* ---------------------------------------------------------------- forward steps */

static int make_normalize(builder *b)
{
    step *s = new_step(b, STEP_NORMALIZE, 0);
    size_t floats = (size_t)b->p->base.options.batch * (size_t)b->w.g->size * (size_t)b->w.g->size * 3;
    int out = new_buffer(b, cpu_of(&b->m->base)->bf16 ? (floats + 1) / 2 : floats);
    if (!s || out == NONE)
        return ERR_SYSTEM;
    s->out = b->w.info[0].buffer = out;
    use_all(b);
    return 0;
}

/* Convolution node n: with its batch norm folded in when that is in evaluation mode. */
static int make_conv(builder *b, int n, size_t *scratch)
{
    const graph *g = b->w.g;
    const node *x = &g->nodes[n];
    const bool train = !planning_frozen(&b->w, n);
    const chain run = planning_chain(&b->w, n);
    const cpu_device *d = cpu_of(&b->m->base);
    const conv_shape shape = conv_shape_of(b->w.g, b->p->base.options.batch, n);
    const conv_options options = {.algorithm = d->algorithm,
                                  .threads = d->threads,
                                  .bf16 = d->bf16,
                                  .training = b->p->base.options.training,
                                  .plain_input = x->inputs[0] == 0,
                                  .inference = run.folded != NONE,
                                  .add = run.addend != NONE,
                                  .relu = run.relu,
                                  .backward_weights = train,
                                  .backward_data = train && planning_needs_gradient(&b->w, x->inputs[0])};
    conv *c = conv_create(d->library, &shape, &options, b->w.e);
    if (!c)
        return ERR_SYSTEM;
    if (conv_scratch_floats(c) > *scratch)
        *scratch = conv_scratch_floats(c);
    if (x->inputs[0] == 0 && b->w.info[0].buffer == NONE && make_normalize(b)) {
        conv_free(c);
        return ERR_SYSTEM;
    }
    step *s = new_step(b, STEP_CONV, n);
    if (!s) {
        conv_free(c);
        return ERR_SYSTEM;
    }
    s->conv = c;
    s->value = run.end;
    s->source = x->inputs[0];
    s->addend = run.addend;
    s->relu = run.relu;
    s->folded = run.folded;
    s->in = planning_buffer(&b->w, s->source);
    s->packed_forward = cpu_model_slot(b->m, x->params[0], conv_packed_format(c, CONV_FORWARD),
                                       conv_packed_floats(c, CONV_FORWARD), x->c, b->w.e);
    if (!s->packed_forward)
        return ERR_SYSTEM;
    if (options.backward_data) {
        s->packed_backward = cpu_model_slot(b->m, x->params[0], conv_packed_format(c, CONV_BACKWARD_DATA),
                                            conv_packed_floats(c, CONV_BACKWARD_DATA), x->c, b->w.e);
        if (!s->packed_backward)
            return ERR_SYSTEM;
    }
    if (run.addend != NONE) {
        /* the sum is made in place when nobody reads the addend afterwards */
        const node_info *a = &b->w.info[b->w.info[run.addend].root];
        s->add = a->buffer;
        if (!a->needs_gradient && a->buffer != s->in && !read_later(b, run.addend, n, run.adder))
            s->out = s->add;
    }
    if (s->out == NONE)
        s->out = new_buffer(b, value_floats(b, run.end));
    b->w.info[run.end].buffer = s->out;
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

/* The forward step that makes the value of node n, or NONE. */
static int producer_of(const builder *b, int n)
{
    for (int i = (int)b->p->step_count - 1; i >= 0; i--)
        if (!b->p->steps[i].backward && b->p->steps[i].value == n)
            return i;
    return NONE;
}

/* Has the convolution in front of the newest step, a batch norm, gather its sums, where that can be. */
static void gather_forward(builder *b)
{
    const int index = (int)b->p->step_count - 1;
    step *s = &b->p->steps[index];
    const int source = b->w.info[s->source].root, producer = producer_of(b, source);
    if (s->flat || s->stored || producer == NONE || b->w.info[source].consumers != 1)
        return;
    step *c = &b->p->steps[producer];
    if (c->kind != STEP_CONV || c->folded != NONE || !conv_gathers(c->conv))
        return;
    c->norm = index;
    s->sums_forward = true;
}

static int make_batchnorm(builder *b, int n)
{
    const node *x = &b->w.g->nodes[n];
    const chain run = planning_chain(&b->w, n);
    step *s = new_step(b, STEP_BATCHNORM, n);
    if (!s)
        return ERR_SYSTEM;
    s->value = run.end;
    s->source = x->inputs[0];
    s->addend = run.addend;
    s->relu = run.relu;
    s->stored = planning_frozen(&b->w, n) || (b->p->base.options.freeze_bn && x->group < GROUP_HEAD);
    s->in = planning_buffer(&b->w, s->source);
    s->add = run.addend == NONE ? NONE : planning_buffer(&b->w, run.addend);
    s->mean = mem_zero((size_t)x->c, sizeof(float), "a plan", b->w.e);
    s->inverse_std = mem_zero((size_t)x->c, sizeof(float), "a plan", b->w.e);
    s->sums = mem_zero((size_t)x->c * 2, sizeof(double), "a plan", b->w.e);
    s->out = b->w.info[run.end].buffer = new_buffer(b, value_floats(b, run.end));
    use_all(b);
    gather_forward(b);
    if (x->c > b->p->bn_channels)
        b->p->bn_channels = x->c;
    return s->mean && s->inverse_std && s->sums && s->out != NONE ? 0 : ERR_SYSTEM;
}

static int make_maxpool(builder *b, int n)
{
    const node *x = &b->w.g->nodes[n];
    step *s = new_step(b, STEP_MAXPOOL, n);
    if (!s)
        return ERR_SYSTEM;
    s->source = x->inputs[0];
    s->in = planning_buffer(&b->w, s->source);
    bool train = b->w.info[n].needs_gradient;
    const conv_shape shape = conv_shape_of(b->w.g, b->p->base.options.batch, n);
    const cpu_device *d = cpu_of(&b->m->base);
    s->pool = onednn_pool_create(d->library, &shape, d->bf16, train, b->w.e);
    if (!s->pool)
        return ERR_SYSTEM;
    if (train)
        s->extra = new_buffer(b, onednn_pool_workspace_bytes(s->pool) / sizeof(float) + 1);
    s->out = b->w.info[n].buffer = new_buffer(b, value_floats(b, n));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

/* ReLU, addition, flatten, concat-pool, linear, dropout on their own. */
static int make_plain(builder *b, int n, step_kind kind)
{
    const node *x = &b->w.g->nodes[n];
    step *s = new_step(b, kind, n);
    if (!s)
        return ERR_SYSTEM;
    s->source = x->inputs[0];
    s->in = planning_buffer(&b->w, s->source);
    if (kind == STEP_ADD) {
        s->addend = x->inputs[1];
        s->add = planning_buffer(&b->w, s->addend);
    }
    if (kind == STEP_CONCATPOOL && b->w.info[n].needs_gradient)
        s->extra = new_buffer(b, (size_t)b->p->base.options.batch * (size_t)x->c);
    s->out = b->w.info[n].buffer = new_buffer(b, value_floats(b, n));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

static int make_forward_step(builder *b, int n, size_t *scratch)
{
    switch (b->w.g->nodes[n].kind) {
    case NODE_INPUT:
        return 0;
    case NODE_CONV:
        return make_conv(b, n, scratch);
    case NODE_BATCHNORM:
        return make_batchnorm(b, n);
    case NODE_RELU:
        return make_plain(b, n, STEP_RELU);
    case NODE_ADD:
        return make_plain(b, n, STEP_ADD);
    case NODE_MAXPOOL:
        return make_maxpool(b, n);
    case NODE_CONCATPOOL:
        return make_plain(b, n, STEP_CONCATPOOL);
    case NODE_FLATTEN:
        return make_plain(b, n, STEP_FLATTEN);
    case NODE_LINEAR:
        return make_plain(b, n, STEP_LINEAR);
    case NODE_DROPOUT:
        return make_plain(b, n, STEP_DROPOUT);
    }
    return fail(b->w.e, ERR_SYSTEM, "cpu device: node kind %d is unknown", (int)b->w.g->nodes[n].kind);
}

/* ---------------------------------------------------------------- backward steps */

/* Adds the second gradient of a value to the first. */
static int sum_gradients(builder *b, node_info *value)
{
    step *s = new_step(b, STEP_SUM, NONE);
    if (!s)
        return ERR_SYSTEM;
    s->backward = true;
    s->flat = value->flat;
    s->in = s->out = value->gradient[0];
    s->add = value->gradient[1];
    value->gradient[1] = NONE;
    use_all(b);
    return 0;
}

/* A gradient for the value read by a step, unless that needs none. */
static int gradient_buffer(builder *b, int source, int *which)
{
    *which = NONE;
    if (!planning_needs_gradient(&b->w, source))
        return 0;
    *which = new_buffer(b, value_floats(b, source));
    return *which == NONE ? ERR_SYSTEM : 0;
}

/* Where the gradient that convolution step s will write is the last part of the gradient of a batch norm's
 * value: has s sum the parts, mask them where the batch norm's ReLU gave zero, and gather the batch norm's
 * sums. */
static bool gather_backward(builder *b, step *s)
{
    const int source = b->w.info[s->source].root, producer = producer_of(b, source);
    node_info *value = &b->w.info[source];
    s->norm = NONE;
    if (producer == NONE || !value->needs_gradient || value->gradients != value->consumers - 1 ||
        !conv_gathers(s->conv))
        return false;
    step *f = &b->p->steps[producer];
    if (f->kind != STEP_BATCHNORM || f->flat)
        return false;
    f->sums_backward = true;
    s->norm = producer;
    s->norm_x = f->in;
    s->norm_y = f->relu ? f->out : NONE;
    if (value->gradients == 0)
        return false;
    s->in_gradient = value->gradient[0]; /* the sum takes the place of the first part */
    return true;
}

static int make_backward_step(builder *b, int forward)
{
    step f = b->p->steps[forward];
    if (f.kind == STEP_NORMALIZE)
        return 0;
    node_info *value = &b->w.info[f.value];
    if (!value->needs_gradient || value->gradients == 0)
        return 0;
    if (value->gradients == 2 && f.kind != STEP_BATCHNORM && sum_gradients(b, value))
        return ERR_SYSTEM;
    step *s = new_step(b, f.kind, f.node);
    if (!s)
        return ERR_SYSTEM;
    *s = f;
    s->backward = true;
    s->gradient[0] = value->gradient[0];
    s->gradient[1] = value->gradient[1];
    const node_info *source = &b->w.info[b->w.info[f.source].root];
    bool in_place = false; /* in_gradient was known before */
    if (f.kind == STEP_CONV && gather_backward(b, s))
        in_place = true;
    else if (f.kind == STEP_BATCHNORM && !f.flat && source->consumers == 1 && source->needs_gradient)
        s->in_gradient = f.in; /* the input is read for the last time here: its gradient takes its place */
    else if (gradient_buffer(b, f.source, &s->in_gradient))
        return ERR_SYSTEM;
    if (f.addend != NONE && planning_needs_gradient(&b->w, f.addend)) {
        if (f.kind == STEP_BATCHNORM)
            s->add_gradient = s->gradient[0]; /* likewise */
        else if (gradient_buffer(b, f.addend, &s->add_gradient))
            return ERR_SYSTEM;
    }
    /* drop what the backward pass does not read, so that its memory can be used earlier */
    bool reads_in = f.kind == STEP_CONV || f.kind == STEP_BATCHNORM || f.kind == STEP_LINEAR;
    bool reads_out = f.kind == STEP_RELU || (f.kind == STEP_BATCHNORM && f.relu && !f.sums_backward);
    if (!reads_in)
        s->in = NONE;
    if (!reads_out)
        s->out = NONE;
    s->add = in_place ? s->in_gradient : NONE;
    use_all(b);
    if (s->in_gradient != NONE && !in_place)
        planning_push_gradient(&b->w, f.source, s->in_gradient);
    if (s->add_gradient != NONE)
        planning_push_gradient(&b->w, f.addend, s->add_gradient);
    return 0;
}

/* ---------------------------------------------------------------- create and free */

static int build(builder *b)
{
    cpu_plan *p = b->p;
    const graph *g = b->w.g;
    int code = 0;
    for (int n = 1; n < g->node_count && !code; n++) {
        if (!planning_wants_step(&b->w, n))
            continue;
        code = make_forward_step(b, n, &p->scratch_floats);
    }
    if (code)
        return code;
    p->forward_steps = (int)p->step_count;
    p->output_buffer = planning_buffer(&b->w, g->node_count - 1);
    buffer_use(&b->p->buffers, p->output_buffer, p->forward_steps - 1);
    if (b->w.training) {
        int last = b->w.info[g->node_count - 1].root;
        p->output_gradient = new_buffer(b, value_floats(b, last));
        if (p->output_gradient == NONE)
            return ERR_SYSTEM;
        buffer_use(&b->p->buffers, p->output_gradient, p->forward_steps);
        planning_push_gradient(&b->w, last, p->output_gradient);
        for (int i = p->forward_steps - 1; i >= 0 && !code; i--)
            code = make_backward_step(b, i);
    }
    if (code)
        return code;
    const cpu_device *d = cpu_of(&b->m->base);
    size_t statistics = (size_t)d->threads * 4 * (size_t)((p->bn_channels + 15) / 16 * 16);
    if (statistics > p->scratch_floats)
        p->scratch_floats = statistics;
    code = buffer_place(&p->buffers, b->w.e);
    return code ? code : cpu_model_reserve(b->m, p->buffers.total, p->scratch_floats, b->w.e);
}

plan *cpu_plan_create(model *m, const plan_options *options, error *e)
{
    cpu_plan *p = mem_zero(1, sizeof *p, "a plan", e);
    if (!p)
        return NULL;
    p->base = (plan){m, *options};
    builder b = {.p = p, .m = (cpu_model *)m};
    int code = planning_begin(&b.w, m->graph, options, "cpu", e);
    if (!code && options->training)
        code = cpu_model_train(b.m, e);
    if (!code)
        code = build(&b);
    planning_end(&b.w);
    if (!code)
        return &p->base;
    if (e && !e->code)
        fail(e, ERR_SYSTEM, "cpu device: the plan could not be made");
    cpu_plan_free(&p->base);
    return NULL;
}

void cpu_plan_free(plan *base)
{
    cpu_plan *p = (cpu_plan *)base;
    cpu_model *m = (cpu_model *)base->model;
    if (m->active == base)
        m->active = NULL;
    for (size_t i = 0; i < p->step_count; i++) {
        step *s = &p->steps[i];
        if (s->backward) /* refers to what its forward step owns */
            continue;
        conv_free(s->conv);
        onednn_pool_free(s->pool);
        cpu_model_release_slot(m, s->packed_forward);
        cpu_model_release_slot(m, s->packed_backward);
        free(s->mean);
        free(s->inverse_std);
        free(s->sums);
    }
    free(p->steps);
    free(p->buffers.items);
    free(p->seconds);
    free(p);
}

size_t cpu_plan_bytes(const plan *base)
{
    const cpu_plan *p = (const cpu_plan *)base;
    return (p->buffers.total + p->scratch_floats) * sizeof(float);
}
