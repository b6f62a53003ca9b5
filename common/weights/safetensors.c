#include "weights/safetensors.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the format is little-endian, data are copied as is");

/* The reference implementation's limit for the header. */
static const uint64_t MAX_HEADER = 100000000;

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

/* ---------------------------------------------------------------- JSON
 *
 * The header has two levels and one shape, so it is read in one pass that accepts exactly that shape: RFC
 * 8259 down to the last comma, without a token table that a hostile header could blow up. */

typedef struct reader {
    const char *path;
    const unsigned char *begin, *at, *end; /* the header */
    char *out;                             /* where the next decoded text goes */
    error *e;
} reader;

static int bad(const reader *r, const char *what)
{
    return fail(r->e, ERR_INPUT, "%s: header, byte %zu: %s", r->path, (size_t)(r->at - r->begin), what);
}

static void skip_blanks(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* True when the next character (behind blanks) is `c`, which is then passed. */
static bool take(reader *r, char c)
{
    skip_blanks(r);
    if (r->at >= r->end || *r->at != (unsigned char)c)
        return false;
    r->at++;
    return true;
}

static int expect(reader *r, char c)
{
    if (take(r, c))
        return 0;
    char what[32] = "'?' is missing";
    what[1] = c;
    return bad(r, what);
}

static int hex4(reader *r, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        if (r->at >= r->end)
            return bad(r, "the header ends inside a string");
        unsigned c = *r->at++;
        unsigned digit = c >= '0' && c <= '9'   ? c - '0'
                         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                : 16;
        if (digit == 16)
            return bad(r, "'\\u' needs four hexadecimal digits");
        *value = *value << 4 | digit;
    }
    return 0;
}

static void put_utf8(reader *r, uint32_t c)
{
    if (c < 0x80) {
        *r->out++ = (char)c;
    } else if (c < 0x800) {
        *r->out++ = (char)(0xC0 | c >> 6);
        *r->out++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *r->out++ = (char)(0xE0 | c >> 12);
        *r->out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *r->out++ = (char)(0x80 | (c & 0x3F));
    } else {
        *r->out++ = (char)(0xF0 | c >> 18);
        *r->out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *r->out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *r->out++ = (char)(0x80 | (c & 0x3F));
    }
}

static int unicode_escape(reader *r)
{
    uint32_t c, low;
    int code = hex4(r, &c);
    if (code)
        return code;
    if (c >= 0xD800 && c < 0xDC00) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return bad(r, "half of a surrogate pair");
        r->at += 2;
        code = hex4(r, &low);
        if (code)
            return code;
        if (low < 0xDC00 || low > 0xDFFF)
            return bad(r, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c < 0xE000) {
        return bad(r, "half of a surrogate pair");
    }
    if (c == 0)
        return bad(r, "a text with a NUL character");
    put_utf8(r, c);
    return 0;
}

/* A string, decoded and NUL-terminated into the text storage (decoding never lengthens: the two quotes make
 * room for the NUL). */
static int string(reader *r, const char **text)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    *text = r->out;
    if (!take(r, '"'))
        return bad(r, "a string in double quotes is needed");
    for (;;) {
        if (r->at >= r->end)
            return bad(r, "the header ends inside a string");
        unsigned char c = *r->at;
        if (c < 0x20)
            return bad(r, "a control character inside a string");
        r->at++;
        if (c == '"')
            break;
        if (c != '\\') {
            *r->out++ = (char)c;
            continue;
        }
        const char *known = r->at < r->end && *r->at ? strchr(from, *r->at) : NULL;
        if (known) {
            *r->out++ = to[known - from];
            r->at++;
        } else if (r->at < r->end && *r->at == 'u') {
            r->at++;
            int code = unicode_escape(r);
            if (code)
                return code;
        } else {
            return bad(r, "an unknown escape in a string");
        }
    }
    *r->out++ = '\0';
    return 0;
}

/* A whole number of 64 bits without sign, fraction or leading zeros. */
static int whole(reader *r, uint64_t *value)
{
    skip_blanks(r);
    const unsigned char *first = r->at;
    *value = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        if (__builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*r->at - '0'), value))
            return bad(r, "a number beyond 64 bits");
        r->at++;
    }
    if (r->at == first)
        return bad(r, "a whole number, 0 or more, is needed");
    if (r->at - first > 1 && *first == '0')
        return bad(r, "a number with a leading zero");
    if (r->at < r->end && (*r->at == '.' || *r->at == 'e' || *r->at == 'E'))
        return bad(r, "a whole number, 0 or more, is needed");
    return 0;
}

/* ---------------------------------------------------------------- header */

/* A tensor while the header is read: offsets as written. */
typedef struct entry {
    safetensors_tensor t;
    uint64_t begin, end;
} entry;

static int read_shape(reader *r, safetensors_tensor *t)
{
    int code = expect(r, '[');
    if (code || take(r, ']'))
        return code;
    do {
        if (t->dims == SAFETENSORS_DIMS)
            return bad(r, "a tensor with more than 8 dimensions");
        code = whole(r, &t->shape[t->dims++]);
        if (code)
            return code;
    } while (take(r, ','));
    return expect(r, ']');
}

static int read_dtype(reader *r, safetensors_tensor *t)
{
    const char *name;
    int code = string(r, &name);
    if (code)
        return code;
    for (int d = 0; d < DTYPES; d++)
        if (strcmp(name, dtypes[d].name) == 0) {
            t->dtype = (safetensors_dtype)d;
            return 0;
        }
    return fail(r->e, ERR_INPUT, "%s: tensor '%s' has the unknown dtype '%s'", r->path, t->name, name);
}

static int read_offsets(reader *r, entry *x)
{
    int code = expect(r, '[');
    if (!code)
        code = whole(r, &x->begin);
    if (!code)
        code = expect(r, ',');
    if (!code)
        code = whole(r, &x->end);
    return code ? code : expect(r, ']');
}

/* {"dtype":…, "shape":…, "data_offsets":…} in any order, each exactly once. */
static int read_entry(reader *r, entry *x)
{
    bool seen[3] = {false, false, false};
    static const char *const keys[3] = {"dtype", "shape", "data_offsets"};
    int code = expect(r, '{');
    if (code)
        return code;
    if (!take(r, '}')) {
        do {
            const char *key;
            if ((code = string(r, &key)) || (code = expect(r, ':')))
                return code;
            int k = 0;
            while (k < 3 && strcmp(key, keys[k]) != 0)
                k++;
            if (k == 3)
                return fail(r->e, ERR_INPUT, "%s: tensor '%s' has the unknown key '%s'", r->path, x->t.name,
                            key);
            if (seen[k])
                return fail(r->e, ERR_INPUT, "%s: tensor '%s' has the key '%s' twice", r->path, x->t.name,
                            key);
            seen[k] = true;
            code = k == 0 ? read_dtype(r, &x->t) : k == 1 ? read_shape(r, &x->t) : read_offsets(r, x);
            if (code)
                return code;
        } while (take(r, ','));
        if ((code = expect(r, '}')))
            return code;
    }
    for (int k = 0; k < 3; k++)
        if (!seen[k])
            return fail(r->e, ERR_INPUT, "%s: tensor '%s' has no '%s'", r->path, x->t.name, keys[k]);
    return 0;
}

static int read_metadata(reader *r, safetensors *st)
{
    size_t capacity = 0;
    int code = expect(r, '{');
    if (code || take(r, '}'))
        return code;
    do {
        safetensors_meta m;
        if ((code = string(r, &m.key)) || (code = expect(r, ':')) || (code = string(r, &m.value)) ||
            (code = mem_grow(&st->meta, &capacity, st->meta_count + 1, sizeof m, "metadata", r->e)))
            return code;
        st->meta[st->meta_count++] = m;
    } while (take(r, ','));
    return expect(r, '}');
}

static int read_header(reader *r, safetensors *st, entry **entries)
{
    size_t capacity = 0;
    bool metadata = false;
    int code;
    if (r->at >= r->end || *r->at != '{')
        return bad(r, "'{' is missing");
    r->at++;
    if (!take(r, '}')) {
        do {
            const char *name;
            if ((code = string(r, &name)) || (code = expect(r, ':')))
                return code;
            if (strcmp(name, "__metadata__") == 0) {
                if (metadata)
                    return bad(r, "__metadata__ is there twice");
                metadata = true;
                if ((code = read_metadata(r, st)))
                    return code;
                continue;
            }
            if ((code = mem_grow(entries, &capacity, st->count + 1, sizeof **entries, "tensors", r->e)))
                return code;
            entry *x = &(*entries)[st->count++];
            *x = (entry){.t.name = (char *)(uintptr_t)name};
            if ((code = read_entry(r, x)))
                return code;
        } while (take(r, ','));
        if ((code = expect(r, '}')))
            return code;
    }
    while (r->at < r->end && *r->at == ' ')
        r->at++;
    return r->at < r->end ? bad(r, "text behind the closing brace") : 0;
}

/* ---------------------------------------------------------------- checks over all tensors */

static bool utf8_valid(const unsigned char *s, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned char c = s[i];
        size_t more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : 3;
        if (c >= 0x80 && (c < 0xC2 || c > 0xF4))
            return false;
        if (more > size - i - 1)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((s[i + k] & 0xC0) != 0x80)
                return false;
        if ((c == 0xE0 && s[i + 1] < 0xA0) || (c == 0xED && s[i + 1] > 0x9F) ||
            (c == 0xF0 && s[i + 1] < 0x90) || (c == 0xF4 && s[i + 1] > 0x8F))
            return false;
        i += more + 1;
    }
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->t.name, y->t.name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const safetensors_tensor *)a)->name, ((const safetensors_tensor *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const safetensors_meta *)a)->key, ((const safetensors_meta *)b)->key);
}

/* Sizes from shape and dtype, checked against the offsets. */
static int check_size(const char *path, entry *x, error *e)
{
    uint64_t count = 1, bits;
    for (int i = 0; i < x->t.dims; i++)
        if (__builtin_mul_overflow(count, x->t.shape[i], &count))
            return fail(e, ERR_INPUT, "%s: tensor '%s': its shape has more than 2^64 elements", path,
                        x->t.name);
    if (__builtin_mul_overflow(count, dtypes[x->t.dtype].bits, &bits))
        return fail(e, ERR_INPUT, "%s: tensor '%s': its shape has more than 2^64 bits", path, x->t.name);
    if (bits % 8)
        return fail(e, ERR_INPUT, "%s: tensor '%s': %" PRIu64 " bits are no whole bytes", path, x->t.name,
                    bits);
    if (x->end < x->begin || x->end - x->begin != bits / 8)
        return fail(e, ERR_INPUT,
                    "%s: tensor '%s': offsets %" PRIu64 "..%" PRIu64
                    " don't agree with its shape, which needs %" PRIu64 " bytes",
                    path, x->t.name, x->begin, x->end, bits / 8);
    x->t.count = (size_t)count;
    x->t.bytes = (size_t)(bits / 8);
    return 0;
}

/* Sorts the entries by offset: they must cover the data area exactly. */
static int check_coverage(safetensors *st, entry *entries, uint64_t data_begin, error *e)
{
    const char *path = st->view.path;
    uint64_t at = 0, room = st->view.size - data_begin;
    if (st->count)
        qsort(entries, st->count, sizeof *entries, by_offset);
    for (size_t i = 0; i < st->count; i++) {
        entry *x = &entries[i];
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
        x->t.data = (const unsigned char *)st->view.data + data_begin + x->begin;
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

static int read_all(safetensors *st, entry **entries, error *e)
{
    const char *path = st->view.path;
    uint64_t n;
    if (st->view.size < 8)
        return fail(e, ERR_INPUT, "%s: %zu bytes are too short for a safetensors file", path, st->view.size);
    memcpy(&n, st->view.data, 8);
    if (n > MAX_HEADER)
        return fail(e, ERR_INPUT, "%s: a header of %" PRIu64 " bytes; is this a safetensors file?", path, n);
    if (n > st->view.size - 8)
        return fail(e, ERR_INPUT,
                    "%s: the header needs %" PRIu64 " bytes, %zu are there (is the file truncated?)", path, n,
                    st->view.size - 8);
    const unsigned char *header = (const unsigned char *)st->view.data + 8;
    if (!utf8_valid(header, (size_t)n))
        return fail(e, ERR_INPUT, "%s: the header is not UTF-8", path);
    st->texts = mem_zero((size_t)n, 1, "tensor names", e);
    if (!st->texts)
        return ERR_SYSTEM;
    reader r = {.path = path, .begin = header, .at = header, .end = header + n, .out = st->texts, .e = e};
    int code = read_header(&r, st, entries);
    if (!code)
        code = check_coverage(st, *entries, n + 8, e);
    if (code)
        return code;
    st->tensors = mem_zero(st->count, sizeof *st->tensors, "tensors", e);
    if (!st->tensors)
        return ERR_SYSTEM;
    for (size_t i = 0; i < st->count; i++)
        st->tensors[i] = (*entries)[i].t;
    qsort(st->tensors, st->count, sizeof *st->tensors, by_name);
    if (st->meta_count)
        qsort(st->meta, st->meta_count, sizeof *st->meta, by_key);
    return check_names(st, e);
}

int safetensors_open(safetensors *st, const char *path, error *e)
{
    *st = (safetensors){0};
    int code = file_open(&st->view, path, e);
    if (code)
        return code;
    entry *entries = NULL;
    code = read_all(st, &entries, e);
    free(entries);
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
    safetensors_tensor key = {.name = (char *)(uintptr_t)name};
    return bsearch(&key, st->tensors, st->count, sizeof key, by_name);
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
                    t->name, dtypes[t->dtype].name);
    }
}

/* ---------------------------------------------------------------- writing */

static int quote(text_buffer *b, const char *text, error *e)
{
    if (!utf8_valid((const unsigned char *)text, strlen(text)))
        return fail(e, ERR_INPUT, "'%s' is not UTF-8 and can't be stored", text);
    int code = text_append(b, e, "\"");
    for (const char *p = text; *p && !code; p++) {
        if (*p == '"' || *p == '\\')
            code = text_append(b, e, "\\%c", *p);
        else if (*p == '\n')
            code = text_append(b, e, "\\n");
        else if ((unsigned char)*p < 0x20)
            code = text_append(b, e, "\\u%04x", (unsigned)*p);
        else
            code = text_append_bytes(b, p, 1, e);
    }
    return code ? code : text_append(b, e, "\"");
}

static int by_item_name(const void *a, const void *b)
{
    return strcmp(((const safetensors_item *)a)->name, ((const safetensors_item *)b)->name);
}

static int header_meta(text_buffer *b, const safetensors_meta *meta, size_t count, error *e)
{
    int code = text_append(b, e, "\"__metadata__\":{");
    for (size_t i = 0; i < count && !code; i++) {
        if (i && strcmp(meta[i - 1].key, meta[i].key) == 0)
            return fail(e, ERR_USAGE, "metadata key '%s' is to be written twice", meta[i].key);
        if (i)
            code = text_append(b, e, ",");
        if (!code)
            code = quote(b, meta[i].key, e);
        if (!code)
            code = text_append(b, e, ":");
        if (!code)
            code = quote(b, meta[i].value, e);
    }
    return code ? code : text_append(b, e, "}");
}

/* One tensor's entry; *offset moves behind its data. */
static int header_item(text_buffer *b, const safetensors_item *t, size_t *offset, error *e)
{
    size_t count = 1;
    int code = quote(b, t->name, e);
    if (!code)
        code = text_append(b, e, ":{\"dtype\":\"F32\",\"shape\":[");
    for (int i = 0; i < t->dims && !code; i++) {
        code = text_append(b, e, "%s%" PRIu64, i ? "," : "", t->shape[i]);
        count *= (size_t)t->shape[i];
    }
    if (!code)
        code = text_append(b, e, "],\"data_offsets\":[%zu,%zu]}", *offset, *offset + 4 * count);
    *offset += 4 * count;
    return code;
}

static int header_text(text_buffer *b, const safetensors_item *items, size_t count,
                       const safetensors_meta *meta, size_t meta_count, error *e)
{
    size_t offset = 0;
    int code = text_append(b, e, "{");
    if (!code && meta_count)
        code = header_meta(b, meta, meta_count, e);
    for (size_t i = 0; i < count && !code; i++) {
        if (i && strcmp(items[i - 1].name, items[i].name) == 0)
            return fail(e, ERR_USAGE, "tensor '%s' is to be written twice", items[i].name);
        if (i || meta_count)
            code = text_append(b, e, ",");
        if (!code)
            code = header_item(b, &items[i], &offset, e);
    }
    if (!code)
        code = text_append(b, e, "}");
    while (!code && b->size % 8)
        code = text_append(b, e, " ");
    if (!code && b->size > MAX_HEADER)
        code = fail(e, ERR_INPUT, "a header of %zu bytes is more than the format allows", b->size);
    return code;
}

static int write_file(const char *path, const text_buffer *header, const safetensors_item *items,
                      size_t count, error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    if (code)
        return code;
    uint64_t n = header->size;
    bool ok = fwrite(&n, 8, 1, out.stream) == 1 && fwrite(header->data, header->size, 1, out.stream) == 1;
    for (size_t i = 0; i < count && ok; i++) {
        size_t floats = 1;
        for (int k = 0; k < items[i].dims; k++)
            floats *= (size_t)items[i].shape[k];
        ok = fwrite(items[i].data, sizeof(float), floats, out.stream) == floats;
    }
    if (ok)
        return out_commit(&out, e);
    code = fail_system(e, "%s: cannot write", path);
    out_discard(&out);
    return code;
}

int safetensors_write(const char *path, const safetensors_item *items, size_t count,
                      const safetensors_meta *meta, size_t meta_count, error *e)
{
    error local = {0};
    if (!e)
        e = &local;
    text_buffer header = {0};
    safetensors_item *sorted = mem_zero(count, sizeof *sorted, "tensors", e);
    safetensors_meta *keys = mem_zero(meta_count, sizeof *keys, "metadata", e);
    int code = sorted && keys ? 0 : ERR_SYSTEM;
    if (!code) {
        if (count)
            memcpy(sorted, items, count * sizeof *sorted);
        if (meta_count)
            memcpy(keys, meta, meta_count * sizeof *keys);
        qsort(sorted, count, sizeof *sorted, by_item_name);
        qsort(keys, meta_count, sizeof *keys, by_key);
        code = header_text(&header, sorted, count, keys, meta_count, e);
    }
    if (!code)
        code = write_file(path, &header, sorted, count, e);
    text_free(&header);
    free(sorted);
    free(keys);
    return code;
}
