/* report - one page to look at: data, models, figures and pictures of a folder of products. */
#include "base/file.h"
#include "base/program.h"
#include "image/picture_file.h"
#include "report/report.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    report_request r = {0};
    const option options[] = {
        {"output", 'o', OPTION_OUTPUT, &r.output, "FILE", .help = "write the page here; default: DIR/report.html"},
        {"val", 0, OPTION_INPUT, &r.val, "FILE", .help = "the list of validation pictures, when it is not DIR/val.txt"},
        {"title", 0, OPTION_TEXT, &r.title, "TEXT", .help = "over the page"},
        {0}};
    const program p = {.name = "report",
                       .summary = "one HTML page over a folder of products: figures, tables and pictures",
                       .usage = "[-o report.html] DIR",
                       .details =
                           "DIR holds files under the names that make gives them; whatever is not there is left out:\n"
                           "  anno.tsv largest.tsv lrg.csv bb.csv val.txt            the data\n"
                           "  X.ckpt X.history.tsv X.metrics.json X.grid.png X.curves.png\n"
                           "                                                         each training X\n"
                           "  lr/*.png pictures/*.png                                other pictures, with their .txt\n"
                           "  log/*.log                                              the commands and their times\n"
                           "The page is one file: its pictures are inside, and it needs no network and no scripts.\n"
                           "The other files are linked, relative to the page. Equal files give equal bytes.\n",
                       .examples = "  report out                         # writes out/report.html\n"
                                   "  report -o page.html out/try        # any folder of checkpoints and histories\n"
                                   "  report -o - out | w3m -T text/html -dump\n",
                       .options = options,
                       .min_operands = 1,
                       .max_operands = 1,
                       .check = report_check,
                       .libraries = (void (*const[])(char *, size_t)){picture_versions, NULL}};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    r.directory = args.items[0];
    char *output = r.output ? NULL : path_join(r.directory, "report.html", &e);
    if (output)
        r.output = output;
    if (!e.code)
        report_write(&r, &e);
    free(output);
    return program_end(&p, &e);
}
