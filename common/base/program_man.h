/* program_man.h - a program's manual page, written from what the program says of itself in program.h. */
#ifndef ONEBOX_BASE_PROGRAM_MAN_H
#define ONEBOX_BASE_PROGRAM_MAN_H

#include "base/program.h"

#include <stdio.h>

/* man(7) source of section 1: NAME, SYNOPSIS, DESCRIPTION, OPTIONS, EXIT STATUS, EXAMPLES, SEE ALSO. */
void program_man(const program *p, FILE *f);

/* "[42]" of --help: the default that the option's variable holds, as text; "" when there is none. */
const char *program_default(const option *o, char text[64]);

#endif
