/* The first three of each kind are named. */
#include "front/picture_notes.h"

enum { NAMED = 3 };

void picture_notes_bad(void *notes, const char *message)
{
    picture_notes *n = notes;
    if (n->bad++ < NAMED)
        program_note(n->program, "%s%s", message, n->bad_end);
}

void picture_notes_warned(void *notes, const char *message)
{
    picture_notes *n = notes;
    if (n->warned++ < NAMED)
        program_note(n->program, "%s (used all the same: look at it)", message);
}

size_t picture_notes_rest(size_t count)
{
    return count > NAMED ? count - NAMED : 0;
}
