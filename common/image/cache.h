/* cache.h - the file of scaled pictures that trainings read (224.cache).
 *
 * Little-endian, four parts:
 *   header   128 bytes: magic "OBXCACHE", u32 version 1, u32 size, u64 pictures, u64 start of the index,
 *            u64 bytes of the names, u64 bytes of the file, zeros, and from 96 on the SHA-256 of header
 *            (with these 32 bytes zero), index and names
 *   pixels   8-bit RGB, height x width x 3, picture after picture without gaps; zeros up to a multiple of 8
 *   index    48 bytes a picture, ascending by name (byte order): u64 start of the name within the names,
 *            u32 its bytes, u32 original height, u32 original width, u32 height, u32 width, u32 zero,
 *            u64 start of the pixels in the file, u64 XXH64 of the pixels
 *   names    each with a NUL behind it
 * The bytes depend on the names and the pictures' pixels alone: not on times, threads or the order of rows. What a
 * rebuild needs to know about the source files is in a text file beside it (cache_sources.h), so touching a picture
 * leaves the cache as it is.
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

const char *cache_file_name(const cache *c); /* as given to cache_open */
size_t cache_count(const cache *c);
int cache_size(const cache *c);                      /* of the shorter side: 224 */
const char *cache_digest(const cache *c);            /* 64 hexadecimal digits that stand for the whole content */
scaled_picture cache_at(const cache *c, size_t row); /* row < count; all pointers are inside the cache */

/* Compares the row's pixels with their checksum: ERR_INPUT when they are damaged. A row that was sound once is not
 * read again, so a training can ask each time it uses a picture: the first time costs some tens of microseconds, later
 * ones nothing. */
int cache_verify(const cache *c, size_t row, error *e);

/* The row as it stands in the file (cache_format.h). */
const struct cache_entry *cache_entry_at(const cache *c, size_t row);

/* Row of a name; -1 when it is not there. */
int64_t cache_find(const cache *c, const char *name);

/* Rows of `count` names; a NULL among them gets row 0. Missing ones are an error that says how many there are and
 * names the first three. */
int cache_rows(const cache *c, const char *const *names, size_t count, size_t *rows, error *e);

/* For each of `count` names whether resize-cache left its picture out of this cache, as the file PATH.sources beside it
 * says (cache_sources.h); *left counts them. Without that file, or with another cache's, none was. */
int cache_left_out(const cache *c, const char *const *names, size_t count, bool *out, size_t *left, error *e);

/* Calls `take` with the name of each picture, then of those that were left out, until it returns a code. */
typedef int cache_name_taker(void *context, const char *name, error *e);
int cache_each_name(const cache *c, cache_name_taker *take, void *context, error *e);

/* --check: everything cache_open verifies, and all pixels. */
int cache_check(const char *path, error *e);

#endif
