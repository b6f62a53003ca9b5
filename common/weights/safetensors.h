/* safetensors.h - named tensors in a file: 8 bytes of little-endian header length, a JSON header, the data.
 * Format: huggingface/safetensors, README and safetensors/src/tensor.rs.
 *
 * The reader checks everything before it hands anything out: lengths without overflow, UTF-8, strict JSON,
 * duplicate keys, known dtypes, shapes against offsets, no holes, no overlaps, no bytes left over.
 */
#ifndef ONEBOX_WEIGHTS_SAFETENSORS_H
#define ONEBOX_WEIGHTS_SAFETENSORS_H

#include "base/file.h"
#include "weights/safetensors_header.h"

/* The reference implementation's limit for the header, in bytes. */
enum { SAFETENSORS_MAX_HEADER = 100000000 };

/* An open file. All texts and data live until safetensors_close. */
typedef struct safetensors {
    file_view view;
    safetensors_tensor *tensors; /* ascending by name */
    size_t count;
    safetensors_meta *meta; /* ascending by key; texts decoded, NUL-terminated */
    size_t meta_count;
    char *texts; /* storage behind names, keys and values */
} safetensors;

/* ERR_INPUT with file and place when anything is wrong; then nothing needs closing. */
int safetensors_open(safetensors *st, const char *path, error *e);
void safetensors_close(safetensors *st);

/* NULL when there is none. */
const safetensors_tensor *safetensors_find(const safetensors *st, const char *name);
const char *safetensors_value(const safetensors *st, const char *key);

/* All elements as float32: F32 copied, F64 rounded, F16 and BF16 widened. Other dtypes are ERR_INPUT (`path`
 * is named in the line). `out` holds t->count floats. */
int safetensors_floats(const safetensors_tensor *t, const char *path, float *out, error *e);

/* A float32 tensor to be written. */
typedef struct safetensors_item {
    const char *name;
    int dims;
    uint64_t shape[SAFETENSORS_DIMS];
    const float *data;
} safetensors_item;

/* Writes a complete file or none (out_open). Tensors are sorted by name, metadata by key, the header is
 * padded with spaces to a multiple of 8: equal input gives equal bytes. Names and texts are UTF-8; duplicate
 * names are ERR_USAGE. */
int safetensors_write(const char *path, const safetensors_item *items, size_t count,
                      const safetensors_meta *meta, size_t meta_count, error *e);

#endif
