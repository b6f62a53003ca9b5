/* standin_device.h - the GPU device over the stand-in for CUDA, for test programs: device_open("cuda") opens
 * the library in standin/ beside the program, and the stand-in inside it is steered by these functions. */
#ifndef ONEBOX_TEST_STANDIN_DEVICE_H
#define ONEBOX_TEST_STANDIN_DEVICE_H

#include "standin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct standin {
    void (*reset)(standin_order order, unsigned seed, size_t memory);
    void (*fail)(const char *name, long n, cudaError_t error);
    long (*calls)(void);
    const char *(*failed)(void);
    long (*leaks)(bool print);
    size_t (*peak)(void);
} standin;

/* False (and a reason on standard output) when the library isn't there. */
static inline bool standin_open(standin *s)
{
    char path[PATH_MAX + 40];
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX);
    path[size > 0 ? size : 0] = 0;
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash : path, "/standin/onebox-cuda.so");
    setenv("ONEBOX_CUDA_LIBRARY", path, 1);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        printf("Bail out! %s\n", dlerror());
        return false;
    }
    const struct {
        void *function; /* ISO C has no conversion from dlsym's value, POSIX has this one */
        const char *name;
    } names[] = {{&s->reset, "standin_reset"},   {&s->fail, "standin_fail"},   {&s->calls, "standin_calls"},
                 {&s->failed, "standin_failed"}, {&s->leaks, "standin_leaks"}, {&s->peak, "standin_memory_peak"}};
    for (size_t i = 0; i < COUNT(names); i++)
        *(void **)names[i].function = dlsym(library, names[i].name);
    return s->reset && s->fail && s->calls && s->failed && s->leaks && s->peak;
}

#endif
