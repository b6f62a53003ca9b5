/* threads.h - how many threads to use, and a parallel loop for independent items (pictures, files).
 *
 * The network's kernels use OpenMP inside common/device; everything else uses this.
 */
#ifndef ONEBOX_BASE_THREADS_H
#define ONEBOX_BASE_THREADS_H

#include "base/error.h"

/* Threads to work with when `wanted` are asked for; 0: one for each processor that this process may use (its affinity
 * mask, lowered to its cgroup's quota). Never more than the variable OMP_THREAD_LIMIT says; at least 1. */
int threads_count(int wanted);

/* Calls work(context, item, worker, e) for item = 0 .. count-1, each exactly once, on `threads` threads (worker =
 * 0 .. threads-1); items are handed out in ascending order. After a failure no new item starts. The lowest item that
 * fails decides the code that is returned and the error, unless `e` holds an earlier one. threads <= 1 runs in the
 * caller. */
typedef int parallel_work(void *context, size_t item, int worker, error *e);
int parallel_for(int threads, size_t count, parallel_work *work, void *context, error *e);

#endif
