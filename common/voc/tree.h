/* tree.h - the files below a folder, by names relative to it, and which of them has a given stem.
 *
 * Names that begin with a dot are passed over, folders as well as files ("._IMG.jpg" is what a Mac leaves on a stick).
 */
#ifndef ONEBOX_VOC_TREE_H
#define ONEBOX_VOC_TREE_H

#include "base/error.h"
#include "voc/names.h"

#include <stdbool.h>

/* Adds every file below `dir` to `files`, "cam0/img_0.jpg", in byte order, and every folder that was entered to
 * `folders` (may be NULL), "cam0", in no order. Links are followed, at most 16 folders deep; folders with a record of
 * make in them are left out. ERR_INPUT for a folder that cannot be read. */
int tree_read(names *files, names *folders, const char *dir, error *e);

/* The last part of a path: "img_0.jpg" of "cam0/img_0.jpg". */
const char *tree_base(const char *path);

/* Files found by their path without the extension, or by the last part of that. Points into the names it was made
 * of. */
typedef struct stem_index {
    const names *files;
    names stems, bases;
    size_t *stem_file, *base_file; /* a file's number for each stem and base */
    size_t *stem_count, *base_count;
    size_t *next; /* file with the same stem, by number + 1; 0: none */
} stem_index;     /* zero-initialise */

/* Over the files for which `wanted` is true. stem_index_free also after a failure. */
int stem_index_make(stem_index *index, const names *files, bool (*wanted)(const char *), error *e);

/* The file DIR/STEM.EXT of the stem "DIR/STEM"; when there are several, that whose last part is that of `like` (may be
 * NULL). NULL when there is none, or not exactly one. */
const char *stem_index_find(const stem_index *index, const char *stem, size_t size, const char *like);

/* The same for the last part of a stem, in whatever folder it is. */
const char *stem_index_find_base(const stem_index *index, const char *base, size_t size);

void stem_index_free(stem_index *index);

#endif
