/* dispatch.c - the functions of device.h.
 *
 * device_open chooses a device by its name: the CPU is part of the program, the GPU's library is opened when it is
 * asked for. Every other call goes to the function of that name in the device's own table (device_ops.h).
 */
#include "device/device_library.h"

#include <stdio.h>
#include <string.h>

/* The number behind "cuda" or "cuda:"; -1 when the name is another one. */
static int cuda_number(const char *name)
{
    int number = 0, end = 0;
    if (strcmp(name, "cuda") == 0)
        return 0;
    /* four characters fit an int NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(name, "cuda:%4d%n", &number, &end) != 1 || name[end] || name[5] < '0' || name[5] > '9')
        return -1;
    return number;
}

static device *cuda_device_open(int number, const device_options *options, bool *there, error *e)
{
    const device_library *library = cuda_library(there, e);
    return library ? library->open(number, options, e) : NULL;
}

/* A GPU when one works; else the CPU, with a remark when this build has the GPU device. A wish that the GPU
 * refuses (a precision) is no reason to take another device in silence. */
static device *auto_open(const device_options *options, error *e)
{
    error why = {0};
    bool there;
    device *d = cuda_device_open(0, options, &there, &why);
    if (d)
        return d;
    if (why.code == ERR_USAGE) {
        fail(e, why.code, "%s", why.text);
        return NULL;
    }
    d = cpu_open(options, e);
    if (d && there)
        snprintf(d->remark, sizeof d->remark, "no GPU is used: %.480s", why.text);
    return d;
}

device *device_open(const char *name, const device_options *options, error *e)
{
    bool there;
    if (strcmp(name, "auto") == 0)
        return auto_open(options, e);
    if (strcmp(name, "cpu") == 0)
        return cpu_open(options, e);
    int number = cuda_number(name);
    if (number >= 0)
        return cuda_device_open(number, options, &there, e);
    fail(e, ERR_USAGE, "device '%s' is not known: auto, cpu or cuda[:N]", name);
    return NULL;
}

void device_close(device *d)
{
    if (d)
        d->ops->close(d);
}

const char *device_describe(const device *d)
{
    return d->description;
}

const char *device_remark(const device *d)
{
    return d->remark;
}

void device_versions(char *text, size_t size)
{
    bool there;
    error e = {0};
    cpu_versions(text, size);
    const device_library *library = cuda_library(&there, &e);
    size_t used = strlen(text);
    if (library)
        library->versions(text, size);
    else
        snprintf(text + used, size - used, "devices: no cuda (%s)\n", e.text);
}

model *model_create(device *d, const graph *g, error *e)
{
    return d->ops->model_create(d, g, e);
}

void model_free(model *m)
{
    if (m)
        m->device->ops->model_free(m);
}

int model_upload(model *m, const float *params, error *e)
{
    return m->device->ops->upload(m, params, e);
}

int model_download(model *m, float *params, error *e)
{
    return m->device->ops->download(m, params, e);
}

int model_reset_moments(model *m, error *e)
{
    return m->device->ops->reset_moments(m, e);
}

int model_download_moments(model *m, float *first, float *second, error *e)
{
    return m->device->ops->download_moments(m, first, second, e);
}

int model_upload_moments(model *m, const float *first, const float *second, error *e)
{
    return m->device->ops->upload_moments(m, first, second, e);
}

int model_adam_step(model *m, const float lr[GROUPS], int first_group, int64_t t, error *e)
{
    return m->device->ops->adam_step(m, lr, first_group, t, e);
}

plan *plan_create(model *m, const plan_options *options, error *e)
{
    return m->device->ops->plan_create(m, options, e);
}

void plan_free(plan *p)
{
    if (p)
        p->model->device->ops->plan_free(p);
}

int plan_forward(plan *p, const float *input, uint64_t seed, uint64_t step, float *output, error *e)
{
    return p->model->device->ops->forward(p, input, seed, step, output, e);
}

int plan_backward(plan *p, const float *output_gradient, error *e)
{
    return p->model->device->ops->backward(p, output_gradient, e);
}

size_t plan_feature_floats(const plan *p, int first_group)
{
    const device_ops *ops = p->model->device->ops;
    return ops->feature_floats ? ops->feature_floats(p, first_group) : 0;
}

int plan_features(plan *p, int first_group, const float *input, float *features, error *e)
{
    return p->model->device->ops->features(p, first_group, input, features, e);
}

int plan_forward_features(plan *p, int first_group, const float *features, uint64_t seed, uint64_t step, float *output,
                          error *e)
{
    return p->model->device->ops->forward_features(p, first_group, features, seed, step, output, e);
}
