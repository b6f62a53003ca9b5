/* planning.c - turns a graph into a list of steps with fixed memory.
 *
 * 1. Fusion. A convolution followed by a batch norm in evaluation mode becomes one step with the batch norm folded
 *    in; an addition and a ReLU behind it are folded in as well. A batch norm with batch statistics takes the
 *    addition and the ReLU behind it, an upsampling the addition.
 * 2. Steps. Forward steps in graph order, then (training) backward steps in reverse, from the output to the first
 *    trainable node. Each names the buffers that it reads and writes.
 * 3. Memory. A buffer lives from its first to its last step; buffers that never live at the same time share memory.
 */
#include "device/planning.h"

#include <stdlib.h>

conv_shape conv_shape_of(const graph *g, int batch, int node_number)
{
    const node *x = &g->nodes[node_number], *source = &g->nodes[x->inputs[0]];
    return (conv_shape){.n = batch,
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

/* ---------------------------------------------------------------- memory */

typedef struct by_size {
    int index;
    size_t size;
} by_size;

static int larger_first(const void *a, const void *b)
{
    const by_size *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->index - y->index;
}

/* Gives offsets so that buffers that live at the same time do not overlap: largest first, each at the lowest
 * place that is free. Returns 0 or a code. */
static int place_buffers(buffer_list *l, error *e)
{
    by_size *order = mem_zero(l->count, sizeof *order, "a plan", e);
    if (!order)
        return ERR_SYSTEM;
    for (size_t i = 0; i < l->count; i++)
        order[i] = (by_size){(int)i, l->items[i].size};
    qsort(order, l->count, sizeof *order, larger_first);
    for (size_t i = 0; i < l->count; i++) {
        buffer *x = &l->items[order[i].index];
        if (x->first < 0)
            continue;
        x->offset = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (size_t j = 0; j < i; j++) {
                const buffer *y = &l->items[order[j].index];
                if (y->first >= 0 && x->first <= y->last && y->first <= x->last && x->offset < y->offset + y->size &&
                    y->offset < x->offset + x->size) {
                    x->offset = y->offset + y->size;
                    moved = true;
                }
            }
        }
        if (x->offset + x->size > l->total)
            l->total = x->offset + x->size;
    }
    free(order);
    return 0;
}

/* ---------------------------------------------------------------- nodes */

/* Refuses what no device computes of node n, whose inputs are known. */
static int check_node(const planning *w, int n)
{
    const node *x = &w->g->nodes[n];
    const int *in = x->inputs;
    const char *name = w->device->name;
    if ((in[0] == 0 || in[1] == 0) && x->kind != NODE_CONV)
        return fail(w->e, ERR_SYSTEM, "%s device: node '%s' reads the picture; only a convolution can", name, x->name);
    if (in[1] >= 0 && w->info[in[0]].flat != w->info[in[1]].flat)
        return fail(w->e, ERR_SYSTEM, "%s device: '%s' adds a flat value to a picture of channels", name, x->name);
    if (in[0] >= 0 && w->info[in[0]].flat &&
        (x->kind == NODE_CONV || x->kind == NODE_MAXPOOL || x->kind == NODE_UPSAMPLE || x->kind == NODE_CONCATPOOL))
        return fail(w->e, ERR_SYSTEM, "%s device: '%s' stands behind the flatten", name, x->name);
    if (x->kind == NODE_DROPOUT && !w->info[in[0]].flat)
        return fail(w->e, ERR_SYSTEM, "%s device: dropout '%s' stands before the flatten", name, x->name);
    return 0;
}

static int survey(planning *w)
{
    const graph *g = w->g;
    for (int n = 0; n < g->node_count; n++) {
        const node *x = &g->nodes[n];
        node_info *i = &w->info[n];
        i->root = n;
        i->buffer = i->gradient[0] = i->gradient[1] = NONE;
        int first = x->inputs[0];
        bool source_flat = first >= 0 && w->info[first].flat;
        i->flat = x->kind == NODE_LINEAR || x->kind == NODE_FLATTEN || x->kind == NODE_CONCATPOOL || source_flat;
        int code = check_node(w, n);
        if (code)
            return code;
        if (w->options->training && x->group >= w->options->first_group && x->params[0] >= 0)
            i->needs_gradient = true;
        for (int k = 0; k < 2; k++)
            if (x->inputs[k] >= 0 && w->info[x->inputs[k]].needs_gradient)
                i->needs_gradient = true;
        /* what does nothing here has its input's value */
        if ((x->kind == NODE_DROPOUT && (!w->options->training || x->p <= 0)) ||
            (x->kind == NODE_FLATTEN && source_flat)) {
            i->root = w->info[first].root;
            continue;
        }
        for (int k = 0; k < 2; k++)
            if (x->inputs[k] >= 0) {
                node_info *from = &w->info[w->info[x->inputs[k]].root];
                from->consumers++;
                from->consumer = n;
            }
    }
    w->info[w->info[g->node_count - 1].root].consumers++; /* the output is read, too */
    return 0;
}

int planning_buffer(const planning *w, int n)
{
    return w->info[w->info[n].root].buffer;
}

bool planning_frozen(const planning *w, int n)
{
    return !w->options->training || w->g->nodes[n].group < w->options->first_group;
}

bool planning_needs_gradient(const planning *w, int n)
{
    return w->info[w->info[n].root].needs_gradient;
}

bool planning_read_later(const planning *w, int n, int owner, int except)
{
    for (int k = owner + 1; k < w->g->node_count; k++)
        for (int j = 0; j < 2; j++) {
            int input = w->g->nodes[k].inputs[j];
            if (k != except && input >= 0 && w->info[input].root == w->info[n].root && w->info[k].root == k)
                return true;
        }
    return false;
}

int planning_producer(const planning *w, int n)
{
    for (int i = (int)w->s->count - 1; i >= 0; i--)
        if (!w->s->steps[i].backward && w->s->steps[i].value == n)
            return i;
    return NONE;
}

/* The only reader of n, if it is of this kind, or NONE. */
static int only_consumer(const planning *w, int n, node_kind kind)
{
    const node_info *i = &w->info[n];
    return i->consumers == 1 && w->g->nodes[i->consumer].kind == kind ? i->consumer : NONE;
}

/* The chain that node `owner`, a convolution, a batch norm or an upsampling, begins. Marks its members. */
static chain chain_of(planning *w, int owner)
{
    chain c = {.end = owner, .folded = NONE, .adder = NONE, .addend = NONE};
    const bool frozen = planning_frozen(w, owner);
    if (w->g->nodes[owner].kind == NODE_CONV) {
        int bn = frozen ? only_consumer(w, owner, NODE_BATCHNORM) : NONE;
        if (bn == NONE || !planning_frozen(w, bn))
            return c;
        w->info[owner].absorbed = true;
        c.end = c.folded = bn;
    }
    int n = only_consumer(w, c.end, NODE_ADD);
    if (n != NONE && planning_frozen(w, n) == frozen) {
        const int *in = w->g->nodes[n].inputs;
        int other = w->info[in[0]].root == c.end ? in[1] : in[0];
        if (w->info[in[0]].root != w->info[in[1]].root && planning_buffer(w, other) != NONE) {
            w->info[c.end].absorbed = true;
            c.addend = other;
            c.adder = c.end = n;
        }
    }
    n = w->g->nodes[owner].kind == NODE_UPSAMPLE ? NONE : only_consumer(w, c.end, NODE_RELU);
    if (n != NONE && planning_frozen(w, n) == frozen) {
        w->info[c.end].absorbed = true;
        c.relu = true;
        c.end = n;
    }
    return c;
}

/* ---------------------------------------------------------------- steps and their buffers */

int planning_room(planning *w, size_t size)
{
    buffer_list *l = &w->s->buffers;
    if (mem_grow(&l->items, &l->capacity, l->count + 1, sizeof *l->items, "a plan", w->e))
        return NONE;
    size = (size + w->device->spare) / w->device->align * w->device->align;
    l->items[l->count] = (buffer){.size = size, .first = -1, .last = -1};
    return (int)l->count++;
}

/* Buffer `which` (NONE: nothing) is read or written by step `at`. */
static void use_buffer(planning *w, int which, int at)
{
    if (which == NONE)
        return;
    buffer *u = &w->s->buffers.items[which];
    if (u->first < 0)
        u->first = at;
    if (at > u->last)
        u->last = at;
}

/* Marks the buffers of the newest step as used by it. */
static void use_all(planning *w)
{
    const int at = (int)w->s->count - 1;
    const step *s = &w->s->steps[at];
    const int all[] = {s->in,          s->add,          s->out,   s->gradient[0], s->gradient[1],
                       s->in_gradient, s->add_gradient, s->extra, s->norm_x,      s->norm_y};
    for (size_t i = 0; i < COUNT(all); i++)
        use_buffer(w, all[i], at);
}

static step *new_step(planning *w, step_kind kind, int n)
{
    schedule *p = w->s;
    if (mem_grow(&p->steps, &p->capacity, p->count + 1, sizeof *p->steps, "a plan", w->e))
        return NULL;
    step *s = &p->steps[p->count++];
    *s = (step){.kind = kind,
                .node = n,
                .value = n,
                .flat = w->info[n].flat,
                .source = NONE,
                .addend = NONE,
                .in = NONE,
                .add = NONE,
                .out = NONE,
                .gradient = {NONE, NONE},
                .in_gradient = NONE,
                .add_gradient = NONE,
                .extra = NONE,
                .folded = NONE,
                .norm = NONE,
                .norm_x = NONE,
                .norm_y = NONE};
    return s;
}

/* ---------------------------------------------------------------- forward steps */

static int make_normalize(planning *w)
{
    step *s = new_step(w, STEP_NORMALIZE, 0);
    int out = planning_room(w, w->device->value_size(w, 0));
    if (!s || out == NONE)
        return ERR_SYSTEM;
    s->out = w->info[0].buffer = out;
    use_all(w);
    return 0;
}

static step_kind kind_of_step(node_kind kind)
{
    static const step_kind kinds[] = {
        [NODE_INPUT] = STEP_NORMALIZE, [NODE_CONV] = STEP_CONV,         [NODE_BATCHNORM] = STEP_BATCHNORM,
        [NODE_RELU] = STEP_RELU,       [NODE_ADD] = STEP_ADD,           [NODE_MAXPOOL] = STEP_MAXPOOL,
        [NODE_FLATTEN] = STEP_FLATTEN, [NODE_LINEAR] = STEP_LINEAR,     [NODE_CONCATPOOL] = STEP_CONCATPOOL,
        [NODE_DROPOUT] = STEP_DROPOUT, [NODE_UPSAMPLE] = STEP_UPSAMPLE,
    };
    return kinds[kind];
}

static int make_forward_step(planning *w, int n)
{
    const node *x = &w->g->nodes[n];
    const step_kind kind = kind_of_step(x->kind);
    chain run = {.end = n, .folded = NONE, .adder = NONE, .addend = NONE};
    if (kind == STEP_CONV || kind == STEP_BATCHNORM || kind == STEP_UPSAMPLE)
        run = chain_of(w, n);
    if (kind == STEP_ADD)
        run.addend = x->inputs[1];
    if (x->inputs[0] == 0 && w->info[0].buffer == NONE && make_normalize(w))
        return ERR_SYSTEM;
    step *s = new_step(w, kind, n);
    if (!s)
        return ERR_SYSTEM;
    s->value = run.end;
    s->source = x->inputs[0];
    s->addend = run.addend;
    s->relu = run.relu;
    s->folded = run.folded;
    s->stored = kind == STEP_BATCHNORM && (planning_frozen(w, n) || (w->options->freeze_bn && x->group < GROUP_HEAD));
    s->in = planning_buffer(w, s->source);
    s->add = run.addend == NONE ? NONE : planning_buffer(w, run.addend);
    int code = w->device->prepare(w, s, &run);
    if (code)
        return code;
    if (s->out == NONE)
        s->out = planning_room(w, w->device->value_size(w, run.end));
    w->info[run.end].buffer = s->out;
    use_all(w);
    return s->out == NONE ? ERR_SYSTEM : 0;
}

/* True for a node that needs a step of its own: not one inside a chain, nor one that does nothing here. */
static bool wants_step(const planning *w, int n)
{
    /* a member of a chain is done by the chain's step; the end of a chain has its buffer already */
    return !w->info[n].absorbed && w->info[n].root == n && w->info[n].buffer == NONE;
}

/* ---------------------------------------------------------------- backward steps */

/* Adds the second part of the gradient of the value of node n to the first. */
static int sum_gradients(planning *w, int n)
{
    node_info *value = &w->info[n];
    step *s = new_step(w, STEP_SUM, n);
    if (!s)
        return ERR_SYSTEM;
    s->backward = true;
    s->gradient[0] = value->gradient[0];
    s->gradient[1] = value->gradient[1];
    value->gradient[1] = NONE;
    value->gradients = 1;
    use_all(w);
    return 0;
}

/* Notes that buffer `which` holds a part of the gradient of node n's value. Two parts may wait: before a third one they
 * are summed. */
static int push_gradient(planning *w, int n, int which)
{
    const int root = w->info[n].root;
    node_info *i = &w->info[root];
    if (i->gradients == 2 && sum_gradients(w, root))
        return ERR_SYSTEM;
    i->gradient[i->gradients++] = which;
    i->parts++;
    return 0;
}

/* A gradient for the value read by a step, unless that needs none. */
static int gradient_buffer(planning *w, int source, int *which)
{
    *which = NONE;
    if (!planning_needs_gradient(w, source))
        return 0;
    *which = planning_room(w, w->device->value_size(w, source));
    return *which == NONE ? ERR_SYSTEM : 0;
}

/* Where the gradients go that backward step s of forward step f writes. *in_place: that of the source is there. */
static int place_gradients(planning *w, const step *f, step *s, bool *in_place)
{
    const node_info *source = &w->info[w->info[f->source].root];
    const bool norm = f->kind == STEP_BATCHNORM;
    *in_place = f->kind == STEP_CONV && w->device->gather && w->device->gather(w, s);
    if (norm && !f->flat && source->consumers == 1 && source->needs_gradient)
        s->in_gradient = f->in; /* the input is read for the last time here: its gradient takes its place */
    else if (!*in_place && gradient_buffer(w, f->source, &s->in_gradient))
        return ERR_SYSTEM;
    if (f->addend == NONE || !planning_needs_gradient(w, f->addend))
        return 0;
    if (f->kind == STEP_ADD)
        return gradient_buffer(w, f->addend, &s->add_gradient);
    s->add_gradient = s->gradient[0]; /* likewise */
    return 0;
}

static int make_backward_step(planning *w, int forward)
{
    step f = w->s->steps[forward];
    if (f.kind == STEP_NORMALIZE)
        return 0;
    node_info *value = &w->info[f.value];
    if (!value->needs_gradient || value->gradients == 0)
        return 0;
    if (value->gradients == 2 && f.kind != STEP_BATCHNORM && sum_gradients(w, f.value))
        return ERR_SYSTEM;
    step *s = new_step(w, f.kind, f.node);
    if (!s)
        return ERR_SYSTEM;
    *s = f;
    s->backward = true;
    s->gradient[0] = value->gradient[0];
    s->gradient[1] = value->gradient[1];
    bool in_place;
    if (place_gradients(w, &f, s, &in_place))
        return ERR_SYSTEM;
    /* drop what the backward pass does not read, so that its memory can be used earlier */
    bool reads_in = f.kind == STEP_CONV || f.kind == STEP_BATCHNORM || f.kind == STEP_LINEAR;
    bool reads_out = f.kind == STEP_RELU || (f.kind == STEP_BATCHNORM && f.relu && !f.sums_backward);
    if (!reads_in)
        s->in = NONE;
    if (!reads_out)
        s->out = NONE;
    s->add = in_place ? s->in_gradient : NONE;
    use_all(w);
    const int in_gradient = s->in_gradient, add_gradient = s->add_gradient;
    if (in_place)
        w->info[w->info[f.source].root].parts++;
    else if (in_gradient != NONE && push_gradient(w, f.source, in_gradient))
        return ERR_SYSTEM;
    return add_gradient == NONE ? 0 : push_gradient(w, f.addend, add_gradient);
}

/* ---------------------------------------------------------------- the whole plan */

static int make_steps(planning *w)
{
    schedule *p = w->s;
    const int last = w->g->node_count - 1;
    int code = survey(w);
    for (int n = 1; n <= last && !code; n++)
        if (wants_step(w, n))
            code = make_forward_step(w, n);
    if (code)
        return code;
    if (!w->info[last].flat)
        return fail(w->e, ERR_SYSTEM, "%s device: the output '%s' is not flat", w->device->name,
                    w->g->nodes[last].name);
    p->forward_steps = (int)p->count;
    p->output = planning_buffer(w, last);
    use_buffer(w, p->output, p->forward_steps - 1);
    if (!w->options->training)
        return 0;
    const int root = w->info[last].root;
    p->output_gradient = planning_room(w, w->device->value_size(w, root));
    if (p->output_gradient == NONE)
        return ERR_SYSTEM;
    use_buffer(w, p->output_gradient, p->forward_steps);
    code = push_gradient(w, root, p->output_gradient);
    for (int i = p->forward_steps - 1; i >= 0 && !code; i--)
        code = make_backward_step(w, i);
    return code;
}

int planning_run(const planner *table, void *owner, schedule *s, const graph *g, const plan_options *options, error *e)
{
    planning w = {.device = table,
                  .plan = owner,
                  .s = s,
                  .g = g,
                  .options = options,
                  .info = mem_zero((size_t)g->node_count, sizeof *w.info, "a plan", e),
                  .e = e};
    int code = w.info ? make_steps(&w) : ERR_SYSTEM;
    free(w.info);
    return code ? code : place_buffers(&s->buffers, e);
}
