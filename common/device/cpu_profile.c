/* cpu_profile.c - the clocks of cpu_profile.h, and its table of rows. */
#include "device/cpu_profile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double cpu_profile_clock(bool processor_time, int threads)
{
    struct timespec t;
    clock_gettime(processor_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / (processor_time ? threads : 1);
}

int cpu_profile_start(plan *base, bool processor_time, error *e)
{
    cpu_plan *p = (cpu_plan *)base;
    p->processor_time = processor_time;
    free(p->seconds);
    p->seconds = mem_zero(p->s.count, sizeof *p->seconds, "a profile", e);
    return p->seconds ? 0 : ERR_SYSTEM;
}

static const char *kind_name(step_kind kind)
{
    switch (kind) {
    case STEP_NORMALIZE:
        return "normalize";
    case STEP_CONV:
        return "conv";
    case STEP_BATCHNORM:
        return "batchnorm";
    case STEP_RELU:
        return "relu";
    case STEP_ADD:
        return "add";
    case STEP_SUM:
        return "sum";
    case STEP_MAXPOOL:
        return "maxpool";
    case STEP_CONCATPOOL:
        return "concatpool";
    case STEP_FLATTEN:
        return "flatten";
    case STEP_LINEAR:
        return "linear";
    case STEP_DROPOUT:
        return "dropout";
    }
    return "";
}

bool cpu_profile_row(const plan *base, int index, profile_row *row)
{
    const cpu_plan *p = (const cpu_plan *)base;
    if (!p->seconds || index < 0 || (size_t)index >= p->s.count)
        return false;
    const step *s = &p->s.steps[index];
    const graph *g = base->model->graph;
    *row = (profile_row){
        .kind = kind_name(s->kind), .node = &g->nodes[s->node], .backward = s->backward, .algorithm = ""};
    if (s->kind == STEP_CONV) {
        const node *x = row->node;
        const double flops =
            2.0 * base->options.batch * x->c * x->h * x->w * g->nodes[x->inputs[0]].c * x->kernel * x->kernel;
        row->algorithm = conv_is_winograd(cpu_work_of(s)->conv) ? "winograd" : "direct";
        row->flops = !s->backward || s->in_gradient != NONE ? flops : 0;
        row->weights_flops = s->backward ? flops : 0;
    }
    memcpy(row->seconds, p->seconds[index], sizeof row->seconds);
    return true;
}
