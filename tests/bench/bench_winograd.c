/* Speed of the Winograd kernels beside oneDNN's Winograd and direct ones, on the 3x3 stride-1 layers of
 * ResNet-34: alternating runs, medians of the times and of the ratios of neighbouring runs.
 *
 * usage: bench_winograd [repetitions [batch [threads]]]
 * One line for each shape and pass: effective GFLOP/s (2 x 9 x c x k x h x w x batch operations, as a direct
 * convolution needs) and how many times oneDNN's rates ours is. Weight transforms count as part of our
 * forward and backward-data passes; oneDNN's weights are reordered beforehand. Scratch in MB. */
#include "bench.h"

#include "base/error.h"
#include "device/winograd.h"

#include <oneapi/dnnl/dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, PASSES };
static const char *const pass_names[PASSES] = {"forward", "backward data", "backward weights"};
static const int layers[4][3] = {
    {64, 56, 6}, {128, 28, 7}, {256, 14, 11}, {512, 7, 5}}; /* channels, side, how many */

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "bench_winograd: %s: oneDNN status %d\n", what, (int)status);
    exit(4);
}

static float *floats(size_t count)
{
    error e = {0};
    float *p = mem_aligned(count * sizeof *p, "a tensor", &e);
    if (!p) {
        fprintf(stderr, "bench_winograd: %s\n", e.text);
        exit(4);
    }
    for (size_t i = 0; i < count; i++)
        p[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
    return p;
}

typedef struct library_pass {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[3];
} library_pass;

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *d, float *data)
{
    dnnl_memory_t m;
    must(dnnl_memory_create(&m, d, engine, data ? (void *)data : DNNL_MEMORY_ALLOCATE), "memory");
    return m;
}

/* Weights stay what the allocation holds: speed does not depend on them. */
static library_pass library_open(dnnl_alg_kind_t algorithm, int pass, const winograd_shape *s, float *src,
                                 float *dst)
{
    const dnnl_dims_t src_dims = {s->n, s->c, s->h, s->w}, dst_dims = {s->n, s->k, s->h, s->w};
    const dnnl_dims_t w_dims = {s->k, s->c, 3, 3}, ones = {1, 1};
    dnnl_memory_desc_t src_md, dst_md, w_md;
    must(dnnl_memory_desc_init_by_tag(&src_md, 4, src_dims, dnnl_f32, dnnl_nChw16c), "layout");
    must(dnnl_memory_desc_init_by_tag(&dst_md, 4, dst_dims, dnnl_f32, dnnl_nChw16c), "layout");
    must(dnnl_memory_desc_init_by_tag(&w_md, 4, w_dims, dnnl_f32, dnnl_format_tag_any), "layout");
    dnnl_convolution_desc_t d;
    dnnl_primitive_desc_t hint, pd;
    must(dnnl_convolution_forward_desc_init(&d, dnnl_forward_training, algorithm, &src_md, &w_md, NULL,
                                            &dst_md, ones, ones, ones),
         "forward");
    must(dnnl_primitive_desc_create(&hint, &d, NULL, engine, NULL), "forward");
    pd = hint;
    if (pass == BACKWARD_DATA) {
        must(dnnl_convolution_backward_data_desc_init(&d, algorithm, &src_md, &w_md, &dst_md, ones, ones,
                                                      ones),
             "backward data");
        must(dnnl_primitive_desc_create(&pd, &d, NULL, engine, hint), "backward data");
    } else if (pass == BACKWARD_WEIGHTS) {
        must(dnnl_convolution_backward_weights_desc_init(&d, algorithm, &src_md, &w_md, NULL, &dst_md, ones,
                                                         ones, ones),
             "backward weights");
        must(dnnl_primitive_desc_create(&pd, &d, NULL, engine, hint), "backward weights");
    }
    library_pass p;
    must(dnnl_primitive_create(&p.primitive, pd), "primitive");
    const dnnl_memory_desc_t *w = dnnl_primitive_desc_query_md(
        pd, pass == BACKWARD_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    p.args[0] =
        (dnnl_exec_arg_t){pass == BACKWARD_DATA ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, memory_of(&src_md, src)};
    p.args[1] = (dnnl_exec_arg_t){pass == BACKWARD_WEIGHTS ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
                                  memory_of(w, NULL)};
    p.args[2] =
        (dnnl_exec_arg_t){pass == FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, memory_of(&dst_md, dst)};
    must(dnnl_primitive_desc_destroy(hint), "hint");
    if (pd != hint)
        must(dnnl_primitive_desc_destroy(pd), "descriptor");
    return p;
}

static void library_close(library_pass *p)
{
    for (int i = 0; i < 3; i++)
        must(dnnl_memory_destroy(p->args[i].memory), "memory");
    must(dnnl_primitive_destroy(p->primitive), "primitive");
}

int main(int argc, char **argv)
{
    const int repetitions = argc > 1 ? atoi(argv[1]) : 7, batch = argc > 2 ? atoi(argv[2]) : 64;
    const int threads = argc > 3 ? atoi(argv[3]) : omp_get_max_threads();
    const winograd_shape smallest = {.n = 1, .c = 16, .k = 16, .h = 1, .w = 1};
    if (repetitions < 1 || batch < 1 || threads < 1) {
        fprintf(stderr, "usage: bench_winograd [repetitions [batch [threads]]]\n");
        return 2;
    }
    if (!winograd_supported(&smallest)) {
        printf("bench_winograd: no AVX-512 here\n");
        return 0;
    }
    omp_set_num_threads(threads);
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    printf("%-20s%-18s%8s%10s%8s%12s%10s%9s\n", "layer", "pass", "ours", "winograd", "direct", "x winograd",
           "x direct", "scratch");
    double *times[3], *ratios[2], network[3] = {0};
    for (int i = 0; i < 3; i++)
        times[i] = calloc((size_t)repetitions, sizeof(double));
    for (int i = 0; i < 2; i++)
        ratios[i] = calloc((size_t)repetitions, sizeof(double));
    for (int pass = 0; pass < PASSES; pass++)
        for (int layer = 0; layer < 4; layer++) {
            const winograd_shape s = {.n = batch,
                                      .c = layers[layer][0],
                                      .k = layers[layer][0],
                                      .h = layers[layer][1],
                                      .w = layers[layer][1]};
            const size_t size = (size_t)s.n * (size_t)s.c * (size_t)s.h * (size_t)s.w,
                         taps = (size_t)s.c * (size_t)s.k * 9;
            float *src = floats(size), *dst = floats(size), *weights = floats(taps);
            float *u = floats(winograd_weight_floats(&s)),
                  *scratch = floats(winograd_scratch_floats(&s, threads));
            library_pass library[2] = {library_open(dnnl_convolution_winograd, pass, &s, src, dst),
                                       library_open(dnnl_convolution_direct, pass, &s, src, dst)};
            for (int r = -1; r < repetitions; r++) {
                for (int who = 0; who < 3; who++) {
                    const double start = bench_seconds(CLOCK_MONOTONIC);
                    if (who > 0) {
                        must(dnnl_primitive_execute(library[who - 1].primitive, stream, 3,
                                                    library[who - 1].args),
                             "run");
                        must(dnnl_stream_wait(stream), "run");
                    } else if (pass == FORWARD) {
                        winograd_weights_forward(&s, weights, u, threads);
                        winograd_forward(&s, src, u, dst, NULL, scratch, threads);
                    } else if (pass == BACKWARD_DATA) {
                        winograd_weights_backward(&s, weights, u, threads);
                        winograd_backward_data(&s, dst, u, src, NULL, scratch, threads);
                    } else {
                        winograd_backward_weights(&s, src, dst, weights, scratch, threads);
                    }
                    if (r >= 0)
                        times[who][r] = bench_seconds(CLOCK_MONOTONIC) - start;
                }
                for (int i = 0; i < 2 && r >= 0; i++)
                    ratios[i][r] = times[i + 1][r] / times[0][r];
            }
            const double work = 2.0 * 9 * (double)size * s.k * 1e-9;
            double t[3];
            for (int i = 0; i < 3; i++) {
                t[i] = bench_median(times[i], repetitions);
                network[i] += t[i] * layers[layer][2];
            }
            char name[40];
            snprintf(name, sizeof name, "%d at %dx%d", s.c, s.h, s.w);
            printf("%-20s%-18s%8.0f%10.0f%8.0f%12.2f%10.2f%9.1f\n", name, pass_names[pass], work / t[0],
                   work / t[1], work / t[2], bench_median(ratios[0], repetitions),
                   bench_median(ratios[1], repetitions),
                   (double)winograd_scratch_floats(&s, threads) * sizeof(float) / (1 << 20));
            library_close(&library[0]);
            library_close(&library[1]);
            free(src);
            free(dst);
            free(weights);
            free(u);
            free(scratch);
        }
    printf("the network's 29 layers, all passes, seconds a batch: ours %.3f, winograd %.3f, direct %.3f\n",
           network[0], network[1], network[2]);
    for (int i = 0; i < 3; i++)
        free(times[i]);
    for (int i = 0; i < 2; i++)
        free(ratios[i]);
    must(dnnl_stream_destroy(stream), "stream");
    must(dnnl_engine_destroy(engine), "engine");
    return 0;
}
