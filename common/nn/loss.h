/* loss.h - losses and metrics of the three tasks, on the host, in double precision.
 *
 * output: batch x task_outputs. Targets: class index per picture, box y1, x1, y2, x2 per picture in pixels of
 * the size x size frame.
 *   cls   mean over the batch of -log softmax(output)[label]
 *   bbox  mean over batch * 4 of |output - box|
 *   detn  L1 + 20 CE, L1 = mean over batch * 4 of |size * sigmoid(output[0..3]) - box|,
 *         CE = mean cross-entropy of output[4..]
 * giou adds giou times the mean over the batch of 1 - GIoU (Rezatofighi et al. 2019, arXiv 1902.09630) to bbox's and
 * detn's loss; corners are inclusive, and those of an output that are reversed count in order. smoothing takes this
 * share of each label in the cross-entropy, and gives it to all classes alike (Szegedy et al. 2015, arXiv 1512.00567).
 */
#ifndef ONEBOX_NN_LOSS_H
#define ONEBOX_NN_LOSS_H

#include "base/box.h"
#include "graph/resnet.h"

#define DETN_CLASS_WEIGHT 20.0

typedef struct loss_shape {
    task task;
    int batch;
    int classes; /* 0 for bbox */
    int size;    /* side of the frame, scale of detn's boxes */
    double giou, smoothing;
} loss_shape;

/* Of one batch; also of a whole validation set (loss_mean). What a task does not have is 0. */
typedef struct loss_value {
    double loss;
    double accuracy; /* share of rows whose largest class score (the first of equals) is the label's */
    double l1;
} loss_value;

/* gradient: d(loss)/d(output), batch x outputs, or NULL. labels / boxes may be NULL where the task has none.
 * A label outside 0..classes-1 is ERR_INPUT (its row is named). */
int loss_compute(const loss_shape *s, const float *output, const int32_t *labels, const float *boxes, float *gradient,
                 loss_value *value, error *e);

/* 1 - GIoU of box b and target t, and its derivatives by b's sides y1, x1, y2, x2; as torchvision's
 * generalized_box_iou_loss. The corners are edges: y2 and x2 are one more than the last pixel. */
double loss_giou(box_real b, box_real t, double slope[4]);

/* Means over batches weighted by their sizes (so that a smaller last batch counts less). Zero-initialise. */
typedef struct loss_mean {
    double loss, accuracy, l1, weight;
} loss_mean;
void loss_mean_add(loss_mean *m, loss_value value, int batch);
loss_value loss_mean_value(const loss_mean *m);

/* Running training loss: avg = 0.98 avg + 0.02 loss from 0; the value shown is avg / (1 - 0.98^n). n counts
 * batches since the start of the phase. Zero-initialise at the start of each phase. */
typedef struct loss_smooth {
    double average;
    int64_t count;
} loss_smooth;
double loss_smooth_add(loss_smooth *s, double loss); /* returns the value shown */
double loss_smooth_value(const loss_smooth *s);

/* What outputs mean, for predictions: class probabilities (softmax over `classes` scores) of one row. */
void loss_softmax(const float *scores, int classes, double *probability);

/* One row's box in the size x size frame: the output itself (bbox) or size * sigmoid(output) (detn). Not
 * clipped. Returns false for TASK_CLS. */
bool loss_box(task t, int size, const float *output, box_real *b);

/* One row's class scores inside `output`, or NULL for TASK_BBOX. */
const float *loss_scores(task t, const float *output);

#endif
