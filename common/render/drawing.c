/* A drawing is made in this order: a shape, a background, clutter that is no object, the objects, and at last the grain
 * and the fading light of a camera. All is decided by one stream of random numbers (Philox, by seed and number), so the
 * order of the draws is part of the result: a line moved here gives other pictures.
 *
 * An object is a silhouette of several parts in a square from -1 to 1 that is scaled, turned and put in place; its box
 * is measured by cairo from the path itself. The largest object is placed first and painted last; the others are tried
 * again until they are small enough beside it and cover little of what is there.
 */
#include "render/drawing.h"

#include "base/random.h"
#include "render/figure.h"

#include <cairo/cairo.h>
#include <errno.h>
#include <math.h>

typedef figure_colour colour;

static const double PI = 3.14159265358979323846;

/* ---------------------------------------------------------------- chance */

static double between(philox *rng, double low, double high)
{
    return low + (high - low) * philox_uniform(rng);
}

static bool chance(philox *rng, double p)
{
    return philox_uniform(rng) < p;
}

/* Hue, saturation and value, each from 0 to 1 (Smith, "Color gamut transform pairs", SIGGRAPH 1978). */
static colour from_hsv(double h, double s, double v)
{
    double c[3];
    for (int i = 0; i < 3; i++) {
        double k = fmod((i == 0 ? 5.0 : i == 1 ? 3.0 : 1.0) + 6 * h, 6);
        c[i] = v - v * s * fmax(0, fmin(1, fmin(k, 4 - k)));
    }
    return (colour){c[0], c[1], c[2]};
}

static double luma(colour c)
{
    return 0.299 * c.red + 0.587 * c.green + 0.114 * c.blue;
}

static double distance(colour a, colour b)
{
    return fabs(a.red - b.red) + fabs(a.green - b.green) + fabs(a.blue - b.blue) + fabs(luma(a) - luma(b));
}

static colour mix(colour a, colour b, double t)
{
    return (colour){a.red + (b.red - a.red) * t, a.green + (b.green - a.green) * t, a.blue + (b.blue - a.blue) * t};
}

/* Draws stand in statements of their own everywhere: the order of a call's arguments is the compiler's. */
static colour any_colour(philox *rng)
{
    double h = philox_uniform(rng), s = between(rng, 0.35, 0.95), v = between(rng, 0.35, 1);
    return from_hsv(h, s, v);
}

/* The one of a few random colours that is farthest from `ground`. */
static colour colour_on(philox *rng, colour ground)
{
    colour best = any_colour(rng);
    for (int i = 0; i < 5; i++) {
        colour c = any_colour(rng);
        if (distance(c, ground) > distance(best, ground))
            best = c;
    }
    return best;
}

static void set_colour(cairo_t *cr, colour c, double alpha)
{
    cairo_set_source_rgba(cr, c.red, c.green, c.blue, alpha);
}

/* ---------------------------------------------------------------- silhouettes */

const char *const drawing_classes[DRAWING_CLASSES] = {"boat", "fish", "flower", "house", "star", "tree"};

/* What a part of an object is painted with. */
typedef enum tone { TONE_END, TONE_BODY, TONE_DARK, TONE_LIGHT, TONE_SECOND } tone;

/* A part of an object in the square from -1 to 1, y downwards; the first parts make the silhouette. */
typedef struct part {
    tone tone;
    enum shape { TRIANGLE = 3, QUAD, RECTANGLE, ELLIPSE, CIRCLE, PETAL, STAR } shape;
    double at[8]; /* x, y of the corners; x, y, width, height; or the middle and radii. A petal: its number */
} part;

static const part parts[DRAWING_CLASSES][8] = {
    /* boat */
    {{TONE_BODY, QUAD, {-1, 0.42, 1, 0.42, 0.62, 0.95, -0.66, 0.95}},
     {TONE_DARK, RECTANGLE, {-0.07, -0.97, 0.11, 1.42}},
     {TONE_SECOND, TRIANGLE, {0.1, -0.9, 0.1, 0.25, 0.86, 0.25}},
     {TONE_LIGHT, TRIANGLE, {-0.13, -0.7, -0.13, 0.25, -0.74, 0.25}}},
    /* fish */
    {{TONE_SECOND, QUAD, {0.3, 0, 1, -0.55, 0.84, 0, 1, 0.55}},
     {TONE_SECOND, TRIANGLE, {-0.5, -0.25, 0, -0.68, 0.3, -0.25}},
     {TONE_BODY, ELLIPSE, {-0.25, 0, 0.75, 0.47}},
     {TONE_DARK, TRIANGLE, {-0.2, 0.08, 0.22, 0.3, 0.1, -0.04}},
     {TONE_LIGHT, CIRCLE, {-0.62, -0.1, 0.13}},
     {TONE_DARK, CIRCLE, {-0.64, -0.1, 0.065}}},
    /* flower */
    {{TONE_BODY, PETAL, {0}},
     {TONE_LIGHT, PETAL, {1}},
     {TONE_BODY, PETAL, {2}},
     {TONE_LIGHT, PETAL, {3}},
     {TONE_BODY, PETAL, {4}},
     {TONE_LIGHT, PETAL, {5}},
     {TONE_SECOND, CIRCLE, {0, 0, 0.37}}},
    /* house */
    {{TONE_DARK, RECTANGLE, {0.36, -0.86, 0.24, 0.6}},
     {TONE_BODY, RECTANGLE, {-0.76, -0.16, 1.52, 1.12}},
     {TONE_SECOND, TRIANGLE, {-1, -0.14, 0, -0.98, 1, -0.14}},
     {TONE_DARK, RECTANGLE, {-0.5, 0.3, 0.42, 0.66}},
     {TONE_LIGHT, RECTANGLE, {0.14, 0.16, 0.42, 0.38}}},
    /* star */
    {{TONE_BODY, STAR, {0}}},
    /* tree */
    {{TONE_SECOND, RECTANGLE, {-0.15, 0.5, 0.3, 0.5}},
     {TONE_DARK, TRIANGLE, {-0.84, 0.62, 0, -0.15, 0.84, 0.62}},
     {TONE_BODY, TRIANGLE, {-0.68, 0.12, 0, -0.6, 0.68, 0.12}},
     {TONE_LIGHT, TRIANGLE, {-0.5, -0.36, 0, -1, 0.5, -0.36}}},
};

/* The largest angle from upright. */
static const double tilts[DRAWING_CLASSES] = {0.25, 0.45, 3.15, 0.25, 0.6, 0.25};

static void circle(cairo_t *cr, double x, double y, double radius)
{
    cairo_new_sub_path(cr);
    cairo_arc(cr, x, y, radius, 0, 2 * PI);
    cairo_close_path(cr);
}

static void ellipse(cairo_t *cr, double x, double y, double rx, double ry)
{
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, rx, ry);
    circle(cr, 0, 0, 1);
    cairo_restore(cr);
}

/* Appends the part to the path. */
static void add_part(cairo_t *cr, const part *p)
{
    const double *at = p->at;
    switch (p->shape) {
    case TRIANGLE:
    case QUAD:
        cairo_new_sub_path(cr);
        for (size_t i = 0; i < (size_t)p->shape; i++)
            cairo_line_to(cr, at[2 * i], at[2 * i + 1]);
        cairo_close_path(cr);
        break;
    case RECTANGLE:
        cairo_rectangle(cr, at[0], at[1], at[2], at[3]);
        break;
    case ELLIPSE:
        ellipse(cr, at[0], at[1], at[2], at[3]);
        break;
    case CIRCLE:
        circle(cr, at[0], at[1], at[2]);
        break;
    case PETAL:
        circle(cr, 0.6 * cos(at[0] * PI / 3), 0.6 * sin(at[0] * PI / 3), 0.38);
        break;
    case STAR:
        for (int i = 0; i < 10; i++) {
            double radius = i & 1 ? 0.43 : 1, angle = i * PI / 5 - PI / 2;
            cairo_line_to(cr, radius * cos(angle), radius * sin(angle));
        }
        cairo_close_path(cr);
    }
}

/* ---------------------------------------------------------------- objects */

/* An object on its way into the picture. */
typedef struct figurine {
    double x, y, radius, stretch, angle, outline; /* `outline`: width of its line, 0 for none */
    bool mirrored;
    double alpha;
    box_real extent; /* edges of the whole silhouette, beyond the picture too */
    drawing_object object;
} figurine;

typedef struct canvas {
    cairo_t *cr;
    int width, height, size;
    colour ground; /* the background's mean colour */
    philox rng;
} canvas;

static void enter(cairo_t *cr, const figurine *f)
{
    cairo_save(cr);
    cairo_translate(cr, f->x, f->y);
    cairo_rotate(cr, f->angle);
    cairo_scale(cr, (f->mirrored ? -1 : 1) * f->radius * f->stretch, f->radius / f->stretch);
}

/* The whole silhouette as the current path, in picture pixels. */
static void silhouette(cairo_t *cr, const figurine *f)
{
    cairo_new_path(cr);
    enter(cr, f);
    for (const part *p = parts[f->object.class]; p->tone != TONE_END; p++)
        add_part(cr, p);
    cairo_restore(cr);
}

/* Sets extent and the box: all pixels that the object touches inside the picture by more than a tenth. False
 * when nothing is visible. */
static bool measure_box(const canvas *c, figurine *f)
{
    const double touch = 0.1;
    box_real *r = &f->extent;
    silhouette(c->cr, f);
    cairo_fill_extents(c->cr, &r->x1, &r->y1, &r->x2, &r->y2);
    cairo_new_path(c->cr);
    r->x1 -= f->outline / 2;
    r->y1 -= f->outline / 2;
    r->x2 += f->outline / 2;
    r->y2 += f->outline / 2;
    const box touched = {(int)floor(r->y1 + touch), (int)floor(r->x1 + touch), (int)ceil(r->y2 - touch) - 1,
                         (int)ceil(r->x2 - touch) - 1};
    f->object.box =
        (box){touched.y1 > 0 ? touched.y1 : 0, touched.x1 > 0 ? touched.x1 : 0,
              touched.y2 < c->height ? touched.y2 : c->height - 1, touched.x2 < c->width ? touched.x2 : c->width - 1};
    f->object.truncated = !box_fits(touched, c->height, c->width);
    return f->object.box.x1 < f->object.box.x2 && f->object.box.y1 < f->object.box.y2;
}

/* Pixels of a box. */
static double area(const box *b)
{
    return (double)(b->x2 - b->x1 + 1) * (b->y2 - b->y1 + 1);
}

/* The part of a's box that b's box covers. */
static double covered(const figurine *a, const figurine *b)
{
    const box *m = &a->object.box, *n = &b->object.box;
    const box both = {m->y1 > n->y1 ? m->y1 : n->y1, m->x1 > n->x1 ? m->x1 : n->x1, m->y2 < n->y2 ? m->y2 : n->y2,
                      m->x2 < n->x2 ? m->x2 : n->x2};
    return box_is_empty(both) ? 0 : area(&both) / area(m);
}

/* The visible share of the silhouette's extent. */
static double visible(const figurine *f)
{
    return area(&f->object.box) / ((f->extent.x2 - f->extent.x1) * (f->extent.y2 - f->extent.y1));
}

static figurine random_figurine(canvas *c, double smallest, double largest)
{
    philox *rng = &c->rng;
    figurine f = {.object.class = (int)philox_below(rng, DRAWING_CLASSES), .alpha = 1};
    f.radius = between(rng, smallest, largest) * c->size / 2;
    f.stretch = between(rng, 0.88, 1.14);
    f.angle = between(rng, -1, 1) * tilts[f.object.class];
    f.mirrored = chance(rng, 0.5);
    f.outline = chance(rng, 0.5) ? between(rng, 0.01, 0.02) * c->size : 0;
    return f;
}

/* A place whose centre is inside the picture, at least `inside` of the radius from its edges. */
static void random_place(canvas *c, figurine *f, double inside)
{
    double mx = fmin(inside * f->radius, 0.5 * c->width), my = fmin(inside * f->radius, 0.5 * c->height);
    f->x = between(&c->rng, mx, c->width - mx);
    f->y = between(&c->rng, my, c->height - my);
}

/* The object that will be the largest one: whole in most pictures. After a failure of cairo, none. */
static figurine place_largest(canvas *c)
{
    figurine f = {0};
    while (cairo_status(c->cr) == CAIRO_STATUS_SUCCESS) {
        f = random_figurine(c, 0.44, 0.92);
        double least = chance(&c->rng, 0.12) ? 0.8 : 0.999;
        for (int i = 0; i < 20; i++) {
            random_place(c, &f, 0.6);
            if (measure_box(c, &f) && visible(&f) >= least)
                return f;
        }
    }
    return f;
}

/* One of the others: smaller than the largest by the factor, hardly covered by what there is. False when no
 * place was found. */
static bool place_other(canvas *c, const figurine *there, int count, bool difficult, figurine *f)
{
    const double most = (double)box_score(there[0].object.box) / 1.5;
    const bool tiny = chance(&c->rng, 0.5);
    for (int i = 0; i < 40; i++) {
        *f = difficult && tiny ? random_figurine(c, 0.08, 0.13) : random_figurine(c, 0.17, 0.55);
        f->object.difficult = difficult;
        f->alpha = difficult && !tiny ? between(&c->rng, 0.2, 0.35) : 1;
        random_place(c, f, 0.65);
        if (!measure_box(c, f) || visible(f) < 0.5 || (double)box_score(f->object.box) > most)
            continue;
        bool free = true;
        for (int k = 0; k < count && free; k++)
            free = covered(f, &there[k]) < 0.2 && covered(&there[k], f) < 0.2;
        if (free)
            return true;
    }
    return false;
}

static void paint(canvas *c, const figurine *f)
{
    cairo_t *cr = c->cr;
    const colour body = colour_on(&c->rng, c->ground), second = colour_on(&c->rng, mix(c->ground, body, 0.5)),
                 black = {0.05, 0.05, 0.08}, white = {1, 1, 1};
    const colour tones[] = {[TONE_BODY] = body,
                            [TONE_DARK] = mix(body, black, 0.55),
                            [TONE_LIGHT] = mix(body, white, 0.6),
                            [TONE_SECOND] = second};
    cairo_push_group(cr);
    if (f->outline > 0) {
        silhouette(cr, f);
        cairo_set_line_width(cr, f->outline);
        cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
        set_colour(cr, luma(c->ground) > 0.5 ? black : white, 1);
        cairo_stroke(cr);
    }
    enter(cr, f);
    cairo_new_path(cr);
    for (const part *p = parts[f->object.class]; p->tone != TONE_END; p++) {
        add_part(cr, p);
        cairo_pattern_t *shade = cairo_pattern_create_linear(-0.5, -1, 0.5, 1);
        colour top = mix(tones[p->tone], white, 0.12), bottom = mix(tones[p->tone], black, 0.18);
        cairo_pattern_add_color_stop_rgb(shade, 0, top.red, top.green, top.blue);
        cairo_pattern_add_color_stop_rgb(shade, 1, bottom.red, bottom.green, bottom.blue);
        cairo_set_source(cr, shade);
        cairo_fill(cr);
        cairo_pattern_destroy(shade);
    }
    cairo_restore(cr);
    cairo_pop_group_to_source(cr);
    cairo_paint_with_alpha(cr, f->alpha);
}

/* ---------------------------------------------------------------- around them */

static void paint_background(canvas *c)
{
    cairo_t *cr = c->cr;
    philox *rng = &c->rng;
    const double w = c->width, h = c->height, s = c->size;
    const double hue = philox_uniform(rng), other_hue = fmod(hue + between(rng, -0.12, 0.12) + 1, 1);
    const double value = between(rng, 0.25, 0.95), other_value = fmin(1, value * between(rng, 0.7, 1.2));
    const colour a = from_hsv(hue, between(rng, 0.1, 0.5), value);
    const colour b = from_hsv(other_hue, between(rng, 0.1, 0.5), other_value);
    const double angle = between(rng, 0, 2 * PI), x = between(rng, 0, w), y = between(rng, 0, h);
    c->ground = mix(a, b, 0.5);
    cairo_pattern_t *p = chance(rng, 0.3)
                             ? cairo_pattern_create_radial(x, y, 0, w / 2, h / 2, w)
                             : cairo_pattern_create_linear(w / 2 - s * cos(angle) / 2, h / 2 - s * sin(angle) / 2,
                                                           w / 2 + s * cos(angle) / 2, h / 2 + s * sin(angle) / 2);
    cairo_pattern_add_color_stop_rgb(p, 0, a.red, a.green, a.blue);
    cairo_pattern_add_color_stop_rgb(p, 1, b.red, b.green, b.blue);
    cairo_set_source(cr, p);
    cairo_paint(cr);
    cairo_pattern_destroy(p);

    const int texture = (int)philox_below(rng, 4); /* 0: none */
    const double step = between(rng, 0.06, 0.18) * s, reach = w + h, strength = between(rng, 0.06, 0.2);
    cairo_save(cr);
    cairo_translate(cr, w / 2, h / 2);
    cairo_rotate(cr, angle);
    set_colour(cr, luma(c->ground) > 0.5 ? (colour){0, 0, 0} : (colour){1, 1, 1}, strength);
    for (double v = -reach / 2; texture == 1 && v < reach / 2; v += 2 * step) /* stripes */
        cairo_rectangle(cr, -reach / 2, v, reach, step);
    for (double v = -reach / 2; texture >= 2 && v < reach / 2; v += 2 * step) /* dots, checks */
        for (double u = -reach / 2; u < reach / 2; u += 2 * step)
            if (texture == 2) {
                circle(cr, u, v, step / 2.2);
            } else {
                cairo_rectangle(cr, u, v, step, step);
                cairo_rectangle(cr, u + step, v + step, step, step);
            }
    cairo_fill(cr);
    cairo_restore(cr);
}

/* Things that are no objects: lines, bent lines, rings, blobs. */
static void paint_clutter(canvas *c)
{
    cairo_t *cr = c->cr;
    philox *rng = &c->rng;
    const double w = c->width, h = c->height, s = c->size;
    for (int i = 4 + (int)philox_below(rng, 9); i > 0; i--) {
        const colour pure = any_colour(rng), shade = mix(pure, c->ground, between(rng, 0.2, 0.7));
        const double x = between(rng, 0, w), y = between(rng, 0, h), r = between(rng, 0.02, 0.09) * s;
        const double dx = between(rng, -0.5, 0.5) * s, dy = between(rng, -0.5, 0.5) * s;
        set_colour(cr, shade, between(rng, 0.4, 0.9));
        cairo_set_line_width(cr, between(rng, 0.008, 0.025) * s);
        cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
        cairo_new_path(cr);
        switch (philox_below(rng, 4)) {
        case 0:
            cairo_move_to(cr, x, y);
            cairo_line_to(cr, x + dx, y + dy);
            cairo_stroke(cr);
            break;
        case 1:
            cairo_move_to(cr, x, y);
            cairo_curve_to(cr, x + dy, y, x, y + dx, x + dx, y + dy);
            cairo_stroke(cr);
            break;
        case 2:
            circle(cr, x, y, r);
            cairo_stroke(cr);
            break;
        default:
            ellipse(cr, x, y, r, r * between(rng, 0.4, 1));
            cairo_fill(cr);
        }
    }
}

/* Grain of a camera: normal noise on every channel, and a little less light towards the corners. */
static int develop(canvas *c, cairo_surface_t *surface, picture *p, error *e)
{
    const double grain = between(&c->rng, 1, 9), fade = between(&c->rng, 0, 0.35);
    const double cx = c->width / 2.0, cy = c->height / 2.0, far = cx * cx + cy * cy;
    if (picture_new(p, c->width, c->height, e))
        return ERR_SYSTEM;
    const unsigned char *data = cairo_image_surface_get_data(surface);
    uint8_t *at = p->pixels;
    for (int y = 0; y < c->height; y++) {
        const uint32_t *row =
            (const uint32_t *)(const void *)(data + (ptrdiff_t)y * cairo_image_surface_get_stride(surface));
        for (int x = 0; x < c->width; x++) {
            const double light = 1 - fade * ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / far;
            const uint32_t noise = philox_u32(&c->rng);
            for (int i = 0; i < 3; i++) {
                /* the sum of two uniform bytes, scaled to a standard deviation of 1 */
                const uint32_t n = noise >> 10 * i & 0x3ff;
                const double random = ((double)(n & 31) + (double)(n >> 5) - 31) / 13.05;
                const double v = ((row[x] >> (16 - 8 * i)) & 0xff) * light + grain * random;
                *at++ = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
            }
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- the whole picture */

static void choose_shape(canvas *c)
{
    static const int thirds[5][2] = {{3, 3}, {3, 3}, {3, 3}, {4, 3}, {3, 4}};
    const int *t = thirds[philox_below(&c->rng, 5)];
    c->width = c->size * t[0] / 3;
    c->height = c->size * t[1] / 3;
}

/* Chooses, places and paints the objects, and tells *d of them. */
static void paint_objects(canvas *c, drawing *d)
{
    figurine all[DRAWING_OBJECTS];
    const int others = (int)philox_below(&c->rng, 5), difficult = chance(&c->rng, 0.3);
    all[d->count++] = place_largest(c);
    for (int i = 0; i < others + difficult; i++)
        if (place_other(c, all, d->count, i >= others, &all[d->count]))
            d->count++;
    /* The largest is painted last; of the others the later ones lie on top. */
    for (int i = 1; i < d->count; i++)
        paint(c, &all[i]);
    paint(c, &all[0]);
    for (int i = 1; i < d->count; i++)
        for (int k = 0; k < d->count; k++)
            if ((k == 0 || k > i) && covered(&all[i], &all[k]) > 0)
                all[i].object.occluded = true;
    /* In the file the largest stands anywhere among them. */
    uint32_t order[DRAWING_OBJECTS];
    for (int i = 0; i < d->count; i++)
        order[i] = (uint32_t)i;
    philox_shuffle(&c->rng, order, (size_t)d->count);
    for (int i = 0; i < d->count; i++)
        d->objects[i] = all[order[i]].object;
}

int drawing_make(drawing *d, int size, uint64_t seed, uint32_t number, error *e)
{
    canvas c = {.size = size, .rng = philox_start(seed, PHILOX_STREAM(PURPOSE_DEMO, number))};
    *d = (drawing){0};
    choose_shape(&c);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, c.width, c.height);
    c.cr = cairo_create(surface);
    int code = figure_cairo_failed(surface, c.cr, e);
    if (!code) {
        errno = 0;
        cairo_set_fill_rule(c.cr, CAIRO_FILL_RULE_WINDING);
        paint_background(&c);
        paint_clutter(&c);
        paint_objects(&c, d);
        code = figure_cairo_failed(surface, c.cr, e);
        /* where cairo 1.16 goes on without what it was refused, malloc has left a trace */
        if (!code && errno == ENOMEM)
            code = fail_system(e, "cannot draw");
    }
    if (!code)
        code = develop(&c, surface, &d->p, e);
    cairo_destroy(c.cr);
    cairo_surface_destroy(surface);
    return code;
}

void drawing_free(drawing *d)
{
    picture_free(&d->p);
    d->count = 0;
}
