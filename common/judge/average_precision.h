/* average_precision.h - how good a detector of all objects is: its table (pred.h, all objects) against anno.tsv.
 *
 * The rule of PASCAL VOC's development kit (Everingham et al. 2010, International Journal of Computer Vision 88,
 * section 4.2; VOCevaldet.m): of each class the predictions of all pictures are taken in descending score, equal ones
 * in the order of the table. One is right when the object of its class in that picture with the greatest intersection
 * over union (corners inclusive) has at least 0.5 and was not taken before; it is wrong otherwise, a second one for the
 * same object too. A prediction whose best object is one to be ignored (VOC's difficult ones, COCO's crowds) is
 * neither.
 * After each prediction there are a precision and a recall; the average precision is
 *   area          the area below the curve of the greatest precision at this recall or above (VOC 2010 and later)
 *   eleven        the mean of that precision at recall 0, 0.1, … 1 (VOC 2007)
 */
#ifndef ONEBOX_JUDGE_AVERAGE_PRECISION_H
#define ONEBOX_JUDGE_AVERAGE_PRECISION_H

#include "base/error.h"
#include "base/text.h"
#include "voc/anno.h"
#include "voc/pred.h"

#define AVERAGE_PRECISION_IOU 0.5

typedef struct average_precision_class {
    const char *name;
    size_t objects;   /* that are not to be ignored */
    size_t predicted; /* of the class, those that are neither right nor wrong included */
    size_t right;
    double area, eleven; /* NaN without an object */
} average_precision_class;

typedef struct average_precision {
    size_t pictures, objects, predicted, ignored; /* objects that count; rows; objects to be ignored */
    double area, eleven;                          /* means over the classes that have an object */
    average_precision_class *classes;             /* every class of the pictures or predictions, in byte order */
    size_t class_count, class_capacity;
    names class_names;
} average_precision; /* zero-initialise */

/* Judges the pictures that `pred` names (pred_read_all), those with a row of dashes too. ERR_INPUT when one of them is
 * not in `anno`, and when there is no object at all. average_precision_free also after a failure. */
int average_precision_compute(average_precision *a, const pred_table *pred, const anno_table *anno, error *e);

/* Adds the figures as JSON, or as a table for people, to `out`. */
int average_precision_json(const average_precision *a, text_buffer *out, error *e);
int average_precision_table(const average_precision *a, text_buffer *out, error *e);

/* Reads and validates what average_precision_json wrote; the names of classes belong to *a. */
int average_precision_read(average_precision *a, const char *path, error *e);

void average_precision_free(average_precision *a);

/* --check of evaluate: figures of largest objects (metrics.h) or of all. */
int average_precision_check(const char *path, error *e);

#endif
