/* The kernels for 3x3 convolutions of stride 2 against sums in double precision. */
#include "base/error.h"
#include "device/strided.h"
#include "instruction_sets.h"
#include "test.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 2e-6; /* relative L2 error */

/* The instruction sets of this processor. */
static const instructions *sets[MOST_SETS];
static int set_count;

static uint64_t state;

static float *aligned(size_t count)
{
    float *p = aligned_alloc(64, (count * sizeof *p + 63) / 64 * 64);
    for (size_t i = 0; i < count; i++)
        p[i] = NAN;
    return p;
}

static float *random_floats(size_t count)
{
    float *p = aligned(count);
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        p[i] = (float)((int32_t)(state >> 32)) * 0x1p-31f;
    }
    return p;
}

static double *zero_doubles(size_t count)
{
    return calloc(count, sizeof(double));
}

typedef struct problem {
    strided_shape s;
    size_t src_size, dst_size, weights_size;
    float *src, *ddst, *weights, *dst, *dsrc, *dw, *u, *scratch;
    double *expected_dst, *expected_dsrc, *expected_dw;
} problem;

static void reference(problem *p)
{
    const strided_shape s = p->s;
    const int h = 2 * s.oh, w = 2 * s.ow;
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            for (int c = 0; c < s.c; c++)
                for (int tap = 0; tap < 9; tap++) {
                    const size_t at = ((size_t)k * (size_t)s.c + (size_t)c) * 9 + (size_t)tap;
                    const double weight = (double)p->weights[at];
                    double sum = 0;
                    for (int y = 0; y < s.oh; y++)
                        for (int x = 0; x < s.ow; x++) {
                            const int iy = 2 * y + tap / 3 - 1, ix = 2 * x + tap % 3 - 1;
                            if (iy < 0 || ix < 0)
                                continue;
                            const size_t i = (size_t)((((n * s.c + c / 16 * 16) * h) + iy * 16) * w + ix * 16 + c % 16);
                            const size_t o =
                                (size_t)((((n * s.k + k / 16 * 16) * s.oh) + y * 16) * s.ow + x * 16 + k % 16);
                            p->expected_dst[o] += weight * (double)p->src[i];
                            p->expected_dsrc[i] += weight * (double)p->ddst[o];
                            sum += (double)p->src[i] * (double)p->ddst[o];
                        }
                    p->expected_dw[at] += sum;
                }
}

static problem open_problem(const int q[5], int most_threads)
{
    problem p = {.s = {.n = q[0], .c = q[1], .k = q[2], .oh = q[3], .ow = q[4]}};
    const size_t pixels = (size_t)(q[0] * q[3] * q[4]);
    p.src_size = 4 * pixels * (size_t)q[1];
    p.dst_size = pixels * (size_t)q[2];
    p.weights_size = (size_t)(q[1] * q[2] * 9);
    state = (uint64_t)(q[0] + 7 * q[1] + 31 * q[2] + 1001 * q[3] + 50021 * q[4]);
    p.src = random_floats(p.src_size);
    p.ddst = random_floats(p.dst_size);
    p.weights = random_floats(p.weights_size);
    p.dst = aligned(p.dst_size);
    p.dsrc = aligned(p.src_size);
    p.dw = aligned(p.weights_size);
    p.u = aligned(strided_weight_floats(&p.s));
    size_t scratch = 0;
    for (int run = 0; run < set_count * most_threads; run++) {
        p.s.on = sets[run / most_threads];
        const size_t need = strided_scratch_floats(&p.s, 1 + run % most_threads);
        scratch = need > scratch ? need : scratch;
    }
    p.scratch = aligned(scratch);
    p.expected_dst = zero_doubles(p.dst_size);
    p.expected_dsrc = zero_doubles(p.src_size);
    p.expected_dw = zero_doubles(p.weights_size);
    reference(&p);
    return p;
}

static void close_problem(problem *p)
{
    float *floats[] = {p->src, p->ddst, p->weights, p->dst, p->dsrc, p->dw, p->u, p->scratch};
    for (size_t i = 0; i < COUNT(floats); i++)
        free(floats[i]);
    free(p->expected_dst);
    free(p->expected_dsrc);
    free(p->expected_dw);
}

/* Nothing of an earlier run may pass for a result. */
static void forget(problem *p)
{
    memset(p->dst, 0xff, p->dst_size * sizeof *p->dst);
    memset(p->dsrc, 0xff, p->src_size * sizeof *p->dsrc);
    memset(p->dw, 0xff, p->weights_size * sizeof *p->dw);
}

static double relative_error(const float *a, const double *b, size_t count)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += b[i] * b[i];
    }
    return size > 0 ? sqrt(difference / size) : sqrt(difference);
}

/* Batch, channels in and out, rows and columns of the output. */
static const int shapes[][5] = {{2, 32, 48, 14, 9},  {3, 144, 80, 7, 7},  {1, 16, 16, 1, 2},
                                {5, 16, 64, 28, 28}, {17, 64, 128, 7, 7}, {40, 16, 32, 5, 6},
                                {2, 16, 16, 6, 3},   {1, 272, 288, 3, 4}, {64, 16, 16, 2, 1}};
enum { SHAPES = COUNT(shapes) };

static void test_passes(void)
{
    TEST("all three passes agree with double precision, for many shapes and threads")
    {
        for (int i = 0; i < SHAPES; i++) {
            problem p = open_problem(shapes[i], 3);
            for (int run = 0; run < 3 * set_count; run++) {
                const int threads = 1 + run % 3;
                p.s.on = sets[run / 3];
                forget(&p);
                strided_weights_forward(&p.s, p.weights, p.u, threads);
                strided_forward(&p.s, p.src, p.u, p.dst, NULL, p.scratch, threads);
                const double forward = relative_error(p.dst, p.expected_dst, p.dst_size);
                strided_weights_backward(&p.s, p.weights, p.u, threads);
                strided_backward_data(&p.s, p.ddst, p.u, p.dsrc, NULL, p.scratch, threads);
                const double data = relative_error(p.dsrc, p.expected_dsrc, p.src_size);
                strided_backward_weights(&p.s, p.src, p.ddst, p.dw, p.scratch, threads);
                const double weights = relative_error(p.dw, p.expected_dw, p.weights_size);
                CHECK(forward <= tolerance && data <= tolerance && weights <= tolerance,
                      "%s, shape %d, %d threads: forward %.2e, backward data %.2e, weights %.2e", p.s.on->name, i,
                      threads, forward, data, weights);
            }
            close_problem(&p);
        }
    }
}

/* Sums over all pixels of a tensor with k channels in planes of hw pixels: see winograd_epilogue. */
static bool sums_agree(const double *sums, const double *r, const float *x, const float *center, int n, int k, int hw)
{
    double *expected = zero_doubles(2 * (size_t)k), worst = 0, size = 0;
    for (int i = 0; i < n * k * hw; i++) {
        const int channel = i / (hw * 16) % (k / 16) * 16 + i % 16;
        const double d = (x ? (double)x[i] : r[i]) - (double)center[channel];
        expected[channel] += x ? r[i] : d;
        expected[k + channel] += x ? r[i] * d : d * d;
    }
    for (int i = 0; i < 2 * k; i++) {
        worst = fmax(worst, fabs(sums[i] - expected[i]));
        size = fmax(size, fabs(expected[i]));
    }
    free(expected);
    return worst <= 1e-5 * size;
}

static void test_epilogues(void)
{
    TEST("bias, addition and ReLU come after the sums; those for batch norms are gathered on the way")
    {
        for (int i = 0; i < 3; i++) {
            const int *q = shapes[i], most = q[1] > q[2] ? q[1] : q[2];
            problem p = open_problem(q, 2);
            float *bias = random_floats((size_t)most), *x = random_floats(p.src_size),
                  *mask = random_floats(p.src_size), *second = random_floats(p.src_size);
            double *sums = zero_doubles(2 * (size_t)most), *expected = zero_doubles(p.src_size + p.dst_size);
            const int hw = q[3] * q[4];
            for (int set = 0; set < set_count; set++) {
                p.s.on = sets[set];
                winograd_epilogue e = {.bias = bias, .add = p.ddst, .relu = true};
                strided_weights_forward(&p.s, p.weights, p.u, 2);
                strided_forward(&p.s, p.src, p.u, p.dst, &e, p.scratch, 2);
                for (size_t j = 0; j < p.dst_size; j++) {
                    const size_t channel = j / ((size_t)hw * 16) % (size_t)(q[2] / 16) * 16 + j % 16;
                    expected[j] = fmax(0, p.expected_dst[j] + (double)bias[channel] + (double)p.ddst[j]);
                }
                CHECK(relative_error(p.dst, expected, p.dst_size) <= tolerance, "%s, shape %d: bias, addition, ReLU",
                      p.s.on->name, i);
                e = (winograd_epilogue){.sums = sums, .center = bias};
                strided_forward(&p.s, p.src, p.u, p.dst, &e, p.scratch, 2);
                CHECK(relative_error(p.dst, p.expected_dst, p.dst_size) <= tolerance &&
                          sums_agree(sums, p.expected_dst, NULL, bias, q[0], q[2], hw),
                      "%s, shape %d: sums forward", p.s.on->name, i);
                strided_weights_backward(&p.s, p.weights, p.u, 2);
                for (int what = 0; what < 4; what++) { /* bit 0: a mask; 1: in place */
                    e = (winograd_epilogue){.sums = sums,
                                            .center = bias,
                                            .x = x,
                                            .mask = what & 1 ? mask : NULL,
                                            .add = what & 2 ? p.dsrc : NULL};
                    memcpy(p.dsrc, second, p.src_size * sizeof *second);
                    strided_backward_data(&p.s, p.ddst, p.u, p.dsrc, &e, p.scratch, 2);
                    for (size_t j = 0; j < p.src_size; j++)
                        expected[j] =
                            what & 1 && !(mask[j] > 0) ? 0 : p.expected_dsrc[j] + (what & 2 ? (double)second[j] : 0);
                    CHECK(relative_error(p.dsrc, expected, p.src_size) <= tolerance &&
                              sums_agree(sums, expected, x, bias, q[0], q[1], 4 * hw),
                          "%s, shape %d, backward %d", p.s.on->name, i, what);
                }
            }
            free(bias);
            free(x);
            free(mask);
            free(second);
            free(sums);
            free(expected);
            close_problem(&p);
        }
    }
}

static void test_repeats(void)
{
    TEST("with the same number of threads results repeat bit for bit")
    {
        for (int i = 0; i < 5; i++)
            for (int threads = 1; threads <= 3; threads++) {
                problem p = open_problem(shapes[i], threads);
                float *dst = aligned(p.dst_size), *dsrc = aligned(p.src_size), *dw = aligned(p.weights_size);
                float *center = random_floats((size_t)p.s.k);
                double *first = zero_doubles(2 * (size_t)p.s.k), *again = zero_doubles(2 * (size_t)p.s.k);
                for (int both = 0; both < 2 * set_count; both++) {
                    const bool run = both & 1;
                    p.s.on = sets[both / 2];
                    if (run) {
                        memset(dst, 0xff, p.dst_size * sizeof *dst);
                        memset(dsrc, 0xff, p.src_size * sizeof *dsrc);
                        memset(dw, 0xff, p.weights_size * sizeof *dw);
                    }
                    const winograd_epilogue e = {.sums = run ? again : first, .center = center};
                    strided_weights_forward(&p.s, p.weights, p.u, threads);
                    strided_forward(&p.s, p.src, p.u, run ? dst : p.dst, &e, p.scratch, threads);
                    strided_weights_backward(&p.s, p.weights, p.u, threads);
                    strided_backward_data(&p.s, p.ddst, p.u, run ? dsrc : p.dsrc, NULL, p.scratch, threads);
                    strided_backward_weights(&p.s, p.src, p.ddst, run ? dw : p.dw, p.scratch, threads);
                    CHECK(!run || (!memcmp(dst, p.dst, p.dst_size * sizeof *dst) &&
                                   !memcmp(dsrc, p.dsrc, p.src_size * sizeof *dst) &&
                                   !memcmp(dw, p.dw, p.weights_size * sizeof *dst) &&
                                   !memcmp(first, again, 2 * (size_t)p.s.k * sizeof *first)),
                          "%s, shape %d, %d threads", p.s.on->name, i, threads);
                }
                free(dst);
                free(dsrc);
                free(dw);
                free(center);
                free(first);
                free(again);
                close_problem(&p);
            }
    }
}

int main(void)
{
    const instructions *here[MOST_SETS];
    const int count = instruction_sets(here);
    for (int i = 0; i < count; i++) {
        const strided_shape smallest = {here[i], 1, 16, 16, 1, 1};
        if (strided_supported(&smallest))
            sets[set_count++] = here[i];
    }
    test_passes();
    test_epilogues();
    test_repeats();
    return test_end();
}
