/* cuda_device.c - the GPU device: which GPU and which libraries are there, handles, and arithmetic.
 *
 * The precision decides three things: how activations are stored, which products cuDNN and cuBLAS may use, and whether
 * the loss is scaled. ONEBOX_CUDA_WORKSPACE and ONEBOX_CUDA_ALGORITHMS are read here. The last lines define the one
 * symbol of onebox-cuda.so, through which the programs reach all of this.
 */
#include "device/cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cuda_close(device *base)
{
    cuda_device *d = (cuda_device *)base;
    (void)cudaSetDevice(d->number);
    if (d->cublas)
        (void)cublasDestroy(d->cublas);
    if (d->cudnn)
        (void)cudnnDestroy(d->cudnn);
    if (d->cublas_workspace)
        (void)cudaFree(d->cublas_workspace);
    for (int i = 0; i < SLICES; i++) {
        if (d->slices[i])
            (void)cudaFreeHost(d->slices[i]);
        if (d->slice_free[i])
            (void)cudaEventDestroy(d->slice_free[i]);
    }
    if (d->uploaded)
        (void)cudaEventDestroy(d->uploaded);
    if (d->stream)
        (void)cudaStreamDestroy(d->stream);
    if (d->copies)
        (void)cudaStreamDestroy(d->copies);
    (void)cudaGetLastError();
    free(d->choices);
    free(d);
}

static const device_ops cuda_ops = {
    .close = cuda_close,
    .model_create = cuda_model_create,
    .model_free = cuda_model_free,
    .upload = cuda_model_upload,
    .download = cuda_model_download,
    .reset_moments = cuda_model_reset_moments,
    .download_moments = cuda_model_download_moments,
    .upload_moments = cuda_model_upload_moments,
    .adam_step = cuda_model_adam_step,
    .plan_create = cuda_plan_create,
    .plan_free = cuda_plan_free,
    .forward = cuda_plan_forward,
    .backward = cuda_plan_backward,
};

/* cuBLAS's work area: what its documentation advises for the largest GPUs. */
enum { CUBLAS_WORKSPACE = 32 << 20, WORKSPACE_DEFAULT = 512 };

static int make_handles(cuda_device *d, error *e)
{
    const cublasMath_t math = d->compute == CUBLAS_COMPUTE_32F ? CUBLAS_PEDANTIC_MATH : CUBLAS_TF32_TENSOR_OP_MATH;
    if (CHECK_CUDA(cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking), e) ||
        CHECK_CUDA(cudaStreamCreateWithFlags(&d->copies, cudaStreamNonBlocking), e) ||
        CHECK_CUDNN(cudnnCreate(&d->cudnn), e) || CHECK_CUDNN(cudnnSetStream(d->cudnn, d->stream), e) ||
        CHECK_CUBLAS(cublasCreate(&d->cublas), e) || CHECK_CUBLAS(cublasSetStream(d->cublas, d->stream), e) ||
        cuda_allocate(&d->cublas_workspace, CUBLAS_WORKSPACE, "cuBLAS", e) ||
        /* after the stream: setting that takes the work area back */
        CHECK_CUBLAS(cublasSetWorkspace(d->cublas, d->cublas_workspace, CUBLAS_WORKSPACE), e) ||
        CHECK_CUBLAS(cublasSetMathMode(d->cublas, math), e))
        return ERR_SYSTEM;
    for (int i = 0; i < SLICES; i++)
        if (CHECK_CUDA(cudaHostAlloc(&d->slices[i], SLICE_BYTES, cudaHostAllocDefault), e) ||
            CHECK_CUDA(cudaEventCreateWithFlags(&d->slice_free[i], cudaEventDisableTiming), e))
            return ERR_SYSTEM;
    return CHECK_CUDA(cudaEventCreateWithFlags(&d->uploaded, cudaEventDisableTiming), e);
}

/* Name and arithmetic of the precision; bf16 and TF32 came with sm_80. */
static int choose_precision(cuda_device *d, precision wanted, const struct cudaDeviceProp *gpu, const char **name,
                            error *e)
{
    *d = (cuda_device){.base = d->base, .number = d->number};
    d->numbers = wanted == PRECISION_BF16 ? NUMBER_BF16 : wanted == PRECISION_FP16 ? NUMBER_FP16 : NUMBER_FLOAT;
    d->number_bytes = d->numbers == NUMBER_FLOAT ? 4 : 2;
    d->type = d->numbers == NUMBER_FLOAT  ? CUDNN_DATA_FLOAT
              : d->numbers == NUMBER_BF16 ? CUDNN_DATA_BFLOAT16
                                          : CUDNN_DATA_HALF;
    bool strict = wanted == PRECISION_FP32;
    d->compute = strict ? CUBLAS_COMPUTE_32F : CUBLAS_COMPUTE_32F_FAST_TF32;
    d->math = strict ? CUDNN_FMA_MATH : d->numbers == NUMBER_FLOAT ? CUDNN_DEFAULT_MATH : CUDNN_TENSOR_OP_MATH;
    *name = strict                      ? "fp32"
            : d->numbers == NUMBER_BF16 ? "bf16"
            : d->numbers == NUMBER_FP16 ? "fp16"
            : gpu->major < 8            ? "fp32 (no tf32 on this GPU)"
                                        : "tf32";
    if (wanted == PRECISION_BF16 && gpu->major < 8)
        return fail(e, ERR_USAGE, "precision bf16 needs a GPU of sm_80 or newer, %s is sm_%d%d; use fp16", gpu->name,
                    gpu->major, gpu->minor);
    return 0;
}

static int read_settings(cuda_device *d, error *e)
{
    const char *limit = getenv("ONEBOX_CUDA_WORKSPACE"), *how = getenv("ONEBOX_CUDA_ALGORITHMS");
    char *end = NULL;
    unsigned long long mib = limit ? strtoull(limit, &end, 10) : WORKSPACE_DEFAULT;
    if (limit && (!*limit || *end || *limit == '-' || mib > 1u << 20))
        return fail(e, ERR_USAGE, "ONEBOX_CUDA_WORKSPACE=%s is not a number of MiB up to 1048576", limit);
    d->workspace_limit = (size_t)mib << 20;
    d->find = how && strcmp(how, "find") == 0;
    if (how && !d->find && strcmp(how, "heuristics") != 0)
        return fail(e, ERR_USAGE, "ONEBOX_CUDA_ALGORITHMS=%s is neither heuristics nor find", how);
    return 0;
}

/* One digit after the point of a CUDA version, 13000 -> "13.0". */
static void version_text(int version, char text[16])
{
    snprintf(text, 16, "%d.%d", version / 1000, version % 1000 / 10);
}

static int check_versions(error *e)
{
    int driver = 0, runtime = 0;
    char a[16], b[16];
    int code = CHECK_CUDA(cudaDriverGetVersion(&driver), e);
    if (!code)
        code = CHECK_CUDA(cudaRuntimeGetVersion(&runtime), e);
    if (code)
        return code;
    version_text(driver, a);
    version_text(runtime, b);
    if (driver == 0)
        return fail(e, ERR_SYSTEM, "cuda: no GPU driver is installed here; use --device cpu");
    if (driver / 1000 < runtime / 1000)
        return fail(
            e, ERR_SYSTEM,
            "cuda: the GPU's driver knows CUDA %s, this build needs %s: install a newer driver or an older CUDA", a, b);
    if (cudnnGetVersion() / 10000 != CUDNN_MAJOR)
        return fail(e, ERR_SYSTEM, "cuda: cuDNN %zu was loaded, this build needs version %d", cudnnGetVersion(),
                    CUDNN_MAJOR);
    return 0;
}

static void describe_gpu(cuda_device *d, const struct cudaDeviceProp *gpu, const char *precision_text)
{
    size_t v = cudnnGetVersion();
    int runtime = 0;
    (void)cudaRuntimeGetVersion(&runtime);
    char text[16];
    version_text(runtime, text);
    snprintf(d->base.description, sizeof d->base.description,
             "cuda:%d: %.80s (sm_%d%d, %.1f GiB), CUDA %s, cuDNN %zu.%zu.%zu, %s%s", d->number, gpu->name, gpu->major,
             gpu->minor, cuda_gib(gpu->totalGlobalMem), text, v / 10000, v / 100 % 100, v % 100, precision_text,
             d->find ? ", algorithms by timing" : "");
}

static device *cuda_open(int number, const device_options *options, error *e)
{
    int count = 0;
    if (check_versions(e) || CHECK_CUDA(cudaGetDeviceCount(&count), e))
        return NULL;
    if (number >= count) {
        fail(e, ERR_SYSTEM, "cuda: there is no GPU number %d, %d %s found; use --device cuda:0 or cpu", number, count,
             count == 1 ? "was" : "were");
        return NULL;
    }
    cuda_device *d = mem_zero(1, sizeof *d, "the GPU device", e);
    if (!d)
        return NULL;
    d->base.ops = &cuda_ops;
    d->number = number;
    struct cudaDeviceProp gpu;
    const char *name = "";
    int code = CHECK_CUDA(cudaGetDeviceProperties(&gpu, number), e);
    if (!code)
        code = choose_precision(d, options->precision, &gpu, &name, e);
    if (!code)
        code = read_settings(d, e);
    if (!code)
        code = cuda_use(d, e);
    if (!code)
        code = make_handles(d, e);
    if (!code) {
        describe_gpu(d, &gpu, name);
        return &d->base;
    }
    cuda_close(&d->base);
    return NULL;
}

/* For --version: the GPUs, or why there is none. */
static void cuda_versions(char *text, size_t size)
{
    size_t used = strlen(text), v = cudnnGetVersion();
    int count = 0, runtime = 0;
    char version[16];
    (void)cudaRuntimeGetVersion(&runtime);
    version_text(runtime, version);
    int more =
        snprintf(text + used, size - used, "CUDA %s, cuDNN %zu.%zu.%zu\n", version, v / 10000, v / 100 % 100, v % 100);
    used += more > 0 ? (size_t)more : 0;
    error e = {0};
    if (used < size && (check_versions(&e) || CHECK_CUDA(cudaGetDeviceCount(&count), &e)))
        snprintf(text + used, size - used, "devices: no cuda (%s)\n", e.text);
    for (int i = 0; i < count && used < size; i++) {
        struct cudaDeviceProp gpu;
        if (cudaGetDeviceProperties(&gpu, i) != cudaSuccess)
            continue;
        more = snprintf(text + used, size - used, "devices: cuda:%d (%.80s, sm_%d%d, %.1f GiB)\n", i, gpu.name,
                        gpu.major, gpu.minor, cuda_gib(gpu.totalGlobalMem));
        used += more > 0 ? (size_t)more : 0;
    }
}

__attribute__((visibility("default")))
const device_library onebox_cuda_device = {.build = DEVICE_BUILD, .open = cuda_open, .versions = cuda_versions};
