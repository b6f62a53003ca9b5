/* train-bbox - trains the regressor of the largest object's box. */
#include "front/train_main.h"

int main(int argc, char **argv)
{
    const train_program p = {
        .task = TASK_BBOX,
        .name = "train-bbox",
        .summary = "train the regressor of the largest object's box",
        .usage = "--cache FILE --bb FILE --val FILE --weights FILE --recipe FILE [OPTIONS] -o bbox.ckpt",
        .details = TRAIN_DETAILS("The loss is mean absolute error of y1, x1, y2, x2 in pixels of the square input."),
        .examples = TRAIN_EXAMPLES("bbox", "--bb out/bb.csv", "")};
    return train_main(&p, argc, argv);
}
