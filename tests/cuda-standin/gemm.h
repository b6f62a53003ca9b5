/* gemm.h - matrix products of the stand-in. */
#ifndef ONEBOX_STANDIN_GEMM_H
#define ONEBOX_STANDIN_GEMM_H

#include <stddef.h>

/* c[m][n] (rows of n, overwritten) = sum over p of a(m, p) * b[p][n], in float: a(m, p) is
 * a[m * row_step + p * column_step], b has rows of n. Sums of 256 products each are added up, which keeps
 * long sums exact enough. */
void gemm(size_t m, size_t n, size_t p, const float *a, size_t row_step, size_t column_step, const float *b, float *c);

#endif
