/* report.h - one HTML page over a folder of products: data, models, figures, pictures, how it was made. */
#ifndef ONEBOX_REPORT_REPORT_H
#define ONEBOX_REPORT_REPORT_H

#include "report/found.h"
#include "report/html.h"

typedef struct report_request {
    const char *directory; /* the folder of products */
    const char *output;    /* "-": standard output */
    const char *val;       /* list of validation pictures; NULL: val.txt of the folder */
    const char *title;     /* NULL: "onebox: NAME OF THE FOLDER" */
} report_request;

/* Reads what the folder holds under the names that make gives (anno.tsv, largest.tsv, lrg.csv, bb.csv,
 * val.txt; NAME.ckpt, .history.tsv, .metrics.json, .curves.png, .grid.png; lr/ and pictures/ with PNG files;
 * log/), and writes the page, whole or not at all. Whatever is not there is left out; pictures are in the
 * page, other files are linked relative to where the page is written. Equal files give equal bytes.
 * ERR_INPUT: no such folder, nothing in it to report, or a file that does not hold what its name says. */
int report_write(const report_request *r, error *e);

/* --check of report: a page that report wrote, to its end. */
int report_check(const char *path, error *e);

/* ---- the parts, each of which writes its section */

void report_data(html *h, const found *f, const char *val);
void report_model(html *h, const found *f, const char *name);

/* The columns of the table of all models, and one row of it. True when the row holds a standard error. */
void report_summary_head(html *h);
bool report_summary_row(html *h, const found *f, const char *name);

void report_lr(html *h, const found *f);
void report_pictures(html *h, const found *f);
void report_steps(html *h, const found *f);
void report_files(html *h, const found *f);

#endif
