/* device_library.c - finds and opens the shared object of the GPU device. */
#include "device/device_ops.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Opens `path`, unless there is no such file (0, *library NULL). */
static int open_library(const char *path, const device_library **library, bool *there, error *e)
{
    if (access(path, F_OK))
        return 0;
    *there = true;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *why = dlerror();
        return fail(e, ERR_SYSTEM, "the GPU device cannot be loaded: %s", why ? why : path);
    }
    const device_library *found = dlsym(object, DEVICE_LIBRARY_SYMBOL);
    if (!found || strcmp(found->build, DEVICE_BUILD) != 0) {
        dlclose(object);
        return fail(e, ERR_SYSTEM, "%s belongs to another build of onebox: make and install again", path);
    }
    *library = found;
    return 0;
}

/* "DIR/onebox-cuda.so", DIR being the folder of the running program. */
static int look_beside(const device_library **library, bool *there, error *e)
{
    char program[PATH_MAX], path[PATH_MAX + 64];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size <= 0)
        return fail_system(e, "/proc/self/exe cannot be read, so the GPU device is not found");
    program[size] = 0;
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = 0;
    snprintf(path, sizeof path, "%s/onebox-cuda.so", program);
    return open_library(path, library, there, e);
}

const device_library *cuda_library(bool *there, error *e)
{
    static const device_library *kept;
    const char *given = getenv("ONEBOX_CUDA_LIBRARY");
    *there = kept != NULL;
    if (kept)
        return kept;
    /* Without a driver CUDA's libraries, half a gigabyte, need not be opened to find that out. */
    void *driver = given && *given ? NULL : dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (!driver && !(given && *given)) {
        fail(e, ERR_SYSTEM, "no GPU driver is installed here (libcuda.so.1); use --device cpu");
        return NULL;
    }
    const device_library *library = NULL;
    int code = given && *given ? open_library(given, &library, there, e) : look_beside(&library, there, e);
    if (!code && !library)
        fail(e, ERR_SYSTEM,
             given && *given ? "ONEBOX_CUDA_LIBRARY names no file: %s"
                             : "the GPU device is not in this build (onebox-cuda.so%s): build where CUDA and "
                               "cuDNN are installed, or use --device cpu",
             given && *given ? given : "");
    return kept = library;
}
