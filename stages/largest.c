/* largest - the largest object of each picture. */
#include "base/program.h"
#include "voc/anno.h"

int main(int argc, char **argv)
{
    const char *output = NULL;
    const option options[] = {{"output", 'o', OPTION_OUTPUT, &output, "FILE",
                               "the table to write; '-' for standard output", .required = true},
                              {0}};
    const program p = {
        .name = "largest",
        .summary = "the largest object of each picture",
        .usage = "-o largest.tsv anno.tsv",
        .details = "Keeps the row with the greatest (y2 - y1) * (x2 - x1); among equals the first. Rows with ignore 1\n"
                   "are passed over. Pictures stay in the order in which they first appear. '-' is standard input.\n",
        .examples = "  largest -o largest.tsv anno.tsv\n"
                    "  json2anno -o - train.json | largest -o - - | cut -f5 | sort | uniq -c\n",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
        .check = anno_check_largest};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    anno_table t;
    size_t without;
    if (!anno_read(&t, args.items[0], &e) && !anno_write_largest(&t, output, &without, &e)) {
        program_note(&p, "%zu pictures", t.image_count - without);
        if (without)
            program_note(&p, "%zu pictures with ignored objects only left out", without);
    }
    anno_free(&t);
    return program_end(&p, &e);
}
