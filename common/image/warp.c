#include "image/warp.h"

#include "image/lanes.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

void warp_rotation(double degrees, int height, int width, double m[6])
{
    const double pi = 3.1415926535897932384626433832795;
    /* forward: about the centre, scale 1 */
    double angle = degrees * (pi / 180);
    double a = cos(angle), b = sin(angle);
    double cx = width / 2, cy = height / 2; /* whole numbers */
    double f[6] = {a, b, (1 - a) * cx - b * cy, -b, a, b * cx + (1 - a) * cy};
    /* inverted */
    double d = f[0] * f[4] - f[1] * f[3];
    d = d != 0 ? 1 / d : 0;
    m[0] = f[4] * d;
    m[1] = -f[1] * d;
    m[3] = -f[3] * d;
    m[4] = f[0] * d;
    m[2] = -m[0] * f[2] - m[1] * f[5];
    m[5] = -m[3] * f[2] - m[4] * f[5];
}

void warp_columns(const double m[6], int width, int *dx, int *dy)
{
    for (int x = 0; x < width; x++) {
        dx[x] = (int)lrint(m[0] * x * 1024);
        dy[x] = (int)lrint(m[3] * x * 1024);
    }
}

int warp_row_x(const double m[6], int y, int bias)
{
    return (int)lrint((m[1] * y + m[2]) * 1024) + bias;
}

int warp_row_y(const double m[6], int y, int bias)
{
    return (int)lrint((m[4] * y + m[5]) * 1024) + bias;
}

/* dcba|abcd|dcba */
static int reflect(int i, int n)
{
    while (i < 0 || i >= n)
        i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
}

void warp_linear(const float *source, int height, int width, const double m[6], float *target, int *columns)
{
    int *dx = columns, *dy = columns + width;
    warp_columns(m, width, dx, dy);
    const size_t stride = 3 * (size_t)width;
    for (int y = 0; y < height; y++) {
        const int x0 = warp_row_x(m, y, 16), y0 = warp_row_y(m, y, 16);
        for (int x = 0; x < width; x++, target += 3) {
            const int px = (x0 + dx[x]) >> 5, py = (y0 + dy[x]) >> 5;
            const int sx = px >> 5, sy = py >> 5;
            const float fx = (float)(px & 31) * 0.03125f, fy = (float)(py & 31) * 0.03125f;
            /* products and differences of multiples of 1/32: all exact */
            const float w11 = fx * fy, w10 = fy - w11, w01 = fx - w11, w00 = 1 - fx - w10;
            const float *p00, *p01, *p10, *p11;
            if (sx >= 0 && sy >= 0 && sx < width - 1 && sy < height - 1) {
                p00 = source + (size_t)sy * stride + 3 * (size_t)sx;
                p01 = p00 + 3;
                p10 = p00 + stride;
                p11 = p10 + 3;
            } else {
                size_t left = 3 * (size_t)reflect(sx, width), right = 3 * (size_t)reflect(sx + 1, width);
                const float *above = source + stride * (size_t)reflect(sy, height);
                const float *below = source + stride * (size_t)reflect(sy + 1, height);
                p00 = above + left;
                p01 = above + right;
                p10 = below + left;
                p11 = below + right;
            }
            store4(target, load4(p00) * w00 + load4(p01) * w01 + load4(p10) * w10 + load4(p11) * w11);
        }
    }
}
