/* program_man.h - a program's manual page, written from the table in which the program says what it is. */
#ifndef ONEBOX_BASE_PROGRAM_MAN_H
#define ONEBOX_BASE_PROGRAM_MAN_H

#include "base/options.h"

#include <stdio.h>

/* man(7) source of section 1: NAME, SYNOPSIS, DESCRIPTION, OPTIONS, EXIT STATUS, EXAMPLES, SEE ALSO. */
void program_man(const program *p, FILE *f);

#endif
