/* summary.h - the table of a network's modules, as fast.ai's learn.summary() lists them, without its side
 * effect; and that side effect alone, for redoing a run that had it.
 */
#ifndef ONEBOX_NN_SUMMARY_H
#define ONEBOX_NN_SUMMARY_H

#include "base/text.h"
#include "device/device.h"
#include "graph/resnet.h"

/* Appends a header and one line for each module that runs, containers left out, in the order in which they
 * end: a residual block stands behind its parts. Columns, blanks between:
 *
 *     module           input_shape       output_shape      trainable  nb_params
 *     Conv2d-1         [-1,3,224,224]    [-1,64,112,112]   False      9408
 *
 * module: PyTorch's name of the class and a running number; shapes: PyTorch's order, -1 stands for the batch;
 * trainable: True or False for modules with weights (those of groups >= first_group train), else '-';
 * nb_params: weights and biases, no running statistics. Pooling to the classifier's head counts as its two
 * pools, their concatenation and a Flatten, and its output goes through a LogSoftmax, as in the published
 * run. g is a network of task t (network_build). *modules gets their number. */
void summary_table(const graph *g, task t, int first_group, text_buffer *b, int *modules);

/* What fast.ai's summary() does to a fresh network: a batch of 3 pictures of uniform noise, [0, 1) after
 * normalisation, goes through it in training mode, so all running statistics of batch norms move by a tenth
 * towards those of noise. Changes them in params, and nothing else. The noise is philox (seed,
 * PURPOSE_NOISE). */
int summary_noise(device *d, const graph *g, uint64_t seed, float *params, error *e);

#endif
