#include "image/sample.h"

#include "image/lanes.h"
#include "image/resize.h"
#include "image/warp.h"

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

static void apply_stage(sampler *s, const augment *a, const augment_state *state, box *b)
{
    const int h = s->height, w = s->width;
    double m[6];
    switch (a->kind) {
    case AUGMENT_FLIP:
        if (state->taken)
            augment_flip(s->now, h, w);
        *b = state->taken ? box_flip(*b, h, w) : box_pass(*b, h, w);
        break;
    case AUGMENT_ROTATE:
        if (!state->taken) {
            *b = box_pass(*b, h, w);
            break;
        }
        warp_rotation(state->angle, h, w, m);
        warp_linear(s->now, h, w, m, s->next, s->columns);
        float *t = s->now;
        s->now = s->next;
        s->next = t;
        size_t n = s->now_size;
        s->now_size = s->next_size;
        s->next_size = n;
        *b = box_rotate(*b, h, w, m);
        break;
    case AUGMENT_LIGHTING:
        augment_lighting(s->now, h, w, state->brightness, state->contrast);
        break;
    }
}

int sample_make(sampler *s, const scaled_picture *from, const augment_list *list, const augment_state *states,
                const box *raw, float *pixels, float target[4], error *e)
{
    const int h = from->height, w = from->width;
    if (grow_buffers(s, h, w, e))
        return ERR_SYSTEM;
    s->height = h;
    s->width = w;
    floats_from_bytes(from->pixels, s->now, 3 * (size_t)h * (size_t)w);

    box b = {0};
    if (raw)
        b = box_resize(*raw, from->original_height, from->original_width, h, w);
    for (int i = 0; list && i < list->count; i++)
        apply_stage(s, &list->items[i], &states[i], &b);

    int code = resize_area(s->now, h, w, pixels, s->size, s->size, &s->resize, e);
    if (!code && raw)
        box_to_floats(box_to_real(box_resize(b, h, w, s->size, s->size)), target);
    return code;
}
