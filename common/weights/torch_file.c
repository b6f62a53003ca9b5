/* Both forms hold one pickle of the object and, apart from it, the storages that its tensors are views of. The pickle
 * is read as plain data, the state dict is found in it, each tensor's call of a rebuilding function gives storage,
 * offset, shape and strides, and every element is checked to lie in its storage. Then names are sorted. */
#include "weights/torch_file.h"

#include "base/text.h"
#include "weights/pickle.h"
#include "weights/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what may occur in the pickle */

typedef enum meaning { REBUILD, PARAMETER, STORAGE } meaning;

static const struct {
    const char *name;
    meaning meaning;
    safetensors_dtype dtype; /* of a storage's elements */
} known[] = {
    {"torch._utils _rebuild_tensor_v2", REBUILD, DTYPES},
    {"torch._utils _rebuild_tensor", REBUILD, DTYPES},
    {"torch._utils _rebuild_parameter", PARAMETER, DTYPES},
    {"torch FloatStorage", STORAGE, DTYPE_F32},
    {"torch DoubleStorage", STORAGE, DTYPE_F64},
    {"torch HalfStorage", STORAGE, DTYPE_F16},
    {"torch BFloat16Storage", STORAGE, DTYPE_BF16},
    {"torch LongStorage", STORAGE, DTYPE_I64},
    {"torch IntStorage", STORAGE, DTYPE_I32},
    {"torch ShortStorage", STORAGE, DTYPE_I16},
    {"torch CharStorage", STORAGE, DTYPE_I8},
    {"torch ByteStorage", STORAGE, DTYPE_U8},
    {"torch BoolStorage", STORAGE, DTYPE_BOOL},
    {"torch.cuda FloatStorage", STORAGE, DTYPE_F32}, /* old versions, saved from a GPU */
    {"torch.cuda DoubleStorage", STORAGE, DTYPE_F64},
    {"torch.cuda HalfStorage", STORAGE, DTYPE_F16},
    {"torch.cuda BFloat16Storage", STORAGE, DTYPE_BF16},
    {"torch.cuda LongStorage", STORAGE, DTYPE_I64},
};
enum { KNOWN = COUNT(known) };

static size_t bytes_of(safetensors_dtype d)
{
    return safetensors_dtype_bits(d) / 8;
}

static int read_pickle(pickle *p, const void *data, size_t size, const char *what, error *e)
{
    const char *names[KNOWN + 1];
    for (int i = 0; i < KNOWN; i++)
        names[i] = known[i].name;
    names[KNOWN] = NULL;
    return pickle_read(p, data, size, names, what, e);
}

/* ---------------------------------------------------------------- storages */

/* A run of elements in the file that tensors are views of. */
typedef struct storage {
    text_field key; /* in the pickle */
    safetensors_dtype dtype;
    size_t count; /* elements, as the pickle says */
    const unsigned char *data;
} storage;

typedef struct storages {
    storage *list; /* ascending by key, then dtype */
    size_t count;
} storages;

static int by_key(const void *a, const void *b)
{
    const text_field x = ((const storage *)a)->key, y = ((const storage *)b)->key;
    int order = memcmp(x.text, y.text, x.size < y.size ? x.size : y.size);
    return order ? order : (x.size > y.size) - (x.size < y.size);
}

static int by_key_and_dtype(const void *a, const void *b)
{
    const storage *x = a, *y = b;
    int order = by_key(a, b);
    return order ? order : (x->dtype > y->dtype) - (x->dtype < y->dtype);
}

/* What a "persistent id" says: ('storage', type, key, location, count), and in old files one more for views.
 * False when it is something else. `start`: first element of the view. */
static bool parse_storage(const pickle_value *stored, storage *s, uint64_t *start)
{
    if (stored->kind != PICKLE_STORED || stored->items->values[0].kind != PICKLE_TUPLE)
        return false;
    const pickle_items *id = stored->items->values[0].items;
    const pickle_value *v = id->values;
    if (id->count < 5 || id->count > 6 || !pickle_is_text(&v[0], "storage") || v[1].kind != PICKLE_GLOBAL ||
        v[1].integer < 0 || known[v[1].integer].meaning != STORAGE || v[2].kind != PICKLE_TEXT ||
        v[4].kind != PICKLE_INT || v[4].integer < 0)
        return false;
    *s = (storage){.key = {v[2].text, v[2].size}, .dtype = known[v[1].integer].dtype, .count = (size_t)v[4].integer};
    *start = 0;
    if (id->count == 6 && v[5].kind != PICKLE_NONE) { /* (key, first element, elements) */
        const pickle_items *view = v[5].kind == PICKLE_TUPLE ? v[5].items : NULL;
        if (!view || view->count != 3 || view->values[1].kind != PICKLE_INT || view->values[1].integer < 0)
            return false;
        *start = (uint64_t)view->values[1].integer;
    }
    return s->count <= SIZE_MAX / 8;
}

/* Lists all storages that the pickle names, each one once. */
static int list_storages(storages *all, const pickle *p, const char *path, error *e)
{
    all->list = mem_zero(p->stored.count, sizeof *all->list, "storages", e);
    if (!all->list)
        return ERR_SYSTEM;
    for (size_t i = 0; i < p->stored.count; i++) {
        uint64_t start;
        if (!parse_storage(&p->stored.values[i], &all->list[i], &start))
            return fail(e, ERR_INPUT, "%s: storage %zu is none that torch.save writes", path, i);
    }
    qsort(all->list, p->stored.count, sizeof *all->list, by_key_and_dtype);
    for (size_t i = 0; i < p->stored.count; i++) {
        storage *last = all->count ? &all->list[all->count - 1] : NULL;
        if (!last || by_key_and_dtype(last, &all->list[i]) != 0)
            all->list[all->count++] = all->list[i];
        else if (last->count != all->list[i].count)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' has two sizes", path, text_shown(last->key), last->key.text);
    }
    return 0;
}

/* Finds the data of all storages in the archive: entries ROOT/data/KEY. */
static int place_in_zip(storages *all, const zip *z, const char *path, text_field root, error *e)
{
    for (size_t i = 0; i < all->count; i++) {
        storage *s = &all->list[i];
        const text_field key = s->key;
        int shown = text_shown(key);
        char name[400];
        if (root.size + key.size + 8 > sizeof name)
            return fail(e, ERR_INPUT, "%s: storage '%.*s…' has a long name", path, shown, key.text);
        memcpy(name, root.text, root.size);
        memcpy(name + root.size, "/data/", 6); // NOLINT(bugprone-not-null-terminated-result): zip_find() has the size
        memcpy(name + root.size + 6, key.text, key.size);
        zip_entry *entry = zip_find(z, name, root.size + 6 + key.size);
        if (!entry)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is not in the archive", path, shown, key.text);
        if (entry->size / bytes_of(s->dtype) < s->count)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' has %zu bytes, too few for %zu elements", path, shown,
                        key.text, entry->size, s->count);
        int code = zip_verify(entry, path, e);
        if (code)
            return code;
        s->data = entry->data;
    }
    return 0;
}

/* Finds the data of all storages behind the list of their keys: a 64-bit number of elements and the elements
 * for each. `at`: their beginning in the file. */
static int place_in_row(storages *all, const pickle_value *keys, const file_view *view, size_t at, error *e)
{
    const char *path = view->path;
    if (keys->kind != PICKLE_LIST)
        return fail(e, ERR_INPUT, "%s: the list of storages is missing", path);
    for (size_t i = 0; i < keys->items->count; i++) {
        const pickle_value *key = &keys->items->values[i];
        if (key->kind != PICKLE_TEXT)
            return fail(e, ERR_INPUT, "%s: key %zu in the list of storages is no text", path, i);
        storage wanted = {.key = {key->text, key->size}};
        int shown = text_shown(wanted.key);
        storage *s = bsearch(&wanted, all->list, all->count, sizeof wanted, by_key);
        if (!s || s->data)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is listed, but not used, or listed twice", path, shown,
                        key->text);
        if ((s > all->list && by_key(s, s - 1) == 0) || (s + 1 < all->list + all->count && by_key(s, s + 1) == 0))
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is of two types", path, shown, key->text);
        if (view->size - at < 8)
            return fail(e, ERR_INPUT, "%s: truncated before storage '%.*s'", path, shown, key->text);
        uint64_t count;
        memcpy(&count, view->data + at, 8);
        at += 8;
        if (count != s->count || (view->size - at) / bytes_of(s->dtype) < count)
            return fail(e, ERR_INPUT, "%s: truncated in storage '%.*s', or it is no array of %zu elements", path, shown,
                        key->text, s->count);
        s->data = (const unsigned char *)view->data + at;
        at += (size_t)count * bytes_of(s->dtype);
    }
    for (size_t i = 0; i < all->count; i++)
        if (!all->list[i].data)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is not in the file", path, text_shown(all->list[i].key),
                        all->list[i].key.text);
    if (at != view->size)
        return fail(e, ERR_INPUT, "%s: %zu bytes are left over at the end", path, view->size - at);
    return 0;
}

/* ---------------------------------------------------------------- tensors */

static const pickle_value *called(const pickle_value *v, meaning m)
{
    if (v->kind != PICKLE_CALL || known[v->items->values[0].integer].meaning != m)
        return NULL;
    return &v->items->values[1]; /* the tuple of arguments */
}

/* The arguments of the call that makes a tensor, of a parameter as well; NULL: it is none. */
static const pickle_items *tensor_call(const pickle_value *v)
{
    const pickle_value *arguments = called(v, PARAMETER);
    if (arguments) {
        if (arguments->items->count < 1)
            return NULL;
        v = &arguments->items->values[0];
    }
    arguments = called(v, REBUILD);
    return arguments && arguments->items->count >= 4 ? arguments->items : NULL;
}

static bool take_sizes(const pickle_value *tuple, uint64_t out[SAFETENSORS_DIMS], int *dims)
{
    if (tuple->kind != PICKLE_TUPLE || tuple->items->count > SAFETENSORS_DIMS)
        return false;
    *dims = (int)tuple->items->count;
    for (int i = 0; i < *dims; i++) {
        const pickle_value *v = &tuple->items->values[i];
        if (v->kind != PICKLE_INT || v->integer < 0)
            return false;
        out[i] = (uint64_t)v->integer;
    }
    return true;
}

/* Does every element lie in the storage? */
static bool within(const safetensors_tensor *t, uint64_t offset, size_t storage_count)
{
    uint64_t last = offset, step;
    if (t->count == 0)
        return offset <= storage_count;
    for (int i = 0; i < t->dims; i++)
        if (__builtin_mul_overflow(t->shape[i] - 1, t->strides[i], &step) || __builtin_add_overflow(last, step, &last))
            return false;
    return last < storage_count;
}

/* (storage, first element, sizes, strides, …) */
static int parse_tensor(safetensors_tensor *t, const pickle_items *call, const storages *all, const char *path,
                        error *e)
{
    const pickle_value *v = call->values;
    storage named;
    uint64_t start, offset = 0;
    int dims;
    if (!parse_storage(&v[0], &named, &start) || v[1].kind != PICKLE_INT || v[1].integer < 0 ||
        !take_sizes(&v[2], t->shape, &t->dims) || !take_sizes(&v[3], t->strides, &dims) || dims != t->dims)
        return fail(e, ERR_INPUT, "%s: tensor '%s' is not made as torch.save does it", path, t->name);
    const storage *s = bsearch(&named, all->list, all->count, sizeof named, by_key_and_dtype);
    t->dtype = named.dtype;
    uint64_t count = 1, bytes = 0;
    bool fits = s && !__builtin_add_overflow(start, (uint64_t)v[1].integer, &offset);
    for (int i = 0; i < dims && fits; i++)
        fits = !__builtin_mul_overflow(count, t->shape[i], &count);
    fits = fits && !__builtin_mul_overflow(count, (uint64_t)bytes_of(t->dtype), &bytes) && bytes <= SIZE_MAX;
    t->count = (size_t)count;
    t->bytes = (size_t)bytes;
    if (!fits || !within(t, offset, s->count))
        return fail(e, ERR_INPUT, "%s: tensor '%s' reaches beyond its storage", path, t->name);
    t->data = s->data + (size_t)offset * bytes_of(t->dtype);
    uint64_t next = 1;
    for (int i = dims; i-- > 0 && count; next *= t->shape[i])
        t->strided = t->strided || (t->shape[i] != 1 && t->strides[i] != next);
    return 0;
}

/* Does the dict hold tensors? (Those that do not may hold a state dict.) */
static bool holds_tensors(const pickle_value *dict)
{
    for (size_t i = 1; i < dict->items->count; i += 2)
        if (tensor_call(&dict->items->values[i]))
            return true;
    return false;
}

static const pickle_value *find_state_dict(const pickle_value *root)
{
    static const char *const keys[] = {"state_dict", "model", "model_state_dict", "net"};
    if (root->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = 0; i < COUNT(keys); i++) {
        const pickle_value *inner = pickle_get(root, keys[i]);
        if (inner && inner->kind == PICKLE_DICT && holds_tensors(inner))
            return inner;
    }
    return holds_tensors(root) ? root : NULL;
}

static int take_tensors(safetensors *f, const pickle_value *root, const storages *all, error *e)
{
    const char *path = f->view.path;
    const pickle_value *dict = find_state_dict(root);
    if (!dict)
        return fail(e, ERR_INPUT, "%s: holds no state dict; save model.state_dict()", path);
    const pickle_items *items = dict->items;
    size_t room = 0;
    for (size_t i = 0; i < items->count; i += 2)
        room += items->values[i].kind == PICKLE_TEXT ? items->values[i].size + 1 : 0;
    f->tensors = mem_zero(items->count / 2, sizeof *f->tensors, "tensors", e);
    char *at = f->texts = mem_zero(room, 1, "names of tensors", e);
    if (!f->tensors || !f->texts)
        return ERR_SYSTEM;
    for (size_t i = 0; i < items->count; i += 2) {
        const pickle_value *name = &items->values[i];
        if (name->kind != PICKLE_TEXT || memchr(name->text, '\0', name->size))
            return fail(e, ERR_INPUT, "%s: the name of tensor %zu is no text", path, i / 2);
        memcpy(at, name->text, name->size);
        safetensors_tensor *t = &f->tensors[f->count++];
        t->name = at;
        at += name->size + 1;
        const pickle_items *call = tensor_call(&items->values[i + 1]);
        int code = call ? parse_tensor(t, call, all, path, e)
                        : fail(e, ERR_INPUT, "%s: '%s' is no tensor; save model.state_dict() alone", path, t->name);
        if (code)
            return code;
    }
    return safetensors_sort(f, e);
}

/* ---------------------------------------------------------------- the two forms */

static const char legacy_magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";
enum { LEGACY_MAGIC = sizeof legacy_magic - 1 };

/* "ROOT/data.pkl" of an archive; ROOT is the name that the file was saved under. */
static zip_entry *find_data_pkl(const zip *z, text_field *root)
{
    static const char tail[] = "/data.pkl";
    for (size_t i = 0; i < z->count; i++) {
        zip_entry *entry = &z->entries[i];
        size_t n = entry->name_size, m = sizeof tail - 1;
        if (n > m && memcmp(entry->name + n - m, tail, m) == 0 && !memchr(entry->name, '/', n - m)) {
            *root = (text_field){entry->name, n - m};
            return entry;
        }
    }
    return NULL;
}

static int read_archive(safetensors *f, const zip *z, error *e)
{
    const char *path = f->view.path;
    text_field root;
    zip_entry *entry = find_data_pkl(z, &root);
    if (!entry)
        return fail(e, ERR_INPUT, "%s: a zip archive, but torch.save did not write it: there is no data.pkl in it",
                    path);
    char name[400];
    if (root.size + 10 < sizeof name) {
        memcpy(name, root.text, root.size);
        memcpy(name + root.size, "/byteorder", 10); /* NOLINT(bugprone-not-null-terminated-result): as above */
        const zip_entry *order = zip_find(z, name, root.size + 10);
        if (order && (order->size < 6 || memcmp(order->data, "little", 6) != 0))
            return fail(e, ERR_INPUT, "%s: was saved on a big-endian machine", path);
    }
    int code = zip_verify(entry, path, e);
    if (code)
        return code;
    char what[1000];
    snprintf(what, sizeof what, "%s: data.pkl", path);
    pickle p;
    code = read_pickle(&p, entry->data, entry->size, what, e);
    if (code)
        return code;
    storages all = {0};
    code = list_storages(&all, &p, path, e);
    if (!code)
        code = place_in_zip(&all, z, path, root, e);
    if (!code)
        code = take_tensors(f, &p.root, &all, e);
    free(all.list);
    pickle_free(&p);
    return code;
}

/* One pickle of the row at *at, which is moved behind it. */
static int next_pickle(pickle *p, const safetensors *f, size_t *at, const char *name, error *e)
{
    char what[1000];
    snprintf(what, sizeof what, "%s: %s", f->view.path, name);
    int code = read_pickle(p, f->view.data + *at, f->view.size - *at, what, e);
    if (!code)
        *at += p->size;
    return code;
}

/* magic number, protocol, system, the object, the list of storages, their data */
static int read_row(safetensors *f, error *e)
{
    const char *path = f->view.path;
    if (f->view.size < LEGACY_MAGIC || memcmp(f->view.data, legacy_magic, LEGACY_MAGIC) != 0)
        return fail(e, ERR_INPUT, "%s: a pickle, but torch.save did not write it", path);
    size_t at = LEGACY_MAGIC;
    pickle protocol = {0}, system = {0}, object = {0}, keys = {0};
    storages all = {0};
    int code = next_pickle(&protocol, f, &at, "protocol", e);
    if (!code && (protocol.root.kind != PICKLE_INT || protocol.root.integer != 1001))
        code = fail(e, ERR_INPUT, "%s: a protocol of torch.save other than 1001", path);
    if (!code)
        code = next_pickle(&system, f, &at, "system", e);
    if (!code) {
        const pickle_value *little = pickle_get(&system.root, "little_endian");
        if (!little || little->kind != PICKLE_BOOL || !little->integer)
            code = fail(e, ERR_INPUT, "%s: was saved on a big-endian machine", path);
    }
    if (!code)
        code = next_pickle(&object, f, &at, "object", e);
    if (!code)
        code = next_pickle(&keys, f, &at, "list of storages", e);
    if (!code)
        code = list_storages(&all, &object, path, e);
    if (!code)
        code = place_in_row(&all, &keys.root, &f->view, at, e);
    if (!code)
        code = take_tensors(f, &object.root, &all, e);
    free(all.list);
    pickle_free(&protocol);
    pickle_free(&system);
    pickle_free(&object);
    pickle_free(&keys);
    return code;
}

int torch_file_open(safetensors *f, const char *path, bool *legacy, error *e)
{
    *f = (safetensors){0};
    int code = file_open(&f->view, path, e);
    if (code)
        return code;
    *legacy = f->view.size < 4 || memcmp(f->view.data, "PK\3\4", 4) != 0;
    if (*legacy) {
        code = read_row(f, e);
    } else {
        zip z;
        code = zip_open(&z, f->view.data, f->view.size, path, e);
        if (!code)
            code = read_archive(f, &z, e);
        zip_close(&z);
    }
    if (code)
        safetensors_close(f);
    return code;
}
