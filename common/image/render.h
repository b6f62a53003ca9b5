/* render.h - the kinds of pictures that render draws. Each function reads what its kind needs, draws, writes
 * request->output whole or not at all, and appends what is worth printing (shapes, boxes) to `printed`.
 */
#ifndef ONEBOX_IMAGE_RENDER_H
#define ONEBOX_IMAGE_RENDER_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* The options of render; NULL or 0 is "not given" except where a default is named. */
typedef struct render_request {
    const char *kind, *output;
    const char *anno;                   /* anno.tsv or largest.tsv */
    const char *images;                 /* folder of the pictures */
    const char *image;                  /* file name, its stem or id */
    const char *pred;                   /* pred.tsv */
    const char *cache;                  /* 224.cache */
    const char *history, *batches, *lr; /* TSV files of trainings */
    const char *title;                  /* over a plot */
    const char *figure;                 /* "WxH" inches; NULL: the kind's own size */
    double label_size;                  /* points; 0: the kind's own size */
    int64_t rows, columns, first;       /* of a grid; `first`: the first row of pred.tsv that is shown */
    int64_t skip, skip_end;             /* points of a learning-rate curve left out */
    bool trim;                          /* cut the white border off, as notebooks do */
} render_request;

/* What each kind is called, whether it is there, and that it has what it needs (ERR_USAGE otherwise). */
int render_picture(const render_request *r, text_buffer *printed, error *e);

/* All objects of one picture that are not ignored, with their classes; prints (height,width,3) and a line
 * "(x,y,w,h) class" for each. `largest`: only the largest of them, on a 5 x 10 inch figure. */
int render_boxes(const render_request *r, text_buffer *printed, error *e);
int render_largest(const render_request *r, text_buffer *printed, error *e);

/* rows x columns pictures of pred.tsv with predicted box and class; with annotations, their largest object in
 * green. Pictures and boxes are the pictures' own (images) or those of the square that the network saw
 * (cache; boxes from pred.tsv's frame columns). Prints "file_name class (x,y,w,h)" for each. */
int render_grid(const render_request *r, text_buffer *printed, error *e);

/* Losses, accuracy and box error by epoch, of one training; with batches also each batch's loss and the
 * learning rate. */
int render_curves(const render_request *r, text_buffer *printed, error *e);

/* Loss against learning rate (lr.tsv): points `skip` .. count - skip_end - 2, as fast.ai's sched.plot shows.
 */
int render_lr_find(const render_request *r, text_buffer *printed, error *e);

/* Learning rate against batch number (batches.tsv). */
int render_schedule(const render_request *r, text_buffer *printed, error *e);

/* --check of render: ERR_INPUT when the file is no PNG or cannot be decoded. */
int render_check(const char *path, error *e);

/* ---- for the functions above */
typedef struct figure figure;

/* Opens the figure that --figure asks for, or one of the default size in inches. */
int render_open(figure *f, const render_request *r, double width, double height, error *e);

/* Trims on request, saves and closes. */
int render_save(figure *f, const render_request *r, error *e);

#endif
