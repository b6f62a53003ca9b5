/* history.h - what a training says about itself: the table on the screen and two TSV files.
 *
 * The table is fast.ai's: names left-justified to 10 characters plus a blank; rows with the epoch centred in
 * 10, then per value a blank and the value rounded to 6 decimals in its shortest form, left-justified to 10.
 *
 * X.history.tsv has one row per epoch, X.batches.tsv one per batch, lr.tsv one per batch of the finder; their
 * columns are below. epoch and batch count from 0 in each phase (batch goes on over its epochs); lr is the
 * last group's; wait is the seconds that the batch's pictures came late; what a task does not have is '-'.
 * Columns that depend on the clock stand last.
 */
#ifndef ONEBOX_NN_HISTORY_H
#define ONEBOX_NN_HISTORY_H

#include "base/text.h"
#include "nn/loss.h"

enum { HISTORY_NUMBER = 32 };

/* x rounded to 6 decimals (half to even, as numpy's round), shortest form that reads back the same, as Python
 * prints it: 0.79, 21.3755, 1.0, 1e-06, nan. */
void history_rounded(double x, char text[HISTORY_NUMBER]);

/* x in its shortest form that reads back as the same double, as Python prints it. */
void history_shortest(double x, char text[HISTORY_NUMBER]);

/* "epoch      trn_loss   val_loss   accuracy   " and a row of the same columns; no newline. Columns: cls
 * accuracy; bbox none; detn detn_acc, detn_l1. Added to b. */
void history_table_header(task t, text_buffer *b);
void history_table_row(task t, int epoch, double trn_loss, loss_value val, text_buffer *b);

#define HISTORY_COLUMNS "phase\tepoch\ttrn_loss\tval_loss\taccuracy\tl1\tseconds\timages_per_second\n"
#define BATCHES_COLUMNS "phase\tepoch\tbatch\tlr\tloss\tsmoothed\twait\timages_per_second\n"
#define LR_FIND_COLUMNS "batch\tlr\tloss\tsmoothed\n"

/* Lines with newline, added to b. `seconds`: of the epoch's training part; rate in pictures per second. */
void history_row(task t, const char *phase, int epoch, double trn_loss, loss_value val, double seconds, double rate,
                 text_buffer *b);
void batches_row(const char *phase, int epoch, int64_t batch, double lr, double loss, double smoothed, double wait,
                 double rate, text_buffer *b);
void lr_find_row(int batch, double lr, double loss, double smoothed, text_buffer *b);

#endif
