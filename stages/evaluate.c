/* evaluate - how good predictions are. */
#include "base/file.h"
#include "base/program.h"
#include "judge/average_precision.h"
#include "judge/metrics.h"

#include <string.h>

/* Texts of the figures, for a file and for people. */
static void describe(const pred_table *pred, const anno_table *anno, const metrics_options *o, text_buffer *json,
                     text_buffer *table, error *e)
{
    metrics m = {0};
    average_precision a = {0};
    if (pred->all && !average_precision_compute(&a, pred, anno, e) && !average_precision_json(&a, json, e))
        average_precision_table(&a, table, e);
    if (!pred->all && !metrics_compute(&m, pred, anno, o, e) && !metrics_json(&m, json, e))
        metrics_table(&m, table, e);
    average_precision_free(&a);
    metrics_free(&m);
}

int main(int argc, char **argv)
{
    const char *anno_path = NULL, *pred_path = NULL, *output = NULL;
    bool all = false;
    int64_t frame = 224;
    metrics_options o = {0};
    const option options[] = {
        {"anno", 0, OPTION_INPUT, &anno_path, "FILE", "annotations: anno.tsv of json2anno", .required = true},
        {"pred", 0, OPTION_INPUT, &pred_path, "FILE", "predictions: pred.tsv of predict", .required = true},
        {"all", 0, OPTION_FLAG, &all, NULL,
         .help = "judge all objects, as predict --all finds them: average precision"},
        {"output", 'o', OPTION_OUTPUT, &output, "FILE",
         .help = "write metrics as JSON too; '-': to standard output instead of the table"},
        {"frame", 0, OPTION_INT, &frame, "N", "side of the frame of L1 when the predictions have no frame columns",
         .min = 1, .max = 65535},
        {"near", 0, OPTION_NUMBER, &o.near, "S",
         "where the second object has S of the largest one's area,\njudge boxes against either, too; 0: no", .max = 1},
        {"skip-unknown", 0, OPTION_FLAG, &o.skip_unknown, NULL,
         .help = "leave out predicted pictures without an annotated object;\nwithout this they are an error"},
        {0}};
    const program p = {.name = "evaluate",
                       .summary = "accuracy, L1, IoU, localisation accuracy and average precision of predictions",
                       .usage = "[--all] --anno anno.tsv --pred pred.tsv [-o metrics.json]",
                       .details =
                           "Every predicted picture is compared with its largest object. LocAcc@0.5: class right\n"
                           "and IoU at least 0.5, against the largest object and against any object of the predicted\n"
                           "class. With --all each object counts: VOC's average precision at IoU 0.5, for which the\n"
                           "annotations should hold the objects to be ignored, too (json2anno --keep-ignored). The\n"
                           "table goes to standard output. '-' reads one of the two tables from standard input.\n",
                       .examples = "  evaluate --anno anno.tsv --pred detn.pred.tsv -o detn.metrics.json\n"
                                   "  evaluate --anno anno.tsv --pred detn.pred.tsv -o - | jq .accuracy.value\n"
                                   "  evaluate --all --anno objects.tsv --pred objects.all.tsv\n",
                       .options = options,
                       .check = average_precision_check};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    o.frame = (int)frame;
    anno_table anno = {0};
    pred_table pred = {0};
    text_buffer json = {0}, table = {0};
    if (!anno_read(&anno, anno_path, &e) && !(all ? pred_read_all : pred_read)(&pred, pred_path, &e)) {
        describe(&pred, &anno, &o, &json, &table, &e);
        if (e.code)
            fail_context(&e, "%s", pred_path);
        if (!e.code && output)
            file_write(output, json.data, json.size, &e);
        if (!e.code && !(output && strcmp(output, "-") == 0))
            fputs(table.data, stdout);
    }
    text_free(&json);
    text_free(&table);
    pred_free(&pred);
    anno_free(&anno);
    return program_end(&p, &e);
}
