/* Files of torch.save, pickles and zip archives: the goldens in tests/golden/torch, and hostile ones. */
#include "base/text.h"
#include "weights/pickle.h"
#include "weights/torch_file.h"
#include "test.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory: thousands are written. */
static char path[40];
static int memory;

static void put(const void *data, size_t size)
{
    if (ftruncate(memory, 0) || pwrite(memory, data, size, 0) != (ssize_t)size)
        exit(4);
}

/* Opens what was put and reads every tensor. */
static int try_open(error *e)
{
    safetensors f;
    *e = (error){0};
    int code = torch_file_open(&f, path, &(bool){false}, e);
    if (code)
        return code;
    for (size_t i = 0; i < f.count && !code; i++) {
        const safetensors_tensor *t = &f.tensors[i];
        float *out = t->count < 1000000 ? malloc(t->count * sizeof *out + 1) : NULL;
        if (out)
            safetensors_floats(t, path, out, &(error){0});
        free(out);
    }
    safetensors_close(&f);
    return 0;
}

/* ---------------------------------------------------------------- goldens */

static const safetensors_tensor *find(const safetensors *f, text_field name)
{
    for (size_t i = 0; i < f->count; i++)
        if (text_is(name, f->tensors[i].name))
            return &f->tensors[i];
    return NULL;
}

static void shape_text(char *text, size_t size, const safetensors_tensor *t)
{
    size_t n = 0;
    snprintf(text, size, "-");
    for (int i = 0; i < t->dims; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%d", i ? "x" : "", (int)t->shape[i]);
}

/* One row of a table: file, tensor, dtype, shape, elements. */
static void check_row(const safetensors *f, const text_field row[5])
{
    const safetensors_tensor *t = find(f, row[1]);
    int n = (int)row[1].size;
    CHECK(t, "%s: '%.*s' is missing", f->view.path, n, row[1].text);
    if (!t)
        return;
    char shape[100];
    shape_text(shape, sizeof shape, t);
    CHECK(text_is(row[2], safetensors_dtype_name(t->dtype)), "%s: '%s' is %s", f->view.path, t->name,
          safetensors_dtype_name(t->dtype));
    CHECK(text_is(row[3], shape), "%s: '%s' is %s", f->view.path, t->name, shape);
    float *values = calloc(t->count + 1, sizeof *values);
    char *hex = calloc(t->count + 1, 8);
    error e = {0};
    int code = safetensors_floats(t, f->view.path, values, &e);
    if (text_is(row[4], "?")) {
        CHECK(code == ERR_INPUT && strstr(e.text, "weights must be"), "%s: '%s': %d", f->view.path, t->name, code);
    } else {
        const unsigned char *bytes = (const unsigned char *)values;
        for (size_t i = 0; i < 4 * t->count; i++)
            snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
        CHECK(!code && text_is(row[4], t->count ? hex : "-"), "%s: '%s' is %.200s", f->view.path, t->name, hex);
    }
    free(hex);
    free(values);
}

static void check_table(const char *table)
{
    file_view view;
    error e = {0};
    safetensors f = {0};
    char name[300] = "";
    size_t rows = 0;
    CHECK(!file_open(&view, table, &e), "%s", e.text);
    text_lines lines = text_lines_of(view.data, view.size);
    const char *line;
    for (size_t size; text_line(&lines, &line, &size);) {
        text_field row[5];
        CHECK(text_split(line, size, '\t', row, 5) == 5, "%s:%zu", table, lines.number);
        char next[300];
        snprintf(next, sizeof next, "tests/golden/torch/%.*s", (int)row[0].size, row[0].text);
        if (strcmp(next, name) != 0) {
            CHECK(rows == f.count, "%s has %zu tensors, %zu are known", name, f.count, rows);
            safetensors_close(&f);
            strcpy(name, next);
            rows = 0;
            int code = torch_file_open(&f, name, &(bool){false}, &e);
            CHECK(!code, "%s", e.text);
            if (code)
                break;
        }
        rows++;
        check_row(&f, row);
    }
    CHECK(rows && rows == f.count, "%s has %zu tensors, %zu are known", name, f.count, rows);
    safetensors_close(&f);
    file_close(&view);
}

static void test_goldens(void)
{
    static const char *const labels[] = {"2.15", "1.12", "1.4"};
    for (int i = 0; i < 3; i++) {
        char sentence[100], table[100];
        snprintf(sentence, sizeof sentence, "files of PyTorch %s are read bit for bit", labels[i]);
        snprintf(table, sizeof table, "tests/golden/torch/%s.tsv", labels[i]);
        TEST(sentence)
        check_table(table);
    }
}

/* ---------------------------------------------------------------- damaged files */

static const char *const samples[] = {"tests/golden/torch/2.15-views.pth", "tests/golden/torch/2.15-legacy-views.pth",
                                      "tests/golden/torch/2.15-protocol4.pth"};

static void test_truncated(void)
{
    TEST("every truncation of a file is refused")
    for (int i = 0; i < 3; i++) {
        file_view view;
        error e = {0};
        CHECK(!file_open(&view, samples[i], &e), "%s", e.text);
        for (size_t n = 0; n < view.size; n++) {
            put(view.data, n);
            CHECK(try_open(&e) == ERR_INPUT, "%s: %zu bytes are accepted", samples[i], n);
            CHECK(strstr(e.text, path), "%s", e.text);
        }
        file_close(&view);
    }
}

static void test_damaged(void)
{
    TEST("damaged bytes do no harm")
    for (int i = 0; i < 3; i++) {
        file_view view;
        error e = {0};
        CHECK(!file_open(&view, samples[i], &e), "%s", e.text);
        char *copy = malloc(view.size);
        for (size_t n = 0; n < view.size * 3; n++) {
            static const unsigned char other[] = {0xFF, 0x01, 0x80};
            size_t at = n / 3;
            memcpy(copy, view.data, view.size);
            copy[at] = (char)(copy[at] ^ other[n % 3]);
            put(copy, view.size);
            try_open(&e);
        }
        free(copy);
        file_close(&view);
    }
}

/* ---------------------------------------------------------------- pickles */

static int read_text(const char *data, size_t size, error *e)
{
    static const char *const globals[] = {"torch FloatStorage", "torch._utils _rebuild_tensor_v2", NULL};
    pickle p;
    *e = (error){0};
    int code = pickle_read(&p, data, size, globals, "p", e);
    if (!code)
        pickle_free(&p);
    return code;
}

#define REFUSED(bytes, why)                                                                                            \
    do {                                                                                                               \
        int code_ = read_text("" bytes, sizeof bytes - 1, &e);                                                         \
        CHECK(code_ == ERR_INPUT && strstr(e.text, why), "%d: %s", code_, e.text);                                     \
    } while (0)
#define ACCEPTED(bytes)                                                                                                \
    do {                                                                                                               \
        CHECK(!read_text("" bytes, sizeof bytes - 1, &e), "%s", e.text);                                               \
    } while (0)

static void test_pickles(void)
{
    error e;
    TEST("pickles that ask for anything but tensors are refused, and named")
    {
        REFUSED("\x80\x02"
                "cposix\nsystem\nX\x06\0\0\0echo x\x85R.",
                "asks for 'posix.system'");
        REFUSED("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.", "asks for 'os.system'");
        REFUSED("\x80\x02"
                "c__builtin__\neval\n.",
                "asks for '__builtin__.eval'");
        REFUSED("\x80\x02"
                "ctorch\nFloatStorageX\n.",
                "asks for 'torch.FloatStorageX'");
        REFUSED("\x80\x02"
                "ctorch FloatStorage\n\n.",
                "asks for 'torch FloatStorage.'");
        REFUSED("\x80\x02"
                "ccollections\nOrderedDict\n)\x81.",
                "the instruction 0x81");
        REFUSED("\x80\x02(X\x01\0\0\0ai", "the instruction 0x69"); /* INST */
        REFUSED("\x80\x02]\x93.", "two names are missing");
        REFUSED("\x80\x02K\x01K\x01R.", "a call without function");
    }
    TEST("what the instructions can build is read")
    {
        ACCEPTED("\x80\x02N.");
        ACCEPTED("\x80\x02I-139725134\n.");
        ACCEPTED("\x80\x02}(X\x01\0\0\0aK\x01U\x01"
                 "bM\x01\x02u.");
        ACCEPTED("\x80\x02"
                 "ccollections\nOrderedDict\n](](U\x01"
                 "aK\x01"
                 "ee\x85R."); /* Python 2 */
        ACCEPTED("\x80\x02]q\0h\0"
                 "a."); /* a list in itself */
        ACCEPTED("\x80\x02}q\0X\x01\0\0\0ah\0s.");
        ACCEPTED("\x80\x02\x8a\x09\0\0\0\0\0\0\0\0\1.");
        ACCEPTED("\x80\x02G?\xf0\0\0\0\0\0\0.");
    }
    TEST("broken pickles are refused")
    {
        REFUSED("", "truncated");
        REFUSED("\x80\x02", "truncated");
        REFUSED("\x80\x02.", "other than one object");
        REFUSED("\x80\x02NN.", "other than one object");
        REFUSED("\x80\x02(N.", "other than one object");
        REFUSED("\x80\x01N.", "a pickle protocol");
        REFUSED("\x80\x02X\xff\xff\xff\xffN.", "truncated");
        REFUSED("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffN.", "truncated");
        REFUSED("\x80\x02\x95N.", "truncated");
        REFUSED("\x80\x02h\0.", "no such entry");
        REFUSED("\x80\x02j\xff\xff\xff\xff.", "no such entry");
        REFUSED("\x80\x02q\0.", "the stack is empty");
        REFUSED("\x80\x02Nr\xff\xff\xff\xff.", "a larger memo");
        REFUSED("\x80\x02I5", "truncated");
        REFUSED("\x80\x02I5L\n.", "a number is damaged");
        REFUSED("\x80\x02N\x86.", "the stack is empty");
        REFUSED("\x80\x02Nt.", "a mark is missing");
        REFUSED("\x80\x02Nu.", "a mark is missing");
        REFUSED("\x80\x02}NNNs.", "no dict");
        REFUSED("\x80\x02}(Nu.", "no dict");
        REFUSED("\x80\x02N(Nu.", "no dict");
        REFUSED("\x80\x02}Na.", "no list");
        REFUSED("\x80\x02(Nu.", "the stack is empty");
        REFUSED("\x80\x02}(\x86.", "the stack is empty"); /* below the mark */
        REFUSED("\x80\x02N(a.", "the stack is empty");
        REFUSED("\x80\x02Q.", "the stack is empty");
        REFUSED("\x80\x02NNb.", "attributes without");
        REFUSED("\x80\x02N0"
                "0.",
                "the stack is empty");
        REFUSED("\x80\x02"
                "ctorch\nFloatStorage",
                "truncated");
        REFUSED("\x80\x02"
                "ccollections\nOrderedDict\nN\x85R.",
                "an OrderedDict of something");
        REFUSED("\x80\x02"
                "ccollections\nOrderedDict\n]Na\x85R.",
                "an OrderedDict of something");
    }
    TEST("what a pickle can make us allocate is bounded")
    {
        static const char endless[] = {')', ']', '(', 'N', 'K'};
        static const char *const why[] = {"more objects", "more objects", "more marks", "more values", "more values"};
        size_t size = (size_t)9 << 20;
        char *data = malloc(size);
        for (int i = 0; i < 5; i++) {
            memset(data, endless[i], size);
            CHECK(read_text(data, size, &e) == ERR_INPUT && strstr(e.text, why[i]), "%s", e.text);
        }
        free(data);
    }
}

/* ---------------------------------------------------------------- archives */

static void number(text_buffer *b, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8)
        text_add_bytes(b, &(char){(char)(value & 255)}, 1);
}

static void words(text_buffer *b, const char *text)
{
    text_add_bytes(b, text, strlen(text));
}

typedef struct entry {
    const char *name, *data;
    size_t size;
    int method, flags;
} entry;

/* An archive of `count` entries without CRC; `wide`: with the 64-bit extension. */
static text_buffer archive(const entry *entries, size_t count, bool wide)
{
    text_buffer b = {0}, directory = {0};
    for (size_t i = 0; i < count; i++) {
        const entry *n = &entries[i];
        uint64_t offset = b.size;
        words(&b, "PK\3\4");
        number(&b, 0, 22); /* sizes are those of the directory */
        number(&b, strlen(n->name), 2);
        number(&b, 5, 2); /* padding, as torch has it */
        words(&b, n->name);
        words(&b, "ABCDE");
        text_add_bytes(&b, n->data, n->size);
        words(&directory, "PK\1\2");
        number(&directory, 0, 4);
        number(&directory, (uint64_t)n->flags, 2);
        number(&directory, (uint64_t)n->method, 2);
        number(&directory, 0, 8);
        number(&directory, wide ? UINT32_MAX : n->size, 4);
        number(&directory, wide ? UINT32_MAX : n->size, 4);
        number(&directory, strlen(n->name), 2);
        number(&directory, wide ? 32 : 0, 2);
        number(&directory, 0, 10);
        number(&directory, wide ? UINT32_MAX : offset, 4);
        words(&directory, n->name);
        if (wide) {
            number(&directory, 0x7777, 2); /* another extra field before */
            number(&directory, 0, 2);
            number(&directory, 1, 2);
            number(&directory, 24, 2);
            number(&directory, n->size, 8);
            number(&directory, n->size, 8);
            number(&directory, offset, 8);
        }
    }
    uint64_t at = b.size, end;
    text_add_bytes(&b, directory.data, directory.size);
    end = b.size;
    if (wide) {
        words(&b, "PK\6\6");
        number(&b, 44, 8);
        number(&b, 0, 12);
        number(&b, count, 8);
        number(&b, count, 8);
        number(&b, directory.size, 8);
        number(&b, at, 8);
        words(&b, "PK\6\7");
        number(&b, 0, 4);
        number(&b, end, 8);
        number(&b, 1, 4);
    }
    words(&b, "PK\5\6");
    number(&b, 0, 4);
    number(&b, wide ? UINT16_MAX : count, 2);
    number(&b, wide ? UINT16_MAX : count, 2);
    number(&b, wide ? UINT32_MAX : directory.size, 4);
    number(&b, wide ? UINT32_MAX : at, 4);
    number(&b, 0, 2);
    text_free(&directory);
    return b;
}

static int open_archive(const entry *entries, size_t count, bool wide, error *e)
{
    text_buffer b = archive(entries, count, wide);
    put(b.data, b.size);
    text_free(&b);
    return try_open(e);
}

/* The pickle of a state dict of one tensor "w": a view of storage "0". The parts are instructions. */
#define PART(b, part) text_add_bytes(b, part, sizeof part - 1)
#define TENSOR(b, count, offset, sizes, strides)                                                                       \
    do {                                                                                                               \
        (b)->size = 0;                                                                                                 \
        PART(b, "\x80\x02}U\1wctorch._utils\n_rebuild_tensor_v2\n(("                                                   \
                "U\7storagectorch\nFloatStorage\nU\0010U\3cpu");                                                       \
        PART(b, count);                                                                                                \
        PART(b, "tQ");                                                                                                 \
        PART(b, offset);                                                                                               \
        PART(b, sizes);                                                                                                \
        PART(b, strides);                                                                                              \
        PART(b, "\x89}tRs.");                                                                                          \
    } while (0)

static void test_tensors(void)
{
    error e;
    text_buffer b = {0};
    entry files[] = {{.name = "a/data.pkl"}, {.name = "a/data/0", .data = "0123456789ABCDEF", .size = 16}};
    TEST("views within their storage are read, others are refused")
    {
        static const char beyond[] = "tensor 'w' reaches beyond its storage";
#define TRY(...)                                                                                                       \
    do {                                                                                                               \
        TENSOR(&b, __VA_ARGS__);                                                                                       \
        files[0].data = b.data;                                                                                        \
        files[0].size = b.size;                                                                                        \
        open_archive(files, 2, false, &e);                                                                             \
    } while (0)
        TRY("K\4", "K\0", "K\4\x85", "K\1\x85");
        CHECK(!e.code, "%s", e.text);
        TRY("K\4", "K\3", "K\1\x85", "K\1\x85");
        CHECK(!e.code, "%s", e.text);
        TRY("K\4", "K\0", "K\2K\2\x86", "K\1K\2\x86");
        CHECK(!e.code, "%s", e.text);
        TRY("K\4", "K\4", "K\0\x85", "K\1\x85");
        CHECK(!e.code, "%s", e.text);
        TRY("K\4", "K\1", "K\4\x85", "K\1\x85");
        CHECK(strstr(e.text, beyond), "%s", e.text);
        TRY("K\4", "K\5", "K\0\x85", "K\1\x85");
        CHECK(strstr(e.text, beyond), "%s", e.text);
        TRY("K\4", "K\4", ")", ")");
        CHECK(strstr(e.text, beyond), "%s", e.text);
        TRY("K\4", "K\0", "K\2K\2\x86", "K\3K\1\x86");
        CHECK(strstr(e.text, beyond), "%s", e.text);
        /* products that overflow */
        TRY("K\4", "K\0", "\x8a\x08\0\0\0\0\0\0\0\x7f\x8a\x08\0\0\0\0\0\0\0\x7f\x86", "K\0K\0\x86");
        CHECK(strstr(e.text, beyond), "%s", e.text);
        TRY("K\4", "K\0", "K\3\x85", "\x8a\x08\1\0\0\0\0\0\0\x40\x85");
        CHECK(strstr(e.text, beyond), "%s", e.text);
        TRY("K\4", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\2\x85", "K\1\x85");
        CHECK(strstr(e.text, beyond), "%s", e.text);
        TRY("K\4", "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85");
        CHECK(strstr(e.text, "is not made as torch.save does it"), "%s", e.text);
        TRY("K\4", "K\0", "K\1\x85", "J\xff\xff\xff\xff\x85");
        CHECK(strstr(e.text, "is not made as torch.save does it"), "%s", e.text);
        TRY("K\4", "K\0", "K\1\x85", ")");
        CHECK(strstr(e.text, "is not made as torch.save does it"), "%s", e.text);
        TRY("K\4", "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t");
        CHECK(strstr(e.text, "is not made as torch.save does it"), "%s", e.text);
        TRY("K\5", "K\0", "K\1\x85", "K\1\x85");
        CHECK(strstr(e.text, "storage '0' has 16 bytes, too few for 5 elements"), "%s", e.text);
        TRY("J\xff\xff\xff\xff", "K\0", "K\1\x85", "K\1\x85");
        CHECK(strstr(e.text, "storage 0 is none that torch.save writes"), "%s", e.text);
        TRY("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\0", "K\1\x85", "K\1\x85");
        CHECK(strstr(e.text, "storage 0 is none that torch.save writes"), "%s", e.text);
    }
    TEST("archives with 64-bit sizes are read; compressed, encrypted, double and missing entries are refused")
    {
        TENSOR(&b, "K\4", "K\0", "K\4\x85", "K\1\x85");
        files[0].data = b.data;
        files[0].size = b.size;
        CHECK(!open_archive(files, 2, false, &e), "%s", e.text);
        CHECK(!open_archive(files, 2, true, &e), "%s", e.text);
        files[1].method = 8;
        CHECK(open_archive(files, 2, false, &e) && strstr(e.text, "'a/data/0' is compressed"), "%s", e.text);
        files[1].method = 0;
        files[1].flags = 1;
        CHECK(open_archive(files, 2, false, &e) && strstr(e.text, "'a/data/0' is compressed or enc"), "%s", e.text);
        files[1].flags = 0;
        files[1].name = "a/data/1";
        CHECK(open_archive(files, 2, false, &e) && strstr(e.text, "storage '0' is not in"), "%s", e.text);
        files[1].name = "a/data.pkl";
        CHECK(open_archive(files, 2, false, &e) && strstr(e.text, "is there twice"), "%s", e.text);
        files[1].name = "a/b/data.pkl";
        CHECK(open_archive(files + 1, 1, false, &e) && strstr(e.text, "there is no data.pkl in it"), "%s", e.text);
        CHECK(open_archive(files, 0, false, &e) && strstr(e.text, "neither") == NULL, "%s", e.text);
    }
    TEST("a changed byte of a tensor's data is noticed")
    {
        file_view view;
        CHECK(!file_open(&view, samples[0], &e), "%s", e.text);
        char *copy = malloc(view.size);
        memcpy(copy, view.data, view.size);
        float first = -1;
        char *at = memmem(copy, view.size, &first, sizeof first);
        CHECK(at, "the first element is not there");
        if (at)
            at[1] = 1;
        put(copy, view.size);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "CRC-32"), "%s", e.text);
        free(copy);
        file_close(&view);
    }
    text_free(&b);
}

int main(void)
{
    memory = memfd_create("torch", MFD_CLOEXEC);
    if (memory < 0)
        return 4;
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    test_goldens();
    test_truncated();
    test_damaged();
    test_pickles();
    test_tensors();
    return test_end();
}
