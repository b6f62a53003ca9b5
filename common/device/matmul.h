/* matmul.h - products of matrices in fp32: the linear layers of the heads. Private to common/device.
 *
 * Compiled once for each instruction set from matmul_body.h; instructions.h picks one by processor.
 */
#ifndef ONEBOX_DEVICE_MATMUL_H
#define ONEBOX_DEVICE_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

/* C[m][n] = A[m][k] B[k][n], or C += with `accumulate`. All lie in rows without gaps; with transpose_a A lies as
 * [k][m], with transpose_b B as [n][k]. */
typedef struct matmul_shape {
    bool transpose_a, transpose_b;
    int m, n, k;
    bool accumulate;
} matmul_shape;

/* How products are cut: the largest task in rows and columns of C, and the rows of B that it copies at a time. */
enum { MATMUL_TASK_ROWS = 192, MATMUL_TASK_COLUMNS = 128, MATMUL_KEPT = 256 };

/* Floats of the work area (64-byte aligned). */
static inline size_t matmul_scratch_floats(int threads)
{
    return (size_t)threads * (MATMUL_KEPT + MATMUL_TASK_ROWS) * MATMUL_TASK_COLUMNS;
}

/* C overlaps neither A nor B. The result does not depend on the number of threads. */
typedef void matmul_function(const matmul_shape *s, const float *a, const float *b, float *c, float *scratch,
                             int threads);

extern matmul_function matmul_sse2, matmul_avx2, matmul_avx512, matmul_neon;

#endif
