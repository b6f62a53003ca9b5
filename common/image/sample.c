/* A sample goes through its stages in two buffers that grow with the pictures and change places. Each stage changes the
 * picture and tells how it moved it; box and objects follow by that: the lesson's box as a mask (boxmask.h), objects as
 * edges in real numbers, cut off at each stage's frame, so that what left the picture once does not come back on a
 * larger canvas. */
#include "image/sample.h"

#include "image/lanes.h"
#include "image/resize.h"
#include "image/warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sampler {
    int size;
    float *now, *next; /* the picture between stages, and where a stage writes */
    size_t now_size, next_size;
    int *columns;
    size_t columns_size;
    resize_scratch resize;
    int height, width; /* of the picture in `now` */
    bool blind;        /* there is none: only its size counts */
};

sampler *sampler_create(int size, error *e)
{
    sampler *s = mem_zero(1, sizeof *s, "a sampler", e);
    if (s)
        s->size = size;
    return s;
}

void sampler_free(sampler *s)
{
    if (!s)
        return;
    free(s->now);
    free(s->next);
    free(s->columns);
    resize_scratch_free(&s->resize);
    free(s);
}

static int grow_buffers(sampler *s, int height, int width, error *e)
{
    size_t floats = 3 * (size_t)height * (size_t)width + 4; /* moved four at a time */
    if (mem_grow(&s->now, &s->now_size, floats, sizeof *s->now, "a picture", e) ||
        mem_grow(&s->next, &s->next_size, floats, sizeof *s->next, "a picture", e) ||
        mem_grow(&s->columns, &s->columns_size, 2 * (size_t)width, sizeof *s->columns, "a picture row", e))
        return ERR_SYSTEM;
    return 0;
}

static void swap_buffers(sampler *s)
{
    float *t = s->now;
    s->now = s->next;
    s->next = t;
    size_t n = s->now_size;
    s->now_size = s->next_size;
    s->next_size = n;
}

/* The frame that crop and zoom put on a picture, in its pixels: inside of it or around it. */
typedef struct frame {
    int y, x, height, width;
} frame;

/* Along one side of `whole` pixels: makes *length long enough for what is kept, and returns where it starts. Nothing is
 * kept when first is not below end. */
static int place(double first, double end, int whole, int *length, double draw)
{
    int low = 0, high = whole - *length;
    if (first < end) {
        const int from = (int)floor(first), to = (int)ceil(end);
        *length = *length < to - from ? to - from : *length;
        low = to > *length ? to - *length : 0;
        high = from < whole - *length ? from : whole - *length;
    }
    return low + (int)(draw * (high - low + 1));
}

static int part(int whole, double share)
{
    const int n = (int)lround(whole * share);
    return n < 1 ? 1 : n > whole ? whole : n;
}

static frame crop_frame(const augment_state *state, int h, int w, box_real keep)
{
    frame f = {.height = part(h, sqrt(state->share / state->ratio)),
               .width = part(w, sqrt(state->share * state->ratio))};
    f.y = place(keep.y1, keep.y2, h, &f.height, state->y);
    f.x = place(keep.x1, keep.x2, w, &f.width, state->x);
    return f;
}

static frame zoom_frame(const augment_state *state, int h, int w)
{
    frame f = {.height = (int)lround(h * state->times), .width = (int)lround(w * state->times)};
    f.y = -(int)(state->y * (f.height - h + 1));
    f.x = -(int)(state->x * (f.width - w + 1));
    return f;
}

static void cut_out(sampler *s, const frame *f)
{
    for (size_t y = 0; y < (size_t)f->height; y++)
        memmove(s->now + 3 * y * (size_t)f->width, s->now + 3 * ((y + (size_t)f->y) * (size_t)s->width + (size_t)f->x),
                3 * (size_t)f->width * sizeof *s->now);
}

/* The canvas has ImageNet's mean colour, which is 0 to the network. */
static void paste(sampler *s, const frame *f)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    for (size_t i = 0; i < 3 * (size_t)f->height * (size_t)f->width; i++)
        s->next[i] = mean[i % 3];
    for (size_t y = 0; y < (size_t)s->height; y++)
        memcpy(s->next + 3 * ((y + (size_t)-f->y) * (size_t)f->width + (size_t)-f->x),
               s->now + 3 * y * (size_t)s->width, 3 * (size_t)s->width * sizeof *s->now);
    swap_buffers(s);
}

/* How a stage moves pixels: the map of a rotation that was taken, or the new frame. */
typedef struct move {
    double m[6];
    frame f;
} move;

/* One stage: the picture is changed. `keep` are the edges that crop leaves inside. */
static int change_picture(sampler *s, const augment *a, const augment_state *state, box_real keep, move *by, error *e)
{
    const int h = s->height, w = s->width;
    by->f = (frame){0, 0, h, w};
    if (a->kind == AUGMENT_LIGHTING && !s->blind)
        augment_lighting(s->now, h, w, state->brightness, state->contrast);
    if (a->kind == AUGMENT_COLOUR && !s->blind)
        augment_colour(s->now, h, w, state->saturation, state->hue);
    if (!state->taken)
        return 0;
    switch (a->kind) {
    case AUGMENT_FLIP:
        if (!s->blind)
            augment_flip(s->now, h, w);
        break;
    case AUGMENT_ROTATE:
        warp_rotation(state->angle, h, w, by->m);
        if (s->blind)
            break;
        if (grow_buffers(s, h, w, e))
            return ERR_SYSTEM;
        warp_linear(s->now, h, w, by->m, s->next, s->columns);
        swap_buffers(s);
        break;
    case AUGMENT_CROP:
        by->f = crop_frame(state, h, w, keep);
        if (!s->blind)
            cut_out(s, &by->f);
        break;
    case AUGMENT_ZOOM:
        by->f = zoom_frame(state, h, w);
        if (s->blind)
            break;
        if (grow_buffers(s, by->f.height, by->f.width, e))
            return ERR_SYSTEM;
        paste(s, &by->f);
        break;
    case AUGMENT_LIGHTING:
    case AUGMENT_COLOUR:
        break;
    }
    s->height = by->f.height;
    s->width = by->f.width;
    return 0;
}

/* The same stage for a box: as boxmask.h has it where the lesson's kinds are concerned; a new frame moves it. */
static box change_box(box b, int h, int w, const augment *a, const augment_state *state, const move *by)
{
    switch (a->kind) {
    case AUGMENT_FLIP:
        return state->taken ? box_flip(b, h, w) : box_pass(b, h, w);
    case AUGMENT_ROTATE:
        return state->taken ? box_rotate(b, h, w, by->m) : box_pass(b, h, w);
    case AUGMENT_CROP:
    case AUGMENT_ZOOM:
        return (box){b.y1 - by->f.y, b.x1 - by->f.x, b.y2 - by->f.y, b.x2 - by->f.x};
    case AUGMENT_LIGHTING:
    case AUGMENT_COLOUR:
        break;
    }
    return b;
}

/* The upright box around edges that turn with the picture. m maps a point of the target to one of the source, where the
 * middle of a pixel is a whole number; edges count from the pixel's border. */
static box_real turn_edges(box_real b, const double m[6])
{
    const double det = m[0] * m[4] - m[1] * m[3];
    const double ys[2] = {b.y1, b.y2}, xs[2] = {b.x1, b.x2};
    box_real r = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (int i = 0; i < 4; i++) {
        const double dx = xs[i % 2] - 0.5 - m[2], dy = ys[i / 2] - 0.5 - m[5];
        const double x = (m[4] * dx - m[1] * dy) / det + 0.5, y = (m[0] * dy - m[3] * dx) / det + 0.5;
        r = (box_real){fmin(r.y1, y), fmin(r.x1, x), fmax(r.y2, y), fmax(r.x2, x)};
    }
    return r;
}

/* The same stage for edges. */
static box_real change_edges(box_real b, int w, const augment *a, const augment_state *state, const move *by)
{
    if (!state->taken)
        return b;
    if (a->kind == AUGMENT_FLIP)
        return (box_real){b.y1, w - b.x2, b.y2, w - b.x1};
    if (a->kind == AUGMENT_ROTATE)
        return turn_edges(b, by->m);
    return (box_real){b.y1 - by->f.y, b.x1 - by->f.x, b.y2 - by->f.y, b.x2 - by->f.x};
}

static box_real scale_edges(box_real b, double y, double x)
{
    return (box_real){b.y1 * y, b.x1 * x, b.y2 * y, b.x2 * x};
}

/* Cuts the edges off at the frame, and counts what is left. */
static void cut_edges(sample_object *o, double height, double width)
{
    const box_real b = o->edges;
    if (o->left == 0)
        return;
    o->edges = (box_real){fmax(b.y1, 0), fmax(b.x1, 0), fmin(b.y2, height), fmin(b.x2, width)};
    o->left *=
        fmax(o->edges.y2 - o->edges.y1, 0) * fmax(o->edges.x2 - o->edges.x1, 0) / ((b.y2 - b.y1) * (b.x2 - b.x1));
}

/* What goes along with a picture: one box as a mask, or objects as edges; either may be missing. */
typedef struct companions {
    const box *raw;
    float *target;
    const box *raws;
    int count;
    sample_object *objects;
} companions;

/* The edges that a crop leaves inside: those of the box, or of the object that was drawn; none if there is nothing. */
static box_real kept(const companions *c, box b, const augment_state *state)
{
    if (c->raw)
        return (box_real){b.y1, b.x1, b.y2 + 1.0, b.x2 + 1.0};
    const sample_object *o = c->count ? &c->objects[(int)(state->object * c->count)] : NULL;
    return o && o->left > 0 ? o->edges : (box_real){0};
}

/* All augmentations, for the picture in s->now and what goes along with it. */
static int change(sampler *s, const augment_list *list, const augment_state *states, const companions *c, box *b,
                  error *e)
{
    int code = 0;
    for (int i = 0; i < list->count && !code; i++) {
        move by = {0};
        const int h = s->height, w = s->width;
        const augment *a = &list->items[i];
        code = change_picture(s, a, &states[i], kept(c, *b, &states[i]), &by, e);
        if (c->raw)
            *b = change_box(*b, h, w, a, &states[i], &by);
        for (int k = 0; k < c->count; k++) {
            c->objects[k].edges = change_edges(c->objects[k].edges, w, a, &states[i], &by);
            cut_edges(&c->objects[k], s->height, s->width);
        }
    }
    return code;
}

static int make(sampler *s, const scaled_picture *from, const augment_list *list, const augment_state *states,
                const companions *c, float *pixels, error *e)
{
    const int h = from->height, w = from->width, size = s->size;
    s->blind = !pixels;
    s->height = h;
    s->width = w;
    if (pixels && grow_buffers(s, h, w, e))
        return ERR_SYSTEM;
    if (pixels)
        floats_from_bytes(from->pixels, s->now, 3 * (size_t)h * (size_t)w);

    box b = {0};
    if (c->raw)
        b = box_resize(*c->raw, from->original_height, from->original_width, h, w);
    for (int k = 0; k < c->count; k++) {
        const box r = c->raws[k];
        c->objects[k] =
            (sample_object){scale_edges((box_real){r.y1, r.x1, r.y2 + 1.0, r.x2 + 1.0},
                                        (double)h / from->original_height, (double)w / from->original_width),
                            1};
        cut_edges(&c->objects[k], h, w);
    }
    int code = list ? change(s, list, states, c, &b, e) : 0;
    if (!code && pixels)
        code = resize_area(s->now, s->height, s->width, pixels, size, size, &s->resize, e);
    if (!code && c->raw)
        box_to_floats(box_to_real(box_resize(b, s->height, s->width, size, size)), c->target);
    for (int k = 0; k < c->count; k++) {
        const box_real r = scale_edges(c->objects[k].edges, (double)size / s->height, (double)size / s->width);
        c->objects[k].edges = (box_real){r.y1, r.x1, fmin(r.y2, size), fmin(r.x2, size)};
    }
    return code;
}

int sample_make(sampler *s, const scaled_picture *from, const augment_list *list, const augment_state *states,
                const box *raw, float *pixels, float target[4], error *e)
{
    return make(s, from, list, states, &(companions){.raw = raw, .target = target}, pixels, e);
}

int sample_make_objects(sampler *s, const scaled_picture *from, const augment_list *list, const augment_state *states,
                        const box *raws, int count, float *pixels, sample_object *objects, error *e)
{
    return make(s, from, list, states, &(companions){.raws = raws, .count = count, .objects = objects}, pixels, e);
}
