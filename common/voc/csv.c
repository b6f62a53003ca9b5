#include "voc/csv.h"

#include <string.h>

csv_reader csv_start(const char *path, const char *data, size_t size)
{
    csv_reader r = {.path = path, .at = data ? data : "", .next_line = 1};
    r.end = r.at + size;
    if (size >= 3 && memcmp(r.at, "\xef\xbb\xbf", 3) == 0)
        r.at += 3;
    return r;
}

static bool refuse_record(csv_reader *r, const char *what, error *e)
{
    fail(e, ERR_INPUT, "%s:%zu: %s", r->path, r->line, what);
    return false;
}

/* A field in quotes; at stands behind the opening one. */
static bool quoted_field(csv_reader *r, error *e)
{
    for (;;) {
        const char *quote = memchr(r->at, '"', (size_t)(r->end - r->at));
        if (!quote)
            return refuse_record(r, "a quote is not closed", e);
        for (const char *p = r->at; p < quote; p++)
            r->next_line += *p == '\n';
        text_add_bytes(&r->text, r->at, (size_t)(quote - r->at));
        r->at = quote + 1;
        if (r->at == r->end || *r->at != '"')
            break;
        r->at++;
        text_add_bytes(&r->text, "\"", 1);
    }
    if (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r')
        return refuse_record(r, "text behind a closing quote", e);
    return true;
}

static bool plain_field(csv_reader *r, error *e)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at != ',' && *r->at != '\n') {
        if (*r->at == '"')
            return refuse_record(r, "a quote inside a field that does not begin with one", e);
        if (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n')
            break;
        r->at++;
    }
    text_add_bytes(&r->text, start, (size_t)(r->at - start));
    return true;
}

bool csv_next(csv_reader *r, error *e)
{
    const size_t most = COUNT(r->fields);
    size_t starts[COUNT(r->fields)];
    if (r->at >= r->end)
        return false;
    r->line = r->next_line;
    r->text.size = 0;
    r->count = 0;
    for (bool more = true; more;) {
        if (r->count == most)
            return refuse_record(r, "too many fields", e);
        starts[r->count++] = r->text.size;
        bool in_quotes = r->at < r->end && *r->at == '"';
        r->at += in_quotes;
        if (!(in_quotes ? quoted_field(r, e) : plain_field(r, e)))
            return false;
        more = r->at < r->end && *r->at == ',';
        r->at += more;
    }
    if (r->at < r->end && *r->at == '\r')
        r->at++;
    if (r->at == r->end)
        return refuse_record(r, "the last line does not end: the file is truncated", e);
    if (*r->at != '\n')
        return refuse_record(r, "a carriage return without a line feed", e);
    r->at++;
    r->next_line++;
    if (text_done(&r->text, e))
        return false;
    if (memchr(r->text.data, 0, r->text.size))
        return refuse_record(r, "a NUL character", e);
    for (size_t i = 0; i < r->count; i++) {
        /* each of the fields has a start NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
        size_t stop = i + 1 < r->count ? starts[i + 1] : r->text.size;
        r->fields[i] = (text_field){r->text.data + starts[i], stop - starts[i]};
    }
    return true;
}

void csv_end(csv_reader *r)
{
    text_free(&r->text);
}

void csv_print(FILE *f, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (const char *p = text; *p; p++) {
        if (*p == '"')
            fputc('"', f);
        fputc(*p, f);
    }
    fputc('"', f);
}
