/* instruction_sets.h - for tests of kernels: the instruction sets that can run here. */
#ifndef ONEBOX_TEST_INSTRUCTION_SETS_H
#define ONEBOX_TEST_INSTRUCTION_SETS_H

#include "device/instructions.h"

#include <string.h>

enum { MOST_SETS = 6 };

/* Fills sets with what this processor has of all instruction sets, and returns how many these are. */
static inline int instruction_sets(const instructions *sets[MOST_SETS])
{
    static const char *const names[MOST_SETS] = {"sse2", "avx2", "avx512", "avx512 bf16", "neon", "neon bf16"};
    int count = 0;
    for (int i = 0; i < MOST_SETS; i++) {
        const instructions *on = instructions_choose(names[i]);
        if (strcmp(on->name, names[i]) == 0)
            sets[count++] = on;
    }
    return count;
}

#endif
