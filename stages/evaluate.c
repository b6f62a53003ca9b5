/* evaluate - how good predictions are. */
#include "base/file.h"
#include "base/program.h"
#include "judge/metrics.h"

#include <string.h>

/* The JSON file, if one is wanted, and then the table, unless the JSON goes to standard output. */
static void write_metrics(const metrics *m, const char *path, error *e)
{
    text_buffer json = {0}, table = {0};
    if (!metrics_json(m, &json, e) && !metrics_table(m, &table, e)) {
        if (path)
            file_write(path, json.data, json.size, e);
        if (!e->code && !(path && strcmp(path, "-") == 0))
            fputs(table.data, stdout);
    }
    text_free(&json);
    text_free(&table);
}

int main(int argc, char **argv)
{
    const char *anno_path = NULL, *pred_path = NULL, *output = NULL;
    int64_t frame = 224;
    metrics_options o = {0};
    const option options[] = {
        {"anno", 0, OPTION_INPUT, &anno_path, "FILE", "annotations: anno.tsv of json2anno", .required = true},
        {"pred", 0, OPTION_INPUT, &pred_path, "FILE", "predictions: pred.tsv of predict", .required = true},
        {"output", 'o', OPTION_OUTPUT, &output, "FILE",
         .help = "write metrics as JSON too; '-': to standard output instead of the table"},
        {"frame", 0, OPTION_INT, &frame, "N", "side of the frame of L1 when the predictions have no frame columns",
         .min = 1, .max = 65535},
        {"skip-unknown", 0, OPTION_FLAG, &o.skip_unknown, NULL,
         .help = "leave out predicted pictures without an annotated object;\nwithout this they are an error"},
        {0}};
    const program p = {.name = "evaluate",
                       .summary = "accuracy, L1, IoU and localisation accuracy of predictions",
                       .usage = "--anno anno.tsv --pred pred.tsv [-o metrics.json]",
                       .details =
                           "Every predicted picture is compared with its largest object. LocAcc@0.5: class right\n"
                           "and IoU at least 0.5, against the largest object and against any object of the predicted\n"
                           "class. The table goes to standard output. '-' reads one of the two tables from standard\n"
                           "input.\n",
                       .examples = "  evaluate --anno anno.tsv --pred detn.pred.tsv -o detn.metrics.json\n"
                                   "  evaluate --anno anno.tsv --pred detn.pred.tsv -o - | jq .accuracy.value\n",
                       .options = options,
                       .check = metrics_check};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    o.frame = (int)frame;
    anno_table anno = {0};
    pred_table pred = {0};
    metrics m = {0};
    if (!anno_read(&anno, anno_path, &e) && !pred_read(&pred, pred_path, &e)) {
        if (metrics_compute(&m, &pred, &anno, &o, &e))
            fail_context(&e, "%s", pred_path);
        else
            write_metrics(&m, output, &e);
    }
    metrics_free(&m);
    pred_free(&pred);
    anno_free(&anno);
    return program_end(&p, &e);
}
