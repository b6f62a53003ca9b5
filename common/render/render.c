/* The table of kinds, and what all of them share: the figure that --figure asks for, saving, and --check. */
#include "render/render.h"

#include "base/file.h"
#include "render/figure.h"
#include "image/picture_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- kinds and what they need */

typedef struct render_kind {
    const char *name;
    int (*draw)(const render_request *r, text_buffer *printed, error *e);
    const char *needs; /* options, blank between; all must be given */
} render_kind;

static const render_kind kinds[] = {
    {"boxes", render_boxes, "anno images image"},
    {"largest", render_boxes, "anno images image"},
    {"grid", render_grid, "pred"},
    {"objects", render_grid, "pred"},
    {"sample", render_sample, "cache"},
    {"augment", render_augment, "cache anno"},
    {"curves", render_curves, "history"},
    {"lr-find", render_lr_find, "lr"},
    {"schedule", render_schedule, "batches"},
};

static bool is_given(const render_request *r, const char *name, size_t size)
{
    const struct {
        const char *name, *value;
    } options[] = {{"anno", r->anno}, {"images", r->images},   {"image", r->image},     {"pred", r->pred},
                   {"lr", r->lr},     {"history", r->history}, {"batches", r->batches}, {"cache", r->cache}};
    for (size_t i = 0; i < COUNT(options); i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return options[i].value != NULL;
    return false;
}

/* The kind of that name when all that it needs is given; NULL with e set otherwise. */
static const render_kind *kind_of(const render_request *r, error *e)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, r->kind) != 0)
            continue;
        for (const char *need = kinds[i].needs; *need; need += *need == ' ') {
            size_t size = strcspn(need, " ");
            if (!is_given(r, need, size)) {
                fail(e, ERR_USAGE, "--kind %s needs --%.*s; see --help", r->kind, (int)size, need);
                return NULL;
            }
            need += size;
        }
        return &kinds[i];
    }
    fail(e, ERR_USAGE, "--kind %s is not known; see --help", r->kind);
    return NULL;
}

int render_picture(const render_request *r, text_buffer *printed, error *e)
{
    const render_kind *kind = kind_of(r, e);
    if (!kind || figure_check_name(r->output, e))
        return e->code;
    int code = kind->draw(r, printed, e);
    if (!code && !(code = text_done(printed, e)) && r->values)
        code = file_write(r->values, printed->data, printed->size, e);
    return code;
}

/* ---------------------------------------------------------------- the sheet */

int render_open(figure *f, const render_request *r, double width, double height, error *e)
{
    if (r->figure) {
        const char *cross = strchr(r->figure, 'x');
        if (!cross || !text_double(r->figure, (size_t)(cross - r->figure), &width) ||
            !text_double(cross + 1, strlen(cross + 1), &height))
            return fail(e, ERR_USAGE, "--figure needs WIDTHxHEIGHT in inches such as 12x8, not '%s'", r->figure);
    }
    return figure_open(f, width, height, e);
}

int render_save(figure *f, const render_request *r, error *e)
{
    int code = r->trim ? figure_trim(f, 8, e) : 0;
    return code ? code : figure_save(f, r->output, e);
}

int render_floats(picture *p, const float *pixels, int height, int width, error *e)
{
    int code = picture_new(p, width, height, e);
    for (size_t i = 0; !code && i < (size_t)height * (size_t)width * 3; i++)
        p->pixels[i] = (uint8_t)lrintf(fminf(fmaxf(pixels[i], 0), 1) * 255);
    return code;
}

int render_check(const char *path, error *e)
{
    file_view file;
    int code = file_open(&file, path, e);
    if (code)
        return code;
    picture p = {0};
    code = picture_decode(&p, file.data, file.size, path, NULL, e);
    picture_free(&p);
    file_close(&file);
    return code;
}
