/* The Winograd kernels against plain sums in double precision. */
#include "instruction_sets.h"
#include "test.h"

#include "base/error.h"
#include "device/winograd.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* Relative L2 errors by winograd_numbers, of tensors and of the weights' gradient. A bf16 has 8 bits:
 * rounding a tensor makes 0.2 %, and rounding what the transforms make, which subtract numbers of like size,
 * several times that. */
static const double tensor_limits[] = {3e-6, 3e-3, 2e-2}, weights_limits[] = {3e-6, 3e-6, 2e-2};
static const double sum_limits[] = {1e-5, 1e-5, 5e-2};

/* The tests below are for these numbers and, one after another, the instruction sets that have them. */
static winograd_numbers numbers;
static const instructions *sets[MOST_SETS];
static int set_count;
static bool emulated; /* with the argument "emulated": leaves out what takes long */

/* Runs what follows on each of them, for problem p. */
#define EACH_SET(p) for (int set = 0; set < set_count && ((p).s.on = sets[set]); set++)

/* Whether tensors are bf16. */
static bool small_tensors(const winograd_shape *s)
{
    return s->numbers != WINOGRAD_FP32;
}

/* One shape's data. Tensors are nChw16c, weights OIHW. The kernels get src_t to dsrc_t: the floats
 * themselves, or copies in bf16. */
typedef struct problem {
    winograd_shape s;
    float *src, *ddst, *weights, *dst, *dsrc, *dw, *u, *scratch;
    void *src_t, *ddst_t, *dst_t, *dsrc_t;
    size_t src_size, dst_size, weights_size;
    double *expected_dst, *expected_dsrc, *expected_dw;
} problem;

static uint64_t state;

static float noise(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(state >> 32) / 2147483648.0f;
}

static void *aligned(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!p)
        abort();
    memset(p, 0x7f, bytes); /* large numbers: nothing may depend on what was there */
    return p;
}

static float *random_floats(size_t count)
{
    float *p = aligned(count * sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = noise();
    return p;
}

static double *zero_doubles(size_t count)
{
    double *p = calloc(count, sizeof *p);
    if (!p)
        abort();
    return p;
}

static uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float from_bf16(uint16_t x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Rounds x to bf16 and returns a copy in bf16. */
static void *bf16_copy(float *x, size_t count)
{
    uint16_t *copy = aligned(count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = to_bf16(x[i]);
        x[i] = from_bf16(copy[i]);
    }
    return copy;
}

/* The kernels' results as floats. */
static void collect(const problem *p)
{
    if (!small_tensors(&p->s))
        return;
    for (size_t i = 0; i < p->dst_size; i++)
        p->dst[i] = from_bf16(((const uint16_t *)p->dst_t)[i]);
    for (size_t i = 0; i < p->src_size; i++)
        p->dsrc[i] = from_bf16(((const uint16_t *)p->dsrc_t)[i]);
}

/* All three passes at once, as axpy loops over 16 channels. */
static void reference(problem *p)
{
    const winograd_shape s = p->s;
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            for (int c = 0; c < s.c; c++)
                for (int tap = 0; tap < 9; tap++) {
                    const int dy = tap / 3 - 1, dx = tap % 3 - 1;
                    const size_t at = ((size_t)k * (size_t)s.c + (size_t)c) * 9 + (size_t)tap;
                    const double weight = p->weights[at];
                    double sum = 0;
                    for (int y = dy < 0 ? 1 : 0; y < s.h - (dy > 0); y++) {
                        const size_t plane = (size_t)(s.h * s.w) * 16;
                        const size_t in = ((size_t)n * (size_t)s.c / 16 + (size_t)c / 16) * plane +
                                          (size_t)((y + dy) * s.w) * 16 + (size_t)c % 16;
                        const size_t out = ((size_t)n * (size_t)s.k / 16 + (size_t)k / 16) * plane +
                                           (size_t)(y * s.w) * 16 + (size_t)k % 16;
                        for (int x = dx < 0 ? 1 : 0; x < s.w - (dx > 0); x++) {
                            const size_t i = in + (size_t)(x + dx) * 16, o = out + (size_t)x * 16;
                            p->expected_dst[o] += weight * p->src[i];
                            p->expected_dsrc[i] += weight * p->ddst[o];
                            sum += (double)p->src[i] * p->ddst[o];
                        }
                    }
                    p->expected_dw[at] += sum;
                }
}

static problem open_problem(winograd_shape s, int most_threads)
{
    problem p = {.s = s};
    const size_t pixels = (size_t)s.n * (size_t)s.h * (size_t)s.w;
    p.src_size = pixels * (size_t)s.c;
    p.dst_size = pixels * (size_t)s.k;
    p.weights_size = (size_t)s.c * (size_t)s.k * 9;
    state = (uint64_t)(s.n + 7 * s.c + 31 * s.k + 1001 * s.h + 50021 * s.w);
    p.src = random_floats(p.src_size);
    p.ddst = random_floats(p.dst_size);
    p.weights = random_floats(p.weights_size);
    p.dst = aligned(p.dst_size * sizeof *p.dst);
    p.dsrc = aligned(p.src_size * sizeof *p.dsrc);
    p.dw = aligned(p.weights_size * sizeof *p.dw);
    p.src_t = small_tensors(&s) ? bf16_copy(p.src, p.src_size) : p.src;
    p.ddst_t = small_tensors(&s) ? bf16_copy(p.ddst, p.dst_size) : p.ddst;
    p.dst_t = small_tensors(&s) ? aligned(p.dst_size * 2) : p.dst;
    p.dsrc_t = small_tensors(&s) ? aligned(p.src_size * 2) : p.dsrc;
    p.u = aligned(winograd_weight_floats(&s) * sizeof *p.u);
    size_t scratch = 0;
    EACH_SET(p)
    for (int threads = 1; threads <= most_threads; threads++) {
        const size_t need = winograd_scratch_floats(&p.s, threads);
        scratch = need > scratch ? need : scratch;
    }
    p.scratch = aligned(scratch * sizeof *p.scratch);
    p.expected_dst = zero_doubles(p.dst_size);
    p.expected_dsrc = zero_doubles(p.src_size);
    p.expected_dw = zero_doubles(p.weights_size);
    reference(&p);
    return p;
}

static void close_problem(problem *p)
{
    if (small_tensors(&p->s)) {
        free(p->src_t);
        free(p->ddst_t);
        free(p->dst_t);
        free(p->dsrc_t);
    }
    free(p->src);
    free(p->ddst);
    free(p->weights);
    free(p->dst);
    free(p->dsrc);
    free(p->dw);
    free(p->u);
    free(p->scratch);
    free(p->expected_dst);
    free(p->expected_dsrc);
    free(p->expected_dw);
}

/* Nothing of an earlier run may pass for a result. */
static void forget(problem *p)
{
    const size_t bytes = small_tensors(&p->s) ? 2 : 4;
    memset(p->dst_t, 0x7f, p->dst_size * bytes);
    memset(p->dsrc_t, 0x7f, p->src_size * bytes);
    memset(p->dw, 0x7f, p->weights_size * sizeof *p->dw);
}

static double relative_error(const float *a, const double *b, size_t count)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return size > 0 ? sqrt(difference / size) : sqrt(difference);
}

static const char *numbers_name(winograd_numbers n)
{
    return n == WINOGRAD_FP32 ? "fp32" : n == WINOGRAD_MIXED ? "bf16, products in fp32" : "bf16";
}

static void check_passes(problem *p, int threads)
{
    const winograd_shape *s = &p->s;
    forget(p);
    winograd_weights_forward(s, p->weights, p->u, threads);
    winograd_forward(s, p->src_t, p->u, p->dst_t, NULL, p->scratch, threads);
    collect(p);
    const double limit = tensor_limits[s->numbers];
    const double forward = relative_error(p->dst, p->expected_dst, p->dst_size);
    winograd_weights_backward(s, p->weights, p->u, threads);
    winograd_backward_data(s, p->ddst_t, p->u, p->dsrc_t, NULL, p->scratch, threads);
    collect(p);
    const double data = relative_error(p->dsrc, p->expected_dsrc, p->src_size);
    winograd_backward_weights(s, p->src_t, p->ddst_t, p->dw, p->scratch, threads);
    const double weights = relative_error(p->dw, p->expected_dw, p->weights_size);
    CHECK(forward <= limit && data <= limit && weights <= weights_limits[s->numbers],
          "%s, n %d c %d k %d h %d w %d, %s, %d threads: forward %.2e, backward data %.2e, weights %.2e", s->on->name,
          s->n, s->c, s->k, s->h, s->w, numbers_name(s->numbers), threads, forward, data, weights);
}

static void check_shape(int n, int c, int k, int h, int w)
{
    problem p = open_problem((winograd_shape){.n = n, .c = c, .k = k, .h = h, .w = w, .numbers = numbers}, 3);
    EACH_SET(p)
    for (int threads = 1; threads <= 3; threads++)
        check_passes(&p, threads);
    close_problem(&p);
}

/* The instruction sets that have kernels for `numbers`. */
static void find_sets(void)
{
    const instructions *here[MOST_SETS];
    const int count = instruction_sets(here);
    set_count = 0;
    for (int i = 0; i < count; i++) {
        const winograd_shape s = {.on = here[i], .n = 1, .c = 16, .k = 16, .h = 4, .w = 4, .numbers = numbers};
        if (winograd_supported(&s))
            sets[set_count++] = here[i];
    }
}

static void test_support(void)
{
    TEST("channel counts that are no multiple of 16 are not served")
    {
        const instructions *on = instructions_choose(NULL);
        const winograd_shape odd[] = {{on, 1, 8, 16, 4, 4, WINOGRAD_FP32},
                                      {on, 1, 16, 40, 4, 4, WINOGRAD_FP32},
                                      {on, 1, 3, 64, 8, 8, WINOGRAD_BF16},
                                      {on, 1, 0, 16, 4, 4, WINOGRAD_MIXED}};
        for (size_t i = 0; i < COUNT(odd); i++)
            CHECK(!winograd_supported(&odd[i]), "c %d k %d", odd[i].c, odd[i].k);
    }
}

/* A test's title, with the kind of numbers. */
static const char *title(const char *what)
{
    static char text[200];
    snprintf(text, sizeof text, "%s: %s", numbers_name(numbers), what);
    return text;
}

static void test_sizes(void)
{
    TEST(title("every height and width from 1 to 9, and larger ones up to 33, agree with double precision"))
    {
        for (int h = 1; h <= 9; h++)
            for (int w = 1; w <= 9; w++)
                check_shape(2, 16, 16, h, w);
        static const int sides[][2] = {{33, 33}, {32, 31}, {30, 29}, {13, 28}, {28, 14},
                                       {14, 10}, {1, 33},  {33, 1},  {17, 23}, {19, 12}};
        for (size_t i = 0; i < COUNT(sides) && !emulated; i++)
            check_shape(2, 16, 32, sides[i][0], sides[i][1]);
    }
}

static void test_channels(void)
{
    TEST(title("every channel count from 16 to 272, and larger ones up to 512, agree with double precision"))
    {
        for (int c = 16; c <= 272; c += 32)
            check_shape(1, c, 288 - c, 6, 7);
        static const int channels[][2] = {{16, 512}, {512, 16}, {336, 80}, {144, 400}, {64, 64}, {128, 128}, {512, 48}};
        for (size_t i = 0; i < COUNT(channels); i++)
            check_shape(3, channels[i][0], channels[i][1], 7, 5);
    }
}

static void test_batches(void)
{
    TEST(title("batches of 1, 2, 3 and 17 agree with double precision"))
    {
        static const int batches[] = {1, 2, 3, 17};
        for (size_t i = 0; i < COUNT(batches); i++) {
            check_shape(batches[i], 32, 48, 14, 14);
            check_shape(batches[i], 144, 64, 7, 7);
            check_shape(batches[i], 64, 64, 9, 28);
        }
    }
}

static void test_network_shapes(void)
{
    TEST(title("the layers of ResNet-34 agree with double precision"))
    {
        check_shape(1, 64, 64, 56, 56);
        check_shape(1, 128, 128, 28, 28);
        check_shape(3, 256, 256, 14, 14);
        check_shape(2, 512, 512, 7, 7);
    }
}

/* Many tiles with many channels: several blocks shared by the threads, in all passes. */
static void test_several_blocks(void)
{
    TEST(title("shapes of several shared blocks agree with double precision"))
    {
        check_shape(17, 144, 144, 14, 13);
        check_shape(6, 272, 16, 33, 30);
    }
}

static void test_epilogue(void)
{
    TEST(title("bias, addition (also in place) and ReLU come after the sums, in this order"))
    {
        static const int shapes[][5] = {
            {2, 32, 48, 14, 9}, {3, 144, 80, 7, 7}, {1, 16, 16, 1, 2}, {11, 16, 64, 57, 60}};
        for (size_t i = 0; i < COUNT(shapes) && !(emulated && i == 3); i++) {
            const int *q = shapes[i];
            problem p = open_problem(
                (winograd_shape){.n = q[0], .c = q[1], .k = q[2], .h = q[3], .w = q[4], .numbers = numbers}, 2);
            float *bias = random_floats((size_t)p.s.k);
            double *expected = zero_doubles(p.dst_size);
            /* run % 12: bit 0: ReLU; 1: bias; 0, 4, 8: nothing, a tensor, in place */
            for (int run = 0; run < 12 * set_count; run++) {
                const int what = run % 12;
                const bool relu = what & 1, with_bias = what & 2, in_place = what & 8, with_add = what & 12;
                const winograd_epilogue e = {.bias = with_bias ? bias : NULL,
                                             .add = in_place   ? p.dst_t
                                                    : with_add ? p.ddst_t
                                                               : NULL,
                                             .relu = relu};
                const size_t plane = (size_t)(p.s.h * p.s.w) * 16;
                for (size_t j = 0; j < p.dst_size; j++) {
                    const size_t channel = j / plane % ((size_t)p.s.k / 16) * 16 + j % 16;
                    double value = p.expected_dst[j] + (with_bias ? bias[channel] : 0) + (with_add ? p.ddst[j] : 0);
                    expected[j] = relu && value < 0 ? 0 : value;
                }
                if (in_place)
                    memcpy(p.dst_t, p.ddst_t, p.dst_size * (small_tensors(&p.s) ? 2 : 4));
                p.s.on = sets[run / 12];
                winograd_weights_forward(&p.s, p.weights, p.u, 2);
                winograd_forward(&p.s, p.src_t, p.u, p.dst_t, &e, p.scratch, 2);
                collect(&p);
                const double off = relative_error(p.dst, expected, p.dst_size);
                CHECK(off <= tensor_limits[numbers], "%s, shape %zu, epilogue %d: %.2e", p.s.on->name, i, what, off);
            }
            free(bias);
            free(expected);
            close_problem(&p);
        }
    }
}

/* Sums of `plane` channels last: [n][k/16][hw][16] to [2][k]; kind 0: of r - center and its square, else of r
 * and r (x - center). */
static void expected_sums(const double *r, const float *x, const float *center, int n, int k, int hw, double *sums)
{
    for (int i = 0; i < 2 * k; i++)
        sums[i] = 0;
    for (int i = 0; i < n * k * hw; i++) {
        const int channel = i / (hw * 16) % (k / 16) * 16 + i % 16;
        const double d = (x ? (double)x[i] : r[i]) - (double)center[channel];
        sums[channel] += x ? r[i] : d;
        sums[k + channel] += x ? r[i] * d : d * d;
    }
}

static void test_sums(void)
{
    TEST(title("the sums that a batch norm needs are gathered on the way, forward and backward"))
    {
        static const int shapes[][5] = {
            {2, 32, 48, 14, 9}, {3, 144, 80, 7, 7}, {1, 16, 16, 1, 2}, {11, 16, 64, 57, 60}, {17, 272, 288, 7, 7}};
        for (size_t i = 0; i < COUNT(shapes) && !(emulated && i == 3); i++) {
            const int *q = shapes[i];
            const winograd_shape shape = {.n = q[0], .c = q[1], .k = q[2], .h = q[3], .w = q[4], .numbers = numbers};
            const double limit = tensor_limits[numbers], sum_limit = sum_limits[numbers];
            const int hw = q[3] * q[4], most = q[1] > q[2] ? q[1] : q[2];
            problem p = open_problem(shape, 3);
            float *center = random_floats((size_t)most), *mask = random_floats(p.src_size),
                  *x = random_floats(p.src_size), *second = random_floats(p.src_size);
            void *mask_t = small_tensors(&p.s) ? bf16_copy(mask, p.src_size) : mask,
                 *x_t = small_tensors(&p.s) ? bf16_copy(x, p.src_size) : x,
                 *second_t = small_tensors(&p.s) ? bf16_copy(second, p.src_size) : second;
            double *sums = zero_doubles(2 * (size_t)most), *expected = zero_doubles(2 * (size_t)most),
                   *masked = zero_doubles(p.src_size);
            for (int run = 0; run < 3 * set_count; run++) {
                const int threads = 1 + run % 3;
                p.s.on = sets[run / 3];
                const winograd_epilogue forward = {.sums = sums, .center = center};
                winograd_weights_forward(&p.s, p.weights, p.u, threads);
                winograd_forward(&p.s, p.src_t, p.u, p.dst_t, &forward, p.scratch, threads);
                collect(&p);
                expected_sums(p.expected_dst, NULL, center, q[0], q[2], hw, expected);
                double worst = 0, size = 0;
                for (int j = 0; j < 2 * q[2]; j++) {
                    worst = fmax(worst, fabs(sums[j] - expected[j]));
                    size = fmax(size, fabs(expected[j]));
                }
                CHECK(worst <= sum_limit * size && relative_error(p.dst, p.expected_dst, p.dst_size) <= limit,
                      "%s, shape %zu, %d threads: forward sums off by %.2e of %.2e", p.s.on->name, i, threads, worst,
                      size);
                winograd_weights_backward(&p.s, p.weights, p.u, threads);
                for (int what = 0; what < 6; what++) { /* bit 0: a mask; 0, 2, 4: nothing, a tensor, in place */
                    winograd_epilogue backward = {
                        .sums = sums, .center = center, .x = x_t, .mask = what & 1 ? mask_t : NULL};
                    backward.add = what & 4 ? p.dsrc_t : what & 2 ? second_t : NULL;
                    if (what & 4)
                        memcpy(p.dsrc_t, second_t, p.src_size * (small_tensors(&p.s) ? 2 : 4));
                    winograd_backward_data(&p.s, p.ddst_t, p.u, p.dsrc_t, &backward, p.scratch, threads);
                    collect(&p);
                    for (size_t j = 0; j < p.src_size; j++)
                        masked[j] =
                            what & 1 && !(mask[j] > 0) ? 0 : p.expected_dsrc[j] + (what & 6 ? (double)second[j] : 0);
                    expected_sums(masked, x, center, q[0], q[1], hw, expected);
                    worst = size = 0;
                    for (int j = 0; j < 2 * q[1]; j++) {
                        worst = fmax(worst, fabs(sums[j] - expected[j]));
                        size = fmax(size, fabs(expected[j]));
                    }
                    const double off = relative_error(p.dsrc, masked, p.src_size);
                    CHECK(worst <= sum_limit * size && off <= limit,
                          "%s, shape %zu, %d threads, backward %d: %.2e, sums off by %.2e of %.2e", p.s.on->name, i,
                          threads, what, off, worst, size);
                }
            }
            if (small_tensors(&p.s)) {
                free(mask_t);
                free(x_t);
                free(second_t);
            }
            free(center);
            free(mask);
            free(x);
            free(second);
            free(sums);
            free(expected);
            free(masked);
            close_problem(&p);
        }
    }
}

static void test_not_a_number(void)
{
    TEST(title("a NaN in the source comes out as NaN, ReLU or not"))
    {
        problem p = open_problem((winograd_shape){.n = 1, .c = 16, .k = 16, .h = 8, .w = 8, .numbers = numbers}, 1);
        const size_t at = (3 * 8 + 3) * 16 + 5;
        if (small_tensors(&p.s))
            ((uint16_t *)p.src_t)[at] = 0x7fc0;
        else
            p.src[at] = NAN;
        const winograd_epilogue e = {.relu = true};
        EACH_SET(p)
        {
            winograd_weights_forward(&p.s, p.weights, p.u, 1);
            winograd_forward(&p.s, p.src_t, p.u, p.dst_t, &e, p.scratch, 1);
            collect(&p);
            CHECK(isnan(p.dst[(3 * 8 + 3) * 16]), "%s: %f", p.s.on->name, (double)p.dst[(3 * 8 + 3) * 16]);
        }
        close_problem(&p);
    }
}

static void test_repeats(void)
{
    TEST(title("with the same number of threads results repeat bit for bit"))
    {
        static const int shapes[][5] = {{5, 64, 64, 28, 28}, {9, 144, 144, 14, 14}, {17, 272, 64, 7, 7}};
        for (size_t i = 0; i < COUNT(shapes); i++)
            for (int threads = 1; threads <= 3; threads++) {
                const int *q = shapes[i];
                problem p = open_problem(
                    (winograd_shape){.n = q[0], .c = q[1], .k = q[2], .h = q[3], .w = q[4], .numbers = numbers}, 3);
                float *first_dst = aligned(p.dst_size * sizeof(float)),
                      *first_dw = aligned(p.weights_size * sizeof(float));
                float *first_dsrc = aligned(p.src_size * sizeof(float));
                for (int run = 0; run < 3 * set_count; run++) {
                    p.s.on = sets[run / 3];
                    forget(&p);
                    winograd_weights_forward(&p.s, p.weights, p.u, threads);
                    winograd_forward(&p.s, p.src_t, p.u, p.dst_t, NULL, p.scratch, threads);
                    winograd_weights_backward(&p.s, p.weights, p.u, threads);
                    winograd_backward_data(&p.s, p.ddst_t, p.u, p.dsrc_t, NULL, p.scratch, threads);
                    winograd_backward_weights(&p.s, p.src_t, p.ddst_t, p.dw, p.scratch, threads);
                    collect(&p);
                    if (run % 3 == 0) {
                        memcpy(first_dst, p.dst, p.dst_size * sizeof(float));
                        memcpy(first_dsrc, p.dsrc, p.src_size * sizeof(float));
                        memcpy(first_dw, p.dw, p.weights_size * sizeof(float));
                    }
                    CHECK(!memcmp(first_dst, p.dst, p.dst_size * sizeof(float)), "%s: dst, shape %zu, %d threads",
                          p.s.on->name, i, threads);
                    CHECK(!memcmp(first_dsrc, p.dsrc, p.src_size * sizeof(float)), "%s: dsrc, shape %zu, %d threads",
                          p.s.on->name, i, threads);
                    CHECK(!memcmp(first_dw, p.dw, p.weights_size * sizeof(float)), "%s: dw, shape %zu, %d threads",
                          p.s.on->name, i, threads);
                }
                free(first_dst);
                free(first_dsrc);
                free(first_dw);
                close_problem(&p);
            }
    }
}

static void test_scratch(void)
{
    TEST("the work area for ResNet-34 at batch 64 and 2 threads is at most 64 MB")
    {
        static const int shapes[4][2] = {{64, 56}, {128, 28}, {256, 14}, {512, 7}};
        for (int i = 0; i < 4; i++) {
            const winograd_shape s = {.on = instructions_choose(NULL),
                                      .n = 64,
                                      .c = shapes[i][0],
                                      .k = shapes[i][0],
                                      .h = shapes[i][1],
                                      .w = shapes[i][1]};
            const size_t bytes = winograd_scratch_floats(&s, 2) * sizeof(float);
            CHECK(bytes <= (size_t)64 << 20, "%d channels: %zu bytes", s.c, bytes);
        }
    }
}

/* All of the above in one kind of numbers. */
static void test_all(void)
{
    find_sets();
    if (!set_count) {
        TEST(title("convolutions by Winograd agree with double precision"))
        {
            SKIP("this processor has no bf16");
        }
        return;
    }
    test_sizes();
    test_epilogue();
    test_sums();
    test_not_a_number();
    if (emulated)
        return;
    test_channels();
    test_batches();
    test_network_shapes();
    test_several_blocks();
    test_repeats();
}

int main(int argc, char **argv)
{
    emulated = argc > 1 && strcmp(argv[1], "emulated") == 0;
    test_support();
    for (numbers = WINOGRAD_FP32; numbers <= WINOGRAD_BF16; numbers++)
        test_all();
    test_scratch();
    return test_end();
}
