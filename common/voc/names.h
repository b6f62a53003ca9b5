/* names.h - a set of distinct strings with numbers 0, 1, 2 … in the order in which they were first added.
 *
 * Used for file names, categories and anything else that is joined by name. Strings are copied once into
 * blocks that never move, so a `const char *` from here stays valid until names_free.
 */
#ifndef ONEBOX_VOC_NAMES_H
#define ONEBOX_VOC_NAMES_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
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

/* Bytes of a file name in a table, at most; each part between slashes has at most 255. */
enum { NAMES_FILE_MAX = 1023 };

/* The form that a picture's file name has in all tables: relative to the folder of the pictures, with '/' between
 * folders. '\' is read as '/'; empty parts and "." are left out, "a/.." is resolved. Returns NULL and the name with a
 * NUL in `clean`, or what is wrong with it, as a phrase ("is empty"): it is too long, holds a control character (tab,
 * newline, NUL …), begins at a root, leads out of the folder, or ends as a folder. */
const char *names_file_name(text_field name, char clean[NAMES_FILE_MAX + 1]);

/* The same for callers that need no clean name. */
const char *names_bad_file_name(const char *text, size_t size);

/* What follows "/" or "C:\" of a full path; other names whole. names_without_start: what follows any "../", too, as for
 * names that are relative to a folder elsewhere. */
text_field names_without_root(text_field name);
text_field names_without_start(text_field name);

/* Bytes of a clean file name without the extension: 7 of "cam.0/7.jpg"; a first dot begins none. */
size_t names_stem(const char *file_name);

/* The same, but only the ending of a picture is left out (.jpg, .PNG, .webp …, whether or not it can be read, which
 * image/picture_file.h knows): 1 of "7.jpg", all 7 of "cam.0/7". names_is_picture: there is such an ending. */
size_t names_picture_stem(const char *name, size_t size);
bool names_is_picture(const char *name);

/* What is wrong with a category, or NULL: not empty, at most 255 bytes, UTF-8 (it goes into JSON), no control
 * characters. */
const char *names_bad_category(const char *text, size_t size);

/* Adds a picture's file name, cleaned, that must be new: ERR_INPUT, without a place (fail_context), when it is not, or
 * when names_file_name has something against it. */
int names_add_file(names *n, text_field file_name, error *e);

#endif
