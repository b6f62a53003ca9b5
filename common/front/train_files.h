/* train_files.h - the names of the files that a training writes.
 *
 * --output names the checkpoint after the last phase. Everything else stands beside it, with ".ckpt" replaced, or
 * with the ending put behind a name that has no ".ckpt": detn.ckpt goes with detn.0.ckpt, detn.1.ckpt (after the
 * earlier phases), detn.history.tsv, detn.batches.tsv and detn.state.
 */
#ifndef ONEBOX_FRONT_TRAIN_FILES_H
#define ONEBOX_FRONT_TRAIN_FILES_H

#include "front/train_options.h"
#include "nn/recipe.h"

typedef struct train_files {
    char *checkpoints[RECIPE_PHASES]; /* after each phase */
    int phases;
    char *history, *batches, *state;
} train_files;

/* Makes the names for a training of r's phases. train_files_free also after a failure. */
int train_files_name(train_files *f, const train_options *o, const recipe *r, error *e);
void train_files_free(train_files *f);

/* ERR_USAGE when two of the files are one, or when one of them is an input of `o`. */
int train_files_check(const train_files *f, const train_options *o, error *e);

/* ERR_SYSTEM when one of them cannot be written: that is found out before the first step, not after half an hour. */
int train_files_try(const train_files *f, error *e);

#endif
