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
    cpu_plan *p;
    cpu_model *m;
    const graph *g;
    node_info *info;
    bool training;
    int first_group;
    error *e;
} builder;

/* ---------------------------------------------------------------- buffers and steps */

static int new_buffer(builder *b, size_t floats)
{
    cpu_plan *p = b->p;
    if (mem_grow(&p->buffers, &p->buffer_capacity, p->buffer_count + 1, sizeof *p->buffers, "a plan", b->e))
        return NONE;
    p->buffers[p->buffer_count] = (buffer){.floats = (floats + 31) / 16 * 16, .first = -1, .last = -1};
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
    cpu_plan *p = b->p;
    if (mem_grow(&p->steps, &p->step_capacity, p->step_count + 1, sizeof *p->steps, "a plan", b->e))
        return NULL;
    step *s = &p->steps[p->step_count++];
    *s = (step){.kind = kind,
                .flat = node_number != NONE && b->info[node_number].flat,
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
        use(b, all[i], at);
}

/* Floats for the value of node n, or for its gradient. */
static size_t value_floats(const builder *b, int n)
{
    const node *x = &b->g->nodes[n];
    const cpu_device *d = cpu_of(&b->m->base);
    int block = d->kernels->block;
    int channels = b->info[n].flat ? x->c : (x->c + block - 1) / block * block;
    size_t count = (size_t)b->p->base.options.batch * (size_t)channels * (size_t)x->h * (size_t)x->w;
    return d->bf16 && !b->info[n].flat ? count / 2 : count;
}

static int buffer_of(const builder *b, int n)
{
    return b->info[b->info[n].root].buffer;
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

/* True when a node behind `owner`, other than `except`, reads the value of n. */
static bool read_later(const builder *b, int n, int owner, int except)
{
    for (int k = owner + 1; k < b->g->node_count; k++)
        for (int j = 0; j < 2; j++) {
            int input = b->g->nodes[k].inputs[j];
            if (k != except && input >= 0 && b->info[input].root == b->info[n].root && b->info[k].root == k)
                return true;
        }
    return false;
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
    size_t floats = (size_t)b->p->base.options.batch * (size_t)b->g->size * (size_t)b->g->size * 3;
    int out = new_buffer(b, cpu_of(&b->m->base)->bf16 ? (floats + 1) / 2 : floats);
    if (!s || out == NONE)
        return ERR_SYSTEM;
    s->out = b->info[0].buffer = out;
    use_all(b);
    return 0;
}

/* Sizes of a convolution or pooling node. */
static conv_shape shape_of(const builder *b, int n)
{
    const node *x = &b->g->nodes[n], *source = &b->g->nodes[x->inputs[0]];
    return (conv_shape){.n = b->p->base.options.batch,
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
static int make_conv(builder *b, int n, size_t *scratch)
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
    const cpu_device *d = cpu_of(&b->m->base);
    const conv_shape shape = shape_of(b, n);
    const conv_options options = {.algorithm = d->algorithm,
                                  .threads = d->threads,
                                  .bf16 = d->bf16,
                                  .plain_input = x->inputs[0] == 0,
                                  .inference = bn != NONE,
                                  .add = addend != NONE,
                                  .relu = relu,
                                  .backward_weights = train,
                                  .backward_data =
                                      train && b->info[b->info[x->inputs[0]].root].needs_gradient};
    conv *c = conv_create(d->library, &shape, &options, b->e);
    if (!c)
        return ERR_SYSTEM;
    if (conv_scratch_floats(c) > *scratch)
        *scratch = conv_scratch_floats(c);
    if (x->inputs[0] == 0 && b->info[0].buffer == NONE && make_normalize(b)) {
        conv_free(c);
        return ERR_SYSTEM;
    }
    step *s = new_step(b, STEP_CONV, n);
    if (!s) {
        conv_free(c);
        return ERR_SYSTEM;
    }
    s->conv = c;
    s->value = end;
    s->source = x->inputs[0];
    s->addend = addend;
    s->relu = relu;
    s->folded = bn;
    s->in = buffer_of(b, s->source);
    s->packed_forward = cpu_model_slot(b->m, x->params[0], conv_packed_format(c, CONV_FORWARD),
                                       conv_packed_floats(c, CONV_FORWARD), x->c, b->e);
    if (!s->packed_forward)
        return ERR_SYSTEM;
    if (options.backward_data) {
        s->packed_backward = cpu_model_slot(b->m, x->params[0], conv_packed_format(c, CONV_BACKWARD_DATA),
                                            conv_packed_floats(c, CONV_BACKWARD_DATA), x->c, b->e);
        if (!s->packed_backward)
            return ERR_SYSTEM;
    }
    if (addend != NONE) {
        /* the sum is made in place when nobody reads the addend afterwards */
        const node_info *a = &b->info[b->info[addend].root];
        s->add = a->buffer;
        if (!a->needs_gradient && a->buffer != s->in && !read_later(b, addend, n, adder))
            s->out = s->add;
    }
    if (s->out == NONE)
        s->out = new_buffer(b, value_floats(b, end));
    b->info[end].buffer = s->out;
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
    const int source = b->info[s->source].root, producer = producer_of(b, source);
    if (s->flat || s->stored || producer == NONE || b->info[source].consumers != 1)
        return;
    step *c = &b->p->steps[producer];
    if (c->kind != STEP_CONV || c->folded != NONE || !conv_gathers(c->conv))
        return;
    c->norm = index;
    s->sums_forward = true;
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
    s->stored = frozen(b, n) || (b->p->base.options.freeze_bn && x->group < GROUP_HEAD);
    s->in = buffer_of(b, s->source);
    s->add = addend == NONE ? NONE : buffer_of(b, addend);
    s->mean = mem_zero((size_t)x->c, sizeof(float), "a plan", b->e);
    s->inverse_std = mem_zero((size_t)x->c, sizeof(float), "a plan", b->e);
    s->sums = mem_zero((size_t)x->c * 2, sizeof(double), "a plan", b->e);
    s->out = b->info[end].buffer = new_buffer(b, value_floats(b, end));
    use_all(b);
    gather_forward(b);
    if (x->c > b->p->bn_channels)
        b->p->bn_channels = x->c;
    return s->mean && s->inverse_std && s->sums && s->out != NONE ? 0 : ERR_SYSTEM;
}

static int make_maxpool(builder *b, int n)
{
    const node *x = &b->g->nodes[n];
    step *s = new_step(b, STEP_MAXPOOL, n);
    if (!s)
        return ERR_SYSTEM;
    s->source = x->inputs[0];
    s->in = buffer_of(b, s->source);
    bool train = b->info[n].needs_gradient;
    const conv_shape shape = shape_of(b, n);
    const cpu_device *d = cpu_of(&b->m->base);
    s->pool = onednn_pool_create(d->library, &shape, d->bf16, train, b->e);
    if (!s->pool)
        return ERR_SYSTEM;
    if (train)
        s->extra = new_buffer(b, onednn_pool_workspace_bytes(s->pool) / sizeof(float) + 1);
    s->out = b->info[n].buffer = new_buffer(b, value_floats(b, n));
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
    if (kind == STEP_CONCATPOOL && b->info[n].needs_gradient)
        s->extra = new_buffer(b, (size_t)b->p->base.options.batch * (size_t)x->c);
    s->out = b->info[n].buffer = new_buffer(b, value_floats(b, n));
    use_all(b);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

static int make_forward_step(builder *b, int n, size_t *scratch)
{
    switch (b->g->nodes[n].kind) {
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
    return fail(b->e, ERR_SYSTEM, "cpu device: node kind %d is unknown", (int)b->g->nodes[n].kind);
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
            return fail(b->e, ERR_SYSTEM, "cpu device: node '%s' reads the picture; only a convolution can",
                        x->name);
        if (b->training && x->group >= b->first_group && x->params[0] >= 0)
            i->needs_gradient = true;
        for (int k = 0; k < 2; k++)
            if (x->inputs[k] >= 0 && b->info[x->inputs[k]].needs_gradient)
                i->needs_gradient = true;
        if (x->kind == NODE_DROPOUT && !source_flat)
            return fail(b->e, ERR_SYSTEM, "cpu device: dropout '%s' stands before the flatten", x->name);
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
    if (!b->info[b->info[source].root].needs_gradient)
        return 0;
    *which = new_buffer(b, value_floats(b, source));
    return *which == NONE ? ERR_SYSTEM : 0;
}

/* Where the gradient that convolution step s will write is the last part of the gradient of a batch norm's
 * value: has s sum the parts, mask them where the batch norm's ReLU gave zero, and gather the batch norm's
 * sums. */
static bool gather_backward(builder *b, step *s)
{
    const int source = b->info[s->source].root, producer = producer_of(b, source);
    node_info *value = &b->info[source];
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
    node_info *value = &b->info[f.value];
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
    const node_info *source = &b->info[b->info[f.source].root];
    bool in_place = false; /* in_gradient was known before */
    if (f.kind == STEP_CONV && gather_backward(b, s))
        in_place = true;
    else if (f.kind == STEP_BATCHNORM && !f.flat && source->consumers == 1 && source->needs_gradient)
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
    bool reads_out = f.kind == STEP_RELU || (f.kind == STEP_BATCHNORM && f.relu && !f.sums_backward);
    if (!reads_in)
        s->in = NONE;
    if (!reads_out)
        s->out = NONE;
    s->add = in_place ? s->in_gradient : NONE;
    use_all(b);
    if (s->in_gradient != NONE && !in_place)
        push_gradient(b, f.source, s->in_gradient);
    if (s->add_gradient != NONE)
        push_gradient(b, f.addend, s->add_gradient);
    return 0;
}

/* ---------------------------------------------------------------- memory */

typedef struct by_size {
    int index;
    size_t floats;
} by_size;

static int larger_first(const void *a, const void *b)
{
    const by_size *x = a, *y = b;
    if (x->floats != y->floats)
        return x->floats < y->floats ? 1 : -1;
    return x->index - y->index;
}

/* Largest first, each at the lowest offset where no placed buffer that lives at the same time is in the way.
 */
static int place_buffers(builder *b)
{
    cpu_plan *p = b->p;
    by_size *order = mem_zero(p->buffer_count, sizeof *order, "a plan", b->e);
    if (!order)
        return ERR_SYSTEM;
    for (size_t i = 0; i < p->buffer_count; i++)
        order[i] = (by_size){(int)i, p->buffers[i].floats};
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
                    x->offset < y->offset + y->floats && y->offset < x->offset + x->floats) {
                    x->offset = y->offset + y->floats;
                    moved = true;
                }
            }
        }
        if (x->offset + x->floats > p->arena_floats)
            p->arena_floats = x->offset + x->floats;
    }
    free(order);
    return 0;
}

/* ---------------------------------------------------------------- create and free */

static int build(builder *b)
{
    cpu_plan *p = b->p;
    const graph *g = b->g;
    int code = survey(b);
    for (int n = 1; n < g->node_count && !code; n++) {
        /* a member of a chain is done by the chain's step; the end of a chain has its buffer already */
        if (b->info[n].absorbed || b->info[n].root != n || b->info[n].buffer != NONE)
            continue;
        code = make_forward_step(b, n, &p->scratch_floats);
    }
    if (code)
        return code;
    p->forward_steps = (int)p->step_count;
    p->output_buffer = buffer_of(b, g->node_count - 1);
    use(b, p->output_buffer, p->forward_steps - 1);
    if (b->training) {
        int last = b->info[g->node_count - 1].root;
        p->output_gradient = new_buffer(b, value_floats(b, last));
        if (p->output_gradient == NONE)
            return ERR_SYSTEM;
        use(b, p->output_gradient, p->forward_steps);
        push_gradient(b, last, p->output_gradient);
        for (int i = p->forward_steps - 1; i >= 0 && !code; i--)
            code = make_backward_step(b, i);
    }
    if (code)
        return code;
    const cpu_device *d = cpu_of(&b->m->base);
    size_t statistics = (size_t)d->threads * 4 * (size_t)((p->bn_channels + 15) / 16 * 16);
    if (statistics > p->scratch_floats)
        p->scratch_floats = statistics;
    code = place_buffers(b);
    return code ? code : cpu_model_reserve(b->m, p->arena_floats, p->scratch_floats, b->e);
}

plan *cpu_plan_create(model *m, const plan_options *options, error *e)
{
    cpu_plan *p = mem_zero(1, sizeof *p, "a plan", e);
    node_info *info = mem_zero((size_t)m->graph->node_count, sizeof *info, "a plan", e);
    if (!p || !info) {
        free(p);
        free(info);
        return NULL;
    }
    p->base = (plan){m, *options};
    if (options->training && cpu_model_train((cpu_model *)m, e)) {
        free(p);
        free(info);
        return NULL;
    }
    builder b = {.p = p,
                 .m = (cpu_model *)m,
                 .g = m->graph,
                 .info = info,
                 .training = options->training,
                 .first_group = options->first_group,
                 .e = e};
    int code = build(&b);
    free(info);
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
    free(p->buffers);
    free(p->seconds);
    free(p);
}

size_t cpu_plan_bytes(const plan *base)
{
    const cpu_plan *p = (const cpu_plan *)base;
    return (p->arena_floats + p->scratch_floats) * sizeof(float);
}
