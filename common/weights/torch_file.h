/* torch_file.h - the tensors of a state dict that torch.save wrote (.pth, .pt), both the zip archive that it
 * writes since PyTorch 1.6 and the row of pickles before that. Nothing in the file is executed (pickle.h).
 *
 * The file may hold the state dict itself, or a dict with it under "state_dict", "model", "model_state_dict"
 * or "net". Format: torch/serialization.py.
 */
#ifndef ONEBOX_WEIGHTS_TORCH_FILE_H
#define ONEBOX_WEIGHTS_TORCH_FILE_H

#include "weights/pickle.h"
#include "weights/safetensors.h"
#include "weights/zip.h"

typedef struct torch_tensor {
    safetensors_tensor
        t; /* t.data: element 0; the following ones are not always behind it, see torch_floats */
    uint64_t strides[SAFETENSORS_DIMS]; /* in elements */
    bool contiguous;
} torch_tensor;

/* An open file. All texts and data live until torch_file_close. */
typedef struct torch_file {
    file_view view;
    bool legacy;           /* the row of pickles */
    torch_tensor *tensors; /* ascending by name */
    size_t count;
    char *texts; /* storage behind names */
    zip zip;
} torch_file;

/* Do these first bytes of a file look like one that torch.save wrote? */
bool torch_file_looks(const void *data, size_t size);

/* ERR_INPUT with file and place when anything is wrong; then nothing needs closing. Every element of every
 * tensor is known to lie in the file afterwards. */
int torch_file_open(torch_file *f, const char *path, error *e);
void torch_file_close(torch_file *f);

/* All elements in row-major order as float32, as safetensors_floats converts them; `out` holds t.count
 * floats. */
int torch_floats(const torch_file *f, const torch_tensor *t, float *out, error *e);

#endif
