/* Objects of a sample (image/sample.h): their edges are where the picture shows them. The pictures are black with one
 * white rectangle, which is looked for in the sample's pixels. */
#include "image/resize.h"
#include "image/sample.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { SIZE = 96, HEIGHT = 96, WIDTH = 128, ORIGINAL_HEIGHT = 192, ORIGINAL_WIDTH = 256 };

static uint8_t pixels[HEIGHT * WIDTH * 3];
static float sample[SIZE * SIZE * 3];
static sampler *maker;
static const scaled_picture drawn = {"drawn", ORIGINAL_HEIGHT, ORIGINAL_WIDTH, HEIGHT, WIDTH, pixels};

/* Draws the box `b` of the original picture, whose corners are even and odd numbers, into the scaled one. */
static void draw(box b)
{
    memset(pixels, 0, sizeof pixels);
    for (int y = b.y1 / 2; y <= b.y2 / 2; y++)
        memset(&pixels[3 * (y * WIDTH + b.x1 / 2)], 255, 3 * (size_t)((b.x2 + 1 - b.x1) / 2));
}

/* Edges of what is white, by the light of the rows and columns: a border pixel counts by its share. */
static box_real seen(void)
{
    double rows[SIZE] = {0}, columns[SIZE] = {0};
    for (int i = 0; i < SIZE * SIZE; i++) {
        rows[i / SIZE] = fmax(rows[i / SIZE], (double)sample[3 * i]);
        columns[i % SIZE] = fmax(columns[i % SIZE], (double)sample[3 * i]);
    }
    box_real b = {0, 0, SIZE, SIZE};
    int y = 0, x = 0;
    for (; y < SIZE && rows[y] < 0.02; y++)
        ;
    for (; x < SIZE && columns[x] < 0.02; x++)
        ;
    b.y1 = y + 1 - fmin(rows[y], 1);
    b.x1 = x + 1 - fmin(columns[x], 1);
    for (y = SIZE - 1; y > 0 && rows[y] < 0.02; y--)
        ;
    for (x = SIZE - 1; x > 0 && columns[x] < 0.02; x--)
        ;
    b.y2 = y + fmin(rows[y], 1);
    b.x2 = x + fmin(columns[x], 1);
    return b;
}

static double furthest(box_real a, box_real b)
{
    return fmax(fmax(fabs(a.y1 - b.y1), fabs(a.x1 - b.x1)), fmax(fabs(a.y2 - b.y2), fabs(a.x2 - b.x2)));
}

static const box where[] = {{40, 60, 99, 139}, {80, 100, 109, 199}, {60, 90, 149, 103}};

/* Makes all of `where` with these augmentations; the edges may be `tolerance` away from what is seen. */
static void compare(const augment_list *list, const augment_state *states, double tolerance)
{
    error e = {0};
    for (size_t i = 0; i < COUNT(where); i++) {
        sample_object o;
        draw(where[i]);
        CHECK(!sample_make_objects(maker, &drawn, list, states, &where[i], 1, sample, &o, &e), "%s", e.text);
        sample_object blind = {0};
        CHECK(!sample_make_objects(maker, &drawn, list, states, &where[i], 1, NULL, &blind, &e) &&
                  furthest(o.edges, blind.edges) == 0 && o.left == blind.left,
              "without the picture it is elsewhere");
        const box_real b = seen();
        CHECK(furthest(o.edges, b) <= tolerance, "box %zu: edges %.3f %.3f %.3f %.3f, seen %.3f %.3f %.3f %.3f", i,
              o.edges.y1, o.edges.x1, o.edges.y2, o.edges.x2, b.y1, b.x1, b.y2, b.x2);
        CHECK(fabs(o.left - 1) < 1e-9, "%g is left", o.left);
    }
}

static void test_edges(void)
{
    TEST("without augmentation an object's edges are where the squashed picture shows it, to a thousandth")
    {
        compare(NULL, NULL, 1e-3);
    }
    TEST("mirrored as well")
    {
        const augment_list flip = {.items = {{AUGMENT_FLIP, {1}}}, .count = 1};
        const augment_state taken = {.taken = true}, not_taken = {.taken = false};
        compare(&flip, &taken, 1e-3);
        compare(&flip, &not_taken, 1e-3);
    }
    TEST("turned by up to 20 degrees, mirrored before or after, to a pixel: corners are soft")
    {
        const augment_list before = {.items = {{AUGMENT_FLIP, {1}}, {AUGMENT_ROTATE, {30, 1}}}, .count = 2};
        const augment_list after = {.items = {{AUGMENT_ROTATE, {30, 1}}, {AUGMENT_FLIP, {1}}}, .count = 2};
        for (int degrees = -20; degrees <= 20; degrees += 4) {
            const augment_state flip = {.taken = true}, turn = {.taken = true, .angle = degrees};
            compare(&before, (augment_state[]){flip, turn}, 1);
            compare(&after, (augment_state[]){turn, flip}, 1);
        }
    }
    TEST("a turn by a quarter is exact: the middle it turns about is that of OpenCV's rotation")
    {
        const augment_list list = {.items = {{AUGMENT_ROTATE, {90, 1}}}, .count = 1};
        const augment_state turn = {.taken = true, .angle = 90};
        compare(&list, &turn, 1e-3);
    }
}

static void test_cutting(void)
{
    const augment_list list = {.items = {{AUGMENT_ROTATE, {45, 1}}}, .count = 1};
    const augment_state turn = {.taken = true, .angle = 45};
    error e = {0};
    TEST("what leaves the frame is cut off, and the share that is left is told")
    {
        const box raws[] = {{0, 0, 191, 255}, {0, 0, 9, 9}, {80, 120, 99, 139}};
        sample_object o[3];
        CHECK(!sample_make_objects(maker, &drawn, &list, &turn, raws, 3, sample, o, &e), "%s", e.text);
        CHECK(o[0].edges.y1 == 0 && o[0].edges.x1 == 0 && o[0].edges.y2 == SIZE && o[0].edges.x2 == SIZE, "all of it");
        const double side = (HEIGHT + WIDTH) / sqrt(2), whole = side * side / (HEIGHT * WIDTH);
        CHECK(fabs(o[0].left - 1 / whole) < 1e-6, "%g, not %g", o[0].left, 1 / whole);
        CHECK(o[1].left == 0, "a corner turned out of the picture: %g", o[1].left);
        CHECK(fabs(o[2].left - 1) < 1e-9, "the middle: %g", o[2].left);
    }
    TEST("pixels are those of a sample without objects")
    {
        static float plain[SIZE * SIZE * 3];
        sample_object o;
        for (size_t i = 0; i < sizeof pixels; i++)
            pixels[i] = (uint8_t)(i * 2654435761u >> 24);
        CHECK(!sample_make(maker, &drawn, &list, &turn, NULL, plain, NULL, &e), "%s", e.text);
        CHECK(!sample_make_objects(maker, &drawn, &list, &turn, where, 1, sample, &o, &e), "%s", e.text);
        CHECK(memcmp(plain, sample, sizeof plain) == 0, "they differ");
    }
}

/* ---------------------------------------------------------------- new frames */

/* The sample of `count` objects under `list`, and the same from a window of a noise picture or a canvas around it:
 * rows y .. y + height - 1 and columns x .. x + width - 1, mean colour outside. */
static void frames(const augment_list *list, const augment_state *states, const box *raws, int count, sample_object *o,
                   int y0, int x0, int height, int width)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    static float window[3 * 2 * HEIGHT * 2 * WIDTH + 4], expected[SIZE * SIZE * 3];
    error e = {0};
    resize_scratch r = {0};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (int y = y0; y < y0 + height; y++)
        for (int x = x0; x < x0 + width; x++)
            for (int c = 0; c < 3; c++)
                window[3 * ((y - y0) * width + x - x0) + c] = y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH
                                                                  ? (float)pixels[3 * (y * WIDTH + x) + c] / 255.0f
                                                                  : mean[c];
    CHECK(!resize_area(window, height, width, expected, SIZE, SIZE, &r, &e), "%s", e.text);
    CHECK(!sample_make_objects(maker, &drawn, list, states, raws, count, sample, o, &e), "%s", e.text);
    CHECK(memcmp(sample, expected, sizeof expected) == 0, "not the window %d,%d %dx%d", y0, x0, height, width);
    resize_scratch_free(&r);
}

static bool are_edges(box_real b, double y1, double x1, double y2, double x2)
{
    return furthest(b, (box_real){y1, x1, y2, x2}) < 1e-9;
}

static const augment_list crop = {.items = {{AUGMENT_CROP, {0.1, 1}}}, .count = 1};
static const augment_list zoom = {.items = {{AUGMENT_ZOOM, {2, 1}}}, .count = 1};

static void test_crop(void)
{
    sample_object o[2];
    TEST("a crop without objects is a window anywhere: its sides, the first and the last place")
    {
        augment_state s = {.taken = true, .share = 0.25, .ratio = 1};
        frames(&crop, &s, NULL, 0, o, 0, 0, 48, 64);
        s.y = s.x = 1 - 1e-12;
        frames(&crop, &s, NULL, 0, o, 48, 64, 48, 64);
        s = (augment_state){.taken = true, .share = 0.48, .ratio = 4.0 / 3, .y = 0.5};
        frames(&crop, &s, NULL, 0, o, 19, 0, 58, 102); /* rows 0 to 38 are possible */
        s = (augment_state){.taken = true, .share = 1, .ratio = 4.0 / 3};
        frames(&crop, &s, NULL, 0, o, 0, 0, 83, 128);
    }
    TEST("a window is placed so that the drawn object is inside, and grows where the object is larger")
    {
        const box raws[] = {{20, 40, 39, 79}, {60, 100, 189, 239}}; /* rows 10-20 and 30-95, columns 20-40 and 50-120 */
        augment_state s = {.taken = true, .share = 0.0625, .ratio = 1};
        frames(&crop, &s, raws, 2, o, 0, 8, 24, 32);
        CHECK(are_edges(o[0].edges, 40, 36, 80, 96) && o[0].left == 1, "the first: %g", o[0].left);
        CHECK(o[1].left == 0, "the second is outside, %g is left", o[1].left);
        s.y = s.x = 1 - 1e-12;
        frames(&crop, &s, raws, 2, o, 10, 20, 24, 32);
        CHECK(fabs(o[1].left - 4.0 * 2 / (65 * 70)) < 1e-12, "a corner of the second: %g", o[1].left);
        CHECK(are_edges(o[1].edges, 80, 90, 96, 96), "%g %g", o[1].edges.y1, o[1].edges.x1);
        s.object = 0.5;
        frames(&crop, &s, raws, 2, o, 30, 50, 65, 70);
        CHECK(are_edges(o[1].edges, 0, 0, SIZE, SIZE) && o[1].left == 1, "the window is the object");
    }
    TEST("drawn at random, then mirrored, edges are where the picture shows them")
    {
        augment_list list = crop;
        augment_state s[2];
        list.items[1] = (augment){AUGMENT_FLIP, {1}};
        list.count = 2;
        for (uint64_t i = 0; i < 100; i++) {
            philox random = augment_random(1, 0, i);
            augment_draw(&list, &random, s);
            compare(&list, s, 1);
        }
    }
}

static void test_zoom(void)
{
    sample_object o[2];
    const box raws[] = {{20, 40, 39, 79}};
    TEST("a canvas twice as high and wide: the first and the last place, edges as exact as pixels")
    {
        augment_state s = {.taken = true, .times = 2};
        frames(&zoom, &s, raws, 1, o, 0, 0, 192, 256);
        CHECK(are_edges(o[0].edges, 5, 7.5, 10, 15) && o[0].left == 1, "%g", o[0].edges.y1);
        s.y = s.x = 1 - 1e-12;
        frames(&zoom, &s, raws, 1, o, -96, -128, 192, 256);
        CHECK(are_edges(o[0].edges, 53, 55.5, 58, 63), "%g", o[0].edges.y1);
    }
    TEST("what a crop cut off does not come back on a canvas, nor what a turn moved out")
    {
        const box both[] = {{20, 40, 39, 79}, {20, 40, 191, 255}}; /* the second goes on to the last row and column */
        augment_list list = crop;
        list.items[list.count++] = zoom.items[0];
        augment_state s[] = {{.taken = true, .share = 0.25, .ratio = 1}, {.taken = true, .times = 2}};
        frames(&(augment_list){0}, NULL, both, 2, o, 0, 0, HEIGHT, WIDTH);
        error e = {0};
        CHECK(!sample_make_objects(maker, &drawn, &list, s, both, 2, sample, o, &e), "%s", e.text);
        CHECK(are_edges(o[1].edges, 10, 15, 48, 48), "%g %g", o[1].edges.y2, o[1].edges.x2);
        CHECK(fabs(o[1].left - 38.0 * 44 / (86 * 108)) < 1e-12, "%g is left", o[1].left);
        list.items[0] = (augment){AUGMENT_ROTATE, {30, 1}};
        s[0] = (augment_state){.taken = true, .angle = 30};
        CHECK(!sample_make_objects(maker, &drawn, &list, s, both, 2, sample, o, &e), "%s", e.text);
        CHECK(o[1].edges.y1 >= 0 && o[1].edges.y2 <= 48 && o[1].edges.x2 <= 48 && o[1].left < 0.99, "%g %g %g",
              o[1].edges.y1, o[1].edges.x2, o[1].left);
    }
    TEST("turned, mirrored and lit on its canvas, in buffers that have grown")
    {
        augment_list list = {.items = {{AUGMENT_ZOOM, {4, 1}}, {AUGMENT_ROTATE, {30, 1}}, {AUGMENT_FLIP, {1}}},
                             .count = 3};
        const augment_state s[] = {
            {.taken = true, .times = 4, .y = 0.5, .x = 0.5}, {.taken = true, .angle = 20}, {.taken = true}};
        sampler *fresh = sampler_create(SIZE, &(error){0}), *grown = maker;
        error e = {0};
        static float first[SIZE * SIZE * 3];
        float target[4];
        CHECK(!sample_make(fresh, &drawn, &list, s, &raws[0], first, target, &e), "%s", e.text);
        CHECK(!sample_make(grown, &drawn, &list, s, &raws[0], sample, target, &e), "%s", e.text);
        CHECK(memcmp(first, sample, sizeof first) == 0, "what was made before makes a difference");
        sampler_free(fresh);
    }
}

static void test_one_box(void)
{
    const box raw = {20, 40, 49, 99}; /* as a mask rows 10-23 and columns 20-48, the last ones with it */
    float plain[4], b[4];
    error e = {0};
    TEST("the lesson's box moves by whole pixels under crop and zoom, and loses nothing there")
    {
        augment_state s = {.taken = true, .share = 1, .ratio = 1};
        CHECK(!sample_make(maker, &drawn, NULL, NULL, &raw, sample, plain, &e), "%s", e.text);
        CHECK(!sample_make(maker, &drawn, &crop, &s, &raw, sample, b, &e), "%s", e.text);
        CHECK(memcmp(plain, b, sizeof b) == 0, "a crop of everything changes the box");
        s = (augment_state){.taken = true, .times = 1};
        CHECK(!sample_make(maker, &drawn, &zoom, &s, &raw, sample, b, &e), "%s", e.text);
        CHECK(memcmp(plain, b, sizeof b) == 0, "a canvas of its own size changes the box");
        s = (augment_state){.share = 0.25, .ratio = 1, .times = 2};
        CHECK(!sample_make(maker, &drawn, &crop, &s, &raw, sample, b, &e), "%s", e.text);
        CHECK(memcmp(plain, b, sizeof b) == 0, "a crop that was not taken changes the box");
        const box in = box_resize(raw, ORIGINAL_HEIGHT, ORIGINAL_WIDTH, HEIGHT, WIDTH);
        s = (augment_state){.taken = true, .share = 0.0001, .ratio = 1};
        CHECK(!sample_make(maker, &drawn, &crop, &s, &raw, sample, b, &e), "%s", e.text);
        const int height = in.y2 - in.y1 + 1, width = in.x2 - in.x1 + 1;
        const box whole = box_resize((box){0, 0, height - 1, width - 1}, height, width, SIZE, SIZE);
        CHECK(b[0] == 0 && b[1] == 0 && b[2] == (float)whole.y2 && b[3] == (float)whole.x2, "%g %g %g %g", (double)b[0],
              (double)b[1], (double)b[2], (double)b[3]);
        s = (augment_state){.taken = true, .times = 2, .y = 0.5, .x = 0.25}; /* 48 rows and 32 columns before it */
        CHECK(!sample_make(maker, &drawn, &zoom, &s, &raw, sample, b, &e), "%s", e.text);
        const box there =
            box_resize((box){in.y1 + 48, in.x1 + 32, in.y2 + 48, in.x2 + 32}, 2 * HEIGHT, 2 * WIDTH, SIZE, SIZE);
        CHECK(b[0] == (float)there.y1 && b[1] == (float)there.x1 && b[2] == (float)there.y2 && b[3] == (float)there.x2,
              "%g %g %g %g", (double)b[0], (double)b[1], (double)b[2], (double)b[3]);
    }
}

int main(void)
{
    error e = {0};
    maker = sampler_create(SIZE, &e);
    if (!maker) {
        printf("Bail out! %s\n", e.text);
        return 1;
    }
    test_edges();
    test_cutting();
    test_crop();
    test_zoom();
    test_one_box();
    sampler_free(maker);
    return test_end();
}
