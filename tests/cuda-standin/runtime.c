/* runtime.c - the CUDA runtime's entry points about devices, memory, copies, kernels and errors. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cudaError_t check_device(int device)
{
    if (device_count() == 0)
        return cudaErrorNoDevice;
    return device < 0 || device >= device_count() ? cudaErrorInvalidDevice : cudaSuccess;
}

/* ---------------------------------------------------------------- devices */

cudaError_t cudaDriverGetVersion(int *version)
{
    cudaError_t error = call_begin("cudaDriverGetVersion", CALL_ASKS);
    if (!error)
        *version = driver_version();
    return call_end(error);
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    cudaError_t error = call_begin("cudaRuntimeGetVersion", CALL_ASKS);
    if (!error)
        *version = CUDART_VERSION;
    return call_end(error);
}

cudaError_t cudaGetDeviceCount(int *count)
{
    cudaError_t error = call_begin("cudaGetDeviceCount", CALL_PLAIN);
    if (!error && driver_version() < CUDART_VERSION)
        error = cudaErrorInsufficientDriver;
    if (!error && device_count() == 0)
        error = cudaErrorNoDevice;
    *count = error ? 0 : device_count();
    return call_end(error);
}

static int current_device;

cudaError_t cudaSetDevice(int device)
{
    cudaError_t error = call_begin("cudaSetDevice", CALL_PLAIN);
    if (!error)
        error = check_device(device);
    if (!error)
        current_device = device;
    return call_end(error);
}

cudaError_t cudaGetDevice(int *device)
{
    cudaError_t error = call_begin("cudaGetDevice", CALL_PLAIN);
    if (!error)
        *device = current_device;
    return call_end(error);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    cudaError_t error = call_begin("cudaGetDeviceProperties", CALL_PLAIN);
    if (!error)
        error = check_device(device);
    if (error)
        return call_end(error);
    size_t unused;
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "stand-in");
    memory_info(&unused, &properties->totalGlobalMem);
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->major = 8;
    properties->multiProcessorCount = 4;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    cudaError_t error = call_begin("cudaDeviceGetAttribute", CALL_PLAIN);
    if (!error)
        error = check_device(device);
    if (error)
        return call_end(error);
    switch ((int)attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
        *value = 1024;
        break;
    case cudaDevAttrMultiProcessorCount:
        *value = 4;
        break;
    case cudaDevAttrComputeCapabilityMajor:
        *value = 8;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = 0;
        break;
    default:
        return call_end(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

/* ---------------------------------------------------------------- memory */

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    cudaError_t error = call_begin("cudaMemGetInfo", CALL_PLAIN);
    if (!error && device_count() == 0)
        error = cudaErrorNoDevice;
    if (!error)
        memory_info(free_bytes, total);
    return call_end(error);
}

cudaError_t cudaMalloc(void **pointer, size_t size)
{
    cudaError_t error = call_begin("cudaMalloc", CALL_ALLOCATES);
    if (!error)
        error = !pointer ? cudaErrorInvalidValue : device_count() == 0 ? cudaErrorNoDevice : work_forbid_capture();
    return call_end(error ? error : memory_allocate(pointer, size));
}

/* Waits for the device first, as the vendor's does. */
cudaError_t cudaFree(void *pointer)
{
    cudaError_t error = call_begin("cudaFree", CALL_RELEASES), left;
    if (!error)
        error = work_forbid_capture();
    left = work_finish_all();
    cudaError_t freed = memory_free(pointer);
    return call_end(error ? error : left ? left : freed);
}

cudaError_t cudaHostAlloc(void **pointer, size_t size, unsigned int flags)
{
    cudaError_t error = call_begin("cudaHostAlloc", CALL_ALLOCATES);
    if (!error && (!pointer || flags > (cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined)))
        error = cudaErrorInvalidValue;
    if (!error)
        error = work_forbid_capture();
    return call_end(error ? error : pinned_allocate(pointer, size));
}

cudaError_t cudaFreeHost(void *pointer)
{
    cudaError_t error = call_begin("cudaFreeHost", CALL_RELEASES), left = work_finish_all();
    cudaError_t freed = pinned_free(pointer);
    return call_end(error ? error : left ? left : freed);
}

/* ---------------------------------------------------------------- copies */

typedef struct copy_args {
    void *to;
    const void *from; /* NULL: from the bytes behind, what a pageable source held when the copy was asked for */
    size_t count;
    int value;
    max_align_t staged[];
} copy_args;

static void run_copy(void *args)
{
    const copy_args *a = args;
    memcpy(a->to, a->from ? a->from : a->staged, a->count);
}

static void run_set(void *args)
{
    const copy_args *a = args;
    memset(a->to, a->value, a->count);
}

static bool direction_fits(enum cudaMemcpyKind kind, memory_place to, memory_place from)
{
    bool to_device = to == PLACE_DEVICE, from_device = from == PLACE_DEVICE;
    switch (kind) {
    case cudaMemcpyHostToHost:
        return !to_device && !from_device;
    case cudaMemcpyHostToDevice:
        return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
        return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
        return to_device && from_device;
    case cudaMemcpyDefault:
        return true;
    }
    return false;
}

/* From pageable memory: the bytes are taken at once, and arrive in stream order. To pageable memory: done
 * when the call returns. Between the device and pinned memory, and on the device: when the stream gets there.
 */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t count, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    static const char name[] = "cudaMemcpyAsync";
    cudaError_t error = call_begin(name, CALL_PLAIN);
    if (error || count == 0)
        return call_end(error);
    memory_place source = memory_where(from), target = memory_where(to);
    if (!to || !from || !direction_fits(kind, target, source))
        return call_end(cudaErrorInvalidValue);
    if (target != PLACE_PAGEABLE)
        memory_check(name, "the target", to, count);
    if (source != PLACE_PAGEABLE)
        memory_check(name, "the source", from, count);
    const char *a = to, *b = from;
    if (a < b + count && b < a + count)
        misuse("cudaMemcpyAsync: source and target overlap");
    bool captured = work_is_captured(stream), staging = source == PLACE_PAGEABLE && !captured;
    size_t whole = sizeof(copy_args) + (staging ? count : 0);
    copy_args *args = malloc(whole);
    if (!args)
        misuse("no memory to stage %zu bytes", count);
    *args = (copy_args){.to = to, .from = staging ? NULL : from, .count = count};
    if (staging)
        memcpy(args->staged, from, count);
    error = work_queue(stream, name, run_copy, args, whole);
    free(args);
    if (error)
        return call_end(error);
    if (target == PLACE_PAGEABLE && !captured)
        error = work_finish(stream);
    return call_end(error);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t count, cudaStream_t stream)
{
    cudaError_t error = call_begin("cudaMemsetAsync", CALL_PLAIN);
    if (error || count == 0)
        return call_end(error);
    if (!to || memory_where(to) == PLACE_PAGEABLE)
        return call_end(cudaErrorInvalidValue);
    memory_check("cudaMemsetAsync", "the target", to, count);
    const copy_args args = {.to = to, .value = value, .count = count};
    return call_end(work_queue(stream, "cudaMemsetAsync", run_set, &args, sizeof args));
}

/* ---------------------------------------------------------------- kernels */

typedef struct launch_args {
    standin_kernel *body;
    unsigned grid, block;
    max_align_t args[]; /* the kernel's own */
} launch_args;

static void run_kernel(void *args)
{
    const launch_args *a = args;
    a->body(a->args, a->grid, a->block);
}

cudaError_t standin_launch(const char *name, standin_kernel *body, const void *args, size_t size, unsigned grid,
                           unsigned block, cudaStream_t stream)
{
    cudaError_t error = call_begin("cudaLaunchKernel", CALL_PLAIN);
    if (error)
        return call_end(error);
    if (grid == 0 || grid > 0x7fffffffu || block == 0 || block > 1024)
        return call_end(cudaErrorInvalidConfiguration);
    memory_check_args(name, args, size);
    size_t whole = sizeof(launch_args) + size;
    launch_args *a = malloc(whole);
    if (!a)
        misuse("no memory for the arguments of %s", name);
    *a = (launch_args){.body = body, .grid = grid, .block = block};
    memcpy(a->args, args, size);
    error = work_queue(stream, name, run_kernel, a, whole);
    free(a);
    return call_end(error);
}

/* ---------------------------------------------------------------- errors */

cudaError_t cudaGetLastError(void)
{
    cudaError_t error;
    call_begin("cudaGetLastError", CALL_ASKS);
    last_error_get(&error, true);
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    cudaError_t error;
    call_begin("cudaPeekAtLastError", CALL_ASKS);
    last_error_get(&error, false);
    return error;
}

static const struct {
    cudaError_t error;
    const char *name, *text;
} texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable", "CUDA-capable device(s) is/are busy or unavailable"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState", "the operation cannot be performed in the present state"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched", "the capture did not begin on this stream"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const char *cudaGetErrorName(cudaError_t error)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error)
            return texts[i].name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error)
            return texts[i].text;
    return "unrecognized error code";
}
