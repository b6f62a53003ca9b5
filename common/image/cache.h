/* cache.h - the file of scaled pictures that trainings read (224.cache).
 *
 * Little-endian:
 *   header  128 bytes: magic "OBXCACHE", u32 version 1, u32 size, u64 pictures, u64 start of the index, u64
 * bytes of the names, u64 bytes of the file, zeros, and from 96 on the SHA-256 of header (with these 32 bytes
 * zero), index and names pixels  8-bit RGB, height x width x 3, picture after picture without gaps; zeros up
 * to a multiple of 8 index   48 bytes a picture, ascending by name (byte order): u64 start of the name within
 * the names, u32 its bytes, u32 original height, u32 original width, u32 height, u32 width, u32 zero, u64
 * start of the pixels in the file, u64 XXH64 of the pixels names   each with a NUL behind it The bytes depend
 * on the names and the pictures' pixels alone: not on times, threads or the order of rows. What a rebuild
 * needs to know about the source files (bytes, time, SHA-256) is in a text file beside it, PATH.sources, so
 * touching a picture leaves the cache as it is.
 *
 * Opening verifies header, index and names and that the file has its full length. Pixels are verified by
 * cache_verify, picture by picture, and all of them by cache_check and cache_make.
 */
#ifndef ONEBOX_IMAGE_CACHE_H
#define ONEBOX_IMAGE_CACHE_H

#include "base/error.h"
#include "image/sample.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cache cache;

/* Maps the file. NULL with e set. Any number of threads may read an open cache. */
cache *cache_open(const char *path, error *e);
void cache_close(cache *c);

size_t cache_count(const cache *c);
int cache_size(const cache *c);           /* of the shorter side: 224 */
const char *cache_digest(const cache *c); /* 64 hexadecimal digits that stand for the whole content */
scaled_picture cache_at(const cache *c, size_t row); /* row < count; all pointers are inside the cache */

/* Compares the row's pixels with their checksum: ERR_INPUT when they are damaged. A row that was sound once is not
 * read again, so a training can ask each time it uses a picture: the first time costs some tens of microseconds, later ones
 * nothing. */
int cache_verify(const cache *c, size_t row, error *e);

/* Row of a name; -1 when it isn't there. */
int64_t cache_find(const cache *c, const char *name);

/* Rows of `count` names. Missing ones are an error that says how many there are and names the first three. */
int cache_rows(const cache *c, const char *const *names, size_t count, size_t *rows, error *e);

/* --check: everything cache_open verifies, and all pixels. */
int cache_check(const char *path, error *e);

/* ---- making one */

typedef struct cache_options {
    const char *images; /* the folder that the names are in */
    int size;           /* a multiple of 32 */
    int threads;        /* 0: all there are */
    int64_t max_bad;    /* so many pictures may be unreadable; they are left out */
    /* called for every unreadable picture, in the order of names, after the work; may be NULL */
    void (*bad)(void *context, const char *message);
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
 * knows by size and time, or else by SHA-256, are not decoded again if their pixels in the cache are sound; those that
 * are damaged there are always made anew. More than max_bad unreadable pictures: ERR_INPUT, and nothing is written. */
int cache_make(const char *path, const char *const *names, size_t count, const cache_options *options,
               cache_summary *summary, error *e);

#endif
