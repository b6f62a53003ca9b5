/* Operands become paths first, each with the length of its end that is its name: the last part of a file's path, what
 * follows a folder's. If two names are equal, the real paths of all are looked up, and the names of those that cannot
 * be told apart grow to the left, a folder at a time. Rows of a cache have their names already. */
#include "nn/picture_list.h"

#include "base/file.h"
#include "image/picture_file.h"
#include "voc/name_list.h"
#include "voc/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void picture_list_free(picture_list *list)
{
    for (size_t i = 0; list->paths && i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    free(list->tails);
    free(list->rows);
    names_free(&list->file_names);
    *list = (picture_list){0};
}

/* ---------------------------------------------------------------- files */

static int add_file(picture_list *list, const char *path, size_t tail, error *e)
{
    size_t count = list->count;
    if (mem_grow(&list->paths, &list->capacity, count + 1, sizeof *list->paths, "a list of pictures", e) ||
        mem_grow(&list->tails, &list->tail_capacity, count + 1, sizeof *list->tails, "a list of pictures", e))
        return ERR_SYSTEM;
    list->paths[count] = text_copy(path, strlen(path), e);
    if (!list->paths[count])
        return ERR_SYSTEM;
    list->tails[count] = tail;
    list->count++;
    return 0;
}

/* How names of what lies in the folder `inner` begin when they are relative to `folder`: "seen/"; returns its length, 0
 * when `inner` is not in it. */
static size_t inside(const char *folder, const char *inner, char start[PATH_MAX + 1])
{
    char outer[PATH_MAX], real[PATH_MAX];
    if (!inner || !realpath(folder, outer) || !realpath(inner, real))
        return 0;
    size_t n = strcmp(outer, "/") == 0 ? 0 : strlen(outer);
    if (strncmp(real, outer, n) != 0 || real[n] != '/')
        return 0;
    return (size_t)snprintf(start, PATH_MAX + 1, "%s/", real + n + 1);
}

static int add_folder(picture_list *list, const char *folder, const char *drawings, error *e)
{
    char left_out[PATH_MAX + 1];
    size_t before = list->count, n = inside(folder, drawings, left_out);
    names files = {0};
    int code = tree_read(&files, NULL, folder, e);
    for (size_t i = 0; i < files.count && !code; i++) {
        const char *name = files.items[i];
        struct stat st;
        if (!picture_has_ending(name) || (n && strncmp(name, left_out, n) == 0))
            continue;
        char *path = path_join(folder, name, e);
        code = path ? 0 : ERR_SYSTEM;
        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            code = add_file(list, path, strlen(name), e);
        free(path);
    }
    names_free(&files);
    if (!code && list->count == before)
        code = fail(e, ERR_INPUT, "%s: no .jpg, .jpeg or .png in this folder", folder);
    return code;
}

/* ---------------------------------------------------------------- names */

/* What is known while the names are made. */
typedef struct naming {
    picture_list *list;
    char *const *paths; /* the list's, or real ones; names are the ends of them */
    size_t *first;      /* the picture that has each name */
    bool *shared;       /* of each picture: another one has its name */
    size_t shared_count;
} naming;

static int make_names(naming *n, error *e)
{
    picture_list *list = n->list;
    char clean[NAMES_FILE_MAX + 1];
    names_free(&list->file_names);
    n->shared_count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const text_field name = {n->paths[i] + strlen(n->paths[i]) - list->tails[i], list->tails[i]};
        size_t number, before = list->file_names.count;
        const char *wrong = names_file_name(name, clean);
        if (wrong)
            return fail(e, ERR_INPUT, "%s: the file name %s", list->paths[i], wrong);
        if (names_add(&list->file_names, clean, strlen(clean), &number, e))
            return e->code;
        n->shared[i] = number != before;
        if (number == before) {
            n->first[number] = i;
            continue;
        }
        n->shared_count++;
        n->shared[n->first[number]] = true;
        if (n->paths != list->paths && strcmp(n->paths[i], n->paths[n->first[number]]) == 0)
            return fail(e, ERR_INPUT, "%s: is the same picture as %s; name it once", list->paths[i],
                        list->paths[n->first[number]]);
    }
    return 0;
}

/* The real path of the folder that the name is relative to, and the name. */
static char *real_path(const char *path, size_t tail, error *e)
{
    size_t n = strlen(path) - tail;
    char *folder = n ? text_copy(path, n, e) : text_copy(".", 1, e), *real = folder ? realpath(folder, NULL) : NULL;
    char *whole = real ? path_join(real, path + n, e) : NULL;
    if (folder && !real)
        fail_system(e, "%s: cannot find its folder", path);
    free(folder);
    free(real);
    return whole;
}

/* Puts one folder more before the names of all that share theirs; false when there is none for any of them. */
static bool grow_names(const naming *n)
{
    bool grown = false;
    for (size_t i = 0; i < n->list->count; i++) {
        size_t *tail = &n->list->tails[i], start = strlen(n->paths[i]) - *tail;
        if (!n->shared[i] || start < 2) /* "/" */
            continue;
        do
            start--, ++*tail;
        while (n->paths[i][start - 1] != '/');
        grown = true;
    }
    return grown;
}

static int tell_apart(naming *n, char **real, error *e)
{
    const picture_list *list = n->list;
    for (size_t i = 0; i < list->count; i++) {
        real[i] = real_path(list->paths[i], list->tails[i], e);
        if (!real[i])
            return e->code;
    }
    n->paths = real;
    int code = make_names(n, e);
    while (!code && n->shared_count)
        code = grow_names(n) ? make_names(n, e) : fail(e, ERR_INPUT, "two pictures have the same name in tables");
    return code;
}

static int name_files(picture_list *list, error *e)
{
    naming n = {.list = list, .paths = list->paths};
    n.first = mem_zero(list->count, sizeof *n.first, "a list of pictures", e);
    n.shared = mem_zero(list->count, sizeof *n.shared, "a list of pictures", e);
    char **real = mem_zero(list->count, sizeof *real, "a list of pictures", e);
    int code = n.first && n.shared && real ? make_names(&n, e) : ERR_SYSTEM;
    if (!code && n.shared_count)
        code = tell_apart(&n, real, e);
    for (size_t i = 0; real && i < list->count; i++)
        free(real[i]);
    free(real);
    free(n.first);
    free(n.shared);
    return code;
}

int picture_list_files(picture_list *list, char *const *operands, int count, const char *drawings, error *e)
{
    int code = 0;
    for (int i = 0; i < count && !code; i++) {
        const char *path = operands[i], *slash = strrchr(path, '/');
        struct stat st;
        if (stat(path, &st) != 0)
            code = fail(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
        else if (S_ISDIR(st.st_mode))
            code = add_folder(list, path, drawings, e);
        else
            code = add_file(list, path, strlen(slash ? slash + 1 : path), e);
    }
    return code ? code : name_files(list, e);
}

/* ---------------------------------------------------------------- a cache */

/* Rows of the names, but for pictures that resize-cache left out; *count: how many remain. */
static int named_rows(picture_list *list, const names *wanted, const char *only, size_t *count, error *e)
{
    const char **there = mem_zero(wanted->count, sizeof *there, "names", e);
    bool *left_out = mem_zero(wanted->count, sizeof *left_out, "names", e);
    int code = there && left_out ? 0 : ERR_SYSTEM;
    const char *const *all = wanted->items;
    if (!code)
        code = cache_left_out(list->cache, all, wanted->count, left_out, &list->left_out, e);
    *count = 0;
    for (size_t i = 0; i < wanted->count && !code; i++)
        if (!left_out[i])
            there[(*count)++] = all[i];
    if (!code && (code = cache_rows(list->cache, there, *count, list->rows, e)))
        fail_context(e, "%s", only);
    free(there);
    free(left_out);
    return code || *count ? code
                          : fail(e, ERR_INPUT, "%s: all its pictures were left out of %s, as %s.sources says", only,
                                 cache_file_name(list->cache), cache_file_name(list->cache));
}

static int add_name(void *list, const char *name, error *e)
{
    size_t number;
    return names_add(list, name, strlen(name), &number, e);
}

/* The list `only` of pictures that the cache has, or that were left out of it. */
static int read_only(names *wanted, const cache *c, const char *only, error *e)
{
    names known = {0};
    if (!cache_each_name(c, add_name, &known, e))
        name_list_read_all(wanted, only, &known, cache_file_name(c), e);
    names_free(&known);
    return e->code;
}

int picture_list_cache(picture_list *list, const cache *c, const char *only, error *e)
{
    list->cache = c;
    names wanted = {0};
    int code = only ? read_only(&wanted, c, only, e) : 0;
    size_t count = only ? wanted.count : cache_count(c);
    if (!code && count == 0)
        code = fail(e, ERR_INPUT, "%s: no pictures", only ? only : "the cache");
    if (!code) {
        list->rows = mem_zero(count, sizeof *list->rows, "rows", e);
        code = list->rows ? 0 : ERR_SYSTEM;
    }
    if (!code && only)
        code = named_rows(list, &wanted, only, &count, e);
    for (size_t i = 0; i < count && !code; i++) {
        if (!only)
            list->rows[i] = i;
        const char *name = cache_at(c, list->rows[i]).name;
        code = names_add_file(&list->file_names, (text_field){name, strlen(name)}, e);
        list->count++;
    }
    names_free(&wanted);
    return code;
}
