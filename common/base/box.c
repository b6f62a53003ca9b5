#include "base/box.h"

#include <math.h>

box_xywh box_to_xywh(box_real b)
{
    return (box_xywh){b.x1, b.y1, b.x2 - b.x1 + 1, b.y2 - b.y1 + 1};
}

/* One side of box_from_real_xywh: first and last pixel. An empty side comes out with last < first. */
static void side(double at, double extent, int32_t size, int32_t *first, int32_t *last, bool *clamped)
{
    double a = floor(at), b = ceil(at + extent) - 1;
    double low = fmin(fmax(a, 0), size), high = fmax(fmin(b, size - 1), -1);
    if (low != a || high != b)
        *clamped = true;
    *first = (int32_t)low;
    *last = (int32_t)high;
}

box box_from_real_xywh(box_xywh b, int32_t picture_height, int32_t picture_width, bool *clamped)
{
    box r;
    *clamped = false;
    side(b.y, b.height, picture_height, &r.y1, &r.y2, clamped);
    side(b.x, b.width, picture_width, &r.x1, &r.x2, clamped);
    return r;
}

box_xywh box_around_rotated(box_xywh b, double degrees)
{
    const double c = fabs(cos(degrees * M_PI / 180)), s = fabs(sin(degrees * M_PI / 180)),
                 width = b.width * c + b.height * s, height = b.width * s + b.height * c;
    return (box_xywh){b.x + (b.width - width) / 2, b.y + (b.height - height) / 2, width, height};
}

box_real box_to_real(box b)
{
    return (box_real){b.y1, b.x1, b.y2, b.x2};
}

void box_to_floats(box_real b, float row[4])
{
    row[0] = (float)b.y1;
    row[1] = (float)b.x1;
    row[2] = (float)b.y2;
    row[3] = (float)b.x2;
}

box_real box_from_floats(const float row[4])
{
    return (box_real){(double)row[0], (double)row[1], (double)row[2], (double)row[3]};
}

bool box_is_empty(box b)
{
    return b.y2 < b.y1 || b.x2 < b.x1;
}

bool box_fits(box b, int32_t height, int32_t width)
{
    return !box_is_empty(b) && b.y1 >= 0 && b.x1 >= 0 && b.y2 < height && b.x2 < width;
}

int64_t box_score(box b)
{
    return ((int64_t)b.y2 - b.y1) * ((int64_t)b.x2 - b.x1);
}

double box_iou(box_real a, box_real b)
{
    double height = fmin(a.y2, b.y2) - fmax(a.y1, b.y1) + 1, width = fmin(a.x2, b.x2) - fmax(a.x1, b.x1) + 1;
    double ah = a.y2 - a.y1 + 1, aw = a.x2 - a.x1 + 1, bh = b.y2 - b.y1 + 1, bw = b.x2 - b.x1 + 1;
    if (height <= 0 || width <= 0 || ah <= 0 || aw <= 0 || bh <= 0 || bw <= 0)
        return 0;
    double common = height * width;
    return common / (ah * aw + bh * bw - common);
}
