/* signals.h - what happens before a signal ends a program: temporary files are removed, and a mapped input that became
 * shorter is named.
 *
 * A signal can come at any time, in any thread, so the handlers use nothing but a list that only grows and what
 * POSIX allows in handlers. What is watched is entered before it exists and released after it is gone.
 */
#ifndef ONEBOX_BASE_SIGNALS_H
#define ONEBOX_BASE_SIGNALS_H

#include "base/error.h"

#include <stdbool.h>

/* Called once, by program_begin; `program` stays with the caller. From then on
 *   HUP INT QUIT TERM PIPE XCPU   remove watched files and end the program (one that is ignored at the start stays so),
 *   XFSZ                          is ignored, and the write fails with ERR_SYSTEM,
 *   BUS in a watched mapping      is one line ("PROGRAM: FILE: …") and exit ERR_SYSTEM. */
void signals_begin(const char *program);

/* From now on HUP, INT and TERM end nothing: the first of them is noted, and the work stops when it looks. A second INT
 * ends the program as before. */
void signals_defer(void);
/* The number of the signal that was noted; 0: none. */
int signals_deferred(void);
/* Ends the program by the signal that was noted, so that shells and make see what ended it; returns if none was. */
void signals_deliver(void);

/* Between the two, signals that end the program wait until the work is done. For programs of one thread, and short. */
void signals_hold(void);
void signals_let_go(void);

/* Watches data[0..size), mapped from the file `name`; with data NULL the file itself, which is to be removed. NULL with
 * e set when memory is refused or the name is too long for any file. Releasing NULL does nothing. */
struct signals_watch *signals_watch(const char *name, const void *data, size_t size, error *e);
void signals_release(struct signals_watch *watch);

#endif
