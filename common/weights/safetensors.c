/* The header has two levels and one shape, so it is read in one pass that accepts exactly that shape (RFC 8259 down to
 * the last comma), without a token table that a hostile header could blow up. Every function take_… takes what it is
 * named after from the front of the text and returns false, with the error recorded, when something else stands there.
 * Strings are decoded into one block: decoding never lengthens a text, and its two quotes make room for the NUL.
 * Then what the header says is held against the file: shapes and dtypes give sizes, the places in the data must follow
 * each other without holes, overlaps or bytes left over, and no name is there twice. Tensors stay in the mapped file
 * until safetensors_floats widens them. */
#include "weights/safetensors.h"

#include "base/digest.h"
#include "base/json_text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian, data are copied as is");

static const struct {
    const char *name;
    unsigned bits;
} dtypes[DTYPES] = {
    [DTYPE_BOOL] = {"BOOL", 8},       [DTYPE_F4] = {"F4", 4},
    [DTYPE_F6_E2M3] = {"F6_E2M3", 6}, [DTYPE_F6_E3M2] = {"F6_E3M2", 6},
    [DTYPE_U8] = {"U8", 8},           [DTYPE_I8] = {"I8", 8},
    [DTYPE_F8_E5M2] = {"F8_E5M2", 8}, [DTYPE_F8_E4M3] = {"F8_E4M3", 8},
    [DTYPE_F8_E8M0] = {"F8_E8M0", 8}, [DTYPE_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8},
    [DTYPE_I16] = {"I16", 16},        [DTYPE_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8},
    [DTYPE_U16] = {"U16", 16},        [DTYPE_F16] = {"F16", 16},
    [DTYPE_BF16] = {"BF16", 16},      [DTYPE_I32] = {"I32", 32},
    [DTYPE_U32] = {"U32", 32},        [DTYPE_F32] = {"F32", 32},
    [DTYPE_C64] = {"C64", 64},        [DTYPE_F64] = {"F64", 64},
    [DTYPE_I64] = {"I64", 64},        [DTYPE_U64] = {"U64", 64},
};

const char *safetensors_dtype_name(safetensors_dtype d)
{
    return dtypes[d].name;
}

unsigned safetensors_dtype_bits(safetensors_dtype d)
{
    return dtypes[d].bits;
}

/* ---------------------------------------------------------------- JSON */

typedef struct header_reader {
    const char *path;
    const char *begin, *at, *end;
    char *out; /* where the next decoded text goes */
    safetensors *st;
    size_t tensor_room, meta_room; /* of the arrays of st */
    bool has_meta;
    error *e;
} header_reader;

static bool refuse(const header_reader *r, const char *what)
{
    fail(r->e, ERR_INPUT, "%s: header, byte %zu: %s", r->path, (size_t)(r->at - r->begin), what);
    return false;
}

static void skip_blanks(header_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* True when the next character (behind blanks) is `c`, which is then passed; no error otherwise. */
static bool passed(header_reader *r, char c)
{
    skip_blanks(r);
    if (r->at >= r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool take(header_reader *r, char c)
{
    char what[] = "'?' is missing";
    what[1] = c;
    return passed(r, c) || refuse(r, what);
}

static bool take_string(header_reader *r, const char **text)
{
    if (!passed(r, '"'))
        return refuse(r, "a string in double quotes is needed");
    const char *end = json_string_end(r->at, r->end);
    if (end == r->end)
        return refuse(r, "the header ends inside a string");
    size_t length;
    const char *wrong = json_decode(r->at, (size_t)(end - r->at), r->out, &length);
    char what[100];
    snprintf(what, sizeof what, "%s in a string", wrong ? wrong : "");
    if (wrong)
        return refuse(r, what);
    *text = r->out;
    r->out += length + 1;
    r->at = end + 1;
    return true;
}

static bool take_key(header_reader *r, const char **key)
{
    return take_string(r, key) && take(r, ':');
}

/* A whole number of 64 bits without sign, fraction or leading zeros. */
static bool take_number(header_reader *r, uint64_t *value)
{
    skip_blanks(r);
    const char *first = r->at;
    *value = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        if (__builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*r->at - '0'), value))
            return refuse(r, "a number beyond 64 bits");
        r->at++;
    }
    if (r->at == first)
        return refuse(r, "a whole number, 0 or more, is needed");
    if (r->at - first > 1 && *first == '0')
        return refuse(r, "a number with a leading zero");
    if (r->at < r->end && (*r->at == '.' || *r->at == 'e' || *r->at == 'E'))
        return refuse(r, "a whole number, 0 or more, is needed");
    return true;
}

/* ---------------------------------------------------------------- tensors */

static bool take_shape(header_reader *r, safetensors_tensor *t)
{
    if (!take(r, '['))
        return false;
    if (passed(r, ']'))
        return true;
    do {
        if (t->dims == SAFETENSORS_DIMS)
            return refuse(r, "a tensor with more than 8 dimensions");
        if (!take_number(r, &t->shape[t->dims++]))
            return false;
    } while (passed(r, ','));
    return take(r, ']');
}

static bool take_dtype(header_reader *r, safetensors_tensor *t)
{
    const char *name;
    if (!take_string(r, &name))
        return false;
    for (int d = 0; d < DTYPES; d++)
        if (strcmp(name, dtypes[d].name) == 0) {
            t->dtype = (safetensors_dtype)d;
            return true;
        }
    fail(r->e, ERR_INPUT, "%s: tensor '%s' has the unknown dtype '%s'", r->path, t->name, name);
    return false;
}

static bool take_offsets(header_reader *r, safetensors_tensor *t)
{
    return take(r, '[') && take_number(r, &t->begin) && take(r, ',') && take_number(r, &t->end) && take(r, ']');
}

enum { KEYS = 3 };
static const char *const keys[KEYS] = {"dtype", "shape", "data_offsets"};

/* One "key":value of a tensor. */
static bool take_field(header_reader *r, safetensors_tensor *t, bool seen[KEYS])
{
    const char *key;
    if (!take_key(r, &key))
        return false;
    int k = 0;
    while (k < KEYS && strcmp(key, keys[k]) != 0)
        k++;
    if (k == KEYS || seen[k]) {
        fail(r->e, ERR_INPUT,
             k == KEYS ? "%s: tensor '%s' has the unknown key '%s'" : "%s: tensor '%s' has the key '%s' twice", r->path,
             t->name, key);
        return false;
    }
    seen[k] = true;
    return k == 0 ? take_dtype(r, t) : k == 1 ? take_shape(r, t) : take_offsets(r, t);
}

/* {"dtype":…, "shape":…, "data_offsets":…} in any order, each exactly once. */
static bool take_entry(header_reader *r, safetensors_tensor *t)
{
    bool seen[KEYS] = {false};
    if (!take(r, '{'))
        return false;
    if (!passed(r, '}')) {
        do {
            if (!take_field(r, t, seen))
                return false;
        } while (passed(r, ','));
        if (!take(r, '}'))
            return false;
    }
    for (int k = 0; k < KEYS; k++)
        if (!seen[k]) {
            fail(r->e, ERR_INPUT, "%s: tensor '%s' has no '%s'", r->path, t->name, keys[k]);
            return false;
        }
    return true;
}

/* ---------------------------------------------------------------- the whole header */

static bool take_meta(header_reader *r)
{
    safetensors *st = r->st;
    if (!take(r, '{'))
        return false;
    if (passed(r, '}'))
        return true;
    do {
        safetensors_meta m;
        if (!take_key(r, &m.key) || !take_string(r, &m.value) ||
            mem_grow(&st->meta, &r->meta_room, st->meta_count + 1, sizeof m, "metadata", r->e))
            return false;
        st->meta[st->meta_count++] = m;
    } while (passed(r, ','));
    return take(r, '}');
}

/* One "name":{…}, a tensor or the metadata. */
static bool take_member(header_reader *r)
{
    safetensors *st = r->st;
    const char *name;
    if (!take_key(r, &name))
        return false;
    if (strcmp(name, "__metadata__") == 0) {
        if (r->has_meta)
            return refuse(r, "__metadata__ is there twice");
        r->has_meta = true;
        return take_meta(r);
    }
    if (mem_grow(&st->tensors, &r->tensor_room, st->count + 1, sizeof *st->tensors, "tensors", r->e))
        return false;
    safetensors_tensor *t = &st->tensors[st->count++];
    *t = (safetensors_tensor){.name = name};
    return take_entry(r, t);
}

static bool take_header(header_reader *r)
{
    if (r->at >= r->end || *r->at != '{')
        return refuse(r, "'{' is missing");
    r->at++;
    if (!passed(r, '}')) {
        do {
            if (!take_member(r))
                return false;
        } while (passed(r, ','));
        if (!take(r, '}'))
            return false;
    }
    while (r->at < r->end && *r->at == ' ')
        r->at++;
    return r->at >= r->end || refuse(r, "text behind the closing brace");
}

/* text[0..size), a header, into the lists of st. */
static int read_header(safetensors *st, const char *text, size_t size, error *e)
{
    if (!utf8_valid(text, size))
        return fail(e, ERR_INPUT, "%s: the header is not UTF-8", st->view.path);
    st->texts = mem_zero(size, 1, "tensor names", e);
    if (!st->texts)
        return ERR_SYSTEM;
    header_reader r = {
        .path = st->view.path, .begin = text, .at = text, .end = text + size, .out = st->texts, .st = st, .e = e};
    return take_header(&r) ? 0 : e->code;
}

/* ---------------------------------------------------------------- checks over all tensors */

static int by_offset(const void *a, const void *b)
{
    const safetensors_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
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
static int check_size(const char *path, safetensors_tensor *t, error *e)
{
    uint64_t count = 1, bits;
    for (int i = 0; i < t->dims; i++)
        if (__builtin_mul_overflow(count, t->shape[i], &count))
            return fail(e, ERR_INPUT, "%s: tensor '%s': its shape has more than 2^64 elements", path, t->name);
    if (__builtin_mul_overflow(count, safetensors_dtype_bits(t->dtype), &bits))
        return fail(e, ERR_INPUT, "%s: tensor '%s': its shape has more than 2^64 bits", path, t->name);
    if (bits % 8)
        return fail(e, ERR_INPUT, "%s: tensor '%s': %" PRIu64 " bits are no whole bytes", path, t->name, bits);
    if (t->end < t->begin || t->end - t->begin != bits / 8)
        return fail(e, ERR_INPUT,
                    "%s: tensor '%s': offsets %" PRIu64 "..%" PRIu64
                    " do not agree with its shape, which needs %" PRIu64 " bytes",
                    path, t->name, t->begin, t->end, bits / 8);
    t->count = (size_t)count;
    t->bytes = (size_t)(bits / 8);
    return 0;
}

/* Sorts the tensors by offset: they must cover the data area exactly. */
static int check_coverage(safetensors *st, size_t data_begin, error *e)
{
    const char *path = st->view.path;
    uint64_t at = 0, room = st->view.size - data_begin;
    if (st->count)
        qsort(st->tensors, st->count, sizeof *st->tensors, by_offset);
    for (size_t i = 0; i < st->count; i++) {
        safetensors_tensor *t = &st->tensors[i];
        if (t->begin != at)
            return fail(e, ERR_INPUT,
                        "%s: tensor '%s' begins at %" PRIu64 ", %" PRIu64 " was due (a hole or an overlap)", path,
                        t->name, t->begin, at);
        int code = check_size(path, t, e);
        if (code)
            return code;
        if (t->end > room)
            return fail(e, ERR_INPUT,
                        "%s: tensor '%s' ends at byte %" PRIu64 " of the data, but only %" PRIu64
                        " are there (is the file truncated?)",
                        path, t->name, t->end, room);
        t->data = (const unsigned char *)st->view.data + data_begin + t->begin;
        at = t->end;
    }
    if (at != room)
        return fail(e, ERR_INPUT, "%s: %" PRIu64 " bytes follow the last tensor", path, room - at);
    return 0;
}

int safetensors_sort(safetensors *st, error *e)
{
    if (st->count)
        qsort(st->tensors, st->count, sizeof *st->tensors, by_tensor_name);
    if (st->meta_count)
        qsort(st->meta, st->meta_count, sizeof *st->meta, by_key);
    for (size_t i = 1; i < st->count; i++)
        if (strcmp(st->tensors[i - 1].name, st->tensors[i].name) == 0)
            return fail(e, ERR_INPUT, "%s: tensor '%s' is there twice", st->view.path, st->tensors[i].name);
    for (size_t i = 1; i < st->meta_count; i++)
        if (strcmp(st->meta[i - 1].key, st->meta[i].key) == 0)
            return fail(e, ERR_INPUT, "%s: metadata key '%s' is there twice", st->view.path, st->meta[i].key);
    return 0;
}

bool safetensors_is_torch(const file_view *v)
{
    bool magic = v->size >= 4 && (memcmp(v->data, "PK\3\4", 4) == 0 || memcmp(v->data, "\x80\x02\x8a\x0a", 4) == 0);
    return magic && (v->size <= 8 || v->data[8] != '{');
}

/* The length of the header. */
static int read_length(const file_view *v, uint64_t *n, error *e)
{
    if (v->size < 8)
        return fail(e, ERR_INPUT, "%s: %zu bytes are too short for a safetensors file", v->path, v->size);
    memcpy(n, v->data, 8);
    if (safetensors_is_torch(v))
        return fail(e, ERR_INPUT,
                    "%s: is a file of PyTorch; make safetensors of it: import-weights -o FILE.safetensors %s", v->path,
                    v->path);
    if (*n > SAFETENSORS_MAX_HEADER)
        return fail(e, ERR_INPUT, "%s: a header of %" PRIu64 " bytes; is this a safetensors file?", v->path, *n);
    if (*n > v->size - 8)
        return fail(e, ERR_INPUT, "%s: the header needs %" PRIu64 " bytes, %zu are there (is the file truncated?)",
                    v->path, *n, v->size - 8);
    return 0;
}

int safetensors_open(safetensors *st, const char *path, error *e)
{
    *st = (safetensors){0};
    int code = file_open(&st->view, path, e);
    if (code)
        return code;
    uint64_t n = 0;
    code = read_length(&st->view, &n, e);
    if (!code)
        code = read_header(st, st->view.data + 8, (size_t)n, e);
    if (!code)
        code = check_coverage(st, (size_t)n + 8, e);
    if (!code)
        code = safetensors_sort(st, e);
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

int safetensors_verify(const safetensors *st, error *e)
{
    const char *wanted = safetensors_value(st, SAFETENSORS_CHECKSUM);
    uint64_t sum = 0;
    char text[17];
    for (size_t i = 0; wanted && i < st->count; i++)
        sum = xxh64_more(sum, st->tensors[i].data, st->tensors[i].bytes);
    snprintf(text, sizeof text, "%016" PRIx64, sum);
    if (!wanted || strcmp(text, wanted) == 0)
        return 0;
    return fail(e, ERR_INPUT,
                "%s: its numbers are not those that were written (checksum %s, not %s): it is damaged; copy or make it "
                "again",
                st->view.path, text, wanted);
}

const safetensors_tensor *safetensors_find(const safetensors *st, const char *name)
{
    safetensors_tensor key = {.name = name};
    return st->count ? bsearch(&key, st->tensors, st->count, sizeof key, by_tensor_name) : NULL;
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

/* The same tensor with its elements behind each other, in a block that the caller frees; NULL with e set. */
static void *gather(safetensors_tensor *t, error *e)
{
    size_t size = safetensors_dtype_bits(t->dtype) / 8;
    unsigned char *gathered = mem_zero(t->count, size, "a tensor", e);
    uint64_t at[SAFETENSORS_DIMS] = {0}, from = 0;
    for (size_t i = 0; gathered && i < t->count; i++) {
        memcpy(gathered + i * size, t->data + from * size, size);
        for (int k = t->dims; k-- > 0;) { /* the next index, the last one fastest */
            from += t->strides[k];
            if (++at[k] < t->shape[k])
                break;
            from -= t->strides[k] * t->shape[k];
            at[k] = 0;
        }
    }
    t->data = gathered;
    t->strided = false;
    return gathered;
}

int safetensors_floats(const safetensors_tensor *t, const char *path, float *out, error *e)
{
    if (t->strided) {
        safetensors_tensor plain = *t;
        void *gathered = gather(&plain, e);
        int code = gathered ? safetensors_floats(&plain, path, out, e) : ERR_SYSTEM;
        free(gathered);
        return code;
    }
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
        return fail(e, ERR_INPUT, "%s: tensor '%s' is %s, weights must be F32, F64, F16 or BF16", path, t->name,
                    safetensors_dtype_name(t->dtype));
    }
}
