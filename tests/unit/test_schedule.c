#include "nn/loss.h"
#include "nn/schedule.h"
#include "test.h"

#include <math.h>

static const schedule one = {SCHEDULE_COSINE, 1, 1, 1, 1, 1};     /* 1 epoch */
static const schedule two = {SCHEDULE_COSINE, 1, 2, 1, 1, 1};     /* one cycle of 2 epochs */
static const schedule growing = {SCHEDULE_COSINE, 2, 1, 2, 1, 1}; /* 1 + 2 epochs */
static const schedule tri3 = {SCHEDULE_TRIANGULAR, 1, 3, 1, 32, 5};
static const schedule tri5 = {SCHEDULE_TRIANGULAR, 1, 5, 1, 32, 10};
static const schedule tri10 = {SCHEDULE_TRIANGULAR, 1, 10, 1, 32, 10};

typedef struct point {
    int k;
    double factor;
} point;

static void check(const schedule *s, const point *points, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double f = schedule_factor(s, 32, points[i].k);
        CHECK(fabs(f - points[i].factor) < 5.1e-7, "batch %d: %.6f, not %.6f", points[i].k, f, points[i].factor);
    }
}

#define POINTS(s, ...)                                                                                                 \
    do {                                                                                                               \
        const point points[] = {__VA_ARGS__};                                                                          \
        check(&s, points, COUNT(points));                                                                              \
    } while (0)

static void test_cosine(void)
{
    TEST("a cosine cycle of 32 batches has the published factors")
    POINTS(one, {0, 0.01}, {1, 0.01}, {2, 0.990393}, {3, 0.978470}, {16, 0.5}, {31, 0.002408});
    TEST("a second cosine cycle, twice as long, starts at the full rate")
    POINTS(growing, {0, 0.01}, {1, 0.01}, {31, 0.002408}, {32, 1.0}, {33, 0.999398}, {64, 0.5}, {95, 0.000602});
    TEST("a cosine cycle of 64 batches has the published factors")
    POINTS(two, {0, 0.01}, {1, 0.01}, {2, 0.01}, {3, 0.01}, {4, 0.990393}, {5, 0.985016}, {32, 0.5}, {63, 0.000602});
    TEST("the warm-up replaces the first values of the cosine and doesn't shift it")
    {
        const double pi = 3.14159265358979323846;
        for (int k = 2; k < 32; k++) {
            double f = schedule_factor(&one, 32, k);
            CHECK(fabs(f - (1 + cos(pi * k / 32)) / 2) < 1e-12, "batch %d: %g", k, f);
        }
        CHECK(fabs(schedule_factor(&one, 32, 2) - 1) > 0.009, "the cosine starts behind the warm-up");
    }
    TEST("a restart with the same length has no second warm-up")
    {
        const schedule again = {SCHEDULE_COSINE, 3, 1, 1, 1, 1};
        CHECK(schedule_factor(&again, 32, 32) == 1 && schedule_factor(&again, 32, 64) == 1, "%g %g",
              schedule_factor(&again, 32, 32), schedule_factor(&again, 32, 64));
    }
}

static void test_triangular(void)
{
    TEST("triangular 32 5 over 3 epochs has the published factors")
    POINTS(tri3, {0, 0.03125}, {1, 0.082237}, {18, 0.949013}, {19, 1}, {20, 0.987419}, {57, 0.521916}, {95, 0.043831});
    TEST("triangular 32 10 over 5 epochs has the published factors")
    POINTS(tri5, {0, 0.03125}, {16, 1}, {17, 0.993273}, {159, 0.037977});
    TEST("triangular 32 10 over 10 epochs has the published factors")
    POINTS(tri10, {0, 0.03125}, {32, 1}, {33, 0.996636}, {319, 0.034614});
    TEST("a triangle with fewer batches than its cut starts at the top")
    {
        for (int k = 0; k < 3; k++) {
            double f = schedule_factor(&tri3, 1, k);
            CHECK(f > 0 && f <= 1, "batch %d: %g", k, f);
        }
        CHECK(schedule_factor(&tri3, 1, 0) == 1, "%g", schedule_factor(&tri3, 1, 0));
    }
}

static void test_epochs(void)
{
    TEST("epochs of a phase: cycles 2 len 1 mult 2 are 3; the published phases have 1, 2, 3, 5, 10")
    {
        CHECK(schedule_epochs(&growing) == 3, "%d", schedule_epochs(&growing));
        CHECK(schedule_epochs(&one) == 1 && schedule_epochs(&two) == 2, "cosine");
        CHECK(schedule_epochs(&tri3) == 3 && schedule_epochs(&tri5) == 5 && schedule_epochs(&tri10) == 10,
              "triangular");
        CHECK(schedule_epochs(&(schedule){SCHEDULE_COSINE, 3, 2, 3, 1, 1}) == 26, "2 + 6 + 18");
        CHECK(schedule_epochs(&(schedule){SCHEDULE_COSINE, 40, 1, 16, 1, 1}) == -1, "beyond a million");
    }
}

static void test_lr_find(void)
{
    TEST("the finder's growth per batch is the published one")
    {
        CHECK(fabs(lr_find_growth(1e-5, 100, 32) - 1.654817) < 5e-7, "%.7f", lr_find_growth(1e-5, 100, 32));
        CHECK(fabs(1e-5 * pow(lr_find_growth(1e-5, 100, 32), 25) - 2.943) < 5e-4, "batch 26 runs at %g",
              1e-5 * pow(lr_find_growth(1e-5, 100, 32), 25));
        CHECK(fabs(lr_find_growth(1e-5, 10, 32) - 1.539927) < 5e-7, "1e-5 to 10");
        CHECK(fabs(lr_find_growth(2e-5, 10, 32) - 1.506929) < 5e-7, "2e-5 to 10");
        CHECK(fabs(lr_find_growth(2e-6, 10, 32) - 1.619358) < 5e-7, "2e-6 to 10");
    }
    TEST("the finder stops above four times its best loss and doesn't record that batch")
    {
        lr_find f = {.best = LR_FIND_BEST};
        for (int i = 0; i < 12; i++)
            CHECK(lr_find_record(&f, 1.0), "stopped at batch %d", i);
        CHECK(f.best == 1.0, "best %g", f.best);
        CHECK(lr_find_record(&f, 4.0), "stopped at exactly four times");
        CHECK(!lr_find_record(&f, 4.0001), "goes on above four times");
        CHECK(f.recorded == 13, "%d recorded", f.recorded);
        CHECK(!lr_find_record(&f, NAN), "goes on with NaN");
    }
    TEST("losses of the first 11 batches never become the finder's best")
    {
        lr_find f = {.best = LR_FIND_BEST};
        for (int i = 0; i < 11; i++)
            CHECK(lr_find_record(&f, 0.1), "stopped at batch %d", i);
        CHECK(f.best == LR_FIND_BEST, "best %g after 11 batches: updated too early", f.best);
        CHECK(lr_find_record(&f, 1.0) && f.best == 1.0, "best %g after the twelfth", f.best);
        CHECK(lr_find_record(&f, 3.9), "3.9 is compared with 0.1");
    }
}

static void test_smooth(void)
{
    TEST("the training loss shown is smoothed by 0.98 and freed of its start")
    {
        const double losses[] = {3.0, 2.0, 2.5, 1.0, 0.5};
        loss_smooth s = {0};
        double average = 0;
        for (int i = 0; i < 5; i++) {
            average = average * 0.98 + losses[i] * 0.02;
            double wanted = average / (1 - pow(0.98, i + 1));
            double shown = loss_smooth_add(&s, losses[i]);
            CHECK(fabs(shown - wanted) < 1e-12, "batch %d: %.15g, not %.15g", i, shown, wanted);
        }
        CHECK(fabs(loss_smooth_value(&s) - 1.7757200717501358) < 1e-12, "%.12f", loss_smooth_value(&s));
        loss_smooth first = {0};
        CHECK(fabs(loss_smooth_add(&first, 2.7) - 2.7) < 1e-12, "the first value is the loss itself");
    }
}

int main(void)
{
    test_cosine();
    test_triangular();
    test_epochs();
    test_lr_find();
    test_smooth();
    return test_end();
}
