/* train-objects - trains the detector of all objects. */
#include "front/train_main.h"

int main(int argc, char **argv)
{
    const train_program p = {
        .task = TASK_OBJECTS,
        .name = "train-objects",
        .summary = "train the detector of all objects of a picture",
        .usage = "--cache FILE --anno FILE --val FILE --weights FILE --recipe FILE [OPTIONS] -o objects.ckpt",
        .details = TRAIN_DETAILS(
            "Each cell of a grid answers for the object around it, with a score per class and a box. The loss is\n"
            "that of the scores (generalised focal) + 0.7 times 1 - GIoU of the boxes. Objects marked ignore\n"
            "teach nothing: neither that they are there nor that they are not."),
        .examples = TRAIN_EXAMPLES("objects", "--anno out/anno.tsv", " --classes 20")};
    return train_main(&p, argc, argv);
}
