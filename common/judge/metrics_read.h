/* metrics_read.h - metrics.json, as evaluate writes it, read back. */
#ifndef ONEBOX_JUDGE_METRICS_READ_H
#define ONEBOX_JUDGE_METRICS_READ_H

#include "base/error.h"
#include "judge/metrics.h"

#include <stdint.h>

/* One class. What the predictions do not have is NaN. */
typedef struct metrics_file_class {
    char *name;
    int64_t n, predicted, correct;
    double recall, precision, l1, mean_iou, iou_half, loc_largest, loc_any;
} metrics_file_class;

typedef struct metrics_file {
    int64_t n, unjudged, unpredicted, frame;
    metric accuracy, l1, mean_iou, iou_half, loc_largest, loc_any; /* NaN: not there */
    metrics_file_class *classes;                                   /* in the file's order */
    size_t class_count, class_capacity;
} metrics_file;

/* Reads and validates. ERR_INPUT as from metrics_check. metrics_file_free also after a
 * failure. */
int metrics_read(metrics_file *m, const char *path, error *e);
void metrics_file_free(metrics_file *m);

#endif
