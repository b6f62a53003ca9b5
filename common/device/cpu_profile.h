/* cpu_profile.h - where the time of a CPU plan's steps goes. Off unless asked for; for benches only. */
#ifndef ONEBOX_DEVICE_CPU_PROFILE_H
#define ONEBOX_DEVICE_CPU_PROFILE_H

#include "device/cpu_plan.h"

typedef struct profile_row {
    const char *kind; /* "conv", "batchnorm", ... */
    const node *node; /* sums of gradients: whose value it is */
    bool backward;
    const char *algorithm;       /* convolutions: "winograd", "direct"; else "" */
    double flops, weights_flops; /* of a direct convolution: forward or backward data; backward weights */
    double seconds[SPENT_PARTS]; /* since the profile was started */
} profile_row;

/* Starts timing p's steps (again from zero): wall time, or the processor time of all threads divided by their
 * number, which means more on a busy machine (waiting threads sleep and take none). */
int cpu_profile_start(plan *p, bool processor_time, error *e);

/* The clock used: seconds of the process, or of the calling thread alone. */
double cpu_profile_clock(bool processor_time, int threads);

/* Row `index` of p's steps; false past the last. */
bool cpu_profile_row(const plan *p, int index, profile_row *row);

#endif
