#include "image/cache_sources.h"

#include "base/file.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADING "onebox cache sources 1"

static bool hexadecimal(text_field f)
{
    if (f.size != 64)
        return false;
    for (size_t i = 0; i < 64; i++)
        if (!strchr("0123456789abcdef", f.text[i]))
            return false;
    return true;
}

/* name, bytes, time, SHA-256, note; ascending by name. The tab behind the name, and the end of the line, become ends of
 * texts. */
static bool parse_line(char *line, size_t size, cache_source *out, const cache_source *before)
{
    text_field f[5];
    int64_t bytes, time;
    const size_t fields = text_split(line, size, '\t', f, 5);
    if ((fields != 4 && fields != 5) || f[0].size == 0 || !text_int(f[1].text, f[1].size, 0, INT64_MAX, &bytes) ||
        !text_int(f[2].text, f[2].size, 0, INT64_MAX, &time) ||
        !(hexadecimal(f[3]) || (fields == 5 && text_is(f[3], "-"))))
        return false;
    line[f[0].size] = 0;
    *out = (cache_source){.name = line, .bytes = bytes, .time = time};
    memcpy(out->sha256, f[3].text, f[3].size);
    if (fields == 5) {
        out->note = f[4].text;
        line[size] = 0;
    }
    return !before || strcmp(before->name, out->name) < 0;
}

int cache_sources_read(cache_sources *s, const char *path, const char *digest, error *e)
{
    *s = (cache_sources){0};
    file_view view;
    error absent = {0};
    if (file_open(&view, path, &absent))
        return absent.code == ERR_SYSTEM ? fail(e, ERR_SYSTEM, "%s", absent.text) : 0;
    s->text = text_copy(view.data ? view.data : "", view.size, e);
    size_t size = view.size, capacity = 0, length;
    file_close(&view);
    if (!s->text)
        return ERR_SYSTEM;
    const char *line;
    char expected[128];
    snprintf(expected, sizeof expected, HEADING "\t%s", digest);
    text_lines lines = text_lines_of(s->text, size);
    bool good = text_line(&lines, &line, &length) && length == strlen(expected) && !memcmp(line, expected, length);
    while (good && text_line(&lines, &line, &length)) {
        if (mem_grow(&s->items, &capacity, s->count + 1, sizeof *s->items, path, e)) {
            cache_sources_free(s);
            return ERR_SYSTEM;
        }
        good = parse_line(s->text + (line - s->text), length, &s->items[s->count],
                          s->count ? &s->items[s->count - 1] : NULL);
        s->count += good;
    }
    if (!good)
        s->count = 0;
    return 0;
}

static int source_order(const void *name, const void *source)
{
    return strcmp(name, ((const cache_source *)source)->name);
}

const cache_source *cache_sources_find(const cache_sources *s, const char *name)
{
    return s->count ? bsearch(name, s->items, s->count, sizeof *s->items, source_order) : NULL;
}

bool cache_source_left_out(const cache_source *source)
{
    return strcmp(source->sha256, "-") == 0;
}

void cache_sources_free(cache_sources *s)
{
    free(s->items);
    free(s->text);
    *s = (cache_sources){0};
}

int cache_sources_write(const cache_source *const *items, size_t count, const char *path, const char *digest, error *e)
{
    out_file out;
    bool changed;
    int code = out_open(&out, path, e);
    if (code)
        return code;
    fprintf(out.stream, HEADING "\t%s\n", digest);
    for (size_t i = 0; i < count; i++)
        fprintf(out.stream, "%s\t%" PRId64 "\t%" PRId64 "\t%s%s%s\n", items[i]->name, items[i]->bytes, items[i]->time,
                items[i]->sha256, items[i]->note ? "\t" : "", items[i]->note ? items[i]->note : "");
    return out_commit_if_changed(&out, &changed, e);
}
