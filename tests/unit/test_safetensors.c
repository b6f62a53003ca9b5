#include "base/digest.h"
#include "base/text.h"
#include "weights/safetensors.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/onebox-safetensors-XXXXXX";

/* Writes a file with this header length (or -1: the header's own) and header, and `data` bytes of data. */
static void put(const char *header, long long length, size_t data)
{
    FILE *f = fopen(path, "wb");
    unsigned long long n = length < 0 ? strlen(header) : (unsigned long long)length;
    fwrite(&n, 8, 1, f);
    fwrite(header, 1, strlen(header), f);
    for (size_t i = 0; i < data; i++)
        fputc((int)(i & 255), f);
    fclose(f);
}

static int try_open(error *e)
{
    safetensors st;
    *e = (error){0};
    int code = safetensors_open(&st, path, e);
    if (!code)
        safetensors_close(&st);
    return code;
}

static void refused(const char *header, size_t data, const char *why)
{
    error e;
    put(header, -1, data);
    CHECK(try_open(&e) == ERR_INPUT, "accepted: %s", header);
    CHECK(strstr(e.text, why), "'%s' lacks '%s' for %s", e.text, why, header);
    CHECK(strstr(e.text, path) && !strchr(e.text, '\n'), "'%s' doesn't name the file", e.text);
}

static void accepted(const char *header, size_t data)
{
    error e;
    put(header, -1, data);
    CHECK(!try_open(&e), "%s for %s", e.text, header);
}

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_good(void)
{
    TEST("what the format allows is read")
    {
        accepted("{}", 0);
        accepted("{}       ", 0);
        accepted("{\"a\":" T("F32", "[2]", "[0,8]") "}", 8);
        accepted("{ \"a\" :\n" T("F32", "[ 2 , 1 ]", "[ 0 , 8 ]") "\t}", 8);
        accepted("{\"a\":" T("F32", "[]", "[0,4]") "}", 4);    /* a scalar */
        accepted("{\"a\":" T("F32", "[3,0]", "[0,0]") "}", 0); /* no element */
        accepted("{\"b\":" T("I64", "[]", "[0,8]") ",\"a\":" T("F16", "[1]", "[8,10]") "}", 10);
        accepted("{\"a\":" T("F32", "[0]", "[4,4]") ",\"b\":" T("F32", "[1]", "[0,4]") "}", 4);
        accepted("{\"__metadata__\":{},\"a\":" T("U8", "[1]", "[0,1]") "}", 1);
        accepted("{\"__metadata__\":{\"k\":\"v\"}}", 0);
        accepted("{\"a\":" T("F4", "[2]", "[0,1]") "}", 1);
        accepted("{\"a\":" T("F8_E5M2FNUZ", "[2]", "[0,2]") "}", 2);
        accepted("{\"a\":{\"data_offsets\":[0,4],\"dtype\":\"F32\",\"shape\":[1]}}", 4);
    }
    TEST("escapes in names and metadata are decoded")
    {
        safetensors st;
        error e = {0};
        put("{\"__metadata__\":{\"k\\n\":\"\\\"\\u00e4\\ud83d\\ude00\\/\\\\\"},\"\\u0061\":" T("U8", "[1]",
                                                                                               "[0,1]") "}",
            -1, 1);
        CHECK(!safetensors_open(&st, path, &e), "%s", e.text);
        CHECK(safetensors_find(&st, "a"), "no tensor 'a'");
        const char *v = safetensors_value(&st, "k\n");
        CHECK(v && strcmp(v, "\"\xc3\xa4\xf0\x9f\x98\x80/\\") == 0, "%s", v ? v : "no value");
        CHECK(!safetensors_find(&st, "b") && !safetensors_value(&st, "a"), "finds what isn't there");
        safetensors_close(&st);
    }
}

static void test_bad_frame(void)
{
    error e;
    TEST("truncated files and impossible header lengths are refused")
    {
        FILE *f = fopen(path, "wb");
        fclose(f);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "too short"), "%s", e.text);
        f = fopen(path, "wb");
        fwrite("\2\0\0\0\0\0\0", 7, 1, f);
        fclose(f);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "too short"), "%s", e.text);
        put("{}", 3, 0);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "truncated"), "%s", e.text);
        put("{}", 100000001, 0);
        CHECK(try_open(&e) == ERR_INPUT, "above the limit");
        unsigned long long wrap = ~0ULL - 6;
        f = fopen(path, "wb");
        fwrite(&wrap, 8, 1, f);
        fwrite("{}", 2, 1, f);
        fclose(f);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "is this a safetensors"), "%s", e.text);
        put("", 0, 0);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "'{' is missing"), "%s", e.text);
        static const char *const torch[] = {"PK\3\4\0\0\10\10 an archive", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46 a pickle"};
        for (int i = 0; i < 2; i++) {
            f = fopen(path, "wb");
            fwrite(torch[i], 18, 1, f);
            fclose(f);
            CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "is a file of PyTorch") &&
                      strstr(e.text, "import-weights -o"),
                  "%s", e.text);
        }
        put("{\"a\":" T("F32", "[2]", "[0,8]") "}", -1, 7);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "truncated"), "%s", e.text);
        put("{\"a\":" T("F32", "[2]", "[0,8]") "}", -1, 9);
        CHECK(try_open(&e) == ERR_INPUT && strstr(e.text, "1 bytes follow"), "%s", e.text);
        e = (error){0};
        safetensors st;
        CHECK(safetensors_open(&st, "/no/such/file", &e) == ERR_INPUT, "a missing file");
    }
    TEST("every truncation of a good header is refused")
    {
        static const char whole[] = "{\"__metadata__\":{\"k\":\"\\u00e4\"},\"a\":" T("F32", "[2,1]", "[0,8]") "}";
        char part[sizeof whole];
        for (size_t n = 0; n + 1 < sizeof whole; n++) {
            memcpy(part, whole, n);
            part[n] = 0;
            put(part, -1, 8);
            CHECK(try_open(&e) == ERR_INPUT, "accepted the first %zu bytes", n);
        }
    }
}

static void test_bad_json(void)
{
    TEST("what is not quite JSON is refused")
    {
        static const char ok[] = T("F32", "[1]", "[0,4]");
        char h[400];
        refused(" {}", 0, "'{' is missing");
        refused("[]", 0, "'{' is missing");
        refused("{} {}", 0, "behind the closing brace");
        refused("{}\n", 0, "behind the closing brace");
        refused("{\"a\"}", 0, "':'");
        refused("{a:1}", 0, "double quotes");
        refused("{'a':1}", 0, "double quotes");
        snprintf(h, sizeof h, "{\"a\":%s,}", ok);
        refused(h, 4, "double quotes");
        snprintf(h, sizeof h, "{\"a\":%s \"b\":%s}", ok, ok);
        refused(h, 4, "'}'");
        snprintf(h, sizeof h, "{,\"a\":%s}", ok);
        refused(h, 4, "double quotes");
        refused("{\"a\":1}", 0, "'{'");
        refused("{\"a\":{}}", 0, "has no 'dtype'");
        refused("{\"a\":" T("F32", "[1 1]", "[0,4]") "}", 4, "']'");
        refused("{\"a\":" T("F32", "[1,]", "[0,4]") "}", 4, "whole number");
        refused("{\"a\":" T("F32", "[,1]", "[0,4]") "}", 4, "whole number");
        refused("{\"a\":" T("F32", "[01]", "[0,4]") "}", 4, "leading zero");
        refused("{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "whole number");
        refused("{\"a\":" T("F32", "[1.0]", "[0,4]") "}", 4, "whole number");
        refused("{\"a\":" T("F32", "[1e0]", "[0,4]") "}", 4, "whole number");
        refused("{\"a\":" T("F32", "[\"1\"]", "[0,4]") "}", 4, "whole number");
        refused("{\"a\":" T("F32", "[1]", "[0,4,8]") "}", 4, "']'");
        refused("{\"a\":" T("F32", "[1]", "[4]") "}", 4, "','");
        refused("{\"a\":" T("F32", "1", "[0,4]") "}", 4, "'['");
        refused("{\"a\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "double quotes");
        refused("{\"a\x01\":" T("F32", "[1]", "[0,4]") "}", 4, "control character");
        refused("{\"\\x\":1}", 0, "unknown escape");
        refused("{\"\\u12g4\":1}", 0, "hexadecimal");
        refused("{\"\\ud800\":1}", 0, "surrogate");
        refused("{\"\\ud800\\u0041\":1}", 0, "surrogate");
        refused("{\"\\udc00\":1}", 0, "surrogate");
        refused("{\"\\u0000\":1}", 0, "NUL");
        refused("{\"\xff\":1}", 0, "UTF-8");
        refused("{\"\xc0\xaf\":1}", 0, "UTF-8");
        refused("{\"\xed\xa0\x80\":1}", 0, "UTF-8");
        refused("{\"\xf5\x80\x80\x80\":1}", 0, "UTF-8");
        refused("{\"__metadata__\":{\"a\":1}}", 0, "double quotes");
        refused("{\"__metadata__\":[]}", 0, "'{'");
    }
    TEST("keys that are there twice are refused")
    {
        refused("{\"a\":" T("U8", "[1]", "[0,1]") ",\"a\":" T("U8", "[1]", "[1,2]") "}", 2, "twice");
        refused("{\"a\":" T("U8", "[1]", "[0,1]") ",\"\\u0061\":" T("U8", "[1]", "[1,2]") "}", 2, "twice");
        refused("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "twice");
        refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice");
        refused("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "twice");
        refused("{\"a\":{\"dtype\":\"U8\",\"size\":1}}", 1, "unknown key 'size'");
    }
}

static void test_bad_tensors(void)
{
    TEST("unknown dtypes, shapes that contradict offsets, holes and overlaps are refused")
    {
        refused("{\"a\":" T("F23", "[1]", "[0,4]") "}", 4, "unknown dtype 'F23'");
        refused("{\"a\":" T("f32", "[1]", "[0,4]") "}", 4, "unknown dtype");
        refused("{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, "do not agree");
        refused("{\"a\":" T("F16", "[2]", "[0,8]") "}", 8, "do not agree");
        refused("{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, "hole or an overlap");
        refused("{\"a\":" T("F32", "[1]", "[4,8]") "}", 8, "hole or an overlap");
        refused("{\"a\":" T("U8", "[2]", "[0,2]") ",\"b\":" T("U8", "[2]", "[1,3]") "}", 3, "overlap");
        refused("{\"a\":" T("U8", "[1]", "[0,1]") ",\"b\":" T("U8", "[1]", "[2,3]") "}", 3, "hole");
        refused("{\"a\":" T("F4", "[3]", "[0,1]") "}", 1, "whole bytes");
        refused("{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "2^64 elements");
        refused("{\"a\":" T("F32", "[1152921504606846976]", "[0,0]") "}", 0, "2^64 bits");
        refused("{\"a\":" T("F32", "[18446744073709551616]", "[0,4]") "}", 4, "64 bits");
        refused("{\"a\":" T("U8", "[18446744073709551615]", "[0,18446744073709551615]") "}", 4, "2^64 bits");
        refused("{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "8 dimensions");
        refused("{\"a\":" T("F32", "[1]", "[0,18446744073709551615]") "}", 4, "do not agree");
    }
}

static void test_floats(void)
{
    TEST("F32, F64, F16 and BF16 become float32, also where they are not aligned")
    {
        static const char header[] = "{\"a\":" T("U8", "[1]", "[0,1]") ",\"d\":" T(
            "F64", "[2]", "[1,17]") ","
                                    "\"h\":" T("F16", "[6]", "[17,29]") ",\"b\":" T(
                                        "BF16", "[2]", "[29,33]") ","
                                                                  "\"f\":" T("F32", "[1]", "[33,37]") "}";
        const double d[2] = {1.0 / 3, -2.5};
        const unsigned short h[6] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x8000}, b[2] = {0x3F80, 0xC020};
        const float f = 0.1f;
        FILE *file = fopen(path, "wb");
        unsigned long long n = sizeof header - 1;
        fwrite(&n, 8, 1, file);
        fwrite(header, 1, sizeof header - 1, file);
        fputc(9, file);
        fwrite(d, 8, 2, file);
        fwrite(h, 2, 6, file);
        fwrite(b, 2, 2, file);
        fwrite(&f, 4, 1, file);
        fclose(file);
        safetensors st;
        error e = {0};
        float out[8];
        CHECK(!safetensors_open(&st, path, &e), "%s", e.text);
        CHECK(!safetensors_floats(safetensors_find(&st, "d"), path, out, &e) && out[0] == (float)(1.0 / 3) &&
                  out[1] == -2.5f,
              "F64: %g %g", (double)out[0], (double)out[1]);
        CHECK(!safetensors_floats(safetensors_find(&st, "h"), path, out, &e) && out[0] == 1 && out[1] == -2 &&
                  out[2] == 0x1p-24f && out[3] == 65504 && isinf(out[4]) && out[5] == 0 && signbit(out[5]),
              "F16: %g %g %g %g %g", (double)out[0], (double)out[1], (double)out[2], (double)out[3], (double)out[4]);
        CHECK(!safetensors_floats(safetensors_find(&st, "b"), path, out, &e) && out[0] == 1 && out[1] == -2.5f,
              "BF16: %g %g", (double)out[0], (double)out[1]);
        CHECK(!safetensors_floats(safetensors_find(&st, "f"), path, out, &e) && out[0] == f, "F32: %g", (double)out[0]);
        CHECK(safetensors_floats(safetensors_find(&st, "a"), path, out, &e) == ERR_INPUT && strstr(e.text, "'a' is U8"),
              "%s", e.text);
        safetensors_close(&st);
    }
}

static void test_write(void)
{
    error e = {0};
    const float x[] = {1, 2, 3, 4, 5, 6}, y[] = {-0.5f};
    const safetensors_item items[] = {{"b \"q\"", 2, {2, 3}, x}, {"a", 0, {0}, y}};
    const safetensors_meta meta[] = {{"z", "line\nbreak\t\x01 \xc3\xa4"}, {"k", ""}};
    TEST("what is written is read back, sorted and padded to 8 bytes")
    {
        CHECK(!safetensors_write(path, items, 2, meta, 2, &e), "%s", e.text);
        safetensors st;
        CHECK(!safetensors_open(&st, path, &e), "%s", e.text);
        CHECK(st.count == 2 && strcmp(st.tensors[0].name, "a") == 0, "%zu tensors", st.count);
        const safetensors_tensor *b = safetensors_find(&st, "b \"q\"");
        CHECK(b && b->dims == 2 && b->shape[0] == 2 && b->shape[1] == 3 && memcmp(b->data, x, 24) == 0, "b");
        CHECK((size_t)(st.tensors[0].data - (const unsigned char *)st.view.data) % 8 == 0, "not aligned to 8");
        CHECK(strcmp(safetensors_value(&st, "z"), meta[0].value) == 0, "%s", safetensors_value(&st, "z"));
        CHECK(strcmp(safetensors_value(&st, "k"), "") == 0, "%s", safetensors_value(&st, "k"));
        safetensors_close(&st);
    }
    TEST("equal content in another order gives equal bytes")
    {
        char first[65], second[65];
        CHECK(!sha256_file(path, first, &e), "%s", e.text);
        const safetensors_item turned[] = {items[1], items[0]};
        const safetensors_meta keys[] = {meta[1], meta[0]};
        CHECK(!safetensors_write(path, turned, 2, keys, 2, &e), "%s", e.text);
        CHECK(!sha256_file(path, second, &e) && strcmp(first, second) == 0, "the bytes differ");
    }
    TEST("names that are there twice and texts that are not UTF-8 are refused and leave the file alone")
    {
        char before[65], after[65];
        const safetensors_item twice[] = {items[0], items[0]};
        const safetensors_meta latin[] = {{"k", "\xe4"}};
        CHECK(!sha256_file(path, before, &e), "%s", e.text);
        CHECK(safetensors_write(path, twice, 2, NULL, 0, &e) == ERR_USAGE && strstr(e.text, "twice"), "%s", e.text);
        e = (error){0};
        CHECK(safetensors_write(path, items, 2, latin, 1, &e) == ERR_INPUT && strstr(e.text, "UTF-8"), "%s", e.text);
        e = (error){0};
        CHECK(safetensors_write("/no/such/dir/x", items, 2, NULL, 0, &e) == ERR_SYSTEM, "%s", e.text);
        e = (error){0};
        CHECK(!sha256_file(path, after, &e) && strcmp(before, after) == 0, "the file changed");
    }
    TEST("an empty set of tensors can be written and read")
    {
        e = (error){0};
        CHECK(!safetensors_write(path, NULL, 0, NULL, 0, &e) && !try_open(&e), "%s", e.text);
    }
}

static void test_real(void)
{
    TEST("the development weights are a valid file of 182 tensors")
    {
        static const char real[] = "../shared/weights/resnet34-init.safetensors";
        safetensors st;
        error e = {0};
        if (access(real, R_OK) != 0)
            SKIP("%s is not there", real);
        else {
            CHECK(!safetensors_open(&st, real, &e), "%s", e.text);
            CHECK(st.count == 182, "%zu tensors", st.count);
            const safetensors_tensor *t = safetensors_find(&st, "layer4.2.conv2.weight");
            CHECK(t && t->count == 512 * 512 * 9, "layer4.2.conv2.weight");
            safetensors_close(&st);
        }
    }
}

int main(void)
{
    int fd = mkstemp(path);
    close(fd);
    test_good();
    test_bad_frame();
    test_bad_json();
    test_bad_tensors();
    test_floats();
    test_write();
    test_real();
    unlink(path);
    return test_end();
}
