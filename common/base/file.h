/* file.h - reading whole files and writing files that are either complete or absent.
 *
 * Writing: out_open makes a temporary file beside PATH (PATH.tmp.N), the caller prints into out.stream, and out_commit
 * flushes, syncs, renames it over PATH and syncs the folder. Until then PATH is untouched; after a failure, out_discard
 * or a signal (signals.h) the temporary file is gone. One that a killed program left behind is removed by the next
 * writer of PATH; several writers of one PATH do not meet, and the last one to finish wins. A file that is replaced
 * keeps its mode; of a PATH that is a link, the file behind it is replaced. "-" writes to standard output.
 * A PATH that is there and no regular file (/dev/null, a named pipe) is written directly: renaming over it
 * would put a plain file in its place. A PATH that stands for a regular file that is open (/dev/fd/3) is ERR_USAGE:
 * whoever opened it would not see what was written.
 */
#ifndef ONEBOX_BASE_FILE_H
#define ONEBOX_BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A whole file in memory, mapped when that is possible. `data` is not NUL-terminated. A mapped file that becomes
 * shorter while it is read ends the program with a line that names it (signals.h). */
typedef struct file_view {
    const char *path; /* as given (not copied); "standard input" for "-" */
    const char *data;
    size_t size;
    struct signals_watch *watch; /* of a mapping; NULL: the file was read */
} file_view;

/* Opens `path` for reading ("-" reads all of standard input). A directory, a missing file and an unreadable one are
 * ERR_INPUT, what the system refuses (fail_open) is ERR_SYSTEM. file_close releases the data. */
int file_open(file_view *view, const char *path, error *e);

/* The same for one of many small files, such as a picture: read, not mapped, so that a file that is cut short meanwhile
 * is a short file and not a signal; a pipe, a device and a file of more than `max` bytes are ERR_INPUT. */
int file_read(file_view *view, const char *path, size_t max, error *e);

/* The same for the first up to `most` bytes of a regular file of any size; *whole: how many bytes it has. */
int file_read_head(file_view *view, const char *path, size_t most, uint64_t *whole, error *e);
void file_close(file_view *view);

/* Calls `take` for each line of an open file (text_line), numbered from 1, until it returns a code; the place,
 * "PATH:3", is put before what it said. A table must have a line, and the last one must end: ERR_INPUT otherwise. */
typedef int file_taker(void *context, size_t number, const char *line, size_t size, error *e);
int file_lines(const file_view *view, bool table, file_taker *take, void *context, error *e);

typedef struct out_file {
    FILE *stream;    /* print here; a temporary file may be read back too */
    char *path;      /* as given */
    char *target;    /* the name behind links */
    char *temporary; /* the file that is being written; this and target are NULL for "-", devices and pipes */
    struct signals_watch *watch;
} out_file;

/* Ownership of `out` stays with the caller; every successful out_open is followed by out_commit or
 * out_discard. */
int out_open(out_file *out, const char *path, error *e);

/* Ends the writing. On failure (a full disk is noticed here) the temporary file is removed and PATH is as it was. */
int out_commit(out_file *out, error *e);

/* The same, but a PATH that already holds the same bytes is left alone, with its time; *changed tells. */
int out_commit_if_changed(out_file *out, bool *changed, error *e);

/* Ends the writing of files that belong together: each is on the disk before the first is put in place, and signals
 * wait until the last one is. Those that hold the same bytes already are left alone; one without a stream is passed
 * over. */
int out_commit_set(out_file *set, size_t count, error *e);

/* Gives the writing up. Safe after a failed or finished out_file (zeroed). */
void out_discard(out_file *out);

/* Finds out, before long work, whether path can be written. A device or a pipe is not opened: its reader would see the
 * end. */
int out_try(const char *path, error *e);

/* All in one: writes `size` bytes to path. */
int file_write(const char *path, const void *data, size_t size, error *e);

/* ---- what is being written: a temporary file or folder is locked by its writer, so that others can tell it from one
 * that was left behind. The lock ends with the process, or when the descriptor is closed */

/* Locks an open file or folder, unless somebody else has it. FILE_NO_LOCKS: there are none here (some network file
 * systems), and what lies there may be somebody's. */
enum { FILE_LOCKED, FILE_TAKEN, FILE_NO_LOCKS };
int file_lock(int fd);

/* Whether `name` is still that open file or folder. */
bool file_is(const char *name, int fd);

/* ---- names of files */

/* "DIR/NAME"; NAME alone for an empty DIR, and no second '/' behind one that ends in '/'. The caller frees it. */
char *path_join(const char *dir, const char *name, error *e);

/* True when both are there and are the same file, whatever their names (links, "./"). */
bool file_same(const char *a, const char *b);

/* A file that a program reads or writes. */
typedef struct file_use {
    const char *what; /* who uses it, for the error line: "the history", or an option's name without its dashes */
    const char *path;
    bool written;
    bool option; /* `what` is an option's name */
} file_use;

/* ERR_USAGE when one that is written is also read, or written twice: the same file by device and inode, or the same
 * name in the same folder when it is not there yet. Devices and pipes may be named twice, "-" once for each
 * direction. */
int files_apart(const file_use *files, size_t count, error *e);

#endif
