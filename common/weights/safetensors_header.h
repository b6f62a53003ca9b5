/* safetensors_header.h - the JSON header of a safetensors file: {"NAME":{"dtype":"F32","shape":[64,3,7,7],
 * "data_offsets":[0,37632]},…,"__metadata__":{"key":"text",…}}.
 */
#ifndef ONEBOX_WEIGHTS_SAFETENSORS_HEADER_H
#define ONEBOX_WEIGHTS_SAFETENSORS_HEADER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

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
    size_t count;              /* product of shape */
    const unsigned char *data; /* in the file; may be unaligned */
    size_t bytes;
} safetensors_tensor;

typedef struct safetensors_meta {
    const char *key, *value;
} safetensors_meta;

const char *safetensors_dtype_name(safetensors_dtype d); /* "F32" */
unsigned safetensors_dtype_bits(safetensors_dtype d);    /* of one element */

/* A tensor as the header describes it: the data's place within the data area, not checked yet. */
typedef struct safetensors_entry {
    safetensors_tensor t; /* name, dtype, dims, shape */
    uint64_t begin, end;
} safetensors_entry;

typedef struct safetensors_header {
    safetensors_entry *entries; /* in the file's order */
    size_t count;
    safetensors_meta *meta; /* likewise */
    size_t meta_count;
    char *texts; /* storage behind names, keys and values */
} safetensors_header;

/* Reads text[0..size), which is RFC 8259 in exactly the shape above, down to the last comma. ERR_INPUT with `path`
 * and the place. The three arrays belong to the caller, after a failure too: free() each. */
int safetensors_header_read(const char *path, const char *text, size_t size, safetensors_header *h, error *e);

#endif
