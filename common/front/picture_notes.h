/* picture_notes.h - what a program says of pictures that cannot be used, or only with a warning of their decoder: of
 * each kind the first three, a line each. The caller says how many more there were. */
#ifndef ONEBOX_FRONT_PICTURE_NOTES_H
#define ONEBOX_FRONT_PICTURE_NOTES_H

#include "base/program.h"

#include <stddef.h>

typedef struct picture_notes {
    const program *program;
    const char *bad_end; /* behind the message of an unusable picture, such as "; left out" */
    size_t bad, warned;  /* how many there were, named or not */
} picture_notes;

/* For the `bad` and `warned` of cache_options and predict_options; `notes` is a picture_notes. */
void picture_notes_bad(void *notes, const char *message);
void picture_notes_warned(void *notes, const char *message);

/* How many of `count`, the field bad or warned, were not named. */
size_t picture_notes_rest(size_t count);

#endif
