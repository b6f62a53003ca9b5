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
    int (*adam_step)(model *m, const float lr[GROUPS], int first_group, int64_t t, error *e);
    plan *(*plan_create)(model *m, const plan_options *options, error *e);
    void (*plan_free)(plan *p);
    int (*forward)(plan *p, const float *input, uint64_t seed, uint64_t step, float *output, error *e);
    int (*backward)(plan *p, const float *output_gradient, error *e);
    /* all three may be NULL: no plan can be cut */
    size_t (*feature_floats)(const plan *p, int first_group);
    int (*features)(plan *p, int first_group, const float *input, float *features, error *e);
    int (*forward_features)(plan *p, int first_group, const float *features, uint64_t seed, uint64_t step,
                            float *output, error *e);
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

/* The GPU device is in a library of its own (device_library.h): its table. */
typedef struct device_library {
    const char *build; /* see device_library.h */
    device *(*open)(int number, const device_options *options, error *e);
    void (*versions)(char *text, size_t size); /* appends lines for --version */
} device_library;

#endif
