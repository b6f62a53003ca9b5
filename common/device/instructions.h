/* instructions.h - which kernels the CPU device has for which instruction set. Private to common/device.
 *
 * Every kernel is compiled for several instruction sets (vector.h says how), and this is the one place that knows
 * which of them there are. Another instruction set is another line of the table in instructions.c, and another
 * kernel another member here.
 */
#ifndef ONEBOX_DEVICE_INSTRUCTIONS_H
#define ONEBOX_DEVICE_INSTRUCTIONS_H

#include "device/cpu_kernels.h"
#include "device/matmul.h"
#include "device/strided_kernels.h"

typedef struct instructions {
    const char *name;                    /* "sse2", "avx2", "avx512", "avx512 bf16", "neon", "neon bf16" */
    const cpu_kernels *flat;             /* everything that is fp32 */
    const cpu_kernels *bf16;             /* blocked tensors in bf16; NULL: this instruction set has no bf16 */
    const winograd_kernels *winograd[3]; /* by winograd_numbers; NULL: none */
    const strided_kernels *strided;      /* NULL: none */
    matmul_function *matmul;
    const struct direct_kernels *direct[2]; /* fp32; bf16, or NULL */
} instructions;

/* The best one that this processor has and that `limit` allows: an upper bound by name ("avx2"), or NULL for none.
 * Names of other processors' instructions are no bound. */
const instructions *instructions_choose(const char *limit);

/* Whether this processor has tiles for products of matrices in bf16 (AMX_BF16), for which there are no kernels here. */
bool instructions_have_amx(void);

#endif
