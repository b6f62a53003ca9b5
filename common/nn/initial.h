/* initial.h - first values of a network's parameters.
 *
 * Every parameter draws from its own philox stream (seed, PURPOSE_INIT, parameter number), in the order of
 * its elements, so a value depends on nothing but the seed, the network and its place.
 */
#ifndef ONEBOX_NN_INITIAL_H
#define ONEBOX_NN_INITIAL_H

#include "graph/resnet.h"

/* A flat parameter array for g, aligned and zeroed; free() it. NULL with e set when memory is refused. */
float *params_alloc(const graph *g, error *e);

/* The head of `t`. The default head (TASK_CLS): linear weights normal(0, sqrt(2 / fan_in)), biases 0. The
 * other heads: linear weights and biases uniform(-1/sqrt(fan_in), 1/sqrt(fan_in)). All head batch norms:
 * weight uniform(0,1), bias 0, running mean 0, running variance 1 (PyTorch 0.3). TASK_OBJECTS: convolutions
 * normal with std sqrt(2 / fan_in) in front of a batch norm, sqrt(1 / fan_in) with a bias, 0.01 for the last one;
 * biases 0, but those of the last one's scores -log 99, a score of 0.01, since most cells see nothing (Lin et al. 2017,
 * arXiv 1708.02002, section 4.1); batch norms' weights 1. */
void initial_head(const graph *g, task t, uint64_t seed, float *params);

/* The backbone from nothing: convolutions kaiming normal, fan_out (std sqrt(2 / (channels out * kernel^2)));
 * batch norms weight 1, bias 0, running mean 0, running variance 1. */
void initial_backbone(const graph *g, uint64_t seed, float *params);

#endif
