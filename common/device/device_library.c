/* device_library.c - see device_library.h. */
#include "device/device_library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct library_place {
    const char *title;    /* for errors */
    const char *file;     /* beside the running program, unless */
    const char *variable; /* names another */
    const char *symbol;
    const char *advice; /* what to do when it is not there */
    const char *driver; /* NULL, or a library without which this one need not be opened, half a gigabyte in memory, */
    const char *absent; /* and what to say then; not asked where `variable` is set */
} library_place;

#ifndef ONEBOX_STATIC

/* "DIR/FILE", DIR being the folder of the running program. */
static int path_beside(const char *file, char *path, size_t size, error *e)
{
    ssize_t length = readlink("/proc/self/exe", path, size);
    if (length <= 0)
        return fail_system(e, "/proc/self/exe cannot be read, so %s is not found", file);
    while (length > 0 && path[length - 1] != '/')
        length--;
    if ((size_t)length + strlen(file) >= size)
        return fail(e, ERR_SYSTEM, "the path of the program is too long to look for %s beside it", file);
    strcpy(path + length, file);
    return 0;
}

/* The table in the library of place p; NULL with e set. *there: whether there is such a file. */
static const void *library_table(const library_place *p, bool *there, error *e)
{
    char path[PATH_MAX];
    const char *given = getenv(p->variable);
    const bool named = given && *given;
    *there = false;
    // cppcheck-suppress leakReturnValNotUsed ; the driver stays loaded, whoever uses it next
    if (!named && p->driver && !dlopen(p->driver, RTLD_LAZY | RTLD_LOCAL)) {
        fail(e, ERR_SYSTEM, "%s", p->absent);
        return NULL;
    }
    if (!named && path_beside(p->file, path, sizeof path, e))
        return NULL;
    if (!named)
        given = path;
    *there = access(given, F_OK) == 0;
    if (!*there) {
        if (named)
            fail(e, ERR_SYSTEM, "%s names no file: %s", p->variable, given);
        else
            fail(e, ERR_SYSTEM, "%s is not in this build (%s): %s", p->title, p->file, p->advice);
        return NULL;
    }
    void *object = dlopen(given, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *why = dlerror();
        fail(e, ERR_SYSTEM, "%s cannot be loaded: %s", p->title, why ? why : given);
        return NULL;
    }
    const void *table = dlsym(object, p->symbol);
    const char *build = NULL; /* the first member of every table */
    if (table)
        memcpy(&build, table, sizeof build);
    if (build && strcmp(build, DEVICE_BUILD) == 0)
        return table; // cppcheck-suppress resourceLeak ; the table is part of it
    dlclose(object);
    fail(e, ERR_SYSTEM, "%s belongs to another build of onebox: make and install again", given);
    return NULL;
}

#else

/* A static program cannot open shared objects: those need the C library that it does without. */
static const void *library_table(const library_place *p, bool *there, error *e)
{
    *there = false;
    fail(e, ERR_SYSTEM, "%s cannot be used by a program that was built with STATIC=1", p->title);
    return NULL;
}

#endif

const device_library *cuda_library(bool *there, error *e)
{
    static const library_place place = {.title = "the GPU device",
                                        .file = "onebox-cuda.so",
                                        .variable = "ONEBOX_CUDA_LIBRARY",
                                        .symbol = "onebox_cuda_device",
                                        .advice = "build where CUDA and cuDNN are installed, or use --device cpu",
                                        .driver = "libcuda.so.1",
                                        .absent = "no GPU driver is installed here (libcuda.so.1); use --device cpu"};
    static const device_library *kept;
    *there = kept != NULL;
    return kept ? kept : (kept = library_table(&place, there, e));
}

const struct onednn_library *onednn_library_open(error *e)
{
    static const library_place place = {.title = "oneDNN",
                                        .file = "onebox-onednn.so",
                                        .variable = "ONEBOX_ONEDNN_LIBRARY",
                                        .symbol = "onebox_onednn",
                                        .advice = "build where oneDNN is installed (libdnnl-dev)"};
    static const struct onednn_library *kept;
    bool there;
    return kept ? kept : (kept = library_table(&place, &there, e));
}
