/* anno.h - annotations: the tables anno.tsv and largest.tsv.
 *
 * Text, tab-separated, one header line and then one row per object:
 *
 *     image_id  file_name   width  height  category  y1  x1   y2   x2   ignore
 *     12        000012.jpg  500    333     car       96  155  269  350  0
 *
 * Boxes are inclusive 0-based corners, row first, inside the picture. ignore is 1 for objects that VOC calls
 * difficult and COCO a crowd; they are there only if asked for. largest.tsv has the same columns and exactly
 * one row per picture, never an ignored one.
 */
#ifndef ONEBOX_VOC_ANNO_H
#define ONEBOX_VOC_ANNO_H

#include "base/box.h"
#include "base/error.h"
#include "base/text.h"
#include "voc/idmap.h"
#include "voc/names.h"

#include <stdbool.h>
#include <stdint.h>

#define ANNO_HEADER "image_id\tfile_name\twidth\theight\tcategory\ty1\tx1\ty2\tx2\tignore"

enum {
    ANNO_SIDE_MAX = 1000000, /* pixels; a picture wider or higher than that is refused */
};
#define ANNO_ID_MAX (INT64_C(1) << 53)

/* One object. Strings belong to the table. */
typedef struct anno_row {
    int64_t image_id; /* 0 .. 2^53 */
    const char *file_name;
    const char *category;
    int32_t width, height; /* of the picture, 1 .. ANNO_SIDE_MAX */
    box box;
    bool ignore;
    uint32_t image; /* index into anno_table.images */
} anno_row;

/* One picture and its objects, in the order of their rows (they need not be neighbours in the file). */
typedef struct anno_image {
    int64_t id;
    const char *file_name;
    int32_t width, height;
    const uint32_t *rows; /* indices into anno_table.rows, ascending; owned by the table */
    uint32_t count;
} anno_image;

typedef struct anno_table {
    anno_row *rows; /* in file order */
    size_t count, capacity;
    anno_image *images; /* in the order in which they first appear; images[i] has file_names number i */
    size_t image_count, image_capacity;
    names file_names; /* number = index into images */
    names categories; /* in order of first appearance */
    idmap ids;        /* image id to index into images */
    uint32_t *row_lists;
} anno_table; /* zero-initialise */

/* Appends an object. Names are copied; the row's picture is found or added. Refuses (ERR_INPUT, a text
 * without file and place: put them before it with fail_context) what a file may not hold; see anno_read. Rows
 * of anno_image are there only after anno_finish. */
int anno_add(anno_table *t, int64_t image_id, text_field file_name, int32_t width, int32_t height, text_field category,
             box b, bool ignore, error *e);

/* Ends the building: fills the row lists of the images. */
int anno_finish(anno_table *t, error *e);

/* Reads and validates anno.tsv or largest.tsv ("-": standard input). Errors name file and line: a wrong
 * header, a field that is no number, a box outside its picture, a file name with '/' or control characters,
 * one picture with two sizes or ids, one id with two pictures. A table without rows is fine. Whoever called
 * it frees the table with anno_free (also after a failure, when it is empty). */
int anno_read(anno_table *t, const char *path, error *e);

/* The picture of that name, or NULL. */
const anno_image *anno_find(const anno_table *t, const char *file_name);

/* The picture with that id, or NULL. */
const anno_image *anno_find_id(const anno_table *t, int64_t id);

/* The largest object of a picture that is not ignored: the greatest box_score, the first in file order among
 * equals. NULL when every object is ignored. */
const anno_row *anno_largest(const anno_table *t, const anno_image *image);

/* The same among all but one; NULL when no other is left. */
const anno_row *anno_largest_but(const anno_table *t, const anno_image *image, const anno_row *one);

/* Writes anno.tsv ("-": standard output). A file that would not change is left alone, with its time: what is made of it
 * need not be made again. */
int anno_write(const anno_table *t, const char *path, error *e);

/* Writes largest.tsv: of each picture the row of anno_largest. *without: pictures that have none. */
int anno_write_largest(const anno_table *t, const char *path, size_t *without, error *e);

void anno_free(anno_table *t);

/* ERR_INPUT unless each picture has exactly one row, and none is ignored; `path` is for the message. */
int anno_check_one_each(const anno_table *t, const char *path, error *e);

/* --check of json2anno, and of largest (which also wants one row per picture and none ignored). */
int anno_check(const char *path, error *e);
int anno_check_largest(const char *path, error *e);

#endif
