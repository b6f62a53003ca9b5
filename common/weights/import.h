/* import.h - ImageNet weights that other programs wrote, as a weights file of ours. */
#ifndef ONEBOX_WEIGHTS_IMPORT_H
#define ONEBOX_WEIGHTS_IMPORT_H

#include "graph/resnet.h"

typedef struct import_result {
    arch arch;
    size_t read;      /* tensors in the file */
    size_t written;   /* of them in ours */
    size_t counters;  /* num_batches_tracked, which are left out: nothing reads them */
    const char *kind; /* of the file: "safetensors", "PyTorch's format", "PyTorch's format before 1.6" */
} import_result;

/* Reads a ResNet with torchvision's tensor names (timm has the same) from `path`, safetensors or a .pth of
 * torch.save (torch_file.h), and writes it to `output` in safetensors form: float32, same names, fc.*
 * included if it is there. F16 and BF16 are widened, F64 is rounded. A prefix "module." of all names
 * (torch.nn.DataParallel) is taken off. `wanted`: the architecture, or ARCHS for the one whose tensors are
 * there. Without `output` (NULL) it only checks.
 *
 * Every tensor of the architecture must be there with its shape and finite elements, nothing else may be:
 * ERR_INPUT names the first three unknown, missing and wrongly shaped ones and counts them. fc.weight and
 * fc.bias, of any number of classes, may be missing together; so may all num_batches_tracked. */
int weights_import(const char *path, arch wanted, const char *output, import_result *result, error *e);

/* ERR_INPUT unless `path` is a file as weights_import writes it. */
int weights_import_check(const char *path, error *e);

#endif
