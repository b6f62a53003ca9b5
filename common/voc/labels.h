/* labels.h - the label files of a training: lrg.csv (class), bb.csv (box) and val.txt (which rows validate); for a
 * training on all objects anno.tsv takes the place of the first two.
 *
 *     lrg.csv:  fn,cat            bb.csv:  fn,bbox                      val.txt:  000048.jpg
 *               008197.jpg,car             008197.jpg,186 450 226 496             000061.jpg
 *
 * CSV as in RFC 4180: a field with a comma, a quote or a line break stands in quotes and doubles its quotes.
 * The box is four whole numbers y1 x1 y2 x2, one space between, inclusive corners in the picture's own
 * pixels. A label cell is one label, blanks included. Rows keep the order of the file: the order decides,
 * with the split, which pictures validate.
 */
#ifndef ONEBOX_VOC_LABELS_H
#define ONEBOX_VOC_LABELS_H

#include "base/box.h"
#include "base/error.h"
#include "voc/names.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct label_row {
    const char *file_name; /* owned by labels */
    int32_t class_index;   /* rank of the label among the distinct labels in byte order; -1 without lrg.csv */
    box box;               /* own pixels; zeros without bb.csv */
    bool is_val;
    size_t first_object, object_count; /* in labels.objects, of anno.tsv */
} label_row;

/* An object of anno.tsv. */
typedef struct label_object {
    int32_t class_index; /* as above; -1: to be ignored */
    box box;
} label_object;

typedef struct labels {
    label_row *rows; /* in the order of lrg.csv, or of bb.csv when there is no lrg.csv */
    size_t count;
    uint32_t *train; /* indices of the rows that train / validate, each ascending */
    uint32_t *val;
    size_t train_count, val_count;
    const char **classes; /* distinct labels in byte order, classes[class_index]; NULL without lrg.csv */
    size_t class_count;
    bool has_class, has_box, has_objects;
    label_object *objects; /* of all rows, those of a row together in the order of the file; NULL without anno.tsv */
    size_t object_count, most_objects; /* in all; of one row at most */
    char train_sha256[65];             /* see labels_digest, for logs and checkpoint metadata */
    char val_sha256[65];
    names file_names; /* number = row */
    names labels_seen;
} labels; /* zero-initialise */

/* Reads what is given; lrg, bb and val may each be NULL, but not lrg and bb both. Without val every row
 * trains. With both CSV files they are joined by file name. ERR_INPUT with file and line for: another header
 * than fn,cat / fn,bbox; a row with another number of fields; a bad quote; a file name that is empty,
 * repeated or unsafe (names_bad_file_name); a box that is not four whole numbers with y1 <= y2, x1 <= x2 from
 * 0 on; no rows; names in one CSV and not in the other (count and first three); names in val (name_list.h)
 * that no CSV has; a name twice in val; val holding all rows or none. labels_free also after a failure. */
int labels_read(labels *l, const char *lrg, const char *bb, const char *val, error *e);

/* The same with all objects, from anno.tsv. The rows are the pictures with an object that is not to be ignored, in the
 * order of the file, with class and box of the largest one; classes are those of objects that are not ignored. */
int labels_read_objects(labels *l, const char *anno, const char *val, error *e);

void labels_free(labels *l);

/* --check of mkcsv: a valid lrg.csv, bb.csv (told by the header) or list of file names. */
int labels_check(const char *path, error *e);

/* Reads the names of the pictures, each once, from the first column of a CSV file whose header begins with fn.
 * ERR_INPUT for a file that names none. */
int labels_read_pictures(names *list, const char *path, error *e);

/* SHA-256 of a list of pictures in the form in which splits are compared: each file name without its
 * extension ("000012.jpg" -> "000012"), a line feed after every one, the last included. */
int labels_digest(const char *const *file_names, size_t count, char hex[65], error *e);

/* SHA-256 of all that the rows say, in their order: names, classes, boxes, which of them validate. */
int labels_rows_digest(const labels *l, char hex[65], error *e);

#endif
