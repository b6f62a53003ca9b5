/* train-cls - trains the classifier of the largest object. */
#include "front/train_main.h"

int main(int argc, char **argv)
{
    const train_program p = {
        .task = TASK_CLS,
        .name = "train-cls",
        .summary = "train the classifier of the largest object",
        .usage = "--cache FILE --lrg FILE --val FILE --weights FILE --recipe FILE [OPTIONS] -o cls.ckpt",
        .details = "The network is a ResNet with a new head. The recipe says which layers train in which "
                   "phase, at which rate;\n"
                   "each phase starts a new optimiser (Adam). The loss is mean negative log likelihood.\n"
                   "Loss and metrics of the validation pictures are printed after each epoch.\n"
                   "Same inputs, seed and threads: the same bytes.\n",
        .examples = "  train-cls --cache out/224.cache --lrg out/lrg.csv --val out/val.txt \\\n"
                    "      --weights resnet34.safetensors --recipe recipes/cls.recipe -o out/cls.ckpt\n"
                    "  # another rate, less of everything, from nothing\n"
                    "  train-cls --cache out/224.cache --lrg out/lrg.csv --val out/val.txt \\\n"
                    "      --weights none --arch tiny --epochs 1 --recipe recipes/cls.recipe --set "
                    "phase.head.lr=1e-3 -o try.ckpt\n"
                    "  # the curve that helps to choose the first rate\n"
                    "  train-cls --cache out/224.cache --lrg out/lrg.csv --val out/val.txt \\\n"
                    "      --weights resnet34.safetensors --recipe recipes/cls.recipe --lr-find lr.tsv\n"
                    "  # the network's modules\n"
                    "  train-cls --summary --classes 20\n"};
    return train_main(&p, argc, argv);
}
