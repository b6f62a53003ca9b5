/* split_list.h - the lists of ImageSets/Main: which annotations to read, in which order.
 *
 * A line is the name of a picture without its extension (with it, in VoTT's), in quotes when it has blanks (CVAT), with
 * folders before it where the annotations lie in folders. VOC and VoTT have other lists, of one class each, with a mark
 * behind the name: 1 where the picture shows the class, 0 where it does with difficulty, else -1. Of these the rows
 * marked 1 are taken.
 */
#ifndef ONEBOX_VOC_SPLIT_LIST_H
#define ONEBOX_VOC_SPLIT_LIST_H

#include "voc/layout.h"

/* Adds to `chosen` the annotations, as paths relative to l->dir, that the list l->dir/ImageSets/Main/SPLIT.txt names.
 * *unmarked counts the rows of another mark than 1. ERR_INPUT: no such list (with those that are there), nothing in it,
 * a name twice or with what no name may hold. */
int split_list_read(names *chosen, const layout *l, const char *split, size_t *unmarked, error *e);

/* Adds the names of the lists that are there to `found`: "train, trainval". */
void split_list_names(const layout *l, text_names *found);

#endif
