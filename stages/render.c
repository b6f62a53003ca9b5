/* render - pictures to look at: annotated and predicted boxes, grids of predictions, curves of trainings. */
#include "base/program.h"
#include "render/figure.h"
#include "image/picture_file.h"
#include "render/render.h"

#include <stdio.h>
#include <string.h>

static render_request request = {.least = 0.3, .skip = 10, .skip_end = 5};

static const option options[] = {
    {"kind", 'k', OPTION_CHOICE, &request.kind, "KIND", "what to draw",
     .choices = "boxes|largest|grid|objects|sample|augment|curves|lr-find|schedule", .required = true},
    {"output", 'o', OPTION_OUTPUT, &request.output, "FILE", "write the picture here (PNG, or JPEG by its name)",
     .required = true},
    {"values", 0, OPTION_OUTPUT, &request.values, "FILE", .help = "write what is printed here, not to standard output"},
    {"anno", 0, OPTION_INPUT, &request.anno, "FILE", "anno.tsv or largest.tsv", .group = "Input"},
    {"images", 0, OPTION_TEXT, &request.images, "DIR", .help = "folder of the pictures"},
    {"image", 'i', OPTION_TEXT, &request.image, "NAME", .help = "file name, its stem, or the id of the image"},
    {"val", 0, OPTION_INPUT, &request.val, "FILE", .help = "instead of --image: number --first of this list of names"},
    {"pred", 0, OPTION_INPUT, &request.pred, "FILE", .help = "pred.tsv"},
    {"cache", 0, OPTION_INPUT, &request.cache, "FILE", .help = "pictures as the network saw them, 224.cache"},
    {"history", 0, OPTION_INPUT, &request.history, "FILE", .help = "X.history.tsv"},
    {"batches", 0, OPTION_INPUT, &request.batches, "FILE", .help = "X.batches.tsv"},
    {"lr", 0, OPTION_INPUT, &request.lr, "FILE", .help = "table of the learning-rate finder"},
    {"figure", 0, OPTION_TEXT, &request.figure, "WxH", "inches at 100 dots an inch, such as 12x8", .group = "Looks"},
    {"label-size", 0, OPTION_NUMBER, &request.label_size, "PT", "points; 0: the kind's own", .max = 200},
    {"title", 0, OPTION_TEXT, &request.title, "TEXT", .help = "over a plot"},
    {"trim", 0, OPTION_FLAG, &request.trim, NULL, .help = "cut the white border off, as notebooks do"},
    {"min", 0, OPTION_NUMBER, &request.least, "P", "objects: those of this probability and above", .max = 1},
    {"rows", 0, OPTION_INT, &request.rows, "N", "of a grid; 0: 3", .max = 50},
    {"columns", 0, OPTION_INT, &request.columns, "N", "of a grid; 0: 4, augment 3", .max = 50},
    {"first", 0, OPTION_INT, &request.first, "N", "first picture of a grid, or name of --val, from 0", .max = 1e9},
    {"skip", 0, OPTION_INT, &request.skip, "N", "lr-find: points left out at the start", .max = 1e6},
    {"skip-end", 0, OPTION_INT, &request.skip_end, "N", "lr-find: so many and one more at the end", .max = 1e6},
    {"augment", 0, OPTION_LIST, &request.augments, "NAME=NUMBERS",
     .help = "may be repeated; [flip=0.5, rotate=30,0.75 and lighting=0.1,0.1]"},
    {"seed", 0, OPTION_INT, &request.seed, "N", "of the augmentations", .max = 1e15},
    {"leave-boxes", 0, OPTION_FLAG, &request.leave_boxes, NULL, .help = "augment: the box stays, to see what is wrong"},
    {0}};

static const program render = {
    .name = "render",
    .summary = "draw boxes, predictions and curves",
    .usage = "--kind KIND ... -o picture.png",
    .details = "Kinds, what they need, and the size of their figures in inches:\n"
               "  boxes     --anno --images --image           every object of an image     7.5 x 4.5\n"
               "  largest   --anno --images --image           its largest object           5 x 10\n"
               "  grid      --pred --images|--cache [--anno]  predictions, truth in green  12 x 8\n"
               "  objects   the same                          all that is found, not the largest\n"
               "  sample    --cache --image|--val [--anno]    a picture as validated       7.5 x 4.5\n"
               "  augment   --cache --anno --image|--val      a picture as trained on      9 x 9\n"
               "  curves    --history [--batches]             loss and metrics by epoch    6 x 4.5 each\n"
               "  lr-find   --lr                              loss against learning rate   7.5 x 4.5\n"
               "  schedule  --batches                         learning rate by batch       7.5 x 4.5\n"
               "A grid without boxes (a classifier's) is 16 x 12 and has the class in the corner.\n"
               "Shapes are printed as (height,width,3) and boxes as (x,y,w,h), unless -o is '-'.\n"
               "lr-find draws all points of a curve that is too short for its --skip and --skip-end.\n",
    .examples = "  render --kind boxes --anno out/anno.tsv --images VOC2007/JPEGImages --image 12 -o 12.png\n"
                "  render --kind grid --pred out/detn.pred.tsv --cache out/224.cache -o grid.png\n"
                "  render --kind curves --history out/detn.history.tsv --batches out/detn.batches.tsv \\\n"
                "      -o curves.png\n",
    .options = options,
    .check = render_check,
    .libraries = (void (*const[])(char *, size_t)){figure_libraries, picture_versions, NULL}};

int main(int argc, char **argv)
{
    operands args;
    error e = {0};
    int code;
    if (program_begin(&render, argc, argv, &args, &code))
        return code;
    text_buffer printed = {0};
    if (!render_picture(&request, &printed, &e) && !request.values && strcmp(request.output, "-") != 0) // NOLINT: given
        fputs(printed.data, stdout);
    text_free(&printed);
    return program_end(&render, &e);
}
