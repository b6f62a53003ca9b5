/* loader.h - makes the batches of a training or an evaluation ahead of time on background threads.
 *
 * A loader knows nothing of pictures: a function of the caller makes one sample (a picture and its target),
 * the loader decides which samples make which batch and hands complete batches out in order. What a batch
 * holds is a pure function of (seed, epoch, position): it does not depend on the number of threads or on
 * their timing.
 *
 *     loader *l = loader_open(&options, &e);
 *     for each batch: loader_next(l, &b, &e), use b until the next loader_next
 *     loader_close(l);
 *
 * Memory is bounded by `ring` batches; they are allocated once.
 */
#ifndef ONEBOX_NN_LOADER_H
#define ONEBOX_NN_LOADER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes sample `sample` (0 .. samples-1) for epoch `epoch`: fills picture_floats floats, a class index and
 * target_floats floats, such as a box (y1, x1, y2, x2). Called from several threads at once; `worker`
 * (0 .. loader_workers-1) is never in use twice at a time, for scratch memory. Random draws must depend on
 * (seed, epoch, sample) only. */
typedef int loader_make(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label,
                        float *target, error *e);

typedef struct loader_options {
    loader_make *make;
    void *context;
    size_t samples;        /* per epoch, at least 1 */
    size_t picture_floats; /* size x size x 3; 0: no pictures are wanted, make gets NULL for them */
    size_t target_floats;  /* 4 for a box */
    int batch;             /* the last batch of an epoch holds what is left over … */
    int least;             /* … unless these are fewer: then the epoch ends one batch earlier; at most batch */
    int threads;           /* background threads; 0: samples are made inside loader_next */
    int ring;              /* batches held at a time, at least 2 */
    bool shuffle;          /* each epoch in the order of philox (seed, PURPOSE_SHUFFLE, epoch), else ascending */
    uint64_t seed;
    uint32_t first_epoch; /* epochs are numbered from here */
    uint32_t epochs;      /* how many there are; after the last batch of the last one loader_next fails */
} loader_options;

typedef struct loader_batch {
    int count;               /* samples */
    const float *pictures;   /* batch x picture_floats, of which count are made; or NULL */
    const int32_t *labels;   /* count */
    const float *targets;    /* count x target_floats */
    const uint32_t *samples; /* count */
    double wait;             /* seconds that loader_next had to wait for it */
} loader_batch;

typedef struct loader loader;

/* Number of different `worker` values that a loader with so many threads passes on. */
int loader_workers(int threads);

/* Batches in an epoch. */
size_t loader_batches(size_t samples, int batch, int least);

/* Starts the threads. NULL with e set when memory or threads are refused. */
loader *loader_open(const loader_options *options, error *e);

/* The next batch. Its arrays belong to the loader and stay valid until the next call. A failed sample fails
 * the batch it is in, with the error of the lowest-placed failing one. */
int loader_next(loader *l, loader_batch *batch, error *e);

/* Stops the threads and frees everything. NULL is allowed. */
void loader_close(loader *l);

#endif
