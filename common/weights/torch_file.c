/* Both forms hold one pickle of the object and, apart from it, the storages that its tensors are views of. The pickle
 * is read as plain data, the state dict is found in it, each tensor's call of a rebuilding function gives storage,
 * offset, shape and strides, and every element is checked to lie in its storage. Then names are sorted. */
#include "weights/torch_file.h"

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
    switch (d) {
    case DTYPE_BOOL:
    case DTYPE_U8:
    case DTYPE_I8:
        return 1;
    case DTYPE_I16:
    case DTYPE_F16:
    case DTYPE_BF16:
        return 2;
    case DTYPE_I32:
    case DTYPE_F32:
        return 4;
    default:
        return 8;
    }
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
    const char *key; /* in the pickle */
    size_t key_size;
    safetensors_dtype dtype;
    size_t count; /* elements, as the pickle says */
    const unsigned char *data;
} storage;

typedef struct storages {
    storage *list; /* ascending by key, then dtype */
    size_t count;
} storages;

static int compare_keys(const storage *a, const storage *b)
{
    int order = memcmp(a->key, b->key, a->key_size < b->key_size ? a->key_size : b->key_size);
    return order ? order : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

static int by_key(const void *a, const void *b)
{
    int order = compare_keys(a, b);
    const storage *x = a, *y = b;
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
    *s = (storage){.key = v[2].text,
                   .key_size = v[2].size,
                   .dtype = known[v[1].integer].dtype,
                   .count = (size_t)v[4].integer};
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
    if (p->stored.count)
        qsort(all->list, p->stored.count, sizeof *all->list, by_key);
    for (size_t i = 0; i < p->stored.count; i++) {
        storage *last = all->count ? &all->list[all->count - 1] : NULL;
        if (!last || by_key(last, &all->list[i]) != 0)
            all->list[all->count++] = all->list[i];
        else if (last->count != all->list[i].count)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' has two sizes", path,
                        (int)(last->key_size < 50 ? last->key_size : 50), last->key);
    }
    return 0;
}

static storage *find_storage(const storages *all, const storage *s)
{
    return all->count ? bsearch(s, all->list, all->count, sizeof *s, by_key) : NULL;
}

/* Finds the data of all storages in the archive: entries ROOT/data/KEY. */
static int place_in_zip(storages *all, torch_file *f, const char *root, size_t root_size, error *e)
{
    const char *path = f->view.path;
    for (size_t i = 0; i < all->count; i++) {
        storage *s = &all->list[i];
        int shown = (int)(s->key_size < 50 ? s->key_size : 50);
        char name[400];
        if (root_size + s->key_size + 8 > sizeof name)
            return fail(e, ERR_INPUT, "%s: storage '%.*s…' has a long name", path, shown, s->key);
        memcpy(name, root, root_size);
        memcpy(name + root_size, "/data/", 6);
        memcpy(name + root_size + 6, s->key, s->key_size);
        zip_entry *entry = zip_find(&f->zip, name, root_size + 6 + s->key_size);
        if (!entry)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is not in the archive", path, shown, s->key);
        if (entry->size / bytes_of(s->dtype) < s->count)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' has %zu bytes, too few for %zu elements", path,
                        shown, s->key, entry->size, s->count);
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
    if (keys->kind != PICKLE_LIST)
        return fail(e, ERR_INPUT, "%s: the list of storages is missing", view->path);
    for (size_t i = 0; i < keys->items->count; i++) {
        const pickle_value *key = &keys->items->values[i];
        if (key->kind != PICKLE_TEXT)
            return fail(e, ERR_INPUT, "%s: key %zu in the list of storages is no text", view->path, i);
        storage wanted = {.key = key->text, .key_size = key->size};
        int shown = (int)(key->size < 50 ? key->size : 50);
        size_t low = 0, high = all->count; /* the first with this key */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (compare_keys(&all->list[middle], &wanted) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        storage *s = low < all->count ? &all->list[low] : NULL;
        if (!s || compare_keys(s, &wanted) != 0 || s->data)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is listed, but not used, or listed twice",
                        view->path, shown, key->text);
        if (low + 1 < all->count && compare_keys(s, &all->list[low + 1]) == 0)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is of two types", view->path, shown, key->text);
        if (view->size - at < 8)
            return fail(e, ERR_INPUT, "%s: truncated before storage '%.*s'", view->path, shown, key->text);
        uint64_t count;
        memcpy(&count, view->data + at, 8);
        at += 8;
        if (count != s->count || (view->size - at) / bytes_of(s->dtype) < count)
            return fail(e, ERR_INPUT, "%s: truncated in storage '%.*s', or it is no array of %zu elements",
                        view->path, shown, key->text, s->count);
        s->data = (const unsigned char *)view->data + at;
        at += (size_t)count * bytes_of(s->dtype);
    }
    for (size_t i = 0; i < all->count; i++)
        if (!all->list[i].data)
            return fail(e, ERR_INPUT, "%s: storage '%.*s' is not in the file", view->path,
                        (int)(all->list[i].key_size < 50 ? all->list[i].key_size : 50), all->list[i].key);
    return at == view->size
               ? 0
               : fail(e, ERR_INPUT, "%s: %zu bytes are left over at the end", view->path, view->size - at);
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
static bool within(const torch_tensor *t, uint64_t offset, size_t storage_count)
{
    uint64_t last = offset, step;
    if (t->t.count == 0)
        return offset <= storage_count;
    for (int i = 0; i < t->t.dims; i++)
        if (__builtin_mul_overflow(t->t.shape[i] - 1, t->strides[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return false;
    return last < storage_count;
}

/* (storage, first element, sizes, strides, …) */
static int parse_tensor(torch_tensor *t, const pickle_items *call, const storages *all, const char *path,
                        error *e)
{
    const pickle_value *v = call->values;
    storage named;
    uint64_t start, offset = 0;
    int dims;
    if (!parse_storage(&v[0], &named, &start) || v[1].kind != PICKLE_INT || v[1].integer < 0 ||
        !take_sizes(&v[2], t->t.shape, &t->t.dims) || !take_sizes(&v[3], t->strides, &dims) ||
        dims != t->t.dims)
        return fail(e, ERR_INPUT, "%s: tensor '%s' is not made as torch.save does it", path, t->t.name);
    const storage *s = find_storage(all, &named);
    t->t.dtype = named.dtype;
    uint64_t count = 1, bytes;
    bool fits = s && !__builtin_add_overflow(start, (uint64_t)v[1].integer, &offset);
    for (int i = 0; i < dims && fits; i++)
        fits = !__builtin_mul_overflow(count, t->t.shape[i], &count);
    fits =
        fits && !__builtin_mul_overflow(count, (uint64_t)bytes_of(t->t.dtype), &bytes) && bytes <= SIZE_MAX;
    if (fits) {
        t->t.count = (size_t)count;
        t->t.bytes = (size_t)bytes;
        fits = within(t, offset, s->count);
    }
    if (!fits)
        return fail(e, ERR_INPUT, "%s: tensor '%s' reaches beyond its storage", path, t->t.name);
    t->t.data = s->data + (size_t)offset * bytes_of(t->t.dtype);
    t->contiguous = true;
    uint64_t next = 1;
    for (int i = dims; i-- > 0; next *= t->t.shape[i])
        t->contiguous = t->contiguous && (t->t.shape[i] == 1 || t->strides[i] == next);
    t->contiguous = t->contiguous || count == 0;
    return 0;
}

static int by_tensor_name(const void *a, const void *b)
{
    const torch_tensor *x = a, *y = b;
    return strcmp(x->t.name, y->t.name);
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

static int take_tensors(torch_file *f, const pickle_value *root, const storages *all, error *e)
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
        torch_tensor *t = &f->tensors[f->count++];
        t->t.name = at;
        at += name->size + 1;
        const pickle_items *call = tensor_call(&items->values[i + 1]);
        int code = call ? parse_tensor(t, call, all, path, e)
                        : fail(e, ERR_INPUT, "%s: '%s' is no tensor; save model.state_dict() alone", path,
                               t->t.name);
        if (code)
            return code;
    }
    qsort(f->tensors, f->count, sizeof *f->tensors, by_tensor_name);
    for (size_t i = 1; i < f->count; i++)
        if (by_tensor_name(&f->tensors[i - 1], &f->tensors[i]) == 0)
            return fail(e, ERR_INPUT, "%s: tensor '%s' is there twice", path, f->tensors[i].t.name);
    return 0;
}

/* ---------------------------------------------------------------- the two forms */

static const char legacy_magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";
enum { LEGACY_MAGIC = sizeof legacy_magic - 1 };

bool torch_file_looks(const void *data, size_t size)
{
    return size >= 4 && (memcmp(data, "PK\3\4", 4) == 0 || memcmp(data, legacy_magic, 4) == 0);
}

/* "ROOT/data.pkl" of an archive; ROOT is the name that the file was saved under. */
static zip_entry *find_data_pkl(const zip *z, size_t *root_size)
{
    static const char tail[] = "/data.pkl";
    for (size_t i = 0; i < z->count; i++) {
        zip_entry *entry = &z->entries[i];
        size_t n = entry->name_size, m = sizeof tail - 1;
        if (n > m && memcmp(entry->name + n - m, tail, m) == 0 && !memchr(entry->name, '/', n - m)) {
            *root_size = n - m;
            return entry;
        }
    }
    return NULL;
}

static int open_zip(torch_file *f, error *e)
{
    const char *path = f->view.path;
    int code = zip_open(&f->zip, f->view.data, f->view.size, path, e);
    if (code)
        return code;
    size_t root;
    zip_entry *entry = find_data_pkl(&f->zip, &root);
    if (!entry)
        return fail(e, ERR_INPUT,
                    "%s: a zip archive, but torch.save did not write it: there is no data.pkl in it", path);
    char name[400];
    if (root + 10 < sizeof name) {
        memcpy(name, entry->name, root);
        memcpy(name + root, "/byteorder", 10);
        const zip_entry *order = zip_find(&f->zip, name, root + 10);
        if (order && (order->size < 6 || memcmp(order->data, "little", 6) != 0))
            return fail(e, ERR_INPUT, "%s: was saved on a big-endian machine", path);
    }
    code = zip_verify(entry, path, e);
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
        code = place_in_zip(&all, f, entry->name, root, e);
    if (!code)
        code = take_tensors(f, &p.root, &all, e);
    free(all.list);
    pickle_free(&p);
    return code;
}

/* One pickle of the row at *at, which is moved behind it. */
static int next_pickle(pickle *p, const torch_file *f, size_t *at, const char *name, error *e)
{
    char what[1000];
    snprintf(what, sizeof what, "%s: %s", f->view.path, name);
    int code = read_pickle(p, f->view.data + *at, f->view.size - *at, what, e);
    if (!code)
        *at += p->size;
    return code;
}

/* magic number, protocol, system, the object, the list of storages, their data */
static int open_legacy(torch_file *f, error *e)
{
    const char *path = f->view.path;
    if (f->view.size < LEGACY_MAGIC || memcmp(f->view.data, legacy_magic, LEGACY_MAGIC) != 0)
        return fail(e, ERR_INPUT, "%s: a pickle, but torch.save did not write it", path);
    f->legacy = true;
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

int torch_file_open(torch_file *f, const char *path, error *e)
{
    *f = (torch_file){0};
    int code = file_open(&f->view, path, e);
    if (code)
        return code;
    if (f->view.size >= 4 && memcmp(f->view.data, "PK\3\4", 4) == 0)
        code = open_zip(f, e);
    else
        code = open_legacy(f, e);
    if (code)
        torch_file_close(f);
    return code;
}

void torch_file_close(torch_file *f)
{
    zip_close(&f->zip);
    free(f->tensors);
    free(f->texts);
    file_close(&f->view);
    *f = (torch_file){0};
}

/* ---------------------------------------------------------------- elements */

int torch_floats(const torch_file *f, const torch_tensor *t, float *out, error *e)
{
    if (t->contiguous)
        return safetensors_floats(&t->t, f->view.path, out, e);
    size_t size = bytes_of(t->t.dtype);
    unsigned char *gathered = mem_zero(t->t.count, size, "a tensor", e);
    if (!gathered)
        return ERR_SYSTEM;
    uint64_t at[SAFETENSORS_DIMS] = {0}, from = 0;
    for (size_t i = 0; i < t->t.count; i++) {
        memcpy(gathered + i * size, t->t.data + from * size, size);
        for (int k = t->t.dims; k-- > 0;) { /* the next index, the last one fastest */
            from += t->strides[k];
            if (++at[k] < t->t.shape[k])
                break;
            from -= t->strides[k] * t->t.shape[k];
            at[k] = 0;
        }
    }
    safetensors_tensor plain = t->t;
    plain.data = gathered;
    int code = safetensors_floats(&plain, f->view.path, out, e);
    free(gathered);
    return code;
}
