#include "image/unframe.h"

#include "image/resize.h"

#include <math.h>

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static int common_divisor(int a, int b)
{
    while (b) {
        int t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* Nearest resampling shows rows start .. end-1 at targets ceil(start d/s) .. ceil(end d/s) - 1. For whole
 * start and end the products have the fractions 0, 1/q, … (q-1)/q with q = s / gcd(s, d), equally often, so
 * rounding up adds (q-1)/2q on average. */
static void resize_axis_expected(double *first, double *last, int source, int target)
{
    /* a divisor is at least 1 NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    double q = source / common_divisor(source, target), up = (q - 1) / (2 * q);
    double k = (double)target / source;
    *first = clamp(*first * k + up, 0, target - 1);
    *last = clamp(*last * k + up - 1, 0, target - 1);
}

static void resize_expected(box_real *b, int height, int width, int target_height, int target_width)
{
    resize_axis_expected(&b->y1, &b->y2, height, target_height);
    resize_axis_expected(&b->x1, &b->x2, width, target_width);
}

/* The set part reaches from x1 - 1/2 to x2 - 1/2 (the end is exclusive). It is turned about the centre, and
 * the first and last whole column inside are half a pixel further in on average. Zero degrees is the stage
 * that does nothing. */
static box_real turned(const box_real *b, int height, int width, double radians)
{
    double cx = width / 2, cy = height / 2, co = cos(radians), si = sin(radians);
    box_real out = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
    for (int corner = 0; corner < 4; corner++) {
        double x = (corner & 1 ? b->x2 : b->x1) - 0.5 - cx, y = (corner & 2 ? b->y2 : b->y1) - 0.5 - cy;
        double tx = co * x + si * y + cx, ty = -si * x + co * y + cy;
        /* written out: gcc 12 for ARM64 ends with an internal error where fmin() and fmax() stand here */
        out.x1 = tx + 0.5 < out.x1 ? tx + 0.5 : out.x1;
        out.y1 = ty + 0.5 < out.y1 ? ty + 0.5 : out.y1;
        out.x2 = tx - 0.5 > out.x2 ? tx - 0.5 : out.x2;
        out.y2 = ty - 0.5 > out.y2 ? ty - 0.5 : out.y2;
    }
    out.y1 = clamp(out.y1, 0, height - 1);
    out.x1 = clamp(out.x1, 0, width - 1);
    out.y2 = clamp(out.y2, 0, height - 1);
    out.x2 = clamp(out.x2, 0, width - 1);
    return out;
}

/* Angles are uniform in [-deg, deg): the average over eight midpoints, both signs alike. */
static void rotate_expected(box_real *b, int height, int width, double degrees, double p)
{
    enum { ANGLES = 8 };
    const double pi = 3.14159265358979323846;
    box_real still = turned(b, height, width, 0), sum = {0};
    for (int i = 0; i < ANGLES; i++) {
        box_real t = turned(b, height, width, ((i + 0.5) / (double)ANGLES * 2 - 1) * degrees * (pi / 180));
        sum.y1 += t.y1 / (double)ANGLES;
        sum.x1 += t.x1 / (double)ANGLES;
        sum.y2 += t.y2 / (double)ANGLES;
        sum.x2 += t.x2 / (double)ANGLES;
    }
    b->y1 = (1 - p) * still.y1 + p * sum.y1;
    b->x1 = (1 - p) * still.x1 + p * sum.x1;
    b->y2 = (1 - p) * still.y2 + p * sum.y2;
    b->x2 = (1 - p) * still.x2 + p * sum.x2;
}

typedef struct path {
    int height, width, size; /* the scaled picture and the frame */
    const augment_list *list;
} path;

/* Adds weight times what the stages from `item` on make of b. A mirrored picture is looked at in its own columns until
 * the end. */
static void follow(const path *p, int item, box_real b, bool mirrored, double weight, box_real *frame)
{
    for (; p->list && item < p->list->count; item++) {
        const augment *a = &p->list->items[item];
        if (a->kind == AUGMENT_FLIP) {
            box_real flipped = {b.y1, p->width - b.x2, b.y2 - 1, p->width - 1 - b.x1};
            if (a->numbers[0] > 0)
                follow(p, item + 1, flipped, !mirrored, weight * a->numbers[0], frame);
            weight *= 1 - a->numbers[0];
            b.y2 -= 1;
            b.x2 -= 1;
        } else if (a->kind == AUGMENT_ROTATE) {
            rotate_expected(&b, p->height, p->width, a->numbers[0], a->numbers[1]);
        }
    }
    resize_expected(&b, p->height, p->width, p->size, p->size);
    frame->y1 += weight * b.y1;
    frame->x1 += weight * (mirrored ? p->size - 1 - b.x2 : b.x1);
    frame->y2 += weight * b.y2;
    frame->x2 += weight * (mirrored ? p->size - 1 - b.x1 : b.x2);
}

box_real frame_expected(box_real own, int height, int width, int size, const augment_list *trained)
{
    path p = {.size = size, .list = trained};
    box_real frame = {0};
    scaled_size(height, width, size, &p.height, &p.width);
    resize_expected(&own, height, width, p.height, p.width);
    follow(&p, 0, own, false, 1, &frame);
    return frame;
}

/* The corner in the frame, cut to it, in the precision of a network's output. */
static double wanted_corner(double v, int size)
{
    return isnan(v) ? 0 : clamp((double)(float)v, 0, size - 1);
}

box_real frame_to_own(box_real frame, int height, int width, int size, const augment_list *trained)
{
    /* The path is nearly a scaling by size/side, so stepping by the scaled difference settles at once. */
    const box_real wanted = {wanted_corner(frame.y1, size), wanted_corner(frame.x1, size),
                             wanted_corner(frame.y2, size), wanted_corner(frame.x2, size)};
    const double h = height, w = width;
    box_real at = {clamp(wanted.y1 * h / size, 0, h - 1), clamp(wanted.x1 * w / size, 0, w - 1),
                   clamp(wanted.y2 * h / size, 0, h - 1), clamp(wanted.x2 * w / size, 0, w - 1)};
    for (int round = 0; round < 12; round++) {
        const box_real seen = frame_expected(at, height, width, size, trained);
        at.y1 = clamp(at.y1 + (wanted.y1 - seen.y1) * h / size, 0, h - 1);
        at.x1 = clamp(at.x1 + (wanted.x1 - seen.x1) * w / size, 0, w - 1);
        at.y2 = clamp(at.y2 + (wanted.y2 - seen.y2) * h / size, 0, h - 1);
        at.x2 = clamp(at.x2 + (wanted.x2 - seen.x2) * w / size, 0, w - 1);
    }
    return (box_real){(float)fmin(at.y1, at.y2), (float)fmin(at.x1, at.x2), (float)fmax(at.y1, at.y2),
                      (float)fmax(at.x1, at.x2)};
}
