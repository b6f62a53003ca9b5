/* Tests of device/matmul.h: products of many shapes on every instruction set of this processor, against sums in double
 * precision. */
#include "device/instructions.h"

#include "test.h"

#include "base/error.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t state;

static float *floats(size_t count)
{
    error e = {0};
    float *p = mem_aligned((count + 16) * sizeof *p, "a test", &e);
    if (!p)
        exit(1);
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        p[i] = (float)((int32_t)(state >> 32)) * 0x1p-31f;
    }
    return p;
}

/* m, n, k */
static const int shapes[][3] = {{1, 1, 1},     {1, 20, 256},  {1, 256, 1000}, {2, 24, 512},   {3, 37, 40},
                                {4, 64, 16},   {6, 128, 33},  {7, 129, 256},  {9, 100, 17},   {15, 31, 300},
                                {16, 16, 16},  {17, 24, 513}, {64, 24, 96},   {64, 256, 700}, {65, 70, 257},
                                {200, 33, 21}, {13, 400, 5},  {128, 20, 512}, {5, 3, 2},      {400, 2, 9},
                                {33, 193, 64}, {1, 1040, 37}};

/* One product beside its definition: the largest error, in units of what rounding may do to a sum of k terms. */
static double error_of(const instructions *on, const matmul_shape *s, int threads, float *scratch, float *result)
{
    const size_t m = (size_t)s->m, n = (size_t)s->n, k = (size_t)s->k;
    state = m * 7919 + n * 31 + k;
    float *a = floats(m * k), *b = floats(k * n), *c = floats(m * n + 1);
    memcpy(result, c, m * n * sizeof *c);
    result[m * n] = 7;
    on->matmul(s, a, b, result, scratch, threads);
    double worst = result[m * n] == 7 ? 0 : 1e9; /* nothing is written behind it */
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = s->accumulate ? (double)c[i * n + j] : 0;
            for (size_t p = 0; p < k; p++)
                sum += (double)a[s->transpose_a ? p * m + i : i * k + p] *
                       (double)b[s->transpose_b ? j * k + p : p * n + j];
            const double off = fabs((double)result[i * n + j] - sum) / (0x1p-24 * (8 + (double)k));
            worst = off > worst ? off : worst;
        }
    free(a);
    free(b);
    free(c);
    return worst;
}

static void check(const instructions *on, const int size[3])
{
    float *scratch = floats(matmul_scratch_floats(3)), *results[3];
    for (int threads = 1; threads <= 3; threads++)
        results[threads - 1] = floats((size_t)size[0] * (size_t)size[1] + 1);
    for (int form = 0; form < 8; form++) {
        const matmul_shape s = {form & 1, form & 2, size[0], size[1], size[2], form & 4};
        double worst = 0;
        for (int threads = 1; threads <= 3; threads++) {
            const double off = error_of(on, &s, threads, scratch, results[threads - 1]);
            worst = off > worst ? off : worst;
        }
        CHECK(worst < 1, "%s: %d x %d x %d, form %d: error %.2g", on->name, s.m, s.n, s.k, form, worst);
        const size_t bytes = (size_t)s.m * (size_t)s.n * sizeof(float);
        CHECK(!memcmp(results[0], results[1], bytes) && !memcmp(results[0], results[2], bytes),
              "%s: %d x %d x %d, form %d: results differ by the number of threads", on->name, s.m, s.n, s.k, form);
    }
    for (int i = 0; i < 3; i++)
        free(results[i]);
    free(scratch);
}

int main(void)
{
    const char *const limits[] = {"sse2", "avx2", "avx512"};
    TEST("products of matrices agree with double precision in every form, whatever the number of threads")
    for (size_t i = 0; i < COUNT(limits); i++)
        for (size_t shape = 0; shape < COUNT(shapes); shape++)
            check(instructions_choose(limits[i]), shapes[shape]);
    return test_end();
}
