/* core.h - what the parts of the stand-in share: counting and failing calls, living objects, device memory,
 * queued work. */
#ifndef ONEBOX_STANDIN_CORE_H
#define ONEBOX_STANDIN_CORE_H

#include "standin.h"

#include <cuda_runtime.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STANDIN_DEFAULT_MEMORY ((size_t)2 << 30)

/* ---------------------------------------------------------------- calls (core.c) */

typedef enum call_kind {
    CALL_PLAIN,
    CALL_ALLOCATES, /* its injected failure is one of memory */
    CALL_RELEASES,  /* releases something: done even when it returns an error, not counted */
    CALL_ASKS,      /* names, versions, last errors: never fails */
} call_kind;

/* Every entry point begins with this. cudaSuccess, or the error with which it ends: injected (for this call
 * only, or for ever when sticky), or left by earlier work. */
cudaError_t call_begin(const char *name, call_kind kind);

/* Records and returns an error as the runtime's last error of this thread. */
cudaError_t call_end(cudaError_t error);

/* The sticky error of the device, cudaSuccess while it works. */
cudaError_t device_error(void);
void device_break(cudaError_t error);
void last_error_get(cudaError_t *error, bool clear);
bool error_is_sticky(cudaError_t error);
int device_count(void);
int driver_version(void);
standin_order work_order(void);
unsigned work_random(void);

/* One more piece of work is about to run: true when it is the one that shall fail. */
bool work_fails(const char *name);

/* A line on stderr, and the program ends with STANDIN_MISUSE. */
void misuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* ---------------------------------------------------------------- living objects (core.c) */

/* First member of every object with a handle. */
typedef struct object {
    struct object *next, *before;
    const char *kind; /* "stream", "tensor descriptor", …; NULL once released */
    const char *call; /* that made it */
} object;

/* A zeroed object of `size` bytes. */
void *object_new(size_t size, const char *kind, const char *call);
void object_free(object *o);
/* Ends the program when `handle` is no living object of this kind. */
void object_check(const void *handle, const char *kind, const char *call);

/* ---------------------------------------------------------------- memory (memory.c) */

cudaError_t memory_allocate(void **pointer, size_t size);
cudaError_t memory_free(void *pointer);
cudaError_t pinned_allocate(void **pointer, size_t size);
cudaError_t pinned_free(void *pointer);
void memory_info(size_t *free_bytes, size_t *total);
void memory_reset(size_t total);
void memory_leaks(bool print, long *count);

typedef enum memory_place { PLACE_PAGEABLE, PLACE_PINNED, PLACE_DEVICE } memory_place;
memory_place memory_where(const void *pointer);

/* Ends the program unless the device may touch all of these bytes. */
void memory_check(const char *call, const char *what, const void *pointer, size_t bytes);
/* Looks for pageable host addresses among the words of a kernel's arguments. */
void memory_check_args(const char *kernel, const void *args, size_t size);

/* While open, device memory can be touched: work runs. Pairs nest. */
void memory_open(const char *work);
void memory_close(void);

/* ---------------------------------------------------------------- queued work (stream.c) */

typedef void work_function(void *args);

/* Queues run(copy of args) on the stream. Errors: of capture and of the handle. */
cudaError_t work_queue(cudaStream_t stream, const char *name, work_function *run, const void *args, size_t size);
/* Runs what is queued on this stream, or on all. */
cudaError_t work_finish(cudaStream_t stream);
cudaError_t work_finish_all(void);
/* At some calls, in random order: runs some work. */
void work_wander(void);
bool work_is_captured(cudaStream_t stream);
/* A call that isn't allowed while any stream is captured: ends the capture. */
cudaError_t work_forbid_capture(void);
void work_reset(void);

#endif
