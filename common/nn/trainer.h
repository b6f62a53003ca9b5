/* trainer.h - trains a network through the phases of a recipe on a device.
 *
 * Each phase is a fit of its own, as in fast.ai: a new optimiser (moments zero, step count from 1), rates by
 * the phase's schedule, the layers in front of phase.from frozen (their batch norms too: stored statistics,
 * unchanged). Each epoch goes once through the shuffled training set, a smaller last batch counting like any
 * other (a single left-over picture is left out, since batch norm needs two), then through the validation set
 * in evaluation mode. Epochs are numbered over the whole training for everything random, so phases differ in
 * order and augmentation. A training that goes on from another one's weights needs another seed: a head that
 * meets the same pictures under the same dropout masks again remembers them, and gets worse.
 *
 * Between two epochs all that a training knows is its parameters and a trainer_point: whatever is random is
 * drawn by the numbers of epoch and batch. So it can be taken up again there and ends with the same bytes.
 *
 * Where the recipe averages, the parameters behind each of the last epochs of the last phase, running statistics
 * included, go into a mean, which takes their place in front of the last pass over the validation set (stochastic
 * weight averaging, Izmailov et al. 2018, arXiv 1803.05407; the rate goes on falling here).
 *
 * The library prints nothing: what happens is told through callbacks, in the caller's thread.
 */
#ifndef ONEBOX_NN_TRAINER_H
#define ONEBOX_NN_TRAINER_H

#include "device/device.h"
#include "nn/loader.h"
#include "nn/loss.h"
#include "nn/objects.h"
#include "nn/recipe.h"

/* After each batch. */
typedef struct trainer_batch {
    const recipe_phase *phase;
    int epoch;              /* of the phase, from 0 */
    int64_t batch, batches; /* of the phase, batch from 0 */
    int epoch_batch, epoch_batches;
    int count;             /* pictures in it */
    double lr;             /* of the head */
    double loss, smoothed; /* mean of the batch; running mean of the phase */
    double wait, seconds;  /* spent waiting for the pictures; for all of it */
} trainer_batch;

/* After each epoch. */
typedef struct trainer_epoch {
    const recipe_phase *phase;
    int epoch;
    double trn_loss;      /* the running mean after the last batch */
    loss_value val;       /* over the validation set */
    double seconds, rate; /* of the training part; pictures per second */
    double val_rate;      /* of validation */
} trainer_epoch;

/* Where a training stands between two epochs. */
typedef struct trainer_point {
    int phase, epoch;            /* the next epoch to run: number of the phase, epoch in it, both from 0 */
    loss_smooth smooth;          /* of the phase so far */
    const float *first, *second; /* Adam's moments, flat arrays like the parameters; NULL when epoch is 0 */
    const float *mean;           /* of the parameters behind the averaged epochs so far; NULL when there are none */
} trainer_point;

/* Any may be NULL. A result other than 0 (with e set) ends the training with it. */
typedef struct trainer_report {
    void *context;
    int (*phase_start)(void *context, int phase_number, int first_epoch, int64_t batches, error *e);
    int (*batch)(void *context, const trainer_batch *b, error *e);
    int (*validation)(void *context, const trainer_batch *last, int done, int total, error *e);
    int (*epoch)(void *context, const trainer_epoch *row, error *e);
    /* params: the parameters now, valid during the call */
    int (*phase_end)(void *context, int phase_number, const trainer_epoch *last, const float *params, error *e);
    /* After each epoch but the last one of all, behind the calls above: the point and the parameters that
     * belong to it. All of them stay as they are until the next call of point or phase_end. */
    int (*point)(void *context, const trainer_point *next, const float *params, error *e);
    /* Once, when the training fails. kept: what the last point told is still as it was. */
    void (*failed)(void *context, bool kept);
    /* After each batch of forms, in front of a phase's first epoch: done of all of them. */
    int (*features)(void *context, const recipe_phase *phase, size_t done, size_t total, error *e);
} trainer_report;

/* A set of samples: what loader_options needs to know of it. Samples of the training set that are seen in a few forms
 * only, such as mirrored or not, can say so: where groups are frozen in front, what these make of each form is computed
 * once in a phase of more epochs than forms, if it fits into a quarter of the memory. No bit is changed by that. */
typedef struct trainer_set {
    loader_make *make;
    void *context;
    size_t count;
    int forms;                                                   /* of each sample; 0: any number */
    int (*form)(void *context, uint32_t sample, uint32_t epoch); /* from 0 on */
    loader_make *make_form;                                      /* of number sample * forms + form */
    const char *(*name)(void *context, uint32_t sample);         /* for messages; may be NULL */
} trainer_set;

typedef struct trainer {
    device *device;
    const graph *graph;
    float *params;             /* in: the first values; out: the trained ones */
    const trainer_point *from; /* where to go on, params being those of that point; NULL: the beginning */
    task task;
    int classes;       /* 0 for bbox */
    int target_floats; /* of a picture's targets: 4, or as objects_target_floats says for TASK_OBJECTS */
    const recipe *recipe;
    uint64_t seed;          /* of shuffling and dropout */
    trainer_set train, val; /* make gets worker numbers below loader_workers(threads) */
    int threads;            /* background threads for making batches */
    bool freeze_bn;         /* batch norms keep their statistics in trainable layers of the backbone too */
    trainer_report report;
} trainer;

/* Batches in an epoch of so many training pictures. */
size_t trainer_batches(size_t pictures, int batch);

/* Runs all phases. ERR_INPUT when the training set is too small or when the loss is no longer finite; the
 * line then names the phase, epoch, batch, rate and pictures; also when `from` is no point of the recipe. On failure
 * params may hold those of the last complete phase or of the last point that was reported. */
int trainer_run(const trainer *t, error *e);

/* ---- learning-rate finder */

typedef struct trainer_lr_find {
    int phase;            /* number of the phase whose layers train */
    double start[GROUPS]; /* rates of the first batch */
    double end;           /* of the last group, after an epoch */
    /* For each recorded batch; lr of the last group. */
    int (*record)(void *context, int batch, double lr, double loss, double smoothed, error *e);
    void *context;
} trainer_lr_find;

/* What ended it. */
typedef struct trainer_lr_found {
    bool stopped; /* false: a whole epoch ran, and val is set */
    int recorded; /* batches that count, of `batches` */
    int batches;
    double smoothed; /* the running loss that ended it, or the last one */
    loss_value val;
} trainer_lr_found;

/* Trains at most one epoch with a rate that grows from batch to batch and stops when the running loss
 * explodes. params are unchanged afterwards. */
int trainer_find_lr(const trainer *t, const trainer_lr_find *find, trainer_lr_found *found, error *e);

#endif
