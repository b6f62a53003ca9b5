/* cublas.c - matrix products of cuBLAS. */
#include "core.h"
#include "gemm.h"
#include "number.h"

#include <cublas_v2.h>
#include <stdlib.h>

struct cublasContext {
    object object;
    cudaStream_t stream;
    cublasMath_t math;
};

static cublasStatus_t status_from(cudaError_t error)
{
    return error == cudaSuccess                                                 ? CUBLAS_STATUS_SUCCESS
           : error == cudaErrorMemoryAllocation                                 ? CUBLAS_STATUS_ALLOC_FAILED
           : error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver ? CUBLAS_STATUS_NOT_INITIALIZED
                                                                                : CUBLAS_STATUS_EXECUTION_FAILED;
}

static cublasStatus_t begin(const char *name, call_kind kind)
{
    return status_from(call_begin(name, kind));
}

static const char *name_of(cublasStatus_t status)
{
    switch ((int)status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
        return "CUBLAS_STATUS_UNKNOWN";
    }
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    call_begin("cublasGetStatusString", CALL_ASKS);
    return name_of(status);
}

const char *cublasGetStatusName(cublasStatus_t status)
{
    call_begin("cublasGetStatusName", CALL_ASKS);
    return name_of(status);
}

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    cublasStatus_t status = begin("cublasCreate", CALL_ALLOCATES);
    if (!status && driver_version() < CUDART_VERSION)
        status = CUBLAS_STATUS_NOT_INITIALIZED;
    if (!status && device_count() == 0)
        status = CUBLAS_STATUS_NOT_INITIALIZED;
    if (!status)
        *handle = object_new(sizeof **handle, "cuBLAS handle", "cublasCreate");
    return status;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    cublasStatus_t status = begin("cublasDestroy", CALL_RELEASES);
    object_check(handle, "cuBLAS handle", "cublasDestroy");
    work_finish_all();
    object_free(&handle->object);
    return status;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int *version)
{
    cublasStatus_t status = begin("cublasGetVersion", CALL_ASKS);
    object_check(handle, "cuBLAS handle", "cublasGetVersion");
    if (!status)
        *version = 130100;
    return status;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    cublasStatus_t status = begin("cublasSetStream", CALL_PLAIN);
    object_check(handle, "cuBLAS handle", "cublasSetStream");
    if (stream)
        object_check(stream, "stream", "cublasSetStream");
    if (!status)
        handle->stream = stream;
    return status;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes)
{
    cublasStatus_t status = begin("cublasSetWorkspace", CALL_PLAIN);
    object_check(handle, "cuBLAS handle", "cublasSetWorkspace");
    if (status)
        return status;
    if ((uintptr_t)workspace % 256)
        return CUBLAS_STATUS_INVALID_VALUE;
    memory_check("cublasSetWorkspace", "the workspace", workspace, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    cublasStatus_t status = begin("cublasSetMathMode", CALL_PLAIN);
    object_check(handle, "cuBLAS handle", "cublasSetMathMode");
    if (!status)
        handle->math = mode;
    return status;
}

/* ---------------------------------------------------------------- products */

typedef struct product {
    bool turn_a, turn_b; /* transposed */
    size_t m, n, k, lda, ldb, ldc;
    const void *a, *b;
    void *c;
    cudaDataType type, c_type;
    float alpha, beta;
    bool tf32;
} product;

static size_t bytes_of(cudaDataType type)
{
    return type == CUDA_R_32F ? 4 : 2;
}

static float element(cudaDataType type, const void *data, size_t i)
{
    if (type == CUDA_R_32F)
        return ((const float *)data)[i];
    uint16_t h = ((const uint16_t *)data)[i];
    return type == CUDA_R_16F ? fp16_value(h) : bf16_value(h);
}

static void run_product(void *args)
{
    const product *p = args;
    float *a = malloc(p->m * p->k * sizeof *a), *b = malloc(p->k * p->n * sizeof *b),
          *c = malloc(p->m * p->n * sizeof *c);
    if (!a || !b || !c)
        misuse("no memory for a product");
    for (size_t i = 0; i < p->m; i++) /* a[m][k], b[k][n], c[m][n] by rows; the matrices lie by columns */
        for (size_t j = 0; j < p->k; j++) {
            float x = element(p->type, p->a, p->turn_a ? j + i * p->lda : i + j * p->lda);
            a[i * p->k + j] = p->tf32 ? round_tf32(x) : x;
        }
    for (size_t i = 0; i < p->k; i++)
        for (size_t j = 0; j < p->n; j++) {
            float x = element(p->type, p->b, p->turn_b ? j + i * p->ldb : i + j * p->ldb);
            b[i * p->n + j] = p->tf32 ? round_tf32(x) : x;
        }
    gemm(p->m, p->n, p->k, a, p->k, 1, b, c);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            size_t at = i + j * p->ldc;
            float value = p->alpha * c[i * p->n + j];
            if (p->beta != 0)
                value += p->beta * element(p->c_type, p->c, at);
            if (p->c_type == CUDA_R_32F)
                ((float *)p->c)[at] = value;
            else
                ((uint16_t *)p->c)[at] = p->c_type == CUDA_R_16F ? fp16_of(value) : bf16_of(value);
        }
    free(a);
    free(b);
    free(c);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                            int k, const void *alpha, const void *A, cudaDataType a_type, int lda, const void *B,
                            cudaDataType b_type, int ldb, const void *beta, void *C, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algo)
{
    static const char name[] = "cublasGemmEx";
    (void)algo;
    cublasStatus_t status = begin(name, CALL_PLAIN);
    object_check(handle, "cuBLAS handle", name);
    if (status)
        return status;
    if (m < 0 || n < 0 || k < 0 || !alpha || !beta || (transa != CUBLAS_OP_N && transa != CUBLAS_OP_T) ||
        (transb != CUBLAS_OP_N && transb != CUBLAS_OP_T))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (m == 0 || n == 0)
        return CUBLAS_STATUS_SUCCESS;
    bool turn_a = transa == CUBLAS_OP_T, turn_b = transb == CUBLAS_OP_T;
    if (lda < (turn_a ? k : m) || ldb < (turn_b ? n : k) || ldc < m || lda < 1 || ldb < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (a_type != b_type || (a_type != CUDA_R_32F && a_type != CUDA_R_16F && a_type != CUDA_R_16BF) ||
        (c_type != CUDA_R_32F && c_type != a_type) ||
        (compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_PEDANTIC &&
         compute != CUBLAS_COMPUTE_32F_FAST_TF32))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (memory_where(alpha) == PLACE_DEVICE || memory_where(beta) == PLACE_DEVICE)
        misuse("cublasGemmEx: alpha and beta must lie in host memory");
    const product p = {.turn_a = turn_a,
                       .turn_b = turn_b,
                       .m = (size_t)m,
                       .n = (size_t)n,
                       .k = (size_t)k,
                       .lda = (size_t)lda,
                       .ldb = (size_t)ldb,
                       .ldc = (size_t)ldc,
                       .a = A,
                       .b = B,
                       .c = C,
                       .type = a_type,
                       .c_type = c_type,
                       .alpha = *(const float *)alpha,
                       .beta = *(const float *)beta,
                       .tf32 = a_type == CUDA_R_32F &&
                               (compute == CUBLAS_COMPUTE_32F_FAST_TF32 ||
                                (compute == CUBLAS_COMPUTE_32F && (handle->math & 15) == CUBLAS_TF32_TENSOR_OP_MATH))};
    size_t a_rows = (size_t)(turn_a ? k : m), a_columns = (size_t)(turn_a ? m : k), b_rows = (size_t)(turn_b ? n : k),
           b_columns = (size_t)(turn_b ? k : n);
    if (k > 0) {
        memory_check(name, "A", A, ((a_columns - 1) * p.lda + a_rows) * bytes_of(a_type));
        memory_check(name, "B", B, ((b_columns - 1) * p.ldb + b_rows) * bytes_of(b_type));
    }
    memory_check(name, "C", C, ((p.n - 1) * p.ldc + p.m) * bytes_of(c_type));
    return status_from(work_queue(handle->stream, name, run_product, &p, sizeof p));
}
