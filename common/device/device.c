/* device.c - chooses a device by name and hands every call of device.h to it. */
#include "device/device_ops.h"

#include <string.h>

device *device_open(const char *name, const device_options *options, error *e)
{
    if (strcmp(name, "auto") == 0 || strcmp(name, "cpu") == 0)
        return cpu_open(options, e);
    if (strncmp(name, "cuda", 4) == 0)
        fail(e, ERR_USAGE, "device '%s' is not in this build; use --device cpu", name);
    else
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

void device_versions(char *text, size_t size)
{
    cpu_versions(text, size);
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

int model_download_gradients(model *m, float *gradients, error *e)
{
    return m->device->ops->download_gradients(m, gradients, e);
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

size_t plan_bytes(const plan *p)
{
    return p->model->device->ops->plan_bytes(p);
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

int plan_forward_features(plan *p, int first_group, const float *features, float *output, error *e)
{
    return p->model->device->ops->forward_features(p, first_group, features, output, e);
}
