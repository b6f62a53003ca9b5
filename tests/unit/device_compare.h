/* device_compare.h - holds a device to the naive interpreter: compare_all() runs a graph in trainings, with frozen
 * groups and stored batch norms, and in evaluations, in fp32 and in 16-bit numbers, and compares outputs, gradients
 * and statistics. The variables say which device, and in which precisions. */
#ifndef ONEBOX_TEST_DEVICE_COMPARE_H
#define ONEBOX_TEST_DEVICE_COMPARE_H

#include "device/device.h"
#include "reference.h"
#include "test.h"

static const char *device_name = "cpu";
static precision rough_precision = PRECISION_BF16; /* what the variants of bf16 are computed in */
static bool with_fp32 = true, with_rough = true;

static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};

/* sqrt(sum (a-b)^2 / sum b^2) */
static double distance(const float *a, const double *b, size_t count)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < count; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        s += b[i] * b[i];
    }
    return s > 1e-20 ? sqrt(d / s) : sqrt(d);
}

/* The same for outputs of a network. Where the last node is a linear layer: relative to the sum of its terms' squares
 * where that is larger, as the few outputs of one picture may all but cancel. */
static double output_distance(reference *r, const float *output)
{
    const node *x = &r->g->nodes[r->g->node_count - 1];
    if (x->kind != NODE_LINEAR)
        return distance(output, r->value[r->g->node_count - 1], reference_count(r, r->g->node_count - 1));
    const size_t columns = (size_t)x->c, inputs = r->g->params[x->params[0]].count / columns;
    const double *in = r->value[x->inputs[0]], *want = r->value[r->g->node_count - 1],
                 *weights = reference_param(r, x, 0);
    double d = 0, s = 0, terms = 0;
    for (size_t i = 0; i < (size_t)r->batch * columns; i++) {
        d += ((double)output[i] - want[i]) * ((double)output[i] - want[i]);
        s += want[i] * want[i];
        for (size_t k = 0; k < inputs; k++) {
            const double term = in[i / columns * inputs + k] * weights[i % columns * inputs + k];
            terms += term * term;
        }
    }
    return sqrt(d / (s > terms ? s : terms));
}

typedef struct variant {
    const char *name;
    bool training, freeze_bn;
    int first_group, batch, threads;
    conv_algorithm conv;
    precision precision;
} variant;

/* How far 16-bit numbers go in a graph: a few operations; a whole network; a network with batch norms over the few
 * samples of a batch, or maxima over a picture, where gradients have no limit. */
typedef enum depth { SHALLOW, DEEP, SENSITIVE } depth;

/* Largest relative L2 errors of outputs, gradients and statistics in fp32, then in bf16 by depth. A bf16 has 8 bits, so
 * a number is off by 0.2 % after each operation, by 1 % after a Winograd one; and where a ReLU or a maximum decides
 * otherwise for it, a whole gradient goes another way. */
static const double fp32_limits[3] = {2e-5, 2e-4, 1e-5};
static const double bf16_limits[][3] = {{0.03, 0.08, 0.02}, {0.03, 0.35, 0.05}, {0.2, INFINITY, 0.05}};

static float *random_params(const graph *g, uint64_t seed)
{
    float *params = calloc(g->param_floats + 1, sizeof *params);
    for (int i = 0; i < g->param_count; i++) {
        const param *p = &g->params[i];
        philox random = philox_start(seed, PHILOX_STREAM(PURPOSE_INIT, i));
        bool bn = g->nodes[p->node].kind == NODE_BATCHNORM;
        size_t fan_in = p->count / (size_t)p->shape[0];
        for (size_t k = 0; k < p->count; k++) {
            double z = philox_normal(&random);
            bool positive = bn && (strstr(p->name, "weight") || strstr(p->name, "var"));
            params[p->offset + k] = (float)(positive             ? 0.5 + fabs(z)
                                            : bn || p->dims == 1 ? 0.3 * z
                                                                 : z * sqrt(2.0 / (double)fan_in));
        }
    }
    return params;
}

static int with_onednn;  /* how many comparisons were made with oneDNN's convolutions */
static error no_onednn;  /* why none were */
static int cut_plans[2]; /* how many evaluations, and how many trainings, were done in two parts */

/* The gradients of the last backward pass, by way of Adam: its first moments after one step from none are a tenth of
 * them. The rates are 0, so the parameters stay. False: all are 0, the optimiser left its step out. */
static bool take_gradients(model *m, const graph *g, int first_group, float *gradients, error *e)
{
    const size_t floats = g->param_floats;
    float *second = malloc((floats + 1) * sizeof *second);
    CHECK(!model_adam_step(m, (const float[GROUPS]){0}, first_group, 1, e) &&
              !model_download_moments(m, gradients, second, e),
          "%s", e->text);
    free(second);
    bool any = false;
    for (size_t i = 0; i < floats; i++) {
        gradients[i] *= 10;
        any = any || gradients[i] != 0;
    }
    return any;
}

/* An evaluation makes the features of a training of the groups from `group` on: in fp32 the same ones, in 16 bits such
 * as give outputs within the limits. */
static void compare_features(const char *title, const graph *g, const variant *v, model *m, plan *p, int group,
                             const float *input, const float *features, const float *output)
{
    error e = {0};
    plan *evaluation = plan_create(m, &(plan_options){.batch = v->batch}, &e);
    const size_t floats = plan_feature_floats(p, group) * (size_t)v->batch,
                 outputs = (size_t)v->batch * (size_t)g->outputs;
    float *made = calloc(floats, sizeof *made), *from_made = calloc(outputs, sizeof *made);
    double *wanted = calloc(outputs, sizeof *wanted);
    for (size_t i = 0; i < outputs; i++)
        wanted[i] = (double)output[i];
    CHECK(evaluation && plan_feature_floats(evaluation, group) == plan_feature_floats(p, group), "%s %s, group %d: %s",
          title, v->name, group, e.text);
    CHECK(!plan_features(evaluation, group, input, made, &e), "%s", e.text);
    if (v->precision == PRECISION_FP32)
        CHECK(memcmp(made, features, floats * sizeof *made) == 0, "%s %s, group %d", title, v->name, group);
    CHECK(!plan_forward_features(p, group, made, 77, 3, from_made, &e), "%s", e.text);
    const double off = distance(from_made, wanted, outputs);
    CHECK(off < (v->precision == PRECISION_FP32 ? 1e-5 : bf16_limits[SENSITIVE][0]), "%s %s, group %d: off by %g",
          title, v->name, group, off);
    plan_free(evaluation);
    free(made);
    free(from_made);
    free(wanted);
}

/* A pass in two parts gives the bits of a whole one, and the same gradients. */
static void compare_parts(const char *title, const graph *g, const variant *v, model *m, plan *p, const float *params,
                          const float *input, const float *dout)
{
    const size_t outputs = (size_t)v->batch * (size_t)g->outputs;
    float *output[2], *gradients[2];
    for (int i = 0; i < 2; i++) {
        output[i] = calloc(outputs, sizeof(float));
        gradients[i] = calloc(g->param_floats + 1, sizeof(float));
    }
    for (int group = GROUP_TOP; group <= GROUP_HEAD; group++) {
        error e = {0};
        const size_t floats = plan_feature_floats(p, group);
        CHECK(floats == 0 || !v->training || group <= v->first_group, "%s: a trained group was cut off", title);
        if (floats == 0)
            continue;
        float *features = malloc(floats * (size_t)v->batch * sizeof *features);
        CHECK(!plan_features(p, group, input, features, &e), "%s", e.text);
        for (int part = 0; part < 2; part++) { /* first as a whole: the memory is used again */
            CHECK(!model_upload(m, params, &e) &&
                      !(part ? plan_forward_features(p, group, features, 77, 3, output[1], &e)
                             : plan_forward(p, input, 77, 3, output[0], &e)),
                  "%s", e.text);
            if (v->training) {
                CHECK(!plan_backward(p, dout, &e), "%s", e.text);
                take_gradients(m, g, v->first_group, gradients[part], &e);
            }
        }
        CHECK(memcmp(output[0], output[1], outputs * sizeof(float)) == 0, "%s %s, cut before group %d", title, v->name,
              group);
        CHECK(memcmp(gradients[0], gradients[1], g->param_floats * sizeof(float)) == 0,
              "%s %s, gradients of a pass cut before group %d", title, v->name, group);
        if (v->training)
            compare_features(title, g, v, m, p, group, input, features, output[0]);
        cut_plans[v->training]++;
        free(features);
    }
    for (int i = 0; i < 2; i++) {
        free(output[i]);
        free(gradients[i]);
    }
}

/* One pass of `g` on the device and in the reference. */
static void compare(const char *title, const graph *g, const variant *v, depth how)
{
    error e = {0};
    const bool bf16 = v->precision == PRECISION_BF16; /* or what takes its place */
    if (bf16 ? !with_rough : !with_fp32)
        return;
    const device_options options = {
        .threads = v->threads, .conv = v->conv, .precision = bf16 ? rough_precision : v->precision};
    const double *limit = bf16 ? bf16_limits[how] : fp32_limits;
    device *d = device_open(device_name, &options, &e);
    if (v->conv == CONV_ONEDNN && d)
        with_onednn++;
    if (!d && v->conv == CONV_ONEDNN && e.code == ERR_SYSTEM) {
        no_onednn = e;
        return;
    }
    if (!d && e.code == ERR_USAGE && (v->conv == CONV_WINOGRAD || bf16))
        return; /* refused on processors without AVX-512 or AVX512_BF16, and on old GPUs */
    CHECK(d, "%s", e.text);
    if (!d)
        return;
    model *m = model_create(d, g, &e);
    const plan_options po = {
        .batch = v->batch, .training = v->training, .first_group = v->first_group, .freeze_bn = v->freeze_bn};
    plan *p = m ? plan_create(m, &po, &e) : NULL;
    CHECK(p, "%s %s: %s", title, v->name, e.text);
    if (p) {
        float *params = random_params(g, 5);
        size_t inputs = (size_t)v->batch * (size_t)g->size * (size_t)g->size * 3,
               outputs = (size_t)v->batch * (size_t)g->outputs;
        float *input = malloc(inputs * sizeof *input), *output = malloc(outputs * sizeof *output),
              *dout = malloc(outputs * sizeof *dout), *after = malloc((g->param_floats + 1) * sizeof *after);
        philox random = philox_start(9, 1);
        for (size_t i = 0; i < inputs; i++)
            input[i] = (float)philox_uniform(&random);
        for (size_t i = 0; i < outputs; i++)
            dout[i] = (float)philox_normal(&random);
        reference r = reference_begin(g, params, v->batch, v->training, v->first_group, v->freeze_bn);
        reference_forward(&r, input, 77, 3);
        CHECK(!model_upload(m, params, &e) && !plan_forward(p, input, 77, 3, output, &e), "%s", e.text);
        double off = output_distance(&r, output);
        CHECK(off < limit[0], "%s %s: output off by %g", title, v->name, off);
        if (v->training && !(bf16 && how == SENSITIVE)) {
            reference_backward(&r, dout, 77, 3);
            CHECK(!plan_backward(p, dout, &e), "%s", e.text);
            /* fp16: gradients out of range make the optimiser leave its step out and halve the loss scale */
            for (int i = 1; !take_gradients(m, g, v->first_group, after, &e) && i < 20; i++)
                CHECK(!model_upload(m, params, &e) && !plan_forward(p, input, 77, 3, output, &e) &&
                          !plan_backward(p, dout, &e),
                      "%s", e.text);
            for (int i = 0; i < g->param_count; i++) {
                const param *x = &g->params[i];
                off = distance(after + x->offset, r.gradients + x->offset, x->count);
                CHECK(off < limit[1], "%s %s: gradient of %s off by %g", title, v->name, x->name, off);
            }
        }
        CHECK(!model_download(m, after, &e), "%s", e.text);
        for (int i = 0; i < g->param_count; i++) {
            const param *x = &g->params[i];
            off = distance(after + x->offset, r.params + x->offset, x->count);
            CHECK(off < limit[2], "%s %s: %s off by %g after the pass", title, v->name, x->name, off);
        }
        compare_parts(title, g, v, m, p, params, input, dout);
        reference_end(&r);
        free(params);
        free(input);
        free(output);
        free(dout);
        free(after);
    }
    plan_free(p);
    model_free(m);
    device_close(d);
}

static const variant variants[] = {
    {"training, 2 threads, direct", true, false, GROUP_STEM, 5, 2, CONV_DIRECT, PRECISION_FP32},
    {"training, 3 threads, winograd", true, false, GROUP_STEM, 3, 3, CONV_WINOGRAD, PRECISION_FP32},
    {"training, 1 thread", true, false, GROUP_STEM, 6, 1, CONV_AUTO, PRECISION_FP32},
    {"stem frozen", true, false, GROUP_TOP, 3, 2, CONV_AUTO, PRECISION_FP32},
    {"backbone frozen", true, false, GROUP_HEAD, 3, 2, CONV_AUTO, PRECISION_FP32},
    {"stored batch norms", true, true, GROUP_STEM, 3, 2, CONV_AUTO, PRECISION_FP32},
    {"evaluation, batch 1", false, false, GROUP_STEM, 1, 2, CONV_DIRECT, PRECISION_FP32},
    {"evaluation, batch 4, winograd", false, false, GROUP_STEM, 4, 2, CONV_WINOGRAD, PRECISION_FP32},
    {"bf16, training, 2 threads, direct", true, false, GROUP_STEM, 5, 2, CONV_DIRECT, PRECISION_BF16},
    {"bf16, training, 3 threads, winograd", true, false, GROUP_STEM, 3, 3, CONV_WINOGRAD, PRECISION_BF16},
    {"bf16, stem frozen", true, false, GROUP_TOP, 17, 2, CONV_AUTO, PRECISION_BF16},
    {"bf16, backbone frozen", true, false, GROUP_HEAD, 3, 1, CONV_AUTO, PRECISION_BF16},
    {"bf16, stored batch norms", true, true, GROUP_STEM, 3, 2, CONV_AUTO, PRECISION_BF16},
    {"bf16, evaluation, batch 1", false, false, GROUP_STEM, 1, 2, CONV_DIRECT, PRECISION_BF16},
    {"bf16, evaluation, batch 6", false, false, GROUP_STEM, 6, 2, CONV_WINOGRAD, PRECISION_BF16},
    {"training, oneDNN", true, false, GROUP_STEM, 5, 2, CONV_ONEDNN, PRECISION_FP32},
    {"evaluation, oneDNN", false, false, GROUP_STEM, 3, 2, CONV_ONEDNN, PRECISION_FP32},
    {"bf16, training, oneDNN", true, false, GROUP_STEM, 5, 2, CONV_ONEDNN, PRECISION_BF16},
    {"bf16, evaluation, oneDNN", false, false, GROUP_STEM, 3, 2, CONV_ONEDNN, PRECISION_BF16},
};

static void compare_all(const char *title, const graph *g, depth how)
{
    for (size_t i = 0; i < COUNT(variants); i++)
        compare(title, g, &variants[i], how);
}
#endif
