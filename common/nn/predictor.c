/* Background threads decode and scale the pictures of a list (picture_list.h) through the loader that trainings use
 * (loader.h); a picture that cannot be read becomes black and leaves a message. The consumer takes the batches in
 * order, runs the network, and for each picture either hands out the prediction, with its box mapped back to the
 * picture's own pixels, or counts it as unreadable. */
#include "nn/predictor.h"

#include "image/resize.h"
#include "image/unframe.h"
#include "nn/loader.h"
#include "nn/loss.h"
#include "nn/objects.h"
#include "nn/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- making the pictures */

/* Scratch of one background thread. */
typedef struct picture_reader {
    sampler *sampler;
    resize_scratch resize;
} picture_reader;

typedef struct picture_source {
    const picture_list *list;
    int size;
    picture_reader *readers;
    int workers;
    int (*sizes)[2]; /* height, width of each item */
    char **messages; /* of unreadable ones */
    char **warnings; /* of those that were decoded with warnings */
} picture_source;

static void source_free(picture_source *s)
{
    for (int i = 0; s->readers && i < s->workers; i++) {
        sampler_free(s->readers[i].sampler);
        resize_scratch_free(&s->readers[i].resize);
    }
    for (size_t i = 0; s->messages && s->warnings && i < s->list->count; i++) {
        free(s->messages[i]);
        free(s->warnings[i]);
    }
    free(s->readers);
    free(s->sizes);
    free(s->messages);
    free(s->warnings);
}

static int source_open(picture_source *s, error *e)
{
    s->readers = mem_zero((size_t)s->workers, sizeof *s->readers, "readers", e);
    s->sizes = mem_zero(s->list->count, sizeof *s->sizes, "sizes", e);
    s->messages = mem_zero(s->list->count, sizeof *s->messages, "messages", e);
    s->warnings = mem_zero(s->list->count, sizeof *s->warnings, "messages", e);
    if (!s->readers || !s->sizes || !s->messages || !s->warnings)
        return ERR_SYSTEM;
    for (int i = 0; i < s->workers; i++) {
        s->readers[i].sampler = sampler_create(s->size, e);
        if (!s->readers[i].sampler)
            return ERR_SYSTEM;
    }
    return 0;
}

static int read_file(picture_source *s, size_t item, picture_reader *r, float *pixels, error *e)
{
    picture whole = {0}, scaled = {0};
    const char *path = s->list->paths[item];
    picture_info info;
    int code = picture_load(&whole, path, &info, e);
    if (!code && info.warnings) {
        text_buffer b = {0};
        text_add(&b, "%s: %s", path, info.warning);
        code = text_done(&b, e);
        s->warnings[item] = b.data;
    }
    if (!code)
        code = picture_scale(&whole, s->size, &scaled, path, &r->resize, e);
    s->sizes[item][0] = whole.height;
    s->sizes[item][1] = whole.width;
    picture_free(&whole);
    if (!code) {
        scaled_picture p = {.name = path,
                            .original_height = s->sizes[item][0],
                            .original_width = s->sizes[item][1],
                            .height = scaled.height,
                            .width = scaled.width,
                            .pixels = scaled.pixels};
        code = sample_make(r->sampler, &p, NULL, NULL, NULL, pixels, NULL, e);
    }
    picture_free(&scaled);
    return code;
}

static int make_picture(void *context, uint32_t item, uint32_t epoch, int worker, float *pixels, int32_t *label,
                        float *target, error *e)
{
    picture_source *s = context;
    picture_reader *r = &s->readers[worker];
    (void)epoch;
    *label = 0;
    memset(target, 0, 4 * sizeof *target);
    if (s->list->cache) {
        if (cache_verify(s->list->cache, s->list->rows[item], e))
            return ERR_INPUT;
        scaled_picture p = cache_at(s->list->cache, s->list->rows[item]);
        s->sizes[item][0] = p.original_height;
        s->sizes[item][1] = p.original_width;
        return sample_make(r->sampler, &p, NULL, NULL, NULL, pixels, NULL, e);
    }
    error own = {0};
    int code = read_file(s, item, r, pixels, &own);
    if (!code)
        return 0;
    if (code != ERR_INPUT)
        return fail(e, code, "%s", own.text);
    /* Whether it is one too many is counted in the order of the list, not in that of the threads. */
    memset(pixels, 0, (size_t)s->size * (size_t)s->size * 3 * sizeof *pixels);
    s->messages[item] = text_copy(own.text, strlen(own.text), e);
    return s->messages[item] ? 0 : ERR_SYSTEM;
}

/* ---------------------------------------------------------------- predicting */

typedef struct prediction_run {
    const checkpoint *c;
    const picture_list *list;
    const predict_options *o;
    picture_source source;
    augment_list trained;
    loader *loader;
    model *model;
    plan *plan; /* of the batch size used last */
    int plan_batch;
    float *output;
    float *flipped, *mirrored; /* with o->flip: a batch's pictures mirrored, and what comes out */
    double *probability, *other;
    object_found found[PREDICT_OBJECTS];
    predicted_object objects[PREDICT_OBJECTS];
    int64_t bad; /* unreadable files so far, in the order of the list */
} prediction_run;

static void run_free(prediction_run *r)
{
    loader_close(r->loader);
    plan_free(r->plan);
    model_free(r->model);
    source_free(&r->source);
    free(r->output);
    free(r->flipped);
    free(r->mirrored);
    free(r->probability);
    free(r->other);
}

static int run_open(prediction_run *r, device *d, int batch, error *e)
{
    const checkpoint *c = r->c;
    recipe trained; /* the augmentation that boxes went through is in it */
    int code = recipe_of_checkpoint(&trained, c->info.recipe, e);
    if (!code)
        code = source_open(&r->source, e);
    if (code)
        return code;
    r->trained = trained.augments;
    r->output = mem_zero((size_t)batch * (size_t)c->graph.outputs, sizeof *r->output, "outputs", e);
    r->probability = mem_zero((size_t)c->info.class_count, sizeof *r->probability, "probabilities", e);
    r->other = mem_zero((size_t)c->info.class_count, sizeof *r->other, "probabilities", e);
    if (!r->output || !r->probability || !r->other)
        return ERR_SYSTEM;
    if (r->o->flip) {
        const size_t floats = (size_t)c->info.size * (size_t)c->info.size * 3;
        r->mirrored = mem_zero((size_t)batch * (size_t)c->graph.outputs, sizeof *r->mirrored, "outputs", e);
        r->flipped = mem_zero((size_t)batch * floats, sizeof *r->flipped, "mirrored pictures", e);
        if (!r->mirrored || !r->flipped)
            return ERR_SYSTEM;
    }
    r->model = model_create(d, &c->graph, e);
    if (!r->model)
        return e->code;
    code = model_upload(r->model, c->params, e);
    if (code)
        return code;
    loader_options o = {.make = make_picture,
                        .context = &r->source,
                        .samples = r->list->count,
                        .picture_floats = (size_t)c->info.size * (size_t)c->info.size * 3,
                        .target_floats = 4,
                        .batch = batch,
                        .threads = r->o->threads,
                        .ring = 3,
                        .epochs = 1};
    r->loader = loader_open(&o, e);
    return r->loader ? 0 : e->code;
}

static int forward(prediction_run *r, const loader_batch *b, error *e)
{
    if (!r->plan || r->plan_batch != b->count) {
        plan_free(r->plan);
        plan_options o = {.batch = b->count};
        r->plan = plan_create(r->model, &o, e);
        r->plan_batch = b->count;
        if (!r->plan)
            return e->code;
    }
    int code = plan_forward(r->plan, b->pictures, 0, 0, r->output, e);
    if (code || !r->o->flip)
        return code;
    const int size = r->c->info.size;
    const size_t floats = (size_t)size * (size_t)size * 3;
    memcpy(r->flipped, b->pictures, (size_t)b->count * floats * sizeof *r->flipped);
    for (size_t i = 0; i < (size_t)b->count; i++)
        augment_flip(r->flipped + i * floats, size, size);
    return plan_forward(r->plan, r->flipped, 0, 0, r->mirrored, e);
}

/* Averages what the network says of a picture with what it says of the mirrored one. A label's last column is
 * inclusive, so columns x of the frame are size - 1 - x in the mirror. */
static void average_one(prediction_run *r, const float *mirrored, prediction *p)
{
    const checkpoint_info *info = &r->c->info;
    const float *scores = loss_scores(info->task, mirrored);
    box_real b;
    if (scores) {
        loss_softmax(scores, info->class_count, r->other);
        for (int i = 0; i < info->class_count; i++)
            r->probability[i] = (r->probability[i] + r->other[i]) / 2;
    }
    if (loss_box(info->task, info->size, mirrored, &b))
        p->frame = (box_real){(p->frame.y1 + b.y1) / 2, (p->frame.x1 + info->size - 1 - b.x2) / 2,
                              (p->frame.y2 + b.y2) / 2, (p->frame.x2 + info->size - 1 - b.x1) / 2};
}

/* The same for the maps of a detector of all objects: columns are read from the other end, and the distances to a box's
 * left and right side change places. */
static void average_maps(const checkpoint_info *info, float *output, const float *mirrored)
{
    enum { LEFT = 1, RIGHT = 3 };
    const int side = info->size / OBJECTS_STRIDE, cells = side * side;
    for (int c = 0; c < 4 + info->class_count; c++) {
        const float *of = mirrored + (size_t)(c == LEFT ? RIGHT : c == RIGHT ? LEFT : c) * (size_t)cells;
        for (int k = 0; k < cells; k++)
            output[c * cells + k] = (output[c * cells + k] + of[k - k % side + side - 1 - k % side]) / 2;
    }
}

/* The class and the box of the largest object. mirrored: NULL without. */
static void take_one(prediction_run *r, const float *output, const float *mirrored, prediction *p)
{
    const checkpoint_info *info = &r->c->info;
    const float *scores = loss_scores(info->task, output);
    if (scores)
        loss_softmax(scores, info->class_count, r->probability);
    p->has_box = loss_box(info->task, info->size, output, &p->frame);
    if (mirrored)
        average_one(r, mirrored, p);
    if (scores) {
        p->probability = r->probability;
        p->best = 0;
        for (int i = 1; i < info->class_count; i++)
            if (r->probability[i] > r->probability[p->best])
                p->best = i;
        p->confidence = r->probability[p->best];
    }
    if (p->has_box)
        p->own = frame_to_own(p->frame, p->height, p->width, info->size, &r->trained);
}

/* Edges in the frame as corners in a picture of height x width, which belong to the box. */
static box_real own_of(box_real edges, int size, int height, int width)
{
    const double y = (double)height / size, x = (double)width / size;
    const double top = fmin(edges.y1 * y, height - 1), left = fmin(edges.x1 * x, width - 1);
    return (box_real){top, left, fmax(edges.y2 * y - 1, top), fmax(edges.x2 * x - 1, left)};
}

/* All objects, and which is the largest. */
static int take_all(prediction_run *r, const float *output, prediction *p, error *e)
{
    const checkpoint_info *info = &r->c->info;
    const objects_search s = {
        .classes = info->class_count, .size = info->size, .overlap = PREDICT_OVERLAP, .most = PREDICT_OBJECTS};
    p->object_count = objects_find(&s, output, r->found, e);
    if (p->object_count < 0)
        return e->code;
    for (int i = 0; i < p->object_count; i++)
        r->objects[i] = (predicted_object){r->found[i].class_index, r->found[i].score,
                                           own_of(r->found[i].edges, info->size, p->height, p->width)};
    p->objects = r->objects;
    const int largest = objects_largest(r->found, p->object_count, info->size);
    p->best = r->objects[largest].class_index;
    p->confidence = r->objects[largest].score;
    p->has_box = true;
    p->own = r->objects[largest].own;
    p->frame = frame_expected(p->own, p->height, p->width, info->size, NULL);
    return 0;
}

/* `at`: the picture's place in the batch. */
static int hand_out(prediction_run *r, size_t item, int at, error *e)
{
    const size_t outputs = (size_t)r->c->graph.outputs;
    float *output = r->output + (size_t)at * outputs;
    const float *mirrored = r->o->flip ? r->mirrored + (size_t)at * outputs : NULL;
    const checkpoint_info *info = &r->c->info;
    prediction p = {.item = item,
                    .file_name = r->list->file_names.items[item],
                    .height = r->source.sizes[item][0],
                    .width = r->source.sizes[item][1],
                    .best = -1};
    for (size_t i = 0; i < outputs; i++)
        if (!isfinite(output[i]) || (mirrored && !isfinite(mirrored[i])))
            return fail(e, ERR_INPUT, "the network's output for %s is not a finite number; its training failed",
                        p.file_name);
    if (mirrored && info->task == TASK_OBJECTS)
        average_maps(info, output, mirrored);
    if (info->task != TASK_OBJECTS)
        take_one(r, output, mirrored, &p);
    else if (take_all(r, output, &p, e))
        return e->code;
    return r->o->row(r->o->row_context, &p, e);
}

static int run_batches(prediction_run *r, error *e)
{
    for (size_t done = 0; done < r->list->count;) {
        loader_batch b = {0};
        int code = loader_next(r->loader, &b, e);
        if (!code)
            code = forward(r, &b, e);
        for (int i = 0; i < b.count && !code; i++) {
            const char *message = r->source.messages[b.samples[i]];
            const char *warning = r->source.warnings[b.samples[i]];
            if (warning && r->o->warned)
                r->o->warned(r->o->note_context, warning);
            if (!message)
                code = hand_out(r, b.samples[i], i, e);
            else if (++r->bad > r->o->max_bad)
                code = fail(e, ERR_INPUT, "%s", message);
            else if (r->o->bad)
                r->o->bad(r->o->note_context, message);
        }
        if (code)
            return code;
        done += (size_t)b.count;
    }
    return 0;
}

int predict_run(const checkpoint *c, device *d, const picture_list *list, const predict_options *o, size_t *bad,
                error *e)
{
    prediction_run r = {.c = c, .list = list, .o = o};
    int batch = list->count < (size_t)o->batch ? (int)list->count : o->batch;
    r.source = (picture_source){.list = list, .size = c->info.size, .workers = loader_workers(o->threads)};
    int code = run_open(&r, d, batch, e);
    if (!code)
        code = run_batches(&r, e);
    *bad = (size_t)r.bad;
    run_free(&r);
    return code;
}
