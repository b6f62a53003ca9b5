/* cuda_plan.c - turns a graph into a list of steps with fixed memory, for the GPU device.
 *
 * 1. Fusion. A convolution followed by a batch norm in evaluation mode becomes one step with the batch norm
 * folded in; an addition and a ReLU behind it are folded in as well. A batch norm with batch statistics takes
 * the addition and the ReLU behind it. A chain runs where its last member stands, and its value is its last
 * member's.
 * 2. Steps. Forward steps in graph order, then (training) backward steps in reverse, from the output to the
 * first trainable node. Each names the buffers that it reads and writes.
 * 3. Memory. A buffer lives from its first to its last step; buffers that never live at the same time share
 * memory.
 */
#include "device/cuda.h"

#include <stdlib.h>
#include <string.h>

typedef struct builder {
    planning w;
    cuda_plan *p;
    cuda_model *m;
} builder;

/* ---------------------------------------------------------------- buffers and steps */

static int new_buffer(builder *b, size_t bytes)
{
    return buffer_new(&b->p->buffers, (bytes + 255) / 256 * 256, b->w.e);
}

static step *new_step(builder *b, step_kind kind, int node_number)
{
    cuda_plan *p = b->p;
    if (mem_grow(&p->steps, &p->step_capacity, p->step_count + 1, sizeof *p->steps, "a plan", b->w.e))
        return NULL;
    step *s = &p->steps[p->step_count++];
    *s = (step){.kind = kind,
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
                .folded = NONE};
    return s;
}

/* Marks the buffers of the newest step as used by it. */
static void use_all(builder *b)
{
    int at = (int)b->p->step_count - 1;
    const step *s = &b->p->steps[at];
    const int all[] = {s->in,          s->add,         s->out,          s->gradient[0],
                       s->gradient[1], s->in_gradient, s->add_gradient, s->extra};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buffer_use(&b->p->buffers, all[i], at);
}

/* Bytes of a node's value for the whole batch. */
static size_t value_bytes(const builder *b, int n)
{
    const node *x = &b->w.g->nodes[n];
    return (size_t)b->p->base.options.batch * (size_t)x->c * (size_t)x->h * (size_t)x->w *
           (b->w.info[n].flat ? sizeof(float) : cuda_of(&b->m->base)->number_bytes);
}

static void need_scratch(builder *b, size_t bytes)
{
    if (bytes > b->p->scratch_bytes)
        b->p->scratch_bytes = bytes;
}

/* ---------------------------------------------------------------- forward steps */

static int make_normalize(builder *b)
{
    step *s = new_step(b, STEP_NORMALIZE, 0);
    int out = new_buffer(b, value_bytes(b, 0));
    if (!s || out == NONE)
        return ERR_SYSTEM;
    s->out = b->w.info[0].buffer = out;
    use_all(b);
    return 0;
}

/* Convolution node n: with its batch norm folded in when that is in evaluation mode. */
static int make_conv(builder *b, int n)
{
    const graph *g = b->w.g;
    const node *x = &g->nodes[n];
    const bool train = !planning_frozen(&b->w, n);
    const chain run = planning_chain(&b->w, n);
    const conv_shape shape = conv_shape_of(b->w.g, b->p->base.options.batch, n);
    const cuda_conv_options options = {.bias = run.folded != NONE,
                                       .add = run.addend != NONE,
                                       .relu = run.relu,
                                       .backward_weights = train,
                                       .backward_data =
                                           train && planning_needs_gradient(&b->w, x->inputs[0])};
    if (x->inputs[0] == 0 && b->w.info[0].buffer == NONE && make_normalize(b))
        return ERR_SYSTEM;
    step *s = new_step(b, STEP_CONV, n);
    if (!s)
        return ERR_SYSTEM;
    s->conv = cuda_conv_create(cuda_of(&b->m->base), &shape, &options, b->w.e);
    if (!s->conv)
        return ERR_SYSTEM;
    need_scratch(b, cuda_conv_workspace(s->conv));
    s->value = run.end;
    s->source = x->inputs[0];
    s->addend = run.addend;
    s->relu = run.relu;
    s->folded = run.folded;
    b->p->folds |= run.folded != NONE;
    s->in = planning_buffer(&b->w, s->source);
    s->add = run.addend == NONE ? NONE : planning_buffer(&b->w, run.addend);
    s->out = b->w.info[run.end].buffer = new_buffer(b, value_bytes(b, run.end));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
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
    s->flat = b->w.info[n].flat;
    s->stored = planning_frozen(&b->w, n) || (b->p->base.options.freeze_bn && x->group < GROUP_HEAD);
    s->in = planning_buffer(&b->w, s->source);
    s->add = run.addend == NONE ? NONE : planning_buffer(&b->w, run.addend);
    s->statistics = b->p->statistic_floats;
    b->p->statistic_floats += 2 * (size_t)x->c;
    need_scratch(
        b, kernel_norm_work((size_t)b->p->base.options.batch * (size_t)x->h * (size_t)x->w, (size_t)x->c));
    s->out = b->w.info[run.end].buffer = new_buffer(b, value_bytes(b, run.end));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

static int make_maxpool(builder *b, int n)
{
    const node *x = &b->w.g->nodes[n];
    step *s = new_step(b, STEP_MAXPOOL, n);
    if (!s)
        return ERR_SYSTEM;
    s->source = x->inputs[0];
    s->in = planning_buffer(&b->w, s->source);
    if (x->kernel > 255)
        return fail(b->w.e, ERR_SYSTEM, "cuda device: the window of '%s' is larger than 255", x->name);
    if (b->w.info[n].needs_gradient) /* a place for each maximum */
        s->extra = new_buffer(b, (size_t)b->p->base.options.batch * (size_t)x->c * (size_t)x->h *
                                     (size_t)x->w * sizeof(uint16_t));
    s->out = b->w.info[n].buffer = new_buffer(b, value_bytes(b, n));
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
    s->flat = b->w.info[n].flat;
    if (kind == STEP_CONCATPOOL && b->w.info[n].needs_gradient)
        s->extra = new_buffer(b, (size_t)b->p->base.options.batch * (size_t)x->c * sizeof(int32_t));
    s->out = b->w.info[n].buffer = new_buffer(b, value_bytes(b, n));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

static int make_forward_step(builder *b, int n)
{
    switch (b->w.g->nodes[n].kind) {
    case NODE_INPUT:
        return 0;
    case NODE_CONV:
        return make_conv(b, n);
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
    return fail(b->w.e, ERR_SYSTEM, "cuda device: node kind %d is unknown", (int)b->w.g->nodes[n].kind);
}

/* ---------------------------------------------------------------- backward steps */

/* Adds the second gradient of a value to the first. */
static int sum_gradients(builder *b, int n)
{
    node_info *value = &b->w.info[n];
    step *s = new_step(b, STEP_SUM, n);
    if (!s)
        return ERR_SYSTEM;
    s->backward = true;
    s->flat = value->flat;
    s->gradient[0] = value->gradient[0];
    s->gradient[1] = value->gradient[1];
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
    *which = new_buffer(b, value_bytes(b, source));
    return *which == NONE ? ERR_SYSTEM : 0;
}

static int make_backward_step(builder *b, int forward)
{
    step f = b->p->steps[forward];
    if (f.kind == STEP_NORMALIZE)
        return 0;
    node_info *value = &b->w.info[f.value];
    if (!value->needs_gradient || value->gradients == 0)
        return 0;
    if (value->gradients == 2 && f.kind != STEP_BATCHNORM && sum_gradients(b, f.value))
        return ERR_SYSTEM;
    step *s = new_step(b, f.kind, f.node);
    if (!s)
        return ERR_SYSTEM;
    *s = f;
    s->backward = true;
    s->gradient[0] = value->gradient[0];
    s->gradient[1] = value->gradient[1];
    const node_info *source = &b->w.info[b->w.info[f.source].root];
    if (f.kind == STEP_BATCHNORM && !f.flat && source->consumers == 1 && source->needs_gradient)
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
    bool reads_out = f.kind == STEP_RELU || (f.kind == STEP_BATCHNORM && f.relu);
    if (!reads_in)
        s->in = NONE;
    if (!reads_out)
        s->out = NONE;
    s->add = NONE;
    use_all(b);
    if (s->in_gradient != NONE)
        planning_push_gradient(&b->w, f.source, s->in_gradient);
    if (s->add_gradient != NONE)
        planning_push_gradient(&b->w, f.addend, s->add_gradient);
    return 0;
}

/* ---------------------------------------------------------------- create and free */

/* Convolution algorithms by timing, each with its own buffers (what they hold is nothing yet). */
static int find_algorithms(builder *b)
{
    cuda_plan *p = b->p;
    cuda_model *m = b->m;
    const cuda_device *d = cuda_of(&m->base);
    bool copies = d->numbers != NUMBER_FLOAT;
    for (int i = 0; i < p->forward_steps; i++) {
        const step *s = &p->steps[i];
        if (s->kind != STEP_CONV)
            continue;
        size_t offset = m->offset[b->w.g->nodes[s->node].params[0]];
        const cuda_conv_memory memory = {
            .x = m->arena + p->buffers.items[s->in].offset,
            .y = m->arena + p->buffers.items[s->out].offset,
            .weights =
                copies ? (char *)m->small_params + offset * d->number_bytes : (char *)(m->params + offset),
            .weight_gradient = copies ? (char *)m->small_gradients + offset * d->number_bytes
                                      : (char *)(m->gradients + offset),
            .workspace = m->scratch,
            .workspace_bytes = d->workspace_limit};
        int code = cuda_conv_find(s->conv, &memory, b->w.e);
        if (code)
            return code;
    }
    return 0;
}

static int build(builder *b)
{
    cuda_plan *p = b->p;
    const graph *g = b->w.g;
    int code = 0;
    for (int n = 1; n < g->node_count && !code; n++) {
        if (!planning_wants_step(&b->w, n))
            continue;
        code = make_forward_step(b, n);
    }
    if (code)
        return code;
    p->forward_steps = (int)p->step_count;
    p->output_buffer = planning_buffer(&b->w, g->node_count - 1);
    buffer_use(&b->p->buffers, p->output_buffer, p->forward_steps - 1);
    if (b->w.training) {
        int last = b->w.info[g->node_count - 1].root;
        p->output_gradient = new_buffer(b, value_bytes(b, last));
        if (p->output_gradient == NONE)
            return ERR_SYSTEM;
        buffer_use(&b->p->buffers, p->output_gradient, p->forward_steps);
        planning_push_gradient(&b->w, last, p->output_gradient);
        for (int i = p->forward_steps - 1; i >= 0 && !code; i--)
            code = make_backward_step(b, i);
    }
    if (code)
        return code;
    const node *last = &g->nodes[g->node_count - 1];
    if (!b->w.info[g->node_count - 1].flat)
        return fail(b->w.e, ERR_SYSTEM, "cuda device: the output '%s' is not flat", last->name);
    const cuda_device *d = cuda_of(&b->m->base);
    if (d->find) /* every algorithm within the limit is tried */
        need_scratch(b, d->workspace_limit);
    code = buffer_place(&p->buffers, b->w.e);
    if (code)
        return code;
    const cuda_need need = {.arena = p->buffers.total,
                            .scratch = p->scratch_bytes,
                            .pictures = (size_t)p->base.options.batch * (size_t)g->size * (size_t)g->size *
                                        3 * sizeof(float),
                            .outputs = (size_t)p->base.options.batch * (size_t)g->outputs,
                            .folds = p->folds,
                            .batch = p->base.options.batch};
    code = cuda_model_reserve(b->m, &need, b->w.e);
    if (!code)
        code = cuda_allocate((void **)&p->statistics, p->statistic_floats * sizeof(float),
                             "batch-norm statistics", b->w.e);
    return code || !d->find ? code : find_algorithms(b);
}

plan *cuda_plan_create(model *m, const plan_options *options, error *e)
{
    cuda_plan *p = mem_zero(1, sizeof *p, "a plan", e);
    if (!p)
        return NULL;
    p->base = (plan){m, *options};
    builder b = {.p = p, .m = (cuda_model *)m};
    int code = planning_begin(&b.w, m->graph, options, "cuda", e);
    if (!code)
        code = cuda_use(cuda_of(m), e);
    if (!code && options->training)
        code = cuda_model_train(b.m, e);
    if (!code)
        code = build(&b);
    planning_end(&b.w);
    if (!code)
        return &p->base;
    cuda_plan_free(&p->base);
    return NULL;
}

void cuda_plan_free(plan *base)
{
    cuda_plan *p = (cuda_plan *)base;
    cuda_model *m = (cuda_model *)base->model;
    if (m->active == base)
        m->active = NULL;
    (void)cudaSetDevice(cuda_of(&m->base)->number);
    (void)cudaStreamSynchronize(cuda_of(&m->base)->stream);
    for (size_t i = 0; i < p->step_count; i++)
        if (!p->steps[i].backward) /* those refer to what their forward steps own */
            cuda_conv_free(p->steps[i].conv);
    if (p->statistics)
        (void)cudaFree(p->statistics);
    free(p->steps);
    free(p->buffers.items);
    free(p);
}

size_t cuda_plan_bytes(const plan *base)
{
    const cuda_plan *p = (const cuda_plan *)base;
    return p->buffers.total + p->scratch_bytes + p->statistic_floats * sizeof(float);
}
