/* resnet.h - the networks: a ResNet backbone (He et al., CVPR 2016; torchvision's tensor names and its
 * v1.5 bottleneck with the stride on the 3x3) without avgpool and fc, and one head per task.
 *
 * Heads are numbered like the modules of a torch.nn.Sequential, parameters are head.N.weight and so on:
 *   cls   0 concat pooling (max first), 1 flatten (no node of its own: the pooled result is flat),
 *         2 batch norm, 3 dropout 0.25, 4 linear 512, 5 relu, 6 batch norm, 7 dropout 0.5, 8 linear classes
 *   bbox  0 flatten, 1 linear 4
 *   detn  0 flatten, 1 relu, 2 dropout 0.5, 3 linear 256, 4 relu, 5 batch norm, 6 dropout 0.5,
 *         7 linear 4 + classes
 * The head of objects joins two scales, as a pyramid does (Lin et al. 2017, arXiv 1612.03144), to one map of
 * cells, OBJECTS_STRIDE pixels of the input wide, with C channels (192; 48 of tiny):
 *   lateral4, lateral3       1x1 convolutions with bias from layer4 and layer3 to C channels; the coarser map is
 *                            doubled in size (nearest) and added to the other; relu
 *   block0, block1, block2   each conv (3x3, C channels), bn, relu
 *   out                      1x1 convolution with bias to 4 + classes; flattened
 * The network's output is raw: log-softmax and the sigmoid of the boxes belong to the loss (loss.h).
 */
#ifndef ONEBOX_GRAPH_RESNET_H
#define ONEBOX_GRAPH_RESNET_H

#include "graph/graph.h"

typedef enum task { TASK_CLS, TASK_BBOX, TASK_DETN, TASK_OBJECTS, TASKS } task;

typedef enum arch {
    ARCH_TINY, /* BasicBlocks 1-1-1-1, widths 16, 32, 64, 128: demo and tests */
    ARCH_RESNET18,
    ARCH_RESNET34,
    ARCH_RESNET50,
    ARCHS
} arch;

/* Pixels of the input that a cell of the dense detector stands for, in height and width (nn/objects.h). */
enum { OBJECTS_STRIDE = 16 };

#define TASK_CHOICES "cls|bbox|detn|objects"
#define ARCH_CHOICES "tiny|resnet18|resnet34|resnet50"

const char *task_name(task t); /* "cls" */
const char *arch_name(arch a); /* "resnet34" */
bool task_parse(const char *name, task *t);
bool arch_parse(const char *name, arch *a);

/* What the network gives per picture, or per cell of TASK_OBJECTS: classes; 4; 4 + classes (box first). */
int task_outputs(task t, int classes);

/* ImageNet's mean and standard deviation of RGB in [0,1]. */
extern const float imagenet_mean[3], imagenet_std[3];

/* Builds the whole network into *g (graph_free it). `size` is a multiple of 32; `classes` is 1 or more except
 * for TASK_BBOX, where it is not used. `mean`, `std`: normalisation. Returns 0 or a code (ERR_USAGE for
 * impossible sizes). */
int network_build(graph *g, task t, arch a, int size, int classes, const float mean[3], const float std[3], error *e);

/* Appends the backbone behind node 0 and returns its last node (the final relu, 512 x size/32 x size/32 for
 * resnet34), or -1. Groups: conv1 to layer2 GROUP_STEM, layer3 and layer4 GROUP_TOP. layers: the last nodes of layer1
 * to layer4; may be NULL. */
int resnet_backbone(graph *g, arch a, int layers[4], error *e);

/* Learnable floats (weights and biases, no running statistics) of the groups first..last. */
size_t graph_learnable(const graph *g, int first_group, int last_group);

#endif
