/* Reading a cache (cache.h): the file is mapped, its header and index are checked for sense before anything is
 * believed, and rows are found by bisection of the index. Pixels are compared with their checksums when they are
 * first used; `sound` remembers the rows for which that is done. */
#include "image/cache.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "image/cache_format.h"
#include "image/cache_sources.h"
#include "image/resize.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct cache {
    char *path;
    file_view file;
    cache_header header;
    const cache_entry *index; /* inside the file */
    const char *names;
    atomic_bool *sound; /* of each row: cache_verify has read its pixels */
    char digest[65];
};

/* The header makes sense and the file has the length it says. */
static int check_header(cache *c, error *e)
{
    const cache_header *h = &c->header;
    const uint64_t size = c->file.size;
    if (size < sizeof *h || memcmp(c->file.data, CACHE_MAGIC, 8) != 0)
        return fail(e, ERR_INPUT, "%s: is not a picture cache", c->path);
    memcpy(&c->header, c->file.data, sizeof *h);
    if (h->version != CACHE_VERSION)
        return fail(e, ERR_INPUT, "%s: is a picture cache of version %u, this program reads %d; make it again", c->path,
                    h->version, CACHE_VERSION);
    if (h->file_bytes != size)
        return fail(e, ERR_INPUT, "%s: has %llu bytes instead of %llu: it is cut short or damaged; make it again",
                    c->path, (unsigned long long)size, (unsigned long long)h->file_bytes);
    if (h->size == 0 || h->size % 32 || h->size > CACHE_MAX_SIZE || h->index_start < sizeof *h || h->index_start % 8 ||
        h->index_start > size || h->pictures > (size - h->index_start) / sizeof(cache_entry) ||
        h->names_bytes != size - h->index_start - h->pictures * sizeof(cache_entry))
        return fail(e, ERR_INPUT, "%s: a damaged header; make it again", c->path);
    return 0;
}

/* Row i agrees with itself and with the row before it. */
static bool good_entry(const cache *c, size_t i, uint64_t name_start, uint64_t pixels_start)
{
    const cache_entry *t = &c->index[i];
    if (t->name_start != name_start || t->name_bytes >= c->header.names_bytes - name_start ||
        t->pixels_start != pixels_start || t->zero)
        return false;
    const char *name = c->names + name_start;
    if (memchr(name, 0, t->name_bytes + 1) != name + t->name_bytes || cache_bad_name(name) ||
        (i && strcmp(c->names + t[-1].name_start, name) >= 0))
        return false;
    if (!t->original_height || !t->original_width || t->original_height > PICTURE_MAX_SIDE ||
        t->original_width > PICTURE_MAX_SIDE)
        return false;
    int h, w;
    scaled_size((int)t->original_height, (int)t->original_width, (int)c->header.size, &h, &w);
    return t->height == (uint32_t)h && t->width == (uint32_t)w;
}

static int check_index(cache *c, error *e)
{
    uint8_t digest[32];
    cache_digest_of(&c->header, c->index, c->names, digest);
    if (memcmp(digest, c->header.sha256, 32) != 0)
        return fail(e, ERR_INPUT, "%s: a damaged index (its checksum differs); make it again", c->path);
    sha256_text(digest, c->digest);
    uint64_t names = 0, pixels = sizeof c->header;
    for (size_t i = 0; i < c->header.pictures; i++) {
        if (names >= c->header.names_bytes || !good_entry(c, i, names, pixels))
            return fail(e, ERR_INPUT, "%s: a damaged index (picture %zu); make it again", c->path, i);
        names += c->index[i].name_bytes + 1;
        pixels += cache_entry_bytes(&c->index[i]);
    }
    if (names != c->header.names_bytes || (pixels + 7) / 8 * 8 != c->header.index_start)
        return fail(e, ERR_INPUT, "%s: a damaged index (its length); make it again", c->path);
    c->sound = mem_zero(c->header.pictures, sizeof *c->sound, "a picture cache", e);
    return c->sound ? 0 : ERR_SYSTEM;
}

cache *cache_open(const char *path, error *e)
{
    cache *c = mem_zero(1, sizeof *c, "a picture cache", e);
    if (!c)
        return NULL;
    c->path = strdup(path);
    if (!c->path)
        fail_memory(e, strlen(path), "a file name");
    else if (!file_open(&c->file, path, e) && !check_header(c, e)) {
        c->index = (const cache_entry *)(const void *)(c->file.data + c->header.index_start);
        c->names = (const char *)(c->index + c->header.pictures);
        if (!check_index(c, e))
            return c;
    }
    cache_close(c);
    return NULL;
}

void cache_close(cache *c)
{
    if (!c)
        return;
    file_close(&c->file);
    free(c->path);
    free(c->sound);
    free(c);
}

const char *cache_file_name(const cache *c)
{
    return c->path;
}

size_t cache_count(const cache *c)
{
    return c->header.pictures;
}

int cache_size(const cache *c)
{
    return (int)c->header.size;
}

const char *cache_digest(const cache *c)
{
    return c->digest;
}

const cache_entry *cache_entry_at(const cache *c, size_t row)
{
    return &c->index[row];
}

scaled_picture cache_at(const cache *c, size_t row)
{
    const cache_entry *t = &c->index[row];
    return (scaled_picture){.name = c->names + t->name_start,
                            .original_height = (int)t->original_height,
                            .original_width = (int)t->original_width,
                            .height = (int)t->height,
                            .width = (int)t->width,
                            .pixels = (const uint8_t *)c->file.data + t->pixels_start};
}

int64_t cache_find(const cache *c, const char *name)
{
    size_t low = 0, high = c->header.pictures;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, c->names + c->index[middle].name_start);
        if (order == 0)
            return (int64_t)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

int cache_rows(const cache *c, const char *const *names, size_t count, size_t *rows, error *e)
{
    text_names missing = {0};
    for (size_t i = 0; i < count; i++) {
        int64_t row = names[i] ? cache_find(c, names[i]) : 0;
        if (row < 0)
            text_names_add(&missing, "%s", names[i]);
        else
            rows[i] = (size_t)row;
    }
    if (missing.count)
        return fail(e, ERR_INPUT, "%s: %zu of %zu pictures are not in it (%s); run resize-cache again", c->path,
                    missing.count, count, missing.text);
    return 0;
}

static int read_sources(cache_sources *s, const cache *c, error *e)
{
    text_buffer path = {0};
    text_add(&path, "%s.sources", c->path);
    int code = text_done(&path, e);
    if (!code)
        code = cache_sources_read(s, path.data, c->digest, e);
    text_free(&path);
    return code;
}

int cache_left_out(const cache *c, const char *const *names, size_t count, bool *out, size_t *left, error *e)
{
    cache_sources s = {0};
    size_t missing = 0;
    *left = 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = cache_find(c, names[i]) < 0;
        missing += out[i];
    }
    if (!missing)
        return 0;
    int code = read_sources(&s, c, e);
    for (size_t i = 0; i < count && !code; i++) {
        const cache_source *source = out[i] ? cache_sources_find(&s, names[i]) : NULL;
        out[i] = source && cache_source_left_out(source);
        *left += out[i];
    }
    cache_sources_free(&s);
    return code;
}

int cache_each_name(const cache *c, cache_name_taker *take, void *context, error *e)
{
    cache_sources s = {0};
    int code = read_sources(&s, c, e);
    for (size_t i = 0; i < cache_count(c) && !code; i++)
        code = take(context, cache_at(c, i).name, e);
    for (size_t i = 0; i < s.count && !code; i++)
        if (cache_source_left_out(&s.items[i]))
            code = take(context, s.items[i].name, e);
    cache_sources_free(&s);
    return code;
}

int cache_verify(const cache *c, size_t row, error *e)
{
    if (atomic_load_explicit(&c->sound[row], memory_order_relaxed))
        return 0;
    scaled_picture p = cache_at(c, row);
    if (xxh64(p.pixels, cache_entry_bytes(&c->index[row])) != c->index[row].checksum)
        return fail(e, ERR_INPUT, "%s: the pixels of %s are damaged; run resize-cache again", c->path, p.name);
    atomic_store_explicit(&c->sound[row], true, memory_order_relaxed);
    return 0;
}

int cache_check(const char *path, error *e)
{
    cache *c = cache_open(path, e);
    if (!c)
        return e && e->code ? e->code : ERR_INPUT;
    int code = 0;
    for (size_t i = 0; !code && i < c->header.pictures; i++)
        code = cache_verify(c, i, e);
    cache_close(c);
    return code;
}
