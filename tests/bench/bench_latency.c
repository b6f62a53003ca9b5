/* bench_latency.c - how long one answer takes: ResNet-34 with the detection head, loaded once, random weights and
 * pictures, one batch after the other. usage: bench_latency [ANSWERS [CONV [THREADS [PRECISION
 * [DEVICE]]]]]. One row for each size of batch: median and 99th percentile in ms, and pictures a second by the median.
 */
#include "bench.h"

#include "base/random.h"
#include "device/device.h"
#include "graph/resnet.h"
#include "nn/initial.h"

#include <stdio.h>
#include <stdlib.h>

/* The first answers, in which weights are packed and memory is touched, do not count. */
enum { WARM_UP = 3 };

static int latency(model *m, int batch, int answers, const float *pictures, int outputs, error *e)
{
    const plan_options options = {.batch = batch};
    plan *p = plan_create(m, &options, e);
    float *output = calloc((size_t)batch * (size_t)outputs, sizeof *output);
    double *times = calloc((size_t)answers, sizeof *times);
    int code = p && output && times ? 0 : ERR_SYSTEM;
    for (int i = -WARM_UP; i < answers && !code; i++) {
        const double start = bench_seconds(CLOCK_MONOTONIC);
        code = plan_forward(p, pictures, 0, 0, output, e);
        if (i >= 0)
            times[i] = bench_seconds(CLOCK_MONOTONIC) - start;
    }
    if (!code) {
        const double median = bench_median(times, answers); /* sorts them */
        printf("%5d %10.2f %10.2f %8.1f\n", batch, 1e3 * median, 1e3 * times[(answers * 99 + 99) / 100 - 1],
               batch / median);
        fflush(stdout);
    }
    plan_free(p);
    free(output);
    free(times);
    return code;
}

int main(int argc, char **argv)
{
    enum { MOST = 8 };
    error e = {0};
    const int answers = argc > 1 ? atoi(argv[1]) : 200;
    const device_options options = {.threads = argc > 3 ? atoi(argv[3]) : 0,
                                    .precision = precision_of(argc > 4 ? argv[4] : "auto"),
                                    .conv = conv_algorithm_of(argc > 2 ? argv[2] : "auto")};
    graph g = {0};
    device *d = answers > 0 ? device_open(argc > 5 ? argv[5] : "cpu", &options, &e) : NULL;
    if (!d || network_build(&g, TASK_DETN, ARCH_RESNET34, 224, 20, imagenet_mean, imagenet_std, &e)) {
        fprintf(stderr, "bench_latency: %s\n",
                e.code ? e.text : "usage: bench_latency [ANSWERS [CONV [THREADS [PRECISION [DEVICE]]]]]");
        return 2;
    }
    float *params = calloc(g.param_floats, sizeof *params);
    const size_t pixels = (size_t)MOST * 224 * 224 * 3;
    float *pictures = malloc(pixels * sizeof *pictures);
    philox random = philox_start(1, 1);
    for (size_t i = 0; i < pixels; i++)
        pictures[i] = (float)(philox_u32(&random) >> 8) * 0x1p-24f;
    initial_backbone(&g, 1, params);
    initial_head(&g, TASK_DETN, 1, params);
    model *m = model_create(d, &g, &e);
    int code = m ? model_upload(m, params, &e) : ERR_SYSTEM;
    printf("%s\nbatch  median ms     99%% ms    img/s   (%d answers)\n", device_describe(d), answers);
    for (int batch = 1; batch <= MOST && !code; batch *= 2)
        code = latency(m, batch, answers, pictures, g.outputs, &e);
    if (code)
        fprintf(stderr, "bench_latency: %s\n", e.text);
    model_free(m);
    device_close(d);
    graph_free(&g);
    free(params);
    free(pictures);
    return code;
}
