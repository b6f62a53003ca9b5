/* predict - what a trained network says about pictures. */
#include "base/program.h"
#include "base/threads.h"
#include "device/device.h"
#include "front/predict_table.h"
#include "voc/pred.h"

static predict_table work = {.output = "-", .device = "auto", .least = PREDICT_LEAST};
static const char *conv = "auto", *wanted_precision;
static int64_t frame, top, batch = 64, threads;

static const option options[] = {
    {"ckpt", 0, OPTION_INPUT, &work.ckpt_path, "FILE", "the trained network", .required = true, .group = "Input"},
    {"cache", 0, OPTION_INPUT, &work.cache_path, "FILE", .help = "predict its pictures, instead of files"},
    {"only", 0, OPTION_INPUT, &work.only_path, "FILE", .help = "of the cache only those named here, one a line"},
    {"max-bad", 0, OPTION_INT, &work.max_bad, "N", "go on when up to N pictures are unreadable", .max = 1e9},
    {"output", 'o', OPTION_OUTPUT, &work.output, "FILE", "the table", .group = "Output"},
    {"frame", 0, OPTION_INT, &frame, "N", "add the box in the network's N x N frame; 0: no", .max = 8192},
    {"top", 0, OPTION_INT, &top, "K", "add the K most probable classes", .max = PRED_TOP_MAX},
    {"all", 0, OPTION_FLAG, &work.all, NULL, .help = "every object, not the largest alone: a row each, best first"},
    {"min", 0, OPTION_NUMBER, &work.least, "P", "below this probability there is no answer", .max = 1},
    {"save-pictures", 0, OPTION_TEXT, &work.save_pictures, "DIR", .help = "draw each prediction into this folder"},
    {"flip", 0, OPTION_FLAG, &work.flip, NULL, .help = "average with the mirrored picture, in twice the time"},
    {"batch", 0, OPTION_INT, &batch, "N", "pictures at a time", .min = 1, .max = 4096, .group = "Computing"},
    {"threads", 0, OPTION_INT, &threads, "N", "0: as many as there are", .max = 1024},
    {"device", 0, OPTION_TEXT, &work.device, "NAME", .help = "auto, cpu or cuda[:N]"},
    {"conv", 0, OPTION_CHOICE, &conv, "NAME", "algorithm of 3x3 convolutions, or oneDNN for all",
     .choices = CONV_CHOICES},
    {"precision", 0, OPTION_CHOICE, &wanted_precision, "NAME",
     "of the network; without: fp32 or tf32 if its recipe says so, else auto", .choices = PRECISION_CHOICES},
    {0}};

static int check_options(int named, error *e)
{
    if (work.cache_path && named)
        return fail(e, ERR_USAGE, "pictures come from --cache or from the command line, not from both");
    if (!work.cache_path && !named)
        return fail(e, ERR_USAGE, "no pictures: name files or folders, or give --cache FILE");
    return work.only_path && !work.cache_path ? fail(e, ERR_USAGE, "--only chooses rows of --cache") : 0;
}

int main(int argc, char **argv)
{
    const program p = {
        .name = "predict",
        .summary = "the largest object of each picture, or all, as a trained network sees them",
        .usage = "--ckpt CKPT [--all] [--cache 224.cache [--only val.txt]] [-o pred.tsv] [PICTURE|DIR ...]",
        .details = "Pictures are JPEG or PNG files; of a folder those ending in .jpg, .jpeg or .png, in folders of\n"
                   "it too, but for that of --save-pictures. They are named relative to the folder; others by their\n"
                   "plain name, with a folder before it where two would have the same. The table has\n"
                   "file_name, category, probability and the box y1 x1 y2 x2 in the picture's own pixels (corners\n"
                   "belong to the box); '-' stands for what the network does not predict. --save-pictures keeps\n"
                   "the names of .jpg, .jpeg and .png files; to others, such as a JPEG named x.gif, .png is added.\n"
                   "With --all a picture has a row for each object, or one with '-' alone.\n",
        .examples = "  predict --ckpt out/detn.ckpt --cache out/224.cache --only out/val.txt -o pred.tsv\n"
                    "  predict --ckpt out/detn.ckpt --save-pictures seen photo.jpg holidays/\n"
                    "  predict --ckpt out/cls.ckpt --top 3 photo.jpg | cut -f 8-\n",
        .options = options,
        .max_operands = -1,
        .check = pred_check,
        .libraries = (void (*const[])(char *, size_t)){device_versions, picture_versions, NULL}};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    work.frame = (int)frame;
    work.top = (int)top;
    work.batch = (int)batch;
    work.device_options =
        (device_options){.threads = threads_count((int)threads),
                         .conv = conv_algorithm_of(conv),
                         .precision = wanted_precision ? precision_of(wanted_precision) : PRECISION_AUTO};
    work.as_trained = !wanted_precision;
    work.program = &p;
    if (!check_options(args.count, &e) && !predict_table_write(&work, args.items, args.count, &e))
        program_note(&p, "%s%s%zu picture%s predicted, %.1f a second", work.remark, *work.remark ? "; " : "",
                     work.predicted, work.predicted == 1 ? "" : "s", work.rate);
    return program_end(&p, &e);
}
