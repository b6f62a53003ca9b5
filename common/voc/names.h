/* names.h - a set of distinct strings with numbers 0, 1, 2 … in the order in which they were first added.
 *
 * Used for file names, categories and anything else that is joined by name. Strings are copied once into
 * blocks that never move, so a `const char *` from here stays valid until names_free.
 */
#ifndef ONEBOX_VOC_NAMES_H
#define ONEBOX_VOC_NAMES_H

#include "base/error.h"
#include "base/text.h"

#include <stdint.h>

#define NAMES_NONE SIZE_MAX

typedef struct names {
    const char **items; /* NUL-terminated, items[number] */
    size_t count, capacity;
    size_t *slots; /* hash table of number + 1 */
    size_t slot_count;
    char **blocks;
    size_t block_count, block_capacity, block_used, block_size;
} names; /* zero-initialise */

/* The number of text[0..size), added when new (*number == old count tells). Returns 0 or a code. */
int names_add(names *n, const char *text, size_t size, size_t *number, error *e);

/* The number of an existing name, or NAMES_NONE. */
size_t names_find(const names *n, const char *text, size_t size);

/* Fills order[0..count) with the numbers sorted by name in byte order (strcmp). */
void names_sort(const names *n, size_t *order);

void names_free(names *n);

/* What a picture's file name must look like to be accepted anywhere: not empty, at most 255 bytes, no '/',
 * not "." or "..", no tab, newline, NUL or other control character. Returns NULL when fine, else what is
 * wrong with it, as a phrase ("contains '/'"). */
const char *names_bad_file_name(const char *text, size_t size);

/* The same for a category: not empty, at most 255 bytes, UTF-8 (it goes into JSON), no control characters. */
const char *names_bad_category(const char *text, size_t size);

/* Adds a picture's file name that must be new: ERR_INPUT, without a place (fail_context), when it is not, or when
 * names_bad_file_name has something against it. */
int names_add_file(names *n, text_field file_name, error *e);

#endif
