/* cuda_memory.c - memory on the GPU: single blocks, and the room that all plans of a model share. When it is too
 * little the message says which batch would fit. */
#include "device/cuda.h"

#include <stdio.h>

static size_t free_memory(void)
{
    size_t left = 0, total = 0;
    return cudaMemGetInfo(&left, &total) == cudaSuccess ? left : 0;
}

/* cudaMalloc; *line is where it stands, for messages. */
static cudaError_t device_malloc(void **block, size_t bytes, int *line)
{
    *block = NULL;
    cudaError_t status = (*line = __LINE__, cudaMalloc(block, bytes ? bytes : 1));
    if (status != cudaSuccess)
        *block = NULL;
    return status;
}

int cuda_allocate(void **block, size_t bytes, const char *what, error *e)
{
    int line = 0;
    cudaError_t status = device_malloc(block, bytes, &line);
    if (status != cudaErrorMemoryAllocation)
        return check_cuda(status, "cudaMalloc", __FILE__, line, e);
    (void)cudaGetLastError();
    return fail(e, ERR_SYSTEM,
                "cuda: cudaMalloc of %.2f GiB for %s failed with cudaErrorMemoryAllocation at cuda_memory.c:%d: "
                "%.2f GiB are free on the GPU; end other programs on it, or use a smaller --set batch=N",
                cuda_gib(bytes), what, line, cuda_gib(free_memory()));
}

/* Makes *block, of *have bytes, at least `need` bytes large. */
static cudaError_t grow_block(void **block, size_t *have, size_t need, int *line)
{
    if (need <= *have)
        return cudaSuccess;
    if (*block)
        (void)cudaFree(*block);
    *have = 0;
    cudaError_t status = device_malloc(block, need, line);
    if (status == cudaSuccess)
        *have = need;
    return status;
}

/* Says which batch would fit, from what grows with the batch and what is free when all of it is given back.
 */
static int too_large(cuda_model *m, const cuda_need *need, int line, error *e)
{
    void **blocks[] = {(void **)&m->arena, (void **)&m->scratch, (void **)&m->pictures};
    size_t *sizes[] = {&m->arena_bytes, &m->scratch_bytes, &m->picture_bytes};
    for (int i = 0; i < 3; i++) {
        if (*blocks[i])
            (void)cudaFree(*blocks[i]);
        *blocks[i] = NULL;
        *sizes[i] = 0;
    }
    size_t left = free_memory(), spare = left / 32, fixed = need->scratch + spare,
           each = (need->arena + need->pictures) / (size_t)need->batch + 1;
    size_t fits = left > fixed ? (left - fixed) / each : 0;
    if (fits >= (size_t)need->batch) /* free, but not in one piece */
        fits = (size_t)need->batch / 2;
    char way[100];
    snprintf(way, sizeof way, "a batch of about %zu would fit (--set batch=N, or --batch N of predict)", fits);
    return fail(e, ERR_SYSTEM,
                "cuda: a batch of %d needs %.2f GiB for activations and work areas, and cudaMalloc failed with "
                "cudaErrorMemoryAllocation at cuda_memory.c:%d: %.2f GiB are free on the GPU; %s",
                need->batch, cuda_gib(need->arena + need->scratch + need->pictures), line, cuda_gib(left),
                fits ? way : "not even one picture would fit");
}

static int grow_output(cuda_model *m, size_t floats, error *e)
{
    if (floats <= m->output_floats)
        return 0;
    if (m->output)
        (void)cudaFreeHost(m->output);
    m->output = NULL;
    m->output_floats = 0;
    int code = CHECK_CUDA(cudaHostAlloc((void **)&m->output, 2 * floats * sizeof *m->output, cudaHostAllocDefault), e);
    if (!code)
        m->output_floats = floats;
    return code;
}

int cuda_model_reserve(cuda_model *m, const cuda_need *need, error *e)
{
    const cuda_device *d = cuda_of(&m->base);
    m->active = NULL;
    int code = CHECK_CUDA(cudaStreamSynchronize(d->stream), e); /* nothing uses the present memory any more */
    if (code)
        return code;
    size_t folded_bytes = 0;
    const struct {
        void **block;
        size_t *have, need;
    } rooms[] = {{&m->folded, &folded_bytes, need->folds && !m->folded ? m->floats * d->number_bytes : 0},
                 {(void **)&m->arena, &m->arena_bytes, need->arena},
                 {(void **)&m->scratch, &m->scratch_bytes, need->scratch},
                 {(void **)&m->pictures, &m->picture_bytes, need->pictures}};
    for (int i = 0; i < 4; i++) {
        int line = 0;
        cudaError_t status = grow_block(rooms[i].block, rooms[i].have, rooms[i].need, &line);
        if (status == cudaErrorMemoryAllocation)
            return (void)cudaGetLastError(), too_large(m, need, line, e);
        if (status != cudaSuccess)
            return check_cuda(status, "cudaMalloc", __FILE__, line, e);
    }
    return grow_output(m, need->outputs, e);
}
