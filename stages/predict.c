/* predict - what a trained network says about pictures. */
#include "base/program.h"
#include "base/threads.h"
#include "device/device.h"
#include "front/predict_table.h"
#include "voc/pred.h"

static int check_options(const predict_table *t, int named, error *e)
{
    if (t->cache_path && named)
        return fail(e, ERR_USAGE, "pictures come from --cache or from the command line, not from both");
    if (!t->cache_path && !named)
        return fail(e, ERR_USAGE, "no pictures: name files or folders, or give --cache FILE");
    if (t->only_path && !t->cache_path)
        return fail(e, ERR_USAGE, "--only chooses rows of --cache");
    return 0;
}

/* What the options fill in beside predict_table. */
typedef struct numbers_given {
    const char *conv, *precision;
    int64_t frame, top, batch, threads, max_bad;
} numbers_given;

static void use_options(predict_table *t, const numbers_given *g)
{
    t->frame = (int)g->frame;
    t->top = (int)g->top;
    t->batch = (int)g->batch;
    t->max_bad = g->max_bad;
    t->device_options = (device_options){.threads = threads_count((int)g->threads),
                                         .conv = conv_algorithm_of(g->conv),
                                         .precision = g->precision ? precision_of(g->precision) : PRECISION_AUTO};
    t->as_trained = !g->precision;
}

int main(int argc, char **argv)
{
    predict_table t = {.output = "-", .device = "auto"};
    numbers_given g = {.conv = "auto", .batch = 64};
    const option options[] = {
        {"ckpt", 0, OPTION_INPUT, &t.ckpt_path, "FILE", "the trained network", .required = true, .group = "Input"},
        {"cache", 0, OPTION_INPUT, &t.cache_path, "FILE", .help = "predict its pictures, instead of files"},
        {"only", 0, OPTION_INPUT, &t.only_path, "FILE", .help = "of the cache only those named here, one a line"},
        {"max-bad", 0, OPTION_INT, &g.max_bad, "N", "go on when up to N pictures are unreadable", .max = 1e9},
        {"output", 'o', OPTION_OUTPUT, &t.output, "FILE", "the table", .group = "Output"},
        {"frame", 0, OPTION_INT, &g.frame, "N", "add the box in the network's N x N frame; 0: no", .max = 8192},
        {"top", 0, OPTION_INT, &g.top, "K", "add the K most probable classes", .max = PRED_TOP_MAX},
        {"save-pictures", 0, OPTION_TEXT, &t.save_pictures, "DIR", .help = "draw each prediction into this folder"},
        {"batch", 0, OPTION_INT, &g.batch, "N", "pictures at a time", .min = 1, .max = 4096, .group = "Computing"},
        {"threads", 0, OPTION_INT, &g.threads, "N", "0: as many as there are", .max = 1024},
        {"device", 0, OPTION_TEXT, &t.device, "NAME", .help = "auto, cpu or cuda[:N]"},
        {"conv", 0, OPTION_CHOICE, &g.conv, "NAME", "algorithm of 3x3 convolutions", .choices = CONV_CHOICES},
        {"precision", 0, OPTION_CHOICE, &g.precision, "NAME",
         "of the network; without: fp32 or tf32 if its recipe says so, else auto", .choices = PRECISION_CHOICES},
        {0}};
    void (*const libraries[])(char *, size_t) = {device_versions, picture_versions, NULL};
    const program p = {
        .name = "predict",
        .summary = "the largest object of each picture, as a trained network sees it",
        .usage = "--ckpt CKPT [--cache 224.cache [--only val.txt]] [-o pred.tsv] [PICTURE|DIR ...]",
        .details = "Pictures are JPEG or PNG files; of a folder those ending in .jpg, .jpeg or .png. The table has\n"
                   "file_name, category, probability and the box y1 x1 y2 x2 in the picture's own pixels (corners\n"
                   "belong to the box); '-' stands for what the network does not predict.\n",
        .examples = "  predict --ckpt out/detn.ckpt --cache out/224.cache --only out/val.txt -o pred.tsv\n"
                    "  predict --ckpt out/detn.ckpt --save-pictures seen photo.jpg holidays/\n"
                    "  predict --ckpt out/cls.ckpt --top 3 photo.jpg | cut -f 8-\n",
        .options = options,
        .max_operands = -1,
        .check = pred_check,
        .libraries = libraries};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    use_options(&t, &g);
    t.program = &p;
    if (!check_options(&t, args.count, &e) && !predict_table_write(&t, args.items, args.count, &e))
        program_note(&p, "%s%s%zu pictures predicted, %.1f a second", t.remark, *t.remark ? "; " : "", t.predicted,
                     t.rate);
    return program_end(&p, &e);
}
