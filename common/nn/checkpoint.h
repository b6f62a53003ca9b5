/* checkpoint.h - a trained network in one safetensors file: torchvision's tensor names for the backbone,
 * head.N.* for the head (resnet.h), float32, running statistics included, and string metadata:
 *
 *   format    "onebox 1"                    task      cls, bbox or detn
 *   arch      resnet34                      size      224 (side of the square input)
 *   classes   names, one a line, in the order of the outputs; empty for bbox
 *   mean,std  three numbers each            recipe    canonical text (recipe.h)
 *   parent    SHA-256 of the file the backbone came from; empty: from nothing
 *   version   of the program                conv      what computed the convolutions
 *   phase     after which it was written    seed      of the training
 *   metrics   "val_loss 0.6342 accuracy 0.798"
 *   xxh64     checksum of all numbers (safetensors.h); what was damaged since is refused. Files without it, of
 *             earlier versions, are read
 */
#ifndef ONEBOX_NN_CHECKPOINT_H
#define ONEBOX_NN_CHECKPOINT_H

#include "graph/resnet.h"

/* What a checkpoint says about itself. Texts are owned by whoever fills it in; after checkpoint_open by the
 * checkpoint. NULL texts are written as empty ones. */
typedef struct checkpoint_info {
    task task;
    arch arch;
    int size;
    int class_count;
    const char *const *classes; /* class_count names; NULL for TASK_BBOX */
    float mean[3], std[3];
    const char *recipe;
    const char *parent;
    const char *version;
    const char *conv;
    const char *phase;
    const char *seed;
    const char *metrics;
} checkpoint_info;

typedef struct checkpoint {
    checkpoint_info info;
    graph graph;
    float *params; /* flat array of graph */
    bool sealed;   /* its numbers are those of its checksum; false: it has none */
    char *texts;   /* storage behind info's texts */
    const char **names;
} checkpoint;

/* Reads, rebuilds the network and checks that every tensor is there with its shape and none is unknown.
 * ERR_INPUT names the file and what does not fit. checkpoint_close frees it all. */
int checkpoint_open(checkpoint *c, const char *path, error *e);
void checkpoint_close(checkpoint *c);

/* Writes graph g's parameters with what `info` says. Equal input gives equal bytes. */
int checkpoint_save(const char *path, const checkpoint_info *info, const graph *g, const float *params, error *e);

/* ERR_INPUT when the checkpoint (opened from `path`) is of another task or has other classes than
 * names[0..count). Pass count 0 to compare the task alone. */
int checkpoint_expect(const checkpoint *c, const char *path, task t, const char *const *names, int count, error *e);

/* Fills the backbone's parameters (GROUP_STEM and GROUP_TOP) of g from `path`: a torchvision file (fc.* and
 * num_batches_tracked are passed over) or any of our checkpoints of the same arch (head.* passed over). The
 * head is untouched. Missing, unknown or wrongly shaped tensors are ERR_INPUT. sha256: of the file, 65
 * bytes. */
int backbone_load(const graph *g, arch a, const char *path, float *params, char sha256[65], error *e);

#endif
