/* kernels_params.cu - the kernels that walk over all parameters of a network in one launch: Adam, 16-bit copies of
 * weights, gradients made float, the loss scale. */
#include "device/kernels_common.h"
#include "graph/graph.h"

typedef struct args_params {
    kernel_params p;
    float step_size[GROUPS];
    int first_group;
} args_params;

typedef struct args_scale_output {
    const kernel_scale *scale;
    float *gradient;
    size_t count;
} args_scale_output;

/* A block for each piece. */
#define PIECES(i)                                                                                                      \
    const kernel_piece piece = a.p.pieces[blockIdx.x];                                                                 \
    for (size_t i = piece.offset + threadIdx.x; i < piece.offset + piece.count; i += blockDim.x)

KERNEL(adam, args_params)
{
    const float b1 = 0.9f, b2 = 0.999f, c1 = (float)(1 - 0.9), c2 = (float)(1 - 0.999), eps = 1e-8f;
    if (a.p.scale && a.p.scale->bad)
        return;
    /* constant indices: an array indexed at run time is copied into each thread's own memory */
    const int group = a.p.pieces[blockIdx.x].group;
    const float step_size = group == GROUP_STEM  ? a.step_size[GROUP_STEM]
                            : group == GROUP_TOP ? a.step_size[GROUP_TOP]
                                                 : a.step_size[GROUP_HEAD];
    PIECES(i) {
        if (group < a.first_group)
            return;
        float g = a.p.gradients[i], m = b1 * a.p.first[i] + c1 * g, v = b2 * a.p.second[i] + c2 * g * g;
        float p = a.p.params[i] - step_size * m / (sqrtf(v) + eps);
        a.p.first[i] = m;
        a.p.second[i] = v;
        a.p.params[i] = p;
        if ((piece.small & SMALL_COPY) && a.p.type != NUMBER_FLOAT)
            store_small(a.p.small_params, i, a.p.type, p);
    }
}

KERNEL(copy_params, args_params)
{
    PIECES(i) {
        if (piece.small & SMALL_COPY)
            store_small(a.p.small_params, i, a.p.type, a.p.params[i]);
    }
}

KERNEL(finish_gradients, args_params)
{
    float inverse = a.p.scale ? 1 / a.p.scale->scale : 1;
    PIECES(i) {
        if (piece.group < a.first_group)
            return;
        float g = piece.small & SMALL_GRADIENT ? load_small(a.p.small_gradients, i, a.p.type) : a.p.gradients[i];
        g *= inverse;
        a.p.gradients[i] = g;
        if (a.p.scale && !(g - g == 0))
            atomicOr(&a.p.scale->bad, 1);
    }
}

KERNEL(next_scale, args_params)
{
    kernel_scale *s = a.p.scale;
    if (threadIdx.x > 0)
        return;
    if (s->bad) {
        s->scale = s->scale > 1 ? s->scale / 2 : 1;
        s->good_steps = 0;
    } else if (++s->good_steps == 1000) {
        s->scale = s->scale < 0x1p24f ? s->scale * 2 : s->scale;
        s->good_steps = 0;
    }
}

KERNEL(scale_output, args_scale_output)
{
    EACH(i, a.count) {
        a.gradient[i] *= a.scale->scale;
    }
}

KERNEL(forget_bad, args_params)
{
    if (threadIdx.x == 0)
        a.p.scale->bad = 0;
}

cudaError_t kernel_adam(cudaStream_t stream, const kernel_params *p, const float *step_size, int groups,
                        int first_group)
{
    args_params args = {*p, {0}, first_group};
    for (int i = 0; i < groups && i < GROUPS; i++)
        args.step_size[i] = step_size[i];
    cudaError_t status = LAUNCH(adam, args_params, p->piece_count, BLOCK, stream, args);
    if (status != cudaSuccess || !p->scale)
        return status;
    return LAUNCH(next_scale, args_params, 1, 1, stream, args);
}

cudaError_t kernel_copy_params(cudaStream_t stream, const kernel_params *p)
{
    args_params args = {*p, {0}, 0};
    return LAUNCH(copy_params, args_params, p->piece_count, BLOCK, stream, args);
}

cudaError_t kernel_finish_gradients(cudaStream_t stream, const kernel_params *p, int first_group)
{
    args_params args = {*p, {0}, first_group};
    if (p->scale) {
        cudaError_t status = LAUNCH(forget_bad, args_params, 1, 1, stream, args);
        if (status != cudaSuccess)
            return status;
    }
    return LAUNCH(finish_gradients, args_params, p->piece_count, BLOCK, stream, args);
}

cudaError_t kernel_scale_output(cudaStream_t stream, const kernel_scale *scale, float *gradient, size_t count)
{
    args_scale_output args = {scale, gradient, count};
    return LAUNCH(scale_output, args_scale_output, blocks(count), BLOCK, stream, args);
}
