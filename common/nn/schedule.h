/* schedule.h - learning rates as pure functions of the batch number.
 *
 * A rate is the group's base rate times a factor; k = 0, 1, 2 … counts the batches of one phase.
 *
 * Cosine annealing with restarts (Loshchilov and Hutter, ICLR 2017): cycles of len, len * mult, … epochs; the
 * factor falls from 1 to 0 along half a cosine in each. The first twentieth of the first cycle runs at 1/100
 * instead: this warm-up replaces the first values, it does not shift the rest.
 *
 * Triangular (after Smith, WACV 2017): over the whole phase up from 1/div to 1 in the first 1/cut of the
 * batches, then down to 1/div.
 */
#ifndef ONEBOX_NN_SCHEDULE_H
#define ONEBOX_NN_SCHEDULE_H

#include "graph/graph.h"

typedef enum schedule_kind { SCHEDULE_COSINE, SCHEDULE_TRIANGULAR } schedule_kind;

typedef struct schedule {
    schedule_kind kind;
    int cycles; /* cosine: number of cycles, 1 or more; triangular: 1 */
    int length; /* epochs of the first cycle */
    int mult;   /* cosine: each cycle is this many times as long as the one before; 1..16 */
    double div; /* triangular: lowest rate = base / div */
    int cut;    /* triangular: the rise takes 1/cut of the batches */
} schedule;

/* Epochs of the whole phase: length * (1 + mult + … + mult^(cycles-1)). -1 when above a million. */
int schedule_epochs(const schedule *s);

/* The factor for batch k with `batches` batches per epoch. */
double schedule_factor(const schedule *s, int batches, int64_t k);

/* ---- learning-rate finder: one epoch at most, the rate grows exponentially */

/* The growth per batch: (end / start)^(1/batches), start of the last group. */
double lr_find_growth(double start, double end, int batches);

/* Zero-initialise with .best = LR_FIND_BEST. */
#define LR_FIND_BEST 1e9
typedef struct lr_find {
    double best;
    int recorded; /* batches that count; batch `recorded` runs now at start * growth^recorded */
} lr_find;

/* Takes the smoothed loss (loss_smooth) of the batch just run. False: stop now, this batch is not recorded
 * (the loss is NaN or above 4 times the best). `best` is lowered only when 11 or more batches are recorded
 * already. */
bool lr_find_record(lr_find *f, double smoothed);

#endif
