/* Rotation of pictures and masks against OpenCV 4.6, and boxes through all stages. */
#include "base/digest.h"

#include "image/boxmask.h"
#include "image/resize.h"
#include "image/warp.h"
#include "image_golden.h"
#include "test.h"

/* ---------------------------------------------------------------- the mask rule, drawn */

static uint8_t *draw(box b, int h, int w)
{
    uint8_t *m = calloc((size_t)h * (size_t)w, 1);
    for (int y = b.y1 < 0 ? 0 : b.y1; y < b.y2 && y < h; y++)
        for (int x = b.x1 < 0 ? 0 : b.x1; x < b.x2 && x < w; x++)
            m[y * w + x] = 1;
    return m;
}

static box bounds(uint8_t *m, int h, int w)
{
    box b = {h, w, -1, -1};
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (m[y * w + x]) {
                b.y1 = y < b.y1 ? y : b.y1;
                b.x1 = x < b.x1 ? x : b.x1;
                b.y2 = y > b.y2 ? y : b.y2;
                b.x2 = x > b.x2 ? x : b.x2;
            }
    free(m);
    return b.y2 < 0 ? (box){0, 0, 0, 0} : b;
}

static box drawn_resize(box b, int h, int w, int dh, int dw)
{
    uint8_t *m = draw(b, h, w), *n = malloc((size_t)dh * (size_t)dw);
    for (int y = 0; y < dh; y++)
        for (int x = 0; x < dw; x++)
            n[y * dw + x] = m[nearest_index(y, h, dh) * w + nearest_index(x, w, dw)];
    free(m);
    return bounds(n, dh, dw);
}

static box drawn_flip(box b, int h, int w, bool taken)
{
    uint8_t *m = draw(b, h, w), *n = malloc((size_t)h * (size_t)w);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            n[y * w + x] = m[y * w + (taken ? w - 1 - x : x)];
    free(m);
    return bounds(n, h, w);
}

/* Nearest, zero outside; one byte a pixel: the plain rule. columns: room for 2 * width ints. */
static void warp_nearest(const uint8_t *source, int height, int width, const double m[6], uint8_t *target, int *columns)
{
    int *dx = columns, *dy = columns + width;
    warp_columns(m, width, dx, dy);
    for (int y = 0; y < height; y++) {
        const int x0 = warp_row_x(m, y, 512), y0 = warp_row_y(m, y, 512);
        for (int x = 0; x < width; x++) {
            const int sx = (x0 + dx[x]) >> 10, sy = (y0 + dy[x]) >> 10;
            bool inside = sx >= 0 && sy >= 0 && sx < width && sy < height;
            *target++ = inside ? source[(size_t)sy * (size_t)width + (size_t)sx] : 0;
        }
    }
}

static box drawn_rotate(box b, int h, int w, const double m[6])
{
    uint8_t *from = draw(b, h, w), *to = malloc((size_t)h * (size_t)w);
    int *columns = malloc(2 * (size_t)w * sizeof *columns);
    warp_nearest(from, h, w, m, to, columns);
    free(columns);
    free(from);
    return bounds(to, h, w);
}

/* ---------------------------------------------------------------- the library's way */

static bool same(box a, box b)
{
    return a.y1 == b.y1 && a.x1 == b.x1 && a.y2 == b.y2 && a.x2 == b.x2;
}

/* Scale, Flip, Rotate, NoCrop at 224. */
static box training(box raw, int h, int w, bool flip, bool rotate, double degrees)
{
    int sh, sw;
    double m[6];
    scaled_size(h, w, 224, &sh, &sw);
    box b = box_resize(raw, h, w, sh, sw);
    b = flip ? box_flip(b, sh, sw) : box_pass(b, sh, sw);
    warp_rotation(degrees, sh, sw, m);
    b = rotate ? box_rotate(b, sh, sw, m) : box_pass(b, sh, sw);
    return box_resize(b, sh, sw, 224, 224);
}

static uint32_t state = 12345;
static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((uint64_t)(state >> 4) * (uint64_t)n >> 28);
}

static box any_box(int h, int w)
{
    box b = {below(h), below(w), below(h + 3), below(w + 3)};
    if (below(4) == 0) /* thin */
        b.y2 = b.y1 + below(3);
    if (below(4) == 0)
        b.x2 = b.x1 + below(3);
    if (below(8) == 0)
        b.x1 = 0;
    return b;
}

static void without_drawing(void)
{
    for (int i = 0; i < 4000; i++) {
        int h = 1 + below(90), w = 1 + below(90);
        box b = any_box(h, w);
        double m[6], degrees = below(2) ? (below(6001) - 3000) / 1000.0 : (below(180001) - 90000) / 1000.0;
        warp_rotation(degrees, h, w, m);
        box fast = box_rotate(b, h, w, m), drawn = drawn_rotate(b, h, w, m);
        CHECK(same(fast, drawn), "%d %d %d %d of %d x %d turned %g: %d %d %d %d, drawn %d %d %d %d", b.y1, b.x1, b.y2,
              b.x2, h, w, degrees, fast.y1, fast.x1, fast.y2, fast.x2, drawn.y1, drawn.x1, drawn.y2, drawn.x2);
        int dh = 1 + below(90), dw = 1 + below(90);
        fast = box_resize(b, h, w, dh, dw);
        drawn = drawn_resize(b, h, w, dh, dw);
        CHECK(same(fast, drawn), "%d %d %d %d of %d x %d to %d x %d: %d %d %d %d, drawn %d %d %d %d", b.y1, b.x1, b.y2,
              b.x2, h, w, dh, dw, fast.y1, fast.x1, fast.y2, fast.x2, drawn.y1, drawn.x1, drawn.y2, drawn.x2);
        CHECK(same(box_flip(b, h, w), drawn_flip(b, h, w, true)), "flip of %d %d %d %d", b.y1, b.x1, b.y2, b.x2);
        CHECK(same(box_pass(b, h, w), drawn_flip(b, h, w, false)), "pass of %d %d %d %d", b.y1, b.x1, b.y2, b.x2);
    }
    for (int i = 0; i < 60; i++) { /* pictures of real sizes */
        int h = 224, w = 224 + below(200);
        box b = any_box(h, w);
        double m[6];
        warp_rotation((below(60001) - 30000) / 1000.0, h, w, m);
        CHECK(same(box_rotate(b, h, w, m), drawn_rotate(b, h, w, m)), "%d %d %d %d of 224 x %d", b.y1, b.x1, b.y2, b.x2,
              w);
    }
}

/* ---------------------------------------------------------------- published vectors */

typedef struct vector {
    box raw;
    int h, w;
    box val, still, flip, turned, both; /* turned: 3 degrees; both: flip, then -2.5 degrees */
} vector;

static const vector vectors[] = {
    {{96, 155, 269, 350},
     333,
     500,
     {65, 70, 179, 156},
     {65, 70, 177, 155},
     {65, 68, 177, 152},
     {62, 69, 180, 157},
     {62, 66, 180, 153}},
    {{77, 89, 335, 402},
     364,
     480,
     {48, 42, 205, 187},
     {48, 42, 203, 186},
     {48, 37, 203, 180},
     {43, 40, 208, 189},
     {44, 34, 207, 182}},
    {{1, 2, 461, 242},
     500,
     334,
     {1, 2, 205, 161},
     {1, 2, 204, 159},
     {1, 62, 204, 219},
     {0, 0, 208, 166},
     {0, 56, 207, 222}},
    {{124, 89, 211, 336},
     333,
     500,
     {84, 40, 140, 149},
     {84, 40, 138, 148},
     {84, 74, 138, 182},
     {81, 40, 144, 149},
     {82, 74, 143, 183}},
    {{77, 103, 182, 374},
     281,
     500,
     {62, 47, 144, 167},
     {62, 47, 142, 166},
     {62, 57, 142, 176},
     {57, 46, 148, 166},
     {58, 57, 147, 177}},
};

static void check_box(const char *what, size_t i, box seen, box expected)
{
    CHECK(same(seen, expected), "%s of row %zu: %d,%d,%d,%d, not %d,%d,%d,%d", what, i, seen.y1, seen.x1, seen.y2,
          seen.x2, expected.y1, expected.x1, expected.y2, expected.x2);
}

static void published(void)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        const vector *v = &vectors[i];
        check_box("validation", i, box_validation(v->raw, v->h, v->w, 224), v->val);
        check_box("still", i, training(v->raw, v->h, v->w, false, false, 0), v->still);
        check_box("flip", i, training(v->raw, v->h, v->w, true, false, 0), v->flip);
        check_box("3 degrees", i, training(v->raw, v->h, v->w, false, true, 3), v->turned);
        check_box("flip and -2.5 degrees", i, training(v->raw, v->h, v->w, true, true, -2.5), v->both);
    }
    check_box("validation", 192, box_validation((box){63, 115, 374, 355}, 375, 500, 224), (box){38, 52, 222, 158});
    for (int h = 334; h <= 335; h++)
        check_box("validation", 8280, box_validation((box){89, 1, 280, 499}, h, 500, 224), (box){60, 1, 186, 223});
}

/* The nine boxes that the reference run printed for one picture (x, y, w, h there): an angle inside the
 * interval gives each of them. */
static const struct {
    int x, y, w, h;
    bool flip;
    double from, to;
} demo[] = {{0, 59, 204, 164, true, 4.24, 4.36},       {18, 58, 206, 165, false, -5.02, -4.60},
            {11, 42, 213, 181, false, -12.34, -12.02}, {1, 69, 199, 146, true, -0.16, 0.16},
            {7, 31, 217, 192, false, -17.80, -17.28},  {0, 7, 204, 216, true, -23.32, -22.88},
            {0, 27, 204, 196, true, -15.24, -14.94},   {0, 45, 203, 178, true, -8.58, -8.26},
            {20, 0, 204, 223, false, 26.22, 28.32}};

static void demo_boxes(void)
{
    for (size_t i = 0; i < COUNT(demo); i++) {
        box expected = {demo[i].y, demo[i].x, demo[i].y + demo[i].h - 1, demo[i].x + demo[i].w - 1};
        double middle = (demo[i].from + demo[i].to) / 2;
        check_box("printed box", i, training((box){102, 51, 323, 499}, 333, 500, demo[i].flip, true, middle), expected);
    }
}

/* Of what the training path makes of 300 boxes in OpenCV. */
static void opencv_boxes(void)
{
    FILE *f = fopen(GOLDEN "boxes.txt", "r");
    int rows = 0, h, w, flip, turned;
    double degrees;
    box raw, label, val;
    while (f && fscanf(f, "%d %d %d %d %d %d %d %d %lf %d %d %d %d %d %d %d %d", &h, &w, &raw.y1, &raw.x1, &raw.y2,
                       &raw.x2, &flip, &turned, &degrees, &label.y1, &label.x1, &label.y2, &label.x2, &val.y1, &val.x1,
                       &val.y2, &val.x2) == 17) {
        check_box("label", (size_t)rows, training(raw, h, w, flip, turned, degrees), label);
        check_box("validation", (size_t)rows, box_validation(raw, h, w, 224), val);
        rows++;
    }
    CHECK(rows == 300, "%d rows", rows);
    if (f)
        fclose(f);
}

static void opencv_masks(void)
{
    FILE *f = fopen(GOLDEN "masks.txt", "r");
    int rows = 0, h, w;
    double degrees;
    box b, expected;
    char sha[80], hex[65];
    while (f && fscanf(f, "%d %d %lf %d %d %d %d %79s %d %d %d %d", &h, &w, &degrees, &b.y1, &b.x1, &b.y2, &b.x2, sha,
                       &expected.y1, &expected.x1, &expected.y2, &expected.x2) == 12) {
        double m[6];
        int *columns = malloc(2 * (size_t)w * sizeof *columns);
        uint8_t *mask = draw(b, h, w), *out = malloc((size_t)h * (size_t)w);
        warp_rotation(degrees, h, w, m);
        warp_nearest(mask, h, w, m, out, columns);
        sha256_hex(out, (size_t)h * (size_t)w, hex);
        CHECK(strcmp(hex, sha) == 0, "mask %d (%d x %d, %g degrees) differs", rows, h, w, degrees);
        check_box("mask", (size_t)rows, box_rotate(b, h, w, m), expected);
        free(columns);
        free(mask);
        free(out);
        rows++;
    }
    CHECK(rows == 60, "%d rows", rows);
    if (f)
        fclose(f);
}

static void opencv_linear(const file_view *arrays)
{
    size_t at = 0;
    int cases = 0;
    golden g;
    while (golden_next(arrays, &at, &g)) {
        int h, w;
        double degrees, m[6], worst = 0;
        bool whole = sscanf(g.name, "warp %dx%d %lf", &h, &w, &degrees) == 3;
        bool some = sscanf(g.name, "warpsome %dx%d %lf", &h, &w, &degrees) == 3;
        if (!whole && !some)
            continue;
        cases++;
        uint8_t *bytes = golden_noise(h, w, 1);
        float *in = golden_floats(bytes, h, w), *out = calloc(3 * (size_t)h * (size_t)w + 4, sizeof *out);
        int *columns = malloc(2 * (size_t)w * sizeof *columns);
        warp_rotation(degrees, h, w, m);
        warp_linear(in, h, w, m, out, columns);
        for (size_t i = 0; i < g.count; i++) {
            size_t y = i / (3 * g.shape[1]), x = i / 3 % g.shape[1];
            size_t from = some ? 3 * (23 * y * (size_t)w + 19 * x) + i % 3 : i;
            worst = fmax(worst, fabs((double)(out[from] - golden_float(&g, i))));
        }
        CHECK(worst <= 1e-6, "%s: differs by %g", g.name, worst);
        free(bytes);
        free(in);
        free(out);
        free(columns);
    }
    CHECK(cases == 8, "%d cases", cases);
}

/* ---------------------------------------------------------------- rules that are easy to get wrong */

static void traps(void)
{
    /* An inclusive end, or one shrink per picture, would give other numbers than the published ones. */
    box raw = vectors[0].raw, inclusive = raw, once;
    inclusive.y2++;
    inclusive.x2++;
    CHECK(!same(box_validation(inclusive, 333, 500, 224), vectors[0].val), "an inclusive end gives the same box");
    int sh, sw;
    scaled_size(333, 500, 224, &sh, &sw);
    once = box_resize(raw, 333, 500, sh, sw);
    once = box_resize(once, sh, sw, 224, 224);
    CHECK(!same(once, vectors[0].still), "two stages give what four do");
    /* With a reflected border the mask of a box at the edge comes back from outside: the box gets larger. */
    const double degrees = 3;
    box edge = {0, 0, 60, 100};
    double m[6];
    warp_rotation(degrees, 224, 336, m);
    uint8_t *mask = draw(edge, 224, 336), *out = malloc(224 * 336);
    for (int y = 0; y < 224; y++)
        for (int x = 0; x < 336; x++) {
            int columns_x = (int)lrint(m[0] * x * 1024), columns_y = (int)lrint(m[3] * x * 1024);
            int sx = (warp_row_x(m, y, 512) + columns_x) >> 10, sy = (warp_row_y(m, y, 512) + columns_y) >> 10;
            sx = sx < 0 ? -1 - sx : sx > 335 ? 671 - sx : sx;
            sy = sy < 0 ? -1 - sy : sy > 223 ? 447 - sy : sy;
            out[y * 336 + x] = mask[sy * 336 + sx];
        }
    free(mask);
    CHECK(!same(bounds(out, 224, 336), box_rotate(edge, 224, 336, m)), "a reflected mask gives the same box");
    /* One pixel high or wide vanishes at once, and stays away. */
    box none = {0, 0, 0, 0};
    CHECK(same(box_pass((box){5, 5, 5, 20}, 30, 30), none), "one pixel high");
    CHECK(same(box_resize(none, 30, 30, 20, 20), none) && same(box_rotate(none, 224, 336, m), none) &&
              same(box_flip(none, 30, 30), none),
          "an empty box comes back");
}

int main(void)
{
    error e = {0};
    file_view arrays;
    if (file_open(&arrays, GOLDEN "arrays.bin", &e)) {
        printf("not ok 1 - %s\n1..1\n", e.text);
        return 1;
    }
    TEST("boxes found by bisection are those of drawn masks") without_drawing();
    TEST("the published box vectors come out, all five forms") published();
    TEST("each of the nine printed boxes of the demo comes out for an angle inside its interval")
    demo_boxes();
    TEST("labels of 300 random boxes are those of OpenCV's masks") opencv_boxes();
    TEST("rotated masks are OpenCV's bit for bit") opencv_masks();
    TEST("rotated pictures are OpenCV's within 1e-6") opencv_linear(&arrays);
    TEST("an inclusive end, fewer stages and a reflected mask border would be noticed") traps();
    file_close(&arrays);
    return test_end();
}
