/* train-detn - trains the detector: class and box of the largest object. */
#include "front/train_main.h"

int main(int argc, char **argv)
{
    const train_program p = {
        .task = TASK_DETN,
        .name = "train-detn",
        .summary = "train the detector: class and box of the largest object",
        .usage =
            "--cache FILE --lrg FILE --bb FILE --val FILE --weights FILE --recipe FILE [OPTIONS] -o detn.ckpt",
        .details = TRAIN_DETAILS(
            "The loss is L1 of the box in pixels of the square input + 20 times the cross-entropy of the class."),
        .examples =
            "  train-detn --cache out/224.cache --lrg out/lrg.csv --bb out/bb.csv --val out/val.txt \\\n"
            "      --weights resnet34.safetensors --recipe recipes/detn.recipe -o out/detn.ckpt\n"
            "  # another rate, less of everything, from nothing\n"
            "  train-detn --cache out/224.cache --lrg out/lrg.csv --bb out/bb.csv --val out/val.txt \\\n"
            "      --weights none --arch tiny --epochs 1 --recipe recipes/detn.recipe \\\n"
            "      --set phase.head.lr=1e-3 -o try.ckpt\n"
            "  # the curve that helps to choose the first rate\n"
            "  train-detn --cache out/224.cache --lrg out/lrg.csv --bb out/bb.csv --val out/val.txt \\\n"
            "      --weights resnet34.safetensors --recipe recipes/detn.recipe --lr-find lr.tsv\n"
            "  # the network's modules\n"
            "  train-detn --summary --classes 20\n"};
    return train_main(&p, argc, argv);
}
