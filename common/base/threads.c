/* threads.c - see threads.h.
 *
 * A container's limit is a quota of its cgroup: processor time in each period. /proc/self/cgroup names the cgroup, and
 * files in its folder below /sys/fs/cgroup the quota: cpu.max in version 2, cpu.cfs_* in version 1. A quota holds for
 * all cgroups inside, so the least on the way up to the top counts.
 *
 * parallel_for hands out items in ascending order and each that was handed out runs to its end. So the lowest item that
 * fails has always run, and the error does not depend on the number of threads.
 */
#include "base/threads.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads up to two numbers from FOLDER/NAME. Returns how many there are. */
static int read_numbers(const char *folder, const char *name, double *first, double *second)
{
    char path[PATH_MAX];
    FILE *f = snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path ? fopen(path, "r") : NULL;
    const int count = f ? fscanf(f, "%lf %lf", first, second) : 0;
    if (f)
        fclose(f);
    return count;
}

/* The quota of one cgroup's folder, in processors; 0: none ("max" in version 2, -1 in version 1). */
static double folder_quota(const char *folder)
{
    double quota = 0, period = 0, none;
    if (read_numbers(folder, "cpu.max", &quota, &period) != 2 &&
        (read_numbers(folder, "cpu.cfs_quota_us", &quota, &none) != 1 ||
         read_numbers(folder, "cpu.cfs_period_us", &period, &none) != 1))
        return 0;
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The least quota of a cgroup and of all that it lies in. `path` is its folder below `hierarchy`; a container sees its
 * own folder as the hierarchy's top, whatever path the kernel gives. */
static double least_quota(const char *hierarchy, char *path)
{
    double least = 0;
    for (;;) {
        char folder[PATH_MAX];
        const double quota =
            snprintf(folder, sizeof folder, "%s%s", hierarchy, path) < (int)sizeof folder ? folder_quota(folder) : 0;
        if (quota > 0 && (least <= 0 || quota < least))
            least = quota;
        char *slash = strrchr(path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

int threads_quota(const char *root)
{
    char line[PATH_MAX], hierarchy[PATH_MAX];
    double least = 0;
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *f = fopen(line, "r");
    while (f && fgets(line, sizeof line, f)) { /* "NUMBER:CONTROLLER,...:/PATH"; version 2: "0::/PATH" */
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        controllers++;
        const bool cpu = strcmp(controllers, "cpu") == 0 || strncmp(controllers, "cpu,", 4) == 0;
        if (*controllers && !cpu)
            continue;
        snprintf(hierarchy, sizeof hierarchy, "%s/sys/fs/cgroup%s%s", root, cpu ? "/" : "", controllers);
        const double quota = least_quota(hierarchy, path);
        if (quota > 0 && (least <= 0 || quota < least))
            least = quota;
    }
    if (f)
        fclose(f);
    return (int)ceil(least);
}

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
        const int quota = threads_quota("");
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
