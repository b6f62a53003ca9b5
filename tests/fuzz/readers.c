/* readers.c - every reader of files, fed by libFuzzer: `make fuzz`.
 *
 *     FUZZ=recipe readers corpus-folder …
 *
 * One program for all; FUZZ names the reader (without it they are listed). The bytes go into a file in memory, whose
 * name the reader gets. A reader may refuse them; it must not crash, leak, wait or take much memory, and what it
 * accepts must be used up to its end. Where there is a writer as well, what was read and written must be read again as
 * the same.
 */
#include "base/json.h"
#include "image/cache.h"
#include "image/cache_sources.h"
#include "image/exif.h"
#include "image/picture_file.h"
#include "judge/average_precision.h"
#include "judge/metrics.h"
#include "nn/checkpoint.h"
#include "nn/initial.h"
#include "nn/recipe.h"
#include "nn/train_state.h"
#include "render/table.h"
#include "voc/anno.h"
#include "voc/coco.h"
#include "voc/labels.h"
#include "voc/name_list.h"
#include "voc/pred.h"
#include "voc/vocxml.h"
#include "voc/yolo.h"
#include "weights/import.h"
#include "weights/torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "readers: %s\n", #condition);                                                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* ---------------------------------------------------------------- readers */

/* A reader takes the name of the file, or its bytes. */
typedef void by_name(const char *path, error *e);
typedef void by_bytes(const uint8_t *data, size_t size, error *e);

static void read_json(const char *path, error *e)
{
    json_reader r;
    if (!json_open(&r, path, e))
        while (json_next(&r, e))
            ;
    json_close(&r);
}

static void read_coco(const char *path, error *e)
{
    for (int keep = 0; keep < 2; keep++) {
        anno_table t = {0};
        coco_counts counts = {0};
        *e = (error){0};
        coco_read(&t, path, keep, &counts, e);
        anno_free(&t);
    }
}

static void read_xml(const char *path, error *e)
{
    voc_picture p = {0};
    if (!voc_picture_read(&p, path, e))
        voc_picture_cut(&p, 500, 375);
    voc_picture_free(&p);
}

static void read_yolo(const char *path, error *e)
{
    static char cat[] = "cat", dog[] = "dog";
    static char *both[] = {cat, dog};
    const yolo_classes classes = {.items = both, .count = 2, .capacity = 2};
    voc_picture p = {0};
    size_t outlines = 0;
    yolo_picture_read(&p, path, &classes, 500, 375, &outlines, e);
    voc_picture_free(&p);
}

static void read_anno(const char *path, error *e)
{
    anno_check(path, e);
    *e = (error){0};
    anno_check_largest(path, e);
}

static void read_labels(const char *path, error *e)
{
    names list = {0};
    labels_check(path, e);
    *e = (error){0};
    labels_read_pictures(&list, path, e);
    names_free(&list);
}

static void read_list(const char *path, error *e)
{
    names known = {0}, list = {0};
    size_t number;
    names_add(&known, "000012.jpg", 10, &number, e);
    names_add(&known, "cam0/a b.png", 12, &number, e);
    name_list_read_all(&list, path, &known, "known", e);
    names_free(&list);
    names_free(&known);
}

static void read_recipe(const uint8_t *data, size_t size, error *e)
{
    recipe r, again;
    text_buffer once = {0}, twice = {0};
    if (!recipe_parse(&r, "recipe", (const char *)data, size, e)) {
        MUST(!recipe_text(&r, &once, e));
        MUST(!recipe_parse(&again, "again", once.data, once.size, e) && !recipe_text(&again, &twice, e));
        MUST(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
    }
    text_free(&once);
    text_free(&twice);
}

static void read_cache(const char *path, error *e)
{
    cache *c = cache_open(path, e);
    for (size_t i = 0; c && i < cache_count(c); i++) {
        error damaged = {0};
        if (cache_verify(c, i, &damaged))
            continue;
        const scaled_picture p = cache_at(c, i);
        unsigned sum = 0;
        for (size_t k = 0; k < 3 * (size_t)p.height * (size_t)p.width; k++)
            sum += p.pixels[k];
        MUST(strlen(p.name) + sum != SIZE_MAX);
    }
    cache_close(c);
}

static void read_sources(const char *path, error *e)
{
    cache_sources s = {0};
    cache_sources_read(&s, path, "0000000000000000000000000000000000000000000000000000000000000000", e);
    cache_sources_free(&s);
}

static void read_safetensors(const char *path, error *e)
{
    safetensors st;
    if (safetensors_open(&st, path, e))
        return;
    for (size_t i = 0; i < st.count; i++) {
        const safetensors_tensor *t = &st.tensors[i];
        error other = {0};
        float *values = t->count < 100000 ? malloc((t->count + 1) * sizeof *values) : NULL;
        if (values)
            safetensors_floats(t, path, values, &other);
        free(values);
        MUST(safetensors_find(&st, t->name) == t);
    }
    safetensors_verify(&st, e);
    safetensors_close(&st);
}

static void read_torch(const char *path, error *e)
{
    safetensors st;
    bool legacy;
    if (torch_file_open(&st, path, &legacy, e))
        return;
    for (size_t i = 0; i < st.count; i++) {
        error other = {0};
        float *values = st.tensors[i].count < 100000 ? malloc((st.tensors[i].count + 1) * sizeof *values) : NULL;
        if (values)
            safetensors_floats(&st.tensors[i], path, values, &other);
        free(values);
    }
    safetensors_close(&st);
}

static void read_checkpoint(const char *path, error *e)
{
    checkpoint c;
    if (!checkpoint_open(&c, path, e))
        checkpoint_close(&c);
}

static void read_state(const char *path, error *e)
{
    static graph g;
    static recipe r;
    static float *params;
    static const char text[] = "arch tiny\nsize 32\nbatch 4\nphase all from conv1 lr 1e-3 triangular 32 5 epochs 3\n";
    if (!params) {
        MUST(!recipe_parse(&r, "recipe", text, strlen(text), e));
        MUST(!network_build(&g, TASK_BBOX, ARCH_TINY, 32, 0, imagenet_mean, imagenet_std, e));
        MUST((params = params_alloc(&g, e)));
    }
    train_state s = {.facts = {{"recipe", "r"}}, .fact_count = 1};
    train_state_file f;
    if (!train_state_open(&f, path, &s, &g, &r, params, e))
        train_state_close(&f);
}

static void read_picture(const uint8_t *data, size_t size, error *e)
{
    picture p = {0};
    picture_info info = {0};
    if (!picture_probe(data, size, "picture", &info, e) && (double)info.width * info.height < 1e6)
        picture_decode(&p, data, size, "picture", &info, e);
    picture_free(&p);
}

static void read_exif(const uint8_t *data, size_t size, error *e)
{
    (void)e;
    const int orientation = exif_orientation(data, size);
    MUST(orientation >= 0 && orientation <= 8);
}

static void read_pred(const char *path, error *e)
{
    pred_table one = {0}, all = {0};
    pred_read(&one, path, e);
    *e = (error){0};
    pred_read_all(&all, path, e);
    pred_free(&one);
    pred_free(&all);
}

static void read_metrics(const char *path, error *e)
{
    average_precision a = {0};
    metrics_check(path, e);
    *e = (error){0};
    average_precision_read(&a, path, e);
    average_precision_free(&a);
}

static void read_table(const char *path, error *e)
{
    table t;
    if (table_read(&t, path, e))
        return;
    const int first = 0;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(t.names[first].size < 255 ? t.names[first].size : 255),
             t.names[first].text);
    error other = {0};
    free(table_numbers(&t, name, &other));
    table_free(&t);
}

static const struct {
    const char *name;
    by_name *read;
    by_bytes *take;
} readers[] = {{"json", read_json, NULL},
               {"coco", read_coco, NULL},
               {"xml", read_xml, NULL},
               {"yolo", read_yolo, NULL},
               {"anno", read_anno, NULL},
               {"labels", read_labels, NULL},
               {"list", read_list, NULL},
               {"recipe", NULL, read_recipe},
               {"cache", read_cache, NULL},
               {"sources", read_sources, NULL},
               {"safetensors", read_safetensors, NULL},
               {"torch", read_torch, NULL},
               {"checkpoint", read_checkpoint, NULL},
               {"state", read_state, NULL},
               {"picture", NULL, read_picture},
               {"exif", NULL, read_exif},
               {"pred", read_pred, NULL},
               {"metrics", read_metrics, NULL},
               {"table", read_table, NULL}};

/* ---------------------------------------------------------------- for libFuzzer */

static size_t chosen;
static int file;
static char path_of_file[32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *name = getenv("FUZZ");
    for (size_t i = 0; !name && i < COUNT(readers); i++)
        puts(readers[i].name);
    if (!name)
        exit(0);
    while (chosen < COUNT(readers) && strcmp(name, readers[chosen].name) != 0)
        chosen++;
    if (chosen == COUNT(readers)) {
        fprintf(stderr, "readers: FUZZ=%s is none\n", name);
        exit(2);
    }
    file = memfd_create("input", 0);
    MUST(file >= 0);
    snprintf(path_of_file, sizeof path_of_file, "/proc/self/fd/%d", file);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error e = {0};
    if (readers[chosen].take) {
        readers[chosen].take(data, size, &e);
    } else {
        MUST(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
        readers[chosen].read(path_of_file, &e);
    }
    MUST(e.code == 0 || e.code == ERR_INPUT || e.code == ERR_USAGE || e.code == ERR_SYSTEM);
    MUST(memchr(e.text, '\0', sizeof e.text) != NULL);
    return 0;
}
