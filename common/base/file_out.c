/* Writing files that are either complete or absent, see file.h.
 *
 * The bytes go to a new file beside the one that is asked for, and rename puts it in place. Links are followed first,
 * so that the file that a link leads to is replaced and not the link. While it is being written its name is watched
 * (signals.h) and it is locked (flock), which ends with the process, however that ends: so the next writer can tell a
 * file that was left behind from one that is being written, removes the one and takes another name beside the other.
 */
#include "base/file.h"

#include "base/signals.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- names */

/* The name of an open file, such as /dev/fd/3 or /proc/self/fd/3. */
static bool is_descriptor(const char *path)
{
    return strncmp(path, "/dev/fd/", 8) == 0 || (strncmp(path, "/proc/", 6) == 0 && strstr(path, "/fd/"));
}

/* Where the bytes of `path` go: the name behind all links, also behind one that leads to nothing yet. */
static int behind_links(const char *path, char **target, error *e)
{
    enum { MOST = 40 }; /* as the kernel */
    char link[PATH_MAX];
    char *at = text_copy(path, strlen(path), e);
    int code = at ? 0 : ERR_SYSTEM;
    for (int links = 0; !code; links++) {
        ssize_t n = readlink(at, link, sizeof link - 1);
        if (n < 0) /* no link, or nothing there: opening it will tell */
            break;
        link[n] = 0;
        if (is_descriptor(at)) {
            code = fail(e, ERR_USAGE, "%s: is a file that is open already and would be replaced; name the file itself",
                        path);
        } else if (links == MOST) {
            errno = ELOOP;
            code = fail_system(e, "%s: cannot write", path);
        } else {
            char *slash = *link == '/' ? NULL : strrchr(at, '/');
            if (slash)
                slash[1] = 0;
            char *next = path_join(slash ? at : "", link, e);
            free(at);
            at = next;
            code = next ? 0 : ERR_SYSTEM;
        }
    }
    if (code) {
        free(at);
        at = NULL;
    }
    *target = at;
    return code;
}

/* "PATH.tmp.NUMBER"; of a long name only as much as leaves room for that in the 255 bytes of a name. */
static char *temporary_name(const char *path, int number, error *e)
{
    char ending[16];
    snprintf(ending, sizeof ending, ".tmp.%d", number);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t folder = (size_t)(name - path), keep = utf8_cut(name, strlen(name), NAME_MAX - strlen(ending));
    char *temporary = mem_zero(folder + keep + sizeof ending, 1, "a file name", e);
    if (temporary) {
        memcpy(temporary, path, folder + keep);
        strcpy(temporary + folder + keep, ending);
    }
    return temporary;
}

/* ---------------------------------------------------------------- locks */

int file_lock(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return FILE_LOCKED;
    return errno == EWOULDBLOCK || errno == EINTR ? FILE_TAKEN : FILE_NO_LOCKS;
}

bool file_is(const char *name, int fd)
{
    struct stat a, b;
    return lstat(name, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Removes a file whose writer is gone. False: it is somebody's, or no such file. */
static bool remove_left(const char *name)
{
    int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    const bool left = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && file_lock(fd) == FILE_LOCKED &&
                      file_is(name, fd) && unlink(name) == 0;
    if (fd >= 0)
        close(fd);
    return left;
}

/* A new file of that name, and nobody else's: its descriptor, or -1 with errno (EEXIST: the name is taken). */
static int create_own(const char *name, mode_t mode)
{
    enum { FLAGS = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    int fd = open(name, FLAGS, mode);
    if (fd < 0 && errno == EEXIST) {
        const bool left = remove_left(name);
        errno = EEXIST;
        fd = left ? open(name, FLAGS, mode) : -1;
    }
    if (fd < 0 || (file_lock(fd) != FILE_TAKEN && file_is(name, fd)))
        return fd;
    close(fd); /* another writer took it for one that was left behind */
    errno = EEXIST;
    return -1;
}

/* ---------------------------------------------------------------- opening */

static void out_free(out_file *out)
{
    signals_release(out->watch);
    free(out->path);
    free(out->target);
    free(out->temporary);
    *out = (out_file){0};
}

/* So many may write one file at a time. */
enum { MOST_WRITERS = 100 };

/* A new file; with the mode of the one that it will replace, if there is one. */
static int create(out_file *out, error *e)
{
    struct stat st;
    const bool replaces = stat(out->target, &st) == 0;
    if (!replaces && errno != ENOENT) /* a name that is too long, say: better now than at the rename */
        return fail_system(e, "%s: cannot create", out->path);
    int fd = -1;
    for (int number = 1; fd < 0 && number <= MOST_WRITERS; number++) {
        free(out->temporary);
        out->temporary = temporary_name(out->target, number, e);
        if (!out->temporary)
            return ERR_SYSTEM;
        fd = create_own(out->temporary, replaces ? 0600 : 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0)
        return fail_system(e, "%s: cannot create", out->path);
    out->watch = signals_watch(out->temporary, NULL, 0, e);
    const bool kept = !replaces || fchmod(fd, st.st_mode & 0777) == 0 || errno == EPERM; /* no modes there */
    out->stream = out->watch && kept ? fdopen(fd, "w+b") : NULL;
    if (out->stream)
        return 0;
    int code = fail_system(e, "%s: cannot create", out->path);
    unlink(out->temporary);
    close(fd);
    return code;
}

/* A device or a pipe, which is never renamed over; a folder is refused. */
static bool is_special(const char *path, struct stat *st)
{
    return stat(path, st) == 0 && !S_ISREG(st->st_mode);
}

static int refuse(const char *path, int number, error *e)
{
    errno = number;
    return fail_system(e, "%s: cannot write", path);
}

int out_open(out_file *out, const char *path, error *e)
{
    struct stat st;
    *out = (out_file){.path = text_copy(path, strlen(path), e)};
    int code = out->path ? 0 : ERR_SYSTEM;
    if (!code && strcmp(path, "-") == 0) {
        out->stream = stdout;
    } else if (!code && is_special(path, &st)) {
        out->stream = S_ISDIR(st.st_mode) ? NULL : fopen(path, "wb");
        if (!out->stream)
            code = refuse(path, S_ISDIR(st.st_mode) ? EISDIR : errno, e);
    } else if (!code) {
        code = behind_links(path, &out->target, e);
        if (!code)
            code = create(out, e);
    }
    if (code)
        out_free(out);
    return code;
}

int out_try(const char *path, error *e)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return 0;
    if (is_special(path, &st))
        return S_ISDIR(st.st_mode) ? refuse(path, EISDIR, e) : access(path, W_OK) ? refuse(path, errno, e) : 0;
    out_file out;
    int code = out_open(&out, path, e);
    if (!code)
        out_discard(&out);
    return code;
}

/* ---------------------------------------------------------------- ending */

/* From here on nobody removes the temporary file but this function's caller: once it is gone, or in place, another
 * writer may take its name. For the same reason it is closed, and so unlocked, last. */
static void release(out_file *out)
{
    signals_release(out->watch);
    out->watch = NULL;
}

void out_discard(out_file *out)
{
    release(out);
    if (out->stream && out->temporary)
        unlink(out->temporary);
    if (out->stream && out->stream != stdout)
        fclose(out->stream);
    out_free(out);
}

/* Makes a rename last: the folder's own entry goes to the disk. Some file systems cannot sync folders, and a folder may
 * be one that can be written and not read. */
static bool sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES;
    const bool synced = fsync(fd) == 0 || errno == EINVAL || errno == EROFS;
    close(fd);
    return synced;
}

/* Brings what was written to the disk. */
static int write_through(out_file *out, error *e)
{
    const bool written = fflush(out->stream) == 0 && !ferror(out->stream);
    if (!written || (out->temporary && fsync(fileno(out->stream)) && errno != EINVAL && errno != EROFS))
        return fail_system(e, "%s: cannot write", out->path);
    return 0;
}

/* Puts what was written in place. */
static int put_in_place(out_file *out, error *e)
{
    release(out);
    /* what was discarded has no stream and does not come here NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    if (rename(out->temporary, out->target))
        return fail_system(e, "%s: cannot put the finished file in place", out->path);
    free(out->temporary);
    out->temporary = NULL;
    return sync_folder(out->target) ? 0 : fail_system(e, "%s: is in place, but its folder cannot be synced", out->path);
}

/* After write_through. */
static int finish(out_file *out, error *e)
{
    int code = out->temporary ? put_in_place(out, e) : 0;
    if (!code && out->stream != stdout && !out->target) { /* closing a device or a pipe can fail */
        code = fclose(out->stream) ? fail_system(e, "%s: cannot write", out->path) : 0;
        out->stream = NULL;
    }
    out_discard(out);
    return code;
}

int out_commit(out_file *out, error *e)
{
    int code = write_through(out, e);
    if (!code)
        return finish(out, e);
    out_discard(out);
    return code;
}

static bool same_bytes(const char *a, const char *b)
{
    file_view va = {0}, vb = {0};
    bool same = !file_open(&va, a, NULL) && !file_open(&vb, b, NULL) && va.size == vb.size &&
                (va.size == 0 || memcmp(va.data, vb.data, va.size) == 0);
    file_close(&va);
    file_close(&vb);
    return same;
}

/* Whether there is more to do than to leave the file alone that is there. */
static bool changes(const out_file *out)
{
    return fflush(out->stream) || ferror(out->stream) || !out->temporary || !same_bytes(out->temporary, out->target);
}

int out_commit_set(out_file *set, size_t count, error *e)
{
    int code = 0;
    for (size_t i = 0; i < count && !code; i++)
        if (set[i].stream && !changes(&set[i]))
            out_discard(&set[i]);
        else if (set[i].stream)
            code = write_through(&set[i], e);
    signals_hold();
    for (size_t i = 0; i < count; i++)
        if (code)
            out_discard(&set[i]);
        else if (set[i].stream)
            code = finish(&set[i], e);
    signals_let_go();
    return code;
}

int out_commit_if_changed(out_file *out, bool *changed, error *e)
{
    *changed = changes(out);
    if (*changed)
        return out_commit(out, e);
    out_discard(out);
    return 0;
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
