/* The dense detector's cells, loss and answers (nn/objects.h) against PyTorch and torchvision
 * (tests/golden/objects.txt, made by objects.py), and the rules at their borders. */
#include "nn/objects.h"

#include "base/file.h"
#include "base/text.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { SIZE = 128, SIDE = SIZE / OBJECTS_STRIDE, CELLS = SIDE * SIDE, CLASSES = 3, BATCH = 3, MOST = 4 };
enum { OUTPUTS = (4 + CLASSES) * CELLS, TARGETS = 1 + 5 * MOST };

/* The pictures of objects.py: class, y1, x1, y2, x2. */
static const float targets[BATCH * TARGETS] = {
    4, 0,   8,   12, 120, 124, 2,  40, 48, 81, 78, 1,     98, 2,  102, 6,   -1,  0,   80, 60, 128, 4, 1,  0,
    0, 128, 128, 1,  20,  20,  60, 52, 2,  24, 16, 56.5f, 63, -1, 120, 120, 128, 128, 1,  -1, 6,   6, 40, 40};
static const objects_shape shape = {.batch = BATCH, .classes = CLASSES, .size = SIZE, .target_floats = TARGETS};

static file_view golden;
static double numbers[BATCH * OUTPUTS];
static text_field fields[BATCH * OUTPUTS + 1];

/* The numbers of line `name` in `numbers`; how many. */
static size_t wanted(const char *name)
{
    text_lines at = text_lines_of(golden.data, golden.size);
    const char *line;
    size_t size;
    while (text_line(&at, &line, &size)) {
        const size_t n = text_split(line, size, ' ', fields, COUNT(fields));
        if (!text_is(fields[0], name))
            continue;
        for (size_t i = 1; i < n; i++)
            if (!text_double(fields[i].text, fields[i].size, &numbers[i - 1]))
                return 0;
        return n - 1;
    }
    return 0;
}

static void near(const char *what, double is, double wanted_value, double tolerance)
{
    CHECK(fabs(is - wanted_value) <= tolerance * (1 + fabs(wanted_value)), "%s is %.9g, not %.9g", what, is,
          wanted_value);
}

static void make_outputs(float *output)
{
    for (int i = 0; i < BATCH * OUTPUTS; i++)
        output[i] = (float)(2 * sin(0.37 * i) - 1);
}

static void test_cells(void)
{
    int32_t cells[CELLS];
    TEST("every cell answers for the object that PyTorch gives it, for none, or is ignored")
    {
        CHECK(wanted("owners") == BATCH * CELLS, "no owners");
        for (int n = 0; n < BATCH; n++) {
            const float *row = targets + n * TARGETS;
            objects_assign((const object_target *)(const void *)(row + 1), (int)row[0], SIZE, cells);
            for (int k = 0; k < CELLS; k++)
                CHECK(cells[k] == (int)numbers[n * CELLS + k], "picture %d, cell %d: %d, not %g", n, k, cells[k],
                      numbers[n * CELLS + k]);
        }
    }
    TEST("no object is without a cell, however small and wherever it is, unless smaller ones took all of them")
    {
        for (int i = 0; i < SIZE * SIZE; i++) {
            const float y = (float)(i / SIZE), x = (float)(i % SIZE);
            const object_target o = {0, y, x, y + 1, x + 1};
            objects_assign(&o, 1, SIZE, cells);
            int own = 0;
            for (int k = 0; k < CELLS; k++)
                own += cells[k] == 0;
            CHECK(own == 1, "%d cells for a pixel at %g %g", own, (double)y, (double)x);
            CHECK(cells[i / SIZE / OBJECTS_STRIDE * SIDE + i % SIZE / OBJECTS_STRIDE] == 0,
                  "not the cell that it lies in at %g %g", (double)y, (double)x);
        }
    }
    TEST("of two objects of one area the first has the cells")
    {
        const object_target two[] = {{1, 32, 32, 64, 64}, {0, 32, 32, 64, 64}};
        objects_assign(two, 2, SIZE, cells);
        CHECK(cells[2 * SIDE + 2] == 0 && cells[3 * SIDE + 3] == 0, "%d %d", cells[2 * SIDE + 2], cells[3 * SIDE + 3]);
    }
}

static void test_loss(void)
{
    static float output[BATCH * OUTPUTS], gradient[BATCH * OUTPUTS];
    loss_value v;
    error e = {0};
    make_outputs(output);
    TEST("loss, share of right cells, distance of boxes and every gradient are PyTorch's")
    {
        CHECK(!objects_loss(&shape, output, targets, gradient, &v, &e), "%s", e.text);
        CHECK(wanted("loss") == 3, "no loss");
        near("loss", v.loss, numbers[0], 1e-7);
        near("accuracy", v.accuracy, numbers[1], 1e-7);
        near("l1", v.l1, numbers[2], 1e-7);
        CHECK(wanted("gradient") == BATCH * OUTPUTS, "no gradient");
        for (int i = 0; i < BATCH * OUTPUTS; i++)
            CHECK(fabs((double)gradient[i] - numbers[i]) <= 1e-6 * fabs(numbers[i]) + 1e-9,
                  "gradient %d is %.9g, not %.9g", i, (double)gradient[i], numbers[i]);
    }
    TEST("ten steps of Adam down this loss go PyTorch's way")
    {
        static double p[BATCH * OUTPUTS], first[BATCH * OUTPUTS], second[BATCH * OUTPUTS];
        for (int i = 0; i < BATCH * OUTPUTS; i++)
            p[i] = (double)output[i];
        CHECK(wanted("steps") == 11, "no steps");
        for (int t = 1; t <= 11; t++) {
            for (int i = 0; i < BATCH * OUTPUTS; i++)
                output[i] = (float)p[i];
            CHECK(!objects_loss(&shape, output, targets, gradient, &v, &e), "%s", e.text);
            near("loss", v.loss, numbers[t - 1], 1e-6);
            for (int i = 0; i < BATCH * OUTPUTS; i++) {
                const double g = (double)gradient[i];
                first[i] = 0.9 * first[i] + 0.1 * g;
                second[i] = 0.999 * second[i] + 0.001 * g * g;
                p[i] -= 0.05 * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t)) * first[i] / (sqrt(second[i]) + 1e-8);
            }
        }
    }
    TEST("a batch without objects has a loss: all scores ought to be low")
    {
        static const float none[BATCH * TARGETS];
        make_outputs(output);
        CHECK(!objects_loss(&shape, output, none, gradient, &v, &e), "%s", e.text);
        CHECK(isfinite(v.loss) && v.loss > 1 && v.accuracy == 0 && v.l1 == 0, "%g %g %g", v.loss, v.accuracy, v.l1);
        for (int i = 0; i < 4 * CELLS; i++)
            CHECK(gradient[i] == 0, "gradient %d of the boxes is %g", i, (double)gradient[i]);
        CHECK(gradient[4 * CELLS] > 0, "a score is not pushed down");
    }
    TEST("outputs of any size give finite losses and gradients")
    {
        for (int i = 0; i < BATCH * OUTPUTS; i++)
            output[i] = i % 3 ? 1e4f : -1e4f;
        CHECK(!objects_loss(&shape, output, targets, gradient, &v, &e), "%s", e.text);
        CHECK(isfinite(v.loss), "%g", v.loss);
        for (int i = 0; i < BATCH * OUTPUTS; i++)
            CHECK(isfinite(gradient[i]), "gradient %d is %g", i, (double)gradient[i]);
    }
    TEST("a class that the network does not have is an error that names the picture")
    {
        float bad[BATCH * TARGETS];
        memcpy(bad, targets, sizeof bad);
        bad[TARGETS + 1] = CLASSES;
        make_outputs(output);
        CHECK(objects_loss(&shape, output, bad, NULL, &v, &e) == ERR_INPUT && strstr(e.text, "picture 1 "), "%s",
              e.text);
    }
}

static void test_answers(void)
{
    static float output[BATCH * OUTPUTS];
    objects_search s = {.classes = CLASSES, .size = SIZE, .least = 0.4, .overlap = 0.5, .most = 12};
    object_found found[12];
    error e = {0};
    make_outputs(output);
    TEST("what is found, its order and what it suppresses are torchvision's (batched_nms)")
    {
        for (int n = 0; n < BATCH; n++) {
            char name[16];
            snprintf(name, sizeof name, "found%d", n);
            const size_t count = wanted(name) / 6;
            const int is = objects_find(&s, output + n * OUTPUTS, found, &e);
            CHECK(is == (int)count && count > 3, "picture %d: %d, not %zu", n, is, count);
            for (int i = 0; i < is && i < (int)count; i++) {
                const double *w = &numbers[6 * i];
                CHECK(found[i].class_index == (int)w[0], "object %d: class %d, not %g", i, found[i].class_index, w[0]);
                near("score", found[i].score, w[1], 1e-7);
                near("y1", found[i].edges.y1, w[2], 1e-6);
                near("x1", found[i].edges.x1, w[3], 1e-6);
                near("y2", found[i].edges.y2, w[4], 1e-6);
                near("x2", found[i].edges.x2, w[5], 1e-6);
            }
        }
    }
    TEST("above a score that none has nothing is found, and nothing is largest")
    {
        s.least = 0.9;
        CHECK(objects_find(&s, output, found, &e) == 0, "something");
        CHECK(objects_largest(found, 0, SIZE) == -1, "largest of none");
    }
    TEST("the largest object weighs score against area; the first of equals")
    {
        const object_found three[] = {{0, 0.9, {0, 0, 8, 8}}, {1, 0.5, {0, 0, 128, 128}}, {2, 0.5, {0, 0, 128, 128}}};
        CHECK(objects_largest(three, 3, SIZE) == 1, "%d", objects_largest(three, 3, SIZE));
        CHECK(objects_largest(three, 1, SIZE) == 0, "alone");
    }
}

int main(int argc, char **argv)
{
    error e = {0};
    if (file_open(&golden, argc > 1 ? argv[1] : "tests/golden/objects.txt", &e)) {
        printf("Bail out! %s\n", e.text);
        return 1;
    }
    test_cells();
    test_loss();
    test_answers();
    file_close(&golden);
    return test_end();
}
