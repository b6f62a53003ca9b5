/* objects.h - every object of a picture from a grid of cells: which cell answers for which object, the loss, and the
 * way back from the network's outputs to objects.
 *
 * The network (resnet.h, TASK_OBJECTS) sees a size x size frame as size/OBJECTS_STRIDE rows and columns of cells. Its
 * output for one picture is 4 + classes maps of that many cells, in the order C, H, W. The first four say how far the
 * sides of a box are from the middle of the cell, to the top, left, bottom and right:
 *   distance = softplus(output) * size * OBJECTS_REACH            pixels of the frame
 * the others are one score per class, sigmoid(output), trained to be the box's intersection over union with the object
 * (Li et al. 2020, Generalized Focal Loss, arXiv 2006.04388, section 3.1).
 * Boxes are edges here: y2 and x2 are where the box ends, one more than its last pixel.
 */
#ifndef ONEBOX_NN_OBJECTS_H
#define ONEBOX_NN_OBJECTS_H

#include "base/box.h"
#include "base/error.h"
#include "graph/resnet.h"
#include "nn/loss.h"

#define OBJECTS_REACH 0.2

/* One object of a training picture, as a row of a batch's targets. */
typedef struct object_target {
    float class_index; /* a whole number; -1: to be ignored (difficult, a crowd, or nearly cut off) */
    float y1, x1, y2, x2;
} object_target;

/* The targets of a picture are so many floats: the number of objects, then an object_target for each of `most`. */
int objects_target_floats(int most);

typedef struct objects_shape {
    int batch, classes;
    int size;          /* side of the frame */
    int target_floats; /* of a picture's targets */
} objects_shape;

enum { CELL_BACKGROUND = -1, CELL_IGNORED = -2 };

/* Which object each cell answers for: its number, or one of the two above. A cell answers for an object when its middle
 * lies in the box, no further from the box's middle than 1.5 cells or a fifth of the side, whichever is more, in either
 * direction; an object with no such cell gets the one whose middle is nearest (the first of equals). Of several objects
 * the one with the least area has the cell, the first of equals. A cell that answers for none and whose middle lies in
 * an ignored object is ignored. cells: (size / OBJECTS_STRIDE)^2 of them, row first. */
void objects_assign(const object_target *objects, int count, int size, int32_t *cells);

/* The loss of a batch (`gradient` and `value` as for loss_compute of loss.h). A cell that answers for an object weighs
 * 1 / sqrt(the cells of that object), so that a large one does not count as many times as a small one as it has more
 * cells; others weigh 1, ignored ones 0. With W the sum of the weights of the cells that answer for an object in the
 * whole batch, at least 1:
 *   sum over cells and classes of weight |y - s|^2 BCE(s, y), divided by W, where s is the score and y the intersection
 *   over union of the cell's box with its object (a constant to the gradient), for the object's class, else 0
 *   + OBJECTS_BOX_WEIGHT times the sum over the cells that answer of weight (1 - GIoU), divided by W (Rezatofighi et
 *   al. 2019, arXiv 1902.09630, by the formula of torchvision.ops.generalized_box_iou_loss)
 * value: accuracy is the share of these cells whose greatest score is the object's class, l1 the mean distance of their
 * boxes' sides, in pixels of the frame. ERR_INPUT for a class that the network does not have. The weight was chosen on
 * training pictures among 0.3, 0.7 and 2: more teaches boxes and less classes. */
#define OBJECTS_BOX_WEIGHT 0.7
int objects_loss(const objects_shape *s, const float *output, const float *targets, float *gradient, loss_value *value,
                 error *e);

/* What outputs mean. */
typedef struct object_found {
    int class_index;
    double score;   /* 0 .. 1 */
    box_real edges; /* in the frame, cut to it */
} object_found;

typedef struct objects_search {
    int classes, size;
    double least;   /* scores below this are nothing */
    double overlap; /* of two boxes of one class with more intersection over union than this, the lower score goes */
    int most;       /* so many are kept */
} objects_search;

/* The objects in one picture's output, in descending score, the first cells first among equals. Each cell offers its
 * best class. found: room for s->most. Returns how many, or -1 with e set (memory). */
int objects_find(const objects_search *s, const float *output, object_found *found, error *e);

/* Which of `count` objects is the picture's largest: the greatest score * (area / frame)^OBJECTS_LARGEST_POWER, the
 * first of equals; -1 when there is none. The power was chosen on training pictures. */
#define OBJECTS_LARGEST_POWER 0.5
int objects_largest(const object_found *found, int count, int size);

#endif
