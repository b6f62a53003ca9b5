/* cudnn_plan.c - turns a graph into a list of steps with fixed memory, for the GPU device.
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
#include "device/cudnn.h"

#include <stdlib.h>
#include <string.h>

/* What is known of each node while a plan is made. */
typedef struct node_info {
    int consumers, consumer; /* how many nodes read it, and the last of them */
    int root;      /* the node that holds its value: itself, or another for nodes that do nothing here */
    bool absorbed; /* runs inside a later member of its chain */
    bool flat;
    bool needs_gradient; /* a trainable parameter lies at or before it */
    int buffer;
    int gradient[2], gradients;
} node_info;

typedef struct builder {
    cuda_plan *p;
    cuda_model *m;
    const graph *g;
    node_info *info;
    bool training;
    int first_group;
    error *e;
} builder;

/* ---------------------------------------------------------------- buffers and steps */

static int new_buffer(builder *b, size_t bytes)
{
    cuda_plan *p = b->p;
    if (mem_grow(&p->buffers, &p->buffer_capacity, p->buffer_count + 1, sizeof *p->buffers, "a plan", b->e))
        return NONE;
    p->buffers[p->buffer_count] = (buffer){.bytes = (bytes + 255) / 256 * 256, .first = -1, .last = -1};
    return (int)p->buffer_count++;
}

static void use(builder *b, int which, int at)
{
    if (which == NONE)
        return;
    buffer *u = &b->p->buffers[which];
    if (u->first < 0)
        u->first = at;
    if (at > u->last)
        u->last = at;
}

static step *new_step(builder *b, step_kind kind, int node_number)
{
    cuda_plan *p = b->p;
    if (mem_grow(&p->steps, &p->step_capacity, p->step_count + 1, sizeof *p->steps, "a plan", b->e))
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
        use(b, all[i], at);
}

/* Bytes of a node's value for the whole batch. */
static size_t value_bytes(const builder *b, int n)
{
    const node *x = &b->g->nodes[n];
    return (size_t)b->p->base.options.batch * (size_t)x->c * (size_t)x->h * (size_t)x->w *
           (b->info[n].flat ? sizeof(float) : cuda_of(&b->m->base)->number_bytes);
}

static int buffer_of(const builder *b, int n)
{
    return b->info[b->info[n].root].buffer;
}

static void need_scratch(builder *b, size_t bytes)
{
    if (bytes > b->p->scratch_bytes)
        b->p->scratch_bytes = bytes;
}

static bool frozen(const builder *b, int n)
{
    return !b->training || b->g->nodes[n].group < b->first_group;
}

/* ---------------------------------------------------------------- fusion */

/* The only reader of n, if it is of this kind. */
static int only_consumer(const builder *b, int n, node_kind kind)
{
    const node_info *i = &b->info[n];
    return i->consumers == 1 && b->g->nodes[i->consumer].kind == kind ? i->consumer : NONE;
}

/* Extends a chain ending at `end` over an addition and a ReLU. `owner` is the node that does the work: the
 * addition's other operand must be there before it. Returns the new end; *adder is the addition. */
static int absorb_tail(builder *b, int owner, int end, int *addend, int *adder, bool *relu)
{
    *addend = *adder = NONE;
    *relu = false;
    int n = only_consumer(b, end, NODE_ADD);
    if (n != NONE && frozen(b, n) == frozen(b, owner)) {
        const int *in = b->g->nodes[n].inputs;
        int other = b->info[in[0]].root == end ? in[1] : in[0];
        if (b->info[in[0]].root != b->info[in[1]].root && buffer_of(b, other) != NONE) {
            b->info[end].absorbed = true;
            *addend = other;
            *adder = end = n;
        }
    }
    n = only_consumer(b, end, NODE_RELU);
    if (n != NONE && frozen(b, n) == frozen(b, owner)) {
        b->info[end].absorbed = true;
        *relu = true;
        end = n;
    }
    return end;
}

/* ---------------------------------------------------------------- forward steps */

static int make_normalize(builder *b)
{
    step *s = new_step(b, STEP_NORMALIZE, 0);
    int out = new_buffer(b, value_bytes(b, 0));
    if (!s || out == NONE)
        return ERR_SYSTEM;
    s->out = b->info[0].buffer = out;
    use_all(b);
    return 0;
}

conv_shape cuda_shape_of(const cuda_plan *p, int n)
{
    const graph *g = p->base.model->graph;
    const node *x = &g->nodes[n], *source = &g->nodes[x->inputs[0]];
    return (conv_shape){.n = p->base.options.batch,
                        .c = source->c,
                        .h = source->h,
                        .w = source->w,
                        .k = x->c,
                        .oh = x->h,
                        .ow = x->w,
                        .kernel = x->kernel,
                        .stride = x->stride,
                        .padding = x->padding};
}

/* Convolution node n: with its batch norm folded in when that is in evaluation mode. */
static int make_conv(builder *b, int n)
{
    const graph *g = b->g;
    const node *x = &g->nodes[n];
    bool train = b->training && !frozen(b, n);
    int bn = train ? NONE : only_consumer(b, n, NODE_BATCHNORM), addend = NONE, adder = NONE, end = n;
    bool relu = false;
    if (bn != NONE && !frozen(b, bn))
        bn = NONE;
    if (bn != NONE) {
        b->info[n].absorbed = true;
        end = absorb_tail(b, n, bn, &addend, &adder, &relu);
    }
    const conv_shape shape = cuda_shape_of(b->p, n);
    const conv_options options = {.bias = bn != NONE,
                                  .add = addend != NONE,
                                  .relu = relu,
                                  .backward_weights = train,
                                  .backward_data =
                                      train && b->info[b->info[x->inputs[0]].root].needs_gradient};
    if (x->inputs[0] == 0 && b->info[0].buffer == NONE && make_normalize(b))
        return ERR_SYSTEM;
    step *s = new_step(b, STEP_CONV, n);
    if (!s)
        return ERR_SYSTEM;
    s->conv = conv_create(cuda_of(&b->m->base), &shape, &options, b->e);
    if (!s->conv)
        return ERR_SYSTEM;
    need_scratch(b, conv_workspace(s->conv));
    s->value = end;
    s->source = x->inputs[0];
    s->addend = addend;
    s->relu = relu;
    s->folded = bn;
    b->p->folds |= bn != NONE;
    s->in = buffer_of(b, s->source);
    s->add = addend == NONE ? NONE : buffer_of(b, addend);
    s->out = b->info[end].buffer = new_buffer(b, value_bytes(b, end));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

static int make_batchnorm(builder *b, int n)
{
    const node *x = &b->g->nodes[n];
    int addend, adder;
    bool relu;
    int end = absorb_tail(b, n, n, &addend, &adder, &relu);
    step *s = new_step(b, STEP_BATCHNORM, n);
    if (!s)
        return ERR_SYSTEM;
    s->value = end;
    s->source = x->inputs[0];
    s->addend = addend;
    s->relu = relu;
    s->flat = b->info[n].flat;
    s->stored = frozen(b, n) || (b->p->base.options.freeze_bn && x->group < GROUP_HEAD);
    s->in = buffer_of(b, s->source);
    s->add = addend == NONE ? NONE : buffer_of(b, addend);
    s->statistics = b->p->statistic_floats;
    b->p->statistic_floats += 2 * (size_t)x->c;
    need_scratch(
        b, kernel_norm_work((size_t)b->p->base.options.batch * (size_t)x->h * (size_t)x->w, (size_t)x->c));
    s->out = b->info[end].buffer = new_buffer(b, value_bytes(b, end));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

static int make_maxpool(builder *b, int n)
{
    const node *x = &b->g->nodes[n];
    step *s = new_step(b, STEP_MAXPOOL, n);
    if (!s)
        return ERR_SYSTEM;
    s->source = x->inputs[0];
    s->in = buffer_of(b, s->source);
    if (x->kernel > 255)
        return fail(b->e, ERR_SYSTEM, "cuda device: the window of '%s' is larger than 255", x->name);
    if (b->info[n].needs_gradient) /* a place for each maximum */
        s->extra = new_buffer(b, (size_t)b->p->base.options.batch * (size_t)x->c * (size_t)x->h *
                                     (size_t)x->w * sizeof(uint16_t));
    s->out = b->info[n].buffer = new_buffer(b, value_bytes(b, n));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

/* ReLU, addition, flatten, concat-pool, linear, dropout on their own. */
static int make_plain(builder *b, int n, step_kind kind)
{
    const node *x = &b->g->nodes[n];
    step *s = new_step(b, kind, n);
    if (!s)
        return ERR_SYSTEM;
    s->source = x->inputs[0];
    s->in = buffer_of(b, s->source);
    if (kind == STEP_ADD) {
        s->addend = x->inputs[1];
        s->add = buffer_of(b, s->addend);
    }
    s->flat = b->info[n].flat;
    if (kind == STEP_CONCATPOOL && b->info[n].needs_gradient)
        s->extra = new_buffer(b, (size_t)b->p->base.options.batch * (size_t)x->c * sizeof(int32_t));
    s->out = b->info[n].buffer = new_buffer(b, value_bytes(b, n));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

static int make_forward_step(builder *b, int n)
{
    switch (b->g->nodes[n].kind) {
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
    return fail(b->e, ERR_SYSTEM, "cuda device: node kind %d is unknown", (int)b->g->nodes[n].kind);
}

/* Consumers, layouts, roots, and which values need gradients. */
static int survey(builder *b)
{
    const graph *g = b->g;
    for (int n = 0; n < g->node_count; n++) {
        const node *x = &g->nodes[n];
        node_info *i = &b->info[n];
        i->root = n;
        i->buffer = i->gradient[0] = i->gradient[1] = NONE;
        int first = x->inputs[0];
        bool source_flat = first >= 0 && b->info[first].flat;
        i->flat =
            x->kind == NODE_LINEAR || x->kind == NODE_FLATTEN || x->kind == NODE_CONCATPOOL || source_flat;
        if (first == 0 && x->kind != NODE_CONV)
            return fail(b->e, ERR_SYSTEM, "cuda device: node '%s' reads the picture; only a convolution can",
                        x->name);
        if (b->training && x->group >= b->first_group && x->params[0] >= 0)
            i->needs_gradient = true;
        for (int k = 0; k < 2; k++)
            if (x->inputs[k] >= 0 && b->info[x->inputs[k]].needs_gradient)
                i->needs_gradient = true;
        if (x->kind == NODE_DROPOUT && !source_flat)
            return fail(b->e, ERR_SYSTEM, "cuda device: dropout '%s' stands before the flatten", x->name);
        /* what does nothing here has its input's value */
        if ((x->kind == NODE_DROPOUT && (!b->training || x->p <= 0)) ||
            (x->kind == NODE_FLATTEN && source_flat)) {
            i->root = b->info[first].root;
            continue;
        }
        for (int k = 0; k < 2; k++)
            if (x->inputs[k] >= 0) {
                node_info *from = &b->info[b->info[x->inputs[k]].root];
                from->consumers++;
                from->consumer = n;
            }
    }
    return 0;
}

/* ---------------------------------------------------------------- backward steps */

static void push_gradient(builder *b, int n, int which)
{
    node_info *i = &b->info[b->info[n].root];
    if (i->gradients < 2)
        i->gradient[i->gradients++] = which;
}

/* Adds the second gradient of a value to the first. */
static int sum_gradients(builder *b, int n)
{
    node_info *value = &b->info[n];
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
    if (!b->info[b->info[source].root].needs_gradient)
        return 0;
    *which = new_buffer(b, value_bytes(b, source));
    return *which == NONE ? ERR_SYSTEM : 0;
}

static int make_backward_step(builder *b, int forward)
{
    step f = b->p->steps[forward];
    if (f.kind == STEP_NORMALIZE)
        return 0;
    node_info *value = &b->info[f.value];
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
    const node_info *source = &b->info[b->info[f.source].root];
    if (f.kind == STEP_BATCHNORM && !f.flat && source->consumers == 1 && source->needs_gradient)
        s->in_gradient = f.in; /* the input is read for the last time here: its gradient takes its place */
    else if (gradient_buffer(b, f.source, &s->in_gradient))
        return ERR_SYSTEM;
    if (f.addend != NONE && b->info[b->info[f.addend].root].needs_gradient) {
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
        push_gradient(b, f.source, s->in_gradient);
    if (s->add_gradient != NONE)
        push_gradient(b, f.addend, s->add_gradient);
    return 0;
}

/* ---------------------------------------------------------------- memory */

typedef struct by_size {
    int index;
    size_t bytes;
} by_size;

static int larger_first(const void *a, const void *b)
{
    const by_size *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->index - y->index;
}

/* Largest first, each at the lowest offset where no placed buffer that lives at the same time is in the way.
 */
static int place_buffers(builder *b)
{
    cuda_plan *p = b->p;
    by_size *order = mem_zero(p->buffer_count, sizeof *order, "a plan", b->e);
    if (!order)
        return ERR_SYSTEM;
    for (size_t i = 0; i < p->buffer_count; i++)
        order[i] = (by_size){(int)i, p->buffers[i].bytes};
    qsort(order, p->buffer_count, sizeof *order, larger_first);
    for (size_t i = 0; i < p->buffer_count; i++) {
        buffer *x = &p->buffers[order[i].index];
        if (x->first < 0)
            continue;
        x->offset = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (size_t j = 0; j < i; j++) {
                const buffer *y = &p->buffers[order[j].index];
                if (y->first >= 0 && x->first <= y->last && y->first <= x->last &&
                    x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes) {
                    x->offset = y->offset + y->bytes;
                    moved = true;
                }
            }
        }
        if (x->offset + x->bytes > p->arena_bytes)
            p->arena_bytes = x->offset + x->bytes;
    }
    free(order);
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
        size_t offset = m->offset[b->g->nodes[s->node].params[0]];
        const conv_memory memory = {.x = m->arena + p->buffers[s->in].offset,
                                    .y = m->arena + p->buffers[s->out].offset,
                                    .weights = copies ? (char *)m->small_params + offset * d->number_bytes
                                                      : (char *)(m->params + offset),
                                    .weight_gradient =
                                        copies ? (char *)m->small_gradients + offset * d->number_bytes
                                               : (char *)(m->gradients + offset),
                                    .workspace = m->scratch,
                                    .workspace_bytes = d->workspace_limit};
        int code = conv_find(s->conv, &memory, b->e);
        if (code)
            return code;
    }
    return 0;
}

static int build(builder *b)
{
    cuda_plan *p = b->p;
    const graph *g = b->g;
    int code = survey(b);
    for (int n = 1; n < g->node_count && !code; n++) {
        /* a member of a chain is done by the chain's step; the end of a chain has its buffer already */
        if (b->info[n].absorbed || b->info[n].root != n || b->info[n].buffer != NONE)
            continue;
        code = make_forward_step(b, n);
    }
    if (code)
        return code;
    p->forward_steps = (int)p->step_count;
    p->output_buffer = buffer_of(b, g->node_count - 1);
    use(b, p->output_buffer, p->forward_steps - 1);
    if (b->training) {
        int last = b->info[g->node_count - 1].root;
        p->output_gradient = new_buffer(b, value_bytes(b, last));
        if (p->output_gradient == NONE)
            return ERR_SYSTEM;
        use(b, p->output_gradient, p->forward_steps);
        push_gradient(b, last, p->output_gradient);
        for (int i = p->forward_steps - 1; i >= 0 && !code; i--)
            code = make_backward_step(b, i);
    }
    if (code)
        return code;
    const node *last = &g->nodes[g->node_count - 1];
    if (!b->info[g->node_count - 1].flat)
        return fail(b->e, ERR_SYSTEM, "cuda device: the output '%s' is not flat", last->name);
    const cuda_device *d = cuda_of(&b->m->base);
    if (d->find) /* every algorithm within the limit is tried */
        need_scratch(b, d->workspace_limit);
    code = place_buffers(b);
    if (code)
        return code;
    const cuda_need need = {.arena = p->arena_bytes,
                            .scratch = p->scratch_bytes,
                            .pictures = (size_t)p->base.options.batch * (size_t)g->size * (size_t)g->size *
                                        3 * sizeof(float),
                            .outputs = (size_t)p->base.options.batch * (size_t)g->outputs,
                            .folds = p->folds,
                            .batch = p->base.options.batch};
    code = cuda_model_reserve(b->m, &need, b->e);
    if (!code)
        code = cuda_allocate((void **)&p->statistics, p->statistic_floats * sizeof(float),
                             "batch-norm statistics", b->e);
    return code || !d->find ? code : find_algorithms(b);
}

plan *cuda_plan_create(model *m, const plan_options *options, error *e)
{
    cuda_plan *p = mem_zero(1, sizeof *p, "a plan", e);
    node_info *info = mem_zero((size_t)m->graph->node_count, sizeof *info, "a plan", e);
    if (!p || !info) {
        free(p);
        free(info);
        return NULL;
    }
    p->base = (plan){m, *options};
    builder b = {.p = p,
                 .m = (cuda_model *)m,
                 .g = m->graph,
                 .info = info,
                 .training = options->training,
                 .first_group = options->first_group,
                 .e = e};
    int code = cuda_use(cuda_of(m), e);
    if (!code && options->training)
        code = cuda_model_train(b.m, e);
    if (!code)
        code = build(&b);
    free(info);
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
            conv_free(p->steps[i].conv);
    if (p->statistics)
        (void)cudaFree(p->statistics);
    free(p->steps);
    free(p->buffers);
    free(p);
}

size_t cuda_plan_bytes(const plan *base)
{
    const cuda_plan *p = (const cuda_plan *)base;
    return p->arena_bytes + p->scratch_bytes + p->statistic_floats * sizeof(float);
}
