/* A folder is read with everything in it before its names are sorted, because byte order of whole paths is not that in
 * which folders are walked ("a-b.xml" stands before "a/b.xml"). The index counts how many files share a stem: a file
 * is found only when there can be no doubt. */
#include "voc/tree.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 16 };

typedef struct walk {
    names found, *folders;
    const char *dir;
    struct stat open[DEPTH_MAX + 1]; /* the folders that lead to the present one: a link back to one is not followed */
} walk;

static int walk_folder(walk *w, const char *folder, int depth, error *e);

/* One entry: a file is kept, a folder is walked, anything else (a pipe, a broken link) is kept too, so that who opens
 * it can name it. */
static int walk_entry(walk *w, const char *folder, const struct dirent *entry, int depth, error *e)
{
    text_buffer name = {0}, path = {0};
    struct stat info;
    bool is_folder = entry->d_type == DT_DIR;
    size_t number;
    text_add(&name, "%s%s%s", folder, *folder ? "/" : "", entry->d_name);
    int code = text_done(&name, e);
    if (!code && (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN)) {
        text_add(&path, "%s/%s", w->dir, name.data);
        code = text_done(&path, e);
        is_folder = !code && stat(path.data, &info) == 0 && S_ISDIR(info.st_mode);
    }
    if (!code && is_folder)
        code = depth < DEPTH_MAX ? walk_folder(w, name.data, depth + 1, e) : 0;
    else if (!code)
        code = names_add(&w->found, name.data, name.size, &number, e);
    text_free(&name);
    text_free(&path);
    return code;
}

/* Products of make, which lie beside their records, are no part of what somebody annotated. */
static bool is_made(const char *folder)
{
    text_buffer path = {0};
    text_add(&path, "%s/.made", folder);
    const bool made = path.data && access(path.data, F_OK) == 0;
    text_free(&path);
    return made;
}

static int walk_folder(walk *w, const char *folder, int depth, error *e)
{
    text_buffer path = {0};
    size_t number;
    text_add(&path, "%s%s%s", w->dir, *folder ? "/" : "", folder);
    int code = text_done(&path, e);
    DIR *dir = code ? NULL : opendir(path.data);
    if (!code && !dir)
        code = fail_open(e, path.data);
    bool again = !code && *folder && is_made(path.data);
    /* no dir: a code NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    again |= !code && fstat(dirfd(dir), &w->open[depth]) != 0;
    for (int i = 0; i < depth && !code; i++)
        again |= w->open[i].st_ino == w->open[depth].st_ino && w->open[i].st_dev == w->open[depth].st_dev;
    if (!code && !again && *folder && w->folders)
        code = names_add(w->folders, folder, strlen(folder), &number, e);
    while (!code && !again) {
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (entry->d_name[0] != '.')
            code = walk_entry(w, folder, entry, depth, e);
    }
    if (dir)
        closedir(dir);
    text_free(&path);
    return code;
}

int tree_read(names *files, names *folders, const char *dir, error *e)
{
    walk w = {.dir = dir, .folders = folders};
    int code = walk_folder(&w, "", 0, e);
    size_t number, *order = mem_zero(w.found.count, sizeof *order, "the names of files", e);
    if (!order)
        code = ERR_SYSTEM;
    else
        names_sort(&w.found, order);
    for (size_t i = 0; i < w.found.count && !code; i++)
        code = names_add(files, w.found.items[order[i]], strlen(w.found.items[order[i]]), &number, e);
    free(order);
    names_free(&w.found);
    return code;
}

const char *tree_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---------------------------------------------------------------- by stem */

static int index_file(stem_index *x, size_t file, error *e)
{
    const char *path = x->files->items[file], *base = tree_base(path);
    const size_t size = names_stem(path);
    size_t stem, number;
    if (names_add(&x->stems, path, size, &stem, e) ||
        names_add(&x->bases, base, size - (size_t)(base - path), &number, e))
        return e->code;
    x->next[file] = x->stem_count[stem]++ ? x->stem_file[stem] + 1 : 0;
    x->stem_file[stem] = file;
    x->base_count[number]++;
    x->base_file[number] = file;
    return 0;
}

int stem_index_make(stem_index *x, const names *files, bool (*wanted)(const char *), error *e)
{
    size_t **const lists[] = {&x->stem_file, &x->base_file, &x->stem_count, &x->base_count, &x->next};
    int code = 0;
    *x = (stem_index){.files = files};
    for (size_t i = 0; i < COUNT(lists) && !code; i++) {
        *lists[i] = mem_zero(files->count, sizeof **lists[i], "the names of files", e);
        code = *lists[i] ? 0 : ERR_SYSTEM;
    }
    for (size_t i = 0; i < files->count && !code; i++)
        if (wanted(files->items[i]))
            code = index_file(x, i, e);
    return code;
}

const char *stem_index_find(const stem_index *x, const char *stem, size_t size, const char *like)
{
    const size_t number = names_find(&x->stems, stem, size);
    if (number == NAMES_NONE)
        return NULL;
    for (size_t at = x->stem_file[number] + 1; at && like; at = x->next[at - 1])
        if (strcmp(tree_base(x->files->items[at - 1]), tree_base(like)) == 0)
            return x->files->items[at - 1];
    return x->stem_count[number] == 1 ? x->files->items[x->stem_file[number]] : NULL;
}

const char *stem_index_find_base(const stem_index *x, const char *base, size_t size)
{
    const size_t number = names_find(&x->bases, base, size);
    return number != NAMES_NONE && x->base_count[number] == 1 ? x->files->items[x->base_file[number]] : NULL;
}

void stem_index_free(stem_index *x)
{
    names_free(&x->stems);
    names_free(&x->bases);
    free(x->stem_file);
    free(x->base_file);
    free(x->stem_count);
    free(x->base_count);
    free(x->next);
    *x = (stem_index){0};
}
