/* openmp_seen.c - shows ThreadSanitizer where OpenMP's threads wait for each other: `make analyze`.
 *
 * gcc's OpenMP library is not instrumented and its threads meet by system calls that ThreadSanitizer does not know, so
 * that whatever one thread writes and another reads after a barrier would be reported. Programs built with TSAN=1 have
 * this file in their library and are linked with --wrap for the three calls by which threads meet: the beginning and
 * end of a parallel region, the barrier, and the end of a shared loop. Each says "what was written before is seen
 * after". The other calls of the library hand out pieces of a loop and order nothing.
 */
#include <sanitizer/tsan_interface.h>

#define UNSEEN __attribute__((no_sanitize("thread")))

typedef struct region {
    void (*body)(void *);
    void *data;
} region;

static char begins, meets, ends; /* their addresses stand for the three ways to wait */

void __real_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
void __real_GOMP_barrier(void);
void __real_GOMP_loop_end(void);
void __wrap_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
void __wrap_GOMP_barrier(void);
void __wrap_GOMP_loop_end(void);

UNSEEN static void run(void *context)
{
    const region *r = context;
    __tsan_acquire(&begins);
    r->body(r->data);
    __tsan_release(&ends);
}

UNSEEN void __wrap_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags)
{
    region r = {body, data};
    __tsan_release(&begins);
    __real_GOMP_parallel(run, &r, threads, flags);
    __tsan_acquire(&ends);
}

UNSEEN void __wrap_GOMP_barrier(void)
{
    __tsan_release(&meets);
    __real_GOMP_barrier();
    __tsan_acquire(&meets);
}

UNSEEN void __wrap_GOMP_loop_end(void)
{
    __tsan_release(&meets);
    __real_GOMP_loop_end();
    __tsan_acquire(&meets);
}
