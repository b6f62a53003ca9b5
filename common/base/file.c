/* Reading files, and what names of files lead to. Regular files are mapped, and the mapping is watched (signals.h);
 * pipes, standard input and what cannot be mapped is read into memory. Many small files are read (file_read), for a
 * mapping costs more than it saves there. */
#include "base/file.h"

#include "base/signals.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- reading */

/* To the end, or at least `most` bytes. */
static int read_stream(file_view *view, int fd, size_t most, error *e)
{
    char *data = NULL;
    size_t capacity = 0;
    ssize_t n = 1;
    int code = 0;
    while (n && !code && view->size < most) {
        const size_t more = most - view->size < 65536 ? most - view->size : 65536;
        code = mem_grow(&data, &capacity, view->size + more, 1, view->path, e);
        n = code ? 0 : read(fd, data + view->size, capacity - view->size);
        if (n > 0)
            view->size += (size_t)n;
        else if (n < 0 && errno != EINTR)
            code = fail_system(e, "%s: cannot read", view->path);
    }
    view->data = data;
    if (code)
        file_close(view);
    return code;
}

/* Opens for reading and says what it is; a folder is refused. */
static int open_input(const char *path, int flags, int *fd, struct stat *st, error *e)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (*fd < 0)
        return fail_open(e, path);
    int code = fstat(*fd, st) < 0     ? fail_system(e, "%s: cannot stat", path)
               : S_ISDIR(st->st_mode) ? fail(e, ERR_INPUT, "%s: is a directory, a file is needed", path)
                                      : 0;
    if (code)
        close(*fd);
    return code;
}

int file_open(file_view *view, const char *path, error *e)
{
    int fd;
    struct stat st = {0};
    *view = (file_view){.path = path};
    if (strcmp(path, "-") == 0) {
        view->path = "standard input";
        return read_stream(view, STDIN_FILENO, SIZE_MAX, e);
    }
    int code = open_input(path, 0, &fd, &st, e);
    if (code)
        return code;
    void *p = MAP_FAILED;
    if (S_ISREG(st.st_mode) && st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        code = read_stream(view, fd, SIZE_MAX, e);
    } else {
        view->data = p;
        view->size = (size_t)st.st_size;
        view->watch = signals_watch(path, p, view->size, e);
        if (!view->watch) {
            munmap(p, view->size);
            *view = (file_view){.path = path};
            code = ERR_SYSTEM;
        }
    }
    close(fd);
    return code;
}

/* A regular file only: `most` bytes of it, if it has no more than `max`. */
static int read_regular(file_view *view, const char *path, size_t most, uint64_t max, uint64_t *whole, error *e)
{
    int fd;
    struct stat st = {0};
    *view = (file_view){.path = path};
    int code = open_input(path, O_NONBLOCK, &fd, &st, e); /* a pipe without a writer is not waited for */
    if (code)
        return code;
    *whole = (uint64_t)st.st_size;
    if (!S_ISREG(st.st_mode))
        code = fail(e, ERR_INPUT, "%s: is a pipe or a device, a regular file is needed", path);
    else if (*whole > max)
        code = fail(e, ERR_INPUT, "%s: has %lld bytes, more than the %llu that are allowed", path,
                    (long long)st.st_size, (unsigned long long)max);
    else
        code = read_stream(view, fd, most, e);
    close(fd);
    return code;
}

int file_read(file_view *view, const char *path, size_t max, error *e)
{
    uint64_t whole;
    return read_regular(view, path, SIZE_MAX, max, &whole, e);
}

int file_read_head(file_view *view, const char *path, size_t most, uint64_t *whole, error *e)
{
    return read_regular(view, path, most, INT64_MAX, whole, e);
}

void file_close(file_view *view)
{
    void *p = (void *)(uintptr_t)view->data;
    signals_release(view->watch);
    if (view->watch)
        munmap(p, view->size);
    else
        free(p);
    *view = (file_view){0};
}

int file_lines(const file_view *view, bool table, file_taker *take, void *context, error *e)
{
    text_lines lines = text_lines_of(view->data, view->size);
    const char *line;
    size_t size;
    if (view->size > 1 && (memcmp(view->data, "\xff\xfe", 2) == 0 || memcmp(view->data, "\xfe\xff", 2) == 0))
        return fail(e, ERR_INPUT, "%s: is text in UTF-16; save it as UTF-8", view->path);
    if (table && lines.at == lines.end)
        return fail(e, ERR_INPUT, "%s: is empty, a header line is needed", view->path);
    while (text_line(&lines, &line, &size)) {
        int code = take(context, lines.number, line, size, e);
        if (code) {
            fail_context(e, "%s:%zu", view->path, lines.number);
            return code;
        }
    }
    if (table && view->data[view->size - 1] != '\n')
        return fail(e, ERR_INPUT, "%s:%zu: the last line does not end: the file is truncated", view->path,
                    lines.number);
    return 0;
}

/* ---------------------------------------------------------------- names */

char *path_join(const char *dir, const char *name, error *e)
{
    size_t n = strlen(dir), size = n + strlen(name) + 2;
    char *path = mem_zero(size, 1, "a file name", e);
    if (path)
        snprintf(path, size, "%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name);
    return path;
}

bool file_same(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* What a name leads to: a file that is there, or a name in a folder. */
typedef struct place {
    bool known, there;
    dev_t device;
    ino_t inode;      /* of the file, or of the folder */
    const char *name; /* in the folder, of a file that is not there */
} place;

static place place_of(const file_use *file)
{
    struct stat st;
    const char *slash = strrchr(file->path, '/'), *name = slash ? slash + 1 : file->path;
    if (strcmp(file->path, "-") == 0)
        return (place){.known = true, .there = true, .inode = file->written};
    if (stat(file->path, &st) == 0)
        return (place){S_ISREG(st.st_mode) || S_ISDIR(st.st_mode), true, st.st_dev, st.st_ino, ""};
    char *folder = file->written ? text_copy(file->path, (size_t)(name - file->path), NULL) : NULL;
    bool known = folder && stat(*folder ? folder : ".", &st) == 0;
    free(folder);
    return known ? (place){true, false, st.st_dev, st.st_ino, name} : (place){0};
}

static bool same_place(const place *a, const place *b)
{
    return a->known && b->known && a->there == b->there && a->device == b->device && a->inode == b->inode &&
           (a->there || strcmp(a->name, b->name) == 0);
}

static int not_apart(const file_use *a, const file_use *b, error *e)
{
    const char *path = strcmp(a->path, "-") != 0 ? a->path : a->written ? "standard output" : "standard input";
    if (a->written && !b->written)
        return not_apart(b, a, e);
    const bool replaced = !a->written && b->written;
    return fail(e, ERR_USAGE, "%s: %s%s%s and %s%s would %s; give them different names", path, a->option ? "--" : "",
                a->what, replaced ? " reads it" : "", b->option ? "--" : "", b->what,
                replaced     ? "replace it"
                : b->written ? "be one file"
                             : "both read it");
}

int files_apart(const file_use *files, size_t count, error *e)
{
    place *places = mem_zero(count, sizeof *places, "names of files", e);
    int code = places ? 0 : ERR_SYSTEM;
    for (size_t i = 0; i < count && !code; i++)
        places[i] = place_of(&files[i]);
    for (size_t i = 0; i < count && !code; i++) { /* few are written, many may be read */
        if (!files[i].written && strcmp(files[i].path, "-") != 0)
            continue;
        for (size_t k = 0; k < count && !code; k++)
            if (k != i && same_place(&places[i], &places[k]))
                code = not_apart(&files[i < k ? i : k], &files[i < k ? k : i], e);
    }
    free(places);
    return code;
}
