/* cuda_plan.c - what the GPU device adds to a plan.
 *
 * planning.c lists the steps; here a convolution gets its descriptors and algorithms, a pooling the room for the places
 * of its maxima, a batch norm a place for its statistics. With ONEBOX_CUDA_ALGORITHMS=find the algorithms are timed
 * once all memory is there.
 */
#include "device/cuda.h"

#include <stdlib.h>

static cuda_device *device_of(const planning *w)
{
    return cuda_of(((const cuda_plan *)w->plan)->base.model);
}

/* Bytes of a node's value for the whole batch. */
static size_t value_bytes(const planning *w, int n)
{
    const node *x = &w->g->nodes[n];
    return (size_t)w->options->batch * (size_t)x->c * (size_t)x->h * (size_t)x->w *
           (w->info[n].flat ? sizeof(float) : device_of(w)->number_bytes);
}

static void need_scratch(cuda_plan *p, size_t bytes)
{
    if (bytes > p->scratch_bytes)
        p->scratch_bytes = bytes;
}

/* Convolution node n: with its batch norm folded in when that is in evaluation mode. */
static int prepare_conv(planning *w, step *s)
{
    cuda_plan *p = w->plan;
    const bool train = !planning_frozen(w, s->node), bias = w->g->nodes[s->node].params[1] >= 0;
    const conv_shape shape = conv_shape_of(w->g, w->options->batch, s->node);
    const cuda_conv_options options = {.bias = s->folded != NONE || bias,
                                       .add = s->addend != NONE,
                                       .relu = s->relu,
                                       .backward_weights = train,
                                       .backward_data = train && planning_needs_gradient(w, s->source)};
    cuda_conv *c = cuda_work_of(s)->conv = cuda_conv_create(device_of(w), &shape, &options, w->e);
    if (!c)
        return ERR_SYSTEM;
    need_scratch(p, cuda_conv_workspace(c));
    if (train && bias)
        need_scratch(p, kernel_norm_work((size_t)shape.n * (size_t)shape.oh * (size_t)shape.ow, (size_t)shape.k));
    p->folds |= s->folded != NONE;
    return 0;
}

static int prepare(planning *w, step *s, const chain *run)
{
    (void)run;
    cuda_plan *p = w->plan;
    const node *x = &w->g->nodes[s->node];
    const size_t batch = (size_t)w->options->batch, pixels = batch * (size_t)x->h * (size_t)x->w, c = (size_t)x->c;
    size_t extra = 0;
    s->work = mem_zero(1, sizeof(cuda_work), "a plan", w->e);
    if (!s->work)
        return ERR_SYSTEM;
    if (s->kind == STEP_CONV)
        return prepare_conv(w, s);
    if (s->kind == STEP_BATCHNORM) {
        cuda_work_of(s)->statistics = p->statistic_floats;
        p->statistic_floats += 2 * c;
        need_scratch(p, kernel_norm_work(pixels, c));
    }
    if (s->kind == STEP_MAXPOOL && x->kernel > 255)
        return fail(w->e, ERR_SYSTEM, "cuda device: the window of '%s' is larger than 255", x->name);
    if (s->kind == STEP_MAXPOOL)
        extra = pixels * c * sizeof(uint16_t); /* the place of each maximum */
    if (s->kind == STEP_CONCATPOOL)
        extra = batch * c * sizeof(int32_t);
    if (extra && w->info[s->node].needs_gradient) {
        s->extra = planning_room(w, extra);
        return s->extra == NONE ? ERR_SYSTEM : 0;
    }
    return 0;
}

/* ---------------------------------------------------------------- create and free */

/* Convolution algorithms by timing, each with its own buffers (what they hold is nothing yet). */
static int find_algorithms(cuda_plan *p, error *e)
{
    cuda_model *m = (cuda_model *)p->base.model;
    const cuda_device *d = cuda_of(&m->base);
    bool copies = d->numbers != NUMBER_FLOAT;
    for (int i = 0; i < p->s.forward_steps; i++) {
        const step *s = &p->s.steps[i];
        if (s->kind != STEP_CONV)
            continue;
        size_t offset = m->offset[m->base.graph->nodes[s->node].params[0]];
        const cuda_conv_memory memory = {
            .x = m->arena + p->s.buffers.items[s->in].offset,
            .y = m->arena + p->s.buffers.items[s->out].offset,
            .weights = copies ? (char *)m->small_params + offset * d->number_bytes : (char *)(m->params + offset),
            .weight_gradient =
                copies ? (char *)m->small_gradients + offset * d->number_bytes : (char *)(m->gradients + offset),
            .workspace = m->scratch,
            .workspace_bytes = d->workspace_limit};
        int code = cuda_conv_find(cuda_work_of(s)->conv, &memory, e);
        if (code)
            return code;
    }
    return 0;
}

/* Gets the memory that the planned steps need, and the fastest algorithms where those are found by timing. */
static int make_room(cuda_plan *p, error *e)
{
    model *m = p->base.model;
    const cuda_device *d = cuda_of(m);
    const size_t batch = (size_t)p->base.options.batch, side = (size_t)m->graph->size;
    if (d->find) /* every algorithm within the limit is tried */
        need_scratch(p, d->workspace_limit);
    const cuda_need need = {.arena = p->s.buffers.total,
                            .scratch = p->scratch_bytes,
                            .pictures = batch * side * side * 3 * sizeof(float),
                            .outputs = batch * (size_t)m->graph->outputs,
                            .folds = p->folds,
                            .batch = p->base.options.batch};
    p->base.bytes = need.arena + need.scratch + p->statistic_floats * sizeof(float);
    int code = cuda_model_reserve((cuda_model *)m, &need, e);
    if (!code)
        code = cuda_allocate((void **)&p->statistics, p->statistic_floats * sizeof(float), "batch-norm statistics", e);
    return code || !d->find ? code : find_algorithms(p, e);
}

plan *cuda_plan_create(model *m, const plan_options *options, error *e)
{
    static const planner table = {
        .name = "cuda", .spare = 255, .align = 256, .value_size = value_bytes, .prepare = prepare};
    cuda_plan *p = mem_zero(1, sizeof *p, "a plan", e);
    if (!p)
        return NULL;
    p->base = (plan){.model = m, .options = *options};
    int code = cuda_use(cuda_of(m), e);
    if (!code && options->training)
        code = cuda_model_train((cuda_model *)m, e);
    if (!code)
        code = planning_run(&table, p, &p->s, m->graph, options, e);
    if (!code)
        code = make_room(p, e);
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
    for (size_t i = 0; i < p->s.count; i++) {
        cuda_work *k = p->s.steps[i].work;
        if (p->s.steps[i].backward || !k) /* those refer to what their forward steps own */
            continue;
        cuda_conv_free(k->conv);
        free(k);
    }
    if (p->statistics)
        (void)cudaFree(p->statistics);
    free(p->s.steps);
    free(p->s.buffers.items);
    free(p);
}
