/* Tests of device/cpu_kernels.h: every kernel does all of its work, and the same, when it gets fewer threads than it
 * asks for; upsampling and the sums of channels by their definition. */
#include "device/instructions.h"

#include "test.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* A blocked tensor of eighths within -2 and 2, which bf16 holds exactly, as are sums of four of them. */
enum { BATCH = 2, CHANNELS = 20, HIGH = 5, WIDE = 7, NUMBERS = BATCH * 2 * 16 * HIGH * WIDE };
typedef struct tensor {
    float values[4 * NUMBERS];
    uint16_t halves[4 * NUMBERS];
} tensor;

static void fill(tensor *t, size_t count, size_t factor)
{
    for (size_t i = 0; i < count; i++)
        t->values[i] = (float)(i * factor % 33) / 8 - 2;
}

/* Where a kernel finds the numbers, as it wants them; and the reverse. */
static void *to_kernel(tensor *t, size_t count, bool bf16)
{
    for (size_t i = 0; i < count && bf16; i++) {
        uint32_t bits;
        memcpy(&bits, &t->values[i], sizeof bits);
        t->halves[i] = (uint16_t)(bits >> 16);
    }
    return bf16 ? (void *)t->halves : t->values;
}

static void from_kernel(tensor *t, size_t count, bool bf16)
{
    for (size_t i = 0; i < count && bf16; i++) {
        const uint32_t bits = (uint32_t)t->halves[i] << 16;
        memcpy(&t->values[i], &bits, sizeof bits);
    }
}

static void check_maps(const cpu_kernels *k, bool bf16)
{
    static tensor x, add, y, dy, dx;
    const size_t block = (size_t)k->block, planes = BATCH * ((CHANNELS + block - 1) / block),
                 count = planes * HIGH * WIDE * block;
    float sums[CHANNELS];
    double wanted[CHANNELS] = {0}, partial[BATCH * 2 * 32];
    fill(&x, count, 7);
    fill(&add, 4 * count, 5);
    fill(&dy, 4 * count, 11);
    to_kernel(&y, 4 * count, bf16);
    for (int with_add = 0; with_add < 2; with_add++) {
        k->upsample_forward(to_kernel(&x, count, bf16), BATCH, CHANNELS, HIGH, WIDE,
                            with_add ? to_kernel(&add, 4 * count, bf16) : NULL, bf16 ? (void *)y.halves : y.values, 2);
        from_kernel(&y, 4 * count, bf16);
        for (size_t i = 0; i < 4 * count; i++) {
            const size_t column = i / block % (2 * WIDE), row = i / block / (2 * WIDE);
            const float value = x.values[(row / 2 * WIDE + column / 2) * block + i % block];
            CHECK(y.values[i] == (with_add ? value + add.values[i] : value), "%s: number %zu is %g", k->name, i,
                  (double)y.values[i]);
        }
    }
    k->upsample_backward(to_kernel(&dy, 4 * count, bf16), BATCH, CHANNELS, HIGH, WIDE,
                         bf16 ? (void *)dx.halves : dx.values, 2);
    from_kernel(&dx, count, bf16);
    for (size_t i = 0; i < count; i++) {
        const size_t column = i / block % WIDE, row = i / block / WIDE,
                     at = (4 * row * WIDE + 2 * column) * block + i % block;
        const float *four = dy.values + at, *below = four + 2 * WIDE * block;
        CHECK(dx.values[i] == four[0] + four[block] + below[0] + below[block], "%s: gradient %zu is %g", k->name, i,
              (double)dx.values[i]);
    }
    k->channel_sums(to_kernel(&x, count, bf16), BATCH, CHANNELS, HIGH * WIDE, sums, (float *)(void *)partial, 2);
    for (size_t i = 0; i < count; i++) {
        const size_t channel = i / (block * HIGH * WIDE) % (planes / BATCH) * block + i % block;
        if (channel < CHANNELS)
            wanted[channel] += (double)x.values[i];
    }
    for (int c = 0; c < CHANNELS; c++)
        CHECK((double)sums[c] == wanted[c], "%s: the sum of channel %d is %g, not %g", k->name, c, (double)sums[c],
              wanted[c]);
}

int main(void)
{
    const char *const limits[] = {"sse2", "avx2", "avx512"};
    TEST("upsampling and the sums of channels are those of their definition, in fp32 and bf16")
    for (int i = 0; i < 4; i++) {
        const instructions *on = instructions_choose(i < 3 ? limits[i] : NULL);
        check_maps(on->flat, false);
        if (on->bf16)
            check_maps(on->bf16, true);
    }
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
