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

int buffer_new(buffer_list *l, size_t size, error *e)
{
    if (mem_grow(&l->items, &l->capacity, l->count + 1, sizeof *l->items, "a plan", e))
        return NONE;
    l->items[l->count] = (buffer){.size = size, .first = -1, .last = -1};
    return (int)l->count++;
}

void buffer_use(buffer_list *l, int which, int at)
{
    if (which == NONE)
        return;
    buffer *u = &l->items[which];
    if (u->first < 0)
        u->first = at;
    if (at > u->last)
        u->last = at;
}

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

int buffer_place(buffer_list *l, error *e)
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
                if (y->first >= 0 && x->first <= y->last && y->first <= x->last &&
                    x->offset < y->offset + y->size && y->offset < x->offset + x->size) {
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
        i->flat =
            x->kind == NODE_LINEAR || x->kind == NODE_FLATTEN || x->kind == NODE_CONCATPOOL || source_flat;
        if (first == 0 && x->kind != NODE_CONV)
            return fail(w->e, ERR_SYSTEM, "%s device: node '%s' reads the picture; only a convolution can",
                        w->name, x->name);
        if (w->training && x->group >= w->first_group && x->params[0] >= 0)
            i->needs_gradient = true;
        for (int k = 0; k < 2; k++)
            if (x->inputs[k] >= 0 && w->info[x->inputs[k]].needs_gradient)
                i->needs_gradient = true;
        if (x->kind == NODE_DROPOUT && !source_flat)
            return fail(w->e, ERR_SYSTEM, "%s device: dropout '%s' stands before the flatten", w->name,
                        x->name);
        /* what does nothing here has its input's value */
        if ((x->kind == NODE_DROPOUT && (!w->training || x->p <= 0)) ||
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
    return 0;
}

int planning_begin(planning *w, const graph *g, const plan_options *options, const char *name, error *e)
{
    *w = (planning){.g = g,
                    .name = name,
                    .info = mem_zero((size_t)g->node_count, sizeof *w->info, "a plan", e),
                    .training = options->training,
                    .first_group = options->first_group,
                    .e = e};
    return w->info ? survey(w) : ERR_SYSTEM;
}

void planning_end(planning *w)
{
    free(w->info);
    w->info = NULL;
}

int planning_buffer(const planning *w, int n)
{
    return w->info[w->info[n].root].buffer;
}

bool planning_frozen(const planning *w, int n)
{
    return !w->training || w->g->nodes[n].group < w->first_group;
}

bool planning_wants_step(const planning *w, int n)
{
    /* a member of a chain is done by the chain's step; the end of a chain has its buffer already */
    return n > 0 && !w->info[n].absorbed && w->info[n].root == n && w->info[n].buffer == NONE;
}

int planning_only_consumer(const planning *w, int n, node_kind kind)
{
    const node_info *i = &w->info[n];
    return i->consumers == 1 && w->g->nodes[i->consumer].kind == kind ? i->consumer : NONE;
}

chain planning_chain(planning *w, int owner)
{
    chain c = {.end = owner, .folded = NONE, .adder = NONE, .addend = NONE};
    const bool frozen = planning_frozen(w, owner);
    if (w->g->nodes[owner].kind == NODE_CONV) {
        int bn = frozen ? planning_only_consumer(w, owner, NODE_BATCHNORM) : NONE;
        if (bn == NONE || !planning_frozen(w, bn))
            return c;
        w->info[owner].absorbed = true;
        c.end = c.folded = bn;
    }
    int n = planning_only_consumer(w, c.end, NODE_ADD);
    if (n != NONE && planning_frozen(w, n) == frozen) {
        const int *in = w->g->nodes[n].inputs;
        int other = w->info[in[0]].root == c.end ? in[1] : in[0];
        if (w->info[in[0]].root != w->info[in[1]].root && planning_buffer(w, other) != NONE) {
            w->info[c.end].absorbed = true;
            c.addend = other;
            c.adder = c.end = n;
        }
    }
    n = planning_only_consumer(w, c.end, NODE_RELU);
    if (n != NONE && planning_frozen(w, n) == frozen) {
        w->info[c.end].absorbed = true;
        c.relu = true;
        c.end = n;
    }
    return c;
}

void planning_push_gradient(planning *w, int n, int which)
{
    node_info *i = &w->info[w->info[n].root];
    if (i->gradients < 2)
        i->gradient[i->gradients++] = which;
}

bool planning_needs_gradient(const planning *w, int n)
{
    return w->info[w->info[n].root].needs_gradient;
}
