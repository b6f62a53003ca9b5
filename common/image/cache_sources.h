/* cache_sources.h - the text file beside a cache that says which files its pictures were made of.
 *
 *     onebox cache sources 1   3f0a...        SHA-256 of the cache it belongs to (cache_digest)
 *     000012.jpg   57212   1188399911000000000   9a41...
 *
 * Tabs between name, bytes, time of the last change of content or entry in nanoseconds (0: not to be relied on) and
 * SHA-256; ascending by name. Behind them stands the decoder's warning, if there was one. A picture that was left out
 * has '-' for its SHA-256, and behind it the reason. A file that is absent, foreign or of another cache is no error:
 * everything is decoded again then.
 */
#ifndef ONEBOX_IMAGE_CACHE_SOURCES_H
#define ONEBOX_IMAGE_CACHE_SOURCES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cache_source {
    const char *name;
    int64_t bytes;
    int64_t time;
    char sha256[65];  /* "-" of a picture that was left out */
    const char *note; /* the warning, or why it was left out; NULL: nothing to say */
} cache_source;

typedef struct cache_sources {
    cache_source *items;
    size_t count;
    char *text; /* holds the names */
} cache_sources;

/* Those of the cache whose digest is given; count 0 without them. cache_sources_free also after a failure. */
int cache_sources_read(cache_sources *s, const char *path, const char *digest, error *e);
const cache_source *cache_sources_find(const cache_sources *s, const char *name);
void cache_sources_free(cache_sources *s);

/* Whether the picture was left out of the cache. */
bool cache_source_left_out(const cache_source *source);

/* Writes them; left alone when nothing differs. */
int cache_sources_write(const cache_source *const *items, size_t count, const char *path, const char *digest, error *e);

#endif
