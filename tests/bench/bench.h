/* bench.h - what the benches share: clocks and the median. */
#ifndef ONEBOX_BENCH_H
#define ONEBOX_BENCH_H

#include <stdlib.h>
#include <time.h>

/* Seconds on a clock: CLOCK_MONOTONIC, or CLOCK_THREAD_CPUTIME_ID for processor time of this thread. */
static inline double bench_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int bench_ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, bench_ascending);
    return values[count / 2];
}

#endif
