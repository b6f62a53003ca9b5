/* The stand-in for the CUDA runtime keeps the rules that it is there to enforce: whose memory is whose, what
 * is done when, which errors stay, what is still there at the end. */
#include <cuda_runtime.h>

#include "standin.h"
#include "test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct add_args {
    float *to;
    const float *from;
    int count, by;
} add_args;

/* to[i] = from[i] + by */
static void add(const void *args, unsigned grid, unsigned block)
{
    const add_args *a = args;
    for (unsigned i = 0; i < grid * block; i++)
        if (i < (unsigned)a->count)
            a->to[i] = a->from[i] + (float)a->by;
}

static cudaError_t launch(float *to, const float *from, int count, int by, cudaStream_t stream)
{
    const add_args a = {to, from, count, by};
    return standin_launch("add", add, &a, sizeof a, (unsigned)(count + 63) / 64, 64, stream);
}

static float *device_floats(size_t count)
{
    void *p = NULL;
    CHECK(cudaMalloc(&p, count * sizeof(float)) == cudaSuccess, "no memory");
    return p;
}

static float *pinned_floats(size_t count)
{
    void *p = NULL;
    CHECK(cudaHostAlloc(&p, count * sizeof(float), 0) == cudaSuccess, "no memory");
    return p;
}

static cudaStream_t new_stream(void)
{
    cudaStream_t s = NULL;
    CHECK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking) == cudaSuccess, "no stream");
    return s;
}

static cudaEvent_t new_event(void)
{
    cudaEvent_t e = NULL;
    CHECK(cudaEventCreateWithFlags(&e, cudaEventDisableTiming) == cudaSuccess, "no event");
    return e;
}

static void test_order(void)
{
    enum { N = 1000 };
    TEST("copies to and from pinned memory happen when the stream gets there, not before")
    {
        standin_reset(STANDIN_LAZY, 0, 0);
        cudaStream_t s = new_stream();
        float *d = device_floats(N), *h = pinned_floats(N), *back = pinned_floats(N);
        h[0] = 1;
        back[0] = 0;
        cudaMemcpyAsync(d, h, N * sizeof(float), cudaMemcpyHostToDevice, s);
        cudaMemcpyAsync(back, d, N * sizeof(float), cudaMemcpyDeviceToHost, s);
        h[0] = 2; /* a program that does this has a bug: the copy may take the new value */
        CHECK(back[0] == 0, "the copy happened at once");
        CHECK(cudaStreamSynchronize(s) == cudaSuccess && back[0] == 2, "%g", (double)back[0]);
        cudaFree(d);
        cudaFreeHost(h);
        cudaFreeHost(back);
        cudaStreamDestroy(s);
        CHECK(standin_leaks(true) == 0, "leaks");
    }
    TEST("copies from pageable memory take the bytes at once, copies to it are done on return")
    {
        standin_reset(STANDIN_LAZY, 0, 0);
        cudaStream_t s = new_stream();
        float *d = device_floats(N), h[N] = {1}, back[N] = {0};
        cudaMemcpyAsync(d, h, sizeof h, cudaMemcpyHostToDevice, s);
        h[0] = 2;
        launch(d, d, N, 10, s);
        cudaMemcpyAsync(back, d, sizeof back, cudaMemcpyDeviceToHost, s);
        CHECK(back[0] == 11, "%g", (double)back[0]);
        cudaFree(d);
        cudaStreamDestroy(s);
    }
    TEST("work of two streams has no order without an event, and the event's with one")
    {
        for (int with = 0; with < 2; with++) {
            standin_reset(STANDIN_LAZY, 0, 0);
            cudaStream_t s = new_stream(), t = new_stream();
            cudaEvent_t e = new_event();
            float *d = device_floats(N), *f = device_floats(N), *h = pinned_floats(N), zeros[N] = {0};
            cudaMemcpyAsync(d, zeros, sizeof zeros, cudaMemcpyHostToDevice, s);
            cudaStreamSynchronize(s);
            launch(d, d, N, 5, s);
            cudaEventRecord(e, s);
            if (with)
                cudaStreamWaitEvent(t, e, 0);
            launch(f, d, N, 1, t);
            launch(d, d, N, 100, s); /* after the event: t need not see it */
            cudaMemcpyAsync(h, f, N * sizeof(float), cudaMemcpyDeviceToHost, t);
            CHECK(cudaStreamSynchronize(t) == cudaSuccess, "failed");
            CHECK(h[7] == (with ? 6.0f : 1.0f), "%d: %g", with, (double)h[7]);
            cudaFree(d);
            cudaFree(f);
            cudaFreeHost(h);
            cudaEventDestroy(e);
            cudaStreamDestroy(s);
            cudaStreamDestroy(t);
        }
    }
    TEST("in random order a stream's work still comes one after the other")
    {
        for (unsigned seed = 1; seed < 20; seed++) {
            standin_reset(STANDIN_RANDOM, seed, 0);
            cudaStream_t s = new_stream(), t = new_stream();
            cudaEvent_t e = new_event();
            float *d = device_floats(N), *h = pinned_floats(N), zeros[N] = {0};
            cudaMemcpyAsync(d, zeros, sizeof zeros, cudaMemcpyHostToDevice, s);
            for (int i = 1; i <= 20; i++) {
                launch(d, d, N, i, i % 2 ? s : t);
                cudaEventRecord(e, i % 2 ? s : t);
                cudaStreamWaitEvent(i % 2 ? t : s, e, 0);
            }
            cudaMemcpyAsync(h, d, N * sizeof(float), cudaMemcpyDeviceToHost, t);
            CHECK(cudaEventSynchronize(e) == cudaSuccess, "failed");
            cudaStreamSynchronize(t);
            CHECK(h[N - 1] == 210, "%g", (double)h[N - 1]);
            cudaFree(d);
            cudaFreeHost(h);
            cudaEventDestroy(e);
            cudaStreamDestroy(s);
            cudaStreamDestroy(t);
        }
    }
    TEST("elapsed time needs events that were recorded, reached and made for it")
    {
        standin_reset(STANDIN_LAZY, 0, 0);
        cudaStream_t s = new_stream();
        cudaEvent_t a = NULL, b = NULL;
        float *d = device_floats(N), zeros[N] = {0}, ms = -1;
        cudaEventCreateWithFlags(&a, cudaEventDefault);
        cudaEventCreateWithFlags(&b, cudaEventDefault);
        CHECK(cudaEventElapsedTime(&ms, a, b) == cudaErrorInvalidResourceHandle, "not recorded");
        cudaEventRecord(a, s);
        cudaMemcpyAsync(d, zeros, sizeof zeros, cudaMemcpyHostToDevice, s);
        cudaEventRecord(b, s);
        CHECK(cudaEventElapsedTime(&ms, a, b) == cudaErrorNotReady, "not reached");
        cudaEventSynchronize(b);
        CHECK(cudaEventElapsedTime(&ms, a, b) == cudaSuccess && ms >= 0, "%g", (double)ms);
        cudaFree(d);
        cudaEventDestroy(a);
        cudaEventDestroy(b);
        cudaStreamDestroy(s);
        CHECK(standin_leaks(true) == 0, "leaks");
    }
}

static void test_graphs(void)
{
    enum { N = 100 };
    TEST("captured work runs at launch only, every time, with the data of that time")
    {
        standin_reset(STANDIN_LAZY, 0, 0);
        cudaStream_t s = new_stream(), t = new_stream();
        cudaEvent_t e = new_event(), f = new_event();
        cudaGraph_t graph = NULL;
        cudaGraphExec_t exec = NULL;
        float *d = device_floats(N), *h = pinned_floats(N);
        h[0] = 1;
        CHECK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal) == cudaSuccess, "begin");
        cudaMemcpyAsync(d, h, N * sizeof(float), cudaMemcpyHostToDevice, s);
        cudaEventRecord(e, s); /* fork to t and back */
        cudaStreamWaitEvent(t, e, 0);
        launch(d, d, N, 1, t);
        cudaEventRecord(f, t);
        cudaStreamWaitEvent(s, f, 0);
        cudaMemcpyAsync(h, d, N * sizeof(float), cudaMemcpyDeviceToHost, s);
        CHECK(cudaStreamEndCapture(s, &graph) == cudaSuccess, "end");
        CHECK(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess, "instantiate");
        CHECK(cudaGraphDestroy(graph) == cudaSuccess, "destroy");
        CHECK(cudaStreamSynchronize(s) == cudaSuccess && h[0] == 1, "ran while captured");
        for (int i = 0; i < 3; i++)
            CHECK(cudaGraphLaunch(exec, s) == cudaSuccess, "launch");
        cudaStreamSynchronize(s);
        CHECK(h[0] == 4, "%g", (double)h[0]);
        cudaGraphExecDestroy(exec);
        cudaFree(d);
        cudaFreeHost(h);
        cudaEventDestroy(e);
        cudaEventDestroy(f);
        cudaStreamDestroy(s);
        cudaStreamDestroy(t);
        CHECK(standin_leaks(true) == 0, "leaks");
    }
    TEST("waiting and allocating end a capture with an error")
    {
        standin_reset(STANDIN_LAZY, 0, 0);
        cudaStream_t s = new_stream();
        cudaGraph_t graph = NULL;
        void *p = NULL;
        cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal);
        CHECK(cudaMalloc(&p, 16) == cudaErrorStreamCaptureUnsupported, "malloc");
        CHECK(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureInvalidated && !graph, "end");
        cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal);
        CHECK(cudaStreamSynchronize(s) == cudaErrorStreamCaptureUnsupported, "synchronize");
        CHECK(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureInvalidated && !graph, "end");
        CHECK(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureUnmatched, "end without begin");
        cudaStreamDestroy(s);
        CHECK(standin_leaks(true) == 0, "leaks");
    }
}

static void test_errors(void)
{
    TEST("memory is bounded, and too much of it is refused without harm")
    {
        void *p = NULL, *q = NULL;
        size_t left = 0, total = 0;
        standin_reset(STANDIN_LAZY, 0, 1 << 20);
        CHECK(cudaMalloc(&p, 600 << 10) == cudaSuccess, "first");
        CHECK(cudaMalloc(&q, 600 << 10) == cudaErrorMemoryAllocation, "second");
        CHECK(cudaPeekAtLastError() == cudaErrorMemoryAllocation, "peek");
        CHECK(cudaGetLastError() == cudaErrorMemoryAllocation && cudaGetLastError() == cudaSuccess, "get");
        CHECK(cudaMemGetInfo(&left, &total) == cudaSuccess && total == 1 << 20 && left == 424 << 10, "%zu", left);
        CHECK(cudaFree(p) == cudaSuccess && cudaMalloc(&q, 600 << 10) == cudaSuccess, "after the free");
        cudaFree(q);
        CHECK(standin_memory() == 0 && standin_memory_peak() == 600 << 10, "%zu", standin_memory_peak());
    }
    TEST("a copy in the wrong direction and a launch without threads are refused")
    {
        standin_reset(STANDIN_LAZY, 0, 0);
        float *d = device_floats(4), h[4] = {0};
        const add_args a = {d, d, 4, 1};
        CHECK(cudaMemcpyAsync(h, d, 16, cudaMemcpyHostToDevice, NULL) == cudaErrorInvalidValue, "direction");
        CHECK(standin_launch("add", add, &a, sizeof a, 0, 64, NULL) == cudaErrorInvalidConfiguration, "grid");
        CHECK(standin_launch("add", add, &a, sizeof a, 1, 2048, NULL) == cudaErrorInvalidConfiguration, "block");
        cudaFree(d);
    }
    TEST("a failed launch is told by the next wait and by every call after it")
    {
        standin_reset(STANDIN_LAZY, 0, 0);
        cudaStream_t s = new_stream();
        float *d = device_floats(64);
        void *p;
        cudaMemsetAsync(d, 0, 256, s);
        cudaStreamSynchronize(s);
        standin_fail("work", 2, cudaSuccess);
        CHECK(launch(d, d, 64, 1, s) == cudaSuccess && launch(d, d, 64, 1, s) == cudaSuccess, "launches");
        CHECK(cudaStreamSynchronize(s) == cudaErrorLaunchFailure, "wait");
        CHECK(cudaMalloc(&p, 16) == cudaErrorLaunchFailure, "malloc");
        CHECK(cudaGetLastError() == cudaErrorLaunchFailure && cudaGetLastError() == cudaErrorLaunchFailure,
              "not forgotten");
        CHECK(cudaFree(d) == cudaErrorLaunchFailure && cudaStreamDestroy(s) == cudaErrorLaunchFailure,
              "release says so too");
        CHECK(standin_leaks(true) == 0, "and releases all the same");
    }
    TEST("the n-th call fails, by name or by number, once")
    {
        void *p = NULL;
        cudaStream_t s = NULL;
        standin_reset(STANDIN_LAZY, 0, 0);
        standin_fail(NULL, 2, cudaSuccess);
        CHECK(cudaStreamCreateWithFlags(&s, 0) == cudaSuccess, "first");
        CHECK(cudaMalloc(&p, 16) == cudaErrorMemoryAllocation && standin_failed(), "second");
        CHECK(cudaMalloc(&p, 16) == cudaSuccess, "third");
        standin_fail("cudaStreamSynchronize", 1, cudaErrorIllegalAddress);
        CHECK(cudaMemsetAsync(p, 0, 16, s) == cudaSuccess, "another");
        CHECK(cudaStreamSynchronize(s) == cudaErrorIllegalAddress, "named");
        CHECK(cudaMemsetAsync(p, 0, 16, s) == cudaErrorIllegalAddress, "sticky");
        cudaFree(p);
        cudaStreamDestroy(s);
        CHECK(standin_calls() == 3, "%ld calls", standin_calls());
    }
    TEST("device 1 of one isn't there")
    {
        int count = 0;
        standin_reset(STANDIN_LAZY, 0, 0);
        CHECK(cudaGetDeviceCount(&count) == cudaSuccess && count == 1, "%d", count);
        CHECK(cudaSetDevice(0) == cudaSuccess && cudaSetDevice(1) == cudaErrorInvalidDevice, "device");
        CHECK(strcmp(cudaGetErrorName(cudaErrorInvalidDevice), "cudaErrorInvalidDevice") == 0, "name");
    }
}

/* ---------------------------------------------------------------- misuse ends the program */

static float *the_device;
static volatile float sink;

static void host_reads(void)
{
    sink = the_device[0];
}
static void host_writes(void)
{
    the_device[3] = 1;
}
static void kernel_beyond(void)
{
    launch(the_device, the_device, 1 << 20, 1, NULL);
    cudaDeviceSynchronize();
}
static void kernel_one_beyond(void)
{
    launch(the_device, the_device, 101, 1, NULL);
    cudaDeviceSynchronize();
}
static void kernel_on_host(void)
{
    static float host[100];
    launch(the_device, host, 100, 1, NULL);
}
static void kernel_on_freed(void)
{
    launch(the_device, the_device, 100, 1, NULL);
    cudaDeviceSynchronize();
    float *old = the_device;
    cudaFree(old);
    launch(old, old, 100, 1, NULL);
}
static void graph_on_freed(void)
{
    cudaStream_t s = new_stream();
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed);
    launch(the_device, the_device, 100, 1, s);
    cudaStreamEndCapture(s, &graph);
    cudaGraphInstantiate(&exec, graph, 0);
    cudaFree(the_device);
    cudaGraphLaunch(exec, s);
    cudaStreamSynchronize(s);
}
static void free_twice(void)
{
    cudaFree(the_device);
    cudaFree(the_device);
}
static void copy_too_much(void)
{
    static float host[200];
    cudaMemcpyAsync(the_device, host, sizeof host, cudaMemcpyHostToDevice, NULL);
}
static void stream_after_destroy(void)
{
    cudaStream_t s = new_stream();
    cudaStreamDestroy(s);
    cudaStreamSynchronize(s);
}
static void leak(void)
{
    exit(0);
}

/* Runs `what` in a child with 100 floats of device memory; its exit status, and its standard error in text.
 */
static int in_child(void (*what)(void), char *text, size_t size)
{
    int ends[2], status = 0;
    size_t got = 0;
    fflush(NULL);
    if (pipe(ends))
        return -1;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        dup2(ends[1], STDERR_FILENO);
        standin_reset(STANDIN_LAZY, 0, 0);
        the_device = device_floats(100);
        what();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], text + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    text[got] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_misuse(void)
{
    static const struct {
        const char *sentence;
        void (*what)(void);
        const char *words;
    } cases[] = {
        {"host code that reads device memory is stopped", host_reads, "host code touches device"},
        {"host code that writes device memory is stopped", host_writes, "host code touches device"},
        {"a kernel far beyond its memory is stopped", kernel_beyond, "add touches device address"},
        {"a kernel one element beyond its memory is found", kernel_one_beyond, "behind device memory"},
        {"a host pointer given to a kernel is found", kernel_on_host, "host pointer"},
        {"a kernel on freed memory is found", kernel_on_freed, "no living allocation"},
        {"a graph on memory that was freed since is stopped", graph_on_freed, "was freed"},
        {"memory freed twice is found", free_twice, "was freed before"},
        {"a copy larger than its target is found", copy_too_much, "are left"},
        {"a destroyed stream is found", stream_after_destroy, "is no stream"},
        {"memory never freed is found at the end", leak, "400 bytes of device memory were never freed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        TEST(cases[i].sentence)
        {
            char text[2000];
            int status = in_child(cases[i].what, text, sizeof text);
            bool asan = strstr(text, "AddressSanitizer") != NULL; /* found by it first */
            CHECK(asan || (status == STANDIN_MISUSE && strstr(text, cases[i].words)), "status %d: %s", status, text);
        }
}

int main(void)
{
    test_order();
    test_graphs();
    test_errors();
    test_misuse();
    standin_reset(STANDIN_LAZY, 0, 0);
    return test_end();
}
