/* torch_file.h - the tensors of a state dict that torch.save wrote (.pth, .pt), both the zip archive that it
 * writes since PyTorch 1.6 and the row of pickles before that. Nothing in the file is executed (pickle.h).
 *
 * The file may hold the state dict itself, or a dict with it under "state_dict", "model", "model_state_dict"
 * or "net". Format: torch/serialization.py.
 */
#ifndef ONEBOX_WEIGHTS_TORCH_FILE_H
#define ONEBOX_WEIGHTS_TORCH_FILE_H

#include "weights/safetensors.h"

/* Opens it as a safetensors file without metadata. Every element of every tensor is known to lie in the file
 * afterwards. *legacy: it is a row of pickles. ERR_INPUT with file and place when anything is wrong; then nothing needs
 * closing. */
int torch_file_open(safetensors *f, const char *path, bool *legacy, error *e);

#endif
