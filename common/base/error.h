/* error.h - how every function of the library reports a failure.
 *
 * A function that can fail takes an `error *` as its last argument and returns 0 or one of the codes below
 * (or NULL, when it returns an object). On failure it has written one line into error.text and left nothing
 * half made. The library never prints and never exits: the program prints error.text behind its own name and
 * exits with error.code.
 *
 * A good line names the file, the place in it, what was wrong and what to do:
 *     fail(e, ERR_INPUT, "%s:%zu: width '%s' is not a whole number", path, line, text);
 */
#ifndef ONEBOX_BASE_ERROR_H
#define ONEBOX_BASE_ERROR_H

#include <stddef.h>

/* The codes are also the exit codes of every program. */
enum {
    ERR_NONE = 0,   /* done */
    ERR_NO = 1,     /* a negative answer: a --check failed */
    ERR_USAGE = 2,  /* the command line is wrong */
    ERR_INPUT = 3,  /* an input file is missing, damaged or contradicts another */
    ERR_SYSTEM = 4, /* the system refused: memory, disk, permissions on output, device */
};

typedef struct error {
    int code;       /* one of the codes above; 0 while nothing failed */
    char text[800]; /* one line without a newline; control characters from input are shown as '?' */
} error;

/* Records a failure and returns `code`. Only the first failure is kept: later ones, met while cleaning up,
 * do not hide it. `e` may be NULL. */
int fail(error *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with ERR_SYSTEM and ": <strerror(errno)>" behind the text. */
int fail_system(error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "PATH: cannot open: <strerror(errno)>": ERR_INPUT when that says something about the path (missing, no permission, a
 * loop of links), ERR_SYSTEM when the system is at fault (too many open files, no memory, a disk that fails). */
int fail_open(error *e, const char *path);

/* fail(e, ERR_SYSTEM, …) for an allocation of `bytes` for `what` that was refused. */
int fail_memory(error *e, size_t bytes, const char *what);

/* Puts "context: " before a recorded text (so that a caller that knows the file can name it). Returns
 * e->code. */
int fail_context(error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many elements an array has (not a pointer). */
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* calloc(count, size) with a checked product. NULL with e set when memory is refused; count 0 gives a block
 * of one element. The caller frees it with free(). */
void *mem_zero(size_t count, size_t size, const char *what, error *e);

/* Makes room for at least `need` elements of `size` bytes in *block (of *capacity elements), doubling.
 * Returns 0 or a code; on failure *block is unchanged. */
int mem_grow(void *block, size_t *capacity, size_t need, size_t size, const char *what, error *e);

/* memory aligned for vector loads (64 bytes; huge pages asked for from 4 MiB on), zero-filled. free() it. */
void *mem_aligned(size_t bytes, const char *what, error *e);

/* The same without the zeros, for memory that will be written in full. */
void *mem_room(size_t bytes, const char *what, error *e);

#endif
