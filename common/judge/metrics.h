/* metrics.h - how good predictions are: pred.tsv judged against anno.tsv.
 *
 * Every predicted picture is compared with its largest object that is not ignored:
 *   accuracy       share of pictures whose predicted class is the largest object's
 *   l1             mean |difference| over the four sides, in pixels of the square frame the network sees (224). The
 *                  true box gets there as validation labels do (scaled and squashed as a mask: the box of the pixels
 *                  left); the predicted one from pred.tsv's frame columns, or, without them, from its own-pixel box
 *                  by the inverse of predict's map (l1_from_own_pixels tells)
 *   mean IoU       intersection over union in own pixels, corners inclusive (+1)
 *   IoU >= 0.5     the share, whatever the class
 *   LocAcc@0.5     class right and IoU >= 0.5 (the localisation measure of ILSVRC, Russakovsky et al. 2015, arXiv
 *                  1409.0575, section 4, with one guess instead of five); once against the largest object, once against
 *                  any object of the picture that has the predicted class
 *   either         IoU >= 0.5 with the largest object or the second, in the pictures where the second has at least a
 *                  given share of the largest one's area: which of two is the larger is a matter of pixels there, but
 *                  a box between the two is wrong with both. On request only
 * Standard errors: sqrt(p (1-p) / n) for shares, s / sqrt(n) with the sample deviation s over pictures for means.
 */
#ifndef ONEBOX_JUDGE_METRICS_H
#define ONEBOX_JUDGE_METRICS_H

#include "base/error.h"
#include "base/text.h"
#include "voc/anno.h"
#include "voc/pred.h"

#include <stdbool.h>

typedef struct metric {
    double value;
    double error; /* standard error */
} metric;

/* In the order of metrics.json; for one class METRIC_ACCURACY is its recall. */
enum { METRIC_ACCURACY, METRIC_L1, METRIC_MEAN_IOU, METRIC_IOU_HALF, METRIC_LOC_LARGEST, METRIC_LOC_ANY, METRICS };
extern const char *const metric_names[METRICS]; /* keys of metrics.json: "accuracy", … */

/* The pictures whose largest object has this class. */
typedef struct metrics_class {
    const char *name;
    size_t n;         /* pictures of this class */
    size_t predicted; /* pictures for which this class was predicted */
    size_t correct;   /* predicted and right */
    double precision; /* correct / predicted */
    metric of[METRICS];
} metrics_class;

/* What the predictions do not have, or what no picture tells, is NaN. */
typedef struct metrics {
    size_t n;           /* pictures judged */
    size_t unjudged;    /* predicted pictures without a kept object, left out on request */
    size_t unpredicted; /* annotated pictures without a prediction (not an error: a validation list is a part) */
    bool has_class, has_box;
    size_t frame; /* side of the frame of l1 */
    bool l1_from_own_pixels;
    metric of[METRICS];
    double near;            /* as asked for; 0: not, and then not in the texts */
    size_t near_n;          /* pictures with a second object of nearly the largest one's size */
    metric either;          /* of them */
    metrics_class *classes; /* every class of the judged pictures or predictions, byte order */
    size_t class_count, class_capacity;
    names class_names;
} metrics; /* zero-initialise */

typedef struct metrics_options {
    int frame;         /* the frame of l1 when pred has no frame columns; 0: 224 */
    double near;       /* share of the area from which on a second object is nearly as large; 0: not judged */
    bool skip_unknown; /* leave predicted pictures without a kept object out instead of refusing */
} metrics_options;

/* Judges. ERR_INPUT when a predicted picture has no kept object in `anno` (count and first three) unless
 * skip_unknown, when nothing is left to judge, and when some rows have a class or box and others none.
 * metrics_free also after a failure. */
int metrics_compute(metrics *m, const pred_table *pred, const anno_table *anno, const metrics_options *options,
                    error *e);

/* Adds metrics.json / a table for people to `out`. The table leaves out what the predictions do not have; JSON has null
 * there. */
int metrics_json(const metrics *m, text_buffer *out, error *e);
int metrics_table(const metrics *m, text_buffer *out, error *e);

/* Reads and validates what metrics_json wrote (its keys, and numbers in range), except has_class and has_box.
 * metrics_free also after a failure. metrics_check is the same for --check of evaluate. */
int metrics_read(metrics *m, const char *path, error *e);
int metrics_check(const char *path, error *e);

void metrics_free(metrics *m);

#endif
