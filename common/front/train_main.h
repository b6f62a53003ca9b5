/* train_main.h - the front that train-cls, train-bbox and train-detn share: options, checks, messages.
 *
 * Like base/program.h this is one of the few places of the library that print: the table of epochs goes to
 * standard output, everything else to standard error.
 */
#ifndef ONEBOX_FRONT_TRAIN_MAIN_H
#define ONEBOX_FRONT_TRAIN_MAIN_H

#include "graph/resnet.h"

/* What --help says of all three beside the loss. */
#define TRAIN_DETAILS(loss)                                                                                            \
    "The network is a ResNet with a new head. The recipe says which layers train in which phase, at which\n"           \
    "rate; each phase starts a new optimiser (Adam).\n" loss "\n"                                                      \
    "Loss and metrics of the validation pictures are printed after each epoch.\n"                                      \
    "Same inputs, seed and threads: the same bytes.\n"

/* Their examples: the program's task ("cls"), its options for labels, and what --summary needs beside. */
#define TRAIN_EXAMPLES(task, labels, summary)                                                                          \
    "  train-" task " --cache out/224.cache " labels " --val out/val.txt \\\n"                                         \
    "      --weights resnet34.safetensors --recipe recipes/" task ".recipe -o out/" task ".ckpt\n"                     \
    "  # another rate, less of everything, from nothing\n"                                                             \
    "  train-" task " --cache out/224.cache " labels " --val out/val.txt \\\n"                                         \
    "      --weights none --arch tiny --epochs 1 --recipe recipes/" task ".recipe \\\n"                                \
    "      --set phase.head.lr=1e-3 -o try.ckpt\n"                                                                     \
    "  # the curve that helps to choose the first rate\n"                                                              \
    "  train-" task " --cache out/224.cache " labels " --val out/val.txt \\\n"                                         \
    "      --weights resnet34.safetensors --recipe recipes/" task ".recipe --lr-find lr.tsv\n"                         \
    "  # the network's modules\n"                                                                                      \
    "  train-" task " --summary" summary "\n"

/* What differs between the three programs; the texts are those of struct program. */
typedef struct train_program {
    task task;
    const char *name, *summary, *usage, *details, *examples;
} train_program;

/* The whole program: returns the exit code. Nothing is written before all inputs have been checked. */
int train_main(const train_program *p, int argc, char **argv);

#endif
