/* predictor.h - what a trained network says about pictures: rows of a cache, files or folders.
 *
 * Pictures are decoded and scaled on background threads exactly as resize-cache does it, so a file and its
 * row in the cache give the same prediction. Predicted boxes are mapped back to the picture's own pixels
 * (image/unframe.h) with the augmentation that the checkpoint was trained with.
 */
#ifndef ONEBOX_NN_PREDICTOR_H
#define ONEBOX_NN_PREDICTOR_H

#include "base/box.h"
#include "device/device.h"
#include "image/picture_file.h"
#include "nn/checkpoint.h"
#include "nn/picture_list.h"

/* One object of a detector of all objects. */
typedef struct predicted_object {
    int class_index;
    double score; /* 0 .. 1 */
    box_real own; /* in the picture's own pixels: ordered, inside the picture */
} predicted_object;

typedef struct prediction {
    size_t item;
    const char *file_name;
    int height, width;         /* the picture's own */
    const double *probability; /* one per class, sums to 1; NULL for a model without classes, and for one of all
                                  objects */
    int best;                  /* the most probable class, the first of equals, or the largest object's; -1 without */
    double confidence;         /* its probability, or the largest object's score */
    bool has_box;
    box_real frame;                  /* in the size x size frame, as predicted: neither ordered nor clipped */
    box_real own;                    /* in the picture's own pixels: ordered, inside the picture */
    const predicted_object *objects; /* of a detector of all objects: the PREDICT_OBJECTS best, in descending score */
    int object_count;
} prediction;

enum { PREDICT_OBJECTS = 100 };
/* Of two boxes of a class with more intersection over union than this, the one with the lower score goes. */
#define PREDICT_OVERLAP 0.6

typedef struct predict_options {
    int batch;       /* pictures at a time */
    int threads;     /* for reading pictures */
    int64_t max_bad; /* so many files may be unreadable; they get no prediction */
    /* Each picture is seen a second time, mirrored, and the answers are averaged: probabilities, boxes in the frame, or
     * the maps of a detector of all objects, mirrored back. Takes the network's time twice. */
    bool flip;
    /* For each prediction, in the order of the list; a result other than 0 ends the run. */
    int (*row)(void *row_context, const prediction *p, error *e);
    void *row_context;
    /* For each unreadable file, in the order of the list among them; may be NULL. */
    void (*bad)(void *note_context, const char *message);
    /* For each file that was decoded with warnings, likewise. */
    void (*warned)(void *note_context, const char *message);
    void *note_context;
} predict_options;

/* Predicts all of the list, which is not empty. *bad: unreadable files. ERR_INPUT when more than max_bad are (the
 * line names the first one too many, in the order of the list), or when the network gives a number that is not
 * finite. */
int predict_run(const checkpoint *c, device *d, const picture_list *list, const predict_options *o, size_t *bad,
                error *e);

#endif
