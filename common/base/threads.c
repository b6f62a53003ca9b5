/* threads.c - see threads.h.
 *
 * parallel_for hands out items in ascending order and each that was handed out runs to its end. So the lowest item that
 * fails has always run, and the error does not depend on the number of threads.
 */
#include "base/threads.h"

#include "base/limits.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What OMP_THREAD_LIMIT says; INT_MAX: nothing. */
static int openmp_limit(void)
{
    const char *text = getenv("OMP_THREAD_LIMIT");
    char *end = NULL;
    const long limit = text ? strtol(text, &end, 10) : 0;
    return end && end[strspn(end, " ")] == '\0' && limit > 0 && limit < INT_MAX ? (int)limit : INT_MAX;
}

int threads_count(int wanted)
{
    cpu_set_t set;
    int n = wanted;
    if (n <= 0) {
        n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
        const int quota = limits_processors("");
        n = quota > 0 && quota < n ? quota : n < 1 ? 1 : n;
    }
    return n < openmp_limit() ? n : openmp_limit();
}

typedef struct loop {
    parallel_work *work;
    void *context;
    size_t count;
    atomic_size_t next;
    atomic_bool stop;
    pthread_mutex_t lock;
    size_t failed_item;
    error failure;
} loop;

typedef struct worker {
    loop *loop;
    int number;
    pthread_t thread;
} worker;

static void *loop_run(void *argument)
{
    worker *w = argument;
    loop *l = w->loop;
    while (!atomic_load(&l->stop)) {
        size_t item = atomic_fetch_add(&l->next, 1);
        if (item >= l->count)
            break;
        error e = {0};
        if (l->work(l->context, item, w->number, &e)) {
            pthread_mutex_lock(&l->lock);
            if (item < l->failed_item) {
                l->failed_item = item;
                l->failure = e;
            }
            pthread_mutex_unlock(&l->lock);
            atomic_store(&l->stop, true);
        }
    }
    return NULL;
}

int parallel_for(int threads, size_t count, parallel_work *work, void *context, error *e)
{
    loop l = {.work = work, .context = context, .count = count, .failed_item = SIZE_MAX};
    if (threads < 1)
        threads = 1;
    if ((size_t)threads > count)
        threads = count ? (int)count : 1;
    pthread_mutex_init(&l.lock, NULL);
    worker *workers = mem_zero((size_t)threads, sizeof *workers, "threads", e);
    int code = workers ? 0 : ERR_SYSTEM, started = 1;
    if (workers) {
        for (int i = 0; i < threads; i++)
            workers[i] = (worker){.loop = &l, .number = i};
        while (started < threads && !pthread_create(&workers[started].thread, NULL, loop_run, &workers[started]))
            started++; /* after a refusal fewer threads do the same work */
        loop_run(&workers[0]);
        for (int i = 1; i < started; i++)
            pthread_join(workers[i].thread, NULL);
        if (l.failed_item != SIZE_MAX)
            code = fail(e, l.failure.code, "%s", l.failure.text);
    }
    free(workers);
    pthread_mutex_destroy(&l.lock);
    return code;
}
