/* direct_packing.c - the weights of direct.h in the order in which direct_passes.c reads them. */
#include "device/direct_plan.h"

#include <string.h>

packing packing_of(const direct_shape *s, bool backward)
{
    const conv_shape *q = &s->conv;
    const int pair = s->kernels->pair;
    packing p = {.channels = divide_up(backward ? q->c : q->k, 16) * 16,
                 .column = s->kernels->column,
                 .blocks = divide_up(backward ? q->k : q->c, 16),
                 .taps = q->kernel * q->kernel,
                 .words = 16 / pair};
    if (s->plain_input) {
        p.blocks = q->c;
        p.taps = q->kernel;
        p.words = divide_up(q->kernel, pair);
    }
    return p;
}

size_t direct_weight_floats(const direct_shape *s, conv_pass pass)
{
    const packing p = packing_of(s, pass == CONV_BACKWARD_DATA);
    return (size_t)column_at(&p, p.channels);
}

/* Rounded to nearest even; NaN stays one. */
static uint16_t bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* A row of weights: from[channel * channel_step] for `count` channels, then zeros; in bf16 number `i` of a line is one
 * half of the row's words. */
static void pack_row(const float *from, ptrdiff_t channel_step, int count, int width, int pair, int i, float *row)
{
    if (pair == 1) {
        for (int o = 0; o < count; o++)
            row[o] = from[o * channel_step];
        for (int o = count; o < width; o++)
            row[o] = 0;
        return;
    }
    uint16_t *half = (uint16_t *)(void *)row + i % 2;
    for (int o = 0; o < width; o++)
        half[2 * o] = o < count ? bf16_of(from[o * channel_step]) : 0;
}

/* The part of one column and block. */
static void pack_block(const direct_shape *s, const packing *p, bool backward, const float *oihw, int channel,
                       int block, float *u)
{
    const conv_shape *q = &s->conv;
    const int kernel = q->kernel, taps = kernel * kernel, pair = s->kernels->pair, width = column_width(p, channel);
    const int results = backward ? q->c : q->k, sources = backward ? q->k : q->c;
    const int count = results - channel < width ? (results > channel ? results - channel : 0) : width;
    const ptrdiff_t of_k = (ptrdiff_t)q->c * taps, of_c = taps;
    const ptrdiff_t channel_step = backward ? of_c : of_k, source_step = backward ? of_k : of_c;
    for (int tap = 0; tap < p->taps; tap++)
        for (int i = 0; i < p->words * pair; i++) {
            const float *from = oihw + channel * channel_step;
            float *row = u + ((ptrdiff_t)tap * p->words + i / pair) * width;
            bool there;
            if (s->plain_input) { /* channel `block`, row `tap`, number i of the row */
                from += block * source_step + tap * kernel + i;
                there = i < kernel;
            } else {
                from += (block * 16 + i) * source_step + tap;
                there = block * 16 + i < sources;
            }
            pack_row(from, channel_step, there ? count : 0, width, pair, i, row);
        }
}

static void pack(const direct_shape *s, bool backward, const float *oihw, float *u, int threads)
{
    const packing p = packing_of(s, backward);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int channel = 0; channel < p.channels; channel += p.column)
        for (int block = 0; block < p.blocks; block++) {
            const int width = column_width(&p, channel);
            pack_block(s, &p, backward, oihw, channel, block,
                       u + column_at(&p, channel) + (ptrdiff_t)block * p.taps * p.words * width);
        }
}

void direct_weights_forward(const direct_shape *s, const float *oihw, float *u, int threads)
{
    pack(s, false, oihw, u, threads);
}

void direct_weights_backward(const direct_shape *s, const float *oihw, float *u, int threads)
{
    pack(s, true, oihw, u, threads);
}
