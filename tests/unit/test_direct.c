/* The convolutions of direct.h against sums in double precision, with the kernels of every instruction set that this
 * processor has, in fp32 and bf16. */
#include "base/error.h"
#include "device/direct.h"
#include "device/instructions.h"
#include "test.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool bf16;
} sets[] = {{"sse2", false}, {"avx2", false}, {NULL, false}, {NULL, true}};
enum { SETS = COUNT(sets) };

/* Relative L2 errors: of fp32 sums, and of results rounded to bf16. */
static const double sum_tolerance = 3e-6, bf16_tolerance = 3e-3;

static uint64_t state;

/* A number that bf16 holds exactly. */
static float next_number(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)((int32_t)(state >> 32) >> 24) / 64;
}

/* A tensor [n][channels][h][w] in double precision, and as the kernels see it. */
typedef struct tensor {
    int n, c, hw;
    bool plain, bf16;
    double *values;
    void *data; /* blocks, or plain */
    size_t count;
} tensor;

static size_t place_in(const tensor *t, int n, int c, int at)
{
    if (t->plain)
        return ((size_t)n * (size_t)t->c + (size_t)c) * (size_t)t->hw + (size_t)at;
    const size_t blocks = (size_t)(t->c + 15) / 16;
    return (((size_t)n * blocks + (size_t)c / 16) * (size_t)t->hw + (size_t)at) * 16 + (size_t)c % 16;
}

static size_t value_in(const tensor *t, int n, int c, int at)
{
    return ((size_t)n * (size_t)t->c + (size_t)c) * (size_t)t->hw + (size_t)at;
}

static float get(const tensor *t, size_t i)
{
    float x;
    uint32_t bits;
    if (!t->bf16)
        return ((const float *)t->data)[i];
    bits = (uint32_t)((const uint16_t *)t->data)[i] << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void put(const tensor *t, size_t i, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (t->bf16)
        ((uint16_t *)t->data)[i] = (uint16_t)(bits >> 16);
    else
        ((float *)t->data)[i] = x;
}

static void *aligned(size_t bytes)
{
    void *p = NULL;
    return posix_memalign(&p, 64, bytes ? bytes : 1) ? NULL : p;
}

static tensor tensor_of(int n, int c, int hw, bool plain, bool bf16, bool filled)
{
    tensor t = {.n = n, .c = c, .hw = hw, .plain = plain, .bf16 = bf16};
    t.count = (size_t)n * (size_t)(plain ? c : (c + 15) / 16 * 16) * (size_t)hw;
    t.values = calloc((size_t)n * (size_t)c * (size_t)hw, sizeof(double));
    t.data = aligned(t.count * (bf16 ? 2 : 4));
    for (size_t i = 0; i < t.count; i++)
        put(&t, i, filled ? 0 : NAN);
    for (int i = 0; filled && i < n; i++)
        for (int j = 0; j < c; j++)
            for (int at = 0; at < hw; at++) {
                const float x = next_number();
                put(&t, place_in(&t, i, j, at), x);
                t.values[value_in(&t, i, j, at)] = (double)x;
            }
    return t;
}

static void free_tensor(tensor *t)
{
    free(t->values);
    free(t->data);
}

/* The error of what the kernels wrote against `expected` (like t->values), and whether the empty channels are zero. */
static double error_of(const tensor *t, const double *expected)
{
    double difference = 0, size = 0;
    for (int n = 0; n < t->n; n++)
        for (int c = 0; c < (t->c + 15) / 16 * 16; c++)
            for (int at = 0; at < t->hw; at++) {
                const double x = (double)get(t, place_in(t, n, c, at));
                if (c >= t->c && x != 0)
                    return INFINITY;
                const double y = c < t->c ? expected[value_in(t, n, c, at)] : 0;
                difference += (x - y) * (x - y);
                size += y * y;
            }
    return size > 0 ? sqrt(difference / size) : sqrt(difference);
}

typedef struct problem {
    direct_shape s;
    tensor src, dst, ddst, dsrc;
    size_t weights_count;
    float *weights, *dw, *u[2], *scratch;
    double *expected_dw;
} problem;

static void reference(problem *p)
{
    const conv_shape *q = &p->s.conv;
    for (int k = 0; k < q->k; k++)
        for (int c = 0; c < q->c; c++)
            for (int tap = 0; tap < q->kernel * q->kernel; tap++) {
                const size_t at = (size_t)((k * q->c + c) * q->kernel * q->kernel + tap);
                const double weight = (double)p->weights[at];
                for (int n = 0; n < q->n; n++)
                    for (int i = 0; i < q->oh * q->ow; i++) {
                        const int y = i / q->ow * q->stride - q->padding + tap / q->kernel;
                        const int x = i % q->ow * q->stride - q->padding + tap % q->kernel;
                        if (y < 0 || x < 0 || y >= q->h || x >= q->w)
                            continue;
                        const size_t in = value_in(&p->src, n, c, y * q->w + x), out = value_in(&p->dst, n, k, i);
                        p->dst.values[out] += weight * p->src.values[in];
                        p->dsrc.values[in] += weight * p->ddst.values[out];
                        p->expected_dw[at] += p->src.values[in] * p->ddst.values[out];
                    }
            }
}

/* n, c, h, w, k, kernel, stride, padding; c < 0: a plain input of -c channels. */
typedef int sizes[8];

static bool open_problem(problem *p, const sizes z, int set, int most_threads)
{
    const bool plain = z[1] < 0, bf16 = sets[set].bf16;
    const int c = abs(z[1]), oh = (z[2] + 2 * z[7] - z[5]) / z[6] + 1, ow = (z[3] + 2 * z[7] - z[5]) / z[6] + 1;
    const direct_kernels *kernels = instructions_choose(sets[set].name)->direct[bf16];
    *p = (problem){.s = {.conv = {.n = z[0],
                                  .c = c,
                                  .h = z[2],
                                  .w = z[3],
                                  .k = z[4],
                                  .oh = oh,
                                  .ow = ow,
                                  .kernel = z[5],
                                  .stride = z[6],
                                  .padding = z[7]},
                         .plain_input = plain,
                         .kernels = kernels}};
    if (!direct_supported(&p->s))
        return false;
    state = (uint64_t)(z[0] + 7 * z[1] + 31 * z[2] + 1001 * z[3] + 50021 * z[4] + z[5]);
    p->src = tensor_of(z[0], c, z[2] * z[3], plain, bf16, true);
    p->ddst = tensor_of(z[0], z[4], oh * ow, false, bf16, true);
    p->dst = tensor_of(z[0], z[4], oh * ow, false, bf16, false);
    p->dsrc = tensor_of(z[0], c, z[2] * z[3], false, bf16, false);
    p->weights_count = (size_t)(z[4] * c * z[5] * z[5]);
    p->weights = aligned(p->weights_count * sizeof(float));
    p->dw = aligned(p->weights_count * sizeof(float));
    p->expected_dw = calloc(p->weights_count, sizeof(double));
    for (size_t i = 0; i < p->weights_count; i++)
        p->weights[i] = next_number();
    size_t scratch = 0;
    for (int threads = 1; threads <= most_threads; threads++) {
        const size_t need = direct_scratch_floats(&p->s, threads);
        scratch = need > scratch ? need : scratch;
    }
    p->scratch = aligned(scratch * sizeof(float));
    memset(p->scratch, 0xff, scratch * sizeof(float)); /* NaN */
    p->u[0] = aligned(direct_weight_floats(&p->s, CONV_FORWARD) * sizeof(float));
    p->u[1] = aligned(direct_weight_floats(&p->s, CONV_BACKWARD_DATA) * sizeof(float));
    reference(p);
    return true;
}

static void close_problem(problem *p)
{
    float *floats[] = {p->weights, p->dw, p->u[0], p->u[1], p->scratch};
    for (size_t i = 0; i < COUNT(floats); i++)
        free(floats[i]);
    free(p->expected_dw);
    free_tensor(&p->src);
    free_tensor(&p->dst);
    free_tensor(&p->ddst);
    free_tensor(&p->dsrc);
}

static double tolerance(int set)
{
    return sets[set].bf16 ? bf16_tolerance : sum_tolerance;
}

static double error_of_dw(const problem *p)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < p->weights_count; i++) {
        difference += ((double)p->dw[i] - p->expected_dw[i]) * ((double)p->dw[i] - p->expected_dw[i]);
        size += p->expected_dw[i] * p->expected_dw[i];
    }
    return size > 0 ? sqrt(difference / size) : sqrt(difference);
}

static const sizes shapes[] = {
    {3, 16, 9, 8, 16, 1, 1, 0},    {1, 64, 7, 7, 72, 1, 1, 0},   {3, 40, 8, 9, 20, 1, 2, 0},
    {1, 20, 7, 7, 40, 1, 3, 0},    {3, 64, 5, 5, 64, 3, 1, 1},   {1, 72, 8, 7, 40, 3, 1, 1},
    {3, 16, 9, 9, 72, 3, 2, 1},    {1, 40, 8, 8, 16, 3, 2, 1},   {3, 20, 10, 7, 20, 3, 3, 1},
    {1, 16, 5, 6, 16, 2, 1, 0},    {3, 20, 6, 5, 40, 2, 2, 0},   {3, 16, 7, 6, 16, 2, 1, 1},
    {1, 16, 9, 9, 20, 5, 1, 2},    {3, 20, 8, 9, 16, 5, 2, 2},   {1, 16, 11, 10, 16, 5, 3, 0},
    {1, 16, 9, 8, 16, 7, 1, 3},    {3, 16, 11, 12, 20, 7, 2, 3}, {1, 16, 3, 2, 16, 3, 1, 3},
    {3, 3, 6, 7, 16, 3, 1, 1},     {1, 3, 9, 9, 20, 7, 2, 3},    {3, 16, 4, 4, 16, 1, 1, 2},
    {1, 16, 5, 5, 16, 1, 2, 3},    {13, 16, 1, 1, 16, 3, 1, 1},  {14, 40, 2, 2, 72, 3, 1, 1},
    {9, 16, 4, 3, 16, 3, 2, 1},    {2, 592, 3, 3, 40, 3, 1, 1},  {1, 1040, 3, 2, 72, 3, 2, 1},
    {2, 80, 13, 13, 144, 1, 1, 0}, {1, 16, 40, 41, 16, 3, 1, 1}, {5, 16, 21, 20, 16, 3, 2, 1},
    {3, -3, 9, 10, 16, 3, 1, 1},   {1, -3, 17, 18, 72, 7, 2, 3}, {3, -3, 33, 30, 64, 7, 2, 3},
    {1, -3, 7, 8, 20, 5, 3, 2},    {3, -1, 6, 6, 16, 2, 2, 0},   {1, -4, 5, 5, 16, 1, 1, 0},
    {3, -3, 8, 8, 16, 1, 2, 1},    {2, -3, 70, 71, 40, 7, 2, 3}};
enum { SHAPES = COUNT(shapes) };

static void test_passes(void)
{
    TEST("all three passes agree with double precision, for many shapes, instruction sets and threads")
    {
        for (int i = 0; i < SHAPES; i++)
            for (int set = 0; set < SETS; set++) {
                problem p;
                if (!open_problem(&p, shapes[i], set, 3))
                    continue;
                for (int threads = 1; threads <= 3; threads++) {
                    double data = 0;
                    direct_weights_forward(&p.s, p.weights, p.u[0], threads);
                    direct_forward(&p.s, p.src.data, p.u[0], p.dst.data, NULL, p.scratch, threads);
                    const double forward = error_of(&p.dst, p.dst.values);
                    if (!p.s.plain_input) {
                        direct_weights_backward(&p.s, p.weights, p.u[1], threads);
                        direct_backward_data(&p.s, p.ddst.data, p.u[1], p.dsrc.data, NULL, p.scratch, threads);
                        data = error_of(&p.dsrc, p.dsrc.values);
                    }
                    direct_backward_weights(&p.s, p.src.data, p.ddst.data, p.dw, p.scratch, threads);
                    const double weights = error_of_dw(&p);
                    CHECK(forward <= tolerance(set) && data <= tolerance(set) && weights <= sum_tolerance,
                          "shape %d, set %d, %d threads: forward %.2e, backward data %.2e, weights %.2e", i, set,
                          threads, forward, data, weights);
                    if (getenv("VERBOSE"))
                        printf("# shape %d, set %d: %.2e %.2e %.2e\n", i, set, forward, data, weights);
                }
                close_problem(&p);
            }
    }
}

/* Sums over all pixels of r - center and its square, or with x of r and r (x - center): see winograd_epilogue. */
static bool sums_agree(const double *sums, const tensor *t, const double *r, const tensor *x, const float *center)
{
    double worst = 0, size = 0;
    for (int c = 0; c < t->c; c++) {
        double first = 0, second = 0;
        for (int n = 0; n < t->n; n++)
            for (int at = 0; at < t->hw; at++) {
                const size_t i = value_in(t, n, c, at);
                const double d = (x ? x->values[i] : r[i]) - (double)center[c];
                first += x ? r[i] : d;
                second += x ? r[i] * d : d * d;
            }
        worst = fmax(worst, fmax(fabs(sums[c] - first), fabs(sums[t->c + c] - second)));
        size = fmax(size, fmax(fabs(first), fabs(second)));
    }
    return worst <= 1e-5 * size;
}

/* Forward with bias, addition and ReLU, then with sums. */
static void check_forward(problem *p, int shape, int set, const float *bias, double *sums, double *expected)
{
    const tensor *dst = &p->dst;
    winograd_epilogue e = {.bias = bias, .add = p->ddst.data, .relu = true};
    direct_weights_forward(&p->s, p->weights, p->u[0], 2);
    direct_forward(&p->s, p->src.data, p->u[0], dst->data, &e, p->scratch, 2);
    for (int n = 0; n < dst->n; n++)
        for (int c = 0; c < dst->c; c++)
            for (int at = 0; at < dst->hw; at++) {
                const size_t i = value_in(dst, n, c, at);
                expected[i] = fmax(0, dst->values[i] + (double)bias[c] + p->ddst.values[i]);
            }
    CHECK(error_of(dst, expected) <= tolerance(set), "shape %d, set %d: bias, addition, ReLU", shape, set);
    memcpy(dst->data, p->ddst.data, dst->count * (dst->bf16 ? 2 : 4));
    e = (winograd_epilogue){.bias = bias, .add = dst->data, .relu = true};
    direct_forward(&p->s, p->src.data, p->u[0], dst->data, &e, p->scratch, 2);
    CHECK(error_of(dst, expected) <= tolerance(set), "shape %d, set %d: addition in place", shape, set);
    e = (winograd_epilogue){.sums = sums, .center = bias};
    direct_forward(&p->s, p->src.data, p->u[0], dst->data, &e, p->scratch, 2);
    CHECK(error_of(dst, dst->values) <= tolerance(set) && sums_agree(sums, dst, dst->values, NULL, bias),
          "shape %d, set %d: sums forward", shape, set);
}

/* Backward data with all that a batch norm in front wants: bit 0 of `what`: a mask; 1: an addition in place. */
static void check_backward(problem *p, int shape, int set, int what, const float *center, double *sums,
                           double *expected)
{
    const tensor *dsrc = &p->dsrc;
    tensor x = tensor_of(dsrc->n, dsrc->c, dsrc->hw, false, dsrc->bf16, true),
           mask = tensor_of(dsrc->n, dsrc->c, dsrc->hw, false, dsrc->bf16, true),
           second = tensor_of(dsrc->n, dsrc->c, dsrc->hw, false, dsrc->bf16, true);
    const winograd_epilogue e = {.sums = sums,
                                 .center = center,
                                 .x = x.data,
                                 .mask = what & 1 ? mask.data : NULL,
                                 .add = what & 2 ? dsrc->data : NULL};
    memcpy(dsrc->data, second.data, dsrc->count * (dsrc->bf16 ? 2 : 4));
    direct_weights_backward(&p->s, p->weights, p->u[1], 2);
    direct_backward_data(&p->s, p->ddst.data, p->u[1], dsrc->data, &e, p->scratch, 2);
    for (size_t i = 0; i < (size_t)dsrc->n * (size_t)dsrc->c * (size_t)dsrc->hw; i++)
        expected[i] = what & 1 && !(mask.values[i] > 0) ? 0 : dsrc->values[i] + (what & 2 ? second.values[i] : 0);
    CHECK(error_of(dsrc, expected) <= tolerance(set) && sums_agree(sums, dsrc, expected, &x, center),
          "shape %d, set %d: backward %d", shape, set, what);
    free_tensor(&x);
    free_tensor(&mask);
    free_tensor(&second);
}

static void test_epilogues(void)
{
    TEST("bias, addition and ReLU come after the sums; those for batch norms are gathered on the way")
    {
        for (int i = 0; i < SHAPES; i++)
            for (int set = 0; set < SETS; set++) {
                problem p;
                if (!open_problem(&p, shapes[i], set, 2))
                    continue;
                const conv_shape *q = &p.s.conv;
                const size_t most = (size_t)(q->c > q->k ? q->c : q->k);
                float *bias = aligned((size_t)q->k * sizeof *bias), *center = aligned((size_t)q->c * sizeof *center);
                double *sums = calloc(2 * most, sizeof *sums),
                       *expected = calloc(p.src.count + p.dst.count, sizeof *expected);
                for (int c = 0; c < q->k; c++)
                    bias[c] = next_number();
                for (int c = 0; c < q->c; c++)
                    center[c] = next_number();
                check_forward(&p, i, set, bias, sums, expected);
                for (int what = 0; what < 4 && !p.s.plain_input; what++)
                    check_backward(&p, i, set, what, center, sums, expected);
                free(bias);
                free(center);
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
        for (int i = 0; i < SHAPES; i += 3)
            for (int threads = 1; threads <= 3; threads++) {
                problem p;
                if (!open_problem(&p, shapes[i], 2, threads))
                    continue;
                const size_t most = (size_t)p.s.conv.k;
                float *center = aligned(most * sizeof *center), *dw = aligned(p.weights_count * sizeof *dw);
                double *first = calloc(2 * most, sizeof *first), *again = calloc(2 * most, sizeof *again);
                void *dst = aligned(p.dst.count * 4);
                for (size_t c = 0; c < most; c++)
                    center[c] = next_number();
                for (int run = 0; run < 2; run++) {
                    const winograd_epilogue e = {.sums = run ? again : first, .center = center};
                    direct_weights_forward(&p.s, p.weights, p.u[0], threads);
                    direct_forward(&p.s, p.src.data, p.u[0], run ? dst : p.dst.data, &e, p.scratch, threads);
                    direct_backward_weights(&p.s, p.src.data, p.ddst.data, run ? dw : p.dw, p.scratch, threads);
                }
                CHECK(!memcmp(dst, p.dst.data, p.dst.count * 4) && !memcmp(dw, p.dw, p.weights_count * sizeof *dw) &&
                          !memcmp(first, again, 2 * most * sizeof *first),
                      "shape %d, %d threads", i, threads);
                free(center);
                free(dw);
                free(first);
                free(again);
                free(dst);
                close_problem(&p);
            }
    }
}

int main(void)
{
    test_passes();
    test_epilogues();
    test_repeats();
    return test_end();
}
