/* mkcsv.h - from largest.tsv to the label files of the trainings. */
#ifndef ONEBOX_VOC_MKCSV_H
#define ONEBOX_VOC_MKCSV_H

#include "base/error.h"
#include "voc/anno.h"

#include <stdbool.h>

typedef struct mkcsv_options {
    bool set_order;             /* rows in the order of a CPython set of the ids, else ascending ids */
    double val_share;           /* of the rows, rounded down, for val */
    uint32_t seed;              /* of the split */
    const char *val_from;       /* file with the names that validate, in place of a share; NULL, or empty: a share */
    const char *lrg, *bb, *val; /* files to write, "-" for standard output; NULL: not wanted */
} mkcsv_options;

/* The split that was made; written whether or not the list was wanted. */
typedef struct mkcsv_result {
    size_t train, val;
    bool by_list;                          /* val_from had names */
    size_t without_row;                    /* names of val_from that have no row */
    text_names untrained;                  /* classes of which all pictures validate */
    char train_sha256[65], val_sha256[65]; /* see labels_digest */
} mkcsv_result;

/* `t` has one row per picture (anno_check_one_each). Nothing is put in place unless all files are complete,
 * and a file that has the same bytes already keeps its time, so that nothing that depends on it is made anew.
 * ERR_INPUT when there are no rows, when val is wanted and would be empty or everything, and for a bad val_from. */
int mkcsv_write(const anno_table *t, const mkcsv_options *options, mkcsv_result *result, error *e);

#endif
