/* safetensors.h - named tensors in a file: 8 bytes of little-endian header length, a JSON header, the data.
 * The header: {"NAME":{"dtype":"F32","shape":[64,3,7,7],"data_offsets":[0,37632]},…,"__metadata__":{"key":"text",…}}.
 * Format: huggingface/safetensors, README and safetensors/src/tensor.rs.
 *
 * The reader checks everything before it hands anything out: lengths without overflow, UTF-8, strict JSON,
 * duplicate keys, known dtypes, shapes against offsets, no holes, no overlaps, no bytes left over.
 */
#ifndef ONEBOX_WEIGHTS_SAFETENSORS_H
#define ONEBOX_WEIGHTS_SAFETENSORS_H

#include "base/file.h"

enum { SAFETENSORS_DIMS = 8 };

typedef enum safetensors_dtype {
    DTYPE_BOOL,
    DTYPE_F4,
    DTYPE_F6_E2M3,
    DTYPE_F6_E3M2,
    DTYPE_U8,
    DTYPE_I8,
    DTYPE_F8_E5M2,
    DTYPE_F8_E4M3,
    DTYPE_F8_E8M0,
    DTYPE_F8_E4M3FNUZ,
    DTYPE_F8_E5M2FNUZ,
    DTYPE_I16,
    DTYPE_U16,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_I32,
    DTYPE_U32,
    DTYPE_F32,
    DTYPE_C64,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_U64,
    DTYPES
} safetensors_dtype;

typedef struct safetensors_tensor {
    const char *name;
    safetensors_dtype dtype;
    int dims; /* 0: a scalar, one element */
    uint64_t shape[SAFETENSORS_DIMS];
    uint64_t begin, end;                /* place in the data of a safetensors file */
    size_t count;                       /* product of shape */
    size_t bytes;                       /* of all elements */
    const unsigned char *data;          /* in the file: element 0; may be unaligned */
    bool strided;                       /* the elements do not simply follow each other (torch_file.h only) */
    uint64_t strides[SAFETENSORS_DIMS]; /* then: in elements */
} safetensors_tensor;

const char *safetensors_dtype_name(safetensors_dtype d); /* "F32" */
unsigned safetensors_dtype_bits(safetensors_dtype d);    /* of one element */

typedef struct safetensors_meta {
    const char *key, *value;
} safetensors_meta;

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

/* Does a file look like one of torch.save's (torch_file.h): a zip archive, or a pickle of before 2020? Where the same
 * bytes are a length with a '{' behind it, they begin a safetensors file. */
bool safetensors_is_torch(const file_view *v);

/* For a reader of another format that fills in a safetensors: sorts both lists by name. ERR_INPUT where a name is there
 * twice. */
int safetensors_sort(safetensors *st, error *e);

/* NULL when there is none. */
const safetensors_tensor *safetensors_find(const safetensors *st, const char *name);
const char *safetensors_value(const safetensors *st, const char *key);

/* All elements, row by row, as float32: F32 copied, F64 rounded, F16 and BF16 widened. Other dtypes are ERR_INPUT
 * (`path` is named in the line). `out` holds t->count floats. */
int safetensors_floats(const safetensors_tensor *t, const char *path, float *out, error *e);

/* A float32 tensor to be written. */
typedef struct safetensors_item {
    const char *name;
    int dims;
    uint64_t shape[SAFETENSORS_DIMS];
    const float *data;
} safetensors_item;

/* The checksum of tensors, in 16 hexadecimal digits: the text for the metadata key SAFETENSORS_CHECKSUM. XXH64 of their
 * bytes, one after the other in the order of their names, each with the one before it as seed, the first with 0. */
#define SAFETENSORS_CHECKSUM "xxh64"
int safetensors_checksum(const safetensors_item *items, size_t count, char text[17], error *e);

/* ERR_INPUT when an open file has that key and other tensors. */
int safetensors_verify(const safetensors *st, error *e);

/* Writes a complete file or none (out_open). Tensors are sorted by name, metadata by key, the header is
 * padded with spaces to a multiple of 8: equal input gives equal bytes. Names and texts are UTF-8; duplicate
 * names are ERR_USAGE. */
int safetensors_write(const char *path, const safetensors_item *items, size_t count, const safetensors_meta *meta,
                      size_t meta_count, error *e);

#endif
