/* train_report.h - what a training shows and leaves behind: progress, the table of epochs, the history and
 * batches files, a checkpoint after each phase.
 *
 * Part of the front (train_main.h): it prints. The two text files are written anew, whole, after each epoch,
 * so what is on disk is always complete rows. The state (train_state.h) is written after an epoch when
 * state_every seconds have passed since the start or the last time; when it cannot be written, a remark says so and
 * the training goes on and tries again. A deferred signal (signals.h) ends the training after the batch; the state of
 * the last whole epoch is written then, and also when the training fails.
 */
#ifndef ONEBOX_FRONT_TRAIN_REPORT_H
#define ONEBOX_FRONT_TRAIN_REPORT_H

#include "base/progress.h"
#include "front/train_setup.h"

typedef struct train_report {
    const train_setup *s;
    progress progress;
    text_buffer history, batches; /* the two files so far */
    double phase_start;           /* seconds */
    int64_t phase_first;          /* the first batch that this run does of the phase */
    bool header_shown;            /* of the phase's table */
    trainer_point point;          /* the last one, with its parameters and its rows in the two files, in bytes */
    const float *params;          /* NULL: no epoch has ended yet */
    size_t history_rows, batches_rows;
    bool point_written;
    double state_written; /* seconds */
    bool state_refused;   /* the last one could not be written */
    double epoch_seconds;
    int64_t epoch_pictures;
} train_report;

/* Fills in the callbacks; the report outlives the training. Of a training that goes on, the rows that belong to the
 * state are taken from the two files first: ERR_INPUT when they are not there any more. A table that goes to no plain
 * file (/dev/null) begins anew. train_report_free also after a failure. */
int train_report_start(train_report *r, const train_setup *s, trainer_report *callbacks, error *e);
void train_report_free(train_report *r);

/* Ends an interrupted training: writes the state of the last whole epoch, if that is not done yet, and fails with the
 * line that says how to go on. */
int train_report_stop(train_report *r, error *e);

#endif
