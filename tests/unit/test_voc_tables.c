/* Unit tests of the tables and label files: voc/anno, voc/labels, voc/csv, voc/pred, voc/names. */
#include "base/digest.h"
#include "base/file.h"
#include "voc/anno.h"
#include "voc/csv.h"
#include "voc/labels.h"
#include "voc/pred.h"

#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/test_voc_tables.XXXXXX";

/* A file of the scratch folder with that text; the name stays valid for a few calls. */
static const char *put(const char *name, const char *text)
{
    static char paths[8][128];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
    return path;
}

static bool near(double a, double b)
{
    return a - b < 1e-9 && b - a < 1e-9;
}

/* ---------------------------------------------------------------- names */

static void test_names(void)
{
    TEST("names keep their numbers and addresses while the table grows")
    {
        names n = {0};
        error e = {0};
        char text[32];
        size_t number = 0;
        names_add(&n, "first", 5, &number, &e);
        const char *first = n.items[0];
        for (int i = 0; i < 20000; i++) {
            snprintf(text, sizeof text, "%06d.jpg", i);
            CHECK(!names_add(&n, text, strlen(text), &number, &e) && number == (size_t)i + 1, "%zu", number);
        }
        CHECK(n.items[0] == first && names_find(&n, "012345.jpg", 10) == 12346, "moved");
        CHECK(names_find(&n, "012345.jp", 9) == NAMES_NONE && names_find(&n, "x", 1) == NAMES_NONE, "prefix");
        CHECK(!names_add(&n, "first", 5, &number, &e) && number == 0 && n.count == 20001, "twice");
        names_free(&n);
    }
    TEST("names are sorted by bytes")
    {
        names n = {0};
        error e = {0};
        size_t number, order[4];
        const char *given[] = {"b", "\xc3\xa9", "B", "a b"};
        for (int i = 0; i < 4; i++)
            names_add(&n, given[i], strlen(given[i]), &number, &e);
        names_sort(&n, order);
        CHECK(order[0] == 2 && order[1] == 3 && order[2] == 0 && order[3] == 1, "%zu %zu %zu %zu", order[0], order[1],
              order[2], order[3]);
        names_free(&n);
    }
    TEST("file names that leave their folder or break a table are refused")
    {
        CHECK(!names_bad_file_name("a b..jpg", 8) && !names_bad_file_name("...", 3), "good ones");
        CHECK(names_bad_file_name("", 0) && names_bad_file_name(".", 1) && names_bad_file_name("..", 2) &&
                  names_bad_file_name("/a", 2) && names_bad_file_name("a\tb", 3) && names_bad_file_name("a\nb", 3) &&
                  names_bad_file_name("a\0b", 3),
              "a bad one passed");
        CHECK(!names_bad_file_name("\xe9.jpg", 5) && names_bad_category("\xe9", 1) &&
                  !names_bad_category("\xc3\xa9", 2),
              "file names may be any bytes, categories are UTF-8");
        char long_name[1100];
        memset(long_name, 'x', sizeof long_name);
        CHECK(!names_bad_file_name(long_name, 255) && names_bad_file_name(long_name, 256), "length of a part");
        for (size_t i = 100; i < sizeof long_name; i += 100)
            long_name[i] = '/';
        CHECK(!names_bad_file_name(long_name, 1023) && names_bad_file_name(long_name, 1024), "length");
        CHECK(!names_bad_category(long_name, 255) && names_bad_category(long_name, 256), "length of a category");
    }
    TEST("one file name in a folder has one form in all tables, however it was written")
    {
        static const char *const good[][2] = {
            {"cam0/7.jpg", "cam0/7.jpg"},
            {"cam0\\7.jpg", "cam0/7.jpg"},
            {"./cam0//7.jpg", "cam0/7.jpg"},
            {"a/../cam0/7.jpg", "cam0/7.jpg"},
            {"a/b/../../7.jpg", "7.jpg"},
            {".\\a\\..\\7.jpg", "7.jpg"},
            {"cam0/.hidden", "cam0/.hidden"},
            {"a/..b/c..", "a/..b/c.."},
            {"-", "-"},
            {"C:7.jpg", "C:7.jpg"},
            {"a/C:/7.jpg", "a/C:/7.jpg"},
            {" a /b .jpg", " a /b .jpg"},
        };
        static const char *const bad[][2] = {
            {"../7.jpg", "leads out"},
            {"a/../../7.jpg", "leads out"},
            {"..\\7.jpg", "leads out"},
            {"/7.jpg", "is a full path"},
            {"\\\\host\\7.jpg", "is a full path"},
            {"C:\\a\\7.jpg", "is a full path"},
            {"a/", "is a folder"},
            {"a/.", "is a folder"},
            {"a/b/..", "is a folder"},
            {"a/..", "is a folder"},
            {"./", "is a folder"},
        };
        char clean[NAMES_FILE_MAX + 1];
        for (size_t i = 0; i < COUNT(good); i++) {
            const char *wrong = names_file_name((text_field){good[i][0], strlen(good[i][0])}, clean);
            CHECK(!wrong && strcmp(clean, good[i][1]) == 0, "%s: %s", good[i][0], wrong ? wrong : clean);
        }
        for (size_t i = 0; i < COUNT(bad); i++) {
            const char *wrong = names_file_name((text_field){bad[i][0], strlen(bad[i][0])}, clean);
            CHECK(wrong && strstr(wrong, bad[i][1]), "%s: %s", bad[i][0], wrong ? wrong : clean);
        }
        const text_field rest = names_without_root((text_field){"C:\\a\\7.jpg", 10});
        CHECK(rest.size == 7 && names_without_root((text_field){"//a", 3}).size == 1, "%.*s", (int)rest.size,
              rest.text);
        names n = {0};
        error e = {0};
        CHECK(!names_add_file(&n, (text_field){"a/7.jpg", 7}, &e) &&
                  !names_add_file(&n, (text_field){"b/7.jpg", 7}, &e) &&
                  names_add_file(&n, (text_field){"c/../a\\7.jpg", 12}, &e) && strstr(e.text, "a/7.jpg is there twice"),
              "%s", e.text);
        names_free(&n);
    }
    TEST("the stem of a file name is told from a dot in a folder's name")
    {
        CHECK(names_stem("7.jpg") == 1 && names_stem("cam.0/7.jpg") == 7 && names_stem("cam.0/7") == 7 &&
                  names_stem(".jpg") == 4 && names_stem("a/.jpg") == 6 && names_stem("a.b.jpg") == 3,
              "stems");
    }
}

/* ---------------------------------------------------------------- annotations */

static void test_anno(void)
{
    TEST("an annotation table is read, grouped by picture, and gives the largest object")
    {
        anno_table t;
        error e = {0};
        const char *path = put("anno.tsv", ANNO_HEADER "\n"
                                                       "17\tb.jpg\t480\t364\tperson\t61\t184\t198\t278\t0\n"
                                                       "12\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\n"
                                                       "17\tb.jpg\t480\t364\thorse\t77\t89\t335\t402\t0\n"
                                                       "17\tb.jpg\t480\t364\tsky\t0\t0\t363\t479\t1\n"
                                                       "12\ta.jpg\t500\t333\tbus\t95\t155\t268\t350\t0\n"
                                                       "9\tc.jpg\t5\t5\tcar\t0\t0\t0\t4\t0\n"
                                                       "8\td.jpg\t5\t5\tcar\t0\t0\t4\t4\t1\n");
        CHECK(!anno_read(&t, path, &e), "%s", e.text);
        CHECK(t.count == 7 && t.image_count == 4, "%zu %zu", t.count, t.image_count);
        const anno_image *b = anno_find(&t, "b.jpg"), *a = anno_find_id(&t, 12);
        CHECK(b == &t.images[0] && b->count == 3 && b->rows[0] == 0 && b->rows[1] == 2 && b->rows[2] == 3, "rows of b");
        CHECK(a == &t.images[1] && strcmp(a->file_name, "a.jpg") == 0, "id 12");
        CHECK(strcmp(anno_largest(&t, b)->category, "horse") == 0, "largest of b, the ignored one is larger");
        CHECK(strcmp(anno_largest(&t, a)->category, "car") == 0, "the first of two equals");
        CHECK(anno_largest(&t, anno_find(&t, "d.jpg")) == NULL, "only ignored");
        CHECK(strcmp(anno_largest(&t, anno_find(&t, "c.jpg"))->category, "car") == 0, "score 0");
        CHECK(!anno_find(&t, "x.jpg") && !anno_find_id(&t, 5), "unknown");
        anno_free(&t);
    }
    TEST("broken annotation tables are refused with file and line")
    {
        static const struct {
            const char *text, *line, *what;
        } bad[] = {
            {"", "", "empty"},
            {"image_id\tfile_name\n", ":1", "header"},
            {"12\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\n", ":1", "header"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\n", ":2", "columns"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\t\n", ":2", "columns"},
            {ANNO_HEADER "\n\n", ":2", "columns"},
            {ANNO_HEADER "\nx\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\n", ":2", "image_id"},
            {ANNO_HEADER "\n-1\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\n", ":2", "image_id"},
            {ANNO_HEADER "\n9007199254740993\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\n", ":2", "image_id"},
            {ANNO_HEADER "\n12\t../a\t500\t333\tcar\t96\t155\t269\t350\t0\n", ":2", "leads out"},
            {ANNO_HEADER "\n1\ta/b\t9\t9\tc\t0\t0\t1\t1\t0\n2\ta\\b\t9\t9\tc\t0\t0\t1\t1\t0\n", ":3", "two image ids"},
            {ANNO_HEADER "\n12\t\t500\t333\tcar\t96\t155\t269\t350\t0\n", ":2", "empty"},
            {ANNO_HEADER "\n12\ta.jpg\t0\t333\tcar\t96\t155\t269\t350\t0\n", ":2", "width"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t9999999\tcar\t96\t155\t269\t350\t0\n", ":2", "height"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\t\t96\t155\t269\t350\t0\n", ":2", "category"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96.5\t155\t269\t350\t0\n", ":2", "y1"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t-96\t155\t269\t350\t0\n", ":2", "y1"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96\t155\t333\t350\t0\n", ":2", "box"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96\t155\t269\t500\t0\n", ":2", "box"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96\t351\t269\t350\t0\n", ":2", "box"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t2\n", ":2", "ignore"},
            {ANNO_HEADER "\n12\ta.jpg\t500\t333\tcar\t96\t155\t269\t350\t0", ":2", "truncated"},
            {ANNO_HEADER "\n1\ta\t9\t9\tc\t0\t0\t1\t1\t0\n1\tb\t9\t9\tc\t0\t0\t1\t1\t0\n", ":3", "two pictures"},
            {ANNO_HEADER "\n1\ta\t9\t9\tc\t0\t0\t1\t1\t0\n2\ta\t9\t9\tc\t0\t0\t1\t1\t0\n", ":3", "two image ids"},
            {ANNO_HEADER "\n1\ta\t9\t9\tc\t0\t0\t1\t1\t0\n1\ta\t9\t8\tc\t0\t0\t1\t1\t0\n", ":3", "two sizes"},
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
            anno_table t;
            error e = {0};
            const char *path = put("bad.tsv", bad[i].text);
            CHECK(anno_read(&t, path, &e) == ERR_INPUT, "accepted: %s", bad[i].text);
            CHECK(strncmp(e.text, path, strlen(path)) == 0 && strstr(e.text, bad[i].line) &&
                      strstr(e.text, bad[i].what),
                  "%zu: %s", i, e.text);
            CHECK(anno_check(path, NULL), "check");
            anno_free(&t);
        }
    }
    TEST("a largest table has one row per picture and none ignored")
    {
        error e = {0};
        CHECK(!anno_check_largest(put("l.tsv", ANNO_HEADER "\n1\ta\t9\t9\tc\t0\t0\t1\t1\t0\n"), &e), "%s", e.text);
        CHECK(anno_check_largest(put("l.tsv", ANNO_HEADER "\n1\ta\t9\t9\tc\t0\t0\t1\t1\t1\n"), NULL), "ignored");
        CHECK(anno_check_largest(
                  put("l.tsv", ANNO_HEADER "\n1\ta\t9\t9\tc\t0\t0\t1\t1\t0\n1\ta\t9\t9\tc\t0\t0\t1\t1\t0\n"), NULL),
              "two rows");
    }
}

/* ---------------------------------------------------------------- CSV and labels */

static void test_csv(void)
{
    TEST("CSV fields with commas, quotes and line breaks come back as they were")
    {
        static const char *const fields[] = {"plain", "a,b", "say \"hi\"", "two\nlines", "", " blank ", "\"", ","};
        const char *path = put("q.csv", "");
        FILE *f = fopen(path, "wb");
        for (size_t i = 0; f && i < 8; i += 2) {
            csv_print(f, fields[i]);
            fputc(',', f);
            csv_print(f, fields[i + 1]);
            fputc('\n', f);
        }
        if (f)
            fclose(f);
        file_view view;
        error e = {0};
        size_t rows = 0;
        CHECK(!file_open(&view, path, &e), "%s", e.text);
        csv_reader r = csv_start(path, view.data, view.size);
        while (csv_next(&r, &e)) {
            for (size_t k = 0; k < 2; k++)
                CHECK(r.count == 2 && text_is(r.fields[k], fields[2 * rows + k]), "row %zu field %zu: %.*s", rows, k,
                      (int)r.fields[k].size, r.fields[k].text);
            rows++;
        }
        CHECK(rows == 4 && !e.code && r.line == 5, "%zu rows, line %zu: %s", rows, r.line, e.text);
        csv_end(&r);
        file_close(&view);
    }
    TEST("names without need are written without quotes")
    {
        const char *path = put("p.csv", "");
        FILE *f = fopen(path, "wb");
        if (f) {
            csv_print(f, "000012.jpg");
            csv_print(f, " potted plant");
            fclose(f);
        }
        file_view view;
        error e = {0};
        CHECK(!file_open(&view, path, &e) && view.size == 23 && memcmp(view.data, "000012.jpg potted plant", 23) == 0,
              "quoted");
        file_close(&view);
    }
}

static void test_object_labels(void)
{
    TEST("all objects of anno.tsv: rows are its pictures with something to find, ignored objects have no class")
    {
        labels l;
        error e = {0};
        const char *anno = put("anno.tsv", ANNO_HEADER "\n"
                                                       "2\tb.jpg\t90\t80\tdog\t1\t2\t30\t40\t0\n"
                                                       "1\ta.jpg\t90\t80\tcar\t0\t0\t9\t9\t1\n"
                                                       "2\tb.jpg\t90\t80\tzebra\t0\t0\t79\t89\t1\n"
                                                       "3\td.jpg\t90\t80\tcow\t5\t6\t7\t8\t0\n"
                                                       "2\tb.jpg\t90\t80\tcow\t0\t0\t50\t50\t0\n");
        const char *some = put("some.txt", "d.jpg\n");
        CHECK(!labels_read_objects(&l, anno, some, &e), "%s", e.text);
        CHECK(l.count == 2 && l.has_objects && l.has_class && !l.has_box && l.object_count == 4 && l.most_objects == 3,
              "%zu rows, %zu objects, at most %zu", l.count, l.object_count, l.most_objects);
        CHECK(l.class_count == 2 && strcmp(l.classes[0], "cow") == 0 && strcmp(l.classes[1], "dog") == 0, "classes");
        const label_row *r = &l.rows[0];
        const label_object *o = &l.objects[r->first_object];
        CHECK(strcmp(r->file_name, "b.jpg") == 0 && !r->is_val && r->object_count == 3, "row 0");
        CHECK(r->class_index == 0 && r->box.y2 == 50, "the largest: class %d, box to %d", r->class_index, r->box.y2);
        CHECK(o[0].class_index == 1 && o[0].box.x2 == 40 && o[1].class_index == -1 && o[1].box.y2 == 79 &&
                  o[2].class_index == 0,
              "objects of row 0");
        CHECK(strcmp(l.rows[1].file_name, "d.jpg") == 0 && l.rows[1].is_val && l.val_count == 1, "row 1");
        labels_free(&l);
        const char *all = put("all.txt", "d.jpg\nb.jpg\n"), *unknown = put("none.txt", "a.jpg\n");
        CHECK(labels_read_objects(&l, anno, all, &e) == ERR_INPUT && strstr(e.text, "none is left"), "%s", e.text);
        e = (error){0};
        CHECK(labels_read_objects(&l, anno, unknown, &e) == ERR_INPUT && strstr(e.text, "1 of its 1"), "%s", e.text);
        e = (error){0};
        const char *nothing = put("anno.tsv", ANNO_HEADER "\n1\ta.jpg\t90\t80\tcar\t0\t0\t9\t9\t1\n");
        CHECK(labels_read_objects(&l, nothing, NULL, &e) == ERR_INPUT && strstr(e.text, "ignored"), "%s", e.text);
    }
}

static void test_labels(void)
{
    const char *lrg = put("lrg.csv", "fn,cat\nb.jpg,person\nc.jpg,car\na.jpg,potted plant\nd.jpg,Car\n");
    const char *bb = put("bb.csv", "fn,bbox\na.jpg,1 2 3 4\nd.jpg,0 0 9 9\nb.jpg,5 6 7 8\nc.jpg,10 20 30 40\n");
    const char *val = put("val.txt", "d.jpg\nb.jpg\n");
    TEST("labels are joined by file name, rows keep the CSV order, classes are ranks in byte order")
    {
        labels l;
        error e = {0};
        CHECK(!labels_read(&l, lrg, bb, val, &e), "%s", e.text);
        CHECK(l.count == 4 && l.class_count == 4 && l.has_class && l.has_box, "%zu %zu", l.count, l.class_count);
        CHECK(strcmp(l.classes[0], "Car") == 0 && strcmp(l.classes[1], "car") == 0 &&
                  strcmp(l.classes[2], "person") == 0 && strcmp(l.classes[3], "potted plant") == 0,
              "classes");
        CHECK(strcmp(l.rows[0].file_name, "b.jpg") == 0 && l.rows[0].class_index == 2 && l.rows[0].box.y1 == 5 &&
                  l.rows[0].box.x2 == 8 && l.rows[0].is_val,
              "row 0");
        CHECK(strcmp(l.rows[2].file_name, "a.jpg") == 0 && l.rows[2].class_index == 3 && l.rows[2].box.x1 == 2 &&
                  !l.rows[2].is_val,
              "row 2");
        CHECK(l.val_count == 2 && l.val[0] == 0 && l.val[1] == 3 && l.train_count == 2 && l.train[0] == 1 &&
                  l.train[1] == 2,
              "the split is in row order, not in that of val.txt nor sorted by name");
        char hex[65];
        sha256_hex("b\nd\n", 4, hex);
        CHECK(strcmp(hex, l.val_sha256) == 0, "%s", l.val_sha256);
        sha256_hex("c\na\n", 4, hex);
        CHECK(strcmp(hex, l.train_sha256) == 0, "%s", l.train_sha256);
        labels_free(&l);
    }
    TEST("one of the two files, and no list, are enough")
    {
        labels l;
        error e = {0};
        CHECK(!labels_read(&l, NULL, bb, NULL, &e) && !l.classes && l.rows[0].class_index == -1 && l.val_count == 0 &&
                  l.train_count == 4 && strcmp(l.rows[0].file_name, "a.jpg") == 0,
              "%s", e.text);
        labels_free(&l);
        CHECK(!labels_read(&l, lrg, NULL, val, &e) && !l.has_box && l.rows[0].box.y1 == 0, "%s", e.text);
        labels_free(&l);
        CHECK(labels_read(&l, NULL, NULL, val, &e) == ERR_USAGE, "neither");
        labels_free(&l);
    }
    TEST("the published digest of a list is that of six-digit ids, one a line")
    {
        const char *list[] = {"000012.jpg", "000017.jpg"};
        char hex[65], want[65];
        error e = {0};
        sha256_hex("000012\n000017\n", 14, want);
        CHECK(!labels_digest(list, 2, hex, &e) && strcmp(hex, want) == 0, "%s", hex);
        const char *odd[] = {".hidden", "no_extension", "two.dots.png"};
        sha256_hex(".hidden\nno_extension\ntwo.dots\n", 30, want);
        CHECK(!labels_digest(odd, 3, hex, &e) && strcmp(hex, want) == 0, "%s", hex);
    }
    TEST("names missing on one side are counted, and some shown")
    {
        labels l;
        error e = {0};
        const char *few = put("few.csv", "fn,bbox\na.jpg,1 2 3 4\nx.jpg,1 2 3 4\n");
        CHECK(labels_read(&l, lrg, few, val, &e) == ERR_INPUT, "accepted");
        CHECK(strstr(e.text, "3 of its 4") && strstr(e.text, "b.jpg, c.jpg, d.jpg") && !strstr(e.text, "..."), "%s",
              e.text);
        labels_free(&l);
        e = (error){0};
        const char *unknown = put("u.txt", "q1\nb.jpg\nq2\nq3\nq4\n");
        CHECK(labels_read(&l, lrg, bb, unknown, &e) == ERR_INPUT && strstr(e.text, "4 of its 5") &&
                  strstr(e.text, ", the first q1; correct them"),
              "%s", e.text);
        labels_free(&l);
    }
    TEST("broken label files are refused with file and line")
    {
        static const struct {
            const char *lrg, *bb, *val, *what;
        } bad[] = {
            {"", NULL, NULL, "empty"},
            {"fn,cat\n", NULL, NULL, "no rows"},
            {"cat,fn\na,b\n", NULL, NULL, ":1"},
            {"fn,bbox\na,1 2 3 4\n", NULL, NULL, ":1"},
            {"fn,cat\na,b,c\n", NULL, NULL, ":2"},
            {"fn,cat\na\n", NULL, NULL, ":2"},
            {"fn,cat\n\na,b\n", NULL, NULL, ":2"},
            {"fn,cat\na,x\nb,\n", NULL, NULL, ":3"},
            {"fn,cat\na,x\n,y\n", NULL, NULL, ":3"},
            {"fn,cat\na,x\na,y\n", NULL, NULL, "twice"},
            {"fn,cat\n../a,x\n", NULL, NULL, "leads out"},
            {"fn,cat\n\"a,x\n", NULL, NULL, "not closed"},
            {"fn,cat\na,x\nb,flowe", NULL, NULL, ":3: the last line does not end: the file is truncated"},
            {"fn,cat\na,x\nb,\"flower\"", NULL, NULL, ":3: the last line does not end"},
            {"fn,cat\n\"a\"b,x\n", NULL, NULL, "behind"},
            {"fn,cat\na\"b,x\n", NULL, NULL, "quote"},
            {"fn,cat\na,\"b\tc\"\n", NULL, NULL, "tab"},
            {NULL, "fn,bbox\na,1 2 3\n", NULL, ":2"},
            {NULL, "fn,bbox\na,1 2 3 4 5\n", NULL, ":2"},
            {NULL, "fn,bbox\na,1  2 3 4\n", NULL, ":2"},
            {NULL, "fn,bbox\na,1 2 3 4 \n", NULL, ":2"},
            {NULL, "fn,bbox\na,1 2 3 x\n", NULL, ":2"},
            {NULL, "fn,bbox\na,1 2 3 4.5\n", NULL, ":2"},
            {NULL, "fn,bbox\na,-1 2 3 4\n", NULL, ":2"},
            {NULL, "fn,bbox\na,5 2 3 4\n", NULL, "ends before"},
            {NULL, "fn,bbox\na,nan 2 3 4\n", NULL, ":2"},
            {NULL, "fn,bbox\na,1 2 3 99999999999\n", NULL, ":2"},
            {"fn,cat\na,x\nb,y\n", NULL, "", "empty"},
            {"fn,cat\na,x\nb,y\n", NULL, "a\nb\n", "none is left"},
            {"fn,cat\na,x\nb,y\n", NULL, "a\na\n", ":2"},
            {"fn,cat\na,x\nb,y\n", NULL, "\xef\xbb\xbf \n\n", "empty"},
            {"fn,cat\na,x\nb,y\n", NULL, "x/../../a\n", ":1"},
            {"fn,cat\nc/a.jpg,x\nc/b.jpg,y\nd/b.jpg,y\n", NULL, "a\nb.jpg\n",
             "1 of its 2 names mean no picture of /tmp/"},
            {"fn,cat\nc/a.jpg,x\nc/b.jpg,y\nd/b.jpg,y\n", NULL, "b\n", ", the first b (is it d/b.jpg?); correct"},
            {"fn,cat\ncat_1.jpg,x\ndog.jpg,y\n", NULL, "cats_1.jpg\n",
             ", the first cats_1.jpg (is it cat_1.jpg?); correct them, or take"},
            {"fn,cat\ncat_1.jpg,x\ndog.jpg,y\n", NULL, "cat_1\ncat_1.jpg\n", "3.txt:2: cat_1.jpg is there twice"},
            {"fn,cat\na,x\nb,y\n", "fn,bbox\na,1 2 3 4\nb,1 2 3 4\nc,1 2 3 4\n", NULL, "1 of its 3"},
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
            labels l;
            error e = {0};
            const char *a = bad[i].lrg ? put("1.csv", bad[i].lrg) : NULL;
            const char *b = bad[i].bb ? put("2.csv", bad[i].bb) : NULL;
            const char *v = bad[i].val ? put("3.txt", bad[i].val) : NULL;
            CHECK(labels_read(&l, a, b, v, &e) == ERR_INPUT, "accepted: %zu", i);
            CHECK(strncmp(e.text, folder, strlen(folder)) == 0 && strstr(e.text, bad[i].what), "%zu: %s", i, e.text);
            CHECK(!l.rows && !l.count, "left something");
            labels_free(&l);
        }
    }
    TEST(
        "a list of names may come from any editor: byte order mark, carriage returns, blanks, empty lines, backslashes")
    {
        labels l;
        error e = {0};
        const char *folders = put("lrg.csv", "fn,cat\na/1.jpg,x\nb/1.jpg,y\n1.jpg,z\n");
        const char *edited = put("val.txt", "\xef\xbb\xbf"
                                            "b\\1.jpg \t\r\n\r\n  \r\n1.jpg");
        CHECK(!labels_read(&l, folders, NULL, edited, &e), "%s", e.text);
        CHECK(l.val_count == 2 && l.val[0] == 1 && l.val[1] == 2, "%zu validate", l.val_count);
        CHECK(!labels_check(edited, &e), "%s", e.text);
        labels_free(&l);
        const char *wide = put("wide.txt", "\xff\xfe"
                                           "1");
        CHECK(labels_check(wide, &e) == ERR_INPUT && strstr(e.text, "UTF-16"), "%s", e.text);
    }
    TEST("a list of names may spell them as annotations do, as long as one picture fits")
    {
        static const char csv[] = "fn,cat\nset/my photo.jpg,x\nu\xcc\x88"
                                  "ber.png,y\nset/B.JPG,x\nother/1.jpg,x\n2.jpg,y\n";
        static const char *const lists[] = {"set/my photo.jpg\n\xc3\xbc"
                                            "ber.png\n",
                                            "my%20photo\nu\xcc\x88"
                                            "ber\n",
                                            "C:\\me\\set\\my photo.jpg\n/home/me/\xc3\xbc"
                                            "ber.png\n",
                                            "./images/set/my photo.png\nU\xcc\x88"
                                            "BER.jpeg\n"};
        for (size_t i = 0; i < COUNT(lists); i++) {
            labels l;
            error e = {0};
            CHECK(!labels_read(&l, put("lrg.csv", csv), NULL, put("val.txt", lists[i]), &e), "%s", e.text);
            CHECK(l.val_count == 2 && l.val[0] == 0 && l.val[1] == 1, "%zu: %zu validate", i, l.val_count);
            labels_free(&l);
        }
    }
    TEST("quotes, carriage returns and a byte order mark are read")
    {
        labels l;
        error e = {0};
        const char *odd = put("odd.csv", "\xef\xbb\xbf"
                                         "fn,cat\r\n\"a,1.jpg\",\"say \"\"x\"\"\"\r\nb.jpg,two words\n");
        CHECK(!labels_read(&l, odd, NULL, put("v.txt", "a,1.jpg"), &e), "%s", e.text);
        CHECK(l.count == 2 && strcmp(l.rows[0].file_name, "a,1.jpg") == 0 && strcmp(l.classes[0], "say \"x\"") == 0 &&
                  strcmp(l.classes[1], "two words") == 0 && l.val_count == 1,
              "values");
        labels_free(&l);
    }
    TEST("a check tells CSV from a list of names as a training does, with quotes and a byte order mark")
    {
        static const struct {
            const char *text, *what; /* NULL: valid */
        } files[] = {
            {"fn,cat\na,x\n", NULL},
            {"\xef\xbb\xbf"
             "fn,cat\r\na,x\r\n",
             NULL},
            {"\"fn\",\"bbox\"\na,1 2 3 4\n", NULL},
            {"\xef\xbb\xbf"
             "fn,cat\na,x\na,x\n",
             ":3: a is there twice"},
            {"\"fn\",bbox\na,1 2 3\n", ":2: box"},
            {"fn,cat\na\n", ":2: 1 fields"},
            {"a.jpg\nb \"1\".jpg\n", NULL},
            {"\"a.jpg\nb.jpg\n", NULL}, /* a name may begin with a quote */
            {"a.jpg\na.jpg\n", ":2: a.jpg is there twice"},
            {"", "is empty"},
        };
        for (size_t i = 0; i < COUNT(files); i++) {
            error e = {0};
            const int code = labels_check(put("check.txt", files[i].text), &e);
            CHECK(code == (files[i].what ? ERR_INPUT : 0), "%zu: %d %s", i, code, e.text);
            CHECK(!files[i].what || strstr(e.text, files[i].what), "%zu: %s", i, e.text);
        }
    }
}

/* ---------------------------------------------------------------- predictions */

static void test_pred(void)
{
    TEST("predictions come back as they were written, with frame and top columns")
    {
        const pred_top top[] = {{"car", 0.75}, {"bus", 0.125}, {"cat", 0.0625}};
        const pred_row rows[] = {{.file_name = "a.jpg",
                                  .category = "car",
                                  .probability = 0.75,
                                  .has_box = true,
                                  .box = {1.25, 2.5, 300, 499},
                                  .frame = {-0.001, 3, 100.128, 223},
                                  .top = top},
                                 {.file_name = "b.jpg", .category = "car", .probability = 1, .top = top},
                                 {.file_name = "c.jpg", .has_box = true, .box = {0, 0, 1, 1}, .frame = {0, 0, 2, 2}}};
        const char *path = put("pred.tsv", "");
        for (int frame = 0; frame <= 224; frame += 224)
            for (int k = 0; k <= 3; k += 3) {
                FILE *f = fopen(path, "wb");
                pred_print_header(f, frame, k);
                for (int i = 0; i < 3; i++)
                    pred_print_row(f, &rows[i], frame, k);
                fclose(f);
                pred_table t;
                error e = {0};
                CHECK(!pred_read(&t, path, &e), "%s", e.text);
                CHECK(t.count == 3 && t.frame == frame && t.top == k, "%zu %d %d", t.count, t.frame, t.top);
                const pred_row *a = pred_find(&t, "a.jpg"), *b = pred_find(&t, "b.jpg"), *c = pred_find(&t, "c.jpg");
                CHECK(a && b && c && !pred_find(&t, "d.jpg"), "find");
                if (a && b && c) {
                    CHECK(strcmp(a->category, "car") == 0 && near(a->probability, 0.75) && near(a->box.y1, 1.25) &&
                              near(a->box.x2, 499),
                          "a");
                    CHECK(!frame || (near(a->frame.y1, 0) && near(a->frame.y2, 100.13)), "frame of a");
                    CHECK(!k || (strcmp(a->top[2].category, "cat") == 0 && near(a->top[1].probability, 0.125)), "top");
                    CHECK(!b->has_box && !c->category && c->has_box && !c->top, "absent values");
                }
                pred_free(&t);
            }
        file_view view;
        error e = {0};
        CHECK(!file_open(&view, path, &e) &&
                  strstr(view.data,
                         "file_name\tcategory\tprobability\ty1\tx1\ty2\tx2\ty1_224\tx1_224\ty2_224\tx2_224\t"
                         "category_1\tprobability_1\tcategory_2\tprobability_2\tcategory_3\tprobability_3\n"
                         "a.jpg\tcar\t0.750000\t1.25\t2.50\t300.00\t499.00\t0.00\t3.00\t100.13\t223.00\t") == view.data,
              "bytes");
        file_close(&view);
    }
#define PRED "file_name\tcategory\tprobability\ty1\tx1\ty2\tx2"
    TEST("broken prediction tables are refused with file and line")
    {
        static const struct {
            const char *text, *what;
        } bad[] = {
            {"", "empty"},
            {"file_name\tcategory\n", ":1"},
            {PRED "\ty1_224\tx1_224\ty2_224\n", ":1"},
            {PRED "\ty1_224\tx1_224\ty2_224\tx2_96\n", ":1"},
            {PRED "\tcategory_1\n", ":1"},
            {PRED "\tcategory_2\tprobability_2\n", ":1"},
            {PRED "\tmore\n", ":1"},
            {PRED "\na\tcar\t0.5\t1\t2\t3\n", ":2"},
            {PRED "\na\tcar\t0.5\t1\t2\t3\t4\t5\n", ":2"},
            {PRED "\na\tcar\t1.5\t1\t2\t3\t4\n", "probability"},
            {PRED "\na\tcar\t-\t1\t2\t3\t4\n", "probability"},
            {PRED "\na\tcar\tnan\t1\t2\t3\t4\n", "probability"},
            {PRED "\na\t\t0.5\t1\t2\t3\t4\n", "category ''"},
            {PRED "\na\tcar\t0.5\t1\t2\t3\t-\n", "part"},
            {PRED "\na\tcar\t0.5\t-\t2\t3\t4\n", "part"},
            {PRED "\na\tcar\t0.5\tx\t2\t3\t4\n", "y1"},
            {PRED "\na\tcar\t0.5\t1\t2\t3\tinf\n", "x2"},
            {PRED "\na\tcar\t0.5\t1\t2\t3\t1e99\n", "x2"},
            {PRED "\na\tcar\t0.5\t1\t2\t3\t4\nb\tcar\t0.5\t1\t2\t3\t4\na\tcar\t0.5\t1\t2\t3\t4\n", "twice"},
            {PRED "\n/a\tcar\t0.5\t1\t2\t3\t4\n", "is a full path"},
            {PRED "\na\tcar\t0.5\t1\t2\t3\t4", "truncated"},
            {PRED "\ty1_9\tx1_9\ty2_9\tx2_9\na\tcar\t0.5\t1\t2\t3\t4\t-\t-\t-\t-\n", "only in one"},
            {PRED "\tcategory_1\tprobability_1\na\tcar\t0.5\t1\t2\t3\t4\t-\t-\n", "category_1"},
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
            pred_table t;
            error e = {0};
            const char *path = put("bad.tsv", bad[i].text);
            CHECK(pred_read(&t, path, &e) == ERR_INPUT, "accepted: %s", bad[i].text);
            CHECK(strncmp(e.text, path, strlen(path)) == 0 && strstr(e.text, bad[i].what), "%zu: %s", i, e.text);
            CHECK(pred_check(path, NULL) && !t.rows, "check");
            pred_free(&t);
        }
    }
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    test_names();
    test_anno();
    test_csv();
    test_labels();
    test_object_labels();
    test_pred();
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) ? 1 : test_end();
}
