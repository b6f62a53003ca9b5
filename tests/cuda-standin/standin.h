/* standin.h - what tests ask of the stand-in for CUDA, cuDNN and cuBLAS beside the vendor's interface.
 *
 * The stand-in runs on the host. Work is queued by stream and done when somebody waits for it, in the order
 * that streams and events give and no other. Device memory can only be touched while queued work runs: host
 * code that does, kernels that leave their memory or use freed memory, and host pointers given to kernels end
 * the program with a line on stderr and exit status STANDIN_MISUSE; so do objects that are still there at the
 * end.
 *
 * Programs under test are steered by the environment, read at the first call:
 *   STANDIN_DEVICES=N      number of devices (1); 0: there is no device
 *   STANDIN_DRIVER=N       version that the driver supports (13000); below CUDART_VERSION: driver too old
 *   STANDIN_MEMORY=BYTES   memory of the device (2 GiB)
 *   STANDIN_ORDER=lazy|eager|random[:SEED]   when queued work runs: as late as allowed (default), at once, or
 *                          some of it at every call
 *   STANDIN_FAIL=[NAME:]N  the N-th call (of the entry point NAME) fails. Without NAME, calls that release
 *                          something or give names and versions are not counted. NAME "work": the N-th piece
 *                          of queued work ends in cudaErrorLaunchFailure, which every later call returns.
 *   STANDIN_FAIL_WITH=ERROR   a cudaError_t by name; the default is memory for what allocates, else unknown
 *   STANDIN_CALLS=FILE     at the end "calls N work N leaks N peak BYTES" is written there
 */
#ifndef ONEBOX_STANDIN_H
#define ONEBOX_STANDIN_H

#include <cuda_runtime.h>

#include <stdbool.h>

enum { STANDIN_MISUSE = 97 };

typedef enum standin_order { STANDIN_LAZY, STANDIN_EAGER, STANDIN_RANDOM } standin_order;

/* A fresh device: no failure, nothing sticky, these settings. Objects still there are forgotten (and freed).
 */
void standin_reset(standin_order order, unsigned seed, size_t memory);

/* The n-th call from now fails: of entry point `name`, or of any (NULL). `error`: a cudaError_t that CUDA
 * calls return, cudaSuccess for the default. n = 0: no failure. */
void standin_fail(const char *name, long n, cudaError_t error);

/* Since standin_fail or standin_reset: calls counted, and the call or the work that failed, or NULL. */
long standin_calls(void);
const char *standin_failed(void);

/* Objects not yet released (memory, streams, handles, descriptors …), each printed to stderr if `print`. */
long standin_leaks(bool print);

/* Bytes of device memory in use, and the most since standin_reset. */
size_t standin_memory(void);
size_t standin_memory_peak(void);

/* Reads or writes device memory behind the back of all order, for tests. */
void standin_peek(const void *device, void *host, size_t bytes);
void standin_poke(void *device, const void *host, size_t bytes);

/* For kernels compiled on the host (standin_kernel.h): queues body(args, grid, block) with a copy of args. */
typedef void standin_kernel(const void *args, unsigned grid, unsigned block);
cudaError_t standin_launch(const char *name, standin_kernel *body, const void *args, size_t size, unsigned grid,
                           unsigned block, cudaStream_t stream);

#endif
