/* draw-set - a small data set of drawings in PASCAL VOC form, to try everything on. */
#include "base/program.h"
#include "render/drawing.h"
#include "render/drawset.h"
#include "render/figure.h"
#include "image/picture_file.h"

int main(int argc, char **argv)
{
    const char *output = NULL;
    int64_t pictures = 4000, size = 192, seed = 1, threads = 0;
    const option options[] = {
        {"pictures", 'n', OPTION_INT, &pictures, "N", "how many pictures", .min = 1, .max = DRAWSET_MAX_PICTURES},
        {"size", 0, OPTION_INT, &size, "PIXELS", "the shorter side of each picture", .min = DRAWING_MIN_SIZE,
         .max = DRAWING_MAX_SIZE},
        {"seed", 0, OPTION_INT, &seed, "N", "another number gives other pictures", .min = 0, .max = 1e15},
        {"threads", 0, OPTION_INT, &threads, "N", "threads; 0: as many as there are processors", .min = 0, .max = 1024},
        {"output", 'o', OPTION_TEXT, &output, "DIR", "the folder to make, or a drawn set to replace", .required = true},
        {0}};
    const program p = {
        .name = "draw-set",
        .summary = "draw a small data set in PASCAL VOC form: pictures and annotations",
        .usage = "[--pictures N] [--size PIXELS] [--seed N] -o DIR",
        .details = "Draws boats, fish, flowers, houses, stars and trees of all colours over gradients, patterns\n"
                   "and clutter, and writes DIR/JPEGImages/*.jpg, DIR/Annotations/*.xml and\n"
                   "DIR/ImageSets/Main/{train,val,trainval}.txt. In each picture one object is the largest, by\n"
                   "a factor of 1.5 at least; some objects are cut by the edge, covered by others, or\n"
                   "difficult (tiny or nearly transparent). The same settings give the same bytes.\n"
                   "DIR appears when it is complete. --check DIR compares the files with the digest in\n"
                   "DIR/drawn.txt.\n",
        .examples = "  draw-set -o drawings && voc2json --split trainval -o drawings.json drawings\n"
                    "  draw-set --pictures 12 --size 300 --seed 7 -o /tmp/look\n",
        .options = options,
        .check = drawset_check,
        .libraries = (void (*const[])(char *, size_t)){figure_libraries, picture_versions, NULL}};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    const drawset_options o = {(int)pictures, (int)size, (uint64_t)seed, (int)threads};
    drawset_summary s;
    if (!drawset_make(output, &o, &s, &e))
        program_note(&p, "%lld pictures, %d classes, %zu objects (%zu cut, %zu covered, %zu difficult)%s",
                     (long long)pictures, DRAWING_CLASSES, s.objects, s.truncated, s.occluded, s.difficult,
                     s.changed ? "" : ", unchanged");
    return program_end(&p, &e);
}
