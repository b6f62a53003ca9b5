/* cuda_run.c - runs the steps of a GPU's plan: one case for each kind of step, forward and backward.
 *
 * Pictures go up through pinned slices while the GPU still computes; every step queues its work on one stream, and
 * the outputs come down when all of it is done. A step names buffers by number; they lie in the model's arena.
 */
#include "device/cuda.h"

#include "base/random.h"

#include <string.h>

typedef struct cuda_run {
    cuda_plan *p;
    cuda_model *m;
    cuda_device *d;
    const graph *g;
    error *e;
} cuda_run;

static void *at(const cuda_run *r, int which)
{
    return which == NONE ? NULL : r->m->arena + r->p->s.buffers.items[which].offset;
}

static float *param_of(const cuda_run *r, const node *x, int which)
{
    return r->m->params + r->m->offset[x->params[which]];
}

static float *gradient_of(const cuda_run *r, const node *x, int which)
{
    return r->m->gradients + r->m->offset[x->params[which]];
}

/* A convolution's weights (0) or bias (1) as its kernels read them, the gradient of the weights as they write it. */
static void *small(const cuda_run *r, const node *x, int which, float *array, void *copies)
{
    size_t offset = r->m->offset[x->params[which]];
    return copies ? (char *)copies + offset * r->d->number_bytes : (char *)(array + offset);
}

static number_type numbers_of(const cuda_run *r, const step *s)
{
    return s->flat ? NUMBER_FLOAT : r->d->numbers;
}

/* Numbers in a node's value, for the whole batch. */
static size_t count_of(const cuda_run *r, int n)
{
    const node *x = &r->g->nodes[n];
    return (size_t)r->p->base.options.batch * (size_t)x->c * (size_t)x->h * (size_t)x->w;
}

static kernel_norm norm_of(const cuda_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node];
    return (kernel_norm){.type = numbers_of(r, s),
                         .flat = s->flat,
                         .rows = (size_t)r->p->base.options.batch * (size_t)x->h * (size_t)x->w,
                         .channels = (size_t)x->c,
                         .stored = s->stored,
                         .relu = s->relu,
                         .eps = (float)BATCHNORM_EPS,
                         .momentum = (float)BATCHNORM_MOMENTUM,
                         .weight = param_of(r, x, 0),
                         .bias = param_of(r, x, 1),
                         .running_mean = param_of(r, x, 2),
                         .running_var = param_of(r, x, 3),
                         .mean = r->p->statistics + cuda_work_of(s)->statistics,
                         .inverse_std = r->p->statistics + cuda_work_of(s)->statistics + x->c,
                         .work = r->m->scratch};
}

static kernel_pool pool_of(const cuda_run *r, const step *s)
{
    const conv_shape c = conv_shape_of(r->g, r->p->base.options.batch, s->node);
    return (kernel_pool){.type = r->d->numbers,
                         .n = c.n,
                         .c = c.c,
                         .h = c.h,
                         .w = c.w,
                         .oh = c.oh,
                         .ow = c.ow,
                         .kernel = c.kernel,
                         .stride = c.stride,
                         .padding = c.padding};
}

/* C[rows][columns] = A B, row-major, A [rows][inner] and B [inner][columns], either given transposed. cuBLAS
 * counts by columns: its C^T = B^T A^T is our C. */
static int product(const cuda_run *r, bool transpose_a, bool transpose_b, int rows, int columns, int inner,
                   const float *a, const float *b, float *c)
{
    const float one = 1, zero = 0;
    return CHECK_CUBLAS(cublasGemmEx(r->d->cublas, transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                                     transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, columns, rows, inner, &one, b, CUDA_R_32F,
                                     transpose_b ? inner : columns, a, CUDA_R_32F, transpose_a ? rows : inner, &zero, c,
                                     CUDA_R_32F, columns, r->d->compute, CUBLAS_GEMM_DEFAULT),
                        r->e);
}

static int run_conv(const cuda_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node];
    if (s->folded == NONE)
        return cuda_conv_forward(cuda_work_of(s)->conv, at(r, s->in), small(r, x, 0, r->m->params, r->m->small_params),
                                 x->params[1] < 0 ? NULL : small(r, x, 1, r->m->params, r->m->small_params), NULL,
                                 at(r, s->out), r->m->scratch, r->e);
    const char *folded = r->m->folded;
    size_t bias = r->m->offset[r->g->nodes[s->folded].params[1]];
    int code = cuda_model_fold(r->m, x->params[0], s->folded, r->e);
    return code ? code
                : cuda_conv_forward(
                      cuda_work_of(s)->conv, at(r, s->in), folded + r->m->offset[x->params[0]] * r->d->number_bytes,
                      folded + bias * r->d->number_bytes, at(r, s->add), at(r, s->out), r->m->scratch, r->e);
}

static int run_forward(const cuda_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node], *source = s->source == NONE ? x : &r->g->nodes[s->source];
    cudaStream_t stream = r->d->stream;
    number_type numbers = numbers_of(r, s);
    size_t batch = (size_t)r->p->base.options.batch, hw = (size_t)source->h * (size_t)source->w, c = (size_t)source->c;
    switch (s->kind) {
    case STEP_NORMALIZE:
        return CHECK_CUDA(kernel_normalize(stream, numbers, r->m->pictures, batch * (size_t)(x->h * x->w), r->g->mean,
                                           r->g->std, at(r, s->out)),
                          r->e);
    case STEP_CONV:
        return run_conv(r, s);
    case STEP_BATCHNORM: {
        const kernel_norm n = norm_of(r, s);
        return CHECK_CUDA(kernel_norm_forward(stream, &n, at(r, s->in), at(r, s->add), at(r, s->out)), r->e);
    }
    case STEP_RELU:
        return CHECK_CUDA(kernel_relu(stream, numbers, at(r, s->in), at(r, s->out), count_of(r, s->node)), r->e);
    case STEP_ADD:
        return CHECK_CUDA(kernel_add(stream, numbers, at(r, s->in), at(r, s->add), at(r, s->out), count_of(r, s->node)),
                          r->e);
    case STEP_MAXPOOL: {
        const kernel_pool p = pool_of(r, s);
        return CHECK_CUDA(kernel_pool_forward(stream, &p, at(r, s->in), at(r, s->out), at(r, s->extra)), r->e);
    }
    case STEP_UPSAMPLE:
        return CHECK_CUDA(kernel_upsample(stream, r->d->numbers, at(r, s->in), batch, c, (size_t)source->h,
                                          (size_t)source->w, at(r, s->add), at(r, s->out)),
                          r->e);
    case STEP_CONCATPOOL:
        return CHECK_CUDA(
            kernel_concatpool(stream, r->d->numbers, at(r, s->in), batch, c, hw, at(r, s->out), at(r, s->extra)), r->e);
    case STEP_FLATTEN:
        return CHECK_CUDA(kernel_flatten(stream, r->d->numbers, at(r, s->in), batch, c, hw, at(r, s->out)), r->e);
    case STEP_LINEAR: {
        int code = product(r, false, true, (int)batch, x->c, source->c, at(r, s->in), param_of(r, x, 0), at(r, s->out));
        return code ? code
                    : CHECK_CUDA(kernel_add_bias(stream, at(r, s->out), param_of(r, x, 1), batch, (size_t)x->c), r->e);
    }
    case STEP_DROPOUT:
        return CHECK_CUDA(kernel_dropout(stream, at(r, s->in), at(r, s->out), count_of(r, s->node), x->p, r->p->seed,
                                         PHILOX_STREAM(PURPOSE_DROPOUT, s->node), r->p->step),
                          r->e);
    case STEP_SUM: /* backward only */
        return 0;
    }
    return 0;
}

static int copy(const cuda_run *r, int to, int from, size_t bytes)
{
    return to == NONE
               ? 0
               : CHECK_CUDA(cudaMemcpyAsync(at(r, to), at(r, from), bytes, cudaMemcpyDeviceToDevice, r->d->stream),
                            r->e);
}

static int backward_conv(const cuda_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node];
    cuda_conv *c = cuda_work_of(s)->conv;
    void *dy = at(r, s->gradient[0]), *dx = at(r, s->in_gradient);
    const void *weights = small(r, x, 0, r->m->params, r->m->small_params);
    int code = dx ? cuda_conv_backward_data(c, dy, weights, dx, r->m->scratch, r->e) : 0;
    if (!code)
        code = cuda_conv_backward_weights(c, at(r, s->in), dy, small(r, x, 0, r->m->gradients, r->m->small_gradients),
                                          r->m->scratch, r->e);
    if (code || x->params[1] < 0)
        return code;
    return CHECK_CUDA(kernel_channel_sums(r->d->stream, r->d->numbers, dy, count_of(r, s->node) / (size_t)x->c,
                                          (size_t)x->c, gradient_of(r, x, 1), r->m->scratch),
                      r->e);
}

static int backward_linear(const cuda_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node];
    const int batch = r->p->base.options.batch, inputs = r->g->nodes[s->source].c;
    float *dy = at(r, s->gradient[0]), *dx = at(r, s->in_gradient);
    int code = product(r, true, false, x->c, inputs, batch, dy, at(r, s->in), gradient_of(r, x, 0));
    if (!code)
        code =
            CHECK_CUDA(kernel_bias_gradient(r->d->stream, dy, gradient_of(r, x, 1), (size_t)batch, (size_t)x->c), r->e);
    if (!code && dx)
        code = product(r, false, false, batch, inputs, x->c, dy, param_of(r, x, 0), dx);
    return code;
}

static int run_backward(const cuda_run *r, const step *s)
{
    const node *x = &r->g->nodes[s->node], *source = s->source == NONE ? x : &r->g->nodes[s->source];
    cudaStream_t stream = r->d->stream;
    number_type numbers = numbers_of(r, s);
    size_t batch = (size_t)r->p->base.options.batch, hw = (size_t)source->h * (size_t)source->w, c = (size_t)source->c,
           count = count_of(r, s->node);
    void *gradient = at(r, s->gradient[0]), *dx = at(r, s->in_gradient);
    switch (s->kind) {
    case STEP_CONV:
        return backward_conv(r, s);
    case STEP_BATCHNORM: {
        const kernel_norm n = norm_of(r, s);
        return CHECK_CUDA(kernel_norm_backward(stream, &n, gradient, at(r, s->gradient[1]), at(r, s->in), at(r, s->out),
                                               gradient_of(r, x, 0), gradient_of(r, x, 1), dx, at(r, s->add_gradient)),
                          r->e);
    }
    case STEP_RELU:
        return CHECK_CUDA(kernel_relu_backward(stream, numbers, gradient, at(r, s->out), dx, count), r->e);
    case STEP_MAXPOOL: {
        const kernel_pool p = pool_of(r, s);
        return CHECK_CUDA(kernel_pool_backward(stream, &p, gradient, at(r, s->extra), dx), r->e);
    }
    case STEP_UPSAMPLE:
        return dx ? CHECK_CUDA(kernel_upsample_backward(stream, r->d->numbers, gradient, batch, c, (size_t)source->h,
                                                        (size_t)source->w, dx),
                               r->e)
                  : 0;
    case STEP_CONCATPOOL:
        return CHECK_CUDA(
            kernel_concatpool_backward(stream, r->d->numbers, gradient, batch, c, hw, at(r, s->extra), dx), r->e);
    case STEP_FLATTEN:
        return CHECK_CUDA(kernel_unflatten(stream, r->d->numbers, gradient, batch, c, hw, dx), r->e);
    case STEP_LINEAR:
        return backward_linear(r, s);
    case STEP_DROPOUT:
        return CHECK_CUDA(kernel_dropout(stream, gradient, dx, count, x->p, r->p->seed,
                                         PHILOX_STREAM(PURPOSE_DROPOUT, s->node), r->p->step),
                          r->e);
    case STEP_ADD: {
        size_t bytes = count * (s->flat ? sizeof(float) : r->d->number_bytes);
        int code = copy(r, s->in_gradient, s->gradient[0], bytes);
        return code ? code : copy(r, s->add_gradient, s->gradient[0], bytes);
    }
    case STEP_SUM:
        return CHECK_CUDA(kernel_add(stream, numbers, gradient, at(r, s->gradient[1]), gradient, count_of(r, s->value)),
                          r->e);
    case STEP_NORMALIZE:
        return 0;
    }
    return 0;
}

/* ---------------------------------------------------------------- pictures up, outputs down */

/* Copies the pictures through pinned slices: while one is on its way the next is filled, and all of it runs
 * beside what the computing stream still does for the batch before. */
static int upload(const cuda_run *r, const float *input)
{
    cuda_device *d = r->d;
    size_t bytes = count_of(r, 0) * sizeof *input, slice = 0;
    for (size_t done = 0; done < bytes; done += SLICE_BYTES, slice = (slice + 1) % SLICES) {
        size_t size = bytes - done < SLICE_BYTES ? bytes - done : SLICE_BYTES;
        int code = CHECK_CUDA(cudaEventSynchronize(d->slice_free[slice]), r->e);
        if (code)
            return code;
        memcpy(d->slices[slice], (const char *)input + done, size);
        code = CHECK_CUDA(
            cudaMemcpyAsync((char *)r->m->pictures + done, d->slices[slice], size, cudaMemcpyHostToDevice, d->copies),
            r->e);
        if (!code)
            code = CHECK_CUDA(cudaEventRecord(d->slice_free[slice], d->copies), r->e);
        if (code)
            return code;
    }
    int code = CHECK_CUDA(cudaEventRecord(d->uploaded, d->copies), r->e);
    return code ? code : CHECK_CUDA(cudaStreamWaitEvent(d->stream, d->uploaded, 0), r->e);
}

static cuda_run run_of(cuda_plan *p, error *e)
{
    model *m = p->base.model;
    return (cuda_run){.p = p, .m = (cuda_model *)m, .d = cuda_of(m), .g = m->graph, .e = e};
}

int cuda_plan_forward(plan *base, const float *input, uint64_t seed, uint64_t step_number, float *output, error *e)
{
    cuda_plan *p = (cuda_plan *)base;
    p->seed = seed;
    p->step = step_number;
    cuda_run r = run_of(p, e);
    size_t bytes = (size_t)base->options.batch * (size_t)r.g->outputs * sizeof *output;
    r.m->active = NULL;
    int code = cuda_use(r.d, e);
    if (!code)
        code = upload(&r, input);
    for (int i = 0; i < p->s.forward_steps && !code; i++)
        code = run_forward(&r, &p->s.steps[i]);
    if (base->options.training) /* running statistics moved */
        for (int i = base->options.first_group; i < GROUPS; i++)
            r.m->version[i]++;
    if (!code)
        code = CHECK_CUDA(cudaMemcpyAsync(r.m->output, at(&r, p->s.output), bytes, cudaMemcpyDeviceToHost, r.d->stream),
                          e);
    if (!code)
        code = CHECK_CUDA(cudaStreamSynchronize(r.d->stream), e);
    if (code) {
        (void)cudaStreamSynchronize(r.d->copies); /* the pictures may be on their way */
        return code;
    }
    r.m->active = base;
    memcpy(output, r.m->output, bytes);
    return 0;
}

int cuda_plan_backward(plan *base, const float *output_gradient, error *e)
{
    cuda_plan *p = (cuda_plan *)base;
    cuda_run r = run_of(p, e);
    if (!base->options.training || r.m->active != base)
        return fail(e, ERR_SYSTEM, "cuda device: a backward pass needs its own forward pass just before it");
    cuda_model *m = r.m;
    size_t count = (size_t)base->options.batch * (size_t)r.g->outputs;
    float *pinned = m->output + m->output_floats, *gradient = at(&r, p->s.output_gradient);
    m->active = NULL; /* the gradients take the activations' places */
    int code = cuda_use(r.d, e);
    if (!code)
        code = CHECK_CUDA(cudaEventSynchronize(m->gradient_free), e);
    if (code)
        return code;
    memcpy(pinned, output_gradient, count * sizeof *pinned);
    code =
        CHECK_CUDA(cudaMemcpyAsync(gradient, pinned, count * sizeof *pinned, cudaMemcpyHostToDevice, r.d->stream), e);
    if (!code)
        code = CHECK_CUDA(cudaEventRecord(m->gradient_free, r.d->stream), e);
    if (!code && m->scale)
        code = CHECK_CUDA(kernel_scale_output(r.d->stream, m->scale, gradient, count), e);
    for (size_t i = (size_t)p->s.forward_steps; i < p->s.count && !code; i++)
        code = run_backward(&r, &p->s.steps[i]);
    if (!code && m->small_gradients) {
        const kernel_params params = cuda_model_params(m);
        code = CHECK_CUDA(kernel_finish_gradients(r.d->stream, &params, base->options.first_group), e);
    }
    return code;
}
