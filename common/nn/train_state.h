/* train_state.h - where a training stands, in a file (detn.state), so that it can go on.
 *
 * A safetensors file of float32: the parameters under their own names, Adam's moments of those that the phase
 * trains as NAME.first and NAME.second, and where epochs have been averaged (recipe.h) the mean of all parameters
 * so far as NAME.mean. String metadata:
 *
 *   format    "onebox state 2"
 *   point     "PHASE EPOCH": the next epoch to run, number of the phase and epoch in it, from 0
 *   smoothed  "AVERAGE COUNT" of the running loss (loss.h)
 *   history, batches   "BYTES SHA256" of the rows written so far to the two tables (history.h), which are in
 *             the tables' own files: those rows must still be at the front of them
 *   device    what computed it
 *   xxh64     checksum of all numbers (safetensors.h)
 * and the facts: texts that tell one training from another, under their names.
 */
#ifndef ONEBOX_NN_TRAIN_STATE_H
#define ONEBOX_NN_TRAIN_STATE_H

#include "nn/trainer.h"
#include "weights/safetensors.h"

enum { TRAIN_FACTS = 8 };

typedef struct train_fact {
    const char *name, *value; /* a name is a plain noun, it stands in messages */
} train_fact;

/* The rows of a table at the time of a state: bytes behind the header line, and their SHA-256. */
typedef struct train_rows {
    size_t bytes;
    char sha256[65];
} train_rows;
train_rows train_rows_of(const char *rows, size_t bytes);

/* True when rows[0..size) begins with those rows. */
bool train_rows_begin(const train_rows *r, const char *rows, size_t size);

typedef struct train_state {
    train_fact facts[TRAIN_FACTS];
    int fact_count;
    const char *differs; /* the fact that was another one in a state that was refused; else NULL */
    const char *device;
    train_rows history, batches;
    trainer_point point;
} train_state;

/* Writes `path`, complete or not at all. params, point.first and point.second: flat arrays of g. */
int train_state_save(const char *path, const train_state *s, const graph *g, const recipe *r, const float *params,
                     error *e);

/* A state that was read; its texts and moments live until train_state_close. */
typedef struct train_state_file {
    safetensors file;
    float *first, *second, *mean;
} train_state_file;

/* Reads `path` into *s, whose facts are filled in beforehand, and the parameters into `params`. ERR_INPUT: a
 * damaged file; a tensor that the network does not have or that is missing; a fact that is another one there
 * (s->differs and the line name it; params are untouched); a point that recipe r does not have. On failure nothing
 * needs closing, and otherwise params are undefined. */
int train_state_open(train_state_file *f, const char *path, train_state *s, const graph *g, const recipe *r,
                     float *params, error *e);
void train_state_close(train_state_file *f);

#endif
