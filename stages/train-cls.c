/* train-cls - trains the classifier of the largest object. */
#include "front/train_main.h"

int main(int argc, char **argv)
{
    const train_program p = {
        .task = TASK_CLS,
        .name = "train-cls",
        .summary = "train the classifier of the largest object",
        .usage = "--cache FILE --lrg FILE --val FILE --weights FILE --recipe FILE [OPTIONS] -o cls.ckpt",
        .details = TRAIN_DETAILS("The loss is mean negative log likelihood."),
        .examples = "  train-cls --cache out/224.cache --lrg out/lrg.csv --val out/val.txt \\\n"
                    "      --weights resnet34.safetensors --recipe recipes/cls.recipe -o out/cls.ckpt\n"
                    "  # another rate, less of everything, from nothing\n"
                    "  train-cls --cache out/224.cache --lrg out/lrg.csv --val out/val.txt \\\n"
                    "      --weights none --arch tiny --epochs 1 --recipe recipes/cls.recipe \\\n"
                    "      --set phase.head.lr=1e-3 -o try.ckpt\n"
                    "  # the curve that helps to choose the first rate\n"
                    "  train-cls --cache out/224.cache --lrg out/lrg.csv --val out/val.txt \\\n"
                    "      --weights resnet34.safetensors --recipe recipes/cls.recipe --lr-find lr.tsv\n"
                    "  # the network's modules\n"
                    "  train-cls --summary --classes 20\n"};
    return train_main(&p, argc, argv);
}
