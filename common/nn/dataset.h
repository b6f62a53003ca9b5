/* dataset.h - the pictures and targets of a training: rows of the label files joined with the cache.
 *
 * A dataset has two sets, the rows that train (augmented) and those that validate (as they are), each in the
 * order of the label file. dataset_make is the loader's function for both. Nothing of the cache is copied.
 */
#ifndef ONEBOX_NN_DATASET_H
#define ONEBOX_NN_DATASET_H

#include "base/error.h"
#include "image/augment.h"
#include "image/cache.h"
#include "image/sample.h"
#include "voc/labels.h"

/* One of the two sets: the loader's context. */
typedef struct dataset_part {
    const struct dataset *set;
    uint32_t *rows; /* of the label file */
    size_t count;
    bool augmented;
    struct dataset_scratch *scratch; /* one per worker */
} dataset_part;

typedef struct dataset {
    const cache *cache;
    const labels *labels;
    augment_list augments;
    uint64_t seed;
    size_t *cache_rows; /* of each row of the label file */
    size_t left_out;    /* rows whose pictures resize-cache left out: they are in neither set */
    int workers;
    int target_floats; /* 4 for a box; with all objects as objects_target_floats (nn/objects.h) says */
    dataset_part train, val;
} dataset; /* zero-initialise */

/* Finds each label's picture in the cache. Cache and labels must outlive the dataset. `size` is the side of the
 * network's input and must be that of the cache (`cache_path` is for messages); `workers` as loader_workers says.
 * ERR_INPUT when pictures of the label file are not in the cache (how many, and the first three) and were not left out
 * of it (cache_left_out), or when a box lies wholly outside its picture. dataset_free also after a failure. */
int dataset_open(dataset *d, const cache *c, const char *cache_path, const labels *l, int size,
                 const augment_list *augments, uint64_t seed, int workers, error *e);
void dataset_free(dataset *d);

/* With all objects, those of which less than this share of their area is left in the sample are to be ignored. */
#define DATASET_LEAST_LEFT 0.4

/* In how many forms a sample of the part can be seen: 1 without augmentations, 2 when it may be mirrored and nothing
 * else, 0 when each epoch may show another one. */
int dataset_forms(const dataset_part *part);

/* Which of its forms a sample has in an epoch: 1 is the mirrored one. */
int dataset_form(void *part, uint32_t sample, uint32_t epoch);

/* The picture's name. */
const char *dataset_name(void *part, uint32_t sample);

/* loader_make with a dataset_part as context. Without classes the label is 0, without boxes the target is zeros.
 * `picture` may be NULL. ERR_INPUT when the picture's pixels in the cache are damaged. */
int dataset_make(void *part, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label, float *target,
                 error *e);

/* The same for every form of every sample: number sample * forms + form, whatever the epoch. */
int dataset_make_form(void *part, uint32_t number, uint32_t epoch, int worker, float *picture, int32_t *label,
                      float *target, error *e);

#endif
