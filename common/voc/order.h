/* order.h - the order of the CSV rows, and which of them validate. */
#ifndef ONEBOX_VOC_ORDER_H
#define ONEBOX_VOC_ORDER_H

#include "base/error.h"

#include <stdint.h>

/* When a set's table grows: CPython 3.6 keeps it while fill * 3 < mask * 2, 3.7 and later while
 * fill * 5 < mask * 3. The reference run used 3.6. */
typedef enum set_rule { SET_RULE_36, SET_RULE_37 } set_rule;

/* The order in which CPython iterates over {id for id in ids}: the slots of its hash table
 * (Objects/setobject.c: open addressing, hash(id) = id, up to nine neighbouring slots looked at before the
 * perturbed step 5 i + 1 + perturb; growth to the smallest power of two above 4 * fill, or 2 * fill above
 * 50000). `ids` are distinct, from 0 to 2^53, in the order of insertion; position[k] becomes the index into
 * `ids` of the k-th id of the iteration. */
int set_order(const int64_t *ids, size_t count, set_rule rule, uint32_t *position, error *e);

/* Ascending ids. */
int id_order(const int64_t *ids, size_t count, uint32_t *position, error *e);

/* Which rows validate: the first trunc(share * count) entries of numpy's np.random.seed(seed);
 * np.random.permutation(count). is_val[row] is set to 0 or 1; *chosen is their number. */
int split_rows(size_t count, double share, uint32_t seed, unsigned char *is_val, size_t *chosen, error *e);

#endif
