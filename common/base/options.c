/* The command line is walked twice: first for --help and its like, which count wherever they stand, then in order, each
 * option into its variable and the rest to the front of argv as operands. Checks that need the whole line (required
 * options, how many operands, files that meet) come last. */
#include "base/options.h"

#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 128 };

/* ---------------------------------------------------------------- names */

const option *options_of_all(const program *p)
{
    static const option all[] = {
        {.name = "check", .argument = "FILE", .help = "exit 0 when FILE is valid output of this program, else 1"},
        {.name = "help", .letter = 'h', .help = "print a summary and exit"},
        {.name = "man", .help = "print the manual page as roff and exit: --man | man -l -"},
        {.name = "version", .help = "print version, compiler and libraries, and exit"},
        {0}};
    return p->check ? all : all + 1;
}

/* The option that the word "--name", "--name=value", "-x" or "-xvalue" names; NULL when there is none. *value is what
 * stands in the word, or NULL. */
static const option *find(const program *p, const char *word, const char **value)
{
    const bool is_long = word[1] == '-';
    const char *name = word + 2;
    const size_t size = strcspn(name, "=");
    for (const option *o = p->options; o && o->name; o++)
        if (is_long ? strlen(o->name) == size && strncmp(o->name, name, size) == 0 : o->letter == word[1]) {
            *value = is_long ? (name[size] ? name + size + 1 : NULL) : (*name ? name : NULL);
            return o;
        }
    return NULL;
}

/* An option, and neither "-" nor an operand. */
static bool is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

const char *options_common(const program *p, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *word = strcmp(argv[i], "-h") == 0 ? "--help" : argv[i], *value;
        if (strcmp(word, "--help") == 0 || strcmp(word, "--man") == 0 || strcmp(word, "--version") == 0)
            return word;
        const option *o = is_option(word) ? find(p, word, &value) : NULL;
        if ((o && o->type != OPTION_FLAG && !value) || (p->check && strcmp(word, "--check") == 0))
            i++; /* the next word is its value */
    }
    return NULL;
}

const char *option_default(const option *o, char text[64])
{
    *text = 0;
    if (o->type == OPTION_INT)
        snprintf(text, 64, "%lld", (long long)*(int64_t *)o->value);
    else if (o->type == OPTION_NUMBER)
        snprintf(text, 64, "%g", *(double *)o->value);
    else if (o->type != OPTION_FLAG && o->type != OPTION_LIST) {
        const char *given = *(const char **)o->value;
        return given ? given : text;
    }
    return text;
}

/* ---------------------------------------------------------------- values */

static int unknown_option(const program *p, const char *given, error *e)
{
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (const option *o = options_of_all(p); o->name; o++)
        names[count++] = o->name;
    for (const option *o = p->options; o && o->name && count < OPTIONS_MAX; o++)
        names[count++] = o->name;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(given, "="), given);
    const char *near = text_nearest(word, names, count);
    return fail(e, ERR_USAGE, "unknown option --%s%s%s%s; see --help", word, near ? ", did you mean --" : "",
                near ? near : "", near ? "?" : "");
}

static bool in_choices(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strcspn(at, "|") == n && strncmp(at, word, n) == 0)
            return true;
    return false;
}

/* "-" for a name of standard output: the file behind it must not be replaced by a new one. */
static const char *output_name(const char *path)
{
    static const char *const standard[] = {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    for (size_t i = 0; i < COUNT(standard); i++)
        if (strcmp(path, standard[i]) == 0)
            return "-";
    return path;
}

static int set_value(const option *o, const char *text, error *e)
{
    const bool limited = o->min != 0 || o->max != 0;
    char range[80] = "";
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)o->value = true;
        return 0;
    case OPTION_INPUT:
    case OPTION_OUTPUT:
        if (!*text)
            return fail(e, ERR_USAGE, "--%s is given an empty file name", o->name);
        *(const char **)o->value = o->type == OPTION_OUTPUT ? output_name(text) : text;
        return 0;
    case OPTION_TEXT:
        *(const char **)o->value = text;
        return 0;
    case OPTION_CHOICE:
        if (!in_choices(o->choices, text))
            return fail(e, ERR_USAGE, "--%s is one of %s, not '%s'", o->name, o->choices, text);
        *(const char **)o->value = text;
        return 0;
    case OPTION_INT:
        if (limited)
            snprintf(range, sizeof range, " from %.0f to %.0f", o->min, o->max);
        if (!text_int(text, strlen(text), limited ? (int64_t)o->min : INT64_MIN, limited ? (int64_t)o->max : INT64_MAX,
                      o->value))
            return fail(e, ERR_USAGE, "--%s needs a whole number%s, not '%s'", o->name, range, text);
        return 0;
    case OPTION_NUMBER: {
        double v;
        if (limited)
            snprintf(range, sizeof range, " from %g to %g", o->min, o->max);
        if (!text_double(text, strlen(text), &v) || (limited && (v < o->min || v > o->max)))
            return fail(e, ERR_USAGE, "--%s needs a number%s, not '%s'", o->name, range, text);
        *(double *)o->value = v;
        return 0;
    }
    case OPTION_LIST: {
        option_list *list = o->value;
        int code = mem_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "options", e);
        if (!code)
            list->items[list->count++] = text;
        return code;
    }
    }
    return 0;
}

/* ---------------------------------------------------------------- the command line */

/* One option; *at is its index in argv and moves over a separate value. */
static int parse_one(const program *p, int argc, char **argv, int *at, bool *seen, error *e)
{
    const char *word = argv[*at], *value = NULL;
    const option *o = find(p, word, &value);
    if (!o)
        return word[1] == '-' ? unknown_option(p, word + 2, e)
                              : fail(e, ERR_USAGE, "unknown option -%c; see --help", word[1]);
    if (o->type == OPTION_FLAG) {
        if (value)
            return fail(e, ERR_USAGE, "--%s takes no value", o->name);
    } else if (!value) {
        if (*at + 1 >= argc)
            return fail(e, ERR_USAGE, "--%s needs a value (%s)", o->name, o->argument ? o->argument : "VALUE");
        value = argv[++*at];
    }
    if (seen[o - p->options] && o->type != OPTION_LIST && o->type != OPTION_FLAG)
        return fail(e, ERR_USAGE, "--%s is given twice; it takes one value", o->name);
    seen[o - p->options] = true;
    return set_value(o, value, e);
}

/* No output is an input or another output. */
static int check_files(const program *p, const operands *args, error *e)
{
    size_t count = 0;
    file_use *files = mem_zero((size_t)args->count + OPTIONS_MAX, sizeof *files, "names of files", e);
    if (!files)
        return ERR_SYSTEM;
    for (const option *o = p->options; o && o->name; o++)
        if ((o->type == OPTION_INPUT || o->type == OPTION_OUTPUT) && *(const char **)o->value)
            files[count++] = (file_use){o->name, *(const char **)o->value, o->type == OPTION_OUTPUT, true};
    for (int i = 0; i < args->count; i++)
        files[count++] = (file_use){"the command", args->items[i], false, false};
    int code = files_apart(files, count, e);
    free(files);
    return code;
}

int options_parse(const program *p, int argc, char **argv, operands *args, error *e)
{
    bool seen[OPTIONS_MAX] = {false};
    int code = 0, count = 0;
    bool only_operands = false;
    for (int i = 1; i < argc && !code; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (!only_operands && is_option(argv[i]))
            code = parse_one(p, argc, argv, &i, seen, e);
        else
            argv[1 + count++] = argv[i];
    }
    if (code)
        return code;
    for (const option *o = p->options; o && o->name; o++)
        if (o->required && !seen[o - p->options])
            return fail(e, ERR_USAGE, "--%s %s is needed; see --help", o->name, o->argument ? o->argument : "");
    *args = (operands){argv + 1, count};
    if (count < p->min_operands)
        return fail(e, ERR_USAGE, "too few file names; usage: %s %s", p->name, p->usage);
    if (p->max_operands >= 0 && count > p->max_operands)
        return fail(e, ERR_USAGE, "'%s' is one file name too many; usage: %s %s", argv[1 + p->max_operands], p->name,
                    p->usage);
    for (int i = 0; i < count; i++)
        if (!*args->items[i])
            return fail(e, ERR_USAGE, "an empty file name is given; usage: %s %s", p->name, p->usage);
    return check_files(p, args, e);
}

bool options_write_files(const program *p)
{
    for (const option *o = p->options; o && o->name; o++) {
        const char *path = o->type == OPTION_OUTPUT ? *(const char **)o->value : NULL;
        if (path && strcmp(path, "-") != 0)
            return true;
    }
    return false;
}

void options_free(const program *p)
{
    for (const option *o = p->options; o && o->name; o++)
        if (o->type == OPTION_LIST) {
            free(((option_list *)o->value)->items);
            *(option_list *)o->value = (option_list){0};
        }
}
