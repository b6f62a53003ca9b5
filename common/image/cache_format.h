/* cache_format.h - the structs of a cache file as they lie on disk (cache.h describes them), and the text
 * file of its sources. For cache.c and cache_make.c. */
#ifndef ONEBOX_IMAGE_CACHE_FORMAT_H
#define ONEBOX_IMAGE_CACHE_FORMAT_H

#include "image/cache.h"

#include <assert.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cache files are little-endian");

enum { CACHE_VERSION = 1 };
#define CACHE_MAGIC "OBXCACHE"

typedef struct cache_header {
    char magic[8];
    uint32_t version, size;
    uint64_t pictures, index_start, names_bytes, file_bytes;
    uint8_t zeros[48];
    uint8_t sha256[32];
} cache_header;
static_assert(sizeof(cache_header) == 128, "layout of the header");

typedef struct cache_entry {
    uint64_t name_start;
    uint32_t name_bytes, original_height, original_width, height, width, zero;
    uint64_t pixels_start, checksum;
} cache_entry;
static_assert(sizeof(cache_entry) == 48, "layout of an index entry");

/* The header's digest: header with a zero digest, index, names. */
void cache_digest_of(const cache_header *header, const cache_entry *index, const char *names,
                     uint8_t digest[32]);

/* The entry behind a row. */
const cache_entry *cache_entry_at(const cache *c, size_t row);

/* NULL, or what is wrong with a picture's name in a cache, as a phrase. */
const char *cache_bad_name(const char *name);

/* What is known of a source file. */
typedef struct cache_source {
    const char *name;
    int64_t bytes;
    int64_t time; /* of the last change in nanoseconds; 0: not to be relied on */
    char sha256[65];
} cache_source;

/* The sources of the cache whose digest is given, ascending by name; count 0 when the file is absent, foreign
 * or of another cache (never an error: everything is decoded again then). */
typedef struct cache_sources {
    cache_source *items;
    size_t count;
    char *text; /* holds the names */
} cache_sources;
int cache_sources_read(cache_sources *s, const char *path, const char *digest, error *e);
const cache_source *cache_sources_find(const cache_sources *s, const char *name);
void cache_sources_free(cache_sources *s);

/* Writes them; left alone when nothing differs. */
int cache_sources_write(const cache_source *const *items, size_t count, const char *path, const char *digest,
                        error *e);

#endif
