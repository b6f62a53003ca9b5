/* found.h - what a folder of products holds, told by file names, and what the logs of make's steps say. */
#ifndef ONEBOX_REPORT_FOUND_H
#define ONEBOX_REPORT_FOUND_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct found_list {
    char **names; /* in byte order, relative to the folder of products: "lr/cls.head.png" */
    size_t count, capacity;
} found_list; /* zero-initialise; found_free */

typedef struct found {
    found_list files;    /* everything in the folder itself that is a file and not hidden */
    found_list models;   /* names of trainings: cls, bbox, detn, objects first, then others in byte order */
    found_list lr;       /* lr: PNG files */
    found_list pictures; /* pictures: PNG files */
    found_list logs;     /* log: .log files */
} found;

/* Looks into `directory` ("" is the current one). A training NAME is there when NAME.ckpt or NAME.history.tsv is;
 * checkpoints after phases (NAME.0.ckpt beside one of those) are no trainings. ERR_INPUT when there is no such folder.
 * found_free also after a failure. */
int found_in(found *f, const char *directory, error *e);
void found_free(found *f);

/* True when the folder has the file "NAME" + ending. */
bool found_has(const found *f, const char *name, const char *ending);

/* What a training of this name does, as make names them: "Classifier" for cls; the name itself for other names. */
const char *found_title(const char *name);

/* What log/NAME.log says; "" for what it does not. Texts are cut when they are longer. */
typedef struct found_step {
    char command[4096];
    char seconds[32];
    char exit[16];
    char memory[64]; /* "3.69 GiB", of a training */
} found_step;
int found_read_step(found_step *s, const char *path, error *e);

#endif
