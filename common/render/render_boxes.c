/* Objects as they are annotated, on a picture of the folder: all of an image's, or the largest one. */
#include "render/render.h"

#include "base/file.h"
#include "render/draw.h"
#include "render/figure.h"
#include "image/picture_file.h"
#include "voc/anno.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool render_is_stem(const char *name, const char *file_name)
{
    const char *dot = strrchr(file_name, '.');
    size_t stem = dot ? (size_t)(dot - file_name) : 0;
    return stem && stem == strlen(name) && memcmp(name, file_name, stem) == 0;
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
        code = fail(e, ERR_INPUT, "%s: is %d x %d pixels, but %s says %d x %d (width x height)", path,
                    p->width, p->height, r->anno, image->width, image->height);
        picture_free(p);
    }
    free(path);
    return code;
}

static void print_object(text_buffer *printed, const anno_row *row)
{
    box_xywh b = box_to_xywh(box_to_real(row->box));
    text_add(printed, "(%.0f,%.0f,%.0f,%.0f) %s\n", b.x, b.y, b.width, b.height, row->category);
}

static int draw_rows(const render_request *r, const anno_image *image, const anno_row **rows, size_t count,
                     double width, double height, text_buffer *printed, error *e)
{
    picture p = {0};
    figure f = {0};
    draw_mark *marks = mem_zero(count, sizeof *marks, "boxes", e);
    int code = marks ? load_image(&p, image, r, e) : ERR_SYSTEM;
    if (!code)
        text_add(printed, "(%d,%d,3)\n", p.height, p.width);
    for (size_t i = 0; i < count && !code; i++) {
        marks[i] = (draw_mark){true, box_to_real(rows[i]->box), rows[i]->category, DRAW_WHITE};
        print_object(printed, rows[i]);
    }
    if (!code)
        code = render_open(&f, r, width, height, e);
    if (!code) {
        draw_view view = draw_place(figure_inside(&f, 8), p.width, p.height);
        code = draw_picture(&f, view, &p, e);
        if (!code)
            code = draw_marks(&f, view, marks, count,
                              r->label_size > 0 ? r->label_size : DRAW_LABEL_POINTS_LARGE, e);
    }
    if (!code)
        code = render_save(&f, r, e);
    figure_close(&f);
    picture_free(&p);
    free(marks);
    return code;
}

/* largest: the one object. Otherwise all of them; an image with nothing but ignored ones is shown bare. */
static int render_image(const render_request *r, bool largest, text_buffer *printed, error *e)
{
    anno_table t = {0};
    const anno_row **rows = NULL;
    size_t count = 0;
    int code = anno_read(&t, r->anno, e);
    const anno_image *image = code ? NULL : render_find_image(&t, r->image);
    if (!code && !image)
        code = fail(e, ERR_INPUT, "%s: holds no image '%s'", r->anno, r->image);
    if (!code && largest) {
        const anno_row *row = anno_largest(&t, image);
        if (row)
            code = draw_rows(r, image, &row, 1, 5, 10, printed, e);
        else
            code = fail(e, ERR_INPUT, "%s: every object of image '%s' is ignored", r->anno, r->image);
    } else if (!code) {
        rows = mem_zero(image->count, sizeof *rows, "boxes", e);
        code = rows ? 0 : ERR_SYSTEM;
        for (uint32_t i = 0; i < image->count && !code; i++)
            if (!t.rows[image->rows[i]].ignore)
                rows[count++] = &t.rows[image->rows[i]];
        if (!code)
            code = draw_rows(r, image, rows, count, 7.5, 4.5, printed, e);
    }
    free(rows);
    anno_free(&t);
    return code;
}

int render_boxes(const render_request *r, text_buffer *printed, error *e)
{
    return render_image(r, false, printed, e);
}

int render_largest(const render_request *r, text_buffer *printed, error *e)
{
    return render_image(r, true, printed, e);
}
