/* Tests of device/cpu_kernels.h: every kernel does all of its work, and the same, when it gets fewer threads than it
 * asks for. */
#include "device/instructions.h"

#include "test.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>

enum { N = 3, C = 20, HW = 6, PADDED = 32, COUNT = N * PADDED * HW, ASKED = 4 };

/* What the kernels read, and one result for each of them. */
typedef struct work {
    float x[COUNT], gradient[COUNT], weight[PADDED], bias[PADDED], mean[PADDED], var[PADDED];
    float normalized[COUNT], normed[COUNT], normed_gradient[COUNT], dweight[PADDED], dbias[PADDED];
    float saved_mean[PADDED], saved_deviation[PADDED];
    float relu[COUNT], relu_gradient[COUNT], sum[COUNT], pooled[COUNT], pooled_gradient[COUNT];
    float flat[COUNT], unflat[COUNT], dropped[COUNT];
    float upsampled[4 * COUNT], upsampled_sum[4 * COUNT], upsampled_gradient[COUNT], channel_sums[PADDED];
    float params[COUNT], first[COUNT], second[COUNT];
    int32_t where[N * C];
    double partial[ASKED * 2 * PADDED];
} work;

static work *new_work(void)
{
    work *w = calloc(1, sizeof *w);
    for (int i = 0; w && i < COUNT; i++) {
        w->x[i] = (float)(i % 37) / 8 - 2;
        w->gradient[i] = (float)(i % 23) / 16 - 0.5f;
        w->params[i] = (float)(i % 11);
    }
    for (int i = 0; w && i < PADDED; i++) {
        w->weight[i] = 1 + (float)i / 16;
        w->var[i] = 1;
    }
    return w;
}

static void run_kernels(const cpu_kernels *k, work *w, int threads)
{
    const float mean[3] = {0.5f, 0.25f, 0.125f}, std[3] = {2, 4, 8};
    batchnorm b = {.n = N,
                   .c = C,
                   .hw = HW,
                   .eps = 1e-5f,
                   .momentum = 0.1f,
                   .weight = w->weight,
                   .bias = w->bias,
                   .running_mean = w->mean,
                   .running_var = w->var,
                   .mean = w->saved_mean,
                   .inverse_std = w->saved_deviation,
                   .partial = (float *)(void *)w->partial,
                   .threads = threads};
    k->normalize(w->x, N, HW, mean, std, w->normalized, threads);
    k->batchnorm_forward(&b, w->x, NULL, w->normed);
    k->batchnorm_backward(&b, w->gradient, NULL, w->x, NULL, w->dweight, w->dbias, w->normed_gradient, NULL);
    k->relu_forward(w->x, w->relu, COUNT, threads);
    k->relu_backward(w->gradient, w->x, w->relu_gradient, COUNT, threads);
    k->add(w->x, w->gradient, w->sum, COUNT, threads);
    k->concatpool_forward(w->x, N, C, HW, w->pooled, w->where, threads);
    k->concatpool_backward(w->gradient, N, C, HW, w->where, w->pooled_gradient, threads);
    k->upsample_forward(w->x, N, C, 2, HW / 2, NULL, w->upsampled, threads);
    k->upsample_forward(w->x, N, C, 2, HW / 2, w->upsampled, w->upsampled_sum, threads);
    k->upsample_backward(w->upsampled, N, C, 2, HW / 2, w->upsampled_gradient, threads);
    k->channel_sums(w->x, N, C, HW, w->channel_sums, (float *)(void *)w->partial, threads);
    k->flatten(w->x, N, C, HW, w->flat, threads);
    k->unflatten(w->x, N, C, HW, w->unflat, threads);
    k->dropout(w->x, w->dropped, COUNT, 0.5f, 7, 1, 2, threads);
    k->adam(w->params, w->gradient, w->first, w->second, COUNT, 0.01f, threads);
}

int main(void)
{
    const char *const limits[] = {"sse2", "avx2", "avx512"};
    TEST("kernels that get one thread of four compute everything")
    for (int i = 0; i < 3; i++) {
        const cpu_kernels *k = instructions_choose(limits[i])->flat;
        work *alone = new_work(), *fewer = new_work();
        int team = 0;
        if (!alone || !fewer)
            return 1;
        run_kernels(k, alone, 1);
        /* a region inside another one has one thread, whatever it asks for */
        omp_set_max_active_levels(1);
#pragma omp parallel num_threads(2)
#pragma omp single
        {
#pragma omp parallel num_threads(ASKED)
#pragma omp single
            team = omp_get_num_threads();
            run_kernels(k, fewer, ASKED);
        }
        CHECK(team == 1, "the inner region has %d threads", team);
        CHECK(!memcmp(alone, fewer, offsetof(work, partial)), "%s", k->name);
        free(alone);
        free(fewer);
    }
    return test_end();
}
