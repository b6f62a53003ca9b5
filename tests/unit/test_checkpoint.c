#include "base/digest.h"
#include "base/file.h"
#include "nn/checkpoint.h"
#include "nn/initial.h"
#include "weights/safetensors.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static int open_and_close(const char *file, error *e)
{
    checkpoint c;
    int code = checkpoint_open(&c, file, e);
    if (!code)
        checkpoint_close(&c);
    return code;
}

static char path[] = "/tmp/onebox-checkpoint-XXXXXX", other[] = "/tmp/onebox-checkpoint-XXXXXX";
static const char *const names[] = {"bird", "cat", "potted plant"};

/* A tiny network with weights; its info. */
static checkpoint_info make(graph *g, float **w, task t)
{
    error e = {0};
    checkpoint_info info = {.task = t,
                            .arch = ARCH_TINY,
                            .size = 64,
                            .class_count = t == TASK_BBOX ? 0 : 3,
                            .classes = names,
                            .recipe = "arch tiny\nsize 64\n",
                            .parent = "",
                            .version = "0",
                            .conv = "direct",
                            .phase = "head",
                            .seed = "7",
                            .metrics = "val_loss 0.5"};
    memcpy(info.mean, imagenet_mean, sizeof info.mean);
    memcpy(info.std, imagenet_std, sizeof info.std);
    CHECK(!network_build(g, t, ARCH_TINY, 64, 3, info.mean, info.std, &e), "%s", e.text);
    *w = params_alloc(g, &e);
    initial_backbone(g, 7, *w);
    initial_head(g, t, 7, *w);
    return info;
}

static void drop(graph *g, float *w)
{
    graph_free(g);
    free(w);
}

static void test_round_trip(void)
{
    for (int t = 0; t < TASKS; t++) {
        graph g;
        float *w;
        error e = {0};
        checkpoint c;
        TEST("a checkpoint comes back as it was saved, for each task")
        {
            checkpoint_info info = make(&g, &w, (task)t);
            CHECK(!checkpoint_save(path, &info, &g, w, &e), "%s", e.text);
            CHECK(!checkpoint_open(&c, path, &e), "%s", e.text);
            CHECK(c.info.task == (task)t && c.info.arch == ARCH_TINY && c.info.size == 64, "task and arch");
            CHECK(c.info.class_count == info.class_count, "%d classes", c.info.class_count);
            for (int i = 0; i < c.info.class_count; i++)
                CHECK(strcmp(c.info.classes[i], names[i]) == 0, "class %d is %s", i, c.info.classes[i]);
            CHECK(memcmp(c.info.mean, imagenet_mean, 12) == 0 && memcmp(c.info.std, imagenet_std, 12) == 0, "mean %.9g",
                  (double)c.info.mean[0]);
            CHECK(strcmp(c.info.recipe, info.recipe) == 0 && strcmp(c.info.phase, "head") == 0 &&
                      strcmp(c.info.metrics, "val_loss 0.5") == 0 && strcmp(c.info.parent, "") == 0 &&
                      strcmp(c.info.seed, "7") == 0,
                  "texts");
            CHECK(c.graph.param_floats == g.param_floats && memcmp(c.params, w, g.param_floats * sizeof *w) == 0,
                  "weights");
            char a[65], b[65];
            CHECK(!checkpoint_save(other, &c.info, &c.graph, c.params, &e) && !sha256_file(path, a, &e) &&
                      !sha256_file(other, b, &e) && strcmp(a, b) == 0,
                  "saved again, the bytes differ");
            checkpoint_close(&c);
            drop(&g, w);
        }
    }
}

static void test_expect(void)
{
    graph g;
    float *w;
    error e = {0};
    checkpoint c;
    TEST("a checkpoint of another task or with other classes is refused with a reason")
    {
        checkpoint_info info = make(&g, &w, TASK_DETN);
        CHECK(!checkpoint_save(path, &info, &g, w, &e) && !checkpoint_open(&c, path, &e), "%s", e.text);
        const char *const swapped[] = {"bird", "dog", "potted plant"};
        CHECK(!checkpoint_expect(&c, path, TASK_DETN, names, 3, &e), "%s", e.text);
        CHECK(!checkpoint_expect(&c, path, TASK_DETN, NULL, 0, &e), "%s", e.text);
        CHECK(checkpoint_expect(&c, path, TASK_CLS, names, 3, &e) == ERR_INPUT &&
                  strstr(e.text, "is a detn checkpoint, a cls checkpoint is needed"),
              "%s", e.text);
        e = (error){0};
        CHECK(checkpoint_expect(&c, path, TASK_DETN, names, 2, &e) == ERR_INPUT &&
                  strstr(e.text, "knows 3 classes, the labels have 2"),
              "%s", e.text);
        e = (error){0};
        CHECK(checkpoint_expect(&c, path, TASK_DETN, swapped, 3, &e) == ERR_INPUT && strstr(e.text, "'dog'"), "%s",
              e.text);
        checkpoint_close(&c);
        drop(&g, w);
    }
    TEST("class names that can't be stored are refused")
    {
        checkpoint_info info = make(&g, &w, TASK_CLS);
        const char *const wrong[][3] = {{"a", "b", "a"}, {"a", "", "b"}, {"a", "b\nc", "d"}, {"a", "\xff", "b"}};
        for (int i = 0; i < 4; i++) {
            info.classes = wrong[i];
            e = (error){0};
            CHECK(checkpoint_save(other, &info, &g, w, &e) == ERR_INPUT, "set %d is accepted", i);
        }
        drop(&g, w);
    }
}

/* Reads `path`, lets `change` edit its tensors and metadata, writes `other` and opens that. */
typedef struct edit {
    safetensors_item items[128];
    size_t count;
    safetensors_meta meta[32];
    size_t meta_count;
} edit;

static int try_edited(void (*change)(edit *x), error *e)
{
    static edit x;
    safetensors st;
    *e = (error){0};
    CHECK(!safetensors_open(&st, path, e), "%s", e->text);
    x.count = st.count;
    x.meta_count = st.meta_count;
    for (size_t i = 0; i < st.count; i++) {
        const safetensors_tensor *t = &st.tensors[i];
        x.items[i] = (safetensors_item){.name = t->name, .dims = t->dims, .data = (const void *)t->data};
        memcpy(x.items[i].shape, t->shape, sizeof t->shape);
    }
    memcpy(x.meta, st.meta, st.meta_count * sizeof *st.meta);
    change(&x);
    CHECK(!safetensors_write(other, x.items, x.count, x.meta, x.meta_count, e), "%s", e->text);
    safetensors_close(&st);
    return open_and_close(other, e);
}

/* As earlier versions wrote it. */
static void forget_checksum(edit *x)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->meta_count; i++)
        if (strcmp(x->meta[i].key, SAFETENSORS_CHECKSUM) != 0)
            x->meta[kept++] = x->meta[i];
    CHECK(kept == x->meta_count - 1, "%zu of %zu", kept, x->meta_count);
    x->meta_count = kept;
}

static safetensors_item *item(edit *x, const char *name)
{
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->items[i].name, name) == 0)
            return &x->items[i];
    return NULL;
}

static void set(edit *x, const char *key, const char *value)
{
    for (size_t i = 0; i < x->meta_count; i++)
        if (strcmp(x->meta[i].key, key) == 0) {
            x->meta[i].value = value;
            if (!value)
                x->meta[i] = x->meta[--x->meta_count];
            return;
        }
}

static void nothing(edit *x)
{
    (void)x;
}
static void lacks_tensor(edit *x)
{
    *item(x, "layer1.0.conv1.weight") = x->items[--x->count];
}
static void renamed_tensor(edit *x)
{
    item(x, "head.8.bias")->name = "head.9.bias";
}
static void turned_tensor(edit *x)
{
    safetensors_item *t = item(x, "head.8.weight");
    t->shape[0] = 512;
    t->shape[1] = 3;
}
static void flat_tensor(edit *x)
{
    safetensors_item *t = item(x, "head.8.weight");
    t->dims = 1;
    t->shape[0] = 512 * 3;
}
static void broken_number(edit *x)
{
    static float bias[3] = {0, NAN, 0};
    item(x, "head.8.bias")->data = bias;
}
static void foreign(edit *x)
{
    x->meta_count = 0;
}
static void newer(edit *x)
{
    set(x, "format", "onebox 9");
}
static void wrong_task(edit *x)
{
    set(x, "task", "segm");
}
static void other_task(edit *x)
{
    set(x, "task", "detn");
}
static void wrong_arch(edit *x)
{
    set(x, "arch", "resnet18");
}
static void wrong_size(edit *x)
{
    set(x, "size", "63");
}
static void wrong_mean(edit *x)
{
    set(x, "mean", "0 0");
}
static void zero_std(edit *x)
{
    set(x, "std", "1 1 0");
}
static void no_classes(edit *x)
{
    set(x, "classes", "");
}
static void more_classes(edit *x)
{
    set(x, "classes", "a\nb\nc\nd");
}
static void equal_classes(edit *x)
{
    set(x, "classes", "a\nb\na");
}
static void lacks_classes(edit *x)
{
    set(x, "classes", NULL);
}
static void counters(edit *x)
{
    static const float none[1] = {0};
    x->items[x->count++] = (safetensors_item){.name = "bn1.num_batches_tracked", .dims = 0, .data = none};
    forget_checksum(x);
}

static void test_damaged(void)
{
    graph g;
    float *w;
    error e = {0};
    static const struct {
        void (*change)(edit *x);
        const char *why;
    } wrong[] = {
        {lacks_tensor, "'layer1.0.conv1.weight' is missing"},
        {renamed_tensor, "'head.9.bias' is not part of this network"},
        {turned_tensor, "'head.8.weight' is 512x3, the network needs 3x512"},
        {flat_tensor, "'head.8.weight' is 1536, the network needs 3x512"},
        {broken_number, "'head.8.bias', element 1 is not a finite number"},
        {foreign, "not a checkpoint of this program"},
        {newer, "format 'onebox 9'"},
        {wrong_task, "unknown task 'segm'"},
        {other_task, "head."},
        {wrong_arch, "the network needs"},
        {wrong_size, "multiple of 32"},
        {wrong_mean, "three numbers"},
        {zero_std, "std 0"},
        {no_classes, "cls checkpoint with 0 classes"},
        {more_classes, "the network needs 4"},
        {equal_classes, "'a' is there twice"},
        {lacks_classes, "no 'classes'"},
    };
    TEST("a checkpoint whose tensors or metadata don't fit is refused with the reason")
    {
        checkpoint_info info = make(&g, &w, TASK_CLS);
        CHECK(!checkpoint_save(path, &info, &g, w, &e), "%s", e.text);
        CHECK(!try_edited(nothing, &e), "%s", e.text);
        CHECK(!try_edited(counters, &e), "num_batches_tracked isn't passed over: %s", e.text);
        for (size_t i = 0; i < COUNT(wrong); i++) {
            CHECK(try_edited(wrong[i].change, &e) == ERR_INPUT, "accepted: %s", wrong[i].why);
            CHECK(strstr(e.text, wrong[i].why) && strstr(e.text, other), "'%s' lacks '%s'", e.text, wrong[i].why);
        }
        drop(&g, w);
    }
    TEST("a number that changed since it was written is noticed, where the file says what they were")
    {
        file_view v;
        checkpoint_info info = make(&g, &w, TASK_DETN);
        e = (error){0};
        CHECK(!checkpoint_save(path, &info, &g, w, &e) && !file_open(&v, path, &e), "%s", e.text);
        const size_t places[] = {v.size - 1, v.size - 2, v.size - v.size / 3};
        for (size_t i = 0; i < COUNT(places); i++) {
            char *bytes = malloc(v.size);
            memcpy(bytes, v.data, v.size);
            bytes[places[i]] ^= 1;
            e = (error){0};
            CHECK(!file_write(other, bytes, v.size, &e), "%s", e.text);
            CHECK(open_and_close(other, &e) == ERR_INPUT && strstr(e.text, "its numbers are not those"), "%s", e.text);
            e = (error){0};
            char sha256[65];
            CHECK(backbone_load(&g, info.arch, other, w, sha256, &e) == ERR_INPUT && strstr(e.text, "not those"), "%s",
                  e.text);
            free(bytes);
        }
        file_close(&v);
        CHECK(!try_edited(forget_checksum, &e), "%s", e.text);
        drop(&g, w);
    }
    TEST("a truncated checkpoint is refused and a failed save leaves the old one alone")
    {
        checkpoint_info info = make(&g, &w, TASK_CLS);
        char before[65], after[65];
        CHECK(!checkpoint_save(path, &info, &g, w, &e) && !sha256_file(path, before, &e), "%s", e.text);
        CHECK(checkpoint_save("/no/such/dir/a.ckpt", &info, &g, w, &e) == ERR_SYSTEM, "%s", e.text);
        e = (error){0};
        CHECK(!sha256_file(path, after, &e) && strcmp(before, after) == 0, "changed");
        CHECK(!truncate(path, 100000), "truncate");
        CHECK(open_and_close(path, &e) == ERR_INPUT && strstr(e.text, "truncated"), "%s", e.text);
        drop(&g, w);
    }
}

static void test_backbone(void)
{
    graph g, h;
    float *w, *v;
    error e = {0};
    char sha[65], wanted[65];
    TEST("a detector's backbone can start from a classifier's, and its head stays")
    {
        checkpoint_info info = make(&g, &w, TASK_CLS);
        CHECK(!checkpoint_save(path, &info, &g, w, &e), "%s", e.text);
        make(&h, &v, TASK_DETN);
        initial_backbone(&h, 99, v);
        float head = v[h.params[graph_find_param(&h, "head.7.weight")].offset];
        CHECK(!backbone_load(&h, ARCH_TINY, path, v, sha, &e), "%s", e.text);
        size_t backbone = h.params[graph_find_param(&h, "head.3.weight")].offset;
        CHECK(memcmp(v, w, backbone * sizeof *v) == 0, "the backbones differ");
        CHECK(v[h.params[graph_find_param(&h, "head.7.weight")].offset] == head, "the head changed");
        CHECK(!sha256_file(path, wanted, &e) && strcmp(sha, wanted) == 0, "SHA-256 %s", sha);
        drop(&h, v);
        CHECK(!network_build(&h, TASK_CLS, ARCH_RESNET18, 64, 3, imagenet_mean, imagenet_std, &e), "%s", e.text);
        v = params_alloc(&h, &e);
        CHECK(backbone_load(&h, ARCH_RESNET18, path, v, sha, &e) == ERR_INPUT &&
                  strstr(e.text, "--arch tiny would fit"),
              "%s", e.text);
        drop(&h, v);
        drop(&g, w);
    }
    TEST("torchvision's ImageNet file fits ResNet-34 and no other network")
    {
        e = (error){0};
        static const char real[] = "../shared/weights/resnet34-init.safetensors";
        if (access(real, R_OK) != 0)
            SKIP("%s is not there", real);
        else {
            CHECK(!network_build(&g, TASK_BBOX, ARCH_RESNET34, 224, 0, imagenet_mean, imagenet_std, &e), "%s", e.text);
            w = params_alloc(&g, &e);
            CHECK(!backbone_load(&g, ARCH_RESNET34, real, w, sha, &e), "%s", e.text);
            drop(&g, w);
            CHECK(!network_build(&g, TASK_BBOX, ARCH_RESNET18, 224, 0, imagenet_mean, imagenet_std, &e), "%s", e.text);
            w = params_alloc(&g, &e);
            e = (error){0};
            CHECK(backbone_load(&g, ARCH_RESNET18, real, w, sha, &e) == ERR_INPUT &&
                      strstr(e.text, "'layer1.2.bn1.bias' is not part of this network (another --arch?)"),
                  "%s", e.text);
            drop(&g, w);
        }
    }
}

int main(void)
{
    close(mkstemp(path));
    close(mkstemp(other));
    test_round_trip();
    test_expect();
    test_damaged();
    test_backbone();
    unlink(path);
    unlink(other);
    return test_end();
}
