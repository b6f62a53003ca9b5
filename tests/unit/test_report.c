/* The page of report: escaping, embedding, links, what a folder holds, figures read back. */
#include "judge/metrics.h"
#include "report/found.h"
#include "report/html.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

static bool text_becomes(const char *text, size_t size, const char *expected)
{
    error e = {0};
    html h = {.e = &e, .base = "", .directory = ""};
    html_text(&h, text, size);
    html_put(&h, "%s", "");
    bool same = !e.code && h.page.data && strcmp(h.page.data, expected) == 0;
    if (!same)
        printf("#   got '%s'\n", h.page.data ? h.page.data : "");
    text_free(&h.page);
    return same;
}

static void test_html(void)
{
    TEST("text is escaped, and what is no UTF-8 or a control character is replaced")
    {
        CHECK(text_becomes("<a href=\"x\">'&", 14, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"), "markup");
        CHECK(
            text_becomes("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x88", 14, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x88"),
            "UTF-8 stays");
        CHECK(text_becomes("a\xff"
                           "b\xc3",
                           4,
                           "a\xef\xbf\xbd"
                           "b\xef\xbf\xbd"),
              "stray bytes");
        CHECK(text_becomes("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"), "a surrogate");
        CHECK(text_becomes("\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"), "overlong");
        CHECK(text_becomes("\x1b[1m\n\t", 6, "\xef\xbf\xbd[1m\n\t"), "control characters");
        CHECK(text_becomes("a\0b", 3,
                           "a\xef\xbf\xbd"
                           "b"),
              "NUL");
    }
    TEST("a format escapes its texts and knows counts")
    {
        error e = {0};
        html h = {.e = &e, .base = "", .directory = ""};
        html_put(&h, "<b>%s</b> %d %zu 50%%", "<i>", -3, (size_t)7);
        CHECK(strcmp(h.page.data, "<b>&lt;i&gt;</b> -3 7 50%") == 0, "%s", h.page.data);
        text_free(&h.page);
    }
    TEST("links are percent-encoded, and their names escaped")
    {
        error e = {0};
        html h = {.e = &e, .base = "../", .directory = ""};
        html_link(&h, "a b:<\"%#?.tsv", NULL);
        CHECK(strcmp(h.page.data, "<a href=\"../a%20b%3A%3C%22%25%23%3F.tsv\">a b:&lt;&quot;%#?.tsv</a>") == 0, "%s",
              h.page.data);
        text_free(&h.page);
    }
    TEST("a picture that is not there, or is none, is an error that names it")
    {
        error e = {0};
        html h = {.e = &e, .base = "", .directory = "/nowhere/"};
        html_picture(&h, "x.png", "x");
        CHECK(e.code == ERR_INPUT && strstr(e.text, "/nowhere/x.png"), "%s", e.text);
        html_put(&h, "after a failure nothing is written");
        CHECK(h.page.size == 0, "%zu bytes", h.page.size);
        text_free(&h.page);
    }
}

static void test_found(void)
{
    char directory[80];
    snprintf(directory, sizeof directory, "%s/", folder);
    TEST("trainings are told from the checkpoints after their phases")
    {
        error e = {0};
        found f;
        static const char *const files[] = {"zoo.ckpt",         "detn.ckpt",    "detn.0.ckpt",
                                            "detn.history.tsv", "cls.0.ckpt",   "cls.history.tsv",
                                            "0.003.ckpt",       ".hidden.ckpt", "bbox.ckpt.tmp.12"};
        for (size_t i = 0; i < COUNT(files); i++)
            write_file(files[i], "");
        CHECK(!found_in(&f, directory, &e), "%s", e.text);
        static const char *const expected[] = {"cls", "detn", "0.003", "zoo"};
        CHECK(f.models.count == 4, "%zu", f.models.count);
        for (size_t i = 0; i < 4 && i < f.models.count; i++)
            CHECK(strcmp(f.models.names[i], expected[i]) == 0, "%s", f.models.names[i]);
        CHECK(found_has(&f, "detn", ".0.ckpt") && !found_has(&f, "detn", ".pred.tsv"), "found_has");
        CHECK(f.lr.count == 0 && f.logs.count == 0, "folders that are not there are empty");
        found_free(&f);
    }
    TEST("a folder that is not there is an error")
    {
        error e = {0};
        found f;
        CHECK(found_in(&f, "/nowhere/", &e) == ERR_INPUT && strstr(e.text, "/nowhere/"), "%s", e.text);
        found_free(&f);
    }
    TEST("a log gives command, time, exit code and memory")
    {
        error e = {0};
        found_step s;
        char path[256];
        snprintf(path, sizeof path, "%s/cls.log", folder);
        write_file("cls.log", "command: train-cls -o 'a b'\nversion: x\n"
                              "train-cls: done in 6:35, 3.69 GiB of memory at most\nseconds: 395.1\nexit: 0\n");
        CHECK(!found_read_step(&s, path, &e), "%s", e.text);
        CHECK(strcmp(s.command, "train-cls -o 'a b'") == 0, "%s", s.command);
        CHECK(strcmp(s.seconds, "395.1") == 0 && strcmp(s.exit, "0") == 0, "%s %s", s.seconds, s.exit);
        CHECK(strcmp(s.memory, "3.69 GiB") == 0, "%s", s.memory);
    }
}

static void test_metrics(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/m.json", folder);
    TEST("metrics.json is read back")
    {
        error e = {0};
        metrics m;
        write_file("m.json",
                   "{\"n\": 3, \"unjudged\": 1, \"unpredicted\": 2, \"frame\": 96, \"l1_from\": \"frame\",\n"
                   "\"accuracy\": {\"value\": 0.75, \"se\": 0.1}, \"l1\": {\"value\": null, \"se\": null},\n"
                   "\"mean_iou\": {\"value\": 0.5, \"se\": 0.2}, \"iou_half\": {\"value\": 1, \"se\": 0},\n"
                   "\"locacc_largest\": {\"value\": 0.25, \"se\": 0.3}, \"locacc_any\": {\"value\": 0, \"se\": 0},\n"
                   "\"classes\": [{\"name\": \"a \\\"b\\\"\", \"n\": 3, \"predicted\": 4, \"correct\": 2, "
                   "\"recall\": 0.5, \"precision\": null, \"l1\": null, \"mean_iou\": null, \"iou_half\": null, "
                   "\"locacc_largest\": null, \"locacc_any\": null}]}\n");
        CHECK(!metrics_read(&m, path, &e), "%s", e.text);
        CHECK(m.n == 3 && m.unjudged == 1 && m.unpredicted == 2 && m.frame == 96, "counts");
        CHECK(m.of[METRIC_ACCURACY].value == 0.75 && m.of[METRIC_ACCURACY].error == 0.1, "accuracy");
        CHECK(isnan(m.of[METRIC_L1].value) && isnan(m.of[METRIC_L1].error), "l1");
        CHECK(m.class_count == 1 && strcmp(m.classes[0].name, "a \"b\"") == 0, "class");
        const metrics_class *c = &m.classes[0];
        CHECK(c->of[METRIC_ACCURACY].value == 0.5 && isnan(c->precision) && isnan(c->of[METRIC_L1].value), "null");
        metrics_free(&m);
    }
    TEST("metrics without a member, or with a share above 1, are refused")
    {
        error e = {0}, f = {0};
        metrics m;
        write_file("m.json", "{\"n\": 3}\n");
        CHECK(metrics_read(&m, path, &e) == ERR_INPUT, "%s", e.text);
        metrics_free(&m);
        write_file("m.json", "{\"n\": 3, \"accuracy\": {\"value\": 1.5, \"se\": 0}}");
        CHECK(metrics_read(&m, path, &f) == ERR_INPUT, "%s", f.text);
        metrics_free(&m);
    }
}

int main(void)
{
    strcpy(folder, "/tmp/test_report.XXXXXX");
    if (!mkdtemp(folder))
        return 4;
    test_html();
    test_found();
    test_metrics();
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) | test_end();
}
