/* Unit tests of base/box: conversions, size, overlap. */
#include "base/box.h"

#include "test.h"

#include <math.h>

static bool same(box a, box b)
{
    return a.y1 == b.y1 && a.x1 == b.x1 && a.y2 == b.y2 && a.x2 == b.x2;
}

static void test_conversions(void)
{
    TEST("x, y, width, height becomes inclusive corners, row first, and back")
    {
        bool clamped;
        box b = box_from_real_xywh((box_xywh){155, 96, 196, 174}, 333, 500, &clamped);
        CHECK(same(b, (box){96, 155, 269, 350}) && !clamped, "%d %d %d %d", b.y1, b.x1, b.y2, b.x2);
        box_xywh c = box_to_xywh(box_to_real(b));
        CHECK(c.x == 155 && c.y == 96 && c.width == 196 && c.height == 174, "%g %g %g %g", c.x, c.y, c.width, c.height);
    }
    TEST("predicted corners with fractions keep the +1 of width and height")
    {
        box_xywh c = box_to_xywh((box_real){0.5, 1.25, 10.5, 21.25});
        CHECK(c.x == 1.25 && c.y == 0.5 && c.width == 21 && c.height == 11, "%g %g", c.width, c.height);
        CHECK(!(c.width == 20), "the old form without +1");
    }
    TEST("a fractional COCO box covers every pixel that it touches")
    {
        bool clamped;
        box b = box_from_real_xywh((box_xywh){10.2, 20.7, 5.5, 4.1}, 100, 100, &clamped);
        CHECK(same(b, (box){20, 10, 24, 15}) && !clamped, "%d %d %d %d", b.y1, b.x1, b.y2, b.x2);
        b = box_from_real_xywh((box_xywh){10.2, 20.7, 0.5, 0.1}, 100, 100, &clamped);
        CHECK(same(b, (box){20, 10, 20, 10}), "%d %d %d %d", b.y1, b.x1, b.y2, b.x2);
    }
    TEST("boxes are cut to the picture, and those outside it or without extent are empty")
    {
        bool clamped;
        box b = box_from_real_xywh((box_xywh){-3, -4.5, 10, 20}, 12, 30, &clamped);
        CHECK(same(b, (box){0, 0, 11, 6}) && clamped, "%d %d %d %d", b.y1, b.x1, b.y2, b.x2);
        b = box_from_real_xywh((box_xywh){30, 0, 5, 5}, 12, 30, &clamped);
        CHECK(box_is_empty(b), "%d %d %d %d", b.y1, b.x1, b.y2, b.x2);
        b = box_from_real_xywh((box_xywh){-9, 0, 9, 5}, 12, 30, &clamped);
        CHECK(box_is_empty(b), "left of it: %d %d", b.x1, b.x2);
        b = box_from_real_xywh((box_xywh){5, 5, 0, 3}, 12, 30, &clamped);
        CHECK(box_is_empty(b), "no width: %d %d", b.x1, b.x2);
        b = box_from_real_xywh((box_xywh){5, 5, -3, 3}, 12, 30, &clamped);
        CHECK(box_is_empty(b), "negative width: %d %d", b.x1, b.x2);
        b = box_from_real_xywh((box_xywh){-1e308, -1e308, INFINITY, INFINITY}, 12, 30, &clamped);
        CHECK(same(b, (box){0, 0, 11, 29}), "huge: %d %d %d %d", b.y1, b.x1, b.y2, b.x2);
        b = box_from_real_xywh((box_xywh){1e300, 1e300, 1e300, 1e300}, 12, 30, &clamped);
        CHECK(box_is_empty(b), "far outside");
    }
    TEST("a row of floats holds the corners in order, and box_fits tells what lies inside")
    {
        float row[4];
        box_to_floats((box_real){1, 2.5, 3, 4}, row);
        CHECK(row[0] == 1 && row[1] == 2.5f && row[2] == 3 && row[3] == 4, "order");
        CHECK(box_from_floats(row).x1 == 2.5 && box_from_floats(row).y2 == 3, "back");
        CHECK(box_fits((box){0, 0, 99, 49}, 100, 50) && !box_fits((box){0, 0, 100, 49}, 100, 50) &&
                  !box_fits((box){0, 5, 9, 4}, 100, 50) && !box_fits((box){-1, 0, 9, 4}, 100, 50),
              "fits");
    }
}

static void test_score(void)
{
    TEST("the score is (height-1) * (width-1): person and horse of picture 17")
    {
        CHECK(box_score((box){61, 184, 198, 278}) == 12878, "person");
        CHECK(box_score((box){77, 89, 335, 402}) == 80754, "horse");
        CHECK(box_score((box){0, 0, 999999, 999999}) == INT64_C(999998000001), "no overflow");
    }
    TEST("area with +1 would choose another object: a thin box of 1 x 100 has score 0")
    {
        const box thin = {0, 0, 0, 99}, small = {0, 0, 2, 2};
        CHECK(box_score(thin) < box_score(small), "%lld %lld", (long long)box_score(thin), (long long)box_score(small));
        box_xywh a = box_to_xywh(box_to_real(thin)), b = box_to_xywh(box_to_real(small));
        CHECK(a.width * a.height > b.width * b.height, "the two rules must disagree here");
    }
}

static void test_iou(void)
{
    TEST("intersection over union counts inclusive pixels")
    {
        const box_real a = {0, 0, 9, 9}, b = {5, 5, 14, 14};
        CHECK(box_iou(a, a) == 1, "itself");
        CHECK(fabs(box_iou(a, b) - 25.0 / 175) < 1e-15, "%g", box_iou(a, b));
        CHECK(fabs(box_iou(a, b) - 16.0 / 146) > 0.01, "the form without +1");
        CHECK(box_iou(a, (box_real){0, 10, 9, 19}) == 0, "neighbours share no pixel");
        CHECK(fabs(box_iou(a, (box_real){0, 9, 9, 18}) - 10.0 / 190) < 1e-15, "one common column");
        CHECK(box_iou(a, (box_real){9, 9, 0, 0}) == 0, "an empty box");
        CHECK(box_iou(a, (box_real){20, 20, 30, 30}) == 0, "apart");
        CHECK(box_iou((box_real){0, 0, 9, 9}, (box_real){0, 0, 9, 4}) == 0.5, "half");
    }
}

int main(void)
{
    test_conversions();
    test_score();
    test_iou();
    return test_end();
}
