/* bench_direct.c - speed of the kernels of direct.h beside oneDNN's direct ones on layers of ResNets: alternating runs,
 * the best time of each.
 *
 * usage: bench_direct [-i sse2|avx2] [-b] [repetitions [batch [threads [word]]]]
 * One line for each layer and pass (with `word`: those whose name has it): GFLOP/s of both and how many times oneDNN's
 * rate ours is. Weights are packed beforehand in both. -b: bf16; -i: kernels of ours up to that instruction set (for
 * oneDNN's see ONEDNN_MAX_CPU_ISA). With one thread its processor time counts, which a busy machine disturbs less.
 * Scratch in MB. */
#include "bench.h"

#include "base/error.h"
#include "device/device_library.h"
#include "device/direct.h"
#include "device/instructions.h"
#include "device/onednn.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const pass_names[CONV_PASSES] = {"forward", "backward data", "backward weights"};

/* Channels in and out, rows and columns of the input, kernel, stride; padding is half the kernel. */
static const struct layer {
    int c, k, side, kernel, stride;
} layers[] = {
    {3, 64, 224, 7, 2},    {64, 64, 56, 1, 1},   {64, 256, 56, 1, 1},   {256, 64, 56, 1, 1},    {256, 128, 56, 1, 1},
    {128, 512, 28, 1, 1},  {512, 128, 28, 1, 1}, {512, 256, 28, 1, 1},  {256, 1024, 14, 1, 1},  {1024, 256, 14, 1, 1},
    {1024, 512, 14, 1, 1}, {512, 2048, 7, 1, 1}, {2048, 512, 7, 1, 1},  {64, 128, 56, 1, 2},    {128, 256, 28, 1, 2},
    {256, 512, 14, 1, 2},  {256, 512, 56, 1, 2}, {512, 1024, 28, 1, 2}, {1024, 2048, 14, 1, 2}, {64, 128, 56, 3, 2},
    {128, 256, 28, 3, 2},  {256, 512, 14, 3, 2}, {128, 128, 56, 3, 2},  {256, 256, 28, 3, 2},   {512, 512, 14, 3, 2},
    {512, 512, 7, 3, 1},   {3, 64, 32, 7, 2},    {64, 64, 8, 3, 1},     {64, 128, 8, 3, 2},     {128, 128, 4, 3, 1},
    {128, 256, 4, 3, 2},   {256, 256, 2, 3, 1},  {256, 512, 2, 3, 2},   {512, 512, 1, 3, 1},    {64, 64, 56, 3, 1},
    {128, 128, 28, 3, 1},  {256, 256, 14, 3, 1}};

static error e;
static const onednn_library *library;

static void must(int code)
{
    if (!code)
        return;
    fprintf(stderr, "bench_direct: %s\n", e.text);
    exit(4);
}

/* Room for `count` floats, or numbers in bf16; their values. */
static void *numbers(size_t count, bool bf16)
{
    float *p = mem_aligned(count * sizeof *p, "a tensor", &e);
    must(!p);
    for (size_t i = 0; i < count; i++) {
        const float x = (float)(rand() % 2001 - 1000) / 1000.0f;
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (bf16)
            ((uint16_t *)(void *)p)[i] = (uint16_t)(bits >> 16);
        else
            p[i] = x;
    }
    return p;
}

/* One pass of one layer by both. */
typedef struct pair {
    direct_shape ours;
    onednn_conv *theirs;
    conv_pass pass;
    int threads;
    void *src, *dst;
    float *weights, *u, *scratch, *packed, *their_scratch;
} pair;

static void run_ours(const pair *p)
{
    if (p->pass == CONV_FORWARD)
        direct_forward(&p->ours, p->src, p->u, p->dst, NULL, p->scratch, p->threads);
    else if (p->pass == CONV_BACKWARD_DATA)
        direct_backward_data(&p->ours, p->dst, p->u, p->src, NULL, p->scratch, p->threads);
    else
        direct_backward_weights(&p->ours, p->src, p->dst, p->weights, p->scratch, p->threads);
}

static void run_theirs(const pair *p)
{
    must(p->pass == CONV_FORWARD ? library->conv_run(p->theirs, p->src, p->packed, NULL, p->dst, p->their_scratch, &e)
         : p->pass == CONV_BACKWARD_DATA
             ? library->conv_run(p->theirs, p->dst, p->packed, NULL, p->src, p->their_scratch, &e)
             : library->conv_weight_gradient(p->theirs, p->src, p->dst, p->packed, p->weights, p->their_scratch, &e));
}

static void open_pair(pair *p, onednn *engine, bool bf16)
{
    const conv_shape *q = &p->ours.conv;
    const onednn_conv_options options = {.bf16 = bf16, .plain_input = p->ours.plain_input};
    p->theirs = library->conv_create(engine, q, p->pass, &options, &e);
    must(!p->theirs);
    const size_t channels = (size_t)(p->ours.plain_input ? q->c : (q->c + 15) / 16 * 16);
    p->src = numbers((size_t)q->n * channels * (size_t)(q->h * q->w), bf16);
    p->dst = numbers((size_t)(q->n * q->oh * q->ow) * (size_t)((q->k + 15) / 16 * 16), bf16);
    p->weights = numbers((size_t)(q->k * q->c * q->kernel * q->kernel), false);
    p->u = numbers(direct_weight_floats(&p->ours, p->pass), false);
    p->scratch = numbers(direct_scratch_floats(&p->ours, p->threads), false);
    p->packed = numbers(library->conv_weight_floats(p->theirs), false);
    p->their_scratch = numbers(library->conv_scratch_floats(p->theirs), false);
    if (p->pass == CONV_BACKWARD_WEIGHTS)
        return;
    must(library->conv_pack(p->theirs, p->weights, p->packed, &e));
    if (p->pass == CONV_FORWARD)
        direct_weights_forward(&p->ours, p->weights, p->u, p->threads);
    else
        direct_weights_backward(&p->ours, p->weights, p->u, p->threads);
}

static void close_pair(pair *p)
{
    void *all[] = {p->src, p->dst, p->weights, p->u, p->scratch, p->packed, p->their_scratch};
    for (size_t i = 0; i < COUNT(all); i++)
        free(all[i]);
    library->conv_free(p->theirs);
}

static void bench_layer(const struct layer *l, conv_pass pass, onednn *engine, const direct_kernels *kernels, bool bf16,
                        int repetitions, int batch, int threads, const char *word)
{
    const int out = (l->side - 1) / l->stride + 1;
    char name[60];
    snprintf(name, sizeof name, "%dx%d/%d %d-%d at %d", l->kernel, l->kernel, l->stride, l->c, l->k, l->side);
    if ((l->c == 3 && pass == CONV_BACKWARD_DATA) || (word && !strstr(name, word)))
        return;
    pair p = {.ours = {.conv = {.n = batch,
                                .c = l->c,
                                .h = l->side,
                                .w = l->side,
                                .k = l->k,
                                .oh = out,
                                .ow = out,
                                .kernel = l->kernel,
                                .stride = l->stride,
                                .padding = l->kernel / 2},
                       .plain_input = l->c == 3,
                       .kernels = kernels},
              .pass = pass,
              .threads = threads};
    open_pair(&p, engine, bf16);
    const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    double best[2] = {INFINITY, INFINITY};
    for (int r = 0; r <= repetitions; r++)
        for (int who = 0; who < 2; who++) {
            const double start = bench_seconds(clock);
            if (who == 0)
                run_ours(&p);
            else
                run_theirs(&p);
            const double seconds = bench_seconds(clock) - start;
            if (r > 0 && seconds < best[who])
                best[who] = seconds;
        }
    const double work = 2e-9 * batch * out * out * l->c * l->k * l->kernel * l->kernel;
    printf("%-26s%-18s%8.0f%8.0f%8.2f%9.1f%9.1f\n", name, pass_names[pass], work / best[0], work / best[1],
           best[1] / best[0], (double)direct_scratch_floats(&p.ours, threads) * 4 / (1 << 20),
           (double)(library->conv_scratch_floats(p.theirs) + library->conv_weight_floats(p.theirs)) * 4 / (1 << 20));
    fflush(stdout);
    close_pair(&p);
}

int main(int argc, char **argv)
{
    const char *limit = NULL;
    bool bf16 = false;
    for (int option; (option = getopt(argc, argv, "bi:")) != -1;) {
        if (option == '?')
            return 2;
        if (option == 'b')
            bf16 = true;
        else
            limit = optarg;
    }
    argc -= optind;
    argv += optind;
    const int repetitions = argc > 0 ? atoi(argv[0]) : 7, batch = argc > 1 ? atoi(argv[1]) : 64;
    const int threads = argc > 2 ? atoi(argv[2]) : omp_get_max_threads();
    if (repetitions < 1 || batch < 1 || threads < 1) {
        fprintf(stderr, "usage: bench_direct [-i sse2|avx2] [-b] [repetitions [batch [threads [word]]]]\n");
        return 2;
    }
    library = onednn_library_open(&e);
    must(!library);
    const direct_kernels *kernels = instructions_choose(limit)->direct[bf16];
    if (!kernels) {
        printf("bench_direct: no bf16 here\n");
        return 0;
    }
    omp_set_num_threads(threads);
    onednn *engine = library->open(&e);
    must(!engine);
    printf("%-26s%-18s%8s%8s%8s%9s%9s\n", "layer", "pass", "ours", "theirs", "ratio", "scratch", "theirs");
    for (int pass = 0; pass < CONV_PASSES; pass++)
        for (size_t i = 0; i < COUNT(layers); i++)
            bench_layer(&layers[i], (conv_pass)pass, engine, kernels, bf16, repetitions, batch, threads,
                        argc > 3 ? argv[3] : NULL);
    library->close(engine);
    return 0;
}
