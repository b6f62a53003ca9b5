/* Objects of a sample (image/sample.h): their edges are where the picture shows them. The pictures are black with one
 * white rectangle, which is looked for in the sample's pixels. */
#include "image/sample.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { SIZE = 96, HEIGHT = 96, WIDTH = 128, ORIGINAL_HEIGHT = 192, ORIGINAL_WIDTH = 256 };

static uint8_t pixels[HEIGHT * WIDTH * 3];
static float sample[SIZE * SIZE * 3];
static sampler *maker;
static const scaled_picture picture = {"drawn", ORIGINAL_HEIGHT, ORIGINAL_WIDTH, HEIGHT, WIDTH, pixels};

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
        CHECK(!sample_make_objects(maker, &picture, list, states, &where[i], 1, sample, &o, &e), "%s", e.text);
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
        CHECK(!sample_make_objects(maker, &picture, &list, &turn, raws, 3, sample, o, &e), "%s", e.text);
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
        CHECK(!sample_make(maker, &picture, &list, &turn, NULL, plain, NULL, &e), "%s", e.text);
        CHECK(!sample_make_objects(maker, &picture, &list, &turn, where, 1, sample, &o, &e), "%s", e.text);
        CHECK(memcmp(plain, sample, sizeof plain) == 0, "they differ");
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
    sampler_free(maker);
    return test_end();
}
