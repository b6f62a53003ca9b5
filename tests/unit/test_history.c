#include "nn/history.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

/* Every row the published run printed: task, epoch, (training loss, validation loss, accuracy, L1), text. */
static const struct {
    task task;
    int epoch;
    double value[4]; /* bbox: two; cls: three; detn: four */
    const char *text;
} rows[] = {
    {TASK_CLS, 0, {1.252253, 0.738965, 0.766, 0.0}, "    0      1.252253   0.738965   0.766     "},
    {TASK_CLS, 0, {0.761318, 0.678066, 0.772, 0.0}, "    0      0.761318   0.678066   0.772     "},
    {TASK_CLS, 0, {0.598608, 0.650308, 0.794, 0.0}, "    0      0.598608   0.650308   0.794     "},
    {TASK_CLS, 1, {0.429849, 0.63418, 0.798, 0.0}, "    1      0.429849   0.63418    0.798     "},
    {TASK_BBOX, 0, {47.500094, 35.377468, 0.0, 0.0}, "    0      47.500094  35.377468 "},
    {TASK_BBOX, 1, {36.438239, 30.041442, 0.0, 0.0}, "    1      36.438239  30.041442 "},
    {TASK_BBOX, 2, {31.159879, 28.646647, 0.0, 0.0}, "    2      31.159879  28.646647 "},
    {TASK_BBOX, 0, {25.365956, 24.037737, 0.0, 0.0}, "    0      25.365956  24.037737 "},
    {TASK_BBOX, 1, {22.525828, 22.351341, 0.0, 0.0}, "    1      22.525828  22.351341 "},
    {TASK_BBOX, 2, {19.34687, 21.012311, 0.0, 0.0}, "    2      19.34687   21.012311 "},
    {TASK_BBOX, 0, {17.857246, 21.15573, 0.0, 0.0}, "    0      17.857246  21.15573  "},
    {TASK_BBOX, 1, {15.792291, 20.153743, 0.0, 0.0}, "    1      15.792291  20.153743 "},
    {TASK_DETN, 0, {73.021861, 49.040769, 0.762, 33.868816}, "    0      73.021861  49.040769  0.762      33.868816 "},
    {TASK_DETN, 1, {52.371605, 39.897777, 0.79, 26.528015}, "    1      52.371605  39.897777  0.79       26.528015 "},
    {TASK_DETN, 2, {43.085287, 38.40951, 0.782, 25.693656}, "    2      43.085287  38.40951   0.782      25.693656 "},
    {TASK_DETN, 0, {36.869526, 38.903723, 0.758, 24.296154}, "    0      36.869526  38.903723  0.758      24.296154 "},
    {TASK_DETN, 1, {31.326726, 36.6155, 0.766, 21.896477}, "    1      31.326726  36.6155    0.766      21.896477 "},
    {TASK_DETN, 2, {26.642102, 33.09029, 0.822, 21.3755}, "    2      26.642102  33.09029   0.822      21.3755   "},
    {TASK_DETN, 3, {23.477213, 33.293454, 0.804, 21.018092}, "    3      23.477213  33.293454  0.804      21.018092 "},
    {TASK_DETN, 4, {21.219933, 32.841205, 0.798, 20.617818}, "    4      21.219933  32.841205  0.798      20.617818 "},
    {TASK_DETN, 0, {18.538771, 33.337069, 0.808, 20.696491}, "    0      18.538771  33.337069  0.808      20.696491 "},
    {TASK_DETN, 1, {18.376943, 33.852231, 0.784, 20.624054}, "    1      18.376943  33.852231  0.784      20.624054 "},
    {TASK_DETN, 2, {17.561372, 33.20553, 0.802, 20.648081}, "    2      17.561372  33.20553   0.802      20.648081 "},
    {TASK_DETN, 3, {16.458471, 33.816986, 0.786, 20.271821}, "    3      16.458471  33.816986  0.786      20.271821 "},
    {TASK_DETN, 4, {15.660971, 33.647833, 0.792, 20.05454}, "    4      15.660971  33.647833  0.792      20.05454  "},
    {TASK_DETN, 5, {14.905726, 32.912299, 0.784, 19.615759}, "    5      14.905726  32.912299  0.784      19.615759 "},
    {TASK_DETN, 6, {14.223394, 32.798715, 0.79, 19.627963}, "    6      14.223394  32.798715  0.79       19.627963 "},
    {TASK_DETN, 7, {13.683377, 33.002606, 0.788, 19.551473}, "    7      13.683377  33.002606  0.788      19.551473 "},
    {TASK_DETN, 8, {13.335879, 32.818987, 0.79, 19.443868}, "    8      13.335879  32.818987  0.79       19.443868 "},
    {TASK_DETN, 9, {13.039377, 32.798003, 0.784, 19.413067}, "    9      13.039377  32.798003  0.784      19.413067 "},
    {TASK_BBOX, 0, {74.022108, 27465245354098.688, 0, 0}, "    0      74.022108  27465245354098.688"},
};

static void test_table(void)
{
    TEST("every row of the published run is printed to the letter")
    for (size_t i = 0; i < COUNT(rows); i++) {
        text_buffer b = {0};
        const double *v = rows[i].value;
        history_table_row(rows[i].task, rows[i].epoch, v[0], (loss_value){v[1], v[2], v[3]}, &b);
        CHECK(!text_done(&b, NULL), "no memory");
        CHECK(strcmp(b.data, rows[i].text) == 0, "'%s' is not '%s'", b.data, rows[i].text);
        text_free(&b);
    }
    TEST("an accuracy that passed through float32 prints as 0.766")
    {
        char text[HISTORY_NUMBER];
        history_rounded(0.7660000019073486, text);
        CHECK(strcmp(text, "0.766") == 0, "%s", text);
    }
    TEST("the header names the columns of each task")
    {
        const char *const wanted[] = {"epoch      trn_loss   val_loss   accuracy   ",
                                      "epoch      trn_loss   val_loss   ",
                                      "epoch      trn_loss   val_loss   detn_acc   detn_l1    ",
                                      "epoch      trn_loss   val_loss   cell_acc   cell_l1    "};
        for (int t = 0; t < TASKS; t++) {
            text_buffer b = {0};
            history_table_header((task)t, &b);
            CHECK(!text_done(&b, NULL), "no memory");
            CHECK(strcmp(b.data, wanted[t]) == 0, "'%s'", b.data);
            text_free(&b);
        }
    }
    TEST("an epoch of two digits is centred as well")
    {
        text_buffer b = {0};
        history_table_row(TASK_BBOX, 10, 1, (loss_value){0.5, 0, 0}, &b);
        CHECK(!text_done(&b, NULL), "no memory");
        CHECK(strcmp(b.data, "    10     1.0        0.5       ") == 0, "'%s'", b.data);
        text_free(&b);
    }
}

static void test_numbers(void)
{
    TEST("numbers are rounded to 6 decimals and printed as Python prints them")
    {
        const struct {
            double x;
            const char *text;
        } wanted[] = {{1, "1.0"},
                      {0, "0.0"},
                      {0.79, "0.79"},
                      {21.3755, "21.3755"},
                      {1.0000004, "1.0"},
                      {1e-6, "1e-06"},
                      {1.5e-5, "1.5e-05"},
                      {1e-7, "0.0"},
                      {0.0001, "0.0001"},
                      {123456789.1234567, "123456789.123457"},
                      {1e16, "1e+16"},
                      {1e15, "1000000000000000.0"},
                      {2.5e300, "2.5e+300"},
                      {-3.25, "-3.25"},
                      {NAN, "nan"},
                      {INFINITY, "inf"},
                      {-INFINITY, "-inf"}};
        for (size_t i = 0; i < COUNT(wanted); i++) {
            char text[HISTORY_NUMBER];
            history_rounded(wanted[i].x, text);
            CHECK(strcmp(text, wanted[i].text) == 0, "%.17g is printed %s, not %s", wanted[i].x, text, wanted[i].text);
        }
    }
    TEST("the shortest form reads back as the same number")
    {
        const double x[] = {0.1, 1.0 / 3, 27465245354098.688, 5e-324, 1.7976931348623157e308, 0.1 + 0.2};
        for (size_t i = 0; i < COUNT(x); i++) {
            char text[HISTORY_NUMBER];
            history_shortest(x[i], text);
            CHECK(strtod(text, NULL) == x[i], "%.17g is printed %s", x[i], text);
        }
    }
}

static void test_files(void)
{
    TEST("rows of the history and the batches have their header's columns, those of the clock last")
    {
        text_buffer b = {0};
        history_row(TASK_DETN, "all", 2, 17.5, (loss_value){33.25, 0.802, 20.648081}, 81.23, 24.637, &b);
        history_row(TASK_BBOX, "head", 0, 17.5, (loss_value){20.5, 0, 20.5}, 1, 2, &b);
        history_row(TASK_CLS, "head", 0, 1.5, (loss_value){0.5, 0.25, 0}, 1, 2, &b);
        batches_row("all", 1, 63, 2e-5, 1.25, 1.5, 0.25, 24.637, &b);
        lr_find_row(3, 1e-5, 2.5, 2.25, &b);
        CHECK(!text_done(&b, NULL), "no memory");
        CHECK(strcmp(b.data, "all\t2\t17.5\t33.25\t0.802\t20.648081\t81.2\t24.64\n"
                             "head\t0\t17.5\t20.5\t-\t20.5\t1.0\t2.00\n"
                             "head\t0\t1.5\t0.5\t0.25\t-\t1.0\t2.00\n"
                             "all\t1\t63\t2e-05\t1.25\t1.5\t0.250\t24.64\n"
                             "3\t1e-05\t2.5\t2.25\n") == 0,
              "%s", b.data);
        text_free(&b);
    }
}

int main(void)
{
    test_table();
    test_numbers();
    test_files();
    return test_end();
}
