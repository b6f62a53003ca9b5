/* Unit tests of figures, boxes, labels and plots (common/render). */
#include "render/draw.h"
#include "render/figure.h"
#include "render/plot.h"

#include "base/digest.h"
#include "base/file.h"
#include "test.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/onebox-draw-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

/* A height x width picture of one colour. */
static picture plain(int width, int height, uint8_t red, uint8_t green, uint8_t blue)
{
    picture p = {width, height, malloc((size_t)width * (size_t)height * 3)};
    for (int i = 0; p.pixels && i < width * height; i++) {
        p.pixels[3 * i] = red;
        p.pixels[3 * i + 1] = green;
        p.pixels[3 * i + 2] = blue;
    }
    return p;
}

/* The pixel at (x, y) as 0xRRGGBB. */
static unsigned pixel_at(const figure *f, int x, int y)
{
    cairo_surface_flush(f->surface);
    const unsigned char *row =
        cairo_image_surface_get_data(f->surface) + (ptrdiff_t)y * cairo_image_surface_get_stride(f->surface);
    return ((const uint32_t *)(const void *)row)[x] & 0xffffff;
}

static void test_figure(void)
{
    TEST("a figure of 7.5 x 4.5 inches has 750 x 450 white pixels")
    {
        figure f;
        error e = {0};
        CHECK(figure_open(&f, 7.5, 4.5, &e) == 0, "%s", e.text);
        CHECK(f.width == 750 && f.height == 450, "%d x %d", f.width, f.height);
        CHECK(pixel_at(&f, 0, 0) == 0xffffff && pixel_at(&f, 749, 449) == 0xffffff, "not white");
        figure_close(&f);
    }
    TEST("impossible sizes are refused")
    {
        figure f;
        const double sizes[][2] = {{0, 1}, {1, -1}, {301, 1}, {NAN, 1}};
        for (size_t i = 0; i < 4; i++) {
            error e = {0};
            CHECK(figure_open(&f, sizes[i][0], sizes[i][1], &e) == ERR_USAGE, "%zu: %s", i, e.text);
            figure_close(&f);
        }
        error e = {0};
        CHECK(figure_open_pixels(&f, 40000, 10, 1, &e) == ERR_INPUT, "%s", e.text);
    }
    TEST("twelve cells of a 3 x 4 grid tile the sheet without touching")
    {
        figure_rect a = {10, 20, 430, 320};
        figure_rect first = figure_cell(a, 3, 4, 0, 10), last = figure_cell(a, 3, 4, 11, 10);
        figure_rect fifth = figure_cell(a, 3, 4, 5, 10);
        CHECK(first.x == 10 && first.y == 20 && first.width == 100 && first.height == 100, "first");
        CHECK(last.x == 340 && last.y == 240, "last %g %g", last.x, last.y);
        CHECK(fifth.x == 120 && fifth.y == 130, "fifth %g %g", fifth.x, fifth.y);
    }
    TEST("trimming keeps the drawing and a margin")
    {
        figure f;
        error e = {0};
        figure_open(&f, 2, 1, &e);
        figure_set_colour(&f, FIGURE_BLACK);
        cairo_rectangle(f.cr, 50, 30, 20, 10);
        cairo_fill(f.cr);
        CHECK(figure_trim(&f, 4, &e) == 0, "%s", e.text);
        CHECK(f.width == 28 && f.height == 18, "%d x %d", f.width, f.height);
        CHECK(pixel_at(&f, 4, 4) == 0 && pixel_at(&f, 3, 4) == 0xffffff, "moved");
        figure_close(&f);
    }
    TEST("text is cut to the width and hostile bytes become question marks")
    {
        figure f;
        error e = {0};
        figure_open(&f, 5, 1, &e);
        figure_font(&f, 14, true);
        char *whole = figure_fit_text(&f, "person", 300, &e);
        CHECK(whole && strcmp(whole, "person") == 0, "%s", whole);
        free(whole);
        const char *long_name = "a very long class name that no panel of a grid could ever hold";
        char *cut = figure_fit_text(&f, long_name, 120, &e);
        size_t n = cut ? strlen(cut) : 0;
        CHECK(n > 6 && n < 20 && strcmp(cut + n - 3, "\xe2\x80\xa6") == 0, "%s", cut);
        CHECK(figure_text_width(&f, cut) <= 120, "%g", figure_text_width(&f, cut));
        free(cut);
        char *bad = figure_fit_text(&f, "a\xff\x1b\xc0\x80z \xc3\xa9\xed\xa0\x80", 1000, &e);
        CHECK(bad && strcmp(bad, "a????z \xc3\xa9???") == 0, "%s", bad);
        free(bad);
        char *none = figure_fit_text(&f, "abc", 1, &e);
        CHECK(none != NULL, "no text");
        free(none);
        CHECK(cairo_status(f.cr) == CAIRO_STATUS_SUCCESS, "%s", cairo_status_to_string(cairo_status(f.cr)));
        figure_close(&f);
    }
}

static void test_boxes(void)
{
    /* a 100 x 80 grey picture at three times its size, its corner at (20, 10) */
    figure f;
    error e = {0};
    picture grey = plain(100, 80, 90, 90, 90);
    draw_view v = draw_place((figure_rect){20, 10, 300, 240}, 100, 80);
    draw_mark m = {.has_box = true, .box = {20, 10, 59, 69}, .colour = DRAW_WHITE};
    TEST("a picture is scaled to its cell and keeps its shape")
    {
        CHECK(v.scale == 3 && v.area.x == 20 && v.area.y == 10, "%g %g %g", v.scale, v.area.x, v.area.y);
        draw_view tall = draw_place((figure_rect){0, 0, 300, 240}, 80, 120);
        CHECK(tall.scale == 2 && tall.area.x == 70 && tall.area.width == 160, "%g %g", tall.scale, tall.area.x);
    }
    TEST("a box is a white line of 2 points over a black one of 4 at the pixel centres of its corner")
    {
        figure_open_pixels(&f, 340, 260, FIGURE_DPI / 72, &e);
        CHECK(draw_picture(&f, v, &grey, &e) == 0 && draw_marks(&f, v, &m, 1, 14, &e) == 0, "%s", e.text);
        /* left line: 20 + (10 + 0.5) * 3 = 51.5; top: 10 + 20.5 * 3 = 71.5; right: 20 + (70 + 0.5) * 3 =
         * 231.5; bottom: 10 + 60.5 * 3 = 191.5 */
        const int at[][2] = {{51, 130}, {231, 130}, {140, 71}, {140, 191}};
        for (int i = 0; i < 4; i++) {
            int x = at[i][0], y = at[i][1], dx = i < 2, dy = i >= 2;
            CHECK(pixel_at(&f, x, y) == 0xffffff, "line %d: %06x", i, pixel_at(&f, x, y));
            for (int side = -1; side <= 1; side += 2) {
                unsigned black = pixel_at(&f, x + 2 * side * dx, y + 2 * side * dy);
                unsigned plain_pixel = pixel_at(&f, x + 4 * side * dx, y + 4 * side * dy);
                CHECK(black == 0, "line %d, side %d: %06x", i, side, black);
                CHECK(plain_pixel == 0x5a5a5a, "line %d, side %d: %06x", i, side, plain_pixel);
            }
        }
        CHECK(pixel_at(&f, 140, 130) == 0x5a5a5a, "filled");
        CHECK(pixel_at(&f, 10, 5) == 0xffffff, "drawn outside the picture");
        figure_close(&f);
    }
    TEST("a box around the whole picture and one far outside leave the sheet's border white")
    {
        draw_mark far[] = {{.has_box = true, .box = {0, 0, 79, 99}, .colour = DRAW_WHITE},
                           {.has_box = true, .box = {-1e200, 50, 1e200, 1e9}, .colour = DRAW_WHITE}};
        figure_open_pixels(&f, 340, 260, FIGURE_DPI / 72, &e);
        CHECK(draw_picture(&f, v, &grey, &e) == 0 && draw_marks(&f, v, far, 2, 14, &e) == 0, "%s", e.text);
        CHECK(pixel_at(&f, 21, 130) == 0xffffff, "no left line: %06x", pixel_at(&f, 21, 130));
        CHECK(pixel_at(&f, 171, 130) == 0xffffff, "no inner line: %06x", pixel_at(&f, 171, 130));
        for (int y = 0; y < 260; y++)
            CHECK(pixel_at(&f, 10, y) == 0xffffff && pixel_at(&f, 335, y) == 0xffffff, "row %d", y);
        figure_close(&f);
    }
    TEST("the truth is drawn in its own colour")
    {
        m.colour = DRAW_TRUTH;
        figure_open_pixels(&f, 340, 260, FIGURE_DPI / 72, &e);
        draw_picture(&f, v, &grey, &e);
        draw_marks(&f, v, &m, 1, 14, &e);
        CHECK(pixel_at(&f, 51, 130) == 0x73ff40, "%06x", pixel_at(&f, 51, 130));
        figure_close(&f);
    }
    free(grey.pixels);
}

static bool inside(figure_rect r, figure_rect a)
{
    const double s = 1e-6;
    return r.x >= a.x - s && r.y >= a.y - s && r.x + r.width <= a.x + a.width + s &&
           r.y + r.height <= a.y + a.height + s;
}

static bool apart(figure_rect a, figure_rect b)
{
    return a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
}

static void test_labels(void)
{
    draw_view v = draw_place((figure_rect){0, 0, 500, 375}, 500, 375);
    TEST("a label sits at its box's corner, and at the picture's corner without a box")
    {
        draw_mark m[] = {{.has_box = true, .box = {100, 150, 200, 300}, .label = "x"}, {.label = "x"}};
        double widths[] = {80, 80};
        draw_label r[2];
        draw_place_labels(v, m, 2, widths, 20, 3, r);
        CHECK(r[0].area.x == 153.5 && r[0].area.y == 103.5, "%g %g", r[0].area.x, r[0].area.y);
        CHECK(r[1].area.x == 3 && r[1].area.y == 3, "%g %g", r[1].area.x, r[1].area.y);
    }
    TEST("labels of boxes at the edges stay inside the picture")
    {
        draw_mark m[] = {{.has_box = true, .box = {370, 10, 374, 20}, .label = "x"},
                         {.has_box = true, .box = {100, 480, 200, 499}, .label = "x"},
                         {.has_box = true, .box = {-50, -50, 200, 600}, .label = "x"}};
        double widths[] = {80, 120, 490};
        draw_label r[3];
        draw_place_labels(v, m, 3, widths, 20, 3, r);
        for (int i = 0; i < 3; i++)
            CHECK(inside(r[i].area, v.area), "%d: %g %g", i, r[i].area.x, r[i].area.y);
    }
    TEST("sixteen labels of boxes that share a corner do not cover each other")
    {
        draw_mark m[16];
        double widths[16];
        draw_label r[16];
        for (int i = 0; i < 16; i++) {
            m[i] = (draw_mark){.has_box = true, .box = {150 + i, 200 + i, 260 + i, 330 + i}};
            widths[i] = 90;
        }
        draw_place_labels(v, m, 16, widths, 20, 3, r);
        for (int i = 0; i < 16; i++) {
            CHECK(inside(r[i].area, v.area), "%d outside", i);
            for (int k = 0; k < i; k++)
                CHECK(apart(r[i].area, r[k].area), "%d and %d", i, k);
        }
    }
    TEST("labels that found a place at their boxes are not astray")
    {
        draw_mark m[] = {{.has_box = true, .box = {100, 150, 200, 300}},
                         {.has_box = true, .box = {100, 150, 200, 300}}};
        double widths[] = {80, 80};
        draw_label r[2];
        CHECK(draw_place_labels(v, m, 2, widths, 20, 3, r) == 0, "astray");
        CHECK(apart(r[0].area, r[1].area), "together");
    }
    TEST("labels without a box stand one below the other, and none of them is astray")
    {
        draw_mark m[] = {{.label = "x"}, {.label = "x"}, {.label = "x"}};
        double widths[] = {80, 60, 70};
        draw_label r[3];
        CHECK(draw_place_labels(v, m, 3, widths, 20, 3, r) == 0, "astray");
        for (int i = 0; i < 3; i++)
            CHECK(r[i].area.x == 3 && r[i].area.y == 3 + 20 * i, "%d: %g %g", i, r[i].area.x, r[i].area.y);
    }
    TEST("no line leads from a label to a box that is not there")
    {
        /* two labels without boxes on black: left of the letters nothing is drawn */
        figure f;
        error e = {0};
        picture black = plain(300, 200, 0, 0, 0);
        draw_mark m[] = {{.label = "fish", .colour = DRAW_WHITE}, {.label = "fish", .colour = DRAW_TRUTH}};
        draw_view at = draw_place((figure_rect){0, 0, 300, 200}, 300, 200);
        figure_open_pixels(&f, 300, 200, FIGURE_DPI / 72, &e);
        draw_picture(&f, at, &black, &e);
        CHECK(draw_marks(&f, at, m, 2, 14, &e) == 0, "%s", e.text);
        for (int y = 0; y < 200; y++)
            for (int x = 0; x < 4; x++)
                CHECK(pixel_at(&f, x, y) == 0, "%d %d: %06x", x, y, pixel_at(&f, x, y));
        figure_close(&f);
        free(black.pixels);
    }
    TEST("more labels than a picture can hold still end inside it")
    {
        enum { MANY = 400 };
        static draw_mark m[MANY];
        static double widths[MANY];
        static draw_label r[MANY];
        for (int i = 0; i < MANY; i++) {
            m[i] = (draw_mark){.has_box = true, .box = {10, 10, 30, 30}};
            widths[i] = 100;
        }
        draw_place_labels(v, m, MANY, widths, 20, 3, r);
        for (int i = 0; i < MANY; i++)
            CHECK(inside(r[i].area, v.area), "%d outside", i);
    }
    TEST("white letters stand on a black outline")
    {
        figure f;
        error e = {0};
        picture grey = plain(300, 200, 255, 255, 255);
        draw_mark m = {.label = "person", .colour = DRAW_WHITE};
        draw_view at = draw_place((figure_rect){0, 0, 300, 200}, 300, 200);
        figure_open_pixels(&f, 300, 200, FIGURE_DPI / 72, &e);
        draw_picture(&f, at, &grey, &e);
        CHECK(draw_marks(&f, at, &m, 1, 14, &e) == 0, "%s", e.text);
        int black = 0, white = 0;
        for (int y = 0; y < 30; y++)
            for (int x = 0; x < 90; x++) {
                black += pixel_at(&f, x, y) == 0;
                white += pixel_at(&f, x, y) == 0xffffff;
            }
        CHECK(black > 100 && white > 200, "%d black, %d white", black, white);
        figure_close(&f);
        free(grey.pixels);
    }
}

static void test_files(void)
{
    picture grey = plain(120, 90, 200, 40, 40);
    draw_mark m = {.has_box = true, .box = {10, 10, 60, 80}, .label = "car", .colour = DRAW_WHITE};
    TEST("the same drawing gives the same bytes")
    {
        error e = {0};
        char one[65], two[65];
        CHECK(draw_save(&grey, &m, 1, in_dir("a.png"), &e) == 0, "%s", e.text);
        CHECK(draw_save(&grey, &m, 1, in_dir("b.png"), &e) == 0, "%s", e.text);
        CHECK(sha256_file(in_dir("a.png"), one, &e) == 0 && sha256_file(in_dir("b.png"), two, &e) == 0, "read");
        CHECK(strcmp(one, two) == 0, "differ");
    }
    TEST("a name that ends in .jpg gets a JPEG")
    {
        error e = {0};
        file_view view;
        CHECK(draw_save(&grey, &m, 1, in_dir("a.jpg"), &e) == 0, "%s", e.text);
        CHECK(file_open(&view, in_dir("a.jpg"), &e) == 0, "%s", e.text);
        CHECK(view.size > 500 && memcmp(view.data, "\xff\xd8\xff", 3) == 0, "no JPEG");
        file_close(&view);
    }
    TEST("a folder that is not there is a system error that names the file")
    {
        error e = {0};
        CHECK(draw_save(&grey, &m, 1, in_dir("none/a.png"), &e) == ERR_SYSTEM, "%d", e.code);
        CHECK(strstr(e.text, "none/a.png") != NULL, "%s", e.text);
    }
    TEST("a full disk is noticed and nothing is left")
    {
        error e = {0};
        figure f;
        figure_open_pixels(&f, 400, 400, 1, &e);
        if (access("/dev/full", W_OK) != 0) {
            SKIP("no /dev/full here");
        } else {
            FILE *old = stdout, *full = fopen("/dev/full", "w");
            stdout = full;
            int code = figure_save(&f, "-", &e);
            stdout = old;
            fclose(full);
            CHECK(code == ERR_SYSTEM, "%d %s", code, e.text);
        }
        figure_close(&f);
    }
    TEST("a picture of one pixel can be drawn on")
    {
        error e = {0};
        CHECK(draw_save(&(picture){1, 1, grey.pixels}, &m, 1, in_dir("tiny.png"), &e) == 0, "%s", e.text);
    }
    free(grey.pixels);
}

static void test_plots(void)
{
    double t[PLOT_TICKS_MAX], step;
    char text[48];
    TEST("linear ticks are round numbers inside the range")
    {
        int n = plot_ticks(-3, 103, 5, false, t, &step);
        CHECK(n == 6 && step == 20 && t[0] == 0 && t[5] == 100, "%d of %g from %g", n, step, t[0]);
        n = plot_ticks(0.31, 0.84, 5, false, t, &step);
        CHECK(step == 0.1 && n == 5 && fabs(t[0] - 0.4) < 1e-12, "%d of %g from %g", n, step, t[0]);
        n = plot_ticks(-0.04, 2.04, 8, true, t, &step);
        CHECK(step == 1 && n == 3 && t[2] == 2, "whole: %d of %g", n, step);
    }
    TEST("logarithmic ticks are powers of ten, with 2 and 5 when there are few")
    {
        int n = plot_log_ticks(1e-5, 3, t);
        CHECK(n == 6 && fabs(t[0] - 1e-5) < 1e-18 && t[5] == 1, "%d from %g to %g", n, t[0], t[5]);
        n = plot_log_ticks(0.9, 30, t);
        CHECK(n == 5 && t[0] == 1 && t[1] == 2 && t[2] == 5 && t[3] == 10 && t[4] == 20, "%d", n);
        n = plot_log_ticks(1e-200, 1e200, t);
        CHECK(n > 1 && n <= PLOT_TICKS_MAX, "%d", n);
    }
    TEST("tick texts have the decimals that their distance needs")
    {
        const struct {
            double value, step;
            const char *text;
        } c[] = {{0.25, 0.05, "0.25"}, {120, 20, "120"},    {0.3, 0.1, "0.3"},
                 {0, 0.001, "0.000"},  {2e6, 1e6, "2e+06"}, {3e-7, 1e-7, "3e-07"}};
        for (size_t i = 0; i < COUNT(c); i++) {
            plot_tick_text(c[i].value, c[i].step, text, sizeof text);
            CHECK(strcmp(text, c[i].text) == 0, "%s, not %s", text, c[i].text);
        }
    }
    TEST("a line goes through its points and a value that is no number interrupts it")
    {
        figure f;
        error e = {0};
        double x[] = {0, 1, 2, 3, 4}, y[] = {1, 1, NAN, 1, 1};
        plot_line l = {.x = x, .y = y, .count = 5};
        plot p = {.lines = &l, .line_count = 1};
        figure_open(&f, 6, 4, &e);
        CHECK(plot_draw(&f, figure_inside(&f, 0), &p, &e) == 0, "%s", e.text);
        int coloured = 0, left = f.width, right = 0, middle = 0;
        for (int py = 0; py < f.height; py++)
            for (int px = 0; px < f.width; px++) {
                unsigned c = pixel_at(&f, px, py);
                if ((c & 0xff) > (c >> 16) + 60) { /* bluish */
                    coloured++;
                    left = px < left ? px : left;
                    right = px > right ? px : right;
                    middle += px > 310 && px < 330;
                }
            }
        CHECK(coloured > 200 && left < 100 && right > 550, "%d pixels from %d to %d", coloured, left, right);
        CHECK(middle == 0, "%d pixels in the gap", middle);
        figure_close(&f);
    }
    TEST("empty, constant, huge and negative data draw without complaint")
    {
        double none[] = {NAN, INFINITY}, same[] = {5, 5}, huge[] = {-1e299, 1e299}, negative[] = {-1, 0};
        const double *data[] = {none, same, huge, negative};
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < 4; k++) {
                figure f;
                error e = {0};
                plot_line l = {.name = "x", .x = data[i], .y = data[k], .count = 2, .dots = true};
                plot_phase ph = {.x = 1, .name = "head"};
                plot p = {.log_x = i == 3,
                          .lines = &l,
                          .line_count = 1,
                          .phases = &ph,
                          .phase_count = 1,
                          .title = "t",
                          .x_label = "x",
                          .y_label = "y"};
                figure_open(&f, 4, 3, &e);
                CHECK(plot_draw(&f, figure_inside(&f, 0), &p, &e) == 0, "%d %d: %s", i, k, e.text);
                CHECK(cairo_status(f.cr) == CAIRO_STATUS_SUCCESS, "%d %d", i, k);
                figure_close(&f);
            }
    }
    TEST("a sheet without room for a plot is refused")
    {
        figure f;
        error e = {0};
        plot p = {.title = "t"};
        figure_open(&f, 0.3, 0.3, &e);
        CHECK(plot_draw(&f, figure_inside(&f, 0), &p, &e) == ERR_USAGE, "%d", e.code);
        figure_close(&f);
    }
}

int main(void)
{
    if (!mkdtemp(dir))
        return 4;
    test_figure();
    test_boxes();
    test_labels();
    test_files();
    test_plots();
    const char *left[] = {"a.png", "b.png", "a.jpg", "tiny.png"};
    for (size_t i = 0; i < COUNT(left); i++)
        unlink(in_dir(left[i]));
    TEST("nothing else is left behind")
    CHECK(rmdir(dir) == 0, "files remain in %s", dir);
    return test_end();
}
