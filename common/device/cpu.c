/* cpu.c - the CPU device: which kernels this processor runs, a network's parameters, and Adam.
 *
 * Parameters, gradients and moments are flat arrays in the order of graph.h. Convolutions read packed copies of their
 * weights, one for each layout, which all plans share and which are made again when the parameters changed: each
 * group has a version that grows with every change. The plans are in cpu_plan.c and cpu_run.c.
 */
#include "device/cpu.h"

#include "base/threads.h"
#include "device/device_library.h"
#include "device/team.h"
#include "device/winograd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- parameters */

static void cpu_model_free(model *base)
{
    cpu_model *m = (cpu_model *)base;
    for (size_t i = 0; i < m->slot_count; i++) {
        free(m->slots[i]->data);
        free(m->slots[i]->bias);
        free(m->slots[i]);
    }
    free(m->slots);
    free(m->params);
    free(m->gradients);
    free(m->first);
    free(m->second);
    free(m->fold);
    free(m->arena);
    free(m->scratch);
    free(m);
}

static model *cpu_model_create(device *d, const graph *g, error *e)
{
    cpu_model *m = mem_zero(1, sizeof *m, "a model", e);
    if (!m)
        return NULL;
    m->base = (model){d, g};
    size_t bytes = g->param_floats * sizeof(float), largest = 0;
    for (int i = 0; i < g->param_count; i++)
        if (g->nodes[g->params[i].node].kind == NODE_CONV && g->params[i].count > largest)
            largest = g->params[i].count;
    m->params = mem_room(bytes, "parameters", e);
    m->fold = mem_room(largest * sizeof(float), "folded weights", e);
    for (int i = 0; i < GROUPS; i++)
        m->version[i] = 1;
    if (m->params && m->fold)
        return &m->base;
    cpu_model_free(&m->base);
    return NULL;
}

int cpu_model_train(cpu_model *m, error *e)
{
    const size_t bytes = m->base.graph->param_floats * sizeof(float);
    if (!m->gradients)
        m->gradients = mem_aligned(bytes, "gradients", e);
    if (!m->first)
        m->first = mem_aligned(bytes, "moments", e);
    if (!m->second)
        m->second = mem_aligned(bytes, "moments", e);
    return m->gradients && m->first && m->second ? 0 : ERR_SYSTEM;
}

static int cpu_reset_moments(model *base, error *e)
{
    (void)e;
    cpu_model *m = (cpu_model *)base;
    const size_t bytes = base->graph->param_floats * sizeof(float);
    if (m->first)
        memset(m->first, 0, bytes);
    if (m->second)
        memset(m->second, 0, bytes);
    return 0;
}

static int cpu_upload(model *base, const float *params, error *e)
{
    cpu_model *m = (cpu_model *)base;
    memcpy(m->params, params, base->graph->param_floats * sizeof(float));
    for (int i = 0; i < GROUPS; i++)
        m->version[i]++;
    return cpu_reset_moments(base, e);
}

static int cpu_download(model *base, float *params, error *e)
{
    (void)e;
    memcpy(params, ((cpu_model *)base)->params, base->graph->param_floats * sizeof(float));
    return 0;
}

static int cpu_download_moments(model *base, float *first, float *second, error *e)
{
    cpu_model *m = (cpu_model *)base;
    const size_t bytes = base->graph->param_floats * sizeof(float);
    if (cpu_model_train(m, e))
        return ERR_SYSTEM;
    memcpy(first, m->first, bytes);
    memcpy(second, m->second, bytes);
    return 0;
}

static int cpu_upload_moments(model *base, const float *first, const float *second, error *e)
{
    cpu_model *m = (cpu_model *)base;
    const size_t bytes = base->graph->param_floats * sizeof(float);
    if (cpu_model_train(m, e))
        return ERR_SYSTEM;
    memcpy(m->first, first, bytes);
    memcpy(m->second, second, bytes);
    return 0;
}

static int cpu_adam_step(model *base, const float lr[GROUPS], int first_group, int64_t t, error *e)
{
    cpu_model *m = (cpu_model *)base;
    const graph *g = base->graph;
    const cpu_device *d = cpu_of(base);
    if (cpu_model_train(m, e))
        return ERR_SYSTEM;
    double correction = sqrt(1 - pow(0.999, (double)t)) / (1 - pow(0.9, (double)t));
    /* Neighbouring parameters of one group are one range. Running statistics among them have gradient 0 and
     * stay as they are. */
    for (int i = 0; i < g->param_count;) {
        const param *p = &g->params[i];
        size_t end = p->offset + p->count;
        int next = i + 1;
        while (next < g->param_count && g->params[next].group == p->group && g->params[next].offset == end)
            end += g->params[next++].count;
        if (p->group >= first_group)
            d->kernels->adam(m->params + p->offset, m->gradients + p->offset, m->first + p->offset,
                             m->second + p->offset, end - p->offset, (float)((double)lr[p->group] * correction),
                             d->threads);
        i = next;
    }
    for (int i = first_group; i < GROUPS; i++)
        m->version[i]++;
    return 0;
}

/* ---------------------------------------------------------------- packed weights */

packed *cpu_model_slot(cpu_model *m, int number, int format, size_t floats, int channels, error *e)
{
    for (size_t i = 0; i < m->slot_count; i++)
        if (m->slots[i]->param == number && m->slots[i]->format == format && format != -1) {
            m->slots[i]->users++;
            return m->slots[i];
        }
    if (mem_grow(&m->slots, &m->slot_capacity, m->slot_count + 1, sizeof *m->slots, "packed weights", e))
        return NULL;
    packed *slot = mem_zero(1, sizeof *slot, "packed weights", e);
    if (!slot)
        return NULL;
    *slot = (packed){.param = number, .format = format, .users = 1, .folded = -1};
    slot->data = mem_room(floats * sizeof(float), "packed weights", e);
    slot->bias = mem_aligned(((size_t)channels + 16) * sizeof(float), "packed weights", e);
    if (!slot->data || !slot->bias) {
        free(slot->data);
        free(slot->bias);
        free(slot);
        return NULL;
    }
    m->slots[m->slot_count++] = slot;
    return slot;
}

void cpu_model_release_slot(cpu_model *m, packed *slot)
{
    if (!slot || --slot->users > 0)
        return;
    for (size_t i = 0; i < m->slot_count; i++)
        if (m->slots[i] == slot)
            m->slots[i] = m->slots[--m->slot_count];
    free(slot->data);
    free(slot->bias);
    free(slot);
}

/* conv then (x - mean) / sqrt(var + eps) * weight + bias  ==  conv with weights scaled per output channel,
 * plus a bias. `own`: the convolution's bias, or NULL. */
static void fold_batchnorm(cpu_model *m, const param *weights, const float *own, const node *bn, float *bias)
{
    const param *params = m->base.graph->params;
    const float *weight = m->params + params[bn->params[0]].offset, *shift = m->params + params[bn->params[1]].offset,
                *mean = m->params + params[bn->params[2]].offset, *var = m->params + params[bn->params[3]].offset;
    size_t each = weights->count / (size_t)weights->shape[0];
    for (int k = 0; k < weights->shape[0]; k++) {
        double scale = (double)weight[k] / sqrt((double)var[k] + BATCHNORM_EPS);
        bias[k] = (float)((double)shift[k] - ((double)mean[k] - (own ? (double)own[k] : 0)) * scale);
        const float *from = m->params + weights->offset + (size_t)k * each;
        float *to = m->fold + (size_t)k * each;
#pragma omp simd
        for (size_t i = 0; i < each; i++)
            /* every model has m->params NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            to[i] = (float)((double)from[i] * scale);
    }
}

int cpu_model_pack(cpu_model *m, packed *slot, conv *c, conv_pass pass, int folded, error *e)
{
    const graph *g = m->base.graph;
    const param *p = &g->params[slot->param];
    if (slot->version == m->version[p->group] && slot->folded == folded)
        return 0;
    const int own = g->nodes[p->node].params[1];
    const float *weights = m->params + p->offset, *bias = own < 0 ? NULL : m->params + g->params[own].offset;
    if (folded >= 0) {
        fold_batchnorm(m, p, bias, &g->nodes[folded], slot->bias);
        weights = m->fold;
    } else if (bias) {
        memcpy(slot->bias, bias, g->params[own].count * sizeof *bias);
    }
    int code = conv_pack(c, pass, weights, slot->data, e);
    slot->version = code ? 0 : m->version[p->group];
    slot->folded = folded;
    return code;
}

static int reserve(float **block, size_t *have, size_t need, const char *what, error *e)
{
    if (need <= *have)
        return 0;
    free(*block);
    *have = 0;
    *block = mem_aligned(need * sizeof(float), what, e);
    if (!*block)
        return ERR_SYSTEM;
    *have = need;
    return 0;
}

int cpu_model_reserve(cpu_model *m, size_t arena_floats, size_t scratch_floats, error *e)
{
    m->active = NULL;
    int code = reserve(&m->arena, &m->arena_floats, arena_floats, "activations (a smaller batch needs less)", e);
    return code ? code : reserve(&m->scratch, &m->scratch_floats, scratch_floats, "a work area", e);
}

/* ---------------------------------------------------------------- the device */

static void cpu_close(device *base)
{
    cpu_device *d = (cpu_device *)base;
    if (d->library)
        d->library->call->close(d->library);
    free(d);
}

static const device_ops cpu_ops = {
    .close = cpu_close,
    .model_create = cpu_model_create,
    .model_free = cpu_model_free,
    .upload = cpu_upload,
    .download = cpu_download,
    .reset_moments = cpu_reset_moments,
    .download_moments = cpu_download_moments,
    .upload_moments = cpu_upload_moments,
    .adam_step = cpu_adam_step,
    .plan_create = cpu_plan_create,
    .plan_free = cpu_plan_free,
    .forward = cpu_plan_forward,
    .backward = cpu_plan_backward,
    .feature_floats = cpu_plan_feature_floats,
    .features = cpu_plan_features,
    .forward_features = cpu_plan_forward_features,
};

/* What bf16 needs and this processor lacks (or the tests' limit forbids), in words; NULL: nothing. */
static const char *bf16_lacks(const instructions *on)
{
    if (on->flat->block != 16)
        return "AVX512 (F, BW, DQ, VL) and AVX512_BF16";
    if (!on->bf16)
        return "AVX512_BF16";
    return NULL;
}

/* Opens oneDNN where the rule of conv.h wants it. With conv auto it may be missing, or make no use of the processor's
 * tiles: then the kernels are our own. */
static int open_onednn(cpu_device *d, error *e)
{
    error why = {0};
    if (d->algorithm == CONV_ONEDNN) {
        const onednn_library *library = onednn_library_open(e);
        d->library = library ? library->open(e) : NULL;
        return d->library ? 0 : e->code;
    }
    if (d->algorithm == CONV_AUTO && d->bf16 && instructions_have_amx()) {
        const onednn_library *library = onednn_library_open(&why);
        d->library = library && library->has_amx() ? library->open(&why) : NULL;
    }
    return 0;
}

static void describe(cpu_device *d)
{
    char with[64] = "";
    if (d->library)
        snprintf(with, sizeof with, "%s %s, ", d->library->call->version(), d->library->call->isa());
    snprintf(d->base.description, sizeof d->base.description, "cpu: %skernels %s, %d thread%s, conv %s, %s", with,
             d->kernels->name, d->threads, d->threads == 1 ? "" : "s",
             d->library                    ? "onednn"
             : d->algorithm == CONV_DIRECT ? "direct"
                                           : "winograd",
             d->bf16 ? "bf16" : "fp32");
}

device *cpu_open(const device_options *options, error *e)
{
    const instructions *on = instructions_choose(getenv("ONEBOX_MAX_ISA"));
    const cpu_kernels *kernels = on->flat;
    const char *lacks = bf16_lacks(on);
    if (options->precision == PRECISION_BF16 && lacks) {
        fail(e, ERR_USAGE,
             "precision bf16 needs a processor with %s, which this one lacks; use --precision fp32 or auto", lacks);
        return NULL;
    }
    if (options->precision == PRECISION_FP16) {
        fail(e, ERR_USAGE, "precision fp16 is for a GPU; use --precision bf16, fp32 or auto");
        return NULL;
    }
    if (options->conv == CONV_WINOGRAD && !on->winograd[WINOGRAD_FP32]) {
        fail(e, ERR_USAGE, "conv winograd needs a processor with AVX-512; use --conv auto or direct");
        return NULL;
    }
    cpu_device *d = mem_zero(1, sizeof *d, "the CPU device", e);
    if (!d)
        return NULL;
    d->base.ops = &cpu_ops;
    d->on = on;
    d->kernels = kernels;
    d->bf16 = !lacks && (options->precision == PRECISION_BF16 || options->precision == PRECISION_AUTO);
    d->blocked = d->bf16 ? on->bf16 : kernels;
    d->threads = threads_count(options->threads);
    d->algorithm = options->conv == CONV_ONEDNN || on->winograd[WINOGRAD_FP32] ? options->conv : CONV_DIRECT;
    team_set_size(d->threads);
    if (open_onednn(d, e)) {
        free(d);
        return NULL;
    }
    describe(d);
    return &d->base;
}

void cpu_versions(char *text, size_t size)
{
    size_t used = strlen(text);
    error e = {0};
    const onednn_library *library = onednn_library_open(&e);
    const instructions *on = instructions_choose(getenv("ONEBOX_MAX_ISA"));
    const char *lacks = bf16_lacks(on);
    if (library)
        snprintf(text + used, size - used, "%s (%s)\n", library->version(), library->isa());
    else
        snprintf(text + used, size - used, "no oneDNN (%s)\n", e.text);
    used = strlen(text);
    snprintf(text + used, size - used, "devices: cpu (kernels %s, %d threads, %s%s)\n", on->flat->name,
             threads_count(0), lacks ? "fp32; bf16 would need " : "fp32 and bf16", lacks ? lacks : "");
}
