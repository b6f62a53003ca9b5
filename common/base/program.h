/* program.h - what all programs share: options, --help, --man, --version, --check, error lines, exit codes.
 *
 * This is the programs' front, the one module of the library that prints. A stage is
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct options o = {.val_pct = 0.2, .seed = 42};
 *         const option options[] = {
 *             {"output", 'o', OPTION_TEXT, &o.output, "FILE", "write here ('-': standard output)", .required
 * = true},
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
 */
#ifndef ONEBOX_BASE_PROGRAM_H
#define ONEBOX_BASE_PROGRAM_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define ONEBOX_VERSION "0.1.0"
#define ONEBOX_DATE "2026-11-24" /* of the manual pages */

typedef enum option_type {
    OPTION_FLAG,   /* bool *,    no argument */
    OPTION_TEXT,   /* const char **, points into argv */
    OPTION_INT,    /* int64_t *, within [min, max] */
    OPTION_NUMBER, /* double *,  within [min, max] */
    OPTION_CHOICE, /* const char **, one of the words in `choices` */
    OPTION_LIST,   /* option_list *, may be repeated, keeps the order */
} option_type;

typedef struct option_list {
    const char **items; /* owned by the list, freed by program_end; texts point into argv */
    size_t count, capacity;
} option_list;

typedef struct option {
    const char *name; /* long name without dashes; NULL ends the table */
    char letter;      /* short form, or 0 */
    option_type type;
    void *value;          /* the default is what it holds before program_begin; --help prints that */
    const char *argument; /* the argument's name in --help */
    const char *help;     /* one or more lines ('\n' between) */
    double min, max;      /* for numbers; both 0: no limits */
    const char *choices;  /* "auto|direct|winograd" */
    bool required;
    const char *group; /* a heading printed before this option in --help */
} option;

typedef struct operands {
    char **items; /* inside argv */
    int count;
} operands;

typedef struct program {
    const char *name;
    const char *summary;  /* one line */
    const char *usage;    /* what follows the name: "[--order set|id] --lrg FILE … largest.tsv" */
    const char *details;  /* paragraphs for --help and --man, or NULL: formats, columns, rules; lines that
                           * begin with a blank stay lines in the manual page, others are filled */
    const char *examples; /* lines to paste, each ending in '\n' */
    const option *options;
    int min_operands, max_operands; /* max -1: any number */
    /* --check FILE: validates a file of the format this program writes. NULL: the program has no --check. */
    int (*check)(const char *path, error *e);
    /* lines for --version beside version and compiler ("libjpeg-turbo 2.1.5"), NULL-terminated list of
     * functions; each appends lines to the buffer `text` of `size` bytes */
    void (*const *libraries)(char *text, size_t size);
} program;

/* Parses argv. Returns false when the program should go on; true when it should return *exit_code at once. */
bool program_begin(const program *p, int argc, char **argv, operands *args, int *exit_code);

/* Prints e's line, if it holds one, as "NAME: TEXT" on stderr, notices a failed standard output, frees option
 * lists. Returns the exit code. */
int program_end(const program *p, error *e);

/* "NAME: text" on stderr: counts and remarks that are neither results nor errors. At most 2047 bytes of text.
 * Like the error's line it is also appended to the file that the environment's ONEBOX_LOG names. */
void program_note(const program *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
