/* A picture of the cache as the network sees it: once as it validates, or several times as it trains, each time
 * augmented by other random numbers. The pictures come from the sampler that feeds trainings, so that what is drawn is
 * what is learnt. subject_open finds the picture and its largest object; the two kinds differ in what they make of it.
 */
#include "render/render.h"

#include "image/augment.h"
#include "image/cache.h"
#include "render/draw.h"
#include "render/figure.h"
#include "voc/anno.h"
#include "voc/name_list.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One picture of the cache, and its largest object where annotations are given. */
typedef struct subject {
    const render_request *r;
    cache *cache;
    sampler *sampler;
    float *pixels; /* size x size x 3 */
    int size;
    anno_table anno;
    names list;
    scaled_picture scaled;
    const anno_row *largest; /* NULL without annotations */
} subject;

static void subject_close(subject *s)
{
    free(s->pixels);
    sampler_free(s->sampler);
    cache_close(s->cache);
    anno_free(&s->anno);
    names_free(&s->list);
}

/* ---------------------------------------------------------------- which picture */

static int add_name(void *list, const char *name, error *e)
{
    size_t number;
    return names_add(list, name, strlen(name), &number, e);
}

/* The name in the list, or the one that --image means. */
static int subject_name(subject *s, const char **name, error *e)
{
    const render_request *r = s->r;
    if (!r->image == !r->val)
        return fail(e, ERR_USAGE, "--kind %s needs --image NAME or --val FILE, one of them; see --help", r->kind);
    if (r->val) {
        names known = {0};
        int code = cache_each_name(s->cache, add_name, &known, e);
        if (!code)
            code = name_list_read_all(&s->list, r->val, &known, r->cache, e);
        names_free(&known);
        if (!code && s->list.count <= (size_t)r->first)
            code = fail(e, ERR_INPUT, "%s: holds %zu file names, none with number %lld (from 0)", r->val, s->list.count,
                        (long long)r->first);
        if (!code)
            *name = s->list.items[r->first];
        return code;
    }
    const anno_image *image = r->anno ? render_find_image(&s->anno, r->image) : NULL;
    *name = image ? image->file_name : r->image;
    for (size_t i = 0; !image && cache_find(s->cache, *name) < 0 && i < cache_count(s->cache); i++)
        if (render_is_stem(r->image, cache_at(s->cache, i).name))
            *name = cache_at(s->cache, i).name;
    return 0;
}

static int subject_truth(subject *s, error *e)
{
    const render_request *r = s->r;
    const anno_image *image = anno_find(&s->anno, s->scaled.name);
    if (!image)
        return fail(e, ERR_INPUT, "%s: holds no image '%s'", r->anno, s->scaled.name);
    if (image->width != s->scaled.original_width || image->height != s->scaled.original_height)
        return fail(e, ERR_INPUT, "%s: '%s' is %d x %d pixels, but %s says %d x %d (width x height)", r->cache,
                    s->scaled.name, s->scaled.original_width, s->scaled.original_height, r->anno, image->width,
                    image->height);
    s->largest = anno_largest(&s->anno, image);
    return s->largest ? 0 : fail(e, ERR_INPUT, "%s: every object of image '%s' is ignored", r->anno, s->scaled.name);
}

static int subject_open(subject *s, const render_request *r, error *e)
{
    const char *name = NULL;
    size_t row;
    *s = (subject){.r = r};
    if (r->anno && anno_read(&s->anno, r->anno, e))
        return e->code;
    s->cache = cache_open(r->cache, e);
    if (!s->cache || subject_name(s, &name, e))
        return e->code;
    s->size = cache_size(s->cache);
    if (cache_rows(s->cache, &name, 1, &row, e))
        return e->code;
    s->scaled = cache_at(s->cache, row);
    s->sampler = sampler_create(s->size, e);
    s->pixels = mem_zero((size_t)s->size * (size_t)s->size * 3, sizeof *s->pixels, "a picture", e);
    if (!s->sampler || !s->pixels)
        return e->code;
    return r->anno ? subject_truth(s, e) : 0;
}

static int draw_square(figure *f, figure_rect cell, const subject *s, const draw_mark *mark, error *e)
{
    picture p = {0};
    double points = s->r->label_size > 0 ? s->r->label_size : DRAW_LABEL_POINTS;
    int code = render_floats(&p, s->pixels, s->size, s->size, e);
    if (!code)
        code = draw_marked(f, cell, &p, mark, mark != NULL, points, e);
    picture_free(&p);
    return code;
}

static void print_subject(const subject *s, text_buffer *printed)
{
    text_add(printed, "%s\n(%d,%d,3)\n", s->scaled.name, s->size, s->size);
}

/* "(x,y,width,height)" without a newline. */
static void print_box(text_buffer *printed, box_real corners)
{
    box_xywh b = box_to_xywh(corners);
    text_add(printed, "(%.0f,%.0f,%.0f,%.0f)", b.x, b.y, b.width, b.height);
}

/* ---------------------------------------------------------------- as it validates */

int render_sample(const render_request *r, text_buffer *printed, error *e)
{
    subject s;
    float c[4] = {0};
    draw_mark mark = {.has_box = true, .colour = DRAW_WHITE};
    figure f = {0};
    if (!subject_open(&s, r, e) &&
        !sample_make(s.sampler, &s.scaled, NULL, NULL, s.largest ? &s.largest->box : NULL, s.pixels, c, e))
        print_subject(&s, printed);
    if (!e->code && s.largest) {
        mark.box = box_from_floats(c);
        mark.label = s.largest->category;
        print_box(printed, mark.box);
        text_add(printed, " %s\ny1 x1 y2 x2: %.0f %.0f %.0f %.0f\n", mark.label, (double)c[0], (double)c[1],
                 (double)c[2], (double)c[3]);
    }
    if (!e->code && !render_open(&f, r, 7.5, 4.5, e) &&
        !draw_square(&f, figure_inside(&f, 8), &s, s.largest ? &mark : NULL, e))
        render_save(&f, r, e);
    figure_close(&f);
    subject_close(&s);
    return e->code;
}

/* ---------------------------------------------------------------- as it trains */

/* "rotate=30,0.75" */
static int parse_augment(augment_list *list, const char *text, error *e)
{
    char name[32];
    double numbers[4];
    text_field fields[4];
    size_t size = strcspn(text, "="), count = 0;
    if (size >= sizeof name)
        return fail(e, ERR_USAGE,
                    "--augment: '%s' is not known; there are flip, rotate, lighting, crop, zoom and colour", text);
    memcpy(name, text, size);
    name[size] = 0;
    if (text[size])
        count = text_split(text + size + 1, strlen(text + size + 1), ',', fields, 4);
    for (size_t i = 0; i < count && i < 4; i++)
        if (!text_double(fields[i].text, fields[i].size, &numbers[i]))
            return fail(e, ERR_USAGE, "--augment %s: '%.*s' is not a number", text, (int)fields[i].size,
                        fields[i].text);
    error why = {0};
    return augment_add(list, name, numbers, (int)count, &why)
               ? fail(e, why.code == ERR_INPUT ? ERR_USAGE : why.code, "--augment: %s", why.text)
               : 0;
}

/* Those of the lesson, unless others are given. */
static int augments_of(const render_request *r, augment_list *list, error *e)
{
    static const char *const lesson[] = {"flip=0.5", "rotate=30,0.75", "lighting=0.1,0.1"};
    const char *const *items = r->augments.count ? r->augments.items : lesson;
    size_t count = r->augments.count ? r->augments.count : COUNT(lesson);
    int code = 0;
    *list = (augment_list){0};
    for (size_t i = 0; i < count && !code; i++)
        code = parse_augment(list, items[i], e);
    return code;
}

/* What was done, behind the box: " flip rotate 12.34". */
static void print_states(text_buffer *printed, const augment_list *list, const augment_state *states)
{
    for (int i = 0; i < list->count; i++)
        if (list->items[i].kind == AUGMENT_LIGHTING)
            text_add(printed, " lighting %+.3f x%.3f", states[i].brightness, states[i].contrast);
        else if (list->items[i].kind == AUGMENT_COLOUR)
            text_add(printed, " colour x%.3f %+.3f", states[i].saturation, states[i].hue);
        else if (states[i].taken && list->items[i].kind == AUGMENT_ROTATE)
            text_add(printed, " rotate %+.2f", states[i].angle);
        else if (states[i].taken && list->items[i].kind == AUGMENT_CROP)
            text_add(printed, " crop %.3f", states[i].share);
        else if (states[i].taken && list->items[i].kind == AUGMENT_ZOOM)
            text_add(printed, " zoom x%.3f", states[i].times);
        else if (states[i].taken)
            text_add(printed, " %s", augment_name(list->items[i].kind));
    text_add(printed, "\n");
}

static int draw_augmented(const subject *s, figure *f, figure_rect cell, const augment_list *list, uint32_t number,
                          text_buffer *printed, error *e)
{
    augment_state states[AUGMENT_MAX];
    philox random = augment_random((uint64_t)s->r->seed, number, 0);
    augment_draw(list, &random, states);
    float corners[4];
    int code = sample_make(s->sampler, &s->scaled, list, states, &s->largest->box, s->pixels, corners, e);
    if (code)
        return code;
    /* a subject has a largest object NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    const box_real b = s->r->leave_boxes ? box_to_real(s->largest->box) : box_from_floats(corners);
    code = draw_square(f, cell, s, &(draw_mark){true, b, NULL, DRAW_WHITE}, e);
    print_box(printed, b);
    print_states(printed, list, states);
    return code;
}

int render_augment(const render_request *r, text_buffer *printed, error *e)
{
    subject s = {0};
    augment_list list;
    figure f = {0};
    int rows = r->rows ? (int)r->rows : 3, columns = r->columns ? (int)r->columns : 3;
    int code = augments_of(r, &list, e);
    if (!code && !(code = subject_open(&s, r, e))) {
        print_subject(&s, printed);
        code = render_open(&f, r, 9, 9, e);
    }
    for (int i = 0; i < rows * columns && !code; i++)
        code = draw_augmented(&s, &f, figure_cell(figure_inside(&f, 10), rows, columns, i, 10), &list, (uint32_t)i,
                              printed, e);
    if (!code && r->leave_boxes && (s.largest->box.y1 >= s.size || s.largest->box.x1 >= s.size))
        text_add(printed, "the boxes lie outside of the square\n");
    if (!code)
        code = render_save(&f, r, e);
    figure_close(&f);
    subject_close(&s);
    return code;
}
