#include "front/predict_draw.h"

#include "base/file.h"
#include "base/text.h"
#include "render/draw.h"

#include <stdlib.h>
#include <string.h>

/* The picture to draw on. The one of a cache is copied, since drawing wants a picture of its own. */
static int picture_of(const picture_list *list, size_t item, picture *p, error *e)
{
    if (!list->cache)
        return picture_load(p, list->paths[item], NULL, e);
    scaled_picture s = cache_at(list->cache, list->rows[item]);
    int code = picture_new(p, s.width, s.height, e);
    if (!code)
        memcpy(p->pixels, s.pixels, (size_t)s.width * (size_t)s.height * 3);
    return code;
}

/* JPEG stays JPEG, all else becomes PNG. */
static char *drawing_path(const char *dir, const char *name, error *e)
{
    static const char *const kept[] = {".jpg", ".jpeg", ".png"};
    bool keep = false;
    for (size_t i = 0; i < COUNT(kept); i++)
        keep = keep || text_ends_with_any_case(name, kept[i]);
    text_buffer b = {0};
    text_add(&b, "%s/%s%s", dir, name, keep ? "" : ".png");
    if (text_done(&b, e))
        text_free(&b);
    return b.data;
}

int predict_draw(const picture_list *list, const prediction *p, const char *label, const char *dir, error *e)
{
    picture picture_drawn = {0};
    int code = picture_of(list, p->item, &picture_drawn, e);
    if (code)
        return code;
    double down = (double)picture_drawn.height / p->height, across = (double)picture_drawn.width / p->width;
    draw_mark mark = {.has_box = p->has_box,
                      .box = {p->own.y1 * down, p->own.x1 * across, p->own.y2 * down, p->own.x2 * across},
                      .label = label,
                      .colour = DRAW_WHITE};
    char *path = drawing_path(dir, p->file_name, e);
    if (!path)
        code = ERR_SYSTEM;
    else if (!list->cache && file_same(path, list->paths[p->item]))
        code = fail(e, ERR_USAGE,
                    "%s: is the picture itself and would be overwritten; save into another folder", path);
    else
        code = draw_save(&picture_drawn, &mark, 1, path, e);
    free(path);
    picture_free(&picture_drawn);
    return code;
}
