#include "image/picture.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int picture_limits(uint64_t width, uint64_t height, const char *name, error *e)
{
    if (width == 0 || height == 0)
        return fail(e, ERR_INPUT, "%s: a picture of %llu x %llu pixels", name, (unsigned long long)width,
                    (unsigned long long)height);
    if (width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE || width * height > PICTURE_MAX_PIXELS)
        return fail(e, ERR_INPUT, "%s: %llu x %llu pixels are more than the %d (%d a side) that are allowed", name,
                    (unsigned long long)width, (unsigned long long)height, PICTURE_MAX_PIXELS, PICTURE_MAX_SIDE);
    return 0;
}

int picture_new(picture *p, int width, int height, error *e)
{
    *p = (picture){0};
    if (width < 1 || height < 1)
        return fail(e, ERR_INPUT, "a picture of %d x %d pixels", width, height);
    p->pixels = mem_zero((size_t)width * (size_t)height, 3, "a picture", e);
    if (!p->pixels)
        return ERR_SYSTEM;
    p->width = width;
    p->height = height;
    return 0;
}

void picture_free(picture *p)
{
    free(p->pixels);
    *p = (picture){0};
}

/* Where the shown picture's column and row run in the stored one: 2 right to left, 3 both ways, 4 bottom to top; 5 .. 8
 * exchange the axes first. */
typedef struct turning {
    bool exchange, back_x, back_y;
} turning;

static turning turning_of(int orientation)
{
    const int o = orientation;
    return (turning){o >= 5, o == 2 || o == 3 || o == 7 || o == 8, o == 3 || o == 4 || o == 6 || o == 7};
}

box_xywh picture_turn_box(box_xywh b, int width, int height, int orientation)
{
    const turning t = turning_of(orientation);
    const double x = t.back_x ? width - b.x - b.width : b.x, y = t.back_y ? height - b.y - b.height : b.y;
    return t.exchange ? (box_xywh){y, x, b.height, b.width} : (box_xywh){x, y, b.width, b.height};
}

int picture_turn(picture *p, int orientation, error *e)
{
    if (orientation <= 1)
        return 0;
    const turning t = turning_of(orientation);
    picture out;
    int code = picture_new(&out, t.exchange ? p->height : p->width, t.exchange ? p->width : p->height, e);
    if (code)
        return code;
    uint8_t *to = out.pixels;
    for (int y = 0; y < out.height; y++)
        for (int x = 0; x < out.width; x++, to += 3) {
            int sx = t.exchange ? y : x, sy = t.exchange ? x : y;
            sx = t.back_x ? p->width - 1 - sx : sx;
            sy = t.back_y ? p->height - 1 - sy : sy;
            memcpy(to, p->pixels + 3 * ((size_t)sy * (size_t)p->width + (size_t)sx), 3);
        }
    picture_free(p);
    *p = out;
    return 0;
}
