/* Reading: the metadata say which network it is, the network is built, and each tensor of the file is put into the
 * parameter of its name; what is missing, unknown, of another shape or not finite is refused. A backbone is read by
 * the same function, with the names of heads passed over. Writing is the reverse. */
#include "nn/checkpoint.h"

#include "base/digest.h"
#include "base/text.h"
#include "nn/initial.h"
#include "weights/safetensors.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "onebox 1"

/* ---------------------------------------------------------------- tensors */

/* One tensor of the file into its parameter. */
static int fill_param(const char *path, const safetensors_tensor *t, const param *p, float *params, error *e)
{
    uint64_t wanted[SAFETENSORS_DIMS] = {0};
    bool fits = t->dims == p->dims;
    for (int i = 0; i < p->dims; i++) {
        wanted[i] = (uint64_t)p->shape[i];
        fits = fits && t->shape[i] == wanted[i];
    }
    if (!fits) {
        char is[100], needed[100];
        text_shape(is, sizeof is, t->dims, t->shape);
        text_shape(needed, sizeof needed, p->dims, wanted);
        return fail(e, ERR_INPUT, "%s: tensor '%s' is %s, the network needs %s", path, t->name, is, needed);
    }
    int code = safetensors_floats(t, path, params + p->offset, e);
    if (code)
        return code;
    for (size_t i = 0; i < p->count; i++)
        if (!isfinite(params[p->offset + i]))
            return fail(e, ERR_INPUT, "%s: tensor '%s', element %zu is not a finite number", path, t->name, i);
    return 0;
}

/* All tensors of the file into the parameters of the groups up to last_group, each of which must be there.
 * Tensors whose name begins with one of `passed` (NULL-terminated) are passed over. */
static int fill_params(const safetensors *st, const graph *g, int last_group, const char *const *passed, float *params,
                       error *e)
{
    const char *path = st->view.path;
    bool *seen = mem_zero((size_t)g->param_count, sizeof *seen, "the weights", e);
    if (!seen)
        return ERR_SYSTEM;
    int code = 0;
    for (size_t i = 0; i < st->count && !code; i++) {
        const safetensors_tensor *t = &st->tensors[i];
        bool pass = text_ends_with(t->name, ".num_batches_tracked");
        for (const char *const *p = passed; *p && !pass; p++)
            pass = strncmp(t->name, *p, strlen(*p)) == 0;
        if (pass)
            continue;
        int k = graph_find_param(g, t->name);
        if (k < 0 || g->params[k].group > last_group) {
            code = fail(e, ERR_INPUT, "%s: tensor '%s' is not part of this network (another --arch?)", path, t->name);
            break;
        }
        seen[k] = true;
        code = fill_param(path, t, &g->params[k], params, e);
    }
    int missing = 0;
    const char *first = NULL;
    for (int k = 0; k < g->param_count && !code; k++)
        if (g->params[k].group <= last_group && !seen[k]) {
            missing++;
            first = first ? first : g->params[k].name;
        }
    if (missing)
        code = fail(e, ERR_INPUT, "%s: tensor '%s' is missing (%d in all; another --arch?)", path, first, missing);
    free(seen);
    return code;
}

int backbone_load(const graph *g, arch a, const char *path, float *params, char sha256[65], error *e)
{
    static const char *const passed[] = {"fc.", "head.", NULL};
    safetensors st;
    int code = safetensors_open(&st, path, e);
    if (code)
        return code;
    const char *theirs = safetensors_value(&st, "arch"), *format = safetensors_value(&st, "format");
    if (theirs && format && strcmp(format, FORMAT) == 0 && strcmp(theirs, arch_name(a)) != 0)
        code = fail(e, ERR_INPUT, "%s: holds a %s, a %s is needed (--arch %s would fit it)", path, theirs, arch_name(a),
                    theirs);
    if (!code)
        code = fill_params(&st, g, GROUP_TOP, passed, params, e);
    if (!code)
        code = safetensors_verify(&st, e);
    if (!code)
        sha256_hex(st.view.data, st.view.size, sha256);
    safetensors_close(&st);
    return code;
}

/* ---------------------------------------------------------------- metadata */

static int three_numbers(const char *path, const char *key, const char *text, float out[3], error *e)
{
    text_field f[3];
    size_t n = text_split(text, strlen(text), ' ', f, 3);
    for (size_t i = 0; i < 3; i++) {
        double d;
        if (n != 3 || !text_double(f[i].text, f[i].size, &d) || fabs(d) > 1e6)
            return fail(e, ERR_INPUT, "%s: metadata '%s' is '%s', three numbers are needed", path, key, text);
        out[i] = (float)d;
    }
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ERR_INPUT when a class name is empty or there twice. */
static int check_classes(const char *path, const char *const *names, int count, error *e)
{
    const char **sorted = mem_zero((size_t)count, sizeof *sorted, "class names", e);
    if (!sorted)
        return ERR_SYSTEM;
    int code = 0;
    for (int i = 0; i < count; i++)
        sorted[i] = names[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_texts);
    for (int i = 0; i < count && !code; i++) {
        if (!sorted[i][0] || strchr(sorted[i], '\n'))
            code = fail(e, ERR_INPUT, "%s: a class name is empty or has a line break", path);
        else if (i && strcmp(sorted[i - 1], sorted[i]) == 0)
            code = fail(e, ERR_INPUT, "%s: class '%s' is there twice", path, sorted[i]);
    }
    free(sorted);
    return code;
}

/* Splits the classes' text (in our own storage) in place into names. */
static int split_classes(checkpoint *c, const char *path, char *text, error *e)
{
    if (!*text)
        return 0;
    size_t count = 1;
    for (const char *p = text; *p; p++)
        count += *p == '\n';
    if (count > 65536)
        return fail(e, ERR_INPUT, "%s: %zu classes are more than 65536", path, count);
    c->names = mem_zero(count, sizeof *c->names, "class names", e);
    if (!c->names)
        return ERR_SYSTEM;
    for (size_t i = 0; i < count; i++) {
        c->names[i] = text;
        text += strcspn(text, "\n");
        if (*text)
            *text++ = '\0';
    }
    c->info.classes = c->names;
    c->info.class_count = (int)count;
    return check_classes(path, c->names, c->info.class_count, e);
}

/* The metadata that are kept as they are, and where; checkpoint.h says what they mean. */
static const struct {
    const char *key;
    size_t place; /* of a const char * in checkpoint_info */
} kept_texts[] = {{"recipe", offsetof(checkpoint_info, recipe)},   {"parent", offsetof(checkpoint_info, parent)},
                  {"version", offsetof(checkpoint_info, version)}, {"conv", offsetof(checkpoint_info, conv)},
                  {"phase", offsetof(checkpoint_info, phase)},     {"seed", offsetof(checkpoint_info, seed)},
                  {"metrics", offsetof(checkpoint_info, metrics)}};

static const char **kept_text(checkpoint_info *info, size_t i)
{
    return (const char **)(void *)((char *)info + kept_texts[i].place);
}

static const char *value_or_empty(const safetensors *st, const char *key)
{
    const char *v = safetensors_value(st, key);
    return v ? v : "";
}

/* Copies the classes' text, which comes first, and those that are kept into one block, c->texts. */
static int read_texts(checkpoint *c, const safetensors *st, error *e)
{
    const char *classes = value_or_empty(st, "classes");
    size_t total = strlen(classes) + 1;
    for (size_t i = 0; i < COUNT(kept_texts); i++)
        total += strlen(value_or_empty(st, kept_texts[i].key)) + 1;
    c->texts = mem_zero(total, 1, "metadata", e);
    if (!c->texts)
        return ERR_SYSTEM;
    char *at = stpcpy(c->texts, classes) + 1;
    for (size_t i = 0; i < COUNT(kept_texts); i++) {
        *kept_text(&c->info, i) = at;
        at = stpcpy(at, value_or_empty(st, kept_texts[i].key)) + 1;
    }
    return 0;
}

static int read_info(checkpoint *c, const safetensors *st, error *e)
{
    static const char *const keys[] = {"format", "task", "arch", "size", "classes", "mean", "std"};
    const char *path = st->view.path, *value[7];
    for (int i = 0; i < 7; i++)
        if (!(value[i] = safetensors_value(st, keys[i])))
            return fail(e, ERR_INPUT, "%s: not a checkpoint of this program, its metadata has no '%s'", path, keys[i]);
    if (strcmp(value[0], FORMAT) != 0)
        return fail(e, ERR_INPUT, "%s: format '%s', this program reads '%s'", path, value[0], FORMAT);
    if (!task_parse(value[1], &c->info.task))
        return fail(e, ERR_INPUT, "%s: unknown task '%s'", path, value[1]);
    if (!arch_parse(value[2], &c->info.arch))
        return fail(e, ERR_INPUT, "%s: unknown arch '%s'", path, value[2]);
    int64_t size;
    if (!text_int(value[3], strlen(value[3]), 32, 2048, &size))
        return fail(e, ERR_INPUT, "%s: size '%s' is not a number within 32..2048", path, value[3]);
    c->info.size = (int)size;
    int code = three_numbers(path, "mean", value[5], c->info.mean, e);
    if (!code)
        code = three_numbers(path, "std", value[6], c->info.std, e);
    if (!code)
        code = read_texts(c, st, e);
    if (!code)
        code = split_classes(c, path, c->texts, e);
    if (!code && (c->info.task == TASK_BBOX) != (c->info.class_count == 0))
        code = fail(e, ERR_INPUT, "%s: a %s checkpoint with %d classes", path, task_name(c->info.task),
                    c->info.class_count);
    return code;
}

/* ---------------------------------------------------------------- whole checkpoints */

int checkpoint_open(checkpoint *c, const char *path, error *e)
{
    static const char *const passed[] = {NULL};
    *c = (checkpoint){0};
    safetensors st;
    int code = safetensors_open(&st, path, e);
    if (code)
        return code;
    code = read_info(c, &st, e);
    if (!code) {
        error inner = {0};
        code = network_build(&c->graph, c->info.task, c->info.arch, c->info.size, c->info.class_count, c->info.mean,
                             c->info.std, &inner);
        if (code)
            code = fail(e, code == ERR_SYSTEM ? ERR_SYSTEM : ERR_INPUT, "%s: %s", path, inner.text);
    }
    if (!code && !(c->params = params_alloc(&c->graph, e)))
        code = ERR_SYSTEM;
    if (!code)
        code = fill_params(&st, &c->graph, GROUP_HEAD, passed, c->params, e);
    if (!code)
        code = safetensors_verify(&st, e);
    c->sealed = safetensors_value(&st, SAFETENSORS_CHECKSUM) != NULL;
    safetensors_close(&st);
    if (code)
        checkpoint_close(c);
    return code;
}

void checkpoint_close(checkpoint *c)
{
    graph_free(&c->graph);
    free(c->params);
    free(c->texts);
    free(c->names);
    *c = (checkpoint){0};
}

int checkpoint_expect(const checkpoint *c, const char *path, task t, const char *const *names, int count, error *e)
{
    if (c->info.task != t)
        return fail(e, ERR_INPUT, "%s: is a %s checkpoint, a %s checkpoint is needed", path, task_name(c->info.task),
                    task_name(t));
    if (count == 0)
        return 0;
    if (c->info.class_count != count)
        return fail(e, ERR_INPUT, "%s: knows %d classes, the labels have %d", path, c->info.class_count, count);
    for (int i = 0; i < count; i++)
        if (strcmp(c->info.classes[i], names[i]) != 0)
            return fail(e, ERR_INPUT, "%s: class %d is '%s', in the labels it is '%s'", path, i, c->info.classes[i],
                        names[i]);
    return 0;
}

enum { NUMBERS = 64 }; /* room for three numbers */

static const char *numbers_text(const float x[3], char text[NUMBERS])
{
    snprintf(text, NUMBERS, "%.9g %.9g %.9g", (double)x[0], (double)x[1], (double)x[2]);
    return text;
}

int checkpoint_save(const char *path, const checkpoint_info *info, const graph *g, const float *params, error *e)
{
    text_buffer classes = {0};
    safetensors_item *items = NULL;
    int count = info->task == TASK_BBOX ? 0 : info->class_count;
    int code = check_classes(path, info->classes, count, e);
    for (int i = 0; i < count && !code; i++)
        text_add(&classes, "%s%s", i ? "\n" : "", info->classes[i]);
    if (!code)
        code = text_done(&classes, e);
    if (!code) {
        items = mem_zero((size_t)g->param_count, sizeof *items, "tensors", e);
        code = items ? 0 : ERR_SYSTEM;
    }
    for (int i = 0; i < g->param_count && !code; i++) {
        const param *p = &g->params[i];
        items[i] = (safetensors_item){.name = p->name, .dims = p->dims, .data = params + p->offset};
        for (int k = 0; k < p->dims; k++)
            items[i].shape[k] = (uint64_t)p->shape[k];
    }
    char size[16], mean[NUMBERS], std[NUMBERS], checksum[17] = "";
    if (!code)
        code = safetensors_checksum(items, (size_t)g->param_count, checksum, e);
    snprintf(size, sizeof size, "%d", info->size);
    enum { OWN = 8 };
    safetensors_meta meta[OWN + COUNT(kept_texts)] = {{"format", FORMAT},
                                                      {"task", task_name(info->task)},
                                                      {"arch", arch_name(info->arch)},
                                                      {"size", size},
                                                      {"classes", classes.data},
                                                      {"mean", numbers_text(info->mean, mean)},
                                                      {"std", numbers_text(info->std, std)},
                                                      {SAFETENSORS_CHECKSUM, checksum}};
    checkpoint_info texts = *info;
    for (size_t i = 0; i < COUNT(kept_texts); i++) {
        const char *text = *kept_text(&texts, i);
        meta[OWN + i] = (safetensors_meta){kept_texts[i].key, text ? text : ""};
    }
    if (!code)
        code = safetensors_write(path, items, (size_t)g->param_count, meta, COUNT(meta), e);
    free(items);
    text_free(&classes);
    return code;
}
