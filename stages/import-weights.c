/* import-weights - ImageNet weights of PyTorch, torchvision or timm as a weights file for the trainings. */
#include "base/program.h"
#include "nn/import.h"

int main(int argc, char **argv)
{
    const char *output = NULL, *name = NULL;
    const option options[] = {{"output", 'o', OPTION_TEXT, &output, "FILE",
                               "the safetensors file to write; '-' for standard output", .required = true},
                              {"arch", 0, OPTION_CHOICE, &name, "NAME",
                               "what it must be [what its tensors say]",
                               .choices = "resnet18|resnet34|resnet50"},
                              {0}};
    const program p = {
        .name = "import-weights",
        .summary = "ImageNet weights from elsewhere, for --weights of the trainings",
        .usage = "[--arch resnet34] -o resnet34.safetensors FILE",
        .details =
            "Reads a ResNet with torchvision's tensor names (timm has the same) from safetensors. What is "
            "written\n"
            "has the same names, all in float32: half precision is widened exactly, double is rounded.\n"
            "num_batches_tracked is left out, fc.* kept if it is there. Every tensor must be there with its\n"
            "shape, and no other; a prefix 'module.' of all names is taken off.\n",
        .examples = "  import-weights -o data/resnet34.safetensors model.safetensors\n",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
        .check = weights_import_check};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&p, argc, argv, &args, &code))
        return code;
    arch wanted = ARCHS;
    if (name)
        arch_parse(name, &wanted);
    import_result r;
    if (!weights_import(args.items[0], wanted, output, &r, &e))
        program_note(&p, "%s from %s: %zu tensors read, %zu written, %zu num_batches_tracked left out",
                     arch_name(r.arch), r.kind, r.read, r.written, r.counters);
    return program_end(&p, &e);
}
