/* render.h - the kinds of pictures that render draws. Each function reads what its kind needs, draws, writes
 * request->output whole or not at all, and appends what is worth printing (shapes, boxes) to `printed`.
 */
#ifndef ONEBOX_RENDER_RENDER_H
#define ONEBOX_RENDER_RENDER_H

#include "base/error.h"
#include "base/options.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* The options of render; NULL or 0 is "not given" except where a default is named. */
typedef struct render_request {
    const char *kind, *output;
    const char *values;                 /* file for what is printed; NULL: the caller prints it */
    const char *anno;                   /* anno.tsv or largest.tsv */
    const char *images;                 /* folder of the pictures */
    const char *image;                  /* file name, its stem or id */
    const char *val;                    /* list of file names; the picture is number `first` of it */
    const char *pred;                   /* pred.tsv */
    const char *cache;                  /* 224.cache */
    const char *history, *batches, *lr; /* TSV files of trainings */
    const char *title;                  /* over a plot */
    const char *figure;                 /* "WxH" inches; NULL: the kind's own size */
    double label_size;                  /* points; 0: the kind's own size */
    double least;                       /* probability of the objects that are drawn, and above */
    int64_t rows, columns;              /* of a grid; 0: the kind's own */
    int64_t first;                      /* the first picture of pred.tsv that is shown; see val */
    int64_t skip, skip_end;             /* points of a learning-rate curve left out */
    bool trim;                          /* cut the white border off, as notebooks do */
    option_list augments;               /* "flip=0.5", "rotate=30,0.75", in order; none: the lesson's */
    int64_t seed;                       /* of the augmentations */
    bool leave_boxes;                   /* boxes stay as they were in the picture's own pixels */
} render_request;

/* What each kind is called, whether it is there, and that it has what it needs (ERR_USAGE otherwise). With
 * `values` the printed text goes there as well, after the picture. */
int render_picture(const render_request *r, text_buffer *printed, error *e);

/* Kind boxes: all objects of one picture that are not ignored, with their classes; prints (height,width,3) and a line
 * "(x,y,w,h) class" for each. Kind largest: only the largest of them, on a 5 x 10 inch figure. */
int render_boxes(const render_request *r, text_buffer *printed, error *e);

/* rows x columns pictures of pred.tsv with predicted box and class; with annotations, their largest object in
 * green. Pictures and boxes are the pictures' own (images) or those of the square that the network saw
 * (cache; boxes from pred.tsv's frame columns). Prints "file_name class (x,y,w,h)" for each. Kind objects: of a table
 * of all objects (predict --all), those of at least probability `least`, beside all that are annotated. */
int render_grid(const render_request *r, text_buffer *printed, error *e);

/* One picture of the cache as the network sees it when it validates, squashed to a square, on a 7.5 x 4.5
 * inch figure; with annotations its largest object. Prints file name, shape, and "(x,y,w,h) class" and the
 * corners of the box in that square. */
int render_sample(const render_request *r, text_buffer *printed, error *e);

/* 3 x 3 times the same picture of the cache as the network sees it when it trains, differently augmented,
 * with the box of its largest object, on a 9 x 9 inch figure. leave_boxes: the box does not follow, which is
 * wrong. Prints file name, shape, and for each "(x,y,w,h)" with what was drawn: flip, rotate with the angle
 * in degrees, lighting with brightness and factor of contrast, crop with the drawn share of the area, zoom with
 * how many times smaller, colour with the factor of saturation and the turn of the hue. */
int render_augment(const render_request *r, text_buffer *printed, error *e);

/* Losses, accuracy and box error by epoch, of one training; with batches also each batch's loss and the
 * learning rate. */
int render_curves(const render_request *r, text_buffer *printed, error *e);

/* Loss against learning rate (lr.tsv): points `skip` .. count - skip_end - 2, as fast.ai's sched.plot shows,
 * or all of them when none would be left. Prints their number and where the loss is lowest. */
int render_lr_find(const render_request *r, text_buffer *printed, error *e);

/* Learning rate against batch number (batches.tsv). */
int render_schedule(const render_request *r, text_buffer *printed, error *e);

/* --check of render: ERR_INPUT when the file is no PNG or JPEG, or cannot be decoded. */
int render_check(const char *path, error *e);

/* ---- for the functions above */
typedef struct figure figure;
typedef struct picture picture;
typedef struct anno_table anno_table;
typedef struct anno_image anno_image;

/* The image of that file name, stem or id; NULL when there is none. */
const anno_image *render_find_image(const anno_table *t, const char *name);

/* `name` is `file_name` without its extension. */
bool render_is_stem(const char *name, const char *file_name);

/* A height x width x 3 picture in [0,1] (what is outside is cut off) as 8 bits; the caller frees it. */
int render_floats(picture *p, const float *pixels, int height, int width, error *e);

/* Opens the figure that --figure asks for, or one of the default size in inches. */
int render_open(figure *f, const render_request *r, double width, double height, error *e);

/* Trims on request and saves. */
int render_save(figure *f, const render_request *r, error *e);

#endif
