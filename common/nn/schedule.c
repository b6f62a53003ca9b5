#include "nn/schedule.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

int schedule_epochs(const schedule *s)
{
    int64_t total = 0, length = s->length;
    for (int i = 0; i < s->cycles; i++) {
        total += length;
        if (total > 1000000)
            return -1;
        if (s->kind == SCHEDULE_COSINE)
            length *= s->mult;
    }
    return (int)total;
}

static double cosine(const schedule *s, int batches, int64_t k)
{
    int64_t start = 0, length = (int64_t)batches * s->length;
    while (k >= start + length) {
        start += length;
        length *= s->mult;
    }
    if (start == 0 && (double)k < (double)length / 20)
        return 0.01;
    return (1 + cos(PI * (double)(k - start) / (double)length)) / 2;
}

static double triangular(const schedule *s, int batches, int64_t k)
{
    int64_t length = (int64_t)batches * s->length, top = length / s->cut, t = k % length;
    double part = t > top ? 1 - (double)(t - top) / (double)(length - top) : top ? (double)t / (double)top : 1;
    return (1 + part * (s->div - 1)) / s->div;
}

double schedule_factor(const schedule *s, int batches, int64_t k)
{
    return s->kind == SCHEDULE_COSINE ? cosine(s, batches, k) : triangular(s, batches, k);
}

double lr_find_growth(double start, double end, int batches)
{
    return pow(end / start, 1.0 / batches);
}

bool lr_find_record(lr_find *f, double smoothed)
{
    if (isnan(smoothed) || smoothed > 4 * f->best)
        return false;
    if (smoothed < f->best && f->recorded > 10)
        f->best = smoothed;
    f->recorded++;
    return true;
}
