/* pictures.h - the files of a picture folder, or names in a table, and which of them another name means.
 *
 * Tools write a picture's name in many ways: with folders of the machine it was annotated on, percent-encoded, without
 * its ending, with letters composed or taken apart. A name is tried as written first. Then, always only when exactly
 * one file fits, and never across a folder that is there:
 *   - with the folders before it left out one by one, so that the longest tail that exists is taken; or as the tail of
 *     a file's path, for a picture in a subfolder;
 *   - the same after percent-decoding, then in other spellings (name_key.h);
 *   - the same without the ending of a picture, or with another one.
 */
#ifndef ONEBOX_VOC_PICTURES_H
#define ONEBOX_VOC_PICTURES_H

#include "base/error.h"
#include "base/text.h"
#include "voc/names.h"

#include <stddef.h>

#define PICTURES_NONE SIZE_MAX

typedef struct pictures pictures;

/* Lists all files below `dir` (voc/tree.h says which). NULL on failure, ERR_INPUT when it or a folder in it cannot be
 * read; pictures_close ends it. */
pictures *pictures_open(const char *dir, error *e);
void pictures_close(pictures *p);

/* The same of names that are known already, which are copied. */
pictures *pictures_of(const names *files, error *e);

/* How many files there are, and their paths relative to the folder, '/' between the parts, in byte order. */
size_t pictures_count(const pictures *p);
const char *pictures_name(const pictures *p, size_t number);

/* The file of exactly that name; PICTURES_NONE: there is none. */
size_t pictures_exact(const pictures *p, const char *name);

/* The one file that the name means by the rules above. PICTURES_NONE in *number: none does, or several do; then
 * *near is one of these or PICTURES_NONE. Returns 0 or a code. One thread at a time. */
int pictures_resolve(pictures *p, const char *name, size_t *number, size_t *near, error *e);

#endif
