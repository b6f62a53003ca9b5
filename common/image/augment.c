/* Kinds of augmentations stand in one table (their names, how many numbers each takes, defaults). Drawing is apart
 * from doing: augment_draw makes the states of a sample, sample.c applies them stage by stage with the functions
 * at the end. */
#include "image/augment.h"

#include "base/text.h"
#include "image/lanes.h"

#include <math.h>
#include <string.h>

/* A number runs from min to max, which does not count when it is open. */
static const struct {
    const char *name;
    int numbers, required;
    struct {
        double min, max, otherwise; /* otherwise: when it is not given */
        bool open;
        const char *before, *after; /* of the number that is out of range */
    } of[2];
} kinds[] = {
    [AUGMENT_FLIP] = {"flip", 1, 0, {{0, 1, 0.5, false, "", " is not a probability"}}},
    [AUGMENT_ROTATE] = {"rotate",
                        2,
                        1,
                        {{0, 90, 0, true, "", " degrees are not within [0, 90)"},
                         {0, 1, 0.75, false, "", " is not a probability"}}},
    [AUGMENT_LIGHTING] = {"lighting",
                          2,
                          2,
                          {{0, 1, 0, false, "brightness ", " is not within [0, 1]"},
                           {0, 1, 0, true, "contrast ", " is not within [0, 1)"}}},
    [AUGMENT_CROP] = {"crop",
                      2,
                      1,
                      {{0.01, 1, 0, false, "smallest share ", " is not within [0.01, 1]"},
                       {0, 1, 0.5, false, "", " is not a probability"}}},
    [AUGMENT_ZOOM] = {"zoom",
                      2,
                      1,
                      {{1, 4, 0, false, "largest canvas ", " is not within [1, 4]"},
                       {0, 1, 0.5, false, "", " is not a probability"}}},
    [AUGMENT_COLOUR] = {"colour",
                        2,
                        2,
                        {{0, 1, 0, false, "saturation ", " is not within [0, 1]"},
                         {0, 0.5, 0, false, "hue ", " is not within [0, 0.5]"}}},
};

enum { KINDS = COUNT(kinds) };

const char *augment_name(augment_kind kind)
{
    return kinds[kind].name;
}

int augment_numbers(augment_kind kind)
{
    return kinds[kind].numbers;
}

int augment_add(augment_list *list, const char *name, const double *numbers, int count, error *e)
{
    int kind = 0;
    while (kind < KINDS && strcmp(kinds[kind].name, name) != 0)
        kind++;
    if (kind == KINDS) {
        const char *words[KINDS];
        for (int i = 0; i < KINDS; i++)
            words[i] = kinds[i].name;
        const char *near = text_nearest(name, words, KINDS);
        return fail(e, ERR_INPUT,
                    "unknown augmentation '%s'%s%s%s; there are flip, rotate, lighting, crop, zoom and colour", name,
                    near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    if (count < kinds[kind].required || count > kinds[kind].numbers)
        return fail(e, ERR_INPUT, "%s takes %s%d number%s, %d given", name,
                    kinds[kind].required < kinds[kind].numbers ? "at most " : "", kinds[kind].numbers,
                    kinds[kind].numbers == 1 ? "" : "s", count);
    if (list->count == AUGMENT_MAX)
        return fail(e, ERR_INPUT, "more than %d augmentations", AUGMENT_MAX);
    augment a = {.kind = (augment_kind)kind};
    for (int i = 0; i < kinds[kind].numbers; i++) {
        const double n = i < count ? numbers[i] : kinds[kind].of[i].otherwise, max = kinds[kind].of[i].max;
        if (!(n >= kinds[kind].of[i].min && (kinds[kind].of[i].open ? n < max : n <= max)))
            return fail(e, ERR_INPUT, "%s: %s%g%s", name, kinds[kind].of[i].before, n, kinds[kind].of[i].after);
        a.numbers[i] = n;
    }
    list->items[list->count++] = a;
    return 0;
}

/* Uniform in [-s, s). */
static double symmetric(philox *random, double s)
{
    return philox_uniform(random) * 2 * s - s;
}

void augment_draw(const augment_list *list, philox *random, augment_state *states)
{
    for (int i = 0; i < list->count; i++) {
        const augment *a = &list->items[i];
        augment_state s = {0};
        switch (a->kind) {
        case AUGMENT_FLIP:
            s.taken = philox_uniform(random) < a->numbers[0];
            break;
        case AUGMENT_ROTATE:
            s.angle = symmetric(random, a->numbers[0]);
            s.taken = philox_uniform(random) < a->numbers[1];
            break;
        case AUGMENT_LIGHTING: {
            s.brightness = symmetric(random, a->numbers[0]);
            double c = symmetric(random, a->numbers[1]);
            s.contrast = c < 0 ? 1 / (1 - c) : 1 + c;
            break;
        }
        case AUGMENT_CROP:
            s.taken = philox_uniform(random) < a->numbers[1];
            s.share = a->numbers[0] + philox_uniform(random) * (1 - a->numbers[0]);
            s.ratio = exp(symmetric(random, log(4.0 / 3)));
            s.y = philox_uniform(random);
            s.x = philox_uniform(random);
            s.object = philox_uniform(random);
            break;
        case AUGMENT_ZOOM:
            s.taken = philox_uniform(random) < a->numbers[1];
            s.times = 1 + philox_uniform(random) * (a->numbers[0] - 1);
            s.y = philox_uniform(random);
            s.x = philox_uniform(random);
            break;
        case AUGMENT_COLOUR:
            s.saturation = 1 + symmetric(random, a->numbers[0]);
            s.hue = symmetric(random, a->numbers[1]);
            break;
        }
        states[i] = s;
    }
}

philox augment_random(uint64_t seed, uint32_t epoch, uint64_t row)
{
    philox p = philox_start(seed, PHILOX_STREAM(PURPOSE_AUGMENT, epoch));
    p.index = row << 16; /* far more blocks than one sample draws */
    return p;
}

/* ---------------------------------------------------------------- on pixels */

void augment_flip(float *pixels, int height, int width)
{
    for (int y = 0; y < height; y++, pixels += 3 * (size_t)width)
        for (float *a = pixels, *b = pixels + 3 * (size_t)(width - 1); a < b; a += 3, b -= 3)
            for (int c = 0; c < 3; c++) {
                float t = a[c];
                a[c] = b[c];
                b[c] = t;
            }
}

/* Sums of a thousand values in float32, those sums in double. */
static double mean_value(const float *p, size_t n)
{
    double total = 0;
    for (size_t done = 0; done < n;) {
        size_t block = n - done < 1024 ? n - done : 1024, i = 0;
        float4 sums[4] = {{0}};
        for (; i + 16 <= block; i += 16)
            for (size_t k = 0; k < 4; k++)
                sums[k] += load4(p + done + i + 4 * k);
        for (int k = 0; k < 4; k++)
            for (int c = 0; c < 4; c++)
                total += (double)sums[k][c];
        for (; i < block; i++)
            total += (double)p[done + i];
        done += block;
    }
    return n ? total / (double)n : 0;
}

void augment_lighting(float *pixels, int height, int width, double brightness, double contrast)
{
    if (brightness == 0 && contrast == 1)
        return;
    const size_t n = 3 * (size_t)height * (size_t)width;
    const float mu = (float)mean_value(pixels, n), factor = (float)contrast, add = (float)brightness;
    const float4 one = {1, 1, 1, 1}, zero = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        float4 v = (load4(pixels + i) - mu) * factor + mu + add;
        v = (float4)((int4)v & (v > zero));                             /* below 0: 0 */
        v = (float4)(((int4)v & (v <= one)) | ((int4)one & (v > one))); /* above 1: 1 */
        store4(pixels + i, v);
    }
    for (; i < n; i++) {
        float v = (pixels[i] - mu) * factor + mu + add;
        v = v < 0 ? 0 : v;
        pixels[i] = v > 1 ? 1 : v;
    }
}

/* Four pixels, by channel. */
typedef struct four {
    float4 c[3];
} four;

static inline float4 choose(int4 mask, float4 yes, float4 no)
{
    return (float4)(((int4)yes & mask) | ((int4)no & ~mask));
}

static inline float4 least(float4 a, float4 b)
{
    return choose(a < b, a, b);
}

static inline float4 most(float4 a, float4 b)
{
    return choose(a > b, a, b);
}

static inline float4 to_unit(float4 v)
{
    const float4 zero = {0}, one = {1, 1, 1, 1};
    return least(most(v, zero), one);
}

/* ITU-R 601's grey, with torchvision's digits. */
static inline void saturate(four *p, float factor)
{
    const float4 rest = (1 - factor) * (0.2989f * p->c[0] + 0.587f * p->c[1] + 0.114f * p->c[2]);
    for (int c = 0; c < 3; c++)
        p->c[c] = to_unit(factor * p->c[c] + rest);
}

/* HSV in sixths of a circle: red is 0, green 2, blue 4. A channel is at its highest within a sixth of its own hue, at
 * its lowest beyond two, and falls in a straight line between. */
static inline void turn_hue(four *p, float sixths)
{
    const float4 r = p->c[0], g = p->c[1], b = p->c[2], zero = {0}, one = {1, 1, 1, 1};
    const float4 high = most(most(r, g), b), range = high - least(least(r, g), b);
    const float4 by = choose(range > zero, range, one);
    const float4 hue = choose(high == r, (g - b) / by, choose(high == g, 2 + (b - r) / by, 4 + (r - g) / by)) + sixths;
    for (int c = 0; c < 3; c++) {
        float4 k = 11 - 2 * (float)c + hue; /* 7 is one circle and a sixth; hue is above -4 */
        k -= 6 * __builtin_convertvector(__builtin_convertvector(k / 6, int4), float4);
        p->c[c] = high - range * to_unit(least(k, 4 - k));
    }
}

/* Four values of one channel to and from pixels. */
static inline float4 gather(const float *p)
{
    return (float4){p[0], p[3], p[6], p[9]};
}

static inline void scatter(float *p, float4 v)
{
    for (size_t k = 0; k < 4; k++)
        p[3 * k] = v[k];
}

static inline void recolour(float *p, float saturation, float sixths)
{
    four f = {{gather(p), gather(p + 1), gather(p + 2)}};
    if (saturation != 1)
        saturate(&f, saturation);
    if (sixths != 0)
        turn_hue(&f, sixths);
    for (size_t c = 0; c < 3; c++)
        scatter(p + c, f.c[c]);
}

void augment_colour(float *pixels, int height, int width, double saturation, double hue)
{
    const size_t n = 3 * (size_t)height * (size_t)width;
    const float factor = (float)saturation, sixths = (float)(6 * hue);
    size_t i = 0;
    for (; i + 12 <= n; i += 12)
        recolour(pixels + i, factor, sixths);
    float rest[12] = {0};
    memcpy(rest, pixels + i, (n - i) * sizeof *rest);
    recolour(rest, factor, sixths);
    memcpy(pixels + i, rest, (n - i) * sizeof *rest);
}
