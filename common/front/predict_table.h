/* predict_table.h - predictions of a checkpoint as the table pred.tsv, and drawn if wanted. */
#ifndef ONEBOX_FRONT_PREDICT_TABLE_H
#define ONEBOX_FRONT_PREDICT_TABLE_H

#include "base/program.h"
#include "nn/predictor.h"

typedef struct predict_table {
    const char *ckpt_path;
    const char *cache_path, *only_path; /* NULL: files; NULL: all rows */
    const char *output;                 /* "-": standard output */
    const char *save_pictures;          /* folder, made when it is not there; NULL: none */
    int frame;                          /* the network's side: adds the box in its frame; 0: without */
    int top;                            /* adds the most probable classes; 0: without */
    bool all;                           /* a row for each object, not for the largest alone */
    double least;                       /* what has less probability is no answer; PREDICT_LEAST: see there */
    bool flip;                          /* the mirrored picture as well, averaged */
    const char *device;
    device_options device_options;
    bool as_trained; /* fp32 and tf32 of the checkpoint's recipe go before device_options.precision */
    int batch;
    int64_t max_bad;
    const program *program; /* notes each unreadable picture */

    size_t predicted, unreadable; /* results */
    double rate;                  /* pictures per second, drawing included, start-up not */
    char remark[512];             /* device_remark, or "" */
} predict_table;

/* 0.3 with `all`, else 0. */
#define PREDICT_LEAST (-1.0)

/* Predicts all of the cache's rows, or the files and folders in `named`. The table is complete or absent. */
int predict_table_write(predict_table *t, char *const *named, int count, error *e);

#endif
