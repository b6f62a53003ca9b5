/* Augmentations, samples, and the way back from the frame to own pixels. */
#include "base/digest.h"

#include "image/augment.h"
#include "image/picture_file.h"
#include "image/resize.h"
#include "image/sample.h"
#include "image/unframe.h"
#include "image/warp.h"
#include "image_golden.h"
#include "test.h"
#include "voc/anno.h"
#include "voc/coco.h"

#define VOC "../shared/data/voc2007/"

static augment_list list_of(const char *text)
{
    augment_list list = {0};
    error e = {0};
    char name[32];
    double n[2];
    int used, count;
    for (; (count = sscanf(text, " %31s %lf %lf %n", name, &n[0], &n[1], &used)) >= 2; text += used) {
        if (count == 2)
            sscanf(text, " %31s %lf %n", name, &n[0], &used);
        CHECK(augment_add(&list, name, n, count - 1, &e) == 0, "%s", e.text);
    }
    return list;
}

/* ---------------------------------------------------------------- draws */

static void draws(void)
{
    augment_list list = list_of("flip 0.5 rotate 30 0.75 lighting 0.1 0.2");
    CHECK(list.count == 3, "%d", list.count);
    for (uint64_t row = 0; row < 200; row++) {
        augment_state s[AUGMENT_MAX];
        philox a = augment_random(42, 3, row), b = augment_random(42, 3, row);
        augment_draw(&list, &a, s);
        double u[5]; /* one for flip, two each for rotate and lighting, in the order of the list */
        for (int i = 0; i < 5; i++)
            u[i] = philox_uniform(&b);
        CHECK(s[0].taken == (u[0] < 0.5), "row %d: flip", (int)row);
        CHECK(s[1].angle == u[1] * 60 - 30 && s[1].taken == (u[2] < 0.75), "row %d: rotate", (int)row);
        double c = u[4] * 0.4 - 0.2;
        CHECK(s[2].brightness == u[3] * 0.2 - 0.1, "row %d: brightness", (int)row);
        CHECK(s[2].contrast == (c < 0 ? 1 / (1 - c) : 1 + c), "row %d: contrast", (int)row);
        CHECK(philox_u32(&a) == philox_u32(&b), "row %d: another number of draws", (int)row);
    }
    augment_list new = list_of("crop 0.2 0.5 zoom 3 0.5 colour 0.4 0.1");
    for (uint64_t row = 0; row < 200; row++) {
        augment_state s[AUGMENT_MAX];
        philox a = augment_random(42, 3, row), b = augment_random(42, 3, row);
        augment_draw(&new, &a, s);
        double u[12]; /* six for crop, four for zoom, two for colour */
        for (int i = 0; i < 12; i++)
            u[i] = philox_uniform(&b);
        CHECK(s[0].taken == (u[0] < 0.5) && s[0].share == 0.2 + u[1] * (1 - 0.2), "row %d: crop", (int)row);
        CHECK(fabs(log(s[0].ratio) - (2 * u[2] - 1) * log(4.0 / 3)) < 1e-12, "row %d: ratio", (int)row);
        CHECK(s[0].y == u[3] && s[0].x == u[4] && s[0].object == u[5], "row %d: place", (int)row);
        CHECK(s[1].taken == (u[6] < 0.5) && s[1].times == 1 + 2 * u[7], "row %d: zoom", (int)row);
        CHECK(s[1].y == u[8] && s[1].x == u[9], "row %d: place on the canvas", (int)row);
        CHECK(fabs(s[2].saturation - (0.6 + 0.8 * u[10])) < 1e-12, "row %d: saturation", (int)row);
        CHECK(fabs(s[2].hue - (0.2 * u[11] - 0.1)) < 1e-12, "row %d: hue", (int)row);
        CHECK(philox_u32(&a) == philox_u32(&b), "row %d: another number of draws", (int)row);
    }
    augment_list other = list_of("rotate 10 0.75 lighting 0.05 0.05 flip 0.5");
    augment_state s[AUGMENT_MAX];
    philox a = augment_random(42, 3, 0), b = a;
    augment_draw(&other, &a, s);
    CHECK(s[0].angle == philox_uniform(&b) * 20 - 10, "the first of the list does not draw first");
    philox c = augment_random(42, 3, 1), d = augment_random(42, 4, 0), f = augment_random(43, 3, 0);
    double first = philox_uniform(&c);
    CHECK(first != philox_uniform(&d) && first != philox_uniform(&f), "samples share draws");
}

static const char *refused(const char *name, int count, double a, double b, error *e)
{
    augment_list list = {0};
    *e = (error){0};
    CHECK(augment_add(&list, name, (const double[]){a, b}, count, e) == ERR_INPUT, "%s accepted", name);
    CHECK(list.count == 0, "%s added", name);
    return e->text;
}

static void bad_lists(void)
{
    error e;
    CHECK(strstr(refused("rotat", 1, 3, 0, &e), "rotate"), "%s", e.text);
    CHECK(strstr(refused("flip", 2, .5, .5, &e), "flip"), "%s", e.text);
    CHECK(strstr(refused("flip", 1, 1.5, 0, &e), "probability"), "%s", e.text);
    CHECK(strstr(refused("rotate", 2, 3, NAN, &e), "probability"), "%s", e.text);
    CHECK(strstr(refused("rotate", 2, 90, .5, &e), "degrees"), "%s", e.text);
    CHECK(strstr(refused("rotate", 0, 0, 0, &e), "number"), "%s", e.text);
    CHECK(strstr(refused("lighting", 1, .1, 0, &e), "number"), "%s", e.text);
    CHECK(strstr(refused("lighting", 2, .1, 1, &e), "contrast"), "%s", e.text);
    CHECK(strstr(refused("color", 2, .1, .1, &e), "'colour'"), "%s", e.text);
    CHECK(strstr(refused("crop", 1, 0, 0, &e), "smallest share 0 is not within [0.01, 1]"), "%s", e.text);
    CHECK(strstr(refused("crop", 2, .5, 2, &e), "probability"), "%s", e.text);
    CHECK(strstr(refused("zoom", 1, .5, 0, &e), "largest canvas 0.5 is not within [1, 4]"), "%s", e.text);
    CHECK(strstr(refused("zoom", 1, 5, 0, &e), "[1, 4]"), "%s", e.text);
    CHECK(strstr(refused("colour", 1, .1, 0, &e), "number"), "%s", e.text);
    CHECK(strstr(refused("colour", 2, .1, .6, &e), "hue 0.6 is not within [0, 0.5]"), "%s", e.text);
    augment_list full = {.count = AUGMENT_MAX};
    e = (error){0};
    CHECK(augment_add(&full, "flip", NULL, 0, &e) == ERR_INPUT, "a ninth was added");
    augment_list list = {0};
    e = (error){0};
    CHECK(augment_add(&list, "flip", NULL, 0, &e) == 0 && list.items[0].numbers[0] == 0.5, "%s", e.text);
    CHECK(augment_add(&list, "rotate", (const double[]){10}, 1, &e) == 0 && list.items[1].numbers[1] == 0.75, "%s",
          e.text);
}

/* ---------------------------------------------------------------- pixels */

static void lighting(const file_view *arrays)
{
    static const double states[][2] = {{0.05, 1.05}, {-0.05, 1 / 1.05}, {0.1, 1.1}, {0.03, 1.0}};
    size_t at = 0;
    int n, cases = 0;
    golden g;
    while (golden_next(arrays, &at, &g)) {
        if (sscanf(g.name, "lighting %d", &n) != 1)
            continue;
        cases++;
        uint8_t *bytes = golden_noise(20, 31, (uint32_t)n + 1);
        float *p = golden_floats(bytes, 20, 31);
        augment_lighting(p, 20, 31, states[n][0], states[n][1]);
        double worst = 0;
        for (size_t i = 0; i < g.count; i++)
            worst = fmax(worst, fabs((double)(p[i] - golden_float(&g, i))));
        CHECK(worst <= 1e-6, "%s: differs by %g", g.name, worst);
        free(p);
        free(bytes);
    }
    CHECK(cases == 4, "%d cases", cases);
    float p[] = {-0.5f, 2.0f, 0.25f};
    augment_lighting(p, 1, 1, 0, 1);
    CHECK(p[0] == -0.5f && p[1] == 2.0f, "a state without effect clips");
}

/* The picture of tests/golden/colour.py. */
static void colour(void)
{
    static const uint8_t first[] = {0, 0, 0, 255, 255, 255, 77, 77, 77,  255, 0,   0,  0,  255,
                                    0, 0, 0, 255, 200, 200, 10, 10, 200, 200, 200, 10, 200};
    error e = {0};
    file_view file;
    if (file_open(&file, GOLDEN "colour.bin", &e)) {
        CHECK(false, "%s", e.text);
        return;
    }
    size_t at = 0;
    int cases = 0;
    golden g;
    for (; golden_next(&file, &at, &g); cases++) {
        double saturation, hue, worst = 0;
        CHECK(sscanf(g.name, "%lf %lf", &saturation, &hue) == 2, "%s", g.name);
        uint8_t *bytes = golden_noise(7, 9, 3);
        memcpy(bytes, first, sizeof first);
        float *p = golden_floats(bytes, 7, 9);
        augment_colour(p, 7, 9, saturation, hue);
        for (size_t i = 0; i < g.count; i++)
            worst = fmax(worst, fabs((double)(p[i] - golden_float(&g, i))));
        CHECK(g.count == 189 && worst <= 2e-6, "%s: differs by %g", g.name, worst);
        free(p);
        free(bytes);
    }
    CHECK(cases == 8, "%d cases", cases);
    file_close(&file);
}

static scaled_picture noise_picture(int original_h, int original_w, uint32_t seed)
{
    scaled_picture p = {.name = "noise", .original_height = original_h, .original_width = original_w};
    scaled_size(original_h, original_w, 224, &p.height, &p.width);
    p.pixels = golden_noise(p.height, p.width, seed);
    return p;
}

/* The stages of a sample, one by one, from the library's parts. */
static void stages(void)
{
    error e = {0};
    scaled_picture p = noise_picture(333, 500, 1);
    augment_list list = list_of("flip 0.5 rotate 3 0.5 lighting 0.05 0.05");
    augment_state states[] = {{.taken = true}, {.taken = true, .angle = -2.5}, {.brightness = .02, .contrast = 1.03}};
    sampler *s = sampler_create(224, &e);
    float *sample = calloc(3 * 224 * 224, sizeof *sample), *expected = calloc(3 * 224 * 224, sizeof *sample);
    float b4[4];
    const box raw = {96, 155, 269, 350};
    CHECK(sample_make(s, &p, &list, states, &raw, sample, b4, &e) == 0, "%s", e.text);
    CHECK(b4[0] == 62 && b4[1] == 66 && b4[2] == 180 && b4[3] == 153, "box %g %g %g %g", (double)b4[0], (double)b4[1],
          (double)b4[2], (double)b4[3]);
    float *a = golden_floats(p.pixels, p.height, p.width);
    float *b = calloc(3 * (size_t)p.height * (size_t)p.width + 4, sizeof *b);
    int *columns = malloc(2 * (size_t)p.width * sizeof *columns);
    double m[6];
    resize_scratch r = {0};
    for (int y = 0; y < p.height; y++)
        for (int x = 0; x < p.width; x++)
            memcpy(b + 3 * (y * p.width + x), a + 3 * (y * p.width + p.width - 1 - x), 3 * sizeof *a);
    warp_rotation(-2.5, p.height, p.width, m);
    warp_linear(b, p.height, p.width, m, a, columns);
    augment_lighting(a, p.height, p.width, .02, 1.03);
    CHECK(resize_area(a, p.height, p.width, expected, 224, 224, &r, &e) == 0, "%s", e.text);
    CHECK(memcmp(sample, expected, 3 * 224 * 224 * sizeof *sample) == 0, "pixels differ");

    /* the validation form: two stages, nothing random */
    CHECK(sample_make(s, &p, NULL, NULL, &raw, sample, b4, &e) == 0, "%s", e.text);
    CHECK(b4[0] == 65 && b4[1] == 70 && b4[2] == 179 && b4[3] == 156, "validation box");
    free(a);
    a = golden_floats(p.pixels, p.height, p.width);
    CHECK(resize_area(a, p.height, p.width, expected, 224, 224, &r, &e) == 0, "%s", e.text);
    CHECK(memcmp(sample, expected, 3 * 224 * 224 * sizeof *sample) == 0, "validation pixels differ");

    /* nothing taken: the picture as it was, the box through four stages */
    augment_state still[] = {{0}, {.angle = 2}, {.contrast = 1}};
    CHECK(sample_make(s, &p, &list, still, &raw, sample, b4, &e) == 0, "%s", e.text);
    CHECK(memcmp(sample, expected, 3 * 224 * 224 * sizeof *sample) == 0, "untaken augmentations change pixels");
    CHECK(b4[0] == 65 && b4[1] == 70 && b4[2] == 177 && b4[3] == 155, "untaken box");

    /* no box at all */
    b4[0] = -7;
    CHECK(sample_make(s, &p, &list, states, NULL, sample, b4, &e) == 0 && b4[0] == -7, "a box is written");
    free(a);
    free(b);
    free(columns);
    free(sample);
    free(expected);
    free((void *)(uintptr_t)p.pixels);
    resize_scratch_free(&r);
    sampler_free(s);
}

/* One photo from file to sample, against what OpenCV made of it. */
static void real_photo(void)
{
    char name[64], sha[80], hex[65], path[200];
    FILE *f = fopen(GOLDEN "real.txt", "r");
    CHECK(f && fscanf(f, "%63s %79s", name, sha) == 2, "real.txt");
    snprintf(path, sizeof path, VOC "JPEGImages/%s", name);
    picture photo = {0}, scaled = {0};
    error e = {0};
    if (picture_load(&photo, path, NULL, &e)) {
        SKIP("%s", e.text);
        if (f)
            fclose(f);
        return;
    }
    resize_scratch r = {0};
    CHECK(picture_scale(&photo, 224, &scaled, name, &r, &e) == 0, "%s", e.text);
    sha256_hex(scaled.pixels, 3 * (size_t)scaled.width * (size_t)scaled.height, hex);
    CHECK(strcmp(hex, sha) == 0, "the cached pixels differ: %s", hex);
    scaled_picture p = {name, photo.height, photo.width, scaled.height, scaled.width, scaled.pixels};
    augment_list list = list_of("flip 0.5 rotate 3 0.5 lighting 0.05 0.05");
    augment_state states[] = {{.taken = true}, {.taken = true, .angle = 2.5}, {.brightness = .02, .contrast = 1.03}};
    float *val = calloc(3 * 224 * 224, sizeof *val), *train = calloc(3 * 224 * 224, sizeof *train);
    sampler *s = sampler_create(224, &e);
    CHECK(sample_make(s, &p, NULL, NULL, NULL, val, NULL, &e) == 0, "%s", e.text);
    CHECK(sample_make(s, &p, &list, states, NULL, train, NULL, &e) == 0, "%s", e.text);
    int y, x, rows = 0;
    double v[6];
    while (fscanf(f, "%d %d %lf %lf %lf %lf %lf %lf", &y, &x, v, v + 1, v + 2, v + 3, v + 4, v + 5) == 8) {
        rows++;
        for (int c = 0; c < 3; c++) {
            double a = (double)val[3 * (224 * y + x) + c], b = (double)train[3 * (224 * y + x) + c];
            CHECK(fabs(a - v[c]) <= 1e-6 && fabs(b - v[c + 3]) <= 1e-6, "%d,%d,%d: %.8f %.8f, not %.8f %.8f", y, x, c,
                  a, b, v[c], v[c + 3]);
        }
    }
    CHECK(rows == 7, "%d rows", rows);
    fclose(f);
    free(val);
    free(train);
    sampler_free(s);
    resize_scratch_free(&r);
    picture_free(&photo);
    picture_free(&scaled);
}

/* ---------------------------------------------------------------- to the frame and back */

typedef struct annotated {
    box b;
    int h, w;
} annotated;

/* The largest boxes of the real training set (none when it isn't there), or as many made ones. */
static annotated *annotations(size_t *count, bool real)
{
    annotated *a = calloc(3000, sizeof *a);
    anno_table t = {0};
    coco_counts counts;
    error absent = {0};
    *count = 0;
    bool there = real && coco_read(&t, VOC "annotations/pascal_train2007.json", false, &counts, &absent) == 0;
    for (size_t i = 0; there && i < t.image_count && i < 3000; i++) {
        const anno_image *image = &t.images[i];
        const anno_row *row = anno_largest(&t, image);
        a[(*count)++] = (annotated){row->box, image->height, image->width};
    }
    anno_free(&t);
    for (uint32_t s = 99; !real && *count < 2000;) {
        int v[4];
        for (int i = 0; i < 4; i++) {
            s = s * 1664525u + 1013904223u;
            v[i] = (int)(s >> 8) & 0xffff;
        }
        int h = v[0] % 5 ? 375 : 500, w = v[0] % 5 ? 500 : 375;
        box b = {v[0] % h, v[1] % w, v[2] % h, v[3] % w};
        if (b.y2 - b.y1 > 30 && b.x2 - b.x1 > 30)
            a[(*count)++] = (annotated){b, h, w};
    }
    return a;
}

/* Sends every box through the label path `rounds` times with drawn states and back, and reports the mean
 * signed error of each side in pixels of the frame. */
static void on_average(const char *recipe, int rounds, bool real)
{
    augment_list list = list_of(recipe);
    size_t count;
    annotated *all = annotations(&count, real);
    double sum[4] = {0}, size = 224;
    long n = 0;
    for (size_t i = 0; i < count; i++)
        for (int round = 0; round < rounds; round++) {
            augment_state states[AUGMENT_MAX];
            philox random = augment_random(1, (uint32_t)round, i);
            augment_draw(&list, &random, states);
            const annotated *a = &all[i];
            int h, w;
            scaled_size(a->h, a->w, 224, &h, &w);
            box b = box_resize(a->b, a->h, a->w, h, w);
            bool mirrored = false;
            for (int k = 0; k < list.count; k++) {
                double m[6];
                if (list.items[k].kind == AUGMENT_FLIP) {
                    b = states[k].taken ? box_flip(b, h, w) : box_pass(b, h, w);
                    mirrored ^= states[k].taken;
                } else if (list.items[k].kind == AUGMENT_ROTATE) {
                    warp_rotation(states[k].angle, h, w, m);
                    b = states[k].taken ? box_rotate(b, h, w, m) : box_pass(b, h, w);
                }
            }
            b = box_resize(b, h, w, 224, 224);
            const box_real label = {b.y1, mirrored ? 223 - b.x2 : b.x1, b.y2, mirrored ? 223 - b.x1 : b.x2};
            const box_real back = frame_to_own(label, a->h, a->w, 224, &list);
            const double own[4] = {back.y1, back.x1, back.y2, back.x2};
            const double truth[4] = {a->b.y1, a->b.x1, a->b.y2, a->b.x2};
            for (int k = 0; k < 4; k++)
                sum[k] += (own[k] - truth[k]) * size / (k % 2 ? a->w : a->h);
            n++;
        }
    if (n)
        printf("# %s boxes, '%s': mean signed error %.3f %.3f %.3f %.3f px of 224\n", real ? "real" : "made", recipe,
               sum[0] / (double)n, sum[1] / (double)n, sum[2] / (double)n, sum[3] / (double)n);
    for (int k = 0; n && k < 4; k++)
        CHECK(fabs(sum[k] / (double)n) < 0.5, "side %d is off by %g", k, sum[k] / (double)n);
    free(all);
}

static void there_and_back(const char *recipe, int rounds)
{
    on_average(recipe, rounds, false);
    on_average(recipe, rounds, true);
}

int main(void)
{
    error e = {0};
    file_view arrays;
    if (file_open(&arrays, GOLDEN "arrays.bin", &e)) {
        printf("not ok 1 - %s\n1..1\n", e.text);
        return 1;
    }
    TEST("each augmentation draws its numbers in the order of the list, taken or not") draws();
    TEST("unknown names and impossible numbers are refused") bad_lists();
    TEST("lighting is numpy's within 1e-6, and does nothing when it is to do nothing") lighting(&arrays);
    TEST("saturation and hue are torchvision's within 2e-6") colour();
    TEST("a sample is its stages one after another, the box beside it") stages();
    TEST("a real photo gives OpenCV's cached pixels and samples") real_photo();
    TEST("boxes through the training's label path and back are right on average: all augmentations")
    there_and_back("flip 0.5 rotate 3 0.5 lighting 0.05 0.05", 4);
    TEST("boxes through the training's label path and back are right on average: nothing taken")
    there_and_back("flip 0 rotate 3 0", 1);
    TEST("boxes through the training's label path and back are right on average: two stages")
    there_and_back("", 1);
    TEST("boxes through the training's label path and back are right on average: strong rotation")
    there_and_back("rotate 10 0.75 flip 0.5", 4);
    TEST("nonsense from a network becomes a box inside the picture")
    {
        const box_real wild[] = {{NAN, NAN, NAN, NAN}, {-1e30, INFINITY, 1e30, -INFINITY}, {200, 200, 10, 10}};
        for (int i = 0; i < 3; i++) {
            const box_real own = frame_to_own(wild[i], 333, 500, 224, NULL);
            CHECK(own.y1 >= 0 && own.y1 <= own.y2 && own.y2 <= 332 && own.x1 >= 0 && own.x1 <= own.x2 && own.x2 <= 499,
                  "%d: %g %g %g %g", i, own.y1, own.x1, own.y2, own.x2);
        }
    }
    file_close(&arrays);
    return test_end();
}
