/* train_options.h - the command line of the three trainings: what can be asked for, and what goes together. */
#ifndef ONEBOX_FRONT_TRAIN_OPTIONS_H
#define ONEBOX_FRONT_TRAIN_OPTIONS_H

#include "base/program.h"
#include "graph/resnet.h"

typedef struct train_options {
    const char *cache, *lrg, *bb, *anno, *val;
    const char *weights, *init;
    const char *recipe, *arch, *size, *seed, *precision;
    option_list set;
    int64_t epochs, threads;
    bool bn_freeze, summary_noise;
    const char *device, *conv;
    const char *output, *history, *batches;
    bool resume, fresh;
    double state_every;
    const char *lr_find, *phase, *lr_start;
    double lr_end;
    const char *until;
    bool summary, print_recipe, help_recipe;
    int64_t classes;
} train_options;

enum { TRAIN_OPTIONS_MAX = 40 };

/* Fills `table`, ended by an empty row, for one task: train-bbox has no --lrg, train-cls no --bb, and train-objects
 * has --anno in place of both. The values of `o` are set beforehand: they are the defaults. */
void train_options_table(train_options *o, task t, option table[TRAIN_OPTIONS_MAX]);

/* ERR_USAGE when an option is missing or two exclude each other. */
int train_options_check(const train_options *o, task t, error *e);

#endif
