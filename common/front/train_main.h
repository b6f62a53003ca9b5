/* train_main.h - the front that train-cls, train-bbox and train-detn share: options, checks, messages.
 *
 * Like base/program.h this is one of the few places of the library that print: the table of epochs goes to
 * standard output, everything else to standard error.
 */
#ifndef ONEBOX_FRONT_TRAIN_MAIN_H
#define ONEBOX_FRONT_TRAIN_MAIN_H

#include "graph/resnet.h"

/* What differs between the three programs; the texts are those of struct program. */
typedef struct train_program {
    task task;
    const char *name, *summary, *usage, *details, *examples;
} train_program;

/* The whole program: returns the exit code. Nothing is written before all inputs have been checked. */
int train_main(const train_program *p, int argc, char **argv);

#endif
