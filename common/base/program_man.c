/* Manual pages in man(7), which groff and mandoc both read. Texts are those of --help: lines that begin with a blank
 * are set as they are, others are filled. Everything that roff would take for its own is escaped. Source lines are kept
 * short, as roff's readers expect. */
#include "base/program.h"

#include <ctype.h>
#include <string.h>

/* ---------------------------------------------------------------- text */

/* One line of text with what roff would take for its own escaped: backslashes, hyphens (which would become
 * typographic ones), and quotes and dots at the start of a line. */
static void put(FILE *f, const char *text, size_t size, bool line_start)
{
    static const char special[] = "\\-'`^~";
    static const char *const escaped[] = {"\\e", "\\-", "\\(aq", "\\(ga", "\\(ha", "\\(ti"};
    if (line_start && size && (*text == '.' || *text == '\''))
        fputs("\\&", f);
    for (size_t i = 0; i < size; i++) {
        const char *s = strchr(special, text[i]);
        if (s && *s)
            fputs(escaped[s - special], f);
        else
            fputc(text[i], f);
    }
}

static void put_between(FILE *f, const char *before, const char *text, const char *behind)
{
    fputs(before, f);
    put(f, text, strlen(text), false);
    fputs(behind, f);
}

/* Words on source lines of at most 78 bytes, for the formatter to fill again; *column is where the line is. A
 * full stop at the end of a source line would widen the blank behind it: \& keeps it like the others. */
static void words(FILE *f, const char *text, size_t size, int *column)
{
    for (size_t i = 0; i < size;) {
        size_t n = 0;
        while (i < size && (text[i] == ' ' || text[i] == '\n'))
            i++;
        while (i + n < size && text[i + n] != ' ' && text[i + n] != '\n')
            n++;
        if (n == 0)
            break;
        if (*column && *column + (int)n > 70) {
            fputs(i > 1 && strchr(".?!)", text[i - 2]) ? "\\&\n" : "\n", f);
            *column = 0;
        }
        if (*column)
            *column += fprintf(f, " ");
        put(f, text + i, n, *column == 0);
        *column += (int)n;
        for (size_t k = 0; k < n; k++) /* escapes are longer */
            *column += text[i + k] == '-' ? 1 : text[i + k] == '\'' ? 3 : 0;
        i += n;
    }
}

/* Lines of --help; in `verbatim` mode every line is set as it is. `first`: right behind a heading. */
static void body(FILE *f, const char *text, bool verbatim)
{
    bool open = false, first = true;
    int column = 0;
    while (*text) {
        size_t size = strcspn(text, "\n");
        bool as_is = verbatim || *text == ' ';
        bool paragraph = as_is != open || (size == 0 && !as_is);
        if (paragraph) {
            fputs(open ? ".EE\n" : column ? "\n" : "", f);
            fputs(first ? "" : ".PP\n", f);
            fputs(as_is ? ".EX\n" : "", f);
            column = 0;
        }
        open = as_is;
        first = false;
        if (as_is) {
            put(f, text, size, true);
            fputc('\n', f);
        } else {
            words(f, text, size, &column);
        }
        text += size + (text[size] == '\n');
    }
    fputs(open ? ".EE\n" : "\n", f);
}

/* ---------------------------------------------------------------- synopsis */

/* The usage with option names in bold and the words behind them in italics, as far as a glance tells. */
static void synopsis(FILE *f, const char *usage)
{
    while (*usage) {
        bool name = *usage == '-' && (usage[1] == '-' || isalpha((unsigned char)usage[1]));
        bool word = name || isalnum((unsigned char)*usage);
        size_t size = name   ? strspn(usage, "-abcdefghijklmnopqrstuvwxyz0123456789")
                      : word ? strcspn(usage, " []|{}")
                             : 1;
        fputs(name ? "\\fB" : word ? "\\fI" : "", f);
        put(f, usage, size, false);
        fputs(word ? "\\fR" : "", f);
        usage += size;
    }
    fputc('\n', f);
}

/* ---------------------------------------------------------------- options */

/* "One of auto, direct and winograd." as plain words. */
static void choices(FILE *f, const char *list, int *column)
{
    words(f, "One of", 6, column);
    while (*list) {
        char word[80];
        size_t size = strcspn(list, "|");
        bool last = !list[size], before_last = !last && !strchr(list + size + 1, '|');
        snprintf(word, sizeof word, "%.*s%s", (int)size, list, last ? "." : before_last ? " and" : ",");
        words(f, word, strlen(word), column);
        list += size + !last;
    }
}

static void option_entry(FILE *f, const option *o)
{
    char text[64];
    fputs(".TP\n", f);
    if (o->letter)
        fprintf(f, "\\fB\\-%c\\fR, ", o->letter);
    put_between(f, "\\fB\\-\\-", o->name, "\\fR");
    if (o->argument)
        put_between(f, " \\fI", o->argument, "\\fR");
    fputc('\n', f);
    int column = 0;
    words(f, o->help, strlen(o->help), &column);
    fputs(o->help[strlen(o->help) - 1] == '.' ? "" : ".", f);
    column++;
    if (o->choices)
        choices(f, o->choices, &column);
    if (!o->required && *option_default(o, text)) {
        char line[300];
        snprintf(line, sizeof line, "Default: %s.", option_default(o, text));
        words(f, line, strlen(line), &column);
    }
    if (o->required)
        words(f, "Required.", 9, &column);
    fputc('\n', f);
}

static void options(const program *p, FILE *f)
{
    fputs(".SH OPTIONS\n", f);
    for (const option *o = p->options; o && o->name; o++) {
        if (o->group)
            put_between(f, ".SS ", o->group, "\n");
        option_entry(f, o);
    }
    fputs(".SS Common\n", f);
    for (const option *o = options_of_all(p); o->name; o++)
        option_entry(f, o);
}

/* ---------------------------------------------------------------- the page */

void program_man(const program *p, FILE *f)
{
    fputs(".TH ", f);
    for (const char *c = p->name; *c; c++)
        fputc(toupper((unsigned char)*c), f);
    fprintf(f, " 1 %s \"onebox %s\" onebox\n.ad l\n.SH NAME\n", ONEBOX_DATE, ONEBOX_VERSION);
    put_between(f, "", p->name, " \\- ");
    put_between(f, "", p->summary, "\n.SH SYNOPSIS\n.nh\n");
    put_between(f, "\\fB", p->name, "\\fR ");
    synopsis(f, p->usage);
    fputs(".hy\n.SH DESCRIPTION\n", f);
    if (p->details)
        body(f, p->details, false);
    else
        fprintf(f, "This program is a step of\n.BR onebox (7).\n");
    options(p, f);
    fputs(".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\na negative answer: a\n.B "
          "\\-\\-check\nfailed\n.TP\n.B 2\n"
          "the command line is wrong\n.TP\n.B 3\nan input file is missing, damaged or contradicts "
          "another\n.TP\n.B 4\n"
          "the system refused: memory, disk, permissions, device\n.PP\n"
          "Errors are one line on standard error. Output files are complete or absent.\n",
          f);
    if (p->examples) {
        fputs(".SH EXAMPLES\n", f);
        body(f, p->examples, true);
    }
    fputs(".SH SEE ALSO\n.BR onebox (7):\nthe way from one program to the next, the files between them and "
          "their formats\n",
          f);
}
