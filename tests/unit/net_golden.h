/* net_golden.h - what PyTorch computed for whole networks (tests/golden/net.txt, made by net.py): its lines, and the
 * weights, pictures and targets that both sides draw from philox. */
#ifndef ONEBOX_TEST_NET_GOLDEN_H
#define ONEBOX_TEST_NET_GOLDEN_H

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "graph/graph.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { SEED = 51, SIGNS = 21, CLASSES = 7, STEPS = 10, BATCH = 11, SIDE = 96 };
static const float rates[GROUPS] = {3e-6f, 1e-5f, 3e-5f};
static const double TOLERANCE = 1e-4;

/* ---------------------------------------------------------------- goldens */

static file_view golden;

/* The values of the line "CASE KIND NAME …"; how many there are, at most `max`. 0: no such line. */
static inline size_t wanted(const char *which, const char *kind, const char *name, double *values, size_t max)
{
    text_lines at = text_lines_of(golden.data, golden.size);
    const char *line;
    char begin[160];
    size_t size, length = (size_t)snprintf(begin, sizeof begin, "%s %s %s ", which, kind, name);
    text_field f[200];
    while (text_line(&at, &line, &size)) {
        if (size <= length || memcmp(line, begin, length) != 0)
            continue;
        size_t n = text_split(line, size, ' ', f, 200);
        size_t count = n - 3 < max ? n - 3 : max;
        for (size_t i = 0; i < count; i++)
            if (!text_double(f[i + 3].text, f[i + 3].size, &values[i]))
                return 0;
        return count;
    }
    return 0;
}

/* `count` numbers against a golden line: the largest difference relative to the largest number. */
static inline void check_numbers(const char *which, const char *kind, const char *name, const float *is, size_t count)
{
    double golden_values[200], largest = 0, off = 0;
    size_t n = wanted(which, kind, name, golden_values, 200);
    CHECK(n == count, "%s %s %s: %zu numbers in the golden file, not %zu", which, kind, name, n, count);
    for (size_t i = 0; i < n && i < count; i++) {
        largest = fmax(largest, fabs(golden_values[i]));
        off = fmax(off, fabs(golden_values[i] - (double)is[i]));
    }
    CHECK(off <= TOLERANCE * largest, "%s %s %s: relative error %.2g", which, kind, name, off / largest);
}

/* A tensor of n numbers against its golden norm, signed sum and four elements, all relative to the norm. `number`: of
 * its stream of signs. */
static inline void check_tensor(const char *which, const char *kind, const char *name, size_t n, int number,
                                const float *x, double tolerance)
{
    double g[6], norm = 0, sum = 0;
    if (wanted(which, kind, name, g, 6) != 6) {
        CHECK(false, "%s %s %s is not in the golden file", which, kind, name);
        return;
    }
    for (size_t i = 0; i < n; i += 4) {
        uint32_t word[4];
        philox_block(SIGNS, PHILOX_STREAM(PURPOSE_INIT, number), i / 4, word);
        for (size_t k = 0; k < 4 && i + k < n; k++) {
            double v = (double)x[i + k];
            norm += v * v;
            sum += word[k] & 1 ? -v : v;
        }
    }
    norm = sqrt(norm);
    double off = fmax(fabs(norm - g[0]), fabs(sum - g[1]));
    for (size_t k = 0; k < 4; k++)
        off = fmax(off, fabs((double)x[k * (n - 1) / 3] - g[2 + k]));
    CHECK(off <= tolerance * g[0] + 1e-12, "%s %s %s: relative error %.2g", which, kind, name, off / g[0]);
}

/* ---------------------------------------------------------------- the same numbers as in net.py */

static inline void fill(const graph *g, int first_group, float *params)
{
    for (int i = 0; i < g->param_count; i++) {
        const param *p = &g->params[i];
        const node *n = &g->nodes[p->node];
        if (p->group < first_group)
            continue;
        double low, high;
        if (n->kind == NODE_BATCHNORM) {
            bool around_one = n->params[0] == i || n->params[3] == i;
            low = around_one ? 0.5 : -0.2;
            high = around_one ? 1.5 : 0.2;
        } else {
            const param *w = &g->params[n->params[0]];
            double fan_in = (double)(w->count / (size_t)w->shape[0]);
            high = sqrt((w->dims == 4 ? 6.0 : 1.0) / fan_in);
            low = -high;
        }
        philox random = philox_start(SEED, PHILOX_STREAM(PURPOSE_INIT, i));
        for (size_t k = 0; k < p->count; k++)
            params[p->offset + k] = (float)(low + (high - low) * philox_uniform(&random));
    }
}

static inline float *pictures(size_t n, size_t size)
{
    size_t side = size / 8;
    double *block = calloc(n * side * side * 3, sizeof *block);
    float *x = calloc(n * size * size * 3, sizeof *x);
    philox random = philox_start(SEED, PHILOX_STREAM(PURPOSE_DEMO, 0));
    for (size_t i = 0; i < n * side * side * 3; i++)
        block[i] = philox_uniform(&random);
    random = philox_start(SEED, PHILOX_STREAM(PURPOSE_DEMO, 1));
    for (size_t i = 0; i < n; i++)
        for (size_t y = 0; y < size; y++)
            for (size_t at = 0; at < size * 3; at++)
                x[(i * size + y) * size * 3 + at] =
                    (float)(0.8 * block[((i * side + y / 8) * side + at / 3 / 8) * 3 + at % 3] +
                            0.2 * philox_uniform(&random));
    free(block);
    return x;
}

static inline void targets(int32_t *label, float *sides)
{
    for (int i = 0; i < BATCH; i++) {
        label[i] = (3 * i + 1) % CLASSES;
        const int b[4] = {4 + 3 * i, 8 + 5 * i, SIDE / 2 + 7 * i, SIDE - 20 + 4 * i};
        for (int k = 0; k < 4; k++)
            sides[4 * i + k] = (float)b[k];
    }
}

#endif
