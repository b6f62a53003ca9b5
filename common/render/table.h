/* table.h - any tab-separated table with a header line, its columns found by name: what plots are drawn from.
 */
#ifndef ONEBOX_RENDER_TABLE_H
#define ONEBOX_RENDER_TABLE_H

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <stdbool.h>

enum { TABLE_COLUMNS_MAX = 64 };

typedef struct table {
    file_view file;
    text_field names[TABLE_COLUMNS_MAX]; /* inside file, as the cells are */
    text_field *cells;                   /* rows x columns */
    size_t rows, columns, capacity;
} table;

/* Reads the file ("-": standard input). ERR_INPUT with file and line for an empty file, more than
 * TABLE_COLUMNS_MAX columns, a column name that is empty or there twice, a row with another number of fields
 * than the header, and a table without rows. On success the caller frees it with table_free. */
int table_read(table *t, const char *path, error *e);
void table_free(table *t);

/* Number of the column, or -1. */
int table_find(const table *t, const char *name);

/* The column's values, t->rows of them; "-", "nan", "inf" and "-inf" are NaN. The caller frees them. NULL
 * with ERR_INPUT when the column is not there or a field is none of this. */
double *table_numbers(const table *t, const char *name, error *e);

/* The field of a row (from 0); the column must be there. */
text_field table_text(const table *t, size_t row, int column);

#endif
