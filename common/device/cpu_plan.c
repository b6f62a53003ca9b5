/* cpu_plan.c - what the CPU device adds to a plan: convolutions of oneDNN or of our own, packed weights, and sums that
 * convolutions gather for batch norms.
 *
 * In bf16 the blocked values and their gradients take half a float an element; what is flat (behind the flatten) is
 * fp32, and so are parameters, their gradients and statistics.
 */
#include "device/cpu_plan.h"

#include <stdlib.h>
#include <string.h>

static cpu_model *model_of(const planning *w)
{
    return (cpu_model *)((cpu_plan *)w->plan)->base.model;
}

static const cpu_device *device_of(const planning *w)
{
    return cpu_of(&model_of(w)->base);
}

/* Floats for the value of node n, or for its gradient. */
static size_t value_floats(const planning *w, int n)
{
    const node *x = &w->g->nodes[n];
    const cpu_device *d = device_of(w);
    const int block = d->kernels->block;
    const bool plain = n == 0 || w->info[n].flat; /* the picture is NCHW, without empty channels */
    const int channels = plain ? x->c : (x->c + block - 1) / block * block;
    const size_t count = (size_t)w->options->batch * (size_t)channels * (size_t)x->h * (size_t)x->w;
    return d->bf16 && !w->info[n].flat ? (count + 1) / 2 : count;
}

static void need_scratch(cpu_plan *p, size_t floats)
{
    if (floats > p->scratch_floats)
        p->scratch_floats = floats;
}

/* Room to sum the pixels of each of so many channels. */
static void need_sums(cpu_plan *p, int channels)
{
    if (channels > p->sum_channels)
        p->sum_channels = channels;
}

/* ---------------------------------------------------------------- forward steps */

/* Convolution node n: with its batch norm folded in when that is in evaluation mode. */
static int prepare_conv(planning *w, step *s, const chain *run)
{
    const int n = s->node;
    const node *x = &w->g->nodes[n];
    const bool train = !planning_frozen(w, n);
    const cpu_device *d = device_of(w);
    cpu_plan *p = w->plan;
    cpu_work *k = s->work;
    const conv_shape shape = conv_shape_of(w->g, w->options->batch, n);
    const conv_options options = {.algorithm = d->algorithm,
                                  .on = d->on,
                                  .threads = d->threads,
                                  .bf16 = d->bf16,
                                  .training = w->options->training,
                                  .plain_input = s->source == 0,
                                  .bias = s->folded != NONE || x->params[1] >= 0,
                                  .add = s->addend != NONE,
                                  .relu = s->relu,
                                  .backward_weights = train,
                                  .backward_data = train && planning_needs_gradient(w, s->source)};
    k->conv = conv_create(d->library, &shape, &options, w->e);
    if (!k->conv)
        return ERR_SYSTEM;
    need_scratch(p, conv_scratch_floats(k->conv));
    if (train && x->params[1] >= 0)
        need_sums(p, x->c);
    k->packed_forward = cpu_model_slot(model_of(w), x->params[0], conv_packed_format(k->conv, CONV_FORWARD),
                                       conv_packed_floats(k->conv, CONV_FORWARD), x->c, w->e);
    if (!k->packed_forward)
        return ERR_SYSTEM;
    if (options.backward_data) {
        k->packed_backward = cpu_model_slot(model_of(w), x->params[0], conv_packed_format(k->conv, CONV_BACKWARD_DATA),
                                            conv_packed_floats(k->conv, CONV_BACKWARD_DATA), x->c, w->e);
        if (!k->packed_backward)
            return ERR_SYSTEM;
    }
    if (s->addend != NONE && !planning_needs_gradient(w, s->addend) && s->add != s->in &&
        !planning_read_later(w, s->addend, n, run->adder))
        s->out = s->add; /* the sum is made in place: nobody reads the addend afterwards */
    return 0;
}

/* Has the convolution in front of batch norm step s, the newest, gather its sums, where that can be. */
static void gather_forward(planning *w, step *s)
{
    const int source = w->info[s->source].root, producer = planning_producer(w, source);
    if (s->flat || s->stored || producer == NONE || w->info[source].consumers != 1)
        return;
    step *c = &w->s->steps[producer];
    if (c->kind != STEP_CONV || c->folded != NONE || w->g->nodes[c->node].params[1] >= 0 ||
        !conv_gathers(cpu_work_of(c)->conv))
        return;
    c->norm = (int)(s - w->s->steps);
    s->sums_forward = true;
}

static int prepare_batchnorm(planning *w, step *s)
{
    cpu_work *k = s->work;
    const int channels = w->g->nodes[s->node].c;
    k->mean = mem_zero((size_t)channels, sizeof(float), "a plan", w->e);
    k->inverse_std = mem_zero((size_t)channels, sizeof(float), "a plan", w->e);
    k->sums = mem_zero((size_t)channels * 2, sizeof(double), "a plan", w->e);
    gather_forward(w, s);
    need_sums(w->plan, channels);
    return k->mean && k->inverse_std && k->sums ? 0 : ERR_SYSTEM;
}

static int prepare(planning *w, step *s, const chain *run)
{
    s->work = mem_zero(1, sizeof(cpu_work), "a plan", w->e);
    if (!s->work)
        return ERR_SYSTEM;
    if (s->kind == STEP_CONV)
        return prepare_conv(w, s, run);
    if (s->kind == STEP_BATCHNORM)
        return prepare_batchnorm(w, s);
    if (s->kind == STEP_LINEAR)
        need_scratch(w->plan, matmul_scratch_floats(device_of(w)->threads));
    size_t places = 0; /* of maxima, for the backward pass */
    if (s->kind == STEP_MAXPOOL) {
        const conv_shape shape = conv_shape_of(w->g, w->options->batch, s->node);
        places = maxpool_place_bytes(&shape, device_of(w)->kernels->block) / sizeof(float);
    }
    if (s->kind == STEP_CONCATPOOL)
        places = (size_t)w->options->batch * (size_t)w->g->nodes[s->node].c;
    if (places && w->info[s->node].needs_gradient) {
        s->extra = planning_room(w, places);
        return s->extra == NONE ? ERR_SYSTEM : 0;
    }
    return 0;
}

/* ---------------------------------------------------------------- backward steps */

/* Where the gradient that convolution step s will write is the last part of the gradient of a batch norm's
 * value: has s sum the parts, mask them where the batch norm's ReLU gave zero, and gather the batch norm's
 * sums. A part between the first and the last one is added to those before. */
static bool gather_backward(planning *w, step *s)
{
    const int source = w->info[s->source].root, producer = planning_producer(w, source);
    node_info *value = &w->info[source];
    s->norm = NONE;
    if (producer == NONE || !value->needs_gradient || value->gradients > 1 || !conv_gathers(cpu_work_of(s)->conv))
        return false;
    if (value->parts != value->consumers - 1) {
        s->in_gradient = value->gradient[0];
        return value->gradients == 1;
    }
    step *f = &w->s->steps[producer];
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

/* ---------------------------------------------------------------- create and free */

plan *cpu_plan_create(model *m, const plan_options *options, error *e)
{
    static const planner table = {.name = "cpu",
                                  .spare = 31,
                                  .align = 16,
                                  .value_size = value_floats,
                                  .prepare = prepare,
                                  .gather = gather_backward};
    cpu_plan *p = mem_zero(1, sizeof *p, "a plan", e);
    if (!p)
        return NULL;
    p->base = (plan){.model = m, .options = *options};
    int code = options->training ? cpu_model_train((cpu_model *)m, e) : 0;
    if (!code)
        code = planning_run(&table, p, &p->s, m->graph, options, e);
    need_scratch(p, (size_t)options->batch * 4 * (size_t)((p->sum_channels + 15) / 16 * 16));
    p->base.bytes = (p->s.buffers.total + p->scratch_floats) * sizeof(float);
    if (!code)
        code = cpu_model_reserve((cpu_model *)m, p->s.buffers.total, p->scratch_floats, e);
    if (!code)
        return &p->base;
    cpu_plan_free(&p->base);
    return NULL;
}

void cpu_plan_free(plan *base)
{
    cpu_plan *p = (cpu_plan *)base;
    cpu_model *m = (cpu_model *)base->model;
    if (m->active == base)
        m->active = NULL;
    for (size_t i = 0; i < p->s.count; i++) {
        cpu_work *k = p->s.steps[i].work;
        if (p->s.steps[i].backward || !k) /* refers to what its forward step owns */
            continue;
        conv_free(k->conv);
        cpu_model_release_slot(m, k->packed_forward);
        cpu_model_release_slot(m, k->packed_backward);
        free(k->mean);
        free(k->inverse_std);
        free(k->sums);
        free(k);
    }
    free(p->s.steps);
    free(p->s.buffers.items);
    free(p);
}
