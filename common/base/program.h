/* program.h - what all programs share: options, --help, --man, --version, --check, error lines, exit codes.
 *
 * This is the programs' front, the one module of the library that prints. A stage is
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct options o = {.val_pct = 0.2, .seed = 42};
 *         const option options[] = {
 *             {"output", 'o', OPTION_OUTPUT, &o.output, "FILE", "write here ('-': standard output)", .required = true},
 *             {"seed", 0, OPTION_INT, &o.seed, "N", "seed of the split", .min = 0, .max = UINT32_MAX},
 *             {0}};
 *         const program p = {.name = "mkcsv", .summary = …, .usage = …, .options = options, …};
 *         operands args;
 *         error e = {0};
 *         int code;
 *         if (program_begin(&p, argc, argv, &args, &code))
 *             return code;                    // --help, --man, --version, --check, or a usage error
 *         … calls that set e …
 *         return program_end(&p, &e);
 *     }
 *
 * Exit codes are those of error.h.
 *
 * Standard input, output or error that is closed when the program starts stays unusable, but no file of the program
 * gets its number. A standard output that nobody reads any more (| head) ends the program, unless an OPTION_OUTPUT
 * names a file: a training goes on without its table on the screen.
 */
#ifndef ONEBOX_BASE_PROGRAM_H
#define ONEBOX_BASE_PROGRAM_H

#include "base/options.h"
#include "base/text.h"

#include <stdio.h>

#define ONEBOX_VERSION "0.1.0"
#define ONEBOX_DATE "2026-11-24" /* of the manual pages */

/* Parses argv. Returns false when the program should go on; true when it should return *exit_code at once. */
bool program_begin(const program *p, int argc, char **argv, operands *args, int *exit_code);

/* Prints e's line, if it holds one, as "NAME: TEXT" on stderr, notices a failed standard output, frees option
 * lists. Returns the exit code. */
int program_end(const program *p, error *e);

/* The manual page of section 1, in man(7): NAME, SYNOPSIS, DESCRIPTION, OPTIONS, EXIT STATUS, EXAMPLES, SEE ALSO. */
void program_man(const program *p, FILE *f);

/* "NAME: text" on stderr: counts and remarks that are neither results nor errors. At most 2047 bytes of text.
 * Like the error's line it is also appended to the file that the environment's ONEBOX_LOG names. */
void program_note(const program *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes each line of `lines`, a text of the library's remarks. */
void program_notes(const program *p, const text_buffer *lines);

#endif
