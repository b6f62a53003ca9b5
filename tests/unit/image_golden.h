/* image_golden.h - reads tests/golden/image/arrays.bin, which tests/golden/image.py made with OpenCV. */
#ifndef ONEBOX_TEST_IMAGE_GOLDEN_H
#define ONEBOX_TEST_IMAGE_GOLDEN_H

#include "base/file.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "tests/golden/image/"

enum { GOLDEN_U8 = 1, GOLDEN_U16 = 2, GOLDEN_F32 = 4 };

typedef struct golden {
    const char *name;
    uint32_t kind, dimensions, shape[4];
    size_t count;
    const void *data;
} golden;

/* Steps through the records; *at starts at 0. */
static inline bool golden_next(const file_view *file, size_t *at, golden *g)
{
    if (*at >= file->size)
        return false;
    const char *p = file->data + *at;
    g->name = p;
    memcpy(&g->kind, p + 32, 4);
    memcpy(&g->dimensions, p + 36, 4);
    memcpy(g->shape, p + 40, 16);
    g->count = 1;
    for (int i = 0; i < 4; i++)
        g->count *= g->shape[i];
    g->data = p + 56;
    *at += 56 + g->count * g->kind;
    return true;
}

static inline float golden_float(const golden *g, size_t i)
{
    float v;
    memcpy(&v, (const char *)g->data + 4 * i, 4);
    return v;
}

/* The script's picture: high bytes of a linear congruential generator. */
static inline uint8_t *golden_noise(int height, int width, uint32_t seed)
{
    size_t n = 3 * (size_t)height * (size_t)width;
    uint8_t *p = malloc(n);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
    return p;
}

/* value/255 with one spare pixel behind, as the row functions want it. */
static inline float *golden_floats(const uint8_t *bytes, int height, int width)
{
    size_t n = 3 * (size_t)height * (size_t)width;
    float *p = calloc(n + 4, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)bytes[i] / 255.0f;
    return p;
}

#endif
