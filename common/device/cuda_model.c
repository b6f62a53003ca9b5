/* cuda_model.c - a network's parameters, gradients and Adam moments on the GPU.
 *
 * Each is one flat array. A parameter begins at a multiple of 64 numbers, and convolution weights lie as K, height,
 * width, C; upload and download turn them into PyTorch's layout and back. A table of pieces on the device tells the
 * kernels that walk over all parameters (Adam, 16-bit copies, the loss scale) what lies where. A convolution's
 * weights times the batch norm behind it are kept for evaluation, and made again when the parameters changed.
 */
#include "device/cuda.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void cuda_model_free(model *base)
{
    cuda_model *m = (cuda_model *)base;
    (void)cudaSetDevice(cuda_of(base)->number);
    (void)cudaStreamSynchronize(cuda_of(base)->stream);
    void *blocks[] = {m->params, m->gradients, m->first,  m->second, m->small_params, m->small_gradients,
                      m->folded, m->scale,     m->pieces, m->arena,  m->scratch,      m->pictures};
    for (size_t i = 0; i < COUNT(blocks); i++)
        if (blocks[i])
            (void)cudaFree(blocks[i]);
    if (m->output)
        (void)cudaFreeHost(m->output);
    if (m->gradient_free)
        (void)cudaEventDestroy(m->gradient_free);
    (void)cudaGetLastError();
    free(m->offset);
    free(m->folded_version);
    free(m);
}

/* The bits of kernel_piece.small for parameter p. */
static int16_t small_bits(const cuda_model *m, const param *p)
{
    if (cuda_of(&m->base)->numbers == NUMBER_FLOAT || m->base.graph->nodes[p->node].kind != NODE_CONV)
        return 0;
    return p->dims == 4 ? SMALL_COPY | SMALL_GRADIENT : SMALL_COPY;
}

static int make_pieces(cuda_model *m, error *e)
{
    const graph *g = m->base.graph;
    size_t count = 0, at = 0;
    for (int i = 0; i < g->param_count; i++)
        count += (g->params[i].count + PIECE_FLOATS - 1) / PIECE_FLOATS;
    kernel_piece *pieces = mem_zero(count, sizeof *pieces, "a table of parameters", e);
    if (!pieces)
        return ERR_SYSTEM;
    for (int i = 0; i < g->param_count; i++)
        for (size_t done = 0; done < g->params[i].count; done += PIECE_FLOATS) {
            size_t left = g->params[i].count - done;
            pieces[at++] = (kernel_piece){.offset = m->offset[i] + done,
                                          .count = (uint32_t)(left < PIECE_FLOATS ? left : PIECE_FLOATS),
                                          .group = (int16_t)g->params[i].group,
                                          .small = small_bits(m, &g->params[i])};
        }
    m->piece_count = (uint32_t)count;
    cudaStream_t stream = cuda_of(&m->base)->stream;
    int code = cuda_allocate((void **)&m->pieces, count * sizeof *pieces, "a table of parameters", e);
    if (!code)
        code =
            CHECK_CUDA(cudaMemcpyAsync(m->pieces, pieces, count * sizeof *pieces, cudaMemcpyHostToDevice, stream), e);
    if (!code)
        code = CHECK_CUDA(cudaStreamSynchronize(stream), e);
    free(pieces);
    return code;
}

static int zeroed(void **block, size_t bytes, const char *what, cudaStream_t stream, error *e)
{
    int code = cuda_allocate(block, bytes, what, e);
    return code ? code : CHECK_CUDA(cudaMemsetAsync(*block, 0, bytes, stream), e);
}

int cuda_model_train(cuda_model *m, error *e)
{
    const cuda_device *d = cuda_of(&m->base);
    struct {
        void **block;
        size_t bytes;
        bool wanted;
    } blocks[] = {{(void **)&m->gradients, m->floats * sizeof(float), true},
                  {(void **)&m->first, m->floats * sizeof(float), true},
                  {(void **)&m->second, m->floats * sizeof(float), true},
                  {&m->small_gradients, m->floats * 2, d->numbers != NUMBER_FLOAT},
                  {(void **)&m->scale, sizeof *m->scale, d->numbers == NUMBER_FP16}};
    int code = cuda_use(d, e);
    for (size_t i = 0; i < COUNT(blocks) && !code; i++) {
        if (!blocks[i].wanted || *blocks[i].block)
            continue;
        code = zeroed(blocks[i].block, blocks[i].bytes, "gradients and moments", d->stream, e);
        if (!code && blocks[i].block == (void **)&m->scale) {
            const kernel_scale start = {.scale = 1024};
            code = CHECK_CUDA(cudaMemcpyAsync(m->scale, &start, sizeof start, cudaMemcpyHostToDevice, d->stream), e);
            if (!code)
                code = CHECK_CUDA(cudaStreamSynchronize(d->stream), e);
        }
    }
    return code;
}

static int make_arrays(cuda_model *m, error *e)
{
    const cuda_device *d = cuda_of(&m->base);
    int code = cuda_use(d, e);
    if (!code)
        code = zeroed((void **)&m->params, m->floats * sizeof(float), "parameters", d->stream, e);
    if (!code && d->numbers != NUMBER_FLOAT)
        code = zeroed(&m->small_params, m->floats * 2, "16-bit weights", d->stream, e);
    if (!code)
        code = CHECK_CUDA(cudaEventCreateWithFlags(&m->gradient_free, cudaEventDisableTiming), e);
    return code ? code : make_pieces(m, e);
}

model *cuda_model_create(device *d, const graph *g, error *e)
{
    cuda_model *m = mem_zero(1, sizeof *m, "a model", e);
    if (!m)
        return NULL;
    m->base = (model){d, g};
    m->offset = mem_zero((size_t)g->param_count, sizeof *m->offset, "a model", e);
    m->folded_version = mem_zero((size_t)g->param_count, sizeof *m->folded_version, "a model", e);
    if (!m->offset || !m->folded_version) {
        free(m->offset);
        free(m->folded_version);
        free(m);
        return NULL;
    }
    for (int i = 0; i < GROUPS; i++)
        m->version[i] = 1;
    for (int i = 0; i < g->param_count; i++) {
        m->offset[i] = m->floats;
        m->floats += (g->params[i].count + 63) / 64 * 64;
    }
    if (!make_arrays(m, e))
        return &m->base;
    cuda_model_free(&m->base);
    return NULL;
}

kernel_params cuda_model_params(const cuda_model *m)
{
    return (kernel_params){.type = cuda_of(&m->base)->numbers,
                           .pieces = m->pieces,
                           .piece_count = m->piece_count,
                           .params = m->params,
                           .gradients = m->gradients,
                           .first = m->first,
                           .second = m->second,
                           .small_params = m->small_params,
                           .small_gradients = m->small_gradients,
                           .scale = m->scale};
}

/* One parameter between PyTorch's layout (convolutions K, C, height, width) and ours (K, height, width, C).
 */
static void reorder(const graph *g, const param *p, const float *from, float *to, bool up)
{
    if (g->nodes[p->node].kind != NODE_CONV || p->dims != 4) {
        memcpy(to, from, p->count * sizeof *to);
        return;
    }
    size_t c = (size_t)p->shape[1], window = (size_t)p->shape[2] * (size_t)p->shape[3];
    for (size_t k = 0; k < (size_t)p->shape[0]; k++)
        for (size_t i = 0; i < c; i++)
            for (size_t j = 0; j < window; j++) {
                size_t plain = (k * c + i) * window + j, ours = (k * window + j) * c + i;
                to[up ? ours : plain] = from[up ? plain : ours];
            }
}

/* Copies a flat array to the device. */
static int send(cuda_model *m, const float *host, float *array, error *e)
{
    const graph *g = m->base.graph;
    cudaStream_t stream = cuda_of(&m->base)->stream;
    float *block = mem_zero(m->floats, sizeof *block, "parameters", e);
    if (!block)
        return ERR_SYSTEM;
    for (int i = 0; i < g->param_count; i++)
        reorder(g, &g->params[i], host + g->params[i].offset, block + m->offset[i], true);
    int code = cuda_use(cuda_of(&m->base), e);
    if (!code)
        code = CHECK_CUDA(cudaMemcpyAsync(array, block, m->floats * sizeof *block, cudaMemcpyHostToDevice, stream), e);
    if (!code)
        code = CHECK_CUDA(cudaStreamSynchronize(stream), e);
    free(block);
    return code;
}

/* Copies a flat array from the device. */
static int fetch(cuda_model *m, const float *array, float *host, error *e)
{
    const graph *g = m->base.graph;
    cudaStream_t stream = cuda_of(&m->base)->stream;
    float *block = mem_zero(m->floats, sizeof *block, "parameters", e);
    if (!block)
        return ERR_SYSTEM;
    int code = cuda_use(cuda_of(&m->base), e);
    if (!code)
        code = CHECK_CUDA(cudaMemcpyAsync(block, array, m->floats * sizeof *block, cudaMemcpyDeviceToHost, stream), e);
    if (!code)
        code = CHECK_CUDA(cudaStreamSynchronize(stream), e);
    for (int i = 0; i < g->param_count && !code; i++)
        reorder(g, &g->params[i], block + m->offset[i], host + g->params[i].offset, false);
    free(block);
    return code;
}

int cuda_model_reset_moments(model *base, error *e)
{
    cuda_model *m = (cuda_model *)base;
    cudaStream_t stream = cuda_of(base)->stream;
    int code = cuda_use(cuda_of(base), e);
    if (!m->first || !m->second)
        return code;
    if (!code)
        code = CHECK_CUDA(cudaMemsetAsync(m->first, 0, m->floats * sizeof(float), stream), e);
    if (!code)
        code = CHECK_CUDA(cudaMemsetAsync(m->second, 0, m->floats * sizeof(float), stream), e);
    return code;
}

int cuda_model_upload(model *base, const float *params, error *e)
{
    cuda_model *m = (cuda_model *)base;
    int code = send(m, params, m->params, e);
    for (int i = 0; i < GROUPS; i++)
        m->version[i]++;
    if (!code && m->small_params) {
        kernel_params p = cuda_model_params(m);
        code = CHECK_CUDA(kernel_copy_params(cuda_of(base)->stream, &p), e);
    }
    return code ? code : cuda_model_reset_moments(base, e);
}

int cuda_model_download(model *base, float *params, error *e)
{
    cuda_model *m = (cuda_model *)base;
    return fetch(m, m->params, params, e);
}

int cuda_model_download_moments(model *base, float *first, float *second, error *e)
{
    cuda_model *m = (cuda_model *)base;
    int code = cuda_model_train(m, e);
    if (!code)
        code = fetch(m, m->first, first, e);
    return code ? code : fetch(m, m->second, second, e);
}

int cuda_model_upload_moments(model *base, const float *first, const float *second, error *e)
{
    cuda_model *m = (cuda_model *)base;
    int code = cuda_model_train(m, e);
    if (!code)
        code = send(m, first, m->first, e);
    return code ? code : send(m, second, m->second, e);
}

int cuda_model_adam_step(model *base, const float lr[GROUPS], int first_group, int64_t t, error *e)
{
    cuda_model *m = (cuda_model *)base;
    double correction = sqrt(1 - pow(0.999, (double)t)) / (1 - pow(0.9, (double)t));
    float step_size[GROUPS];
    for (int i = 0; i < GROUPS; i++)
        step_size[i] = (float)((double)lr[i] * correction);
    int code = cuda_model_train(m, e);
    const kernel_params p = cuda_model_params(m);
    if (!code)
        code = CHECK_CUDA(kernel_adam(cuda_of(base)->stream, &p, step_size, GROUPS, first_group), e);
    for (int i = first_group; i < GROUPS; i++)
        m->version[i]++;
    return code;
}

int cuda_model_fold(cuda_model *m, int number, int bn, error *e)
{
    const graph *g = m->base.graph;
    const param *p = &g->params[number];
    if (m->folded_version[number] == m->version[p->group])
        return 0;
    const cuda_device *d = cuda_of(&m->base);
    const int *norm = g->nodes[bn].params, own = g->nodes[p->node].params[1];
    char *folded = m->folded;
    int code = CHECK_CUDA(
        kernel_fold(d->stream, d->numbers, m->params + m->offset[number], own < 0 ? NULL : m->params + m->offset[own],
                    (size_t)p->shape[0], p->count / (size_t)p->shape[0], m->params + m->offset[norm[0]],
                    m->params + m->offset[norm[1]], m->params + m->offset[norm[2]], m->params + m->offset[norm[3]],
                    folded + m->offset[number] * d->number_bytes, folded + m->offset[norm[1]] * d->number_bytes),
        e);
    m->folded_version[number] = code ? 0 : m->version[p->group];
    return code;
}
