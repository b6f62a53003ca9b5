/* Tests of the max-pooling of device/cpu_kernels.h: on every instruction set of this processor, in fp32 and bf16,
 * against a loop over the definition. */
#include "device/instructions.h"

#include "test.h"

#include "base/error.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct pooling {
    const cpu_kernels *kernels;
    bool bf16;
    conv_shape s;
    size_t inputs, outputs; /* numbers, padding channels included */
    float *x, *y, *dy, *dx; /* blocked; in bf16 the kernels get copies */
    int *where;             /* expected: the place of each maximum in x */
} pooling;

static uint32_t state;

static uint32_t next(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void *room(size_t bytes)
{
    error e = {0};
    void *p = mem_aligned(bytes + 64, "a test", &e);
    if (!p)
        exit(1);
    return p;
}

static uint16_t *narrow(const float *x, size_t count)
{
    uint16_t *y = room(count * sizeof *y);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        y[i] = (uint16_t)(bits >> 16); /* exact: the tests' numbers have few digits */
    }
    return y;
}

static float widened(uint16_t x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The definition: y, and where each maximum is. */
static void expect(pooling *p)
{
    const conv_shape *s = &p->s;
    const size_t block = (size_t)p->kernels->block, planes = p->inputs / block / (size_t)(s->h * s->w);
    for (size_t o = 0; o < p->outputs; o++) {
        const size_t lane = o % block, pixel = o / block % (size_t)(s->oh * s->ow),
                     plane = o / block / (size_t)(s->oh * s->ow);
        const int oy = (int)pixel / s->ow, ox = (int)pixel % s->ow;
        p->where[o] = -1;
        p->y[o] = -FLT_MAX;
        for (int k = 0; k < s->kernel * s->kernel && plane < planes; k++) {
            const int iy = oy * s->stride - s->padding + k / s->kernel,
                      ix = ox * s->stride - s->padding + k % s->kernel;
            if (iy < 0 || ix < 0 || iy >= s->h || ix >= s->w)
                continue;
            const size_t i = (plane * (size_t)(s->h * s->w) + (size_t)(iy * s->w + ix)) * block + lane;
            if (p->where[o] < 0)
                p->where[o] = (int)i;
            if (p->x[i] > p->y[o]) {
                p->y[o] = p->x[i];
                p->where[o] = (int)i;
            }
        }
        p->dx[p->where[o]] += p->dy[o];
    }
}

static pooling open_pooling(const cpu_kernels *kernels, bool bf16, const int q[7], bool odd_values)
{
    pooling p = {.kernels = kernels, .bf16 = bf16};
    p.s = (conv_shape){.n = q[0], .c = q[1], .h = q[2], .w = q[3], .kernel = q[4], .stride = q[5], .padding = q[6]};
    p.s.k = p.s.c;
    p.s.oh = (p.s.h + 2 * p.s.padding - p.s.kernel) / p.s.stride + 1;
    p.s.ow = (p.s.w + 2 * p.s.padding - p.s.kernel) / p.s.stride + 1;
    const size_t channels = (size_t)((q[1] + kernels->block - 1) / kernels->block * kernels->block);
    p.inputs = (size_t)q[0] * channels * (size_t)(q[2] * q[3]);
    p.outputs = (size_t)q[0] * channels * (size_t)(p.s.oh * p.s.ow);
    p.x = room(p.inputs * sizeof(float));
    p.dx = room(p.inputs * sizeof(float));
    p.y = room(p.outputs * sizeof(float));
    p.dy = room(p.outputs * sizeof(float));
    p.where = room(p.outputs * sizeof(int));
    state = (uint32_t)(q[1] * 7919 + q[2] * 31 + q[4]);
    const float odd[] = {NAN, -INFINITY, INFINITY, -0.0f, 0};
    for (size_t i = 0; i < p.inputs; i++) { /* few values: many ties */
        const uint32_t u = next();
        p.x[i] = (float)(u % 13) - 6;
        if (odd_values && u % 3 == 0)
            p.x[i] = odd[u / 3 % 5];
    }
    for (size_t i = 0; i < p.outputs; i++)
        p.dy[i] = (float)(next() % 15) - 7; /* their sums are exact */
    memset(p.dx, 0, p.inputs * sizeof(float));
    expect(&p);
    return p;
}

static void close_pooling(pooling *p)
{
    void *all[] = {p->x, p->dx, p->y, p->dy, p->where};
    for (size_t i = 0; i < COUNT(all); i++)
        free(all[i]);
}

static size_t differing(const pooling *p, const void *seen, const float *expected, size_t count)
{
    const float *floats = seen;
    const uint16_t *numbers = seen;
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const float want = p->bf16 && expected[i] == -FLT_MAX ? -INFINITY : expected[i]; /* rounded */
        wrong += !((p->bf16 ? widened(numbers[i]) : floats[i]) == want);
    }
    return wrong;
}

static void check(const pooling *p, int threads)
{
    const size_t size = p->bf16 ? sizeof(uint16_t) : sizeof(float);
    void *x = p->bf16 ? (void *)narrow(p->x, p->inputs) : p->x,
         *dy = p->bf16 ? (void *)narrow(p->dy, p->outputs) : p->dy;
    void *y = room(p->outputs * size), *dx = room(p->inputs * size);
    void *where = room(maxpool_place_bytes(&p->s, p->kernels->block));
    memset(dx, 0x7f, p->inputs * size);
    p->kernels->maxpool_forward(&p->s, x, y, where, threads);
    p->kernels->maxpool_backward(&p->s, dy, where, dx, threads);
    const size_t forward = differing(p, y, p->y, p->outputs), backward = differing(p, dx, p->dx, p->inputs);
    memset(y, 0x7f, p->outputs * size);
    p->kernels->maxpool_forward(&p->s, x, y, NULL, threads);
    const size_t alone = differing(p, y, p->y, p->outputs);
    CHECK(!forward && !backward && !alone,
          "%s, %d threads, c %d, %dx%d, window %d, stride %d, padding %d: %zu outputs (%zu without places) and %zu "
          "gradients differ",
          p->kernels->name, threads, p->s.c, p->s.h, p->s.w, p->s.kernel, p->s.stride, p->s.padding, forward, alone,
          backward);
    if (p->bf16) {
        free(x);
        free(dy);
    }
    free(y);
    free(dx);
    free(where);
}

/* Batch, channels, height, width, window, stride, padding. */
static const int shapes[][7] = {
    {2, 64, 56, 56, 3, 2, 1}, {1, 3, 7, 5, 3, 2, 1},   {3, 20, 8, 9, 2, 2, 0},   {1, 16, 1, 1, 3, 2, 1},
    {2, 40, 13, 6, 3, 1, 1},  {1, 16, 9, 11, 5, 3, 2}, {1, 17, 12, 12, 2, 4, 1}, {1, 16, 40, 37, 17, 5, 8},
    {1, 8, 33, 34, 16, 7, 3}, {2, 16, 2, 3, 2, 1, 1},  {1, 32, 6, 31, 3, 2, 0},  {1, 16, 300, 4, 3, 2, 1},
};

int main(void)
{
    const char *const limits[] = {"sse2", "avx2", "avx512 bf16"};
    for (int odd_values = 0; odd_values < 2; odd_values++)
        TEST(odd_values ? "of NaN, infinities and zeros of either sign the first maximum is found"
                        : "max-pooling finds the first maximum and sends the gradient there")
    for (size_t i = 0; i < 2 * COUNT(limits); i++) {
        const instructions *best = instructions_choose(limits[i / 2]);
        const bool bf16 = i % 2;
        for (size_t shape = 0; shape < COUNT(shapes) && (!bf16 || best->bf16); shape++) {
            pooling p = open_pooling(bf16 ? best->bf16 : best->flat, bf16, shapes[shape], odd_values);
            for (int threads = 1; threads <= 3; threads++)
                check(&p, threads);
            close_pooling(&p);
        }
    }
    return test_end();
}
