/* torchfile - writes a ResNet as torch.save or safetensors would, for the tests of import-weights.
 *
 * usage: torchfile ARCH FILE [WORD…]
 *
 * Words: zip (the form since PyTorch 1.6; the default), legacy (before), safetensors; f32 (the default), f16,
 * bf16, f64 for the first two forms; counters (num_batches_tracked), nofc (without fc.*), fc=N (N classes),
 * module (names begin with "module."), wrap (under "state_dict", beside other things); drop=NAME, add=NAME,
 * flat=NAME (another shape), nan=NAME. The values are the same in every form: multiples of 1/64 within [-1,
 * 1), which all types hold exactly; variances are positive. */
#include "base/text.h"
#include "graph/resnet.h"
#include "weights/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct tensor {
    char name[120];
    int dims;
    uint64_t shape[4];
    size_t count;
    bool counter, nan;
    uint32_t seed; /* of the name */
} tensor;

static tensor list[600];
static size_t listed;
static enum { F32, F16, BF16, F64 } type;

static void add(const char *name, int dims, const int *shape, bool counter)
{
    tensor *t = &list[listed++];
    *t = (tensor){.dims = dims, .count = 1, .counter = counter};
    snprintf(t->name, sizeof t->name, "%s", name);
    for (const char *c = name; *c; c++)
        t->seed = t->seed * 31 + (unsigned char)*c;
    for (int i = 0; i < dims; i++) {
        t->shape[i] = (uint64_t)shape[i];
        t->count *= (size_t)shape[i];
    }
}

static tensor *find(const char *name)
{
    for (size_t i = 0; i < listed; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    fprintf(stderr, "torchfile: no tensor %s\n", name);
    exit(2);
}

static float value(const tensor *t, size_t i)
{
    uint32_t h = (uint32_t)((i + t->seed) * 2654435761u);
    float v = (float)(int)(h >> 25) / 64 - 1;
    if (t->nan && i == 5)
        return NAN;
    return strstr(t->name, "running_var") ? fabsf(v) + 0.5f : v;
}

static size_t bytes_of(const tensor *t)
{
    static const size_t bytes[] = {4, 2, 2, 8};
    return t->count * (t->counter ? 8 : bytes[type]);
}

static uint16_t half(float f) /* exact values only */
{
    int exponent;
    float m = frexpf(fabsf(f), &exponent);
    uint16_t sign = signbit(f) ? 0x8000 : 0;
    if (isnan(f))
        return 0x7E00;
    if (f == 0)
        return sign;
    return (uint16_t)(sign | (exponent + 14) << 10 | ((int)(m * 2048) & 1023));
}

static unsigned char *data_of(const tensor *t)
{
    unsigned char *data = calloc(t->count + 1, 8);
    for (size_t i = 0; i < t->count && !t->counter; i++) {
        float f = value(t, i);
        double d = (double)f;
        uint16_t h = half(f);
        uint32_t bits;
        memcpy(&bits, &f, 4);
        uint16_t b = (uint16_t)(bits >> 16);
        if (type == F32)
            memcpy(data + 4 * i, &f, 4);
        else if (type == F64)
            memcpy(data + 8 * i, &d, 8);
        else
            memcpy(data + 2 * i, type == F16 ? &h : &b, 2);
    }
    if (t->counter)
        data[0] = 7;
    return data;
}

/* ---------------------------------------------------------------- the pickle */

static void put(text_buffer *b, const void *bytes, size_t size)
{
    text_add_bytes(b, bytes, size);
}

static void words(text_buffer *b, const char *text)
{
    put(b, text, strlen(text));
}

static void number(text_buffer *b, uint64_t n, int bytes)
{
    for (; bytes > 0; bytes--, n >>= 8)
        put(b, &(char){(char)(n & 255)}, 1);
}

static void text(text_buffer *b, const char *t)
{
    words(b, "X");
    number(b, strlen(t), 4);
    words(b, t);
}

static void integer(text_buffer *b, uint64_t n)
{
    words(b, "J");
    number(b, n, 4);
}

static void pickle_tensor(text_buffer *b, const tensor *t, size_t i, bool legacy)
{
    static const char *const storages[] = {"Float", "Half", "BFloat16", "Double"};
    char key[24], type_name[60];
    snprintf(key, sizeof key, "%zu", i);
    snprintf(type_name, sizeof type_name, "ctorch\n%sStorage\n", t->counter ? "Long" : storages[type]);
    words(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    text(b, "storage");
    words(b, type_name);
    text(b, key);
    text(b, "cpu");
    integer(b, t->count);
    words(b, legacy ? "NtQ" : "tQ"); /* None: the storage is no view of another one */
    integer(b, 0);
    words(b, "(");
    for (int k = 0; k < t->dims; k++)
        integer(b, t->shape[k]);
    words(b, "t(");
    uint64_t stride = t->count;
    for (int k = 0; k < t->dims; k++)
        integer(b, stride /= t->shape[k]);
    words(b, "t\x89"
             "ccollections\nOrderedDict\n)RtR");
}

static text_buffer pickled(bool wrap, bool legacy)
{
    text_buffer b = {0};
    words(&b, "\x80\2");
    if (wrap) {
        words(&b, "}(");
        text(&b, "epoch");
        words(&b, "K\5");
        text(&b, "state_dict");
    }
    words(&b, "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < listed; i++) {
        text(&b, list[i].name);
        pickle_tensor(&b, &list[i], i, legacy);
    }
    words(&b, wrap ? "uu." : "u.");
    return b;
}

/* ---------------------------------------------------------------- the three forms */

static void write_bytes(FILE *f, const void *data, size_t size)
{
    if (fwrite(data, 1, size, f) != size) {
        perror("torchfile");
        exit(4);
    }
}

static size_t zip_entry_header(FILE *f, text_buffer *directory, const char *name, size_t size, size_t at)
{
    text_buffer b = {0};
    words(&b, "PK\3\4");
    number(&b, 0, 14);
    number(&b, size, 4);
    number(&b, size, 4);
    number(&b, strlen(name), 2);
    number(&b, 0, 2);
    words(&b, name);
    write_bytes(f, b.data, b.size);
    words(directory, "PK\1\2");
    number(directory, 0, 16);
    number(directory, size, 4);
    number(directory, size, 4);
    number(directory, strlen(name), 2);
    number(directory, 0, 12);
    number(directory, at, 4);
    words(directory, name);
    at += b.size + size;
    text_free(&b);
    return at;
}

static void write_zip(FILE *f, bool wrap)
{
    text_buffer p = pickled(wrap, false), directory = {0}, end = {0};
    size_t at = zip_entry_header(f, &directory, "net/data.pkl", p.size, 0);
    write_bytes(f, p.data, p.size);
    at = zip_entry_header(f, &directory, "net/version", 2, at);
    write_bytes(f, "3\n", 2);
    for (size_t i = 0; i < listed; i++) {
        char name[40];
        snprintf(name, sizeof name, "net/data/%zu", i);
        at = zip_entry_header(f, &directory, name, bytes_of(&list[i]), at);
        unsigned char *data = data_of(&list[i]);
        write_bytes(f, data, bytes_of(&list[i]));
        free(data);
    }
    words(&end, "PK\5\6");
    number(&end, 0, 4);
    number(&end, listed + 2, 2);
    number(&end, listed + 2, 2);
    number(&end, directory.size, 4);
    number(&end, at, 4);
    number(&end, 0, 2);
    write_bytes(f, directory.data, directory.size);
    write_bytes(f, end.data, end.size);
    text_free(&p);
    text_free(&directory);
    text_free(&end);
}

static void write_legacy(FILE *f, bool wrap)
{
    text_buffer b = {0}, p = pickled(wrap, true);
    words(&b, "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}");
    text(&b, "little_endian");
    words(&b, "\x88s.");
    put(&b, p.data, p.size);
    words(&b, "\x80\2](");
    for (size_t i = 0; i < listed; i++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", i);
        text(&b, key);
    }
    words(&b, "e.");
    write_bytes(f, b.data, b.size);
    for (size_t i = 0; i < listed; i++) {
        unsigned char *data = data_of(&list[i]);
        write_bytes(f, &(uint64_t){list[i].count}, 8);
        write_bytes(f, data, bytes_of(&list[i]));
        free(data);
    }
    text_free(&b);
    text_free(&p);
}

static void write_safetensors(const char *path)
{
    static safetensors_item items[600];
    error e = {0};
    for (size_t i = 0; i < listed; i++) {
        items[i] = (safetensors_item){.name = list[i].name, .dims = list[i].dims, .data = (void *)data_of(&list[i])};
        memcpy(items[i].shape, list[i].shape, sizeof list[i].shape);
    }
    if (safetensors_write(path, items, listed, NULL, 0, &e)) {
        fprintf(stderr, "torchfile: %s\n", e.text);
        exit(e.code);
    }
}

/* ---------------------------------------------------------------- words */

static void network(arch a, bool counters, int classes)
{
    graph g;
    error e = {0};
    int last = graph_begin(&g, 224, imagenet_mean, imagenet_std, &e) ? -1 : resnet_backbone(&g, a, NULL, &e);
    if (last < 0)
        exit(4);
    for (int i = 0; i < g.param_count; i++) {
        const param *p = &g.params[i];
        const char *mean = strstr(p->name, "running_mean");
        char name[100];
        add(p->name, p->dims, p->shape, false);
        snprintf(name, sizeof name, "%.*snum_batches_tracked", mean ? (int)(mean - p->name) : 0, p->name);
        if (counters && mean)
            add(name, 0, NULL, true);
    }
    if (classes) {
        add("fc.weight", 2, (int[]){classes, g.nodes[last].c}, false);
        add("fc.bias", 1, (int[]){classes}, false);
    }
    graph_free(&g);
}

int main(int argc, char **argv)
{
    arch a;
    if (argc < 3 || !arch_parse(argv[1], &a))
        return 2;
    bool counters = false, wrap = false, module = false;
    const char *form = "zip";
    int classes = 1000;
    for (int i = 3; i < argc; i++) {
        counters = counters || strcmp(argv[i], "counters") == 0;
        if (strcmp(argv[i], "nofc") == 0)
            classes = 0;
        else if (strncmp(argv[i], "fc=", 3) == 0)
            classes = atoi(argv[i] + 3);
    }
    network(a, counters, classes);
    for (int i = 3; i < argc; i++) {
        static const char *const types[] = {"f32", "f16", "bf16", "f64"};
        const char *word = argv[i], *name = strchr(word, '=');
        name = name ? name + 1 : "";
        for (int k = 0; k < 4; k++)
            if (strcmp(word, types[k]) == 0)
                type = (unsigned)k;
        if (strcmp(word, "wrap") == 0)
            wrap = true;
        else if (strcmp(word, "module") == 0)
            module = true;
        else if (strcmp(word, "zip") == 0 || strcmp(word, "legacy") == 0 || strcmp(word, "safetensors") == 0)
            form = word;
        else if (strncmp(word, "drop=", 5) == 0)
            memcpy(find(name), &list[listed - 1], sizeof *list), listed--;
        else if (strncmp(word, "add=", 4) == 0)
            add(name, 1, (int[]){3}, false);
        else if (strncmp(word, "flat=", 5) == 0)
            find(name)->dims = 1, find(name)->shape[0] = find(name)->count;
        else if (strncmp(word, "nan=", 4) == 0)
            find(name)->nan = true;
    }
    for (size_t i = 0; i < listed && module; i++) {
        memmove(list[i].name + 7, list[i].name, strlen(list[i].name) + 1);
        memcpy(list[i].name, "module.", 7);
    }
    if (strcmp(form, "safetensors") == 0) {
        write_safetensors(argv[2]);
        return 0;
    }
    FILE *f = fopen(argv[2], "wb");
    if (!f)
        return 4;
    if (strcmp(form, "zip") == 0)
        write_zip(f, wrap);
    else
        write_legacy(f, wrap);
    return fclose(f) ? 4 : 0;
}
