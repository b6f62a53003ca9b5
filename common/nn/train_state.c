/* A state is a safetensors file: what is short goes into the metadata as text, parameters and moments are the
 * tensors. The tables of a training grow with every batch and are not in it: it says how many bytes of them are
 * valid. Reading trusts nothing: format, facts, place, shapes and values are checked one after the other. */
#include "nn/train_state.h"

#include "base/digest.h"
#include "base/text.h"
#include "nn/history.h"
#include "nn/initial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "onebox state 2"
#define OLD_FORMAT "onebox state 1"

/* What stands behind a parameter's name: the parameter itself, its two moments and its mean. */
enum { SELF, FIRST, SECOND, MEAN, KINDS, NAME = sizeof((param *)0)->name + 8 };
static const char *const endings[KINDS] = {"", ".first", ".second", ".mean"};

/* Whether a parameter's array of this kind is there at this point. */
static bool has_kind(const param *p, int kind, const trainer_point *point, const recipe *r)
{
    if (kind == MEAN)
        return recipe_averaged(r, point->phase, point->epoch) > 0;
    return kind == SELF || (point->epoch > 0 && p->trainable && p->group >= r->phases[point->phase].from);
}

/* ---------------------------------------------------------------- rows of a table */

train_rows train_rows_of(const char *rows, size_t bytes)
{
    train_rows r = {.bytes = bytes};
    sha256_hex(rows, bytes, r.sha256);
    return r;
}

bool train_rows_begin(const train_rows *r, const char *rows, size_t size)
{
    return r->bytes <= size && strcmp(train_rows_of(rows, r->bytes).sha256, r->sha256) == 0;
}

enum { ROWS_TEXT = 96 };

static const char *rows_text(const train_rows *r, char text[ROWS_TEXT])
{
    snprintf(text, ROWS_TEXT, "%zu %s", r->bytes, r->sha256);
    return text;
}

static bool read_rows_text(const char *text, train_rows *r)
{
    text_field f[2];
    int64_t bytes;
    if (!text || text_split(text, strlen(text), ' ', f, 2) != 2 ||
        !text_int(f[0].text, f[0].size, 0, INT64_MAX, &bytes) || f[1].size != sizeof r->sha256 - 1)
        return false;
    r->bytes = (size_t)bytes;
    memcpy(r->sha256, f[1].text, sizeof r->sha256);
    return true;
}

/* ---------------------------------------------------------------- writing */

int train_state_save(const char *path, const train_state *s, const graph *g, const recipe *r, const float *params,
                     error *e)
{
    char point[32], average[HISTORY_NUMBER], smoothed[HISTORY_NUMBER + 24];
    snprintf(point, sizeof point, "%d %d", s->point.phase, s->point.epoch);
    history_shortest(s->point.smooth.average, average);
    snprintf(smoothed, sizeof smoothed, "%s %lld", average, (long long)s->point.smooth.count);
    const float *const arrays[KINDS] = {params, s->point.first, s->point.second, s->point.mean};
    char history[ROWS_TEXT], batches[ROWS_TEXT];
    char checksum[17] = "";
    const safetensors_meta meta[] = {{"format", FORMAT},
                                     {"point", point},
                                     {"smoothed", smoothed},
                                     {"history", rows_text(&s->history, history)},
                                     {"batches", rows_text(&s->batches, batches)},
                                     {"device", s->device},
                                     {SAFETENSORS_CHECKSUM, checksum}};
    enum { META = COUNT(meta) };
    safetensors_meta all[META + TRAIN_FACTS];
    memcpy(all, meta, sizeof meta);
    for (int i = 0; i < s->fact_count; i++)
        all[META + i] = (safetensors_meta){s->facts[i].name, s->facts[i].value};
    const size_t most = (size_t)g->param_count * KINDS;
    safetensors_item *items = mem_zero(most, sizeof *items, "tensors", e);
    char(*names)[NAME] = mem_zero(most, sizeof *names, "names of tensors", e);
    size_t count = 0;
    int code = items && names ? 0 : ERR_SYSTEM;
    for (int i = 0; i < g->param_count && !code; i++) {
        const param *p = &g->params[i];
        for (int kind = 0; kind < KINDS; kind++) {
            if (!has_kind(p, kind, &s->point, r))
                continue;
            snprintf(names[count], sizeof *names, "%s%s", p->name, endings[kind]);
            items[count] = (safetensors_item){.name = names[count], .dims = p->dims, .data = arrays[kind] + p->offset};
            for (int k = 0; k < p->dims; k++)
                items[count].shape[k] = (uint64_t)p->shape[k];
            count++;
        }
    }
    if (!code)
        code = safetensors_checksum(items, count, checksum, e);
    if (!code)
        code = safetensors_write(path, items, count, all, META + (size_t)s->fact_count, e);
    free(items);
    free(names);
    return code;
}

/* ---------------------------------------------------------------- reading */

static int refuse_state(const char *path, const char *what, error *e)
{
    return fail(e, ERR_INPUT, "%s: is no state of a training (%s); --fresh removes it and starts anew", path, what);
}

static int read_point(const safetensors *st, const recipe *r, trainer_point *point, error *e)
{
    const char *at = safetensors_value(st, "point"), *smoothed = safetensors_value(st, "smoothed");
    text_field f[2], g[2];
    int64_t phase, epoch, count;
    double average;
    if (!at || text_split(at, strlen(at), ' ', f, 2) != 2 ||
        !text_int(f[0].text, f[0].size, 0, r->phase_count - 1, &phase) ||
        !text_int(f[1].text, f[1].size, 0, schedule_epochs(&r->phases[phase].schedule) - 1, &epoch))
        return refuse_state(st->view.path, "its 'point' is not in the phases to run", e);
    if (!smoothed || text_split(smoothed, strlen(smoothed), ' ', g, 2) != 2 ||
        !text_double(g[0].text, g[0].size, &average) || !text_int(g[1].text, g[1].size, 0, INT64_MAX, &count))
        return refuse_state(st->view.path, "its 'smoothed' is not two numbers", e);
    *point = (trainer_point){.phase = (int)phase, .epoch = (int)epoch, .smooth = {average, count}};
    return 0;
}

static int read_texts(const safetensors *st, train_state *s, error *e)
{
    const char *path = st->view.path, *format = safetensors_value(st, "format");
    if (format && strcmp(format, OLD_FORMAT) == 0)
        return fail(e, ERR_INPUT,
                    "%s: was written by an earlier version of this program: finish the training with that one, or "
                    "start anew with --fresh",
                    path);
    if (!format || strcmp(format, FORMAT) != 0)
        return refuse_state(path, "its 'format' is not '" FORMAT "'", e);
    for (int i = 0; i < s->fact_count; i++) {
        const char *value = safetensors_value(st, s->facts[i].name);
        if (!value || strcmp(value, s->facts[i].value) != 0) {
            s->differs = s->facts[i].name;
            return fail(e, ERR_INPUT,
                        "%s: belongs to another training (%s); without --resume, or with --fresh, this one starts anew",
                        path, s->differs);
        }
    }
    s->device = safetensors_value(st, "device");
    bool rows = read_rows_text(safetensors_value(st, "history"), &s->history) &&
                read_rows_text(safetensors_value(st, "batches"), &s->batches);
    return rows && s->device ? 0 : refuse_state(path, "it does not say which rows of the tables are its own", e);
}

static int read_array(const safetensors *st, const param *p, const char *ending, float *array, error *e)
{
    char name[NAME], what[NAME + 48];
    snprintf(name, sizeof name, "%s%s", p->name, ending);
    const safetensors_tensor *t = safetensors_find(st, name);
    bool fits = t && t->dims == p->dims;
    for (int k = 0; fits && k < p->dims; k++)
        fits = t->shape[k] == (uint64_t)p->shape[k];
    snprintf(what, sizeof what, "tensor '%s' %s", name, t ? "has another shape" : "is missing");
    if (!fits)
        return refuse_state(st->view.path, what, e);
    int code = safetensors_floats(t, st->view.path, array + p->offset, e);
    snprintf(what, sizeof what, "tensor '%s' holds a value that is not finite", name);
    for (size_t i = 0; i < p->count && !code; i++)
        if (!isfinite(array[p->offset + i]))
            code = refuse_state(st->view.path, what, e);
    return code;
}

static int read_arrays(train_state_file *f, const trainer_point *point, const graph *g, const recipe *r, float *params,
                       error *e)
{
    float *const arrays[KINDS] = {params, f->first, f->second, f->mean};
    size_t count = 0;
    for (int i = 0; i < g->param_count; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            if (!has_kind(&g->params[i], kind, point, r))
                continue;
            count++;
            int code = read_array(&f->file, &g->params[i], endings[kind], arrays[kind], e);
            if (code)
                return code;
        }
    return count == f->file.count ? 0
                                  : refuse_state(f->file.view.path, "it has tensors that the network does not have", e);
}

int train_state_open(train_state_file *f, const char *path, train_state *s, const graph *g, const recipe *r,
                     float *params, error *e)
{
    *f = (train_state_file){0};
    int code = safetensors_open(&f->file, path, e);
    if (code)
        return code;
    code = read_texts(&f->file, s, e);
    if (!code)
        code = read_point(&f->file, r, &s->point, e);
    if (!code && s->point.epoch > 0) {
        s->point.first = f->first = params_alloc(g, e);
        s->point.second = f->second = params_alloc(g, e);
        code = f->first && f->second ? 0 : ERR_SYSTEM;
    }
    if (!code && recipe_averaged(r, s->point.phase, s->point.epoch)) {
        s->point.mean = f->mean = params_alloc(g, e);
        code = f->mean ? 0 : ERR_SYSTEM;
    }
    if (!code)
        code = read_arrays(f, &s->point, g, r, params, e);
    if (!code && safetensors_verify(&f->file, NULL))
        code = refuse_state(path, "its numbers are not those that were written", e);
    if (code)
        train_state_close(f);
    return code;
}

void train_state_close(train_state_file *f)
{
    safetensors_close(&f->file);
    free(f->first);
    free(f->second);
    free(f->mean);
    *f = (train_state_file){0};
}
