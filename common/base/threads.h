/* threads.h - how many threads to use, and a parallel loop for independent items (pictures, files).
 *
 * The network's kernels use OpenMP inside common/device; everything else uses this.
 */
#ifndef ONEBOX_BASE_THREADS_H
#define ONEBOX_BASE_THREADS_H

#include "base/error.h"

/* Processors this process may use: the affinity mask, lowered to the cgroup's quota (rounded up). At least 1.
 */
int threads_available(void);

/* Calls work(context, item, worker) for item = 0 .. count-1, each exactly once, on `threads` threads (worker
 * = 0 .. threads-1); items are handed out in ascending order. The first item to fail (the lowest-numbered
 * among those that ran) decides the error; no new items start after a failure. threads <= 1 runs in the
 * caller. */
typedef int parallel_work(void *context, size_t item, int worker, error *e);
int parallel_for(int threads, size_t count, parallel_work *work, void *context, error *e);

#endif
