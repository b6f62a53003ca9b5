/* Unit tests of text in base/: fields of files, texts built in memory, UTF-8, JSON's strings, digests, names. */
#include "base/digest.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/utf8.h"

#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static void test_text(void)
{
    TEST("numbers are whole fields in the C locale")
    {
        int64_t i;
        double d;
        CHECK(text_int("12", 2, 0, 100, &i) && i == 12, "12");
        CHECK(!text_int("12 ", 3, 0, 100, &i) && !text_int("+1", 2, 0, 9, &i) && !text_int("", 0, 0, 9, &i), "bad");
        CHECK(!text_int("101", 3, 0, 100, &i) && !text_int("99999999999999999999", 20, 0, INT64_MAX, &i), "range");
        CHECK(text_double("1e-5", 4, &d) && d == 1e-5, "1e-5");
        CHECK(!text_double("nan", 3, &d) && !text_double("inf", 3, &d) && !text_double("0x1", 3, &d), "words");
        CHECK(!text_double("1e999", 5, &d) && !text_double("1,5", 3, &d) && !text_double("1.5x", 4, &d), "tails");
    }
    TEST("lines end in LF, CRLF or the end of the file")
    {
        const char *data = "a\nbb\r\n\nccc";
        text_lines l = text_lines_of(data, strlen(data));
        const char *line;
        size_t n, sizes[4] = {0}, count = 0;
        while (text_line(&l, &line, &n) && count < 4)
            sizes[count++] = n;
        CHECK(count == 4 && sizes[0] == 1 && sizes[1] == 2 && sizes[2] == 0 && sizes[3] == 3, "%zu lines", count);
    }
    TEST("a byte order mark belongs to no line")
    {
        static const char *const data[] = {"\xef\xbb\xbf\x61\nb", "\xef\xbb\xbf", "\xef\xbb"};
        const size_t sizes[] = {1, 0, 2}, counts[] = {2, 0, 1};
        for (size_t i = 0; i < COUNT(data); i++) {
            text_lines l = text_lines_of(data[i], strlen(data[i]));
            const char *line;
            size_t n, count = 0;
            for (; text_line(&l, &line, &n); count++)
                CHECK(count || n == sizes[i], "%zu: %zu bytes", i, n);
            CHECK(count == counts[i], "%zu: %zu lines", i, count);
        }
        text_lines none = text_lines_of(NULL, 0);
        const char *line;
        size_t n;
        CHECK(!text_line(&none, &line, &n), "a line of nothing");
    }
    TEST("blanks are left out around a field, or only behind it, and never inside")
    {
        static const char *const rows[][3] = {{" \t\r\na b \n", "a b", " \t\r\na b"}, /* both, behind only */
                                              {"a", "a", "a"},
                                              {" \t\r\n", "", ""},
                                              {"", "", ""},
                                              {"\va\xc2\xa0", "\va\xc2\xa0", "\va\xc2\xa0"}};
        for (size_t i = 0; i < COUNT(rows); i++) {
            const text_field whole = {rows[i][0], strlen(rows[i][0])};
            CHECK(text_is(text_trimmed(whole), rows[i][1]), "%zu: around", i);
            CHECK(text_is(text_trimmed_end(whole), rows[i][2]), "%zu: behind", i);
        }
    }
    TEST("the nearest word is offered only when it is near")
    {
        const char *words[] = {"augment", "phase", "batch"};
        const char *near = text_nearest("agument", words, 3);
        CHECK(near && strcmp(near, "augment") == 0, "%s", near ? near : "none");
        CHECK(!text_nearest("zzzzzz", words, 3), "offered");
    }
}

static void test_building(void)
{
    TEST("a text is built without a look at each step, and text_done says at the end whether all went well")
    {
        text_buffer b = {0};
        error e = {0};
        text_add(&b, "%d, %s", 7, "x");
        text_add_bytes(&b, "\0y", 2);
        CHECK(text_done(&b, &e) == 0 && b.size == 6 && memcmp(b.data, "7, x\0y", 7) == 0, "%zu bytes", b.size);
        text_free(&b);
        CHECK(text_done(&b, &e) == 0 && b.size == 0 && b.data && *b.data == 0, "an empty text is no string");
        text_free(&b);
    }
    TEST("the first refusal of memory is kept, and nothing is added after it")
    {
        text_buffer b = {0};
        error e = {0};
        text_add(&b, "before");
        text_add_bytes(&b, "", SIZE_MAX / 2);
        text_add(&b, "after");
        CHECK(b.size == 6, "%zu bytes", b.size);
        CHECK(text_done(&b, &e) == ERR_SYSTEM && strstr(e.text, "out of memory"), "%s", e.text);
        CHECK(text_done(&b, NULL) == ERR_SYSTEM, "the failure was forgotten");
        text_free(&b);
    }
    TEST("error lines show at most 80 bytes of a field, three names of many, and the sides of a tensor")
    {
        char long_text[100], shape[40];
        memset(long_text, 'a', sizeof long_text);
        memcpy(long_text + 78, "\xe2\x82\xac", 3); /* a character over the limit */
        CHECK(text_shown((text_field){long_text, 100}) == 78, "%d", text_shown((text_field){long_text, 100}));
        CHECK(text_shown((text_field){long_text, 81}) == 78, "%d", text_shown((text_field){long_text, 81}));
        CHECK(text_shown((text_field){long_text, 40}) == 40, "%d", text_shown((text_field){long_text, 40}));
        text_names n = {0};
        const char *const names[] = {"a", "b", "c", "d", "e"};
        for (size_t i = 0; i < COUNT(names); i++) {
            text_names_add(&n, "'%s'", names[i]);
            if (i == 2)
                CHECK(strcmp(n.text, "'a', 'b', 'c'") == 0, "%s", n.text);
        }
        CHECK(n.count == 5 && strcmp(n.text, "'a', 'b', 'c', ...") == 0, "%zu: %s", n.count, n.text);
        text_shape(shape, sizeof shape, 4, (const uint64_t[]){64, 3, 7, 7});
        CHECK(strcmp(shape, "64x3x7x7") == 0, "%s", shape);
        text_shape(shape, sizeof shape, 0, NULL);
        CHECK(strcmp(shape, "a scalar") == 0, "%s", shape);
    }
    TEST("endings of names, with and without a look at case")
    {
        CHECK(text_ends_with("a.jpg", ".jpg") && text_ends_with(".jpg", ".jpg"), "not seen");
        CHECK(!text_ends_with("a.JPG", ".jpg") && !text_ends_with("g", ".jpg"), "seen");
        CHECK(text_ends_with_any_case("a.JPG", ".jpg") && !text_ends_with_any_case("a.jpgx", ".jpg"), "case");
    }
}

static void test_utf8(void)
{
    TEST("UTF-8 has no overlong forms, no surrogates and nothing cut off")
    {
        CHECK(utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), "good");
        const char *const bad[] = {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                   "\x80",     "\xc3",         "\xff",         "\xf0\x8f\xbf\xbf"};
        for (size_t i = 0; i < COUNT(bad); i++)
            CHECK(!utf8_valid(bad[i], strlen(bad[i])), "text %zu", i);
        CHECK(utf8_length("", 0) == 0 && utf8_length("\xe2\x82\xac", 2) == 0, "cut off");
    }
    TEST("every character is encoded as it is read")
    {
        int wrong = 0;
        for (uint32_t c = 1; c < 0x110000; c++) {
            char b[4];
            size_t n = utf8_encode(c, b);
            wrong += (utf8_length(b, n) == n) != !(c >= 0xd800 && c < 0xe000);
        }
        CHECK(wrong == 0, "%d characters", wrong);
    }
}

static bool decodes(const char *text, const char *expected)
{
    char out[64];
    size_t length = 0;
    const char *wrong = json_decode(text, strlen(text), out, &length);
    return expected ? !wrong && length == strlen(expected) && strcmp(out, expected) == 0 : wrong != NULL;
}

static void test_json_text(void)
{
    TEST("strings of JSON: every escape is decoded, what is no text is refused")
    {
        CHECK(decodes("caf\\u00e9 \\ud83d\\ude00 \\\"\\\\\\/\\b\\f\\n\\r\\t",
                      "caf\xc3\xa9 \xf0\x9f\x98\x80 \"\\/\b\f\n\r\t"),
              "escapes");
        const char *const bad[] = {"\\ud83d", "\\ude00", "\\ud83d\\u0041", "\\u0000", "\\u12g4", "\\u12",
                                   "\\",      "\\x",     "\xc3",           "\n",      "\\u",     "\\ud83d\\u12"};
        for (size_t i = 0; i < COUNT(bad); i++)
            CHECK(decodes(bad[i], NULL), "text %zu", i);
        const char *text = "a\\\"b\\\\\" c\"";
        CHECK(json_string_end(text, text + strlen(text)) == text + 6, "end");
    }
    TEST("what json_add_string writes json_decode reads, for every byte")
    {
        char all[128];
        size_t length;
        for (int i = 1; i < 128; i++)
            all[i - 1] = (char)i;
        all[127] = 0;
        text_buffer b = {0};
        json_add_string(&b, all);
        CHECK(text_done(&b, NULL) == 0 && b.data[0] == '"' && b.data[b.size - 1] == '"', "quotes");
        char back[1024];
        CHECK(!json_decode(b.data + 1, b.size - 2, back, &length) && strcmp(back, all) == 0, "not the same");
        b.size = 0;
        json_add_string(&b, "a\"b\\c\td\n\xc3\xa9");
        CHECK(strcmp(b.data, "\"a\\\"b\\\\c\\u0009d\\n\xc3\xa9\"") == 0, "%s", b.data);
        text_free(&b);
    }
    TEST("numbers of JSON")
    {
        const char *const good[] = {"0", "-0", "10", "1.5", "1e5", "-1.25E-3", "0.1e+1"};
        const char *const bad[] = {"", "-", "01", "+1", "1.", ".5", "1e", "1e+", "1 ", "0x1", "NaN"};
        for (size_t i = 0; i < COUNT(good); i++)
            CHECK(json_number_valid(good[i], strlen(good[i])), "%s", good[i]);
        for (size_t i = 0; i < COUNT(bad); i++)
            CHECK(!json_number_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
    }
}

static void test_digests(void)
{
    TEST("SHA-256 of parts is that of the whole")
    {
        char hex[65], whole[65];
        uint8_t digest[32];
        sha256_bytes((digest_part[]){{"a", 1}, {"", 0}, {"bc", 2}}, 3, digest);
        sha256_text(digest, hex);
        sha256_hex("abc", 3, whole);
        CHECK(strcmp(whole, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0, "%s", whole);
        CHECK(strcmp(hex, whole) == 0, "%s", hex);
    }
    TEST("base64 of any length is that of RFC 4648")
    {
        const char *const pairs[][2] = {{"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
                                        {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"}};
        for (size_t i = 0; i < COUNT(pairs); i++) {
            text_buffer b = {0};
            base64_add(&b, pairs[i][0], strlen(pairs[i][0]));
            CHECK(text_done(&b, NULL) == 0 && strcmp(b.data, pairs[i][1]) == 0, "%s", b.data);
            text_free(&b);
        }
        char bytes[10000];
        text_buffer b = {0};
        memset(bytes, 0, sizeof bytes);
        base64_add(&b, bytes, sizeof bytes);
        CHECK(text_done(&b, NULL) == 0 && b.size == 13336 && strspn(b.data, "A") == 13334, "%zu", b.size);
        text_free(&b);
    }
}

static void test_xxh64(void)
{
    TEST("XXH64 gives the published values")
    {
        CHECK(xxh64("", 0) == 0xef46db3751d8e999, "empty");
        CHECK(xxh64("a", 1) == 0xd24ec4f1a98c6e5b, "a");
        CHECK(xxh64("abc", 3) == 0x44bc2cf5ad770999, "abc");
        CHECK(xxh64("Nobody inspects the spammish repetition", 39) == 0xfbcea83c8a378bf1, "39 bytes");
    }
}

static void test_paths(void)
{
    TEST("names are joined with one '/', a text is written at once, links lead to the same file")
    {
        char folder[] = "/tmp/test_text.XXXXXX", hex[65];
        error e = {0};
        CHECK(mkdtemp(folder) != NULL, "no scratch folder");
        const char *const joined[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
        for (size_t i = 0; i < COUNT(joined); i++) {
            char *path = path_join(joined[i][0], joined[i][1], &e);
            CHECK(path && strcmp(path, joined[i][2]) == 0, "%s", path);
            free(path);
        }
        char *one = path_join(folder, "one", &e), *two = path_join(folder, "two", &e);
        CHECK(file_write(one, "abc", 3, &e) == 0 && sha256_file(one, hex, &e) == 0 && hex[0] == 'b', "%s", e.text);
        CHECK(!file_same(one, two) && symlink("one", two) == 0 && file_same(one, two), "links");
        unlink(two);
        CHECK(file_write(two, "abc", 3, &e) == 0 && !file_same(one, two), "two files of the same bytes");
        unlink(one);
        unlink(two);
        CHECK(rmdir(folder) == 0, "something was left");
        free(one);
        free(two);
    }
}

int main(void)
{
    test_text();
    test_building();
    test_utf8();
    test_json_text();
    test_digests();
    test_xxh64();
    test_paths();
    return test_end();
}
