/* Objects as they are annotated, on a picture of the folder: all of an image's, or the largest one. */
#include "render/render.h"

#include "base/file.h"
#include "render/draw.h"
#include "render/figure.h"
#include "image/picture_file.h"
#include "voc/anno.h"

#include <stdlib.h>
#include <string.h>

bool render_is_stem(const char *name, const char *file_name)
{
    size_t stem = names_stem(file_name);
    return stem < strlen(file_name) && stem == strlen(name) && memcmp(name, file_name, stem) == 0;
}

const anno_image *render_find_image(const anno_table *t, const char *name)
{
    const anno_image *found = anno_find(t, name);
    int64_t id;
    if (!found && text_int(name, strlen(name), 0, ANNO_ID_MAX, &id))
        found = anno_find_id(t, id);
    for (size_t i = 0; !found && i < t->image_count; i++)
        if (render_is_stem(name, t->images[i].file_name))
            found = &t->images[i];
    return found;
}

/* The picture of an annotated image, which must have the size that the annotations say. */
static int load_image(picture *p, const anno_image *image, const render_request *r, error *e)
{
    char *path = path_join(r->images, image->file_name, e);
    int code = path ? picture_load(p, path, NULL, e) : ERR_SYSTEM;
    if (!code && (p->width != image->width || p->height != image->height)) {
        code = fail(e, ERR_INPUT, "%s: is %d x %d pixels, but %s says %d x %d (width x height)", path, p->width,
                    p->height, r->anno, image->width, image->height);
        picture_free(p);
    }
    free(path);
    return code;
}

int render_boxes(const render_request *r, text_buffer *printed, error *e)
{
    const bool largest = strcmp(r->kind, "largest") == 0;
    const double points = r->label_size > 0 ? r->label_size : DRAW_LABEL_POINTS_LARGE;
    anno_table t = {0};
    picture p = {0};
    figure f = {0};
    draw_mark *marks = NULL;
    size_t count = 0;
    const anno_image *image = anno_read(&t, r->anno, e) ? NULL : render_find_image(&t, r->image);
    const anno_row *only = image && largest ? anno_largest(&t, image) : NULL;
    if (!image)
        fail(e, ERR_INPUT, "%s: holds no image '%s'", r->anno, r->image);
    else if (largest && !only)
        fail(e, ERR_INPUT, "%s: every object of image '%s' is ignored", r->anno, r->image);
    else if ((marks = mem_zero(image->count, sizeof *marks, "boxes", e)) && !load_image(&p, image, r, e))
        text_add(printed, "(%d,%d,3)\n", p.height, p.width);
    /* no image, no marks: an error NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    for (uint32_t i = 0; !e->code && i < image->count; i++) {
        const anno_row *row = &t.rows[image->rows[i]];
        if (row->ignore || (largest && row != only))
            continue;
        const box_xywh b = box_to_xywh(box_to_real(row->box));
        text_add(printed, "(%.0f,%.0f,%.0f,%.0f) %s\n", b.x, b.y, b.width, b.height, row->category);
        /* as said NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        marks[count++] = (draw_mark){true, box_to_real(row->box), row->category, DRAW_WHITE};
    }
    if (!e->code && !render_open(&f, r, largest ? 5 : 7.5, largest ? 10 : 4.5, e) &&
        !draw_marked(&f, figure_inside(&f, 8), &p, marks, count, points, e))
        render_save(&f, r, e);
    figure_close(&f);
    picture_free(&p);
    free(marks);
    anno_free(&t);
    return e->code;
}
