#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- reading */

static int read_stream(file_view *view, int fd, error *e)
{
    char *data = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (mem_grow(&data, &capacity, size + 65536, 1, view->path, e)) {
            free(data);
            return e ? e->code : ERR_SYSTEM;
        }
        ssize_t n = read(fd, data + size, capacity - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(data);
            return fail_system(e, "%s: cannot read", view->path);
        }
        if (n == 0)
            break;
        size += (size_t)n;
    }
    view->data = data;
    view->size = size;
    view->mapped = false;
    return 0;
}

/* Opens for reading and says what it is; a folder is refused. */
static int open_input(const char *path, int flags, int *fd, struct stat *st, error *e)
{
    int code = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (*fd < 0)
        return fail_open(e, path);
    if (fstat(*fd, st) < 0)
        code = fail_system(e, "%s: cannot stat", path);
    else if (S_ISDIR(st->st_mode))
        code = fail(e, ERR_INPUT, "%s: is a directory, a file is needed", path);
    if (code)
        close(*fd);
    return code;
}

int file_open(file_view *view, const char *path, error *e)
{
    int fd;
    struct stat st;
    *view = (file_view){.path = path};
    if (strcmp(path, "-") == 0) {
        view->path = "standard input";
        return read_stream(view, STDIN_FILENO, e);
    }
    int code = open_input(path, 0, &fd, &st, e);
    if (code)
        return code;
    void *p = MAP_FAILED;
    if (S_ISREG(st.st_mode) && st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        code = read_stream(view, fd, e);
    } else {
        view->data = p;
        view->size = (size_t)st.st_size;
        view->mapped = true;
    }
    close(fd);
    return code;
}

int file_read(file_view *view, const char *path, size_t max, error *e)
{
    int fd;
    struct stat st;
    *view = (file_view){.path = path};
    int code = open_input(path, O_NONBLOCK, &fd, &st, e); /* a pipe without a writer is not waited for */
    if (code)
        return code;
    if (!S_ISREG(st.st_mode))
        code = fail(e, ERR_INPUT, "%s: is a pipe or a device, a regular file is needed", path);
    else if ((uint64_t)st.st_size > max)
        code = fail(e, ERR_INPUT, "%s: has %lld bytes, more than the %zu that are allowed", path,
                    (long long)st.st_size, max);
    else
        code = read_stream(view, fd, e);
    close(fd);
    return code;
}

void file_close(file_view *view)
{
    void *p = (void *)(uintptr_t)view->data;
    if (view->mapped)
        munmap(p, view->size);
    else
        free(p);
    *view = (file_view){0};
}

/* ---------------------------------------------------------------- writing */

/* Names of the siblings that exist now, for the signal handler: fixed storage, one flag per slot. */
enum { SLOTS = 64, NAME = 4096 };
static char pending[SLOTS][NAME];
static volatile sig_atomic_t pending_used[SLOTS];

static void pending_add(const char *name)
{
    for (int i = 0; i < SLOTS; i++)
        if (!pending_used[i] && strlen(name) < NAME) {
            strcpy(pending[i], name);
            pending_used[i] = 1;
            return;
        }
}

static void pending_remove(const char *name)
{
    for (int i = 0; i < SLOTS; i++)
        if (pending_used[i] && strcmp(pending[i], name) == 0)
            pending_used[i] = 0;
}

static void on_signal(int number)
{
    for (int i = 0; i < SLOTS; i++)
        if (pending_used[i])
            unlink(pending[i]);
    signal(number, SIG_DFL);
    raise(number);
}

void out_remove_on_signal(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct sigaction old, new = {.sa_handler = on_signal};
        sigemptyset(&new.sa_mask);
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &new, NULL);
    }
}

static void out_free(out_file *out)
{
    if (out->temporary)
        pending_remove(out->temporary);
    free(out->path);
    free(out->temporary);
    *out = (out_file){0};
}

int out_open(out_file *out, const char *path, error *e)
{
    *out = (out_file){0};
    out->path = strdup(path);
    if (!out->path)
        return fail_memory(e, strlen(path) + 1, "a file name");
    if (strcmp(path, "-") == 0) {
        out->stream = stdout;
        return 0;
    }
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* /dev/null, a pipe: never renamed over */
        out->stream = S_ISDIR(st.st_mode) ? NULL : fopen(path, "wb");
        if (!out->stream) {
            if (S_ISDIR(st.st_mode))
                errno = EISDIR;
            fail_system(e, "%s: cannot write", path);
            out_free(out);
            return ERR_SYSTEM;
        }
        return 0;
    }
    size_t room = strlen(path) + 32;
    out->temporary = malloc(room);
    if (!out->temporary) {
        out_free(out);
        return fail_memory(e, room, "a file name");
    }
    snprintf(out->temporary, room, "%s.tmp.%ld", path, (long)getpid());
    pending_add(out->temporary);
    out->stream = fopen(out->temporary, "wb");
    if (!out->stream) {
        fail_system(e, "%s: cannot create", path);
        out_free(out);
        return ERR_SYSTEM;
    }
    return 0;
}

void out_discard(out_file *out)
{
    if (out->stream && out->stream != stdout)
        fclose(out->stream);
    if (out->stream && out->temporary)
        unlink(out->temporary);
    out_free(out);
}

/* Flushes, syncs and closes; the stream is gone afterwards whatever the result. */
static int finish(out_file *out, error *e)
{
    int code = 0;
    if (fflush(out->stream) || ferror(out->stream))
        code = fail_system(e, "%s: cannot write", out->path);
    if (out->temporary) {
        if (!code && fsync(fileno(out->stream)) && errno != EINVAL && errno != EROFS)
            code = fail_system(e, "%s: cannot write", out->path);
        if (fclose(out->stream) && !code)
            code = fail_system(e, "%s: cannot write", out->path);
        out->stream = NULL;
        if (code)
            unlink(out->temporary);
    } else if (out->stream != stdout && fclose(out->stream) && !code) {
        code = fail_system(e, "%s: cannot write", out->path);
    }
    return code;
}

int out_commit(out_file *out, error *e)
{
    int code = finish(out, e);
    if (!code && out->temporary && rename(out->temporary, out->path)) {
        code = fail_system(e, "%s: cannot put the finished file in place", out->path);
        unlink(out->temporary);
    }
    out_free(out);
    return code;
}

static bool same_bytes(const char *a, const char *b)
{
    FILE *fa = fopen(a, "rb"), *fb = fopen(b, "rb");
    bool same = fa && fb;
    char ba[16384], bb[16384];
    while (same) {
        size_t na = fread(ba, 1, sizeof ba, fa), nb = fread(bb, 1, sizeof bb, fb);
        if (na != nb || memcmp(ba, bb, na) != 0 || ferror(fa) || ferror(fb))
            same = false;
        if (na < sizeof ba)
            break;
    }
    if (fa)
        fclose(fa);
    if (fb)
        fclose(fb);
    return same;
}

int out_commit_if_changed(out_file *out, bool *changed, error *e)
{
    *changed = true;
    int code = finish(out, e);
    if (!code && out->temporary) {
        if (same_bytes(out->temporary, out->path)) {
            *changed = false;
            unlink(out->temporary);
        } else if (rename(out->temporary, out->path)) {
            code = fail_system(e, "%s: cannot put the finished file in place", out->path);
            unlink(out->temporary);
        }
    }
    out_free(out);
    return code;
}

int file_write(const char *path, const void *data, size_t size, error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    if (code)
        return code;
    if (size)
        fwrite(data, 1, size, out.stream);
    return out_commit(&out, e);
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
