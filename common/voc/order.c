#include "voc/order.h"

#include "base/random.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- CPython's set */

enum { PROBES = 9, PERTURB_SHIFT = 5 };

typedef struct set_table {
    const int64_t *ids;
    uint32_t *slots; /* index into ids + 1; 0: the slot is empty */
    size_t mask, fill;
} set_table;

/* Puts an id that is not in the table into the first empty slot of its walk. */
static void table_put(set_table *t, uint32_t index)
{
    uint64_t perturb = (uint64_t)t->ids[index];
    for (size_t i = (size_t)perturb & t->mask;;) {
        size_t last = i + PROBES <= t->mask ? i + PROBES : i;
        for (size_t slot = i; slot <= last; slot++)
            if (!t->slots[slot]) {
                t->slots[slot] = index + 1;
                t->fill++;
                return;
            }
        perturb >>= PERTURB_SHIFT;
        i = (size_t)(5 * (uint64_t)i + 1 + perturb) & t->mask;
    }
}

static int grow_table(set_table *t, error *e)
{
    size_t least = t->fill > 50000 ? t->fill * 2 : t->fill * 4, size = 8;
    while (size <= least)
        size *= 2;
    set_table next = {.ids = t->ids, .slots = mem_zero(size, sizeof *next.slots, "the set", e), .mask = size - 1};
    if (!next.slots)
        return ERR_SYSTEM;
    for (size_t slot = 0; slot <= t->mask; slot++)
        if (t->slots[slot])
            table_put(&next, t->slots[slot] - 1);
    free(t->slots);
    *t = next;
    return 0;
}

int set_order(const int64_t *ids, size_t count, set_rule rule, uint32_t *position, error *e)
{
    set_table t = {.ids = ids, .slots = mem_zero(8, sizeof *t.slots, "the set", e), .mask = 7};
    int code = t.slots ? 0 : ERR_SYSTEM;
    for (size_t i = 0; i < count && !code; i++) {
        table_put(&t, (uint32_t)i);
        bool keep = rule == SET_RULE_36 ? t.fill * 3 < t.mask * 2 : t.fill * 5 < t.mask * 3;
        if (!keep)
            code = grow_table(&t, e);
    }
    for (size_t slot = 0, n = 0; slot <= t.mask && !code; slot++)
        if (t.slots[slot])
            position[n++] = t.slots[slot] - 1;
    free(t.slots);
    return code;
}

/* ---------------------------------------------------------------- ascending ids */

static int by_id(const void *a, const void *b, void *context)
{
    const int64_t *ids = context;
    int64_t x = ids[*(const uint32_t *)a], y = ids[*(const uint32_t *)b];
    return (x > y) - (x < y);
}

int id_order(const int64_t *ids, size_t count, uint32_t *position, error *e)
{
    if (count >= UINT32_MAX)
        return fail(e, ERR_INPUT, "too many pictures");
    for (size_t i = 0; i < count; i++)
        position[i] = (uint32_t)i;
    if (count)
        qsort_r(position, count, sizeof *position, by_id, (void *)(uintptr_t)ids);
    return 0;
}

/* ---------------------------------------------------------------- the split */

int split_rows(size_t count, double share, uint32_t seed, unsigned char *is_val, size_t *chosen, error *e)
{
    mt19937 mt;
    uint32_t *permutation = mem_zero(count, sizeof *permutation, "the split", e);
    if (!permutation)
        return ERR_SYSTEM;
    mt19937_seed(&mt, seed);
    mt19937_permutation(&mt, permutation, count);
    double wanted = share * (double)count;
    *chosen = wanted <= 0 ? 0 : wanted >= (double)count ? count : (size_t)wanted;
    memset(is_val, 0, count);
    for (size_t i = 0; i < *chosen; i++)
        is_val[permutation[i]] = 1;
    free(permutation);
    return 0;
}
