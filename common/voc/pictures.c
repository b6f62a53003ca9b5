/* A folder's files are listed once. Names as written are found in that list; the tables for all else are made when the
 * first name is not there as written: most sets never need them. Such a table holds for each key (name_key.h) the
 * places where it occurs: `full` the whole paths of files, `inner` the tails of paths behind each '/'. There is one
 * pair for names and one for names without the ending of a picture. A key that has several places decides only when
 * one of them is written just like the name. */
#include "voc/pictures.h"

#include "voc/name_key.h"
#include "voc/tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where a key occurs: in the path of a file, from byte `start` on. */
typedef struct place {
    uint32_t file, start;
    size_t next; /* of the same key, by number + 1; 0: none */
} place;

typedef struct key_table {
    names keys;
    size_t *first; /* place of each key, by number + 1 */
    place *places;
    size_t first_capacity, count, capacity;
} key_table;

enum { FULL, INNER, KINDS };

struct pictures {
    names files, folders; /* relative paths */
    bool have_tables;
    key_table by_name[KINDS], by_stem[KINDS];
    text_buffer key;
};

pictures *pictures_open(const char *dir, error *e)
{
    pictures *p = mem_zero(1, sizeof *p, "a list of pictures", e);
    if (!p || !tree_read(&p->files, &p->folders, dir, e))
        return p;
    pictures_close(p);
    return NULL;
}

/* The folders that a path begins with. */
static int add_folders(names *folders, const char *path, error *e)
{
    size_t number;
    for (const char *slash = strchr(path, '/'); slash && !e->code; slash = strchr(slash + 1, '/'))
        names_add(folders, path, (size_t)(slash - path), &number, e);
    return e->code;
}

pictures *pictures_of(const names *files, error *e)
{
    pictures *p = mem_zero(1, sizeof *p, "a list of pictures", e);
    size_t number;
    for (size_t i = 0; p && i < files->count && !e->code; i++)
        if (!names_add(&p->files, files->items[i], strlen(files->items[i]), &number, e))
            add_folders(&p->folders, files->items[i], e);
    if (p && !e->code)
        return p;
    pictures_close(p);
    return NULL;
}

static void table_free(key_table *t)
{
    names_free(&t->keys);
    free(t->first);
    free(t->places);
}

void pictures_close(pictures *p)
{
    if (!p)
        return;
    for (int kind = 0; kind < KINDS; kind++) {
        table_free(&p->by_name[kind]);
        table_free(&p->by_stem[kind]);
    }
    names_free(&p->files);
    names_free(&p->folders);
    text_free(&p->key);
    free(p);
}

size_t pictures_count(const pictures *p)
{
    return p->files.count;
}

const char *pictures_name(const pictures *p, size_t number)
{
    return p->files.items[number];
}

size_t pictures_exact(const pictures *p, const char *name)
{
    return names_find(&p->files, name, strlen(name));
}

/* ---------------------------------------------------------------- tables */

static int table_add(key_table *t, const char *key, size_t size, place where, error *e)
{
    size_t number, before = t->keys.count;
    if (names_add(&t->keys, key, size, &number, e) ||
        mem_grow(&t->first, &t->first_capacity, t->keys.count, sizeof *t->first, "names of pictures", e) ||
        mem_grow(&t->places, &t->capacity, t->count + 1, sizeof *t->places, "names of pictures", e))
        return e->code;
    where.next = number == before ? 0 : t->first[number];
    t->places[t->count++] = where;
    t->first[number] = t->count;
    return 0;
}

/* The key of name[0..size) into p->key. */
static int make_key(pictures *p, const char *name, size_t size, error *e)
{
    p->key.size = 0;
    name_key_add(&p->key, name, size);
    return text_done(&p->key, e);
}

/* Only files with the ending of a picture have a stem: an XML beside a picture is not meant. */
static int add_file(pictures *p, size_t file, error *e)
{
    const char *path = p->files.items[file];
    const size_t size = strlen(path), stem = names_picture_stem(path, size);
    for (const char *tail = path; tail; tail = strchr(tail, '/')) {
        tail += tail != path;
        const place where = {.file = (uint32_t)file, .start = (uint32_t)(tail - path)};
        const int kind = tail == path ? FULL : INNER;
        if (make_key(p, tail, size - where.start, e) ||
            table_add(&p->by_name[kind], p->key.data, p->key.size, where, e))
            return e->code;
        if (stem < size && (make_key(p, tail, stem - where.start, e) ||
                            table_add(&p->by_stem[kind], p->key.data, p->key.size, where, e)))
            return e->code;
    }
    return 0;
}

static int make_tables(pictures *p, error *e)
{
    int code = 0;
    for (size_t i = 0; i < p->files.count && !code && !p->have_tables; i++)
        code = add_file(p, i, e);
    p->have_tables = true;
    return code;
}

/* ---------------------------------------------------------------- which file is meant */

/* A spelling of a name that is being looked up. */
typedef struct spelling {
    const char *text;
    size_t size;
} spelling;

/* The file whose path (or tail of it) has the key of text[0..size): *number. Several have it: *near is one of them. */
static int look_up(pictures *p, const key_table *t, const char *text, size_t size, size_t *number, size_t *near,
                   error *e)
{
    if (make_key(p, text, size, e))
        return e->code;
    const size_t key = names_find(&t->keys, p->key.data, p->key.size);
    if (key == NAMES_NONE)
        return 0;
    const place *first = &t->places[t->first[key] - 1];
    if (!first->next) {
        *number = first->file;
        return 0;
    }
    size_t same = 0, last = PICTURES_NONE;
    for (size_t i = t->first[key]; i; i = t->places[i - 1].next) {
        const place *where = &t->places[i - 1];
        const char *tail = p->files.items[where->file] + where->start;
        if (strncmp(tail, text, size) == 0 && tail[size] == 0) {
            same++;
            last = where->file;
        }
    }
    *(same == 1 ? number : near) = same == 1 ? last : first->file;
    return 0;
}

/* One was found, or several. */
static bool is_decided(size_t number, size_t near)
{
    return number != PICTURES_NONE || near != PICTURES_NONE;
}

/* Whole, as the tail of a path, then without the folders before it one by one, up to a folder that is there. */
static int look_up_tails(pictures *p, const key_table table[KINDS], spelling s, size_t *number, size_t *near, error *e)
{
    int code = look_up(p, &table[FULL], s.text, s.size, number, near, e);
    if (!code && !is_decided(*number, *near))
        code = look_up(p, &table[INNER], s.text, s.size, number, near, e);
    for (size_t at = 0; !code && !is_decided(*number, *near);) {
        const char *slash = memchr(s.text + at, '/', s.size - at);
        if (!slash)
            break;
        const size_t folder = (size_t)(slash - s.text) - at;
        if (folder && names_find(&p->folders, s.text + at, folder) != NAMES_NONE)
            break;
        at += folder + 1;
        code = look_up(p, &table[FULL], s.text + at, s.size - at, number, near, e);
    }
    return code;
}

static spelling without_ending(spelling s)
{
    return (spelling){s.text, names_picture_stem(s.text, s.size)};
}

int pictures_resolve(pictures *p, const char *name, size_t *number, size_t *near, error *e)
{
    *near = PICTURES_NONE;
    *number = pictures_exact(p, name);
    if (*number != PICTURES_NONE)
        return 0;
    text_buffer slashes = {0}, decoded = {0};
    text_add(&slashes, "%s", name);
    for (char *c = slashes.data; c && *c; c++)
        *c = *c == '\\' ? '/' : *c;
    int code = text_done(&slashes, e) || make_tables(p, e) ? e->code : 0;
    const bool encoded = !code && text_add_percent_decoded(&decoded, slashes.data, slashes.size);
    const spelling spellings[2] = {{slashes.data, slashes.size}, {decoded.data, decoded.size}};
    for (int i = 0; i < 4 && !code && !is_decided(*number, *near); i++) { /* names, then stems */
        const spelling s = spellings[i % 2];
        if (i % 2 && !encoded)
            continue;
        code = look_up_tails(p, i < 2 ? p->by_name : p->by_stem, i < 2 ? s : without_ending(s), number, near, e);
        if (!code && i >= 2 && !is_decided(*number, *near) && without_ending(s).size < s.size)
            code = look_up_tails(p, p->by_stem, s, number, near, e);
    }
    text_free(&slashes);
    text_free(&decoded);
    return code;
}
