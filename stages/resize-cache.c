/* resize-cache - the pictures named in a CSV file, scaled once for all trainings. */
#include "base/program.h"
#include "base/progress.h"
#include "front/picture_notes.h"
#include "image/cache.h"
#include "image/cache_make.h"
#include "image/picture_file.h"
#include "voc/labels.h"

static void report(const program *p, const cache_summary *s, double took)
{
    char damaged[80] = "";
    if (s->damaged)
        snprintf(damaged, sizeof damaged, ", %zu damaged in the old cache made anew", s->damaged);
    program_note(p, "%zu pictures, %zu decoded, %zu kept, %zu left out, %zu decoder warnings, %.1f s%s%s", s->pictures,
                 s->decoded, s->kept, s->bad, s->warnings, took, damaged, s->changed ? "" : ", unchanged");
}

int main(int argc, char **argv)
{
    const double start = progress_seconds();
    const char *images = NULL, *output = NULL;
    int64_t threads = 0, size = 224, max_bad = 0;
    const option options[] = {
        {"images", 0, OPTION_TEXT, &images, "DIR", "the folder that the pictures are in", .required = true},
        {"output", 'o', OPTION_OUTPUT, &output, "FILE", "the cache; FILE.sources is kept beside it", .required = true},
        {"size", 0, OPTION_INT, &size, "N", "the shorter side in pixels, a multiple of 32", .min = 32, .max = 4096},
        {"threads", 0, OPTION_INT, &threads, "N", "threads; 0: as many as there are processors", .min = 0, .max = 1024},
        {"max-bad", 0, OPTION_INT, &max_bad, "N",
         "leave up to N unreadable pictures out; more are an error\nand nothing is written", .min = 0, .max = 1e9},
        {0}};
    const program p = {.name = "resize-cache",
                       .summary = "scale the pictures named in a CSV file into one file for training",
                       .usage = "[--size N] [--threads N] [--max-bad N] --images DIR -o 224.cache lrg.csv",
                       .details =
                           "Reads the file names in the first column of lrg.csv ('-': standard input), decodes the\n"
                           "JPEG and PNG pictures in DIR and stores them with their shorter side scaled to N as\n"
                           "8-bit RGB. Only pictures that changed since the last run are decoded again; a cache\n"
                           "that would not change is left alone, with its time, and a damaged one is repaired.\n",
                       .examples = "  resize-cache --images VOC2007/JPEGImages -o out/224.cache out/lrg.csv\n"
                                   "  resize-cache --check out/224.cache && echo sound\n",
                       .options = options,
                       .min_operands = 1,
                       .max_operands = 1,
                       .check = cache_check,
                       .libraries = (void (*const[])(char *, size_t)){picture_versions, NULL}};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    names list = {0};
    picture_notes notes = {.program = &p, .bad_end = ""};
    cache_summary s = {0};
    const cache_options o = {.images = images,
                             .size = (int)size,
                             .threads = (int)threads,
                             .max_bad = max_bad,
                             .bad = picture_notes_bad,
                             .warned = picture_notes_warned,
                             .context = &notes};
    if (!labels_read_pictures(&list, args.items[0], &e) && !cache_make(output, list.items, list.count, &o, &s, &e))
        report(&p, &s, progress_seconds() - start);
    const size_t rest = picture_notes_rest(notes.bad) + picture_notes_rest(notes.warned);
    if (rest && !e.code)
        program_note(&p, "%zu more are named in %s.sources", rest, output);
    names_free(&list);
    return program_end(&p, &e);
}
