#include "gemm.h"

#include <string.h>

enum { ROWS = 4, WIDTH = 8, CHUNK = 256 };

typedef float vector __attribute__((vector_size(WIDTH * sizeof(float)), aligned(sizeof(float))));

/* Rows 0 to ROWS-1, columns 0 to WIDTH-1. */
static inline void tile(size_t p, const float *a, size_t row_step, size_t column_step, const float *b, size_t n,
                        float *c)
{
    vector sum[ROWS] = {0};
    for (size_t i = 0; i < p; i++) {
        vector x;
        memcpy(&x, b + i * n, sizeof x);
        for (size_t r = 0; r < ROWS; r++)
            sum[r] += a[r * row_step + i * column_step] * x;
    }
    for (size_t r = 0; r < ROWS; r++) {
        vector y;
        memcpy(&y, c + r * n, sizeof y);
        y += sum[r];
        memcpy(c + r * n, &y, sizeof y);
    }
}

static void edge(size_t rows, size_t columns, size_t p, const float *a, size_t row_step, size_t column_step,
                 const float *b, size_t n, float *c)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < columns; k++) {
            float sum = 0;
            for (size_t i = 0; i < p; i++)
                sum += a[r * row_step + i * column_step] * b[i * n + k];
            c[r * n + k] += sum;
        }
}

void gemm(size_t m, size_t n, size_t p, const float *a, size_t row_step, size_t column_step, const float *b, float *c)
{
    memset(c, 0, m * n * sizeof *c);
    for (size_t start = 0; start < p; start += CHUNK) {
        size_t count = p - start < CHUNK ? p - start : CHUNK;
        const float *from = a + start * column_step, *with = b + start * n;
        for (size_t i = 0; i < m; i += ROWS) {
            size_t rows = m - i < ROWS ? m - i : ROWS, k = 0;
            if (rows == ROWS)
                for (; k + WIDTH <= n; k += WIDTH)
                    tile(count, from + i * row_step, row_step, column_step, with + k, n, c + i * n + k);
            edge(rows, n - k, count, from + i * row_step, row_step, column_step, with + k, n, c + i * n + k);
        }
    }
}
