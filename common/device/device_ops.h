/* device_ops.h - what a device implements behind device.h. Private to common/device.
 *
 * Every device defines one table of functions and embeds the three structs below as the first member of its
 * own.
 */
#ifndef ONEBOX_DEVICE_DEVICE_OPS_H
#define ONEBOX_DEVICE_DEVICE_OPS_H

#include "device/device.h"

typedef struct device_ops {
    void (*close)(device *d);
    model *(*model_create)(device *d, const graph *g, error *e);
    void (*model_free)(model *m);
    int (*upload)(model *m, const float *params, error *e);
    int (*download)(model *m, float *params, error *e);
    int (*reset_moments)(model *m, error *e);
    int (*download_moments)(model *m, float *first, float *second, error *e);
    int (*upload_moments)(model *m, const float *first, const float *second, error *e);
    int (*download_gradients)(model *m, float *gradients, error *e);
    int (*adam_step)(model *m, const float lr[GROUPS], int first_group, int64_t t, error *e);
    plan *(*plan_create)(model *m, const plan_options *options, error *e);
    void (*plan_free)(plan *p);
    int (*forward)(plan *p, const float *input, uint64_t seed, uint64_t step, float *output, error *e);
    int (*backward)(plan *p, const float *output_gradient, error *e);
    /* all three may be NULL: no plan can be cut */
    size_t (*feature_floats)(const plan *p, int first_group);
    int (*features)(plan *p, int first_group, const float *input, float *features, error *e);
    int (*forward_features)(plan *p, int first_group, const float *features, float *output, error *e);
} device_ops;

struct device {
    const device_ops *ops;
    char description[256];
    char remark[512]; /* see device_remark */
};

struct model {
    device *device;
    const graph *graph;
};

struct plan {
    model *model;
    plan_options options;
    size_t bytes; /* working memory */
};

/* The CPU device (cpu.c). */
device *cpu_open(const device_options *options, error *e);
void cpu_versions(char *text, size_t size);

/* A device in a shared object of its own, so that the programs need none of its libraries. The object has one
 * symbol, DEVICE_LIBRARY_SYMBOL, a device_library. The Makefile defines DEVICE_BUILD, a checksum of the library's
 * sources and of the headers that it shares with the programs, for the two files that need it. */
typedef struct device_library {
    const char *build; /* DEVICE_BUILD of its build; a library made of other sources is refused */
    device *(*open)(int number, const device_options *options, error *e);
    void (*versions)(char *text, size_t size); /* appends lines for --version */
} device_library;
#define DEVICE_LIBRARY_SYMBOL "onebox_cuda_device"
/* The GPU device's library (device_library.c): from the file that ONEBOX_CUDA_LIBRARY names, else onebox-cuda.so
 * beside the running program. Loaded once and kept. NULL with e set (ERR_SYSTEM) when it
 * is not there or cannot be loaded; *there tells whether there was a file. */
const device_library *cuda_library(bool *there, error *e);

#endif
