/* train_report.h - what a training shows and leaves behind: progress, the table of epochs, the history and
 * batches files, a checkpoint after each phase.
 *
 * Part of the front (train_main.h): it prints. The two text files are written anew, whole, after each epoch,
 * so what is on disk is always complete rows.
 */
#ifndef ONEBOX_NN_TRAIN_REPORT_H
#define ONEBOX_NN_TRAIN_REPORT_H

#include "base/program.h"
#include "base/progress.h"
#include "nn/checkpoint.h"
#include "nn/trainer.h"

typedef struct train_report {
    const program *program; /* for notes on standard error */
    const recipe *recipe;
    const graph *graph;
    checkpoint_info info; /* phase and metrics are filled in here */
    const char *output;   /* the last phase's checkpoint */
    const char *history_path, *batches_path;

    progress progress;
    text_buffer history, batches;
    double phase_start; /* seconds */
    double epoch_seconds;
    int64_t epoch_pictures;
} train_report;

/* Where the checkpoint after phase `number` of `phases` goes: the last one to `output`, the others beside it
 * with the number before ".ckpt" (detn.ckpt: detn.0.ckpt, detn.1.ckpt). Without that ending it is put behind.
 * The caller frees the result; NULL with e set when memory is refused. */
char *train_checkpoint_path(const char *output, int number, int phases, error *e);

/* `output` with ".ckpt" replaced by `ending` (or `ending` behind it). The caller frees it. */
char *train_sibling(const char *output, const char *ending, error *e);

/* Fills in the callbacks. All fields above `progress` are set; the report outlives the training. */
void train_report_start(train_report *r, trainer_report *callbacks);
void train_report_free(train_report *r);

#endif
