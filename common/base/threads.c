#include "base/threads.h"

#include <pthread.h>
#include <stdbool.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Quota of the cgroup in processors, or 0 when there is none. */
static int cgroup_quota(void)
{
    double quota = -1, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (f) {
        if (fscanf(f, "%lf %lf", &quota, &period) != 2)
            quota = -1; /* "max" */
        fclose(f);
    } else {
        f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
        FILE *g = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
        if (!f || !g || fscanf(f, "%lf", &quota) != 1 || fscanf(g, "%lf", &period) != 1)
            quota = -1;
        if (f)
            fclose(f);
        if (g)
            fclose(g);
    }
    if (quota <= 0 || period <= 0)
        return 0;
    int n = (int)(quota / period + 0.999);
    return n < 1 ? 1 : n;
}

int threads_available(void)
{
    cpu_set_t set;
    int n =
        sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int quota = cgroup_quota();
    if (quota && quota < n)
        n = quota;
    return n < 1 ? 1 : n;
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
} worker;

static void *run(void *argument)
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
    pthread_t *ids = mem_zero((size_t)threads, sizeof *ids, "threads", e);
    int started = 0;
    if (workers && ids) {
        for (int i = 0; i < threads; i++)
            workers[i] = (worker){&l, i};
        for (int i = 1; i < threads; i++, started++)
            if (pthread_create(&ids[i], NULL, run, &workers[i]))
                break; /* fewer threads do the same work */
        run(&workers[0]);
        for (int i = 1; i <= started; i++)
            pthread_join(ids[i], NULL);
        if (l.failed_item != SIZE_MAX && e)
            *e = l.failure;
    }
    int code = !workers || !ids ? ERR_SYSTEM : l.failed_item != SIZE_MAX ? l.failure.code : 0;
    free(workers);
    free(ids);
    pthread_mutex_destroy(&l.lock);
    return code;
}
