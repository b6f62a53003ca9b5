/* csv.h - comma-separated values as in RFC 4180, both ways. */
#ifndef ONEBOX_VOC_CSV_H
#define ONEBOX_VOC_CSV_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct csv_reader {
    const char *path; /* for messages */
    const char *at, *end;
    size_t line; /* of the record last returned, from 1 */
    size_t next_line;
    text_buffer text; /* decoded fields, one behind the other */
    text_field fields[8];
    size_t count; /* of fields; more than 8 are an error */
} csv_reader;

/* Starts on a buffer that outlives the reader. A UTF-8 byte order mark is skipped. csv_end frees. */
csv_reader csv_start(const char *path, const char *data, size_t size);

/* The next record into r->fields (valid until the next call). Returns true, or false at the end or on failure
 * (e->code): a quote inside an unquoted field, text behind a closing quote, a quote that is never closed, a
 * NUL, a last line without its end. */
bool csv_next(csv_reader *r, error *e);

void csv_end(csv_reader *r);

/* Prints a field, in quotes only when it needs them (comma, quote, line break). */
void csv_print(FILE *f, const char *text);

#endif
