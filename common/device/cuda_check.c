/* cuda_check.c - what CUDA, cuDNN and cuBLAS report, as one line: the call, its place, what was wrong and what to
 * do about it. */
#include "device/cuda.h"

#include <string.h>

static int call_failed(const char *call, const char *file, int line, const char *name, const char *text,
                       const char *hint, error *e)
{
    int length = (int)strcspn(call, "(");
    const char *base = strrchr(file, '/');
    return fail(e, ERR_SYSTEM, "cuda: %.*s failed with %s (%s) at %s:%d%s%s", length, call, name, text,
                base ? base + 1 : file, line, *hint ? ": " : "", hint);
}

static const char *cuda_hint(cudaError_t status)
{
    switch (status) {
    case cudaErrorInsufficientDriver:
        return "the GPU's driver is older than this build's CUDA; install a newer driver, or build with an older one";
    case cudaErrorNoDevice:
        return "no GPU is visible (CUDA_VISIBLE_DEVICES, driver, container without --gpus?); use --device cpu";
    case cudaErrorInvalidDevice:
        return "there is no GPU of that number";
    case cudaErrorMemoryAllocation:
        return "the GPU's memory is too small or used by others; a smaller --set batch=N needs less";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
        return "this build has no code for that GPU; build with a toolkit that knows it (sm_75 or newer)";
    case cudaErrorDevicesUnavailable:
        return "another process holds the GPU for itself";
    case cudaErrorLaunchFailure:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
        return "the GPU stopped; this or an earlier call made it (dmesg, nvidia-smi)";
    default:
        return "";
    }
}

int check_cuda(cudaError_t status, const char *call, const char *file, int line, error *e)
{
    if (status == cudaSuccess)
        return 0;
    (void)cudaGetLastError(); /* forget it, unless the device is lost */
    return call_failed(call, file, line, cudaGetErrorName(status), cudaGetErrorString(status), cuda_hint(status), e);
}

int check_cudnn(cudnnStatus_t status, const char *call, const char *file, int line, error *e)
{
    if (status == CUDNN_STATUS_SUCCESS)
        return 0;
    char text[200] = "";
    cudnnGetLastErrorString(text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    const char *hint = "";
    if (status == CUDNN_STATUS_NOT_INITIALIZED)
        hint = "cuDNN found no usable GPU or driver";
    else if (status == CUDNN_STATUS_ALLOC_FAILED || status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
        hint = "too little memory on the GPU or the host; a smaller --set batch=N needs less";
    else if (status == CUDNN_STATUS_NOT_SUPPORTED)
        hint = "this GPU or cuDNN lacks it; try --precision fp32, or --device cpu";
    else if (status == CUDNN_STATUS_EXECUTION_FAILED)
        hint = "the GPU stopped; this or an earlier call made it (dmesg, nvidia-smi)";
    return call_failed(call, file, line, cudnnGetErrorString(status), *text ? text : "cuDNN says no more", hint, e);
}

int check_cublas(cublasStatus_t status, const char *call, const char *file, int line, error *e)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    const char *hint = status == CUBLAS_STATUS_ALLOC_FAILED
                           ? "too little memory on the GPU; a smaller --set batch=N needs less"
                       : status == CUBLAS_STATUS_EXECUTION_FAILED
                           ? "the GPU stopped; this or an earlier call made it (dmesg, nvidia-smi)"
                           : "";
    return call_failed(call, file, line, cublasGetStatusString(status), "cuBLAS says no more", hint, e);
}

int cuda_use(const cuda_device *d, error *e)
{
    return CHECK_CUDA(cudaSetDevice(d->number), e);
}
