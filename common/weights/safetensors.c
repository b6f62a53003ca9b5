/* Opening reads the header (safetensors_header.h), then holds what it says against the file: shapes and dtypes give
 * sizes, the places in the data must follow each other without holes, overlaps or bytes left over, and no name is
 * there twice. Tensors stay in the mapped file until safetensors_floats widens them. */
#include "weights/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the format is little-endian, data are copied as is");

/* ---------------------------------------------------------------- checks over all tensors */

static int by_offset(const void *a, const void *b)
{
    const safetensors_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->t.name, y->t.name);
}

static int by_tensor_name(const void *a, const void *b)
{
    return strcmp(((const safetensors_tensor *)a)->name, ((const safetensors_tensor *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const safetensors_meta *)a)->key, ((const safetensors_meta *)b)->key);
}

/* Sizes from shape and dtype, checked against the offsets. */
static int check_size(const char *path, safetensors_entry *x, error *e)
{
    uint64_t count = 1, bits;
    for (int i = 0; i < x->t.dims; i++)
        if (__builtin_mul_overflow(count, x->t.shape[i], &count))
            return fail(e, ERR_INPUT, "%s: tensor '%s': its shape has more than 2^64 elements", path,
                        x->t.name);
    if (__builtin_mul_overflow(count, safetensors_dtype_bits(x->t.dtype), &bits))
        return fail(e, ERR_INPUT, "%s: tensor '%s': its shape has more than 2^64 bits", path, x->t.name);
    if (bits % 8)
        return fail(e, ERR_INPUT, "%s: tensor '%s': %" PRIu64 " bits are no whole bytes", path, x->t.name,
                    bits);
    if (x->end < x->begin || x->end - x->begin != bits / 8)
        return fail(e, ERR_INPUT,
                    "%s: tensor '%s': offsets %" PRIu64 "..%" PRIu64
                    " do not agree with its shape, which needs %" PRIu64 " bytes",
                    path, x->t.name, x->begin, x->end, bits / 8);
    x->t.count = (size_t)count;
    x->t.bytes = (size_t)(bits / 8);
    return 0;
}

/* Sorts the entries by offset: they must cover the data area exactly. */
static int check_coverage(const file_view *v, safetensors_header *h, uint64_t data_begin, error *e)
{
    const char *path = v->path;
    uint64_t at = 0, room = v->size - data_begin;
    if (h->count)
        qsort(h->entries, h->count, sizeof *h->entries, by_offset);
    for (size_t i = 0; i < h->count; i++) {
        safetensors_entry *x = &h->entries[i];
        if (x->begin != at)
            return fail(e, ERR_INPUT,
                        "%s: tensor '%s' begins at %" PRIu64 ", %" PRIu64 " was due (a hole or an overlap)",
                        path, x->t.name, x->begin, at);
        int code = check_size(path, x, e);
        if (code)
            return code;
        if (x->end > room)
            return fail(e, ERR_INPUT,
                        "%s: tensor '%s' ends at byte %" PRIu64 " of the data, but only %" PRIu64
                        " are there (is the file truncated?)",
                        path, x->t.name, x->end, room);
        x->t.data = (const unsigned char *)v->data + data_begin + x->begin;
        at = x->end;
    }
    if (at != room)
        return fail(e, ERR_INPUT, "%s: %" PRIu64 " bytes follow the last tensor", path, room - at);
    return 0;
}

static int check_names(const safetensors *st, error *e)
{
    for (size_t i = 1; i < st->count; i++)
        if (strcmp(st->tensors[i - 1].name, st->tensors[i].name) == 0)
            return fail(e, ERR_INPUT, "%s: tensor '%s' is there twice", st->view.path, st->tensors[i].name);
    for (size_t i = 1; i < st->meta_count; i++)
        if (strcmp(st->meta[i - 1].key, st->meta[i].key) == 0)
            return fail(e, ERR_INPUT, "%s: metadata key '%s' is there twice", st->view.path, st->meta[i].key);
    return 0;
}

/* What torch.save writes: a zip archive, or a pickle of before 2020. A header behind such a length begins with '{'. */
static bool is_torch_file(const file_view *v)
{
    const char *d = v->data;
    bool magic = memcmp(d, "PK\3\4", 4) == 0 || memcmp(d, "\x80\x02\x8a\x0a", 4) == 0;
    return magic && (v->size == 8 || d[8] != '{');
}

/* The length of the header. */
static int read_length(const file_view *v, uint64_t *n, error *e)
{
    if (v->size < 8)
        return fail(e, ERR_INPUT, "%s: %zu bytes are too short for a safetensors file", v->path, v->size);
    memcpy(n, v->data, 8);
    if (is_torch_file(v))
        return fail(e, ERR_INPUT,
                    "%s: is a file of PyTorch; make safetensors of it: import-weights -o FILE.safetensors %s",
                    v->path, v->path);
    if (*n > SAFETENSORS_MAX_HEADER)
        return fail(e, ERR_INPUT, "%s: a header of %" PRIu64 " bytes; is this a safetensors file?", v->path,
                    *n);
    if (*n > v->size - 8)
        return fail(e, ERR_INPUT,
                    "%s: the header needs %" PRIu64 " bytes, %zu are there (is the file truncated?)", v->path,
                    *n, v->size - 8);
    return 0;
}

/* Moves what the header says into the file, sorted by name. */
static int take_over(safetensors *st, safetensors_header *h, error *e)
{
    st->tensors = mem_zero(h->count, sizeof *st->tensors, "tensors", e);
    if (!st->tensors)
        return ERR_SYSTEM;
    for (size_t i = 0; i < h->count; i++)
        st->tensors[i] = h->entries[i].t;
    st->count = h->count;
    st->meta = h->meta;
    st->meta_count = h->meta_count;
    st->texts = h->texts;
    h->meta = NULL;
    h->texts = NULL;
    qsort(st->tensors, st->count, sizeof *st->tensors, by_tensor_name);
    if (st->meta_count)
        qsort(st->meta, st->meta_count, sizeof *st->meta, by_key);
    return check_names(st, e);
}

static int read_all(safetensors *st, error *e)
{
    uint64_t n = 0;
    int code = read_length(&st->view, &n, e);
    if (code)
        return code;
    safetensors_header h;
    code = safetensors_header_read(st->view.path, st->view.data + 8, (size_t)n, &h, e);
    if (!code)
        code = check_coverage(&st->view, &h, n + 8, e);
    if (!code)
        code = take_over(st, &h, e);
    free(h.entries);
    free(h.meta);
    free(h.texts);
    return code;
}

int safetensors_open(safetensors *st, const char *path, error *e)
{
    *st = (safetensors){0};
    int code = file_open(&st->view, path, e);
    if (code)
        return code;
    code = read_all(st, e);
    if (code)
        safetensors_close(st);
    return code;
}

void safetensors_close(safetensors *st)
{
    free(st->tensors);
    free(st->meta);
    free(st->texts);
    file_close(&st->view);
    *st = (safetensors){0};
}

const safetensors_tensor *safetensors_find(const safetensors *st, const char *name)
{
    safetensors_tensor key = {.name = name};
    return bsearch(&key, st->tensors, st->count, sizeof key, by_tensor_name);
}

const char *safetensors_value(const safetensors *st, const char *key)
{
    safetensors_meta wanted = {.key = key};
    if (st->meta_count == 0)
        return NULL;
    const safetensors_meta *m = bsearch(&wanted, st->meta, st->meta_count, sizeof wanted, by_key);
    return m ? m->value : NULL;
}

/* ---------------------------------------------------------------- elements */

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF, bits;
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 */
        float magnitude = (float)fraction / 16777216.0f;
        return sign ? -magnitude : magnitude;
    }
    bits = exponent == 31 ? 0x7F800000u : (exponent + 112) << 23;
    bits |= sign | fraction << 13;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

int safetensors_floats(const safetensors_tensor *t, const char *path, float *out, error *e)
{
    switch (t->dtype) {
    case DTYPE_F32:
        memcpy(out, t->data, t->bytes);
        return 0;
    case DTYPE_F64:
        for (size_t i = 0; i < t->count; i++) {
            double d;
            memcpy(&d, t->data + 8 * i, 8);
            out[i] = (float)d;
        }
        return 0;
    case DTYPE_F16:
        for (size_t i = 0; i < t->count; i++) {
            uint16_t h;
            memcpy(&h, t->data + 2 * i, 2);
            out[i] = half_to_float(h);
        }
        return 0;
    case DTYPE_BF16:
        for (size_t i = 0; i < t->count; i++) {
            uint16_t h;
            memcpy(&h, t->data + 2 * i, 2);
            uint32_t bits = (uint32_t)h << 16;
            memcpy(out + i, &bits, 4);
        }
        return 0;
    default:
        return fail(e, ERR_INPUT, "%s: tensor '%s' is %s, weights must be F32, F64, F16 or BF16", path,
                    t->name, safetensors_dtype_name(t->dtype));
    }
}
