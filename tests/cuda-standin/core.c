/* core.c - calls counted and made to fail, living objects, the end of the program. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool started;
    int devices, driver;
    standin_order order;
    unsigned random;
    long calls, calls_of_name, work;
    char fail_name[64];
    long fail_at;
    cudaError_t fail_with;
    bool fail_done;
    const char *failed; /* the call that did */
    cudaError_t sticky;
    object objects; /* ring */
} state;

static _Thread_local cudaError_t last_error;

void misuse(const char *format, ...)
{
    va_list args;
    fflush(NULL);
    fprintf(stderr, "standin: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    fflush(NULL);
    _exit(STANDIN_MISUSE);
}

/* ---------------------------------------------------------------- settings */

static const struct {
    const char *name;
    cudaError_t error;
} error_words[] = {
    {"cudaErrorMemoryAllocation", cudaErrorMemoryAllocation},
    {"cudaErrorLaunchFailure", cudaErrorLaunchFailure},
    {"cudaErrorIllegalAddress", cudaErrorIllegalAddress},
    {"cudaErrorLaunchOutOfResources", cudaErrorLaunchOutOfResources},
    {"cudaErrorECCUncorrectable", cudaErrorECCUncorrectable},
    {"cudaErrorInvalidValue", cudaErrorInvalidValue},
    {"cudaErrorNoKernelImageForDevice", cudaErrorNoKernelImageForDevice},
    {"cudaErrorUnknown", cudaErrorUnknown},
};

static long number_of(const char *variable, long otherwise)
{
    const char *text = getenv(variable);
    return text && *text ? strtol(text, NULL, 0) : otherwise;
}

static void start(void)
{
    if (state.started)
        return;
    state.started = true;
    state.objects.next = state.objects.before = &state.objects;
    state.devices = (int)number_of("STANDIN_DEVICES", 1);
    state.driver = (int)number_of("STANDIN_DRIVER", CUDART_VERSION);
    const char *text = getenv("STANDIN_ORDER");
    if (text && strncmp(text, "eager", 5) == 0)
        state.order = STANDIN_EAGER;
    if (text && strncmp(text, "random", 6) == 0) {
        state.order = STANDIN_RANDOM;
        state.random = text[6] == ':' ? (unsigned)strtoul(text + 7, NULL, 10) : 1;
    }
    memory_reset((size_t)number_of("STANDIN_MEMORY", (long)STANDIN_DEFAULT_MEMORY));
    cudaError_t error = cudaSuccess;
    text = getenv("STANDIN_FAIL_WITH");
    for (size_t i = 0; text && *text && i < sizeof error_words / sizeof *error_words; i++)
        if (strcmp(text, error_words[i].name) == 0)
            error = error_words[i].error;
    if (text && *text && !error)
        misuse("STANDIN_FAIL_WITH=%s is not known", text);
    text = getenv("STANDIN_FAIL");
    if (text && *text) {
        const char *colon = strchr(text, ':');
        char name[64] = "";
        if (colon)
            snprintf(name, sizeof name, "%.*s", (int)(colon - text), text);
        standin_fail(colon ? name : NULL, strtol(colon ? colon + 1 : text, NULL, 10), error);
    }
}

void standin_reset(standin_order order, unsigned seed, size_t memory)
{
    start();
    state.order = order;
    state.random = seed;
    state.sticky = cudaSuccess;
    last_error = cudaSuccess;
    work_reset();
    while (state.objects.next != &state.objects)
        object_free(state.objects.next);
    memory_reset(memory ? memory : STANDIN_DEFAULT_MEMORY);
    standin_fail(NULL, 0, cudaSuccess);
}

void standin_fail(const char *name, long n, cudaError_t error)
{
    start();
    snprintf(state.fail_name, sizeof state.fail_name, "%s", name ? name : "");
    state.fail_at = n;
    state.fail_with = error;
    state.fail_done = false;
    state.calls = state.calls_of_name = state.work = 0;
}

long standin_calls(void)
{
    return state.calls;
}

const char *standin_failed(void)
{
    return state.fail_done ? state.failed : NULL;
}

int device_count(void)
{
    start();
    return state.devices;
}

int driver_version(void)
{
    start();
    return state.driver;
}

standin_order work_order(void)
{
    return state.order;
}

unsigned work_random(void)
{
    state.random = state.random * 1664525u + 1013904223u;
    return state.random >> 8;
}

/* ---------------------------------------------------------------- calls */

bool error_is_sticky(cudaError_t error)
{
    return error == cudaErrorIllegalAddress || error == cudaErrorLaunchFailure || error == cudaErrorLaunchTimeout ||
           error == cudaErrorMisalignedAddress || error == cudaErrorECCUncorrectable;
}

cudaError_t device_error(void)
{
    return state.sticky;
}

void device_break(cudaError_t error)
{
    if (!state.sticky)
        state.sticky = error;
}

static cudaError_t inject(const char *name, call_kind kind)
{
    cudaError_t error = state.fail_with;
    state.fail_done = true;
    state.failed = name;
    if (!error)
        error = kind == CALL_ALLOCATES ? cudaErrorMemoryAllocation : cudaErrorUnknown;
    if (error_is_sticky(error))
        device_break(error);
    return error;
}

cudaError_t call_begin(const char *name, call_kind kind)
{
    start();
    if (kind == CALL_ASKS)
        return cudaSuccess;
    bool named = state.fail_name[0] != 0;
    if (kind != CALL_RELEASES)
        state.calls++;
    if (named && strcmp(name, state.fail_name) == 0)
        state.calls_of_name++;
    bool counted = named ? strcmp(name, state.fail_name) == 0 : kind != CALL_RELEASES;
    if (counted && state.fail_at > 0 && (named ? state.calls_of_name : state.calls) == state.fail_at &&
        !state.fail_done)
        return inject(name, kind);
    if (state.order == STANDIN_RANDOM && !state.sticky)
        work_wander();
    return state.sticky;
}

cudaError_t call_end(cudaError_t error)
{
    if (error)
        last_error = error;
    return error;
}

void last_error_get(cudaError_t *error, bool clear)
{
    *error = state.sticky ? state.sticky : last_error;
    if (clear)
        last_error = cudaSuccess;
}

bool work_fails(const char *name)
{
    state.work++;
    if (strcmp(state.fail_name, "work") != 0 || state.work != state.fail_at || state.fail_done)
        return false;
    state.fail_done = true;
    state.failed = name;
    device_break(state.fail_with ? state.fail_with : cudaErrorLaunchFailure);
    return true;
}

/* ---------------------------------------------------------------- objects */

void *object_new(size_t size, const char *kind, const char *call)
{
    object *o = calloc(1, size);
    if (!o)
        misuse("no memory for a %s", kind);
    start();
    *o = (object){.next = &state.objects, .before = state.objects.before, .kind = kind, .call = call};
    o->before->next = o;
    o->next->before = o;
    return o;
}

void object_free(object *o)
{
    o->before->next = o->next;
    o->next->before = o->before;
    o->kind = NULL;
    free(o);
}

void object_check(const void *handle, const char *kind, const char *call)
{
    const object *o = state.started ? state.objects.next : NULL;
    while (o && o != &state.objects && (const void *)o != handle)
        o = o->next;
    if (!o || o == &state.objects)
        misuse("%s: %p is no %s, or one that was released", call, handle, kind);
    if (strcmp(o->kind, kind) != 0)
        misuse("%s: a %s was given where a %s is needed", call, o->kind, kind);
}

long standin_leaks(bool print)
{
    long count = 0;
    if (!state.started)
        return 0;
    for (const object *o = state.objects.next; o != &state.objects; o = o->next) {
        count++;
        if (print)
            fprintf(stderr, "standin: a %s from %s was never released\n", o->kind, o->call);
    }
    memory_leaks(print, &count);
    return count;
}

/* ---------------------------------------------------------------- the end */

__attribute__((destructor)) static void finish(void)
{
    if (!state.started)
        return;
    long leaks = standin_leaks(true);
    const char *path = getenv("STANDIN_CALLS");
    FILE *f = path && *path ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "calls %ld work %ld leaks %ld peak %zu\n", state.calls, state.work, leaks, standin_memory_peak());
        fclose(f);
    }
    if (leaks) {
        fflush(NULL);
        _exit(STANDIN_MISUSE);
    }
}
