/* bench_ops.c - speed of max-pooling and products of matrices: the best and the median of several turns. `cpu`:
 * processor time by threads, for a machine that is not idle.
 *
 * usage: bench_ops [TURNS [THREADS [cpu|wall]]]
 */
#include "bench.h"

#include "base/error.h"
#include "device/instructions.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static error e;
static int threads;
static clockid_t timer = CLOCK_MONOTONIC;

static double now(void)
{
    return timer == CLOCK_MONOTONIC ? bench_seconds(timer) : bench_seconds(timer) / threads;
}

static void must(int code)
{
    if (!code)
        return;
    fprintf(stderr, "bench_ops: %s\n", e.text);
    exit(4);
}

static void *room(size_t bytes)
{
    void *p = mem_aligned(bytes, "a tensor", &e);
    must(!p);
    return p;
}

typedef struct operation {
    const char *name;
    void (*run)(const void *what);
    const void *what;
    double bytes, flops; /* moved at least; 0: not said */
} operation;

static void take(const operation *o, int turns)
{
    double *times = room((size_t)turns * sizeof *times);
    for (int t = -1; t < turns; t++) {
        const double start = now();
        o->run(o->what);
        if (t >= 0)
            times[t] = now() - start;
    }
    const double median = bench_median(times, turns); /* sorts them */
    printf("%-44s %9.3f %9.3f", o->name, 1e3 * times[0], 1e3 * median);
    if (o->flops > 0)
        printf(" %8.1f GFLOP/s\n", o->flops / times[0] * 1e-9);
    else
        printf(" %8.1f GB/s\n", o->bytes / times[0] * 1e-9);
    free(times);
}

/* ---------------------------------------------------------------- max-pooling */

typedef struct pooling {
    const cpu_kernels *kernels;
    conv_shape shape;
    void *x, *y, *where;
} pooling;

static void pool_forward(const void *what)
{
    const pooling *p = what;
    p->kernels->maxpool_forward(&p->shape, p->x, p->y, p->where, threads);
}

static void pool_backward(const void *what)
{
    const pooling *p = what;
    p->kernels->maxpool_backward(&p->shape, p->y, p->where, p->x, threads);
}

static void bench_pool(const cpu_kernels *kernels, const char *name, bool bf16, int turns)
{
    const size_t c = 64, size = bf16 ? 2 : 4, inputs = 64 * c * 112 * 112, outputs = 64 * c * 56 * 56;
    pooling p = {.kernels = kernels, .shape = {.n = 64, .c = (int)c, .h = 112, .w = 112, .k = (int)c}};
    p.shape.oh = p.shape.ow = 56;
    p.shape.kernel = 3;
    p.shape.stride = 2;
    p.shape.padding = 1;
    p.x = room(inputs * size);
    p.y = room(outputs * size);
    p.where = room(outputs);
    uint16_t *words = p.x;
    for (size_t i = 0; i < inputs * size / 2; i++) /* numbers between 0.5 and 4 with either sign */
        words[i] = (uint16_t)((rand() & 0x81ff) | 0x3f00);
    char text[80];
    snprintf(text, sizeof text, "max-pool 64x64x112x112 %s forward", name);
    const double moved = (double)((inputs + outputs) * size + outputs);
    take(&(operation){text, pool_forward, &p, moved, 0}, turns);
    snprintf(text, sizeof text, "max-pool 64x64x112x112 %s backward", name);
    take(&(operation){text, pool_backward, &p, moved, 0}, turns);
    free(p.x);
    free(p.y);
    free(p.where);
}

/* ---------------------------------------------------------------- products of matrices */

typedef struct product {
    const instructions *best;
    matmul_shape shape;
    float *a, *b, *c, *scratch;
} product;

static void multiply(const void *what)
{
    const product *p = what;
    const matmul_shape *s = &p->shape;
    p->best->matmul(s, p->a, p->b, p->c, p->scratch, threads);
}

static float *floats(size_t count)
{
    float *p = room(count * sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = (float)(rand() % 2001 - 1000) / 1000;
    return p;
}

static void bench_product(const instructions *best, matmul_shape s, int turns)
{
    const size_t m = (size_t)s.m, n = (size_t)s.n, k = (size_t)s.k;
    product p = {best, s, floats(m * k), floats(k * n), floats(m * n), floats(matmul_scratch_floats(threads))};
    char text[80];
    snprintf(text, sizeof text, "product m %d, n %d, k %d%s%s", s.m, s.n, s.k, s.transpose_a ? ", A transposed" : "",
             s.transpose_b ? ", B transposed" : "");
    take(&(operation){text, multiply, &p, 0, 2.0 * (double)m * (double)n * (double)k}, turns);
    float *all[] = {p.a, p.b, p.c, p.scratch};
    for (size_t i = 0; i < COUNT(all); i++)
        free(all[i]);
}

/* The three passes of a linear layer: batch, outputs, inputs. */
static const int layers[][3] = {{64, 256, 25088}, {64, 25088, 256}, {64, 512, 1024}, {64, 24, 256}, {1, 256, 25088}};

int main(int argc, char **argv)
{
    const int turns = argc > 1 ? atoi(argv[1]) : 9;
    threads = argc > 2 ? atoi(argv[2]) : omp_get_max_threads();
    if (turns < 1 || threads < 1) {
        fprintf(stderr, "usage: bench_ops [TURNS [THREADS [cpu|wall]]]\n");
        return 2;
    }
    if (argc > 3 && strcmp(argv[3], "cpu") == 0)
        timer = CLOCK_PROCESS_CPUTIME_ID;
    omp_set_num_threads(threads);
    const instructions *best = instructions_choose(getenv("ONEBOX_MAX_ISA"));
    printf("instructions %s, %d threads\n%-44s %9s %9s\n", best->name, threads, "", "best ms", "median ms");
    bench_pool(best->flat, "fp32", false, turns);
    if (best->bf16)
        bench_pool(best->bf16, "bf16", true, turns);
    for (size_t i = 0; i < COUNT(layers); i++) {
        const int batch = layers[i][0], outputs = layers[i][1], inputs = layers[i][2];
        const int repeats = (double)batch * outputs * inputs < 1e8 ? 20 * turns : turns;
        bench_product(best, (matmul_shape){false, true, batch, outputs, inputs, false}, repeats);
        bench_product(best, (matmul_shape){true, false, outputs, inputs, batch, false}, repeats);
        bench_product(best, (matmul_shape){false, false, batch, inputs, outputs, false}, repeats);
    }
    return 0;
}
