#include "voc/idmap.h"

#include <stdlib.h>

struct idmap_slot {
    int64_t id;
    uint32_t index; /* IDMAP_NONE: unused */
};

static size_t find_slot(const idmap *m, int64_t id)
{
    size_t mask = m->slot_count - 1;
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u; /* Fibonacci hashing (Knuth, TAOCP 3, 6.4) */
    size_t i = (size_t)(h ^ h >> 32) & mask;
    while (m->slots[i].index != IDMAP_NONE && m->slots[i].id != id)
        i = (i + 1) & mask;
    return i;
}

static int grow_map(idmap *m, error *e)
{
    idmap next = {.slot_count = m->slot_count ? m->slot_count * 2 : 64, .count = m->count};
    next.slots = mem_zero(next.slot_count, sizeof *next.slots, "ids", e);
    if (!next.slots)
        return ERR_SYSTEM;
    for (size_t i = 0; i < next.slot_count; i++)
        next.slots[i].index = IDMAP_NONE;
    for (size_t i = 0; i < m->slot_count; i++)
        if (m->slots[i].index != IDMAP_NONE)
            next.slots[find_slot(&next, m->slots[i].id)] = m->slots[i];
    free(m->slots);
    *m = next;
    return 0;
}

int idmap_add(idmap *m, int64_t id, uint32_t index, uint32_t *was, error *e)
{
    if ((m->count + 1) * 3 > m->slot_count * 2 && grow_map(m, e))
        return ERR_SYSTEM;
    struct idmap_slot *slot = &m->slots[find_slot(m, id)];
    *was = slot->index;
    if (slot->index == IDMAP_NONE) {
        *slot = (struct idmap_slot){id, index};
        m->count++;
    }
    return 0;
}

uint32_t idmap_find(const idmap *m, int64_t id)
{
    return m->slot_count ? m->slots[find_slot(m, id)].index : IDMAP_NONE;
}

void idmap_free(idmap *m)
{
    free(m->slots);
    *m = (idmap){0};
}
