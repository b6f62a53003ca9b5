/* bench_step.c - the time of training steps and of evaluation: a ResNet-34 (or ARCH: resnet50, …) with the detection
 * head (or that of TASK) on pictures of 224 (or SIZE) pixels, random weights and pictures. usage: bench_step [BATCH
 * [STEPS [auto|direct|winograd [THREADS [PRECISION [DEVICE [ARCH [TASK [SIZE]]]]]]]]]. Prints one row per phase:
 * medians. On a GPU the backward pass and Adam only queue their work, which the next forward pass waits for: there the
 * rate means something, the parts of it nothing. */
#include "bench.h"

#include "base/random.h"
#include "device/device_ops.h"
#include "graph/resnet.h"
#include "nn/initial.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

typedef struct bench {
    model *m;
    int batch, steps, outputs;
    float *input;
} bench;

static int phase(const bench *b, const char *name, bool training, int first_group, error *e)
{
    const plan_options options = {.batch = b->batch, .training = training, .first_group = first_group};
    plan *p = plan_create(b->m, &options, e);
    float *output = calloc((size_t)b->batch * (size_t)b->outputs, sizeof *output);
    double times[3][64];
    const float lr[GROUPS] = {1e-6f, 1e-6f, 1e-6f};
    int code = p && output ? 0 : ERR_SYSTEM;
    for (int i = -1; i < b->steps && !code; i++) {
        double t0 = bench_seconds(CLOCK_MONOTONIC);
        code = plan_forward(p, b->input, 1, (uint64_t)(i + 1), output, e);
        double t1 = bench_seconds(CLOCK_MONOTONIC), t2 = t1, t3 = t1;
        if (training && !code) {
            for (int k = 0; k < b->batch * b->outputs; k++)
                output[k] = 1e-3f;
            code = plan_backward(p, output, e);
            t2 = bench_seconds(CLOCK_MONOTONIC);
            code = code ? code : model_adam_step(b->m, lr, first_group, i + 2, e);
            t3 = bench_seconds(CLOCK_MONOTONIC);
        }
        if (i >= 0) {
            times[0][i] = t1 - t0;
            times[1][i] = t2 - t1;
            times[2][i] = t3 - t2;
        }
    }
    if (!code) {
        double f = bench_median(times[0], b->steps), w = bench_median(times[1], b->steps),
               a = bench_median(times[2], b->steps);
        printf("%-11s %8.1f %8.1f %8.1f %8.2f %9.1f\n", name, 1e3 * f, 1e3 * w, 1e3 * a, b->batch / (f + w + a),
               (double)p->bytes / 1048576);
        fflush(stdout);
    }
    plan_free(p);
    free(output);
    return code;
}

int main(int argc, char **argv)
{
    error e = {0};
    bench b = {.batch = argc > 1 ? atoi(argv[1]) : 64, .steps = argc > 2 ? atoi(argv[2]) : 5};
    const char *conv = argc > 3 ? argv[3] : "auto";
    const char *arithmetic = argc > 5 ? argv[5] : "fp32";
    const device_options options = {.threads = argc > 4 ? atoi(argv[4]) : 0,
                                    .precision = precision_of(arithmetic),
                                    .conv = conv_algorithm_of(conv)};
    const int size = argc > 9 ? atoi(argv[9]) : 224;
    arch network = ARCH_RESNET34;
    task head = TASK_DETN;
    graph g = {0};
    device *d = device_open(argc > 6 ? argv[6] : "cpu", &options, &e);
    if (b.batch < 1 || b.steps < 1 || b.steps > 64 || !d || (argc > 7 && !arch_parse(argv[7], &network)) ||
        (argc > 8 && !task_parse(argv[8], &head)) ||
        network_build(&g, head, network, size, 20, imagenet_mean, imagenet_std, &e)) {
        fprintf(stderr, "bench_step: %s\n",
                e.code ? e.text
                       : "usage: bench_step [BATCH [STEPS [CONV [THREADS [PRECISION [DEVICE [ARCH [TASK "
                         "[SIZE]]]]]]]]]");
        return 2;
    }
    b.m = model_create(d, &g, &e);
    b.outputs = g.outputs;
    float *params = calloc(g.param_floats, sizeof *params);
    size_t pixels = (size_t)b.batch * (size_t)g.size * (size_t)g.size * 3;
    b.input = malloc(pixels * sizeof *b.input);
    philox random = philox_start(1, 1);
    for (size_t i = 0; i < pixels; i++)
        b.input[i] = (float)(philox_u32(&random) >> 8) * 0x1p-24f;
    initial_backbone(&g, 1, params);
    initial_head(&g, head, 1, params);
    int code = b.m ? model_upload(b.m, params, &e) : ERR_SYSTEM;
    printf("%s, batch %d\nphase        forward backward     adam    img/s  plan MiB   (ms a batch, medians "
           "of %d)\n",
           device_describe(d), b.batch, b.steps);
    if (!code)
        code = phase(&b, "evaluate", false, GROUP_STEM, &e);
    if (!code)
        code = phase(&b, "train head", true, GROUP_HEAD, &e);
    if (!code)
        code = phase(&b, "train top", true, GROUP_TOP, &e);
    if (!code)
        code = phase(&b, "train all", true, GROUP_STEM, &e);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("peak resident memory: %.2f GiB\n", (double)usage.ru_maxrss / 1048576);
    if (code)
        fprintf(stderr, "bench_step: %s\n", e.text);
    model_free(b.m);
    device_close(d);
    graph_free(&g);
    free(params);
    free(b.input);
    return code;
}
