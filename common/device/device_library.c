/* device_library.c - see device_library.h. */
#include "device/device_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct library_place {
    const char *title;    /* for errors */
    const char *file;     /* beside the running program, unless */
    const char *variable; /* names another */
    const char *symbol;
    const char *advice; /* what to do when it is not there */
} library_place;

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
        return table;
    dlclose(object);
    fail(e, ERR_SYSTEM, "%s belongs to another build of onebox: make and install again", given);
    return NULL;
}

const device_library *cuda_library(bool *there, error *e)
{
    static const library_place place = {.title = "the GPU device",
                                        .file = "onebox-cuda.so",
                                        .variable = "ONEBOX_CUDA_LIBRARY",
                                        .symbol = "onebox_cuda_device",
                                        .advice = "build where CUDA and cuDNN are installed, or use --device cpu"};
    static const device_library *kept;
    const char *given = getenv(place.variable);
    *there = kept != NULL;
    if (kept)
        return kept;
    /* Without a driver CUDA's libraries, half a gigabyte, need not be opened to find that out. */
    if (!(given && *given) && !dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) {
        fail(e, ERR_SYSTEM, "no GPU driver is installed here (libcuda.so.1); use --device cpu");
        return NULL;
    }
    return kept = library_table(&place, there, e);
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
