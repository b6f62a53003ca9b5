/* Unit tests of base/json: the walk, and everything that jsmn lets through. */
#include "base/json.h"
#include "base/utf8.h"

#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static char scratch[] = "/tmp/test_voc_json.XXXXXX";

static void put(const char *text, size_t size)
{
    FILE *f = fopen(scratch, "wb");
    if (f) {
        fwrite(text, 1, size, f);
        fclose(f);
    }
}

/* Walks the whole text; returns the code, with the number of records in *records. */
static int walk(const char *text, size_t *records, error *e)
{
    json_reader r;
    *e = (error){0};
    *records = 0;
    put(text, strlen(text));
    if (!json_open(&r, scratch, e))
        while (json_next(&r, e))
            ++*records;
    json_close(&r);
    return e->code;
}

static void test_walk(void)
{
    TEST("members that are arrays come element by element, others whole, in any layout")
    {
        json_reader r;
        error e = {0};
        const char *text = "\xef\xbb\xbf { \"a\" : [ {\"x\": 1} , [2, 3] , 4 ,\"5\"],\n\"b\":{\"y\":[]},\"c\":[ ],\r\n"
                           "\"d\":null , \"e\\\"\":-1.5e3}\n";
        const char *expected[] = {"a:0:{\"x\": 1}",  "a:1:[2, 3]", "a:2:4",     "a:3:\"5\"",
                                  "b:-1:{\"y\":[]}", "c:-1:",      "d:-1:null", "e\\\":-1:-1.5e3"};
        put(text, strlen(text));
        CHECK(!json_open(&r, scratch, &e), "%s", e.text);
        size_t n = 0;
        while (json_next(&r, &e)) {
            char seen[200];
            snprintf(seen, sizeof seen, "%.*s:%d:%.*s", (int)r.key.size, r.key.text, (int)r.index, (int)r.size, r.text);
            CHECK(n < 8 && strcmp(seen, expected[n]) == 0, "record %zu is %s", n, seen);
            n++;
        }
        CHECK(!e.code && n == 8, "%zu %s", n, e.text);
        json_close(&r);
    }
    TEST("an empty object has no records")
    {
        error e;
        size_t n;
        CHECK(!walk("{}", &n, &e) && n == 0, "%s", e.text);
        CHECK(!walk(" { } \n", &n, &e) && n == 0, "%s", e.text);
    }
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "[]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":[",
        "{\"a\":[1",
        "{\"a\":[1,",
        "{\"a\":[1]",
        "{\"a\":{}",
        "{\"a\":\"x",
        "{\"a\":\"x\\",
        "{} {}",
        "{}garbage",
        "{\"a\":1}garbage",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":1,,\"b\":2}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{\"a\":tru}",
        "{\"a\":True}",
        "{\"a\":nul}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":-}",
        "{\"a\":+1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":0x10}",
        "{\"a\":1 2}",
        "{\"a\":[1 2]}",
        "{\"a\":[1,,2]}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[01]}",
        "{\"a\":[[1 2]]}",
        "{\"a\":[[1,,2]]}",
        "{\"a\":[[1,]]}",
        "{\"a\":[[,1]]}",
        "{\"a\":[[01]]}",
        "{\"a\":[[-]]}",
        "{\"a\":[[tru]]}",
        "{\"a\":[[1.e3]]}",
        "{\"a\":[{\"b\" 1}]}",
        "{\"a\":[{\"b\":1,}]}",
        "{\"a\":[{\"b\"}]}",
        "{\"a\":[{\"b\":}]}",
        "{\"a\":[{\"b\":1:2}]}",
        "{\"a\":[{\"b\":\"c\":\"d\"}]}",
        "{\"a\":[{\"b\",\"c\"}]}",
        "{\"a\":[{1:2}]}",
        "{\"a\":[{[1]:2}]}",
        "{\"a\":[{b:1}]}",
        "{\"a\":[{\"b\":1 \"c\":2}]}",
        "{\"a\":[{\"b\":[1}]}",
        "{\"a\":[{\"b\":{1]}]}",
        "{\"a\":[[\"x\":1]]}",
        "{\"a\":[{\"b\":\"\\x\"}]}",
        "{\"a\":[{\"b\":\"\\u12g4\"}]}",
        "{\"a\":[{\"b\":\"tab\there\"}]}",
        "{\"a\":[{\"b\":\"line\nbreak\"}]}",
        "{\"ta\tb\":1}",
        "{\"a\":[\"x\ty\"]}",
        "{\"a\":[1}",
        "{\"a\":{\"b\":1]}",
        "{\"a\":]",
        "{\"a\":}",
        "{\"a\":\x01}",
        "{\"a\":[{\"b\":\"\xe9\"}]}",
        "{\"a\":[{\"\xed\xa0\x80\":1}]}",
        "{\"\xff\":1}",
        "{\"a\":\"\xc0\xaf\"}",
    };
    TEST("what is no JSON is refused with the file and byte, whatever jsmn thinks of it")
    {
        for (size_t i = 0; i < COUNT(bad); i++) {
            error e;
            size_t n;
            CHECK(walk(bad[i], &n, &e) == ERR_INPUT, "accepted: %s", bad[i]);
            CHECK(strstr(e.text, "test_voc_json") != NULL && strchr(e.text, '\n') == NULL, "%s: %s", bad[i], e.text);
        }
    }
    TEST("the same values written properly are accepted")
    {
        error e;
        size_t n;
        CHECK(!walk("{\"a\":[true,false,null,0,-0,1.5,1e3,1E+3,1.25e-3,\"\",{},[],[[]],{\"b\":{}},"
                    "\"\\u00e9\\\"\"]}",
                    &n, &e) &&
                  n == 15,
              "%zu %s", n, e.text);
    }
    TEST("a NUL inside is refused")
    {
        json_reader r;
        error e = {0};
        put("{\"a\":[{\"b\":\"x\0y\"}]}", 20);
        if (!json_open(&r, scratch, &e))
            while (json_next(&r, &e))
                ;
        json_close(&r);
        CHECK(e.code == ERR_INPUT && strstr(e.text, "NUL"), "%s", e.text);
    }
    TEST("nesting is allowed to a depth and refused beyond, also when never closed")
    {
        char text[4000];
        error e;
        size_t n;
        for (int depth = 10; depth < 1000; depth += 490) {
            memcpy(text, "{\"a\":[", 6);
            memset(text + 6, '[', (size_t)depth);
            memset(text + 6 + depth, ']', (size_t)depth);
            memcpy(text + 6 + 2 * depth, "]}", 3);
            CHECK(walk(text, &n, &e) == (depth > 60 ? ERR_INPUT : 0), "depth %d: %s", depth, e.text);
            text[6 + depth] = 0;
            CHECK(walk(text, &n, &e) == ERR_INPUT, "depth %d, open", depth);
        }
    }
    TEST("one huge record is refused")
    {
        size_t size = JSON_RECORD_MAX + 100;
        char *text = malloc(size + 1);
        error e = {0};
        size_t n;
        if (text) {
            memset(text, ' ', size);
            memcpy(text, "{\"a\":[[1", 8);
            memcpy(text + size - 3, "]]}", 4);
            CHECK(walk(text, &n, &e) == ERR_INPUT && strstr(e.text, "16 MiB"), "%s", e.text);
        }
        free(text);
    }
}

static void test_values(void)
{
    json_reader r;
    error e = {0};
    const char *text =
        "{\"a\": {\"i\": 12, \"whole\": 12.0, \"odd\": 9007199254740993, \"f\": -1.5, \"big\": 1e400, \"t\": "
        "true, \"z\": 0, \"n\": "
        "null, \"s\": \"caf\\u00e9 \\ud83d\\ude00 \\\"\\\\\\/\\n\", \"lone\": \"\\ud83d\", \"nul\": "
        "\"\\u0000\", \"twice\": 1, \"twice\": 2, \"nest\": {\"i\": 99, \"q\": 5}, "
        "\"arr\": [1, [2, {\"i\": 3}], 4]}}";
    put(text, strlen(text));
    text_buffer out = {0};
    int64_t v = 0;
    double d = 0;
    bool b = false;
    TEST("values are found by key and checked by kind and range")
    {
        CHECK(!json_open(&r, scratch, &e) && json_next(&r, &e), "%s", e.text);
        CHECK(json_whole(&r, json_get(&r, 0, "i", &e), 0, 20, &v) && v == 12, "%d", (int)v);
        CHECK(json_whole(&r, json_get(&r, 0, "whole", &e), 0, 20, &v) && v == 12, "12.0");
        CHECK(!json_whole(&r, json_get(&r, 0, "i", &e), 0, 11, &v), "out of range");
        CHECK(!json_whole(&r, json_get(&r, 0, "odd", &e), 0, INT64_C(1) << 53, &v), "not as a rounded double");
        CHECK(!json_whole(&r, json_get(&r, 0, "f", &e), -10, 20, &v), "a fraction");
        CHECK(json_number(&r, json_get(&r, 0, "f", &e), &d) && d == -1.5, "%g", d);
        CHECK(!json_number(&r, json_get(&r, 0, "big", &e), &d), "infinite");
        CHECK(!json_number(&r, json_get(&r, 0, "t", &e), &d), "true is no number");
        CHECK(json_truth(&r, json_get(&r, 0, "t", &e), &b) && b, "true");
        CHECK(json_truth(&r, json_get(&r, 0, "z", &e), &b) && !b, "0");
        CHECK(!json_truth(&r, json_get(&r, 0, "n", &e), &b), "null");
        CHECK(!json_truth(&r, json_get(&r, 0, "s", &e), &b), "a string");
        CHECK(json_get(&r, 0, "q", &e) == -1 && !e.code, "a key of an inner object");
        int arr = json_get(&r, 0, "arr", &e), second = json_after(&r, arr + 1), third = json_after(&r, second);
        CHECK(json_whole(&r, third, 0, 9, &v) && v == 4, "%d", (int)v);
        CHECK(json_get(&r, 0, "twice", &e) == -1 && e.code == ERR_INPUT && strstr(e.text, "twice"), "%s", e.text);
    }
    TEST("strings are decoded, and refused when they are no text")
    {
        error f = {0};
        CHECK(json_string(&r, json_get(&r, 0, "s", &f), &out, &f) &&
                  strcmp(out.data, "caf\xc3\xa9 \xf0\x9f\x98\x80 \"\\/\n") == 0,
              "%s", out.data);
        CHECK(!json_string(&r, json_get(&r, 0, "lone", &f), &out, &f), "a lone surrogate");
        CHECK(!json_string(&r, json_get(&r, 0, "nul", &f), &out, &f), "NUL");
        CHECK(!json_string(&r, json_get(&r, 0, "i", &f), &out, &f) && !f.code, "a number");
        out.size = 0;
        json_add_string(&out, "a\"b\\c\td\xc3\xa9");
        CHECK(!text_done(&out, &f) && strcmp(out.data, "\"a\\\"b\\\\c\\u0009d\xc3\xa9\"") == 0, "%s", out.data);
    }
    TEST("UTF-8 without overlong forms and surrogates")
    {
        CHECK(utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), "good");
        CHECK(!utf8_valid("\xc0\xaf", 2) && !utf8_valid("\xe0\x80\xaf", 3) && !utf8_valid("\xed\xa0\x80", 3) &&
                  !utf8_valid("\xf4\x90\x80\x80", 4) && !utf8_valid("\x80", 1) && !utf8_valid("\xc3", 1) &&
                  !utf8_valid("\xff", 1),
              "bad");
    }
    text_free(&out);
    json_close(&r);
}

int main(void)
{
    int fd = mkstemp(scratch);
    if (fd < 0)
        return 1;
    close(fd);
    test_walk();
    test_refused();
    test_values();
    unlink(scratch);
    return test_end();
}
