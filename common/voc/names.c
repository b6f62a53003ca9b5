/* Strings are copied into blocks that never move; an open-addressed hash table of numbers finds them again. The
 * numbers are those of first appearance, so that joins by name keep the order of files. What a name of a picture or a
 * class may be, and how one file name is written in all tables, is decided here too. */
#include "voc/names.h"

#include "base/utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 1 << 16 };

/* FNV-1a with a final mix, so that the low bits depend on all of it. */
static uint64_t hash(const char *text, size_t size)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static size_t find_slot(const names *n, const char *text, size_t size)
{
    size_t mask = n->slot_count - 1, i = (size_t)hash(text, size) & mask;
    for (; n->slots[i]; i = (i + 1) & mask) {
        const char *item = n->items[n->slots[i] - 1];
        if (strncmp(item, text, size) == 0 && item[size] == 0)
            break;
    }
    return i;
}

static int grow_slots(names *n, error *e)
{
    size_t old_count = n->slot_count, *old = n->slots;
    size_t count = old_count ? old_count * 2 : 64;
    size_t *slots = mem_zero(count, sizeof *slots, "names", e);
    if (!slots)
        return ERR_SYSTEM;
    n->slots = slots;
    n->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i])
            slots[find_slot(n, n->items[old[i] - 1], strlen(n->items[old[i] - 1]))] = old[i];
    free(old);
    return 0;
}

/* A copy with a NUL behind it inside the blocks. */
static const char *keep(names *n, const char *text, size_t size, error *e)
{
    if (!n->block_count || n->block_size - n->block_used < size + 1) {
        size_t bytes = size + 1 > BLOCK ? size + 1 : BLOCK;
        if (mem_grow(&n->blocks, &n->block_capacity, n->block_count + 1, sizeof *n->blocks, "names", e))
            return NULL;
        char *block = mem_zero(bytes, 1, "names", e);
        if (!block)
            return NULL;
        n->blocks[n->block_count++] = block;
        n->block_size = bytes;
        n->block_used = 0;
    }
    char *at = n->blocks[n->block_count - 1] + n->block_used;
    memcpy(at, text, size);
    at[size] = 0;
    n->block_used += size + 1;
    return at;
}

int names_add(names *n, const char *text, size_t size, size_t *number, error *e)
{
    if (memchr(text, 0, size))
        return fail(e, ERR_INPUT, "a name contains a NUL character");
    if ((n->count + 1) * 3 > n->slot_count * 2 && grow_slots(n, e))
        return ERR_SYSTEM;
    size_t slot = find_slot(n, text, size);
    if (n->slots[slot]) {
        *number = n->slots[slot] - 1;
        return 0;
    }
    if (mem_grow(&n->items, &n->capacity, n->count + 1, sizeof *n->items, "names", e))
        return ERR_SYSTEM;
    const char *item = keep(n, text, size, e);
    if (!item)
        return ERR_SYSTEM;
    *number = n->count;
    n->items[n->count++] = item;
    n->slots[slot] = n->count;
    return 0;
}

size_t names_find(const names *n, const char *text, size_t size)
{
    if (!n->slot_count || memchr(text, 0, size))
        return NAMES_NONE;
    size_t slot = find_slot(n, text, size);
    return n->slots[slot] ? n->slots[slot] - 1 : NAMES_NONE;
}

static int name_order(const void *a, const void *b, void *context)
{
    const names *n = context;
    return strcmp(n->items[*(const size_t *)a], n->items[*(const size_t *)b]);
}

void names_sort(const names *n, size_t *order)
{
    for (size_t i = 0; i < n->count; i++)
        order[i] = i;
    names copy = *n;
    if (n->count)
        qsort_r(order, n->count, sizeof *order, name_order, &copy);
}

void names_free(names *n)
{
    for (size_t i = 0; i < n->block_count; i++)
        free(n->blocks[i]);
    free(n->blocks);
    free(n->items);
    free(n->slots);
    *n = (names){0};
}

/* ---------------------------------------------------------------- what a name may be */

static const char *bad_cell(const char *text, size_t size)
{
    if (size == 0)
        return "is empty";
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return "contains a tab, line break or other control character";
    return NULL;
}

const char *names_bad_category(const char *text, size_t size)
{
    const char *wrong = bad_cell(text, size);
    if (!wrong && size > 255)
        wrong = "is longer than 255 bytes";
    return wrong || utf8_valid(text, size) ? wrong : "is not UTF-8";
}

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

text_field names_without_root(text_field name)
{
    size_t root = name.size > 2 && isalpha((unsigned char)name.text[0]) && name.text[1] == ':' ? 2 : 0;
    if (root && !is_slash(name.text[root]))
        root = 0;
    while (root < name.size && is_slash(name.text[root]))
        root++;
    return root ? (text_field){name.text + root, name.size - root} : name; /* text may be NULL */
}

text_field names_without_start(text_field name)
{
    for (name = names_without_root(name); name.size > 2 && memcmp(name.text, "..", 2) == 0 && is_slash(name.text[2]);)
        name = names_without_root((text_field){name.text + 2, name.size - 2});
    return name;
}

const char *names_file_name(text_field name, char clean[NAMES_FILE_MAX + 1])
{
    const char *wrong = bad_cell(name.text, name.size), *end = name.text + name.size, *stop;
    size_t size = 0, part = 0;
    if (wrong)
        return wrong;
    if (name.size > NAMES_FILE_MAX)
        return "is longer than 1023 bytes";
    if (names_without_root(name).size != name.size)
        return "is a full path, one inside the folder of the pictures is needed";
    for (const char *at = name.text; at <= end; at = stop + 1) {
        for (stop = at; stop < end && !is_slash(*stop);)
            stop++;
        const text_field piece = {at, (size_t)(stop - at)};
        part = piece.size && !text_is(piece, ".") && !text_is(piece, "..") ? piece.size : 0;
        if (part > 255)
            return "has a part that is longer than 255 bytes";
        if (text_is(piece, "..")) {
            if (!size)
                return "leads out of the folder of the pictures";
            while (size && clean[--size] != '/') {
            }
        } else if (part) {
            if (size)
                clean[size++] = '/';
            memcpy(clean + size, at, part);
            size += part;
        }
    }
    clean[size] = 0;
    return part ? NULL : "is a folder, a file name is needed";
}

const char *names_bad_file_name(const char *text, size_t size)
{
    char clean[NAMES_FILE_MAX + 1];
    return names_file_name((text_field){text, size}, clean);
}

size_t names_stem(const char *file_name)
{
    const char *slash = strrchr(file_name, '/'), *base = slash ? slash + 1 : file_name, *dot = strrchr(base, '.');
    return dot && dot != base ? (size_t)(dot - file_name) : strlen(file_name);
}

size_t names_picture_stem(const char *name, size_t size)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe",  ".jfif", ".png",  ".bmp", ".gif",
                                          ".tif", ".tiff", ".webp", ".heic", ".heif", ".avif"};
    for (size_t i = 0; i < COUNT(endings); i++) {
        const size_t n = strlen(endings[i]);
        if (size > n && strncasecmp(name + size - n, endings[i], n) == 0)
            return size - n;
    }
    return size;
}

bool names_is_picture(const char *name)
{
    const size_t size = strlen(name);
    return names_picture_stem(name, size) < size;
}

int names_add_file(names *n, text_field file_name, error *e)
{
    char clean[NAMES_FILE_MAX + 1];
    size_t before = n->count, number = before;
    const char *wrong = names_file_name(file_name, clean);
    if (wrong)
        return fail(e, ERR_INPUT, "file name '%.*s' %s", text_shown(file_name), file_name.text, wrong);
    int code = names_add(n, clean, strlen(clean), &number, e);
    return code || number == before ? code : fail(e, ERR_INPUT, "%s is there twice", n->items[number]);
}
