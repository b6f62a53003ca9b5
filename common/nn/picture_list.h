/* picture_list.h - which pictures to predict, and the names that tell their predictions apart. */
#ifndef ONEBOX_NN_PICTURE_LIST_H
#define ONEBOX_NN_PICTURE_LIST_H

#include "image/cache.h"
#include "voc/names.h"

typedef struct picture_list {
    const cache *cache; /* rows of it … */
    size_t *rows;
    char **paths;  /* … or files; owned */
    size_t *tails; /* while files are added: bytes at the end of the path that are the name */
    size_t count, capacity, tail_capacity;
    size_t left_out;  /* of the wanted rows: pictures that resize-cache left out, which get no prediction */
    names file_names; /* as in tables (voc/names.h); number = item */
} picture_list;       /* zero-initialise */

/* Fills the list with files, named without their folders, and for a folder its files ending in .jpg, .jpeg or .png (any
 * case), those in folders of it too, in byte order, named relative to it. In folders names that begin with a dot are
 * passed over, and so is the folder `drawings` (NULL: none), which this program fills. Pictures that would have the
 * same name get one folder of their full path before it, or as many as it takes. ERR_INPUT: a folder without pictures;
 * one picture that is named twice. picture_list_free also after a failure. */
int picture_list_files(picture_list *list, char *const *operands, int count, const char *drawings, error *e);

/* All rows of a cache (which must outlive the list), or those that `only`, a file of names, lists, in its
 * order. */
int picture_list_cache(picture_list *list, const cache *c, const char *only, error *e);

void picture_list_free(picture_list *list);

#endif
