/* train_setup.h - what a training works with, read and checked before the first step: recipe, labels, cache, first
 * weights, names of the outputs, device, and the state of an interrupted training.
 *
 * Part of the front (train_main.h): it prints notes.
 */
#ifndef ONEBOX_FRONT_TRAIN_SETUP_H
#define ONEBOX_FRONT_TRAIN_SETUP_H

#include "base/program.h"
#include "front/train_options.h"
#include "nn/checkpoint.h"
#include "nn/dataset.h"
#include "nn/train_state.h"

/* The names of the files that a training writes. --output names the checkpoint after the last phase. Everything else
 * stands beside it, with ".ckpt" replaced, or with the ending put behind a name that has no ".ckpt": detn.ckpt goes
 * with detn.0.ckpt, detn.1.ckpt (after the earlier phases), detn.history.tsv, detn.batches.tsv and detn.state. */
typedef struct train_files {
    char *checkpoints[RECIPE_PHASES]; /* after each phase */
    char *history, *batches, *state;
} train_files;

typedef struct train_setup {
    const program *program;
    task task;
    const train_options *o;
    int threads;
    recipe recipe;
    text_buffer recipe_text;
    labels labels;
    cache *cache;
    dataset data;
    graph graph;
    float *params;
    char parent[65]; /* SHA-256 of the file the weights came from */
    char seed[24];
    uint64_t draws; /* seed of shuffling, augmentation and dropout */
    char draws_text[24], labels_sha256[65];
    train_files files;
    device *device;
    train_state state;     /* its facts */
    train_state_file past; /* what is taken up again */
    bool resumed;
} train_setup;

/* The recipe with the options that change it, and its canonical text. Without --recipe (--summary needs none): the
 * defaults, and a phase that trains the head. */
int train_setup_recipe(train_setup *s, error *e);

/* Number of the phase that option --which names; the first one when `name` is NULL. ERR_USAGE when there is none. */
int train_setup_phase(const train_setup *s, const char *which, const char *name, int *number, error *e);

/* Everything but the state. Nothing is written; ERR_SYSTEM when an output cannot be, ERR_USAGE when two of the files
 * are one. The first four fields are set beforehand. */
int train_setup_open(train_setup *s, error *e);

/* What tells this training from others, and the state of one that was interrupted: parameters, moments and place are
 * then those of the state. Without that file, with --fresh, and (but for --resume) when the state is another
 * training's, the training starts anew. A damaged state is ERR_INPUT. */
int train_setup_resume(train_setup *s, error *e);

/* A trainer over all this; its report is empty. */
trainer train_setup_trainer(train_setup *s);

void train_setup_free(train_setup *s);

#endif
