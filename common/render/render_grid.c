/* Predictions on their pictures, in the order of pred.tsv, a panel for each picture: its row, or with kind objects all
 * its rows. With --images a picture is the file and the boxes are those in
 * its own pixels; with --cache it is the square that the network saw and the boxes are those of the frame columns. The
 * truth, when annotations are given, is the image's largest object, or all of them, moved into the same pixels.
 */
#include "render/render.h"

#include "base/file.h"
#include "image/cache.h"
#include "render/draw.h"
#include "render/figure.h"
#include "image/picture_file.h"
#include "voc/anno.h"
#include "voc/pred.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the panels are drawn from. */
typedef struct grid {
    const render_request *r;
    bool all; /* objects, not the largest one alone */
    pred_table pred;
    anno_table anno;
    cache *cache; /* NULL: pictures of their own size from r->images */
    sampler *sampler;
    float *pixels; /* size x size x 3 */
} grid;

/* The square picture that the network saw. */
static int load_square(const grid *g, const pred_row *row, picture *p, error *e)
{
    size_t at;
    if (cache_rows(g->cache, &row->file_name, 1, &at, e))
        return e->code;
    scaled_picture scaled = cache_at(g->cache, at);
    int size = cache_size(g->cache);
    int code = sample_make(g->sampler, &scaled, NULL, NULL, NULL, g->pixels, NULL, e);
    return code ? code : render_floats(p, g->pixels, size, size, e);
}

static int load_own(const grid *g, const pred_row *row, picture *p, error *e)
{
    char *path = path_join(g->r->images, row->file_name, e);
    int code = path ? picture_load(p, path, NULL, e) : ERR_SYSTEM;
    free(path);
    return code;
}

/* An annotated object as a mark in the panel's pixels. Where all are shown, their classes would cover the others. */
static draw_mark truth_mark(const grid *g, const anno_row *truth, const anno_image *image, bool label)
{
    const box b = g->cache ? box_validation(truth->box, image->height, image->width, cache_size(g->cache)) : truth->box;
    return (draw_mark){true, box_to_real(b), label ? truth->category : NULL, DRAW_TRUTH};
}

/* Adds the truth of the panel whose first row is `row`. */
static void add_truth(const grid *g, const pred_row *row, draw_mark *marks, size_t *count)
{
    const anno_image *image = anno_find(&g->anno, row->file_name);
    const anno_row *largest = image ? anno_largest(&g->anno, image) : NULL;
    if (largest && !g->all) {
        marks[*count] = truth_mark(g, largest, image, row->category);
        marks[(*count)++].has_box = row->has_box;
    }
    for (uint32_t i = 0; image && g->all && i < image->count; i++)
        if (!g->anno.rows[image->rows[i]].ignore)
            marks[(*count)++] = truth_mark(g, &g->anno.rows[image->rows[i]], image, false);
}

static void print_prediction(text_buffer *printed, const pred_row *row, const box_real *b)
{
    text_add(printed, row->category ? "%s %s" : "%s", row->file_name, row->category);
    if (b) {
        box_xywh x = box_to_xywh(*b);
        text_add(printed, " (%.2f,%.2f,%.2f,%.2f)", x.x, x.y, x.width, x.height);
    }
    text_add(printed, "\n");
}

/* The marks of a panel with `rows` rows: its predictions, those of all objects from --min on, and the truth. */
static size_t list_marks(const grid *g, const pred_row *row, size_t rows, draw_mark *marks, text_buffer *printed)
{
    size_t count = 0;
    for (size_t i = 0; i < rows; i++) {
        const pred_row *p = row + i;
        const box_real *b = !p->has_box ? NULL : g->cache ? &p->frame : &p->box;
        if (g->all && !(b && p->probability >= g->r->least))
            continue;
        marks[count++] = (draw_mark){b != NULL, b ? *b : (box_real){0}, p->category, DRAW_WHITE};
        print_prediction(printed, p, b);
    }
    add_truth(g, row, marks, &count);
    return count;
}

static int draw_panel(figure *f, const grid *g, figure_rect cell, const pred_row *row, size_t rows,
                      text_buffer *printed, error *e)
{
    picture p = {0};
    const anno_image *image = anno_find(&g->anno, row->file_name);
    draw_mark *marks = mem_zero(rows + (image ? image->count : 0), sizeof *marks, "boxes", e);
    if (marks && !(g->cache ? load_square(g, row, &p, e) : load_own(g, row, &p, e))) {
        const size_t count = list_marks(g, row, rows, marks, printed);
        draw_marked(f, cell, &p, marks, count, g->r->label_size > 0 ? g->r->label_size : DRAW_LABEL_POINTS, e);
    }
    free(marks);
    picture_free(&p);
    return e->code;
}

/* How many rows from `first` on are of one picture. */
static size_t rows_of_picture(const pred_table *t, size_t first)
{
    size_t n = 1;
    while (first + n < t->count && strcmp(t->rows[first + n].file_name, t->rows[first].file_name) == 0)
        n++;
    return n;
}

static int draw_grid(const grid *g, text_buffer *printed, error *e)
{
    const render_request *r = g->r;
    figure f = {0};
    size_t first = 0, rows_here = 0;
    for (int64_t i = 0; i < r->first; i++)
        first += rows_of_picture(&g->pred, first);
    int rows = r->rows ? (int)r->rows : 3, columns = r->columns ? (int)r->columns : 4;
    size_t cells = (size_t)rows * (size_t)columns;
    const bool boxes = g->all || g->pred.rows[first].has_box;
    if (render_open(&f, r, boxes ? 12 : 16, boxes ? 8 : 12, e))
        return e->code;
    figure_rect area = figure_inside(&f, 10);
    if (r->anno) {
        figure_font(&f, 10, false);
        figure_set_colour(&f, FIGURE_BLACK);
        area.height -= 20;
        figure_text(&f, f.width / 2.0, f.height - 9, ALIGN_CENTRE, "white: predicted, green: annotated");
    }
    for (size_t i = 0; i < cells && first < g->pred.count && !e->code; i++, first += rows_here) {
        rows_here = rows_of_picture(&g->pred, first);
        draw_panel(&f, g, figure_cell(area, rows, columns, (int)i, 10), &g->pred.rows[first], rows_here, printed, e);
    }
    if (!e->code)
        render_save(&f, r, e);
    figure_close(&f);
    return e->code;
}

static int open_cache(grid *g, error *e)
{
    const render_request *r = g->r;
    g->cache = cache_open(r->cache, e);
    if (!g->cache)
        return e->code;
    int size = cache_size(g->cache);
    bool boxes = false;
    for (size_t i = 0; i < g->pred.count; i++)
        boxes = boxes || g->pred.rows[i].has_box;
    if (boxes && g->pred.frame == 0)
        return fail(e, ERR_INPUT, "%s: has no boxes in the %d x %d frame; predict with --frame %d, or give --images",
                    r->pred, size, size, size);
    if (boxes && g->pred.frame != size)
        return fail(e, ERR_INPUT, "%s: its frame is %d, the pictures of %s are %d", r->pred, g->pred.frame, r->cache,
                    size);
    g->sampler = sampler_create(size, e);
    g->pixels = mem_zero((size_t)size * (size_t)size * 3, sizeof(float), "a picture", e);
    return g->sampler && g->pixels ? 0 : e->code;
}

int render_grid(const render_request *r, text_buffer *printed, error *e)
{
    grid g = {.r = r, .all = strcmp(r->kind, "objects") == 0};
    if (!r->images == !r->cache)
        return fail(e, ERR_USAGE, "--kind %s needs --images DIR or --cache FILE, one of them", r->kind);
    if (!(g.all ? pred_read_all : pred_read)(&g.pred, r->pred, e) && g.pred.file_names.count <= (size_t)r->first)
        fail(e, ERR_INPUT, "%s: holds predictions of %zu pictures, none from number %lld on", r->pred,
             g.pred.file_names.count, (long long)r->first);
    if (!e->code && (!r->anno || !anno_read(&g.anno, r->anno, e)) && (!r->cache || !open_cache(&g, e)))
        draw_grid(&g, printed, e);
    free(g.pixels);
    sampler_free(g.sampler);
    cache_close(g.cache);
    anno_free(&g.anno);
    pred_free(&g.pred);
    return e->code;
}
