/* The header has two levels and one shape, so it is read in one pass that accepts exactly that shape, without a token
 * table that a hostile header could blow up. Every function takes what it is named after from the front of the text
 * and returns false, with the error recorded, when something else stands there. Strings are decoded into one block:
 * decoding never lengthens a text, and its two quotes make room for the NUL. */
#include "weights/safetensors_header.h"

#include "base/json_text.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

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

static bool take_offsets(header_reader *r, safetensors_entry *x)
{
    return take(r, '[') && take_number(r, &x->begin) && take(r, ',') && take_number(r, &x->end) &&
           take(r, ']');
}

enum { KEYS = 3 };
static const char *const keys[KEYS] = {"dtype", "shape", "data_offsets"};

/* One "key":value of a tensor. */
static bool take_field(header_reader *r, safetensors_entry *x, bool seen[KEYS])
{
    const char *key;
    if (!take_key(r, &key))
        return false;
    int k = 0;
    while (k < KEYS && strcmp(key, keys[k]) != 0)
        k++;
    if (k == KEYS || seen[k]) {
        fail(r->e, ERR_INPUT,
             k == KEYS ? "%s: tensor '%s' has the unknown key '%s'"
                       : "%s: tensor '%s' has the key '%s' twice",
             r->path, x->t.name, key);
        return false;
    }
    seen[k] = true;
    return k == 0 ? take_dtype(r, &x->t) : k == 1 ? take_shape(r, &x->t) : take_offsets(r, x);
}

/* {"dtype":…, "shape":…, "data_offsets":…} in any order, each exactly once. */
static bool take_entry(header_reader *r, safetensors_entry *x)
{
    bool seen[KEYS] = {false};
    if (!take(r, '{'))
        return false;
    if (!passed(r, '}')) {
        do {
            if (!take_field(r, x, seen))
                return false;
        } while (passed(r, ','));
        if (!take(r, '}'))
            return false;
    }
    for (int k = 0; k < KEYS; k++)
        if (!seen[k]) {
            fail(r->e, ERR_INPUT, "%s: tensor '%s' has no '%s'", r->path, x->t.name, keys[k]);
            return false;
        }
    return true;
}

/* ---------------------------------------------------------------- the whole */

/* Room while it grows; the arrays themselves are the header's. */
typedef struct header_room {
    size_t entries, meta;
    bool has_meta;
} header_room;

static bool take_meta(header_reader *r, safetensors_header *h, header_room *room)
{
    if (!take(r, '{'))
        return false;
    if (passed(r, '}'))
        return true;
    do {
        safetensors_meta m;
        if (!take_key(r, &m.key) || !take_string(r, &m.value) ||
            mem_grow(&h->meta, &room->meta, h->meta_count + 1, sizeof m, "metadata", r->e))
            return false;
        h->meta[h->meta_count++] = m;
    } while (passed(r, ','));
    return take(r, '}');
}

/* One "name":{…}, a tensor or the metadata. */
static bool take_member(header_reader *r, safetensors_header *h, header_room *room)
{
    const char *name;
    if (!take_key(r, &name))
        return false;
    if (strcmp(name, "__metadata__") == 0) {
        if (room->has_meta)
            return refuse(r, "__metadata__ is there twice");
        room->has_meta = true;
        return take_meta(r, h, room);
    }
    if (mem_grow(&h->entries, &room->entries, h->count + 1, sizeof *h->entries, "tensors", r->e))
        return false;
    safetensors_entry *x = &h->entries[h->count++];
    *x = (safetensors_entry){.t.name = name};
    return take_entry(r, x);
}

static bool take_header(header_reader *r, safetensors_header *h)
{
    header_room room = {0};
    if (r->at >= r->end || *r->at != '{')
        return refuse(r, "'{' is missing");
    r->at++;
    if (!passed(r, '}')) {
        do {
            if (!take_member(r, h, &room))
                return false;
        } while (passed(r, ','));
        if (!take(r, '}'))
            return false;
    }
    while (r->at < r->end && *r->at == ' ')
        r->at++;
    return r->at >= r->end || refuse(r, "text behind the closing brace");
}

int safetensors_header_read(const char *path, const char *text, size_t size, safetensors_header *h, error *e)
{
    *h = (safetensors_header){0};
    if (!utf8_valid(text, size))
        return fail(e, ERR_INPUT, "%s: the header is not UTF-8", path);
    h->texts = mem_zero(size, 1, "tensor names", e);
    if (!h->texts)
        return ERR_SYSTEM;
    header_reader r = {.path = path, .begin = text, .at = text, .end = text + size, .out = h->texts, .e = e};
    return take_header(&r, h) ? 0 : e->code;
}
