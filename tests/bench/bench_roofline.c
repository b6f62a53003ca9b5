/* bench_roofline.c - where the time of a step goes: ResNet-34 with the detection head, random weights and
 * pictures, against the multiply-add peak measured in the same run.
 * usage: bench_roofline [BATCH [STEPS [evaluate|head|top|all [THREADS [cpu|wall [fp32|bf16]]]]]]
 * `cpu`: processor time divided by the number of threads instead of wall time, for a machine that is not
 * idle.
 */
#include "bench.h"

#include "base/random.h"
#include "device/cpu_plan.h"
#include "graph/resnet.h"
#include "nn/initial.h"

#include <immintrin.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool processor_time;
static int thread_count;

static double now(void)
{
    return processor_time ? bench_seconds(CLOCK_PROCESS_CPUTIME_ID) / thread_count : bench_seconds(CLOCK_MONOTONIC);
}

/* ---------------------------------------------------------------- the peak */

static volatile float sink;

__attribute__((target("avx512f"))) static void fma_512(long rounds)
{
    __m512 a[12], x = _mm512_set1_ps(0.999f);
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++)
        a[i] = _mm512_set1_ps((float)i);
    for (long k = 0; k < rounds; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            a[i] = _mm512_fmadd_ps(a[i], x, x);
        __asm__ volatile(""
                         : "+v"(a[0]), "+v"(a[1]), "+v"(a[2]), "+v"(a[3]), "+v"(a[4]), "+v"(a[5]), "+v"(a[6]),
                           "+v"(a[7]), "+v"(a[8]), "+v"(a[9]), "+v"(a[10]), "+v"(a[11]));
    }
#pragma GCC unroll 12
    for (int i = 1; i < 12; i++)
        a[0] = _mm512_add_ps(a[0], a[i]);
    sink = _mm512_reduce_add_ps(a[0]);
}

__attribute__((target("avx2,fma"))) static void fma_256(long rounds)
{
    __m256 a[12], x = _mm256_set1_ps(0.999f);
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++)
        a[i] = _mm256_set1_ps((float)i);
    for (long k = 0; k < rounds; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            a[i] = _mm256_fmadd_ps(a[i], x, x);
        __asm__ volatile(""
                         : "+x"(a[0]), "+x"(a[1]), "+x"(a[2]), "+x"(a[3]), "+x"(a[4]), "+x"(a[5]), "+x"(a[6]),
                           "+x"(a[7]), "+x"(a[8]), "+x"(a[9]), "+x"(a[10]), "+x"(a[11]));
    }
#pragma GCC unroll 12
    for (int i = 1; i < 12; i++)
        a[0] = _mm256_add_ps(a[0], a[i]);
    sink = _mm256_cvtss_f32(a[0]);
}

/* Multiply-adds of `threads` threads in registers, in GFLOP/s; the best of five runs. 0: no such processor.
 */
static double fma_peak(int threads)
{
    const long rounds = 2000000;
    const bool wide = __builtin_cpu_supports("avx512f");
    double best = 0;
    if (!wide && !__builtin_cpu_supports("fma"))
        return 0;
    for (int i = 0; i < 5; i++) {
        double start = now();
#pragma omp parallel num_threads(threads)
        {
            if (wide)
                fma_512(rounds);
            else
                fma_256(rounds);
        }
        double rate = 12.0 * 2 * (wide ? 16 : 8) * (double)rounds * threads / (now() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

/* ---------------------------------------------------------------- the table */

/* Seconds by kind of step, forward and backward. */
typedef struct total {
    double winograd, pack, direct, batchnorm, pool, head, other;
} total;

static const char *cell(char text[16], double seconds, int steps)
{
    if (seconds > 0)
        snprintf(text, 16, "%.2f", 1e3 * seconds / steps);
    else
        snprintf(text, 16, "-");
    return text;
}

typedef struct profile_row {
    const char *kind; /* "conv", "batchnorm", ... */
    const node *node; /* sums of gradients: whose value it is */
    bool backward;
    const char *algorithm; /* convolutions: "winograd", "direct"; else "" */
    double flops;          /* of a direct convolution */
    const double *seconds; /* by spent_part */
} profile_row;

static profile_row row_of(const cpu_plan *p, size_t index)
{
    static const char *const kinds[] = {
        [STEP_NORMALIZE] = "normalize", [STEP_CONV] = "conv",         [STEP_BATCHNORM] = "batchnorm",
        [STEP_RELU] = "relu",           [STEP_ADD] = "add",           [STEP_SUM] = "sum",
        [STEP_MAXPOOL] = "maxpool",     [STEP_UPSAMPLE] = "upsample", [STEP_CONCATPOOL] = "concatpool",
        [STEP_FLATTEN] = "flatten",     [STEP_LINEAR] = "linear",     [STEP_DROPOUT] = "dropout"};
    const step *s = &p->s.steps[index];
    const node *nodes = p->base.model->graph->nodes, *x = &nodes[s->node];
    profile_row row = {
        .kind = kinds[s->kind], .node = x, .backward = s->backward, .algorithm = "", .seconds = p->seconds[index]};
    if (s->kind == STEP_CONV) {
        row.algorithm = conv_is_winograd(cpu_work_of(s)->conv) ? "winograd" : "direct";
        row.flops = 2.0 * p->base.options.batch * x->c * x->h * x->w * nodes[x->inputs[0]].c * x->kernel * x->kernel;
        if (s->backward && s->in_gradient != NONE) /* of the data and of the weights */
            row.flops *= 2;
    }
    return row;
}

static void table(const cpu_plan *p, int steps, double peak, double whole, double adam)
{
    total t = {0};
    char a[16], b[16];
    printf("%-9s %-24s %14s %-9s %9s %9s %9s %7s\n", "pass", "node", "shape", "kernel", "ms", "weights", "GFLOP/s",
           "% peak");
    for (size_t i = 0; i < p->s.count; i++) {
        const profile_row row = row_of(p, i);
        const node *n = row.node;
        const double *s = row.seconds;
        char shape[32] = "";
        if (n)
            snprintf(shape, sizeof shape, "%dx%dx%d", n->c, n->h, n->w);
        printf("%-9s %-24s %14s %-9s", row.backward ? "backward" : "forward", n && n->name[0] ? n->name : row.kind,
               shape, row.algorithm[0] ? row.algorithm : row.kind);
        printf(" %9.2f", 1e3 * s[SPENT_STEP] / steps);
        printf(" %9s", cell(a, s[SPENT_WEIGHTS], steps));
        if (row.flops > 0) {
            double rate = row.flops * steps / s[SPENT_STEP] * 1e-9;
            printf(" %9.0f %6.0f%%", rate, 100 * rate / peak);
        }
        printf("\n");
        if (row.algorithm[0]) {
            t.pack += s[SPENT_PACK];
            *(strcmp(row.algorithm, "winograd") == 0 ? &t.winograd : &t.direct) += s[SPENT_STEP] - s[SPENT_PACK];
        } else if (n && n->h == 1 && strcmp(row.kind, "normalize") != 0) {
            t.head += s[SPENT_STEP];
        } else if (strcmp(row.kind, "batchnorm") == 0) {
            t.batchnorm += s[SPENT_STEP];
        } else if (strcmp(row.kind, "maxpool") == 0) {
            t.pool += s[SPENT_STEP];
        } else {
            t.other += s[SPENT_STEP];
        }
    }
    const struct {
        const char *name;
        double seconds;
    } sums[] = {{"Winograd convolutions", t.winograd},
                {"weights into layouts", t.pack},
                {"other convolutions", t.direct},
                {"batch norm, ReLU, add", t.batchnorm},
                {"max-pool", t.pool},
                {"head", t.head},
                {"normalise, sums", t.other},
                {"Adam", adam}};
    for (size_t i = 0; i < COUNT(sums); i++)
        printf("%-24s %9s ms %5.1f%%\n", sums[i].name, cell(b, sums[i].seconds, steps), 100 * sums[i].seconds / whole);
    printf("%-24s %9.2f ms\n", "a step", 1e3 * whole / steps);
}

/* ---------------------------------------------------------------- phases */

static int phase(model *m, const char *name, bool training, int first_group, int batch, int steps, int outputs,
                 const float *input, double peak, error *e)
{
    const plan_options options = {.batch = batch, .training = training, .first_group = first_group};
    plan *p = plan_create(m, &options, e);
    cpu_plan *inside = (cpu_plan *)p;
    double(*seconds)[SPENT_PARTS] = p ? calloc(inside->s.count, sizeof *seconds) : NULL;
    float *output = calloc((size_t)batch * (size_t)outputs, sizeof *output);
    const float lr[GROUPS] = {1e-6f, 1e-6f, 1e-6f};
    double whole = 0, adam = 0;
    int code = p && output && seconds ? 0 : ERR_SYSTEM;
    for (int i = -1; i < steps && !code; i++) {
        if (i == 0) { /* the steps before are not timed */
            inside->clock = now;
            inside->seconds = seconds;
        }
        double t0 = now(), t1 = t0;
        code = code ? code : plan_forward(p, input, 1, (uint64_t)(i + 1), output, e);
        if (training && !code) {
            for (int k = 0; k < batch * outputs; k++)
                output[k] = 1e-3f;
            code = plan_backward(p, output, e);
            t1 = now();
            code = code ? code : model_adam_step(m, lr, first_group, i + 2, e);
        }
        if (i >= 0) {
            whole += now() - t0;
            adam += training ? now() - t1 : 0;
        }
    }
    if (!code) {
        printf("\n%s: %.2f img/s\n", name, batch * steps / whole);
        table(inside, steps, peak, whole, adam);
        fflush(stdout);
    }
    plan_free(p);
    free(seconds);
    free(output);
    return code;
}

int main(int argc, char **argv)
{
    error e = {0};
    const int batch = argc > 1 ? atoi(argv[1]) : 64, steps = argc > 2 ? atoi(argv[2]) : 3;
    const char *only = argc > 3 ? argv[3] : "";
    const device_options options = {.threads = argc > 4 ? atoi(argv[4]) : 0,
                                    .precision =
                                        argc > 6 && strcmp(argv[6], "bf16") == 0 ? PRECISION_BF16 : PRECISION_FP32};
    processor_time = argc > 5 && strcmp(argv[5], "cpu") == 0;
    thread_count = options.threads > 0 ? options.threads : omp_get_max_threads();
    graph g = {0};
    device *d = device_open("cpu", &options, &e);
    if (batch < 1 || steps < 1 || !d ||
        network_build(&g, TASK_DETN, ARCH_RESNET34, 224, 20, imagenet_mean, imagenet_std, &e)) {
        fprintf(stderr, "bench_roofline: %s\n",
                e.code ? e.text : "usage: bench_roofline [BATCH [STEPS [evaluate|head|top|all [THREADS]]]]");
        return 2;
    }
    model *m = model_create(d, &g, &e);
    float *params = calloc(g.param_floats, sizeof *params);
    size_t pixels = (size_t)batch * 224 * 224 * 3;
    float *input = malloc(pixels * sizeof *input);
    philox random = philox_start(1, 1);
    for (size_t i = 0; i < pixels; i++)
        input[i] = (float)(philox_u32(&random) >> 8) * 0x1p-24f;
    initial_backbone(&g, 1, params);
    initial_head(&g, TASK_DETN, 1, params);
    int code = m ? model_upload(m, params, &e) : ERR_SYSTEM;
    double peak = fma_peak(thread_count);
    printf("%s, batch %d; multiply-add peak %.0f GFLOP/s. Rates are those of a direct convolution.\n",
           device_describe(d), batch, peak);
    static const struct {
        const char *name;
        bool training;
        int first_group;
    } phases[] = {{"evaluate", false, GROUP_STEM},
                  {"head", true, GROUP_HEAD},
                  {"top", true, GROUP_TOP},
                  {"all", true, GROUP_STEM}};
    for (size_t i = 0; i < COUNT(phases) && !code; i++)
        if (!only[0] || strcmp(only, phases[i].name) == 0)
            code = phase(m, phases[i].name, phases[i].training, phases[i].first_group, batch, steps, g.outputs, input,
                         peak, &e);
    if (code)
        fprintf(stderr, "bench_roofline: %s\n", e.text);
    model_free(m);
    device_close(d);
    graph_free(&g);
    free(params);
    free(input);
    return code;
}
