/* progress.h - how far a long run has come: a bar on a terminal, plain lines in a log.
 *
 * This belongs to the programs' front, like program.h. Library code reports its position to a callback and
 * never prints. On a terminal one line is drawn over and over with '\r', at most ten times a second;
 * elsewhere a whole line is written every `interval` seconds, so that a log stays readable.
 */
#ifndef ONEBOX_BASE_PROGRESS_H
#define ONEBOX_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct progress {
    FILE *stream;
    bool terminal;
    double interval; /* seconds between plain lines */
    double shown;    /* when something was last shown, in seconds; below 0: never */
    bool drawn;      /* a bar stands on the terminal's line now */
} progress;

/* `stream` stays with the caller. `now` (here and below) is a monotonic time in seconds, see
 * progress_seconds; plain lines start one interval after it. */
progress progress_start(FILE *stream, bool terminal, double interval, double now);

/* Shows "WHAT [####....] DONE/TOTAL  VALUES" when it is time to (and on a terminal also when done = total).
 * `what` and `values` are one line each. On a narrow terminal the bar becomes shorter, then goes, before anything else
 * is cut off. */
void progress_show(progress *p, double now, const char *what, int64_t done, int64_t total, const char *values);

/* Wipes the bar, so that other lines may be printed; nothing elsewhere. Call it before any other output and
 * at the end. */
void progress_clear(progress *p);

/* Seconds of the monotonic clock. */
double progress_seconds(void);

/* "0:07", "12:34" or "1:02:03", rounded to whole seconds; "-:--" when negative or not finite. */
void progress_duration(char text[24], double seconds);

#endif
