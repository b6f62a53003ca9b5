/* options.h - what a program says of itself in a table, and its command line read by that table.
 *
 * program.h shows such a table. --help, --man, --version and --check are common to all programs and stand in a table of
 * their own.
 */
#ifndef ONEBOX_BASE_OPTIONS_H
#define ONEBOX_BASE_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum option_type {
    OPTION_FLAG,   /* bool *,    no argument */
    OPTION_TEXT,   /* const char **, points into argv */
    OPTION_INPUT,  /* the same: a file that is read, "-" for standard input */
    OPTION_OUTPUT, /* the same: a file that is written, "-" for standard output, as which /dev/stdout is taken too */
    OPTION_INT,    /* int64_t *, within [min, max] */
    OPTION_NUMBER, /* double *,  within [min, max] */
    OPTION_CHOICE, /* const char **, one of the words in `choices` */
    OPTION_LIST,   /* option_list *, may be given several times and keeps the order; the others once */
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

/* What stands on the command line beside the options: files and folders that are read. */
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
    /* --check FILE: validates a file of the format this program writes. NULL: the program has no --check. A text in e
     * beside the result 0 is a remark, which is printed. */
    int (*check)(const char *path, error *e);
    /* lines for --version beside version and compiler ("libjpeg-turbo 2.1.5"), NULL-terminated list of
     * functions; each appends lines to the buffer `text` of `size` bytes */
    void (*const *libraries)(char *text, size_t size);
} program;

/* What every program has besides its own options, for texts: --check, if it has one, --help, --man and --version. */
const option *options_of_all(const program *p);

/* "--help", "--man" or "--version", whichever comes first in argv as an option and not as another one's value; NULL
 * when none does. */
const char *options_common(const program *p, int argc, char **argv);

/* Sets the options' variables and gathers the operands. All failures but memory's are ERR_USAGE: unknown options,
 * values of the wrong kind or out of range, empty file names, an option given twice, one that is needed and missing,
 * and an output that is an input or another output, by whatever name. */
int options_parse(const program *p, int argc, char **argv, operands *args, error *e);

/* True when an OPTION_OUTPUT names a file: then that is the result, and standard output only tells about it. */
bool options_write_files(const program *p);

/* The default that an option's variable holds before options_parse, as text; "" when there is none. */
const char *option_default(const option *o, char text[64]);

/* Frees the OPTION_LISTs. */
void options_free(const program *p);

#endif
