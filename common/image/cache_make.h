/* cache_make.h - making the file of scaled pictures (cache.h) from picture files. */
#ifndef ONEBOX_IMAGE_CACHE_MAKE_H
#define ONEBOX_IMAGE_CACHE_MAKE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cache_options {
    const char *images; /* the folder that the names are in */
    int size;           /* a multiple of 32 */
    int threads;        /* 0: all there are */
    int64_t max_bad;    /* so many pictures may be unreadable; they are left out */
    /* called after the work, in the order of names, for every unreadable picture and for every one of whose
     * decoding there was a warning, now or when it was kept; may be NULL */
    void (*bad)(void *context, const char *message);
    void (*warned)(void *context, const char *message);
    void *context;
} cache_options;

typedef struct cache_summary {
    size_t pictures; /* in the cache now */
    size_t decoded;  /* of them, anew */
    size_t kept;     /* taken from the cache that was there */
    size_t damaged;  /* of the decoded ones: their pixels in the cache that was there were damaged */
    size_t bad;
    size_t warnings; /* of the decoders */
    bool changed;    /* false: the cache that was there has these bytes already and was left alone */
} cache_summary;

/* Makes `path` (and path.sources) hold the named pictures (duplicates count once). Pictures that path.sources
 * knows by size and time, or else by SHA-256, are not decoded again if their pixels in the cache are sound; those
 * that are damaged there are always made anew. More than max_bad unreadable pictures: ERR_INPUT, and nothing is
 * written. What the system refuses (memory, too many open files) is ERR_SYSTEM and never counts as an unreadable
 * picture. */
int cache_make(const char *path, const char *const *names, size_t count, const cache_options *options,
               cache_summary *summary, error *e);

#endif
