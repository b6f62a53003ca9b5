#include "render/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int table_header(table *t, const char *line, size_t size, error *e)
{
    t->columns = text_split(line, size, '\t', t->names, TABLE_COLUMNS_MAX);
    if (t->columns > TABLE_COLUMNS_MAX)
        return fail(e, ERR_INPUT, "%s:1: %zu columns, at most %d are read", t->file.path, t->columns,
                    TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < t->columns; i++) {
        if (t->names[i].size == 0)
            return fail(e, ERR_INPUT, "%s:1: column %zu has no name", t->file.path, i + 1);
        for (size_t k = 0; k < i; k++)
            if (t->names[i].size == t->names[k].size &&
                memcmp(t->names[i].text, t->names[k].text, t->names[i].size) == 0)
                return fail(e, ERR_INPUT, "%s:1: column '%.*s' is there twice", t->file.path, text_shown(t->names[i]),
                            t->names[i].text);
    }
    return 0;
}

int table_read(table *t, const char *path, error *e)
{
    *t = (table){0};
    int code = file_open(&t->file, path, e);
    if (code)
        return code;
    text_lines lines = text_lines_of(t->file.data, t->file.size);
    const char *line;
    size_t size;
    if (!text_line(&lines, &line, &size))
        code = fail(e, ERR_INPUT, "%s: is empty, a table with a header line is needed", t->file.path);
    else
        code = table_header(t, line, size, e);
    while (!code && text_line(&lines, &line, &size)) {
        code = mem_grow(&t->cells, &t->capacity, (t->rows + 1) * t->columns, sizeof *t->cells, "a table", e);
        if (code)
            break;
        size_t n = text_split(line, size, '\t', t->cells + t->rows * t->columns, t->columns);
        if (n != t->columns)
            code =
                fail(e, ERR_INPUT, "%s:%zu: %zu fields, the header has %zu", t->file.path, lines.number, n, t->columns);
        t->rows++;
    }
    if (!code && t->rows == 0)
        code = fail(e, ERR_INPUT, "%s: holds no rows", t->file.path);
    if (code)
        table_free(t);
    return code;
}

void table_free(table *t)
{
    free(t->cells);
    file_close(&t->file);
    *t = (table){0};
}

int table_find(const table *t, const char *name)
{
    for (size_t i = 0; i < t->columns; i++)
        if (text_is(t->names[i], name))
            return (int)i;
    return -1;
}

text_field table_text(const table *t, size_t row, int column)
{
    return t->cells[row * t->columns + (size_t)column];
}

double *table_numbers(const table *t, const char *name, error *e)
{
    int column = table_find(t, name);
    if (column < 0) {
        fail(e, ERR_INPUT, "%s:1: has no column '%s'", t->file.path, name);
        return NULL;
    }
    double *values = mem_zero(t->rows, sizeof *values, "a column", e);
    for (size_t i = 0; values && i < t->rows; i++) {
        text_field field = table_text(t, i, column);
        if (text_is(field, "-") || text_is(field, "nan") || text_is(field, "inf") || text_is(field, "-inf"))
            values[i] = NAN;
        else if (!text_double(field.text, field.size, &values[i])) {
            fail(e, ERR_INPUT, "%s:%zu: %s '%.*s' is not a number", t->file.path, i + 2, name, text_shown(field),
                 field.text);
            free(values);
            return NULL;
        }
    }
    return values;
}
