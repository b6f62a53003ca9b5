/* From the end of the archive to its beginning: the end record (or its 64-bit form) says where the directory is, the
 * directory where each entry's own header is, and behind that lie the data. Every number is held against the size of
 * the archive before it is used. */
#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { END = 22, END64 = 56, LOCATOR64 = 20, CENTRAL = 46, LOCAL = 30 };

static uint64_t number(const unsigned char *at, int bytes)
{
    uint64_t n = 0;
    for (int i = bytes; i-- > 0;)
        n = n << 8 | at[i];
    return n;
}

/* ---------------------------------------------------------------- directory */

static int compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int by_entry_name(const void *a, const void *b)
{
    const zip_entry *x = a, *y = b;
    return compare_names(x->name, x->name_size, y->name, y->name_size);
}

zip_entry *zip_find(const zip *z, const char *name, size_t name_size)
{
    zip_entry key = {.name = name, .name_size = name_size};
    return z->count ? bsearch(&key, z->entries, z->count, sizeof key, by_entry_name) : NULL;
}

/* Where the directory is. */
typedef struct directory {
    uint64_t offset, size, count;
} directory;

static int find_directory(directory *d, const unsigned char *data, size_t size, const char *path, error *e)
{
    size_t end = size;
    bool found = false;
    for (size_t back = END; back <= size && back <= END + 65535 && !found; back++) {
        end = size - back;
        found = memcmp(data + end, "PK\5\6", 4) == 0 && number(data + end + 20, 2) == back - END;
    }
    if (!found)
        return fail(e, ERR_INPUT, "%s: the zip archive has no directory at its end: it is truncated", path);
    const unsigned char *at = data + end;
    *d = (directory){number(at + 16, 4), number(at + 12, 4), number(at + 10, 2)};
    bool one = number(at + 4, 2) == 0 && number(at + 6, 2) == 0 && number(at + 8, 2) == d->count;
    if (end >= LOCATOR64 && memcmp(at - LOCATOR64, "PK\6\7", 4) == 0) {
        uint64_t where = number(at - LOCATOR64 + 8, 8);
        if (where > end - LOCATOR64 || end - LOCATOR64 - where < END64 || memcmp(data + where, "PK\6\6", 4) != 0)
            return fail(e, ERR_INPUT, "%s: the zip archive's 64-bit end record is not where it should be", path);
        at = data + where;
        one = number(at + 16, 4) == 0 && number(at + 20, 4) == 0 && number(at + 24, 8) == number(at + 32, 8);
        *d = (directory){number(at + 48, 8), number(at + 40, 8), number(at + 32, 8)};
    }
    if (!one)
        return fail(e, ERR_INPUT, "%s: the zip archive is one of several volumes", path);
    if (d->offset > end || d->size > end - d->offset || d->count > d->size / CENTRAL)
        return fail(e, ERR_INPUT, "%s: the zip archive's directory does not lie within it", path);
    return 0;
}

/* Replaces fields that are all ones by those of the extra field 1. False when they are missing. */
static bool widen(const unsigned char *extra, size_t size, uint64_t *const fields[3])
{
    bool wanted = false;
    for (int i = 0; i < 3; i++)
        wanted = wanted || *fields[i] == 0xFFFFFFFFu;
    if (!wanted)
        return true;
    while (size >= 4) {
        size_t id = (size_t)number(extra, 2), length = (size_t)number(extra + 2, 2);
        extra += 4;
        size -= 4;
        if (length > size)
            return false;
        if (id == 1) {
            for (int i = 0; i < 3; i++)
                if (*fields[i] == 0xFFFFFFFFu) {
                    if (length < 8)
                        return false;
                    *fields[i] = number(extra, 8);
                    extra += 8;
                    length -= 8;
                }
            return true;
        }
        extra += length;
        size -= length;
    }
    return false;
}

static int refuse_entry(const zip_entry *entry, const char *path, const char *why, error *e)
{
    return fail(e, ERR_INPUT, "%s: zip entry '%.*s' %s", path, (int)(entry->name_size < 200 ? entry->name_size : 200),
                entry->name, why);
}

int zip_verify(zip_entry *entry, const char *path, error *e)
{
    if (!entry->stored)
        return refuse_entry(entry, path, "is compressed or encrypted, which torch.save never does", e);
    /* 0: torch.serialization.set_crc32_options(False) */
    if (!entry->checked && entry->crc && crc32_z(0, entry->data, entry->size) != entry->crc)
        return refuse_entry(entry, path, "is damaged: its CRC-32 is another one", e);
    entry->checked = true;
    return 0;
}

/* One entry of the directory at *at, which is moved behind it. */
static int read_entry(zip_entry *entry, const unsigned char *data, size_t size, size_t *at, size_t end,
                      const char *path, error *e)
{
    const unsigned char *c = data + *at;
    if (end - *at < CENTRAL || memcmp(c, "PK\1\2", 4) != 0)
        return fail(e, ERR_INPUT, "%s: byte %zu: the zip archive's directory is damaged", path, *at);
    size_t name_size = (size_t)number(c + 28, 2), extra = (size_t)number(c + 30, 2);
    size_t whole = CENTRAL + name_size + extra + (size_t)number(c + 32, 2);
    if (whole > end - *at)
        return fail(e, ERR_INPUT, "%s: byte %zu: the zip archive's directory is damaged", path, *at);
    *at += whole;
    *entry = (zip_entry){.name = (const char *)c + CENTRAL, .name_size = name_size, .crc = (uint32_t)number(c + 16, 4)};
    uint64_t packed = number(c + 20, 4), bytes = number(c + 24, 4), offset = number(c + 42, 4);
    if (!widen(c + CENTRAL + name_size, extra, (uint64_t *const[]){&bytes, &packed, &offset}))
        return refuse_entry(entry, path, "lacks its 64-bit sizes", e);
    entry->stored = number(c + 10, 2) == 0 && packed == bytes && !(number(c + 8, 2) & 1);
    const unsigned char *local = data + offset;
    if (offset > size || size - offset < LOCAL || memcmp(local, "PK\3\4", 4) != 0)
        return refuse_entry(entry, path, "has no local header", e);
    /* the local header's extra field has another size: torch pads with it */
    size_t local_name = (size_t)number(local + 26, 2);
    uint64_t head = LOCAL + local_name + number(local + 28, 2), rest = size - offset;
    if (head > rest || packed > rest - head)
        return refuse_entry(entry, path, "does not lie within the file: it is truncated", e);
    if (local_name != name_size || memcmp(local + LOCAL, entry->name, name_size) != 0)
        return refuse_entry(entry, path, "has another name in its local header", e);
    entry->data = local + head;
    entry->size = (size_t)packed;
    return 0;
}

int zip_open(zip *z, const void *data, size_t size, const char *path, error *e)
{
    *z = (zip){0};
    directory d = {0};
    int code = find_directory(&d, data, size, path, e);
    if (code)
        return code;
    z->entries = mem_zero((size_t)d.count, sizeof *z->entries, "a zip directory", e);
    if (!z->entries)
        return ERR_SYSTEM;
    size_t at = (size_t)d.offset, end = at + (size_t)d.size;
    while (z->count < d.count && !code)
        code = read_entry(&z->entries[z->count++], data, size, &at, end, path, e);
    if (!code && z->count)
        qsort(z->entries, z->count, sizeof *z->entries, by_entry_name);
    for (size_t i = 1; i < z->count && !code; i++)
        if (by_entry_name(&z->entries[i - 1], &z->entries[i]) == 0)
            code = refuse_entry(&z->entries[i], path, "is there twice", e);
    if (code)
        zip_close(z);
    return code;
}

void zip_close(zip *z)
{
    free(z->entries);
    *z = (zip){0};
}
