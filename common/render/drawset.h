/* drawset.h - a set of drawings as a PASCAL VOC folder:
 *
 *     DIR/Annotations/000001.xml …
 *     DIR/ImageSets/Main/{train,val,trainval}.txt     every fifth picture is in val, all are in trainval
 *     DIR/JPEGImages/000001.jpg …
 *     DIR/drawn.txt                                   what the set is: "pictures 4000", …, "sha256 …"
 *
 * The same settings give the same bytes, on any number of threads.
 */
#ifndef ONEBOX_RENDER_DRAWSET_H
#define ONEBOX_RENDER_DRAWSET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DRAWSET_MAX_PICTURES = 100000 };

typedef struct drawset_options {
    int pictures; /* 1 to DRAWSET_MAX_PICTURES */
    int size;     /* shorter side in pixels, DRAWING_MIN_SIZE to DRAWING_MAX_SIZE */
    uint64_t seed;
    int threads; /* 0: as many as there are processors */
} drawset_options;

typedef struct drawset_summary {
    size_t objects, difficult, truncated, occluded;
    bool changed; /* false: DIR held the same set already and was left alone */
} drawset_summary;

/* Draws the set into a folder beside `dir` and renames it when all is written, so that `dir` holds a whole
 * set or what it held before; a failure or a signal (INT, TERM, HUP, QUIT, XCPU) removes the unfinished one.
 * An older set is replaced. ERR_USAGE when `dir` is there and is anything else than an empty folder or a drawn
 * set (one with files of other origin in it included); ERR_SYSTEM when the system refuses. */
int drawset_make(const char *dir, const drawset_options *o, drawset_summary *s, error *e);

/* For --check: `dir` holds a whole set, byte by byte as it was drawn. */
int drawset_check(const char *dir, error *e);

#endif
