/* pred.h - predictions: the table pred.tsv.
 *
 * Text, tab-separated, one header line and one row per picture, or of all objects one after the other, a row for each:
 *
 *     file_name   category  probability  y1     x1      y2      x2
 *     000048.jpg  person    0.981234     12.00  301.44  370.91  499.00
 *
 * The box is in the picture's own pixels, inclusive corners, row first, two decimals; the probability has
 * six. A model without classes writes '-' for category and probability, one without boxes '-' for the four
 * numbers. A class may be called '-': it has a probability. Optional columns, in this order:
 *     y1_224 x1_224 y2_224 x2_224                            the box in the square frame of the network; the
 *                                                            number in the names is the frame's side
 *     category_1 probability_1 ... category_K probability_K  the K most probable classes, best first
 */
#ifndef ONEBOX_VOC_PRED_H
#define ONEBOX_VOC_PRED_H

#include "base/box.h"
#include "base/error.h"
#include "voc/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PRED_TOP_MAX = 1000 };

typedef struct pred_top {
    const char *category;
    double probability;
} pred_top;

typedef struct pred_row {
    const char *file_name;
    const char *category; /* NULL: the model has no classes */
    double probability;   /* 0 .. 1; 0 without category */
    bool has_box;
    box_real box;        /* own pixels */
    box_real frame;      /* in the frame x frame square; only when the table has a frame and has_box */
    const pred_top *top; /* table.top entries; NULL when table.top is 0 or without category */
} pred_row;

/* ---- writing: pred_print_header once, then pred_print_row for each picture; frame and top as in the header.
 * frame 0: no frame columns; top 0: no pairs. `row` need not come from a table. Rows for which category is
 * NULL or has_box is false get '-' in those columns. */
void pred_print_header(FILE *f, int frame, int top);
void pred_print_row(FILE *f, const pred_row *row, int frame, int top);

/* ---- reading */
typedef struct pred_table {
    pred_row *rows; /* in file order */
    size_t count, capacity;
    int frame;        /* side of the frame the columns y1_N … are in, 0: no such columns */
    int top;          /* number of category_k, probability_k pairs */
    names file_names; /* the pictures; after pred_read number = row */
    names categories;
    bool all;       /* a picture may have several rows, one after the other */
    pred_top *tops; /* count * top */
    size_t top_capacity;
} pred_table; /* zero-initialise */

/* Reads and validates pred.tsv ("-": standard input). ERR_INPUT with file and line for: unknown, missing or
 * misplaced columns, a wrong number of fields, bad numbers, probabilities outside [0, 1], a category without
 * probability, a box of which only a part is there, a repeated or unsafe file name. pred_free also after a
 * failure. */
int pred_read(pred_table *t, const char *path, error *e);

/* The same for a table of all objects: a picture may have several rows, one after the other. */
int pred_read_all(pred_table *t, const char *path, error *e);

/* The row of that picture in a table of pred_read, or NULL. */
const pred_row *pred_find(const pred_table *t, const char *file_name);

void pred_free(pred_table *t);

/* --check of predict: a table of either kind. */
int pred_check(const char *path, error *e);

#endif
