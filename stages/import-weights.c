/* import-weights - ImageNet weights of PyTorch, torchvision or timm as a weights file for the trainings. */
#include "base/program.h"
#include "weights/import.h"

int main(int argc, char **argv)
{
    const char *output = NULL, *name = NULL;
    const option options[] = {{"output", 'o', OPTION_OUTPUT, &output, "FILE",
                               "the safetensors file to write; '-' for standard output", .required = true},
                              {"arch", 0, OPTION_CHOICE, &name, "NAME", "what it must be [what its tensors say]",
                               .choices = "resnet18|resnet34|resnet50"},
                              {0}};
    const program p = {
        .name = "import-weights",
        .summary = "ImageNet weights from elsewhere, for --weights of the trainings",
        .usage = "[--arch resnet34] -o resnet34.safetensors FILE",
        .details =
            "Reads a ResNet with torchvision's tensor names (timm has the same): safetensors, or a .pth or .pt of\n"
            "torch.save, of any version since 2017. Such a file is a program for Python; nothing of it is executed,\n"
            "and what asks for other things than tensors is refused. A dict with the weights under 'state_dict',\n"
            "'model', 'model_state_dict' or 'net' will do, and so will names that all begin with 'module.'.\n"
            "\n"
            "What is written has torchvision's names, all in float32: half precision is widened exactly, double is\n"
            "rounded. num_batches_tracked is left out, fc.* kept if it is there. Every other tensor must be there\n"
            "with its shape, and no more.\n",
        .examples = "  import-weights -o data/resnet34.safetensors resnet34-b627a593.pth\n"
                    "  import-weights --arch resnet50 -o resnet50.safetensors model.safetensors\n",
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
