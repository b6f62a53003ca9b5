/* A file of either kind is opened as a list of tensors by name. The network that they make is recognised by its
 * names, or was named; every parameter of it must be there with its shape, and nothing else but the counters that
 * torchvision adds. Then all values are widened or rounded to float32 and written under torchvision's names. */
#include "weights/import.h"

#include "base/text.h"
#include "weights/safetensors.h"
#include "weights/torch_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTER ".num_batches_tracked"

/* ---------------------------------------------------------------- the file's tensors */

static const char parallel[] = "module.";

/* A file of either kind. */
typedef struct import_source {
    safetensors st;
    bool prefixed; /* all names begin with `parallel` */
} import_source;

static const char *name_of(const import_source *s, size_t i)
{
    return s->st.tensors[i].name + (s->prefixed ? strlen(parallel) : 0);
}

/* The tensor of this name, or NULL. */
static const safetensors_tensor *find_tensor(const import_source *s, const char *name)
{
    char full[120];
    snprintf(full, sizeof full, "%s%s", s->prefixed ? parallel : "", name);
    return safetensors_find(&s->st, full);
}

/* What the first bytes are of. */
static int sniff(const char *path, bool *torch, error *e)
{
    file_view view;
    int code = file_open(&view, path, e);
    if (code)
        return code;
    *torch = safetensors_is_torch(&view);
    bool json = view.size > 8 && view.data[8] == '{';
    bool tar = view.size > 262 && memcmp(view.data + 257, "ustar", 5) == 0;
    if (tar)
        code = fail(e, ERR_INPUT,
                    "%s: a tar file; torch.save wrote such ones before 2017: load it there and save it again", path);
    else if (!*torch && !json)
        code = fail(e, ERR_INPUT, "%s: neither safetensors nor a file of torch.save", path);
    file_close(&view);
    return code;
}

static int source_open(import_source *s, const char *path, import_result *r, error *e)
{
    *s = (import_source){.prefixed = false};
    bool torch, legacy = false;
    if (strcmp(path, "-") == 0)
        return fail(e, ERR_USAGE, "weights are read from a file, not from standard input");
    int code = sniff(path, &torch, e);
    if (!code)
        code = torch ? torch_file_open(&s->st, path, &legacy, e) : safetensors_open(&s->st, path, e);
    if (code)
        return code;
    r->kind = !torch ? "safetensors" : legacy ? "PyTorch's format before 1.6" : "PyTorch's format";
    r->read = s->st.count;
    bool all = s->st.count > 0;
    for (size_t i = 0; i < s->st.count && all; i++)
        all = strncmp(s->st.tensors[i].name, parallel, strlen(parallel)) == 0;
    s->prefixed = all;
    return 0;
}

static arch recognise(const import_source *s)
{
    if (find_tensor(s, "layer1.0.conv3.weight"))
        return ARCH_RESNET50;
    return find_tensor(s, "layer3.5.conv1.weight") ? ARCH_RESNET34 : ARCH_RESNET18;
}

/* ---------------------------------------------------------------- does it fit? */

/* What a file is compared with: the backbone's parameters, then fc.weight and fc.bias. */
typedef struct target {
    graph graph;
    size_t count;                    /* of items */
    safetensors_item *items;         /* what will be written; data is filled in when everything fits */
    const safetensors_tensor **from; /* tensor of the source for each item; NULL: it has none */
    float *floats;                   /* storage behind the items */
} target;

static void target_close(target *t)
{
    graph_free(&t->graph);
    free(t->items);
    free(t->from);
    free(t->floats);
}

static bool same_shape(const safetensors_tensor *t, const safetensors_item *item)
{
    bool same = t->dims == item->dims;
    for (int i = 0; i < item->dims && same; i++)
        same = t->shape[i] == item->shape[i];
    return same;
}

static int target_open(target *t, arch a, const import_source *s, error *e)
{
    int code = graph_begin(&t->graph, 224, imagenet_mean, imagenet_std, e);
    if (code)
        return code;
    int last = resnet_backbone(&t->graph, a, NULL, e);
    if (last < 0)
        return e->code;
    size_t most = (size_t)t->graph.param_count + 2;
    t->items = mem_zero(most, sizeof *t->items, "tensors", e);
    t->from = mem_zero(most, sizeof *t->from, "tensors", e);
    if (!t->items || !t->from)
        return ERR_SYSTEM;
    for (int i = 0; i < t->graph.param_count; i++) {
        const param *p = &t->graph.params[i];
        safetensors_item *item = &t->items[t->count++];
        *item = (safetensors_item){.name = p->name, .dims = p->dims};
        for (int k = 0; k < p->dims; k++)
            item->shape[k] = (uint64_t)p->shape[k];
    }
    const safetensors_tensor *weight = find_tensor(s, "fc.weight");
    if (weight || find_tensor(s, "fc.bias")) { /* any number of classes */
        uint64_t classes = weight && weight->dims == 2 ? weight->shape[0] : 1000;
        t->items[t->count++] =
            (safetensors_item){.name = "fc.weight", .dims = 2, .shape = {classes, (uint64_t)t->graph.nodes[last].c}};
        t->items[t->count++] = (safetensors_item){.name = "fc.bias", .dims = 1, .shape = {classes}};
    }
    return 0;
}

/* Is it a counter of one of the batch norms? */
static bool is_counter(const graph *g, const char *name)
{
    size_t n = strlen(name), m = strlen(COUNTER);
    char mean[80];
    if (!text_ends_with(name, COUNTER) || n + 1 > sizeof mean)
        return false;
    snprintf(mean, sizeof mean, "%.*s.running_mean", (int)(n - m), name);
    return graph_find_param(g, mean) >= 0;
}

static size_t find_item(const target *t, const char *name)
{
    size_t k = 0;
    while (k < t->count && strcmp(t->items[k].name, name) != 0)
        k++;
    return k;
}

/* What does not fit, by kind. */
enum { MISSING, RESHAPED, UNKNOWN, MISFITS };
static const char *const misfit_words[MISFITS] = {"missing", "of another shape", "unknown"};

/* Finds the source's tensor for each item. */
static void find_items(target *t, const import_source *s, text_names m[MISFITS], import_result *r)
{
    for (size_t i = 0; i < s->st.count; i++) {
        const safetensors_tensor *x = &s->st.tensors[i];
        const char *name = name_of(s, i);
        size_t k = find_item(t, name);
        if (k < t->count)
            t->from[k] = x;
        if (k == t->count && is_counter(&t->graph, name)) {
            r->counters++;
        } else if (k == t->count) {
            text_names_add(&m[UNKNOWN], "'%s'", name);
        } else if (!same_shape(x, &t->items[k])) {
            char is[60], needed[60];
            text_shape(is, sizeof is, x->dims, x->shape);
            text_shape(needed, sizeof needed, t->items[k].dims, t->items[k].shape);
            text_names_add(&m[RESHAPED], "'%s' is %s instead of %s", name, is, needed);
        }
    }
    for (size_t k = 0; k < t->count; k++)
        if (!t->from[k])
            text_names_add(&m[MISSING], "'%s'", t->items[k].name);
}

/* Of the counters of batches all are there or none. */
static void find_counters(const target *t, const import_source *s, text_names m[MISFITS])
{
    static const char mean[] = ".running_mean";
    for (int i = 0; i < t->graph.param_count; i++) {
        const char *name = t->graph.params[i].name;
        char counter[100];
        if (!text_ends_with(name, mean))
            continue;
        snprintf(counter, sizeof counter, "%.*s" COUNTER, (int)(strlen(name) - strlen(mean)), name);
        if (!find_tensor(s, counter))
            text_names_add(&m[MISSING], "'%s'", counter);
    }
}

static int match_tensors(target *t, arch a, const import_source *s, import_result *r, error *e)
{
    text_names m[MISFITS] = {{.count = 0}};
    find_items(t, s, m, r);
    if (r->counters)
        find_counters(t, s, m);
    if (!m[MISSING].count && !m[RESHAPED].count && !m[UNKNOWN].count)
        return 0;
    text_buffer b = {0}; /* the line that names all of it */
    text_add(&b, "%s: is no %s", s->st.view.path, arch_name(a));
    const char *before = ": ";
    for (int i = 0; i < MISFITS; i++) {
        if (!m[i].count)
            continue;
        text_add(&b, "%s%zu tensor%s %s (%s)", before, m[i].count, m[i].count == 1 ? "" : "s", misfit_words[i],
                 m[i].text);
        before = "; ";
    }
    int code = text_done(&b, e);
    if (!code)
        code = fail(e, ERR_INPUT, "%s", b.data);
    text_free(&b);
    return code;
}

/* ---------------------------------------------------------------- reading and writing */

static int read_floats(target *t, const char *path, error *e)
{
    size_t total = 0;
    for (size_t k = 0; k < t->count; k++) {
        const safetensors_tensor *x = t->from[k];
        if (x->count > ((size_t)1 << 31) || (total += x->count) > ((size_t)1 << 31))
            return fail(e, ERR_INPUT, "%s: tensor '%s' is too large", path, x->name);
    }
    t->floats = mem_zero(total, sizeof *t->floats, "the weights", e);
    if (!t->floats)
        return ERR_SYSTEM;
    float *at = t->floats;
    for (size_t k = 0; k < t->count; k++) {
        const safetensors_tensor *x = t->from[k];
        int code = safetensors_floats(x, path, at, e);
        if (code)
            return code;
        for (size_t i = 0; i < x->count; i++)
            if (!isfinite(at[i]))
                return fail(e, ERR_INPUT, "%s: tensor '%s', element %zu is not a finite number of float32", path,
                            x->name, i);
        t->items[k].data = at;
        at += x->count;
    }
    return 0;
}

int weights_import(const char *path, arch wanted, const char *output, import_result *r, error *e)
{
    import_source s;
    target t = {0};
    *r = (import_result){0};
    int code = source_open(&s, path, r, e);
    if (!code) {
        r->arch = wanted < ARCHS ? wanted : recognise(&s);
        code = target_open(&t, r->arch, &s, e);
    }
    if (!code)
        code = match_tensors(&t, r->arch, &s, r, e);
    if (!code)
        code = read_floats(&t, path, e);
    r->written = t.count;
    if (!code && output) {
        /* The same network gives the same bytes wherever it came from. */
        const safetensors_meta meta[] = {{"architecture", arch_name(r->arch)}, {"format", "pt"}};
        code = safetensors_write(output, t.items, t.count, meta, 2, e);
    }
    target_close(&t);
    safetensors_close(&s.st);
    return code;
}

int weights_import_check(const char *path, error *e)
{
    import_result r;
    return weights_import(path, ARCHS, NULL, &r, e);
}
