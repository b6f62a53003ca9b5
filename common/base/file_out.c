/* Writing files that are either complete or absent, see file.h.
 *
 * The bytes go to a new file beside the one that is asked for, of a random name that nobody can foresee or share, and
 * rename puts it in place. Links are followed first, so that the file that a link leads to is replaced and not the
 * link. While it is being written its name is watched (signals.h).
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
#include <sys/random.h>
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

/* "PATH.tmp.RANDOM"; of a long name only as much as leaves room for that in the 255 bytes of a name. */
static char *temporary_name(const char *path, error *e)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    enum { RANDOM = 12, ENDING = 5 + RANDOM };
    unsigned char bytes[RANDOM];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        fail_system(e, "no random numbers for a temporary name");
        return NULL;
    }
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t folder = (size_t)(name - path), keep = utf8_cut(name, strlen(name), NAME_MAX - ENDING);
    char *temporary = mem_zero(folder + keep + ENDING + 1, 1, "a file name", e);
    if (!temporary)
        return NULL;
    char *end = temporary + folder + keep;
    memcpy(temporary, path, folder + keep);
    memcpy(end, ".tmp.", 5);
    for (int i = 0; i < RANDOM; i++)
        end[5 + i] = letters[bytes[i] % 32];
    return temporary;
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

/* A new file; with the mode of the one that it will replace, if there is one. */
static int create(out_file *out, error *e)
{
    struct stat st;
    const bool replaces = stat(out->target, &st) == 0;
    if (!replaces && errno != ENOENT) /* a name that is too long, say: better now than at the rename */
        return fail_system(e, "%s: cannot create", out->path);
    out->temporary = temporary_name(out->target, e);
    out->watch = out->temporary ? signals_watch(out->temporary, NULL, 0, e) : NULL;
    if (!out->watch)
        return ERR_SYSTEM;
    int fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, replaces ? 0600 : 0666);
    if (fd < 0)
        return fail_system(e, "%s: cannot create", out->path);
    bool kept = !replaces || fchmod(fd, st.st_mode & 0777) == 0 || errno == EPERM; /* some file systems have no modes */
    out->stream = kept ? fdopen(fd, "w+b") : NULL;
    if (out->stream)
        return 0;
    int code = fail_system(e, "%s: cannot create", out->path);
    close(fd);
    unlink(out->temporary);
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
    if (fflush(out->stream) || ferror(out->stream) ||
        (out->temporary && fsync(fileno(out->stream)) && errno != EINVAL && errno != EROFS))
        code = fail_system(e, "%s: cannot write", out->path);
    if (out->stream != stdout && fclose(out->stream) && !code)
        code = fail_system(e, "%s: cannot write", out->path);
    return code;
}

int out_commit(out_file *out, error *e)
{
    int code = finish(out, e);
    if (!code && out->temporary && rename(out->temporary, out->target))
        code = fail_system(e, "%s: cannot put the finished file in place", out->path);
    if (code && out->temporary)
        unlink(out->temporary);
    out_free(out);
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

int out_commit_if_changed(out_file *out, bool *changed, error *e)
{
    *changed =
        fflush(out->stream) || ferror(out->stream) || !out->temporary || !same_bytes(out->temporary, out->target);
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
