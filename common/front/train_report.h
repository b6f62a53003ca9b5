/* train_report.h - what a training shows and leaves behind: progress, the table of epochs, the history and
 * batches files, a checkpoint after each phase.
 *
 * Part of the front (train_main.h): it prints. The two text files are written anew, whole, after each epoch,
 * so what is on disk is always complete rows. The state (train_state.h) is written after an epoch when
 * state_every seconds have passed since the start or the last time; when it cannot be written, a remark says so and
 * the training goes on and tries again.
 */
#ifndef ONEBOX_FRONT_TRAIN_REPORT_H
#define ONEBOX_FRONT_TRAIN_REPORT_H

#include "base/program.h"
#include "base/progress.h"
#include "front/train_files.h"
#include "nn/checkpoint.h"
#include "nn/train_state.h"
#include "nn/trainer.h"

typedef struct train_report {
    const program *program; /* for notes on standard error */
    const recipe *recipe;
    const graph *graph;
    checkpoint_info info; /* phase and metrics are filled in here */
    const train_files *files;
    train_state state; /* facts and device; the rest is filled in here */
    double state_every;

    progress progress;
    text_buffer history, batches; /* rows so far */
    double phase_start;           /* seconds */
    int64_t phase_first;          /* the first batch that this run does of the phase */
    bool header_shown;            /* of the phase's table */
    double state_written;         /* seconds */
    bool state_refused;           /* the last one could not be written */
    double epoch_seconds;
    int64_t epoch_pictures;
} train_report;

/* Of a training that goes on from r->state: takes the rows that belong to it from the two files. ERR_INPUT when they
 * are not there any more. A table that goes to no plain file (/dev/null) begins anew. */
int train_report_resume(train_report *r, error *e);

/* Fills in the callbacks. All fields above `progress` are set; the report outlives the training. */
void train_report_start(train_report *r, trainer_report *callbacks);
void train_report_free(train_report *r);

#endif
