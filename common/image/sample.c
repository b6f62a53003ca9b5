/* A picture goes through its stages in two buffers that change places: bytes become floats, the augmentations follow,
 * and in the end it is squashed to a square. What goes along with it takes each stage as the picture does: the lesson's
 * box as a mask (boxmask.h), objects as edges in real numbers. */
#include "image/sample.h"

#include "image/lanes.h"
#include "image/resize.h"
#include "image/warp.h"

#include <math.h>
#include <stdlib.h>

struct sampler {
    int size;
    float *now, *next; /* the picture between stages, and where a stage writes */
    size_t now_size, next_size;
    int *columns;
    size_t columns_size;
    resize_scratch resize;
    int height, width; /* of the picture in `now` */
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

/* One stage: the picture is changed; m is the map of a rotation that was taken. */
static void change_picture(sampler *s, const augment *a, const augment_state *state, double m[6])
{
    const int h = s->height, w = s->width;
    switch (a->kind) {
    case AUGMENT_FLIP:
        if (state->taken)
            augment_flip(s->now, h, w);
        break;
    case AUGMENT_ROTATE:
        if (!state->taken)
            break;
        warp_rotation(state->angle, h, w, m);
        warp_linear(s->now, h, w, m, s->next, s->columns);
        float *t = s->now;
        s->now = s->next;
        s->next = t;
        size_t n = s->now_size;
        s->now_size = s->next_size;
        s->next_size = n;
        break;
    case AUGMENT_LIGHTING:
        augment_lighting(s->now, h, w, state->brightness, state->contrast);
        break;
    }
}

/* The same stage for a box as boxmask.h has it. */
static box change_box(box b, int h, int w, const augment *a, const augment_state *state, const double m[6])
{
    if (a->kind == AUGMENT_LIGHTING)
        return b;
    if (!state->taken)
        return box_pass(b, h, w);
    return a->kind == AUGMENT_FLIP ? box_flip(b, h, w) : box_rotate(b, h, w, m);
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
static box_real change_edges(box_real b, int w, const augment *a, const augment_state *state, const double m[6])
{
    if (a->kind == AUGMENT_LIGHTING || !state->taken)
        return b;
    return a->kind == AUGMENT_FLIP ? (box_real){b.y1, w - b.x2, b.y2, w - b.x1} : turn_edges(b, m);
}

static box_real scale_edges(box_real b, double y, double x)
{
    return (box_real){b.y1 * y, b.x1 * x, b.y2 * y, b.x2 * x};
}

/* Cuts the edges off at the frame. */
static sample_object cut_edges(box_real b, double size)
{
    const box_real in = {fmax(b.y1, 0), fmax(b.x1, 0), fmin(b.y2, size), fmin(b.x2, size)};
    const double height = fmax(in.y2 - in.y1, 0), width = fmax(in.x2 - in.x1, 0);
    return (sample_object){in, height * width / ((b.y2 - b.y1) * (b.x2 - b.x1))};
}

/* What goes along with a picture: one box as a mask, or objects as edges; either may be missing. */
typedef struct companions {
    const box *raw;
    float *target;
    const box *raws;
    int count;
    sample_object *objects;
} companions;

static int make(sampler *s, const scaled_picture *from, const augment_list *list, const augment_state *states,
                const companions *c, float *pixels, error *e)
{
    const int h = from->height, w = from->width;
    if (grow_buffers(s, h, w, e))
        return ERR_SYSTEM;
    s->height = h;
    s->width = w;
    floats_from_bytes(from->pixels, s->now, 3 * (size_t)h * (size_t)w);

    box b = {0};
    if (c->raw)
        b = box_resize(*c->raw, from->original_height, from->original_width, h, w);
    for (int k = 0; k < c->count; k++) {
        const box r = c->raws[k];
        c->objects[k].edges = scale_edges((box_real){r.y1, r.x1, r.y2 + 1.0, r.x2 + 1.0},
                                          (double)h / from->original_height, (double)w / from->original_width);
    }
    for (int i = 0; list && i < list->count; i++) {
        double m[6] = {0};
        const int stage_h = s->height, stage_w = s->width;
        change_picture(s, &list->items[i], &states[i], m);
        if (c->raw)
            b = change_box(b, stage_h, stage_w, &list->items[i], &states[i], m);
        for (int k = 0; k < c->count; k++)
            c->objects[k].edges = change_edges(c->objects[k].edges, stage_w, &list->items[i], &states[i], m);
    }

    const int size = s->size;
    int code = resize_area(s->now, s->height, s->width, pixels, size, size, &s->resize, e);
    if (!code && c->raw)
        box_to_floats(box_to_real(box_resize(b, s->height, s->width, size, size)), c->target);
    for (int k = 0; k < c->count; k++)
        c->objects[k] = cut_edges(scale_edges(c->objects[k].edges, (double)size / s->height, (double)size / s->width),
                                  (double)size);
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
