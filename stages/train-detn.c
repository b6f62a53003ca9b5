/* train-detn - trains the detector: class and box of the largest object. */
#include "front/train_main.h"

int main(int argc, char **argv)
{
    const train_program p = {
        .task = TASK_DETN,
        .name = "train-detn",
        .summary = "train the detector: class and box of the largest object",
        .usage = "--cache FILE --lrg FILE --bb FILE --val FILE --weights FILE --recipe FILE [OPTIONS] -o detn.ckpt",
        .details = TRAIN_DETAILS(
            "The loss is L1 of the box in pixels of the square input + 20 times the cross-entropy of the class."),
        .examples = TRAIN_EXAMPLES("detn", "--lrg out/lrg.csv --bb out/bb.csv", " --classes 20")};
    return train_main(&p, argc, argv);
}
