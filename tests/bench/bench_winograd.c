/* bench_winograd.c - speed of the Winograd kernels beside oneDNN's direct ones, on the 3x3 stride-1 layers of
 * ResNet-34: alternating runs, medians of the times and of the ratios of neighbouring runs.
 *
 * usage: bench_winograd [repetitions [batch [threads]]]
 * One line for each shape and pass: effective GFLOP/s (2 x 9 x c x k x h x w x batch operations, as a direct
 * convolution needs) and how many times oneDNN's rate ours is. Weight transforms count as part of our forward and
 * backward-data passes; oneDNN's weights are reordered beforehand. Scratch in MB. */
#include "bench.h"

#include "base/error.h"
#include "device/device_library.h"
#include "device/instructions.h"
#include "device/onednn.h"
#include "device/winograd.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const pass_names[CONV_PASSES] = {"forward", "backward data", "backward weights"};
static const int layers[4][3] = {{64, 56, 6}, {128, 28, 7}, {256, 14, 11}, {512, 7, 5}}; /* channels, side, how many */

static error e;
static const onednn_library *library;

static void must(int code)
{
    if (!code)
        return;
    fprintf(stderr, "bench_winograd: %s\n", e.text);
    exit(4);
}

static float *floats(size_t count)
{
    float *p = mem_aligned(count * sizeof *p, "a tensor", &e);
    must(!p);
    for (size_t i = 0; i < count; i++)
        p[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
    return p;
}

/* Ours: one pass of a layer with the transform of its weights. */
static void ours(const winograd_shape *s, conv_pass pass, float *src, float *dst, float *weights, float *u,
                 float *scratch, int threads)
{
    if (pass == CONV_FORWARD) {
        winograd_weights_forward(s, weights, u, threads);
        winograd_forward(s, src, u, dst, NULL, scratch, threads);
    } else if (pass == CONV_BACKWARD_DATA) {
        winograd_weights_backward(s, weights, u, threads);
        winograd_backward_data(s, dst, u, src, NULL, scratch, threads);
    } else {
        winograd_backward_weights(s, src, dst, weights, scratch, threads);
    }
}

/* The library's; the weights' gradient comes back as OIHW, as from ours. */
static void theirs(onednn_conv *c, conv_pass pass, float *src, float *dst, float *weights, float *packed,
                   float *scratch)
{
    must(pass == CONV_FORWARD         ? library->conv_run(c, src, packed, NULL, dst, scratch, &e)
         : pass == CONV_BACKWARD_DATA ? library->conv_run(c, dst, packed, NULL, src, scratch, &e)
                                      : library->conv_weight_gradient(c, src, dst, packed, weights, scratch, &e));
}

int main(int argc, char **argv)
{
    const int repetitions = argc > 1 ? atoi(argv[1]) : 7, batch = argc > 2 ? atoi(argv[2]) : 64;
    const int threads = argc > 3 ? atoi(argv[3]) : omp_get_max_threads();
    const instructions *on = instructions_choose(getenv("ONEBOX_MAX_ISA"));
    const winograd_shape smallest = {.on = on, .n = 1, .c = 16, .k = 16, .h = 1, .w = 1};
    if (repetitions < 1 || batch < 1 || threads < 1) {
        fprintf(stderr, "usage: bench_winograd [repetitions [batch [threads]]]\n");
        return 2;
    }
    if (!winograd_supported(&smallest)) {
        printf("bench_winograd: no Winograd kernels for this processor\n");
        return 0;
    }
    omp_set_num_threads(threads);
    library = onednn_library_open(&e);
    must(!library);
    onednn *engine = library->open(&e);
    must(!engine);
    printf("%-20s%-18s%8s%8s%10s%9s\n", "layer", "pass", "ours", "direct", "x direct", "scratch");
    double *times[2], *ratios = calloc((size_t)repetitions, sizeof *ratios), network[2] = {0};
    for (int i = 0; i < 2; i++)
        times[i] = calloc((size_t)repetitions, sizeof(double));
    for (int pass = 0; pass < CONV_PASSES; pass++)
        for (int layer = 0; layer < 4; layer++) {
            const int channels = layers[layer][0], side = layers[layer][1];
            const winograd_shape s = {.on = on, .n = batch, .c = channels, .k = channels, .h = side, .w = side};
            const conv_shape shape = {.n = batch,
                                      .c = channels,
                                      .h = side,
                                      .w = side,
                                      .k = channels,
                                      .oh = side,
                                      .ow = side,
                                      .kernel = 3,
                                      .stride = 1,
                                      .padding = 1};
            const size_t size = (size_t)s.n * (size_t)s.c * (size_t)s.h * (size_t)s.w,
                         taps = (size_t)s.c * (size_t)s.k * 9;
            const onednn_conv_options options = {0};
            onednn_conv *c = library->conv_create(engine, &shape, (conv_pass)pass, &options, &e);
            must(!c);
            float *src = floats(size), *dst = floats(size), *weights = floats(taps);
            float *u = floats(winograd_weight_floats(&s)), *scratch = floats(winograd_scratch_floats(&s, threads));
            float *packed = floats(library->conv_weight_floats(c)),
                  *their_scratch = floats(library->conv_scratch_floats(c));
            if (pass != CONV_BACKWARD_WEIGHTS)
                must(library->conv_pack(c, weights, packed, &e));
            for (int r = -1; r < repetitions; r++) {
                for (int who = 0; who < 2; who++) {
                    const double start = bench_seconds(CLOCK_MONOTONIC);
                    if (who == 0)
                        ours(&s, (conv_pass)pass, src, dst, weights, u, scratch, threads);
                    else
                        theirs(c, (conv_pass)pass, src, dst, weights, packed, their_scratch);
                    if (r >= 0)
                        times[who][r] = bench_seconds(CLOCK_MONOTONIC) - start;
                }
                if (r >= 0)
                    ratios[r] = times[1][r] / times[0][r];
            }
            const double work = 2.0 * 9 * (double)size * s.k * 1e-9;
            double t[2];
            for (int i = 0; i < 2; i++) {
                t[i] = bench_median(times[i], repetitions);
                network[i] += t[i] * layers[layer][2];
            }
            char name[40];
            snprintf(name, sizeof name, "%d at %dx%d", s.c, s.h, s.w);
            printf("%-20s%-18s%8.0f%8.0f%10.2f%9.1f\n", name, pass_names[pass], work / t[0], work / t[1],
                   bench_median(ratios, repetitions),
                   (double)winograd_scratch_floats(&s, threads) * sizeof(float) / (1 << 20));
            library->conv_free(c);
            float *all[] = {src, dst, weights, u, scratch, packed, their_scratch};
            for (size_t i = 0; i < COUNT(all); i++)
                free(all[i]);
        }
    printf("the network's 29 layers, all passes, seconds a batch: ours %.3f, direct %.3f\n", network[0], network[1]);
    for (int i = 0; i < 2; i++)
        free(times[i]);
    free(ratios);
    library->close(engine);
    return 0;
}
