/* Rows of the label files are joined with the cache when a dataset is opened; what was left out of the cache is left
 * out here too. A sample is made from its row alone: the random draws of its augmentation, then picture and target in
 * one go (image/sample.h), on the scratch of the worker that asks. */
#include "nn/dataset.h"

#include "nn/objects.h"

#include <stdlib.h>
#include <string.h>

/* What one worker makes samples with. */
struct dataset_scratch {
    sampler *sampler;
    box *raws; /* of one picture's objects */
    sample_object *objects;
};

/* The rows of one set whose pictures are in the cache, or were not left out of it: those that are neither are an error
 * in find_pictures. */
static int keep_rows(dataset_part *part, const uint32_t *rows, size_t count, const bool *left_out, error *e)
{
    part->rows = mem_zero(count, sizeof *part->rows, "rows", e);
    if (!part->rows)
        return ERR_SYSTEM;
    for (size_t i = 0; i < count; i++)
        if (!left_out[rows[i]])
            part->rows[part->count++] = rows[i];
    return 0;
}

static int check_boxes(const dataset *d, const dataset_part *part, const char *cache_path, error *e)
{
    const labels *l = d->labels;
    for (size_t i = 0; (l->has_box || l->has_objects) && i < part->count; i++) {
        const label_row *row = &l->rows[part->rows[i]];
        scaled_picture p = cache_at(d->cache, d->cache_rows[part->rows[i]]);
        const box b = row->box;
        if (b.y1 >= p.original_height || b.x1 >= p.original_width)
            return fail(
                e, ERR_INPUT,
                "%s: its box %d %d %d %d lies outside the picture of %d x %d (height x width); resize-cache makes "
                "%s anew, of the pictures of these labels",
                row->file_name, b.y1, b.x1, b.y2, b.x2, p.original_height, p.original_width, cache_path);
    }
    return 0;
}

static int find_pictures(dataset *d, const char *cache_path, error *e)
{
    const labels *l = d->labels;
    const char **wanted = mem_zero(l->count, sizeof *wanted, "file names", e);
    bool *left_out = mem_zero(l->count, sizeof *left_out, "file names", e);
    d->cache_rows = mem_zero(l->count, sizeof *d->cache_rows, "cache rows", e);
    int code = wanted && left_out && d->cache_rows ? 0 : ERR_SYSTEM;
    for (size_t i = 0; i < l->count && !code; i++)
        wanted[i] = l->rows[i].file_name;
    if (!code)
        code = cache_left_out(d->cache, wanted, l->count, left_out, &d->left_out, e);
    for (size_t i = 0; i < l->count && !code && d->left_out; i++)
        if (left_out[i])
            wanted[i] = NULL;
    if (!code && (code = cache_rows(d->cache, wanted, l->count, d->cache_rows, e)))
        fail_context(e, "%s", cache_path);
    if (!code)
        code = keep_rows(&d->train, l->train, l->train_count, left_out, e);
    if (!code)
        code = keep_rows(&d->val, l->val, l->val_count, left_out, e);
    free(wanted);
    free(left_out);
    if (!code)
        code = check_boxes(d, &d->train, cache_path, e);
    return code ? code : check_boxes(d, &d->val, cache_path, e);
}

static int open_part(dataset *d, dataset_part *part, bool augmented, error *e)
{
    part->set = d;
    part->augmented = augmented;
    part->scratch = mem_zero((size_t)d->workers, sizeof *part->scratch, "samplers", e);
    if (!part->scratch)
        return ERR_SYSTEM;
    for (int i = 0; i < d->workers; i++) {
        struct dataset_scratch *s = &part->scratch[i];
        s->sampler = sampler_create(cache_size(d->cache), e);
        s->raws = mem_zero(d->labels->most_objects, sizeof *s->raws, "boxes", e);
        s->objects = mem_zero(d->labels->most_objects, sizeof *s->objects, "boxes", e);
        if (!s->sampler || !s->raws || !s->objects)
            return ERR_SYSTEM;
    }
    return 0;
}

int dataset_open(dataset *d, const cache *c, const char *cache_path, const labels *l, int size,
                 const augment_list *augments, uint64_t seed, int workers, error *e)
{
    *d = (dataset){.cache = c, .labels = l, .augments = *augments, .seed = seed, .workers = workers};
    d->target_floats = l->has_objects ? objects_target_floats((int)l->most_objects) : 4;
    if (cache_size(c) != size)
        return fail(e, ERR_INPUT,
                    "%s: its pictures are scaled to %d, the network takes %d; make one with resize-cache --size %d",
                    cache_path, cache_size(c), size, size);
    int code = find_pictures(d, cache_path, e);
    if (!code)
        code = open_part(d, &d->train, true, e);
    if (!code)
        code = open_part(d, &d->val, false, e);
    return code;
}

static void free_part(dataset *d, dataset_part *part)
{
    for (int i = 0; part->scratch && i < d->workers; i++) {
        sampler_free(part->scratch[i].sampler);
        free(part->scratch[i].raws);
        free(part->scratch[i].objects);
    }
    free(part->scratch);
    free(part->rows);
}

void dataset_free(dataset *d)
{
    free_part(d, &d->train);
    free_part(d, &d->val);
    free(d->cache_rows);
    *d = (dataset){0};
}

/* The sample with all objects of row l: those that are gone are left out, those that are nearly so are ignored. */
static int make_objects(const dataset *d, struct dataset_scratch *s, const label_row *l, const scaled_picture *from,
                        const augment_list *list, const augment_state *states, float *picture, float *target, error *e)
{
    const label_object *objects = &d->labels->objects[l->first_object];
    for (size_t i = 0; i < l->object_count; i++)
        s->raws[i] = objects[i].box;
    int code =
        sample_make_objects(s->sampler, from, list, states, s->raws, (int)l->object_count, picture, s->objects, e);
    object_target *out = (object_target *)(void *)(target + 1);
    int count = 0;
    for (size_t i = 0; i < l->object_count && !code; i++) {
        const sample_object *o = &s->objects[i];
        if (o->left > 0)
            out[count++] =
                (object_target){(float)(o->left < DATASET_LEAST_LEFT ? -1 : objects[i].class_index), (float)o->edges.y1,
                                (float)o->edges.x1, (float)o->edges.y2, (float)o->edges.x2};
    }
    *target = (float)count;
    return code;
}

/* Row `row` of the label file, changed as the states say; states NULL: as it is. */
static int make_row(const dataset_part *p, uint32_t row, const augment_state *states, int worker, float *picture,
                    int32_t *label, float *target, error *e)
{
    const dataset *d = p->set;
    const label_row *l = &d->labels->rows[row];
    const augment_list *list = states ? &d->augments : NULL;
    struct dataset_scratch *scratch = &p->scratch[worker];
    if (picture && cache_verify(d->cache, d->cache_rows[row], e))
        return ERR_INPUT;
    scaled_picture scaled = cache_at(d->cache, d->cache_rows[row]);
    memset(target, 0, (size_t)d->target_floats * sizeof *target);
    *label = l->class_index < 0 ? 0 : l->class_index;
    if (d->labels->has_objects)
        return make_objects(d, scratch, l, &scaled, list, states, picture, target, e);
    return sample_make(scratch->sampler, &scaled, list, states, d->labels->has_box ? &l->box : NULL, picture, target,
                       e);
}

/* The states of a row in an epoch. */
static void draw_states(const dataset_part *p, uint32_t row, uint32_t epoch, augment_state states[AUGMENT_MAX])
{
    philox random = augment_random(p->set->seed, epoch, row);
    augment_draw(&p->set->augments, &random, states);
}

int dataset_make(void *part, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label, float *target,
                 error *e)
{
    const dataset_part *p = part;
    augment_state states[AUGMENT_MAX];
    if (p->augmented)
        draw_states(p, p->rows[sample], epoch, states);
    return make_row(p, p->rows[sample], p->augmented ? states : NULL, worker, picture, label, target, e);
}

int dataset_forms(const dataset_part *part)
{
    const augment_list *list = &part->set->augments;
    if (!part->augmented || list->count == 0)
        return 1;
    return list->count == 1 && list->items[0].kind == AUGMENT_FLIP ? 2 : 0;
}

const char *dataset_name(void *part, uint32_t sample)
{
    const dataset_part *p = part;
    return p->set->labels->rows[p->rows[sample]].file_name;
}

int dataset_form(void *part, uint32_t sample, uint32_t epoch)
{
    const dataset_part *p = part;
    augment_state states[AUGMENT_MAX] = {0};
    if (p->augmented)
        draw_states(p, p->rows[sample], epoch, states);
    return states[0].taken;
}

int dataset_make_form(void *part, uint32_t number, uint32_t epoch, int worker, float *picture, int32_t *label,
                      float *target, error *e)
{
    (void)epoch;
    const dataset_part *p = part;
    const uint32_t forms = (uint32_t)dataset_forms(p);
    /* there is at least one form NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    const augment_state state = {.taken = number % forms == 1};
    return make_row(p, p->rows[number / forms], forms == 2 ? &state : NULL, worker, picture, label, target, e);
}
