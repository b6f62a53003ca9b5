/* Scaled sizes, area and nearest resampling against OpenCV. */
#include "base/digest.h"

#include "image/resize.h"
#include "image_golden.h"
#include "test.h"

static void sizes(void)
{
    static const int rows[][5] = {/* h, w, size, scaled h, scaled w */
                                  {333, 500, 224, 224, 336}, {375, 500, 224, 224, 298}, {364, 480, 224, 224, 295},
                                  {500, 334, 224, 335, 224}, {281, 500, 224, 224, 398}, {224, 224, 224, 224, 224},
                                  {100, 150, 224, 224, 336}, {1, 1, 96, 96, 96}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        int h, w;
        scaled_size(rows[i][0], rows[i][1], rows[i][2], &h, &w);
        CHECK(h == rows[i][3] && w == rows[i][4], "%d x %d: %d x %d", rows[i][0], rows[i][1], h, w);
    }
}

static void area(const file_view *arrays)
{
    size_t at = 0;
    int cases = 0;
    golden g;
    resize_scratch s = {0};
    error e = {0};
    while (golden_next(arrays, &at, &g)) {
        int h, w, dh, dw;
        bool whole = sscanf(g.name, "area %dx%d %dx%d", &h, &w, &dh, &dw) == 4;
        bool some = sscanf(g.name, "some %dx%d %dx%d", &h, &w, &dh, &dw) == 4;
        bool sha = sscanf(g.name, "sha %dx%d %dx%d", &h, &w, &dh, &dw) == 4;
        if (!whole && !some && !sha)
            continue;
        cases++;
        uint8_t *bytes = golden_noise(h, w, 1);
        if (sha) {
            picture p = {w, h, bytes}, scaled;
            char hex[65], expected[65];
            uint8_t *out = malloc(3 * (size_t)dh * (size_t)dw);
            CHECK(resize_area_8bit(bytes, h, w, out, dh, dw, &s, &e) == 0, "%s", e.text);
            sha256_hex(out, 3 * (size_t)dh * (size_t)dw, hex);
            for (int i = 0; i < 32; i++)
                snprintf(expected + 2 * i, 3, "%02x", ((const uint8_t *)g.data)[i]);
            CHECK(strcmp(hex, expected) == 0, "%s: 8-bit values differ", g.name);
            if (dw != dh) {
                CHECK(picture_scale(&p, 224, &scaled, "x", &s, &e) == 0, "%s", e.text);
                CHECK(scaled.width == dw && scaled.height == dh &&
                          memcmp(scaled.pixels, out, 3 * (size_t)dh * (size_t)dw) == 0,
                      "%s: picture_scale", g.name);
                picture_free(&scaled);
            }
            free(out);
            free(bytes);
            continue;
        }
        float *in = golden_floats(bytes, h, w), *out = calloc(3 * (size_t)dh * (size_t)dw, sizeof *out);
        CHECK(resize_area(in, h, w, out, dh, dw, &s, &e) == 0, "%s", e.text);
        double worst = 0;
        for (size_t i = 0; i < g.count; i++) {
            size_t y = i / (3 * g.shape[1]), x = i / 3 % g.shape[1];
            size_t from = some ? 3 * (31 * y * (size_t)dw + 17 * x) + i % 3 : i;
            worst = fmax(worst, fabs((double)(out[from] - golden_float(&g, i))));
        }
        CHECK(worst <= 1e-6, "%s: differs by %g", g.name, worst);
        free(in);
        free(out);
        free(bytes);
    }
    CHECK(cases == 14 + 8, "%d cases", cases);
    resize_scratch_free(&s);
}

static void nearest(const file_view *arrays)
{
    size_t at = 0;
    int cases = 0;
    golden g;
    while (golden_next(arrays, &at, &g)) {
        int source, target;
        if (sscanf(g.name, "nearest %d %d", &source, &target) != 2)
            continue;
        cases++;
        for (int t = 0; t < target; t++) {
            uint16_t expected;
            memcpy(&expected, (const char *)g.data + 2 * t, 2);
            CHECK(nearest_index(t, source, target) == expected, "%s: %d shows %d, not %d", g.name, t,
                  nearest_index(t, source, target), expected);
        }
    }
    CHECK(cases == 13, "%d cases", cases);
}

int main(void)
{
    error e = {0};
    file_view arrays;
    if (file_open(&arrays, GOLDEN "arrays.bin", &e)) {
        printf("not ok 1 - %s\n1..1\n", e.text);
        return 1;
    }
    TEST("the shorter side becomes the size, the longer one is cut to a whole number") sizes();
    TEST("area resampling is OpenCV's within 1e-6, shrinking and enlarging, and bit for bit in 8 bits")
    area(&arrays);
    TEST("nearest resampling takes OpenCV's source pixel everywhere") nearest(&arrays);
    TEST("a picture that would become absurdly long is refused")
    {
        picture thin, out;
        resize_scratch s = {0};
        CHECK(picture_new(&thin, 2000, 2, &e) == 0, "%s", e.text);
        CHECK(picture_scale(&thin, 224, &out, "thin.png", &s, &e) == ERR_INPUT && !out.pixels, "accepted");
        CHECK(strstr(e.text, "thin.png") && strstr(e.text, "elongated"), "%s", e.text);
        int h, w;
        CHECK(scaled_size_allowed(2, 128, 224, &h, &w, "x", NULL) == 0 && w == 64 * 224, "%d x %d", w, h);
        CHECK(scaled_size_allowed(129, 2, 224, &h, &w, "x", NULL) == ERR_INPUT, "%d x %d", w, h);
        picture_free(&thin);
        resize_scratch_free(&s);
    }
    file_close(&arrays);
    return test_end();
}
