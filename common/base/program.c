/* What a program does before and after its work: the texts of --help and --version, standard files that are closed,
 * signals, and the line on standard error. The command line itself is read in options.c, the manual page is written in
 * program_man.c. */
#include "base/program.h"

#include "base/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- help and version */

static void print_option(const option *o)
{
    char left[80], dash[8] = "    ", text[64];
    if (o->letter)
        snprintf(dash, sizeof dash, "-%c, ", o->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", dash, o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    printf("%-29s", left);
    if (strlen(left) > 28)
        printf("\n%29s", "");
    for (const char *c = o->help; *c; c++)
        if (*c == '\n')
            printf("\n%29s", "");
        else
            putchar(*c);
    if (o->choices)
        printf(" (%s)", o->choices);
    if (!o->required && *option_default(o, text))
        printf(" [%s]", option_default(o, text));
    putchar('\n');
}

static void print_help(const program *p)
{
    printf("%s - %s\n\nUsage: %s %s\n", p->name, p->summary, p->name, p->usage);
    if (p->details)
        printf("\n%s", p->details);
    for (const option *o = p->options; o && o->name; o++) {
        if (o->group || o == p->options)
            printf("\n%s:\n", o->group ? o->group : "Options");
        print_option(o);
    }
    printf("\nCommon:\n");
    for (const option *o = options_of_all(p); o->name; o++)
        print_option(o);
    printf("\nExit codes: 0 done, 1 a negative answer, 2 usage, 3 bad input, 4 system.\n");
    if (p->examples)
        printf("\nEXAMPLES\n%s", p->examples);
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

/* ---------------------------------------------------------------- beginning and end */

static bool files_matter, output_was_closed;

/* A closed standard input, output or error would give its number to the next file that is opened, and a remark would go
 * into that file. /dev/null takes the number, opened the other way round, so that using it still fails. */
static int fill_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        // cppcheck-suppress leakReturnValNotUsed ; it is to stay open
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return ERR_SYSTEM;
        output_was_closed = output_was_closed || fd == STDOUT_FILENO;
    }
    return 0;
}

/* Whether standard output failed and that matters: where the results are files, a reader that has gone does not. */
static bool output_failed(void)
{
    const bool failed = fflush(stdout) || ferror(stdout);
    struct pollfd out = {.fd = STDOUT_FILENO};
    const bool nobody = output_was_closed || (poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP));
    return failed && !(files_matter && nobody);
}

bool program_begin(const program *p, int argc, char **argv, operands *args, int *exit_code)
{
    error e = {0};
    *exit_code = fill_standard_files();
    if (*exit_code)
        return true;
    signals_begin(p->name);
    const char *common = options_common(p, argc, argv);
    if (common) {
        if (strcmp(common, "--help") == 0)
            print_help(p);
        else if (strcmp(common, "--man") == 0)
            program_man(p, stdout);
        else
            print_version(p);
        *exit_code = program_end(p, &e);
        return true;
    }
    if (p->check && argc == 3 && strcmp(argv[1], "--check") == 0) {
        *exit_code = p->check(argv[2], &e) ? (e.code == ERR_SYSTEM ? ERR_SYSTEM : ERR_NO) : 0;
        if (*exit_code == 0 && *e.text)
            program_note(p, "%s", e.text);
        return true;
    }
    if (p->check && argc > 1 && strncmp(argv[1], "--check", 7) == 0)
        fail(&e, ERR_USAGE, "--check takes one FILE and nothing else");
    if (e.code || options_parse(p, argc, argv, args, &e)) {
        *exit_code = program_end(p, &e);
        return true;
    }
    files_matter = options_write_files(p);
    if (files_matter)
        signal(SIGPIPE, SIG_IGN); /* writing to a pipe that nobody reads fails, in place of ending the program */
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
    if (output_failed() && !e->code)
        fail_system(e, "standard output: cannot write");
    if (e->code)
        say(p->name, e->text);
    options_free(p);
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

void program_notes(const program *p, const text_buffer *lines)
{
    text_lines l = text_lines_of(lines->data, lines->size);
    const char *line;
    size_t size;
    while (text_line(&l, &line, &size))
        program_note(p, "%.*s", (int)size, line);
}
