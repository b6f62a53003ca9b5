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
        .examples = TRAIN_EXAMPLES("cls", "--lrg out/lrg.csv", " --classes 20")};
    return train_main(&p, argc, argv);
}
