/* features.h - what the frozen groups of a network make of pictures, kept over the epochs of a phase.
 *
 * The caller numbers the rows, one for each picture. What is kept gives the bits of a whole pass (plan_features of
 * device.h).
 */
#ifndef ONEBOX_NN_FEATURES_H
#define ONEBOX_NN_FEATURES_H

#include "device/device.h"

typedef struct features {
    int first_group; /* the first that is not frozen */
    size_t floats;   /* of a row */
    float *kept;     /* rows x floats; NULL: nothing is kept */
    size_t filled;   /* so many rows are there, from the first on */
} features;          /* zero-initialise */

/* Room for so many rows of what lies in front of `first_group` in plan p. Nothing is kept, which is no error, when p is
 * NULL or cannot be cut there, or when it is more than `limit` bytes. What was kept before is freed. ERR_SYSTEM without
 * memory. */
int features_open(features *f, const plan *p, int first_group, size_t rows, double limit, error *e);
void features_free(features *f);

/* Makes the next `count` rows that are not there from a batch of pictures for p. Where count is less than p's batch,
 * there must be room for the rest all the same, among the pictures and the rows. */
int features_add(features *f, plan *p, const float *pictures, int count, error *e);

/* A row, and those behind it. */
const float *features_at(const features *f, size_t row);

/* Copies count rows, one after the other. */
void features_gather(const features *f, const size_t *rows, int count, float *to);

#endif
