/* cache_format.h - the structs of a cache file as they lie on disk; cache.h describes them. */
#ifndef ONEBOX_IMAGE_CACHE_FORMAT_H
#define ONEBOX_IMAGE_CACHE_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cache files are little-endian");

enum { CACHE_VERSION = 1, CACHE_MAX_SIZE = 4096 };
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

/* Bytes of the entry's pixels. */
size_t cache_entry_bytes(const cache_entry *entry);

/* The header's digest: header with a zero digest, index, names. */
void cache_digest_of(const cache_header *header, const cache_entry *index, const char *names, uint8_t digest[32]);

/* NULL, or what is wrong with a picture's name in a cache, as a phrase. */
const char *cache_bad_name(const char *name);

#endif
