#include "base/program.h"

#include "base/file.h"
#include "base/program_man.h"
#include "base/signals.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- help and version */

static void print_option(FILE *f, char letter, const char *name, const char *argument, const char *help,
                         const option *o)
{
    char left[80];
    char dash[8] = "    ";
    if (letter)
        snprintf(dash, sizeof dash, "-%c, ", letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", dash, name, argument ? " " : "", argument ? argument : "");
    fprintf(f, "%-29s", left);
    if (strlen(left) > 28)
        fprintf(f, "\n%29s", "");
    for (const char *line = help; line;) {
        const char *stop = strchr(line, '\n');
        fprintf(f, "%.*s", stop ? (int)(stop - line) : (int)strlen(line), line);
        line = stop ? stop + 1 : NULL;
        if (line)
            fprintf(f, "\n%29s", "");
    }
    if (o && o->choices)
        fprintf(f, " (%s)", o->choices);
    char text[64];
    if (o && !o->required && *program_default(o, text))
        fprintf(f, " [%s]", program_default(o, text));
    fputc('\n', f);
}

static void print_help(const program *p, FILE *f)
{
    fprintf(f, "%s - %s\n\nUsage: %s %s\n", p->name, p->summary, p->name, p->usage);
    if (p->details)
        fprintf(f, "\n%s", p->details);
    bool heading = false;
    for (const option *o = p->options; o && o->name; o++) {
        if (o->group || !heading)
            fprintf(f, "\n%s:\n", o->group ? o->group : "Options");
        heading = true;
        print_option(f, o->letter, o->name, o->argument, o->help, o);
    }
    fprintf(f, "\nCommon:\n");
    if (p->check)
        print_option(f, 0, "check", "FILE",
                     "exit 0 when FILE is valid output of this program, else 1; silent", NULL);
    print_option(f, 'h', "help", NULL, "print this and exit", NULL);
    print_option(f, 0, "man", NULL, "print the manual page as roff and exit: --man | man -l -", NULL);
    print_option(f, 0, "version", NULL, "print version, compiler and libraries, and exit", NULL);
    fprintf(f, "\nExit codes: 0 done, 1 a negative answer, 2 usage, 3 bad input, 4 system.\n");
    if (p->examples)
        fprintf(f, "\nEXAMPLES\n%s", p->examples);
}

static void print_version(const program *p)
{
    printf("%s (onebox) %s\n", p->name, ONEBOX_VERSION);
#ifdef __clang__
    printf("compiler: clang %s\n", __clang_version__);
#else
    printf("compiler: gcc %s\n", __VERSION__);
#endif
    for (size_t i = 0; p->libraries && p->libraries[i]; i++) {
        char text[2048] = "";
        p->libraries[i](text, sizeof text);
        fputs(text, stdout);
    }
}

/* ---------------------------------------------------------------- parsing */

static const option *find(const program *p, const char *name, size_t size)
{
    for (const option *o = p->options; o && o->name; o++)
        if (strlen(o->name) == size && strncmp(o->name, name, size) == 0)
            return o;
    return NULL;
}

static int unknown_option(const program *p, const char *given, error *e)
{
    const char *names[128] = {"help", "man", "version", "check"};
    size_t count = 4;
    for (const option *o = p->options; o && o->name && count < 128; o++)
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

static int set_value(const option *o, const char *text, error *e)
{
    bool limited = o->min != 0 || o->max != 0;
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)o->value = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)o->value = text;
        return 0;
    case OPTION_CHOICE:
        if (!in_choices(o->choices, text))
            return fail(e, ERR_USAGE, "--%s is one of %s, not '%s'", o->name, o->choices, text);
        *(const char **)o->value = text;
        return 0;
    case OPTION_INT: {
        int64_t v;
        if (!text_int(text, strlen(text), limited ? (int64_t)o->min : INT64_MIN,
                      limited ? (int64_t)o->max : INT64_MAX, &v)) {
            if (limited)
                return fail(e, ERR_USAGE, "--%s needs a whole number from %.0f to %.0f, not '%s'", o->name,
                            o->min, o->max, text);
            return fail(e, ERR_USAGE, "--%s needs a whole number, not '%s'", o->name, text);
        }
        *(int64_t *)o->value = v;
        return 0;
    }
    case OPTION_NUMBER: {
        double v;
        if (!text_double(text, strlen(text), &v) || (limited && (v < o->min || v > o->max))) {
            if (limited)
                return fail(e, ERR_USAGE, "--%s needs a number from %g to %g, not '%s'", o->name, o->min,
                            o->max, text);
            return fail(e, ERR_USAGE, "--%s needs a number, not '%s'", o->name, text);
        }
        *(double *)o->value = v;
        return 0;
    }
    case OPTION_LIST: {
        option_list *list = o->value;
        int code =
            mem_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "options", e);
        if (!code)
            list->items[list->count++] = text;
        return code;
    }
    }
    return 0;
}

/* One "--name[=value]" or "-x [value]"; *at is the index in argv and moves over a separate value. */
static int parse_one(const program *p, int argc, char **argv, int *at, bool *seen, error *e)
{
    const char *word = argv[*at], *value = NULL;
    const option *o = NULL;
    if (word[1] == '-') {
        size_t size = strcspn(word + 2, "=");
        o = find(p, word + 2, size);
        if (!o)
            return unknown_option(p, word + 2, e);
        if (word[2 + size] == '=')
            value = word + 3 + size;
    } else {
        for (const option *c = p->options; c && c->name; c++)
            if (c->letter == word[1])
                o = c;
        if (!o)
            return fail(e, ERR_USAGE, "unknown option -%c; see --help", word[1]);
        if (word[2])
            value = word + 2;
    }
    if (o->type == OPTION_FLAG) {
        if (value)
            return fail(e, ERR_USAGE, "--%s takes no value", o->name);
    } else if (!value) {
        if (*at + 1 >= argc)
            return fail(e, ERR_USAGE, "--%s needs a value (%s)", o->name,
                        o->argument ? o->argument : "VALUE");
        value = argv[++*at];
    }
    seen[o - p->options] = true;
    return set_value(o, value, e);
}

static int parse(const program *p, int argc, char **argv, operands *args, error *e)
{
    bool seen[128] = {false};
    int code = 0, count = 0;
    bool only_operands = false;
    for (int i = 1; i < argc && !code; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (!only_operands && argv[i][0] == '-' && argv[i][1])
            code = parse_one(p, argc, argv, &i, seen, e);
        else
            argv[1 + count++] = argv[i];
    }
    if (code)
        return code;
    for (const option *o = p->options; o && o->name; o++)
        if (o->required && !seen[o - p->options])
            return fail(e, ERR_USAGE, "--%s %s is needed; see --help", o->name,
                        o->argument ? o->argument : "");
    *args = (operands){argv + 1, count};
    if (count < p->min_operands)
        return fail(e, ERR_USAGE, "too few file names; usage: %s %s", p->name, p->usage);
    if (p->max_operands >= 0 && count > p->max_operands)
        return fail(e, ERR_USAGE, "'%s' is one file name too many; usage: %s %s", argv[1 + p->max_operands],
                    p->name, p->usage);
    return 0;
}

bool program_begin(const program *p, int argc, char **argv, operands *args, int *exit_code)
{
    signals_begin(p->name);
    error e = {0};
    *exit_code = 0;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(p, stdout);
            *exit_code = program_end(p, &e);
            return true;
        }
        if (strcmp(argv[i], "--man") == 0) {
            program_man(p, stdout);
            *exit_code = program_end(p, &e);
            return true;
        }
        if (strcmp(argv[i], "--version") == 0) {
            print_version(p);
            *exit_code = program_end(p, &e);
            return true;
        }
    }
    if (p->check && argc == 3 && strcmp(argv[1], "--check") == 0) {
        *exit_code = p->check(argv[2], &e) ? (e.code == ERR_SYSTEM ? ERR_SYSTEM : ERR_NO) : 0;
        return true;
    }
    if (p->check && argc > 1 && strncmp(argv[1], "--check", 7) == 0)
        fail(&e, ERR_USAGE, "--check takes one FILE and nothing else");
    if (e.code || parse(p, argc, argv, args, &e)) {
        *exit_code = program_end(p, &e);
        return true;
    }
    return false;
}

/* A line on standard error, and at the end of the file that ONEBOX_LOG names, if it does: at a terminal
 * make's steps keep what was said that way. */
static void say(const char *name, const char *text)
{
    const char *path = getenv("ONEBOX_LOG");
    FILE *log = path && *path ? fopen(path, "a") : NULL;
    fprintf(stderr, "%s: %s\n", name, text);
    if (log) {
        fprintf(log, "%s: %s\n", name, text);
        fclose(log);
    }
}

int program_end(const program *p, error *e)
{
    if ((fflush(stdout) || ferror(stdout)) && !e->code)
        fail_system(e, "standard output: cannot write");
    if (e->code)
        say(p->name, e->text);
    for (const option *o = p->options; o && o->name; o++)
        if (o->type == OPTION_LIST) {
            free(((option_list *)o->value)->items);
            *(option_list *)o->value = (option_list){0};
        }
    return e->code;
}

void program_note(const program *p, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(p->name, text);
}
