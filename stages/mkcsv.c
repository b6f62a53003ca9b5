/* mkcsv - the label files of the trainings from the table of largest objects. */
#include "base/program.h"
#include "voc/labels.h"
#include "voc/mkcsv.h"

#include <string.h>

static void report(const program *p, const mkcsv_options *m, const mkcsv_result *r, size_t rows, const char *order)
{
    if (r->by_list)
        program_note(p, "%zu pictures validate as %s says; %zu names there have no row", r->val, m->val_from,
                     r->without_row);
    program_note(p, "%zu rows, %s order; train %zu sha256 %.12s; val %zu sha256 %.12s", rows, order, r->train,
                 r->train_sha256, r->val, r->val_sha256);
    if (r->untrained.count)
        program_note(p, "%zu classes have no picture to train on, all of theirs validate: %s", r->untrained.count,
                     r->untrained.text);
}

int main(int argc, char **argv)
{
    mkcsv_options m = {.val_share = 0.2};
    const char *order = "set";
    int64_t seed = 42;
    const option options[] = {
        {"lrg", 0, OPTION_OUTPUT, &m.lrg, "FILE", "write file names and classes (fn,cat)", .group = "Outputs"},
        {"bb", 0, OPTION_OUTPUT, &m.bb, "FILE", .help = "write file names and boxes (fn,bbox: y1 x1 y2 x2)"},
        {"val", 0, OPTION_OUTPUT, &m.val, "FILE", .help = "write the file names of the validation rows"},
        {"order", 0, OPTION_CHOICE, &order, "HOW",
         "order of the rows: 'set', as CPython iterates over a set of the\nimage ids, or 'id', ascending",
         .choices = "set|id", .group = "Rows"},
        {"val-from", 0, OPTION_INPUT, &m.val_from, "FILE",
         .help =
             "the rows that FILE names validate, one a line, in place of a share; an\nempty FILE names none: a share"},
        {"val-pct", 0, OPTION_NUMBER, &m.val_share, "SHARE", "share of the rows that validate", .min = 0, .max = 1},
        {"seed", 0, OPTION_INT, &seed, "N", "seed of the split (numpy's legacy generator)", .min = 0,
         .max = UINT32_MAX},
        {0}};
    const program p = {
        .name = "mkcsv",
        .summary = "label files for the trainings",
        .usage = "[--order set|id] --lrg lrg.csv --bb bb.csv [--val val.txt [--val-pct 0.2] "
                 "[--seed 42] [--val-from FILE]] largest.tsv",
        .details = "The order of the rows decides, with the seed, which pictures validate. The SHA-256 whose first\n"
                   "12 digits are printed is that of the file names without extension, one a line:\n"
                   "  cut -d. -f1 val.txt | sha256sum\n"
                   "A file that would stay the same keeps its time.\n",
        .examples = "  mkcsv --lrg lrg.csv --bb bb.csv --val val.txt largest.tsv\n"
                    "  mkcsv --order id --lrg - largest.tsv | head\n",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
        .check = labels_check};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    m.set_order = strcmp(order, "set") == 0;
    m.seed = (uint32_t)seed;
    anno_table t = {0};
    mkcsv_result r;
    if (!m.lrg && !m.bb && !m.val)
        fail(&e, ERR_USAGE, "nothing to write: --lrg, --bb or --val is needed");
    else if (!anno_read(&t, args.items[0], &e) && !anno_check_one_each(&t, args.items[0], &e)) {
        if (mkcsv_write(&t, &m, &r, &e) == ERR_INPUT)
            fail_context(&e, "%s", args.items[0]);
        if (!e.code)
            report(&p, &m, &r, t.count, order);
    }
    anno_free(&t);
    return program_end(&p, &e);
}
