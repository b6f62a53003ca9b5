/* train-bbox - trains the regressor of the largest object's box. */
#include "front/train_main.h"

int main(int argc, char **argv)
{
    const train_program p = {
        .task = TASK_BBOX,
        .name = "train-bbox",
        .summary = "train the regressor of the largest object's box",
        .usage = "--cache FILE --bb FILE --val FILE --weights FILE --recipe FILE [OPTIONS] -o bbox.ckpt",
        .details =
            TRAIN_DETAILS("The loss is mean absolute error of y1, x1, y2, x2 in pixels of the square input."),
        .examples = "  train-bbox --cache out/224.cache --bb out/bb.csv --val out/val.txt \\\n"
                    "      --weights resnet34.safetensors --recipe recipes/bbox.recipe -o out/bbox.ckpt\n"
                    "  # another rate, less of everything, from nothing\n"
                    "  train-bbox --cache out/224.cache --bb out/bb.csv --val out/val.txt \\\n"
                    "      --weights none --arch tiny --epochs 1 --recipe recipes/bbox.recipe \\\n"
                    "      --set phase.head.lr=1e-3 -o try.ckpt\n"
                    "  # the curve that helps to choose the first rate\n"
                    "  train-bbox --cache out/224.cache --bb out/bb.csv --val out/val.txt \\\n"
                    "      --weights resnet34.safetensors --recipe recipes/bbox.recipe --lr-find lr.tsv\n"
                    "  # the network's modules\n"
                    "  train-bbox --summary\n"};
    return train_main(&p, argc, argv);
}
