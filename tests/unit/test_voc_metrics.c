/* Unit tests of voc/metrics: a small set judged by hand. */
#include "judge/metrics.h"

#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/test_voc_metrics.XXXXXX";
static char anno_path[100], pred_path[100], json_path[100];

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

/* Judges two tables given as text. */
static int judge(metrics *m, const char *anno, const char *pred, metrics_options o, text_buffer *json,
                 text_buffer *table, error *e)
{
    anno_table a = {0};
    pred_table p = {0};
    *e = (error){0};
    *m = (metrics){0};
    json->size = table->size = 0;
    put(anno_path, anno);
    put(pred_path, pred);
    if (!anno_read(&a, anno_path, e) && !pred_read(&p, pred_path, e) && !metrics_compute(m, &p, &a, &o, e) &&
        !metrics_json(m, json, e))
        metrics_table(m, table, e);
    pred_free(&p);
    anno_free(&a);
    return e->code;
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static const char four[] = ANNO_HEADER "\n"
                                       "1\ta.jpg\t100\t100\tcat\t0\t0\t49\t49\t0\n"
                                       "1\ta.jpg\t100\t100\tdog\t60\t60\t99\t99\t0\n"
                                       "1\ta.jpg\t100\t100\tcow\t0\t0\t99\t99\t1\n"
                                       "2\tb.jpg\t100\t100\tcat\t10\t10\t19\t19\t0\n"
                                       "3\tc.jpg\t100\t100\tdog\t0\t0\t99\t99\t0\n"
                                       "4\td.jpg\t100\t100\tdog\t0\t0\t99\t99\t0\n"
                                       "5\te.jpg\t100\t100\tdog\t0\t0\t99\t99\t0\n"
                                       "6\tf.jpg\t100\t100\tdog\t0\t0\t99\t99\t1\n";
#define PRED "file_name\tcategory\tprobability\ty1\tx1\ty2\tx2"

static void test_by_hand(text_buffer *json, text_buffer *table)
{
    metrics m;
    error e;
    TEST("four pictures judged by hand")
    {
        /* a: the second object found; b: right; c: right class, IoU 0.25; d: right box, wrong class */
        CHECK(!judge(&m, four,
                     PRED "\ty1_224\tx1_224\ty2_224\tx2_224\n"
                          "a.jpg\tdog\t0.5\t60\t60\t99\t99\t0\t0\t0\t0\n"
                          "b.jpg\tcat\t0.5\t10\t10\t19\t19\t22\t22\t44\t48\n"
                          "c.jpg\tdog\t0.5\t0\t0\t49\t49\t0\t0\t223\t223\n"
                          "d.jpg\tcow\t0.5\t0\t0\t99\t99\t0\t0\t221\t221\n",
                     (metrics_options){0}, json, table, &e),
              "%s", e.text);
        CHECK(m.n == 4 && m.unjudged == 0 && m.unpredicted == 1 && m.frame == 224 && !m.l1_from_own_pixels,
              "%zu %zu %zu", m.n, m.unjudged, m.unpredicted);
        CHECK(near(m.of[METRIC_ACCURACY].value, 0.5) && near(m.of[METRIC_ACCURACY].error, 0.25), "accuracy %g",
              m.of[METRIC_ACCURACY].value);
        CHECK(near(m.of[METRIC_MEAN_IOU].value, (0 + 1 + 0.25 + 1) / 4), "IoU %g", m.of[METRIC_MEAN_IOU].value);
        const double d[] = {0 - 0.5625, 1 - 0.5625, 0.25 - 0.5625, 1 - 0.5625};
        double s = 0;
        for (int i = 0; i < 4; i++)
            s += d[i] * d[i];
        CHECK(near(m.of[METRIC_MEAN_IOU].error, sqrt(s / 3 / 4)), "se %g", m.of[METRIC_MEAN_IOU].error);
        CHECK(near(m.of[METRIC_IOU_HALF].value, 0.5) && near(m.of[METRIC_LOC_LARGEST].value, 0.25) &&
                  near(m.of[METRIC_LOC_ANY].value, 0.5),
              "%g %g %g", m.of[METRIC_IOU_HALF].value, m.of[METRIC_LOC_LARGEST].value, m.of[METRIC_LOC_ANY].value);
        const metrics_class *cat = &m.classes[0], *cow = &m.classes[1], *dog = &m.classes[2];
        CHECK(m.class_count == 3 && cat->n == 2 && cat->predicted == 1 && cat->correct == 1 &&
                  cat->of[METRIC_LOC_LARGEST].value == 0.5 && cat->of[METRIC_LOC_ANY].value == 1,
              "cat");
        CHECK(cow->n == 0 && cow->predicted == 1 && cow->correct == 0, "cow");
        CHECK(dog->n == 2 && dog->predicted == 2 && dog->correct == 1 && dog->of[METRIC_IOU_HALF].value == 0.5 &&
                  dog->of[METRIC_LOC_LARGEST].value == 0,
              "dog");
        CHECK(strstr(json->data, "\"locacc_any\": {\"value\": 0.500000, \"se\": 0.250000}") &&
                  strstr(json->data, "\"name\": \"cow\", \"n\": 0, \"predicted\": 1, \"correct\": 0, \"recall\": null"),
              "%s", json->data);
        CHECK(strstr(table->data, "LocAcc@0.5, largest object      0.2500") && strstr(table->data, "4 pictures"), "%s",
              table->data);
        put(json_path, json->data);
        CHECK(!metrics_check(json_path, &e), "%s", e.text);
        metrics_free(&m);
    }
    TEST("L1 compares with the label that validation pictures have: scaled and squashed as a mask, end "
         "exclusive")
    {
        /* picture 000012: the raw box 96 155 269 350 of 333 x 500 is 65 70 179 156 in the frame */
        const char *anno = ANNO_HEADER "\n12\t000012.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\n";
        CHECK(!judge(&m, anno,
                     PRED "\ty1_224\tx1_224\ty2_224\tx2_224\n000012.jpg\tcar\t1\t96\t155\t269\t350\t65\t70\t179\t156\n",
                     (metrics_options){0}, json, table, &e),
              "%s", e.text);
        CHECK(m.of[METRIC_L1].value == 0 && isnan(m.of[METRIC_L1].error), "%g", m.of[METRIC_L1].value);
        CHECK(strstr(json->data, "\"l1\": {\"value\": 0.000000, \"se\": null}"), "%s", json->data);
        metrics_free(&m);
        CHECK(!judge(&m, anno,
                     PRED "\ty1_224\tx1_224\ty2_224\tx2_224\n000012."
                          "jpg\tcar\t1\t96\t155\t269\t350\t66\t68\t179.5\t156\n",
                     (metrics_options){0}, json, table, &e),
              "%s", e.text);
        CHECK(near(m.of[METRIC_L1].value, 3.5 / 4), "%g", m.of[METRIC_L1].value);
        metrics_free(&m);
    }
    TEST("without frame columns L1 comes from own pixels, says so, and is small for true boxes")
    {
        const char *anno = ANNO_HEADER "\n12\t000012.jpg\t500\t333\tcar\t96\t155\t269\t350\t0\n";
        CHECK(!judge(&m, anno, PRED "\n000012.jpg\tcar\t1\t96\t155\t269\t350\n", (metrics_options){0}, json, table, &e),
              "%s", e.text);
        CHECK(m.l1_from_own_pixels && m.of[METRIC_L1].value < 0.75 && m.frame == 224, "%g", m.of[METRIC_L1].value);
        CHECK(strstr(json->data, "\"l1_from\": \"own pixels\"") && strstr(table->data, "L1 from boxes in own pixels"),
              "%s", table->data);
        metrics_free(&m);
        CHECK(!judge(&m, anno, PRED "\n000012.jpg\tcar\t1\t96\t155\t269\t350\n", (metrics_options){.frame = 96}, json,
                     table, &e),
              "%s", e.text);
        CHECK(m.frame == 96 && strstr(table->data, "L1 in the 96 frame"), "%zu", m.frame);
        metrics_free(&m);
    }
    TEST("a model of classes alone, and one of boxes alone, leave the other figures out")
    {
        CHECK(!judge(&m, four, PRED "\nb.jpg\tcat\t0.5\t-\t-\t-\t-\nc.jpg\tcat\t0.5\t-\t-\t-\t-\n",
                     (metrics_options){0}, json, table, &e),
              "%s", e.text);
        CHECK(near(m.of[METRIC_ACCURACY].value, 0.5) && isnan(m.of[METRIC_L1].value) &&
                  isnan(m.of[METRIC_MEAN_IOU].value) && isnan(m.of[METRIC_LOC_ANY].value),
              "classes alone");
        CHECK(strstr(json->data, "\"mean_iou\": {\"value\": null, \"se\": null}"), "%s", json->data);
        put(json_path, json->data);
        CHECK(!metrics_check(json_path, &e), "%s", e.text);
        metrics_free(&m);
        CHECK(!judge(&m, four, PRED "\nb.jpg\t-\t-\t10\t10\t19\t19\n", (metrics_options){0}, json, table, &e), "%s",
              e.text);
        CHECK(isnan(m.of[METRIC_ACCURACY].value) && near(m.of[METRIC_MEAN_IOU].value, 1) &&
                  isnan(m.of[METRIC_LOC_LARGEST].value) && near(m.of[METRIC_IOU_HALF].value, 1),
              "boxes alone");
        metrics_free(&m);
    }
}

static void test_refused(text_buffer *json, text_buffer *table)
{
    metrics m;
    error e;
    TEST("predicted pictures without an object are refused with their names, or left out on request")
    {
        const char *pred =
            PRED "\nb.jpg\tcat\t1\t10\t10\t19\t19\nf.jpg\tcat\t1\t0\t0\t1\t1\nz.jpg\tcat\t1\t0\t0\t1\t1\n";
        CHECK(judge(&m, four, pred, (metrics_options){0}, json, table, &e) == ERR_INPUT &&
                  strstr(e.text, "2 of 3 predicted pictures") && strstr(e.text, "f.jpg, z.jpg"),
              "%s", e.text);
        metrics_free(&m);
        CHECK(!judge(&m, four, pred, (metrics_options){.skip_unknown = true}, json, table, &e), "%s", e.text);
        CHECK(m.n == 1 && m.unjudged == 2 && near(m.of[METRIC_ACCURACY].value, 1), "%zu", m.n);
        metrics_free(&m);
    }
    TEST("no predictions, nothing known, or a mixture of models are refused")
    {
        const metrics_options skip = {.skip_unknown = true};
        CHECK(judge(&m, four, PRED "\n", skip, json, table, &e) == ERR_INPUT, "none");
        metrics_free(&m);
        CHECK(judge(&m, four, PRED "\nz.jpg\tcat\t1\t0\t0\t1\t1\n", skip, json, table, &e) == ERR_INPUT, "unknown");
        metrics_free(&m);
        CHECK(judge(&m, four, PRED "\na.jpg\tcat\t1\t0\t0\t1\t1\nb.jpg\tcat\t1\t-\t-\t-\t-\n", skip, json, table, &e) ==
                  ERR_INPUT,
              "mixture");
        metrics_free(&m);
        CHECK(judge(&m, four, PRED "\na.jpg\t-\t-\t-\t-\t-\t-\n", skip, json, table, &e) == ERR_INPUT, "neither");
        metrics_free(&m);
    }
}

/* Puts `by` in the place of `what` in a copy of the text; the caller frees it. */
static char *with(const char *text, const char *what, const char *by)
{
    const char *at = strstr(text, what);
    CHECK(at, "no %s in %s", what, text);
    char *copy = malloc(strlen(text) + strlen(by) + 1);
    sprintf(copy, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
    return copy;
}

static void test_read(text_buffer *json, text_buffer *table)
{
    metrics m;
    error e;
    TEST("a metrics file that is none is refused")
    {
        static const struct {
            const char *text, *what;
        } bad[] = {{"", "is empty"}, {"[1]", "no JSON object"}, {"{}", "'accuracy' is missing"}};
        for (size_t i = 0; i < COUNT(bad); i++) {
            e = (error){0};
            put(json_path, bad[i].text);
            CHECK(metrics_check(json_path, &e) == ERR_INPUT && strstr(e.text, bad[i].what), "%s: %s", bad[i].text,
                  e.text);
        }
    }
    TEST("every member of a metrics file must be there, once, of its kind and in its range")
    {
        static const struct {
            const char *good, *bad, *what;
        } changes[] = {
            {"\"n\": 1,", "", "'n' is missing"},
            {"\"n\": 1,", "\"n\": 0,", "n: is not a whole number from 1 on"},
            {"\"n\": 1,", "\"n\": [1],", "n[0]: is not a whole number from 1 on"},
            {"\"n\": 1,", "\"n\": 1, \"n\": 1,", "'n' is there twice"},
            {"\"unjudged\": 0", "\"unjudged\": -1", "unjudged: is no count"},
            {"\"frame\": 224", "\"frame\": null", "frame: is not a whole number from 1 on"},
            {"{\"value\": 1.000000", "{\"value\": 2", "accuracy: 'value' is no number from 0 to 1"},
            {"\"se\": 0.000000", "\"se\": -1", "accuracy: 'se' is no number from 0 to 1"},
            {", \"se\": 0.000000", "", "accuracy: 'se' is missing"},
            {"\"l1\": {\"value\": ", "\"l1\": {\"value\": -", "l1: 'value' is no number from 0 on"},
            {"\"l1\": {", "\"l1\": [], \"x\": {", "l1: is no object"},
            {"\"l1\": {", "\"l1\": 3, \"x\": {", "l1: is no object"},
            {"\"l1\": {", "\"l1\": [{\"value\": 3, \"se\": 0}], \"x\": {", "l1[0]: is no object"},
            {"\"classes\": [", "\"x\": [", "'classes' is missing"},
            {"\"classes\": [", "\"classes\": 3, \"x\": [", "no array of classes"},
            {"\"classes\": [", "\"classes\": [3, ", "classes[0]: 'n' is missing"},
            {"\"name\": \"cat\"", "\"name\": 3", "classes[0]: 'name' is missing or no text"},
            {"\"correct\": 1", "\"correct\": 1.5", "classes[0]: 'correct' is missing or no count"},
            {"\"correct\": 1", "\"correct\": 2", "classes[0]: 'correct' is more than"},
            {"\"recall\": 1.0", "\"recall\": 1.5", "classes[0]: 'recall' is no number from 0 to 1"},
            {"\"precision\": 1", "\"precision\": \"1\", \"x\": 1", "classes[0]: 'precision' is no number"},
            {"\"precision\": 1", "\"x\": 1", "classes[0]: 'precision' is missing"},
            {"\"locacc_any\": 1.000000}", "\"locacc_any\": -1}", "classes[0]: 'locacc_any' is no number"},
        };
        CHECK(!judge(&m, four, PRED "\nb.jpg\tcat\t1\t10\t10\t19\t19\n", (metrics_options){0}, json, table, &e), "%s",
              e.text);
        metrics_free(&m);
        put(json_path, json->data);
        CHECK(!metrics_check(json_path, &e), "%s", e.text);
        for (size_t i = 0; i < COUNT(changes); i++) {
            char *text = with(json->data, changes[i].good, changes[i].bad);
            e = (error){0};
            put(json_path, text);
            CHECK(metrics_check(json_path, &e) == ERR_INPUT && strstr(e.text, changes[i].what), "%zu: %s: %s", i,
                  e.text, text);
            free(text);
        }
    }
}

int main(void)
{
    text_buffer json = {0}, table = {0};
    if (!mkdtemp(folder))
        return 1;
    snprintf(anno_path, sizeof anno_path, "%s/anno.tsv", folder);
    snprintf(pred_path, sizeof pred_path, "%s/pred.tsv", folder);
    snprintf(json_path, sizeof json_path, "%s/m.json", folder);
    test_by_hand(&json, &table);
    test_refused(&json, &table);
    test_read(&json, &table);
    text_free(&json);
    text_free(&table);
    unlink(anno_path);
    unlink(pred_path);
    unlink(json_path);
    rmdir(folder);
    return test_end();
}
