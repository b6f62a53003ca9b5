#include "front/predict_draw.h"

#include "base/text.h"
#include "render/draw.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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

static char *drawing_path(const char *dir, const char *name, error *e)
{
    const char *dot = strrchr(name, '.');
    bool jpeg = dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
    bool png = dot && strcasecmp(dot, ".png") == 0;
    text_buffer b = {0};
    if (text_append(&b, e, "%s/%s%s", dir, name, jpeg || png ? "" : ".png")) {
        text_free(&b);
        return NULL;
    }
    return b.data;
}

static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
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
    else if (!list->cache && same_file(path, list->paths[p->item]))
        code = fail(e, ERR_USAGE,
                    "%s: is the picture itself and would be overwritten; save into another folder", path);
    else
        code = draw_save(&picture_drawn, &mark, 1, path, e);
    free(path);
    picture_free(&picture_drawn);
    return code;
}
