/* idmap.h - a map from numbers (image and category ids) to indices. */
#ifndef ONEBOX_VOC_IDMAP_H
#define ONEBOX_VOC_IDMAP_H

#include "base/error.h"

#include <stdint.h>

#define IDMAP_NONE UINT32_MAX

typedef struct idmap {
    struct idmap_slot *slots;
    size_t slot_count, count;
} idmap; /* zero-initialise */

/* Maps id to index (below IDMAP_NONE) unless it is mapped already; *was is the index it had, or IDMAP_NONE.
 * Returns 0 or a code. */
int idmap_add(idmap *m, int64_t id, uint32_t index, uint32_t *was, error *e);

/* The index of id, or IDMAP_NONE. */
uint32_t idmap_find(const idmap *m, int64_t id);

void idmap_free(idmap *m);

#endif
