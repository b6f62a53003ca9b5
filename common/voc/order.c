#include "voc/order.h"

#include "base/random.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- CPython's set */

enum { PROBES = 9, PERTURB_SHIFT = 5 };

typedef struct set_table {
    int64_t *keys;
    uint32_t *index; /* into ids; UINT32_MAX: the slot is empty */
    size_t mask, fill;
} set_table;

static int table_make(set_table *t, size_t size, error *e)
{
    *t = (set_table){.mask = size - 1};
    t->keys = mem_zero(size, sizeof *t->keys, "the set", e);
    t->index = mem_zero(size, sizeof *t->index, "the set", e);
    if (!t->keys || !t->index) {
        free(t->keys);
        free(t->index);
        *t = (set_table){0};
        return ERR_SYSTEM;
    }
    memset(t->index, 0xff, size * sizeof *t->index);
    return 0;
}

static void table_free(set_table *t)
{
    free(t->keys);
    free(t->index);
}

/* The slot for a key that is not in the table. */
static size_t empty_slot(const set_table *t, int64_t key)
{
    uint64_t perturb = (uint64_t)key;
    size_t i = (size_t)key & t->mask;
    for (;;) {
        size_t last = i + PROBES <= t->mask ? i + PROBES : i;
        for (size_t slot = i; slot <= last; slot++)
            if (t->index[slot] == UINT32_MAX)
                return slot;
        perturb >>= PERTURB_SHIFT;
        i = (size_t)(5 * (uint64_t)i + 1 + perturb) & t->mask;
    }
}

static void table_put(set_table *t, int64_t key, uint32_t index)
{
    size_t slot = empty_slot(t, key);
    t->keys[slot] = key;
    t->index[slot] = index;
    t->fill++;
}

static int grow_table(set_table *t, error *e)
{
    size_t least = t->fill > 50000 ? t->fill * 2 : t->fill * 4, size = 8;
    while (size <= least)
        size *= 2;
    set_table next;
    if (table_make(&next, size, e))
        return ERR_SYSTEM;
    for (size_t slot = 0; slot <= t->mask; slot++)
        if (t->index[slot] != UINT32_MAX)
            table_put(&next, t->keys[slot], t->index[slot]);
    table_free(t);
    *t = next;
    return 0;
}

int set_order(const int64_t *ids, size_t count, set_rule rule, uint32_t *position, error *e)
{
    set_table t;
    int code = table_make(&t, 8, e);
    for (size_t i = 0; i < count && !code; i++) {
        table_put(&t, ids[i], (uint32_t)i);
        bool keep = rule == SET_RULE_36 ? t.fill * 3 < t.mask * 2 : t.fill * 5 < t.mask * 3;
        if (!keep)
            code = grow_table(&t, e);
    }
    if (code) {
        table_free(&t);
        return code;
    }
    size_t n = 0;
    for (size_t slot = 0; slot <= t.mask; slot++)
        if (t.index[slot] != UINT32_MAX)
            position[n++] = t.index[slot];
    table_free(&t);
    return 0;
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
