/* name_list.h - a list of pictures, one file name a line, such as val.txt, and which pictures its names mean.
 *
 * Names are spelled in as many ways as in annotations: they are found by the rules of pictures.h. Blanks at the end of
 * a line, empty lines, a byte order mark and the root of a full path are passed over.
 */
#ifndef ONEBOX_VOC_NAME_LIST_H
#define ONEBOX_VOC_NAME_LIST_H

#include "base/error.h"
#include "voc/names.h"

/* Adds to `list`, in order, those of `known` that the lines of the file mean; without `known` the names as they are,
 * cleaned. *unknown counts lines that mean none of them (first, near: see below). ERR_INPUT with the line for a name
 * that is none (names_file_name) and for two that mean one picture. */
typedef struct name_list_unknown {
    size_t count;
    char first[NAMES_FILE_MAX + 1], near[NAMES_FILE_MAX + 1]; /* the nearest known name, or "" */
} name_list_unknown;
int name_list_read(names *list, name_list_unknown *unknown, const char *path, const names *known, error *e);

/* The same, and ERR_INPUT when a line means none of `known`, which are the pictures of `known_path`. */
int name_list_read_all(names *list, const char *path, const names *known, const char *known_path, error *e);

#endif
