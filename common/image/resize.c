/* Area resampling in two passes: each source row is resampled across once, into one of two line buffers, and lines are
 * summed down with their weights. The taps of both axes (first source pixel, count, weights; see resize.h) depend on
 * the sizes alone and are made anew for each picture, in memory that is kept from call to call. */
#include "image/resize.h"

#include "image/lanes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void scaled_size(int height, int width, int size, int *scaled_height, int *scaled_width)
{
    double ratio = (double)size / (height < width ? height : width);
    double h = floor(height * ratio), w = floor(width * ratio);
    *scaled_height = h > size ? (int)fmin(h, 1 << 30) : size;
    *scaled_width = w > size ? (int)fmin(w, 1 << 30) : size;
}

int scaled_size_allowed(int height, int width, int size, int *scaled_height, int *scaled_width, const char *name,
                        error *e)
{
    enum { MOST = 64 };
    scaled_size(height, width, size, scaled_height, scaled_width);
    if (*scaled_height > MOST * size || *scaled_width > MOST * size)
        return fail(e, ERR_INPUT, "%s: %d x %d is too elongated a picture (%d to 1 at most)", name, width, height,
                    MOST);
    return 0;
}

int nearest_index(int t, int source, int target)
{
    int i = (int)floor(t * (1 / ((double)target / source)));
    return i < source - 1 ? i : source - 1;
}

/* ---------------------------------------------------------------- tables of taps */

static int axis_room(resize_axis *a, int targets, size_t taps, error *e)
{
    if ((size_t)targets > a->targets) {
        size_t first = a->targets, count = a->targets;
        if (mem_grow(&a->first, &first, (size_t)targets, sizeof *a->first, "resampling tables", e) ||
            mem_grow(&a->count, &count, (size_t)targets, sizeof *a->count, "resampling tables", e))
            return ERR_SYSTEM;
        a->targets = first < count ? first : count;
    }
    return mem_grow(&a->weight, &a->taps, taps, sizeof *a->weight, "resampling tables", e);
}

static void axis_shrink(resize_axis *axis, int source, int target)
{
    const double scale = 1 / ((double)target / source);
    float *weight = axis->weight;
    for (int t = 0; t < target; t++) {
        double f1 = t * scale, f2 = f1 + scale, cell = fmin(scale, source - f1);
        int a = (int)ceil(f1), b = (int)floor(f2);
        b = b < source - 1 ? b : source - 1;
        a = a < b ? a : b;
        const float *start = weight;
        axis->first[t] = a;
        if (a - f1 > 1e-3) {
            axis->first[t] = a - 1;
            *weight++ = (float)((a - f1) / cell);
        }
        for (int i = a; i < b; i++)
            *weight++ = (float)(1 / cell);
        if (f2 - b > 1e-3)
            *weight++ = (float)(fmin(fmin(f2 - b, 1), cell) / cell);
        axis->count[t] = (int)(weight - start);
    }
}

static void axis_enlarge(resize_axis *axis, int source, int target)
{
    const double inv = (double)target / source, scale = 1 / inv;
    float *weight = axis->weight;
    for (int t = 0; t < target; t++) {
        int s = (int)floor(t * scale);
        float f = (float)((t + 1) - (s + 1) * inv);
        f = f <= 0 ? 0 : f - floorf(f);
        if (s < 0) {
            s = 0;
            f = 0;
        }
        if (s >= source - 1) {
            s = source - 1;
            f = 0;
        }
        axis->first[t] = s;
        axis->count[t] = s < source - 1 ? 2 : 1;
        *weight++ = 1 - f;
        if (s < source - 1)
            *weight++ = f;
    }
}

static int prepare(resize_scratch *s, int height, int width, int target_height, int target_width, error *e)
{
    if (axis_room(&s->across, target_width, (size_t)width + 3 * (size_t)target_width, e) ||
        axis_room(&s->down, target_height, (size_t)height + 3 * (size_t)target_height, e) ||
        mem_grow(&s->row, &s->row_size, 3 * (size_t)width + 4, sizeof *s->row, "a picture row", e) ||
        mem_grow(&s->line, &s->line_size, 2 * (3 * (size_t)target_width + 4), sizeof *s->line, "a picture row", e) ||
        mem_grow(&s->sum, &s->sum_size, 3 * (size_t)target_width + 4, sizeof *s->sum, "a picture row", e))
        return ERR_SYSTEM;
    /* OpenCV takes the covering rule when it applies to both axes, the linear one otherwise. */
    void (*axis)(resize_axis *, int, int) =
        height >= target_height && width >= target_width ? axis_shrink : axis_enlarge;
    axis(&s->across, width, target_width);
    axis(&s->down, height, target_height);
    return 0;
}

void resize_scratch_free(resize_scratch *s)
{
    resize_axis *axes[] = {&s->across, &s->down};
    for (int i = 0; i < 2; i++) {
        free(axes[i]->first);
        free(axes[i]->count);
        free(axes[i]->weight);
    }
    free(s->row);
    free(s->line);
    free(s->sum);
    *s = (resize_scratch){0};
}

/* ---------------------------------------------------------------- rows */

/* One row resampled across. row is readable one float beyond its last pixel, line writable likewise. */
static void row_across(const float *row, const resize_axis *axis, int targets, float *line)
{
    const float *weight = axis->weight;
    for (int t = 0; t < targets; t++) {
        const float *p = row + 3 * (size_t)axis->first[t];
        float4 sum = load4(p) * weight[0];
        for (int k = 1; k < axis->count[t]; k++)
            sum += load4(p += 3) * weight[k];
        weight += axis->count[t];
        store4(line + 3 * (size_t)t, sum);
    }
}

/* sum = weight * line, or sum += weight * line; n floats rounded up to four. */
static void row_down(float *restrict sum, const float *restrict line, float weight, size_t n, int add)
{
    if (add)
        for (size_t i = 0; i < n; i += 4)
            store4(sum + i, load4(sum + i) + load4(line + i) * weight);
    else
        for (size_t i = 0; i < n; i += 4)
            store4(sum + i, load4(line + i) * weight);
}

/* value*255 rounded to nearest even. Adding 1.5 * 2^23 leaves the rounded number in the low bits. */
static void row_to_bytes(const float *restrict row, uint8_t *restrict bytes, size_t n)
{
    const float magic = 12582912.0f;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        int4 v = (int4)(load4(row + i) * 255.0f + magic);
        for (int k = 0; k < 4; k++)
            bytes[i + (size_t)k] = (uint8_t)v[k];
    }
    for (; i < n; i++)
        bytes[i] = (uint8_t)lrintf(row[i] * 255.0f);
}

/* Exactly one of source and bytes, and one of target and target_bytes, is given. (Aligned, since where the linker puts
 * this loop, by code elsewhere, was seen to cost resize-cache 3 %.) */
__attribute__((aligned(64))) static void resample(const float *source, const uint8_t *bytes, int height, int width,
                                                  float *target, uint8_t *target_bytes, int target_height,
                                                  int target_width, resize_scratch *s)
{
    const size_t in = 3 * (size_t)width, out = 3 * (size_t)target_width;
    int held[2] = {-1, -1}; /* the source rows whose resampled lines are kept, even and odd */
    const float *weight = s->down.weight;
    for (int t = 0; t < target_height; t++) {
        for (int k = 0; k < s->down.count[t]; k++) {
            int y = s->down.first[t] + k;
            float *line = s->line + (y & 1) * (out + 4);
            if (held[y & 1] != y) {
                const float *row = source ? source + (size_t)y * in : s->row;
                if (bytes)
                    floats_from_bytes(bytes + (size_t)y * in, s->row, in);
                else if (y == height - 1) /* nothing to read behind the last pixel */
                    row = memcpy(s->row, row, in * sizeof *row);
                row_across(row, &s->across, target_width, line);
                held[y & 1] = y;
            }
            row_down(s->sum, line, *weight++, out, k > 0);
        }
        if (target)
            memcpy(target + (size_t)t * out, s->sum, out * sizeof *target);
        else
            row_to_bytes(s->sum, target_bytes + (size_t)t * out, out);
    }
}

int resize_area(const float *source, int height, int width, float *target, int target_height, int target_width,
                resize_scratch *s, error *e)
{
    int code = prepare(s, height, width, target_height, target_width, e);
    if (!code)
        resample(source, NULL, height, width, target, NULL, target_height, target_width, s);
    return code;
}

int resize_area_8bit(const uint8_t *source, int height, int width, uint8_t *target, int target_height, int target_width,
                     resize_scratch *s, error *e)
{
    int code = prepare(s, height, width, target_height, target_width, e);
    if (!code)
        resample(NULL, source, height, width, NULL, target, target_height, target_width, s);
    return code;
}

int picture_scale(const picture *p, int size, picture *scaled, const char *name, resize_scratch *s, error *e)
{
    int height, width;
    *scaled = (picture){0};
    int code = scaled_size_allowed(p->height, p->width, size, &height, &width, name, e);
    if (!code)
        code = picture_new(scaled, width, height, e);
    if (!code)
        code = resize_area_8bit(p->pixels, p->height, p->width, scaled->pixels, height, width, s, e);
    if (code)
        picture_free(scaled);
    return code;
}
