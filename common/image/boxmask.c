#include "image/boxmask.h"

#include "image/resize.h"
#include "image/warp.h"

#include <math.h>

static const box empty = {0, 0, 0, 0};

/* Step 2: the set rows and columns, end exclusive, cut to the picture. False when nothing is set. */
static bool set_part(box *b, int height, int width)
{
    b->y1 = b->y1 > 0 ? b->y1 : 0;
    b->x1 = b->x1 > 0 ? b->x1 : 0;
    b->y2 = b->y2 < height ? b->y2 : height;
    b->x2 = b->x2 < width ? b->x2 : width;
    return b->y1 < b->y2 && b->x1 < b->x2;
}

/* The targets t in [0, target) with start <= nearest_index(t) < stop, which never decreases. */
static bool axis_resize(int *start, int *stop, int source, int target)
{
    int bounds[2] = {*start, *stop}, found[2];
    for (int i = 0; i < 2; i++) {
        int low = 0, high = target; /* the first t whose source pixel is not below the bound */
        while (low < high) {
            int middle = low + (high - low) / 2;
            if (nearest_index(middle, source, target) < bounds[i])
                low = middle + 1;
            else
                high = middle;
        }
        found[i] = low;
    }
    *start = found[0];
    *stop = found[1] - 1; /* inclusive from here on */
    return *start <= *stop;
}

box box_resize(box b, int height, int width, int target_height, int target_width)
{
    if (!set_part(&b, height, width) || !axis_resize(&b.y1, &b.y2, height, target_height) ||
        !axis_resize(&b.x1, &b.x2, width, target_width))
        return empty;
    return b;
}

box box_flip(box b, int height, int width)
{
    if (!set_part(&b, height, width))
        return empty;
    return (box){b.y1, width - b.x2, b.y2 - 1, width - 1 - b.x1};
}

box box_pass(box b, int height, int width)
{
    if (!set_part(&b, height, width))
        return empty;
    return (box){b.y1, b.x1, b.y2 - 1, b.x2 - 1};
}

/* The columns x in [*start, *stop) with low <= round(slope * x * 1024) + offset < high; the middle expression
 * never changes direction. */
static void columns_within(double slope, int offset, int low, int high, int *start, int *stop)
{
    const bool rising = slope >= 0;
    /* rising: the first column not below low, the first not below high. falling: the first below high, the
     * first below low. */
    const int bounds[2] = {rising ? low : high, rising ? high : low};
    int found[2];
    for (int i = 0; i < 2; i++) {
        int first = *start, last = *stop;
        while (first < last) {
            int middle = first + (last - first) / 2;
            int at = (int)lrint(slope * middle * 1024) + offset;
            if (rising ? at < bounds[i] : at >= bounds[i])
                first = middle + 1;
            else
                last = middle;
        }
        found[i] = first;
    }
    *start = found[0];
    *stop = found[1];
}

box box_rotate(box b, int height, int width, const double m[6])
{
    if (!set_part(&b, height, width))
        return empty;
    box out = {height, width, -1, -1};
    for (int y = 0; y < height; y++) {
        int start = 0, stop = width;
        /* target column x shows source column (row_x + dx[x]) >> 10, and the set ones are x1 .. x2-1 */
        columns_within(m[0], warp_row_x(m, y, 512), b.x1 * 1024, b.x2 * 1024, &start, &stop);
        if (start < stop)
            columns_within(m[3], warp_row_y(m, y, 512), b.y1 * 1024, b.y2 * 1024, &start, &stop);
        if (start >= stop)
            continue;
        out.y1 = y < out.y1 ? y : out.y1;
        out.y2 = y;
        out.x1 = start < out.x1 ? start : out.x1;
        out.x2 = stop - 1 > out.x2 ? stop - 1 : out.x2;
    }
    return out.y2 < 0 ? empty : out;
}

box box_validation(box raw, int height, int width, int size)
{
    int h, w;
    scaled_size(height, width, size, &h, &w);
    return box_resize(box_resize(raw, height, width, h, w), h, w, size, size);
}
