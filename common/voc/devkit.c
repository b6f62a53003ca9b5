/* A folder becomes JSON in five steps: which files are annotations (layout.h, split_list.h), each of them read
 * (vocxml.h, yolo.h, coco.h) and joined with its picture, ids given to pictures and classes, and the JSON printed in
 * the form of fast.ai. Objects with nothing left inside their picture are counted and left out of the JSON. */
#include "voc/devkit.h"

#include "base/file.h"
#include "base/json_text.h"
#include "voc/coco.h"
#include "voc/idmap.h"
#include "voc/split_list.h"
#include "voc/yolo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const voc_classes[] = {
    "aeroplane",   "bicycle", "bird",  "boat",      "bottle", "bus",         "car",   "cat",  "chair", "cow",
    "diningtable", "dog",     "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"};

/* ---------------------------------------------------------------- ids */

/* The digits of the stem, or -1. */
static int64_t digits_of(const char *file_name)
{
    const char *dot = strrchr(file_name, '.');
    const char *end = dot && dot != file_name ? dot : file_name + strlen(file_name);
    int64_t id = 0;
    bool any = false;
    for (const char *p = file_name; p < end; p++) {
        if (*p == '_')
            continue;
        if (*p < '0' || *p > '9')
            return -1;
        id = id * 10 + (*p - '0');
        any = true;
        if (id > INT64_C(1) << 53)
            return -1;
    }
    return any ? id : -1;
}

static int give_ids(devkit *d, error *e)
{
    idmap seen = {0};
    int code = 0;
    d->ids = mem_zero(d->count, sizeof *d->ids, "ids", e);
    if (!d->ids)
        return ERR_SYSTEM;
    for (size_t i = 0; i < d->count && !code && !d->numbered; i++) {
        uint32_t was = IDMAP_NONE;
        d->ids[i] = digits_of(d->pictures[i].file_name);
        if (d->ids[i] >= 0)
            code = idmap_add(&seen, d->ids[i], 0, &was, e);
        d->numbered = d->ids[i] < 0 || was != IDMAP_NONE;
    }
    for (size_t i = 0; i < d->count && d->numbered; i++)
        d->ids[i] = (int64_t)i + 1;
    idmap_free(&seen);
    return code;
}

static bool is_voc_class(const char *name)
{
    for (size_t i = 0; i < COUNT(voc_classes); i++)
        if (strcmp(voc_classes[i], name) == 0)
            return true;
    return false;
}

static int give_classes(devkit *d, error *e)
{
    names seen = {0};
    bool voc = true;
    size_t number;
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->pictures[i].count && !e->code; k++) {
            const char *name = d->pictures[i].objects[k].name;
            voc = voc && is_voc_class(name);
            names_add(&seen, name, strlen(name), &number, e);
        }
    d->used = seen.count;
    size_t *order = mem_zero(seen.count, sizeof *order, "classes", e);
    if (order)
        names_sort(&seen, order);
    for (size_t i = 0; i < (voc ? COUNT(voc_classes) : seen.count) && !e->code; i++) {
        /* no order: an error NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        const char *name = voc ? voc_classes[i] : seen.items[order[i]];
        names_add(&d->classes, name, strlen(name), &number, e);
    }
    free(order);
    names_free(&seen);
    return e->code;
}

/* ---------------------------------------------------------------- reading */

/* What is needed while reading. */
typedef struct reading {
    devkit *d;
    const devkit_options *o;
    names chosen;         /* annotations, in order */
    const char **file_of; /* the annotation of each picture */
    size_t file_capacity;
    yolo_classes classes;
    error passed; /* of the first XML file of another kind */
    error *e;
} reading;

static voc_picture *new_picture(reading *r, const char *file)
{
    devkit *d = r->d;
    if (mem_grow(&d->pictures, &d->capacity, d->count + 1, sizeof *d->pictures, "pictures", r->e) ||
        mem_grow(&r->file_of, &r->file_capacity, d->count + 1, sizeof *r->file_of, "pictures", r->e))
        return NULL;
    r->file_of[d->count] = file;
    d->pictures[d->count] = (voc_picture){0};
    return &d->pictures[d->count++];
}

static int set_name(voc_picture *p, const char *name, error *e)
{
    char *copy = text_copy(name, strlen(name), e);
    free(p->file_name);
    p->file_name = copy;
    return e->code;
}

/* The size of the picture `name` of the folder of pictures; 0 x 0 when it is damaged. */
static int size_of(const reading *r, const char *name, int32_t *width, int32_t *height, bool *exchanged)
{
    error damaged = {0};
    char *path = path_join(r->d->layout.root.data, name, r->e);
    const int code = path ? r->o->size_of(path, width, height, exchanged, &damaged) : 0;
    free(path);
    if (code == ERR_INPUT)
        *width = *height = 0;
    else if (code)
        fail(r->e, code, "%s", damaged.text);
    return r->e->code;
}

/* True when one of two paths is the end of the other: nothing is said when only folders were left out. */
static bool same_end(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    if (n < m)
        return same_end(b, a);
    return strcmp(a + n - m, b) == 0 && (n == m || a[n - m - 1] == '/');
}

/* The same of names that differ in their extension alone; "a" may be "a.jpg". */
static bool same_stem(const char *picture, const char *given)
{
    char a[NAMES_FILE_MAX + 1], b[NAMES_FILE_MAX + 1];
    snprintf(a, sizeof a, "%.*s", (int)names_stem(picture), picture);
    snprintf(b, sizeof b, "%.*s", (int)names_stem(given), given);
    return same_end(a, given) || same_end(a, b);
}

/* The picture that a name means; *decoded when percent-decoding led to it. */
static const char *named_picture(reading *r, const char *file, const char *clean, bool *decoded)
{
    text_buffer text = {0};
    const char *found = layout_named_picture(&r->d->layout, file, clean);
    *decoded = !found && text_add_percent_decoded(&text, clean, strlen(clean)) && !text_done(&text, r->e);
    if (*decoded)
        found = layout_named_picture(&r->d->layout, file, text.data);
    text_free(&text);
    return found;
}

/* Gives an XML file the name of its picture, as far as it is certain; *found is NULL when it is not. */
static int name_picture(reading *r, voc_picture *p, const char *path, const char **found)
{
    devkit *d = r->d;
    const char *file = r->file_of[d->count - 1], *given = p->file_name && *p->file_name ? p->file_name : NULL;
    char clean[NAMES_FILE_MAX + 1] = "";
    bool decoded = false;
    const char *wrong =
        given ? names_file_name(names_without_start((text_field){given, strlen(given)}), clean) : "is missing";
    *found = layout_own_picture(&d->layout, file, wrong ? NULL : clean);
    if (!*found && !wrong)
        *found = named_picture(r, file, clean, &decoded);
    if (*found && (wrong || !same_end(*found, clean)))
        text_names_add(!wrong && (decoded || same_stem(*found, clean)) ? &d->no_ending : &d->other_name, "%s (%s)",
                       file, given ? given : "no name");
    if (*found)
        return set_name(p, *found, r->e);
    if (wrong && given)
        return fail(r->e, ERR_INPUT, "%s: '%.*s' %s in /annotation/filename", path,
                    text_shown((text_field){given, strlen(given)}), given, wrong);
    return given ? set_name(p, clean, r->e) : fail(r->e, ERR_INPUT, "%s: /annotation/filename is missing", path);
}

static bool reaches_beyond(const voc_object *o, int32_t width, int32_t height)
{
    return o->corner[0] < -1 || o->corner[1] < -1 || o->corner[2] > height + 2 || o->corner[3] > width + 2;
}

static bool corners_fit(const voc_picture *p, int32_t width, int32_t height)
{
    for (size_t i = 0; i < p->count; i++)
        if (reaches_beyond(&p->objects[i], width, height))
            return false;
    return true;
}

/* Gives an XML file without a size that of its picture: as stored, if the boxes fit only there. */
static int measure_picture(reading *r, voc_picture *p, const char *found)
{
    int32_t width, height;
    bool exchanged;
    if (p->width || !found || !r->o->size_of || size_of(r, found, &width, &height, &exchanged) || !width)
        return r->e->code;
    text_names_add(&r->d->no_size, "%s", r->file_of[r->d->count - 1]);
    const bool fits = corners_fit(p, width, height), fits_stored = corners_fit(p, height, width);
    if (exchanged && fits && fits_stored && p->count)
        text_names_add(&r->d->untold, "%s", p->file_name);
    exchanged = exchanged && !fits && fits_stored;
    voc_picture_cut(p, exchanged ? height : width, exchanged ? width : height);
    return 0;
}

/* XML of another kind among annotations is none of them; alone it is an error. */
static int pass_over(reading *r, voc_picture *p, const char *file)
{
    if (r->passed.code == 0)
        r->passed = *r->e;
    text_names_add(&r->d->layout.skipped, "%s", file);
    voc_picture_free(p);
    r->d->count--;
    *r->e = (error){0};
    return 0;
}

static int read_xml(reading *r, const char *file, const char *path)
{
    const char *found = NULL;
    voc_picture *p = new_picture(r, file);
    if (p && voc_picture_read(p, path, r->e) && p->foreign)
        return pass_over(r, p, file);
    if (r->e->code || name_picture(r, p, path, &found))
        return r->e->code;
    return measure_picture(r, p, found);
}

static int read_yolo(reading *r, const char *file, const char *path)
{
    const char *name = layout_own_picture(&r->d->layout, file, NULL);
    char missing[NAMES_FILE_MAX + 1] = "";
    int32_t width = 0, height = 0;
    bool exchanged = false;
    size_t outlines = 0;
    voc_picture *p = new_picture(r, file);
    if (!name) {
        layout_lonely_picture(&r->d->layout, file, missing);
        text_names_add(&r->d->lonely, "%s", file);
    }
    if (!p || set_name(p, name ? name : missing, r->e) || (name && size_of(r, name, &width, &height, &exchanged)))
        return r->e->code;
    yolo_picture_read(p, path, &r->classes, width, height, &outlines, r->e);
    if (exchanged && p->count && width != height)
        text_names_add(&r->d->untold, "%s", p->file_name);
    for (; outlines; outlines--)
        text_names_add(&r->d->outlines, "%s", name);
    return r->e->code;
}

/* One picture of a COCO file; its size is written only when it is `sized`. */
static int take_coco_image(reading *r, const anno_table *t, const anno_image *image, bool sized, const char *file)
{
    const char *name = layout_named_picture(&r->d->layout, file, image->file_name);
    voc_picture *p = new_picture(r, file);
    if (!p || set_name(p, name ? name : image->file_name, r->e))
        return r->e->code;
    p->width = sized ? image->width : 0;
    p->height = sized ? image->height : 0;
    p->objects = mem_zero(image->count, sizeof *p->objects, "objects", r->e);
    for (size_t i = 0; i < image->count && !r->e->code; i++) {
        const anno_row *row = &t->rows[image->rows[i]];
        p->objects[p->count++] =
            (voc_object){.name = text_copy(row->category, strlen(row->category), r->e),
                         .corner = {row->box.y1 + 1, row->box.x1 + 1, row->box.y2 + 1, row->box.x2 + 1},
                         .box = row->box,
                         .difficult = row->ignore};
    }
    return r->e->code;
}

static int read_coco(reading *r, const char *file, const char *path)
{
    coco c;
    anno_table t = {0};
    coco_counts counts;
    coco_load(&c, path, r->e);
    bool *sized = r->e->code ? NULL : mem_zero(c.image_count, sizeof *sized, "pictures", r->e);
    for (size_t i = 0; i < c.image_count && !r->e->code; i++) {
        coco_image *image = &c.images[i];
        const char *name = layout_named_picture(&r->d->layout, file, image->file_name);
        bool exchanged;
        if (name && !(image->width && image->height))
            size_of(r, name, &image->width, &image->height, &exchanged);
        sized[i] = image->width && image->height;
        if (!sized[i])
            coco_size_by_boxes(&c, image);
    }
    if (!r->e->code && !coco_join(&t, &c, true, &counts, r->e)) {
        r->d->clamped += counts.clamped;
        r->d->dropped += counts.dropped;
        if (counts.no_size.count)
            r->d->no_side = counts.no_size;
        for (size_t i = 0; i < t.image_count && !r->e->code; i++)
            take_coco_image(r, &t, &t.images[i], sized[idmap_find(&c.image_ids, t.images[i].id)], file);
    }
    free(sized);
    anno_free(&t);
    coco_free(&c);
    return r->e->code;
}

/* The names of YOLO's classes. */
static int read_classes(reading *r)
{
    if (r->d->layout.form != LAYOUT_YOLO || yolo_classes_read(&r->classes, &r->d->layout, r->e))
        return r->e->code;
    r->d->class_file = r->classes.file ? r->classes.file : "";
    return 0;
}

static int read_annotations(reading *r)
{
    int (*const read[])(reading *, const char *, const char *) = {read_xml, read_yolo, read_coco};
    for (size_t i = 0; i < r->chosen.count && !r->e->code; i++) {
        text_buffer path = {0};
        text_add(&path, "%s/%s", r->d->layout.dir, r->chosen.items[i]);
        if (!text_done(&path, r->e))
            read[r->d->layout.form](r, r->chosen.items[i], path.data);
        text_free(&path);
    }
    if (!r->e->code && r->d->count == 0 && r->passed.code)
        *r->e = r->passed;
    return r->e->code;
}

/* Names that lead to no picture get the only one that fits and that no other annotation has. Then no picture may have
 * two annotations. */
static int join_pictures(reading *r)
{
    devkit *d = r->d;
    names seen = {0};
    size_t number;
    for (size_t i = 0; i < d->count && !r->e->code; i++)
        names_add(&seen, d->pictures[i].file_name, strlen(d->pictures[i].file_name), &number, r->e);
    for (size_t i = 0; i < d->count && !r->e->code && d->layout.form != LAYOUT_YOLO; i++) {
        const char *name = d->pictures[i].file_name;
        if (names_find(&d->layout.pictures, name, strlen(name)) != NAMES_NONE)
            continue;
        const char *far = layout_far_picture(&d->layout, r->file_of[i], name);
        if (far && names_find(&seen, far, strlen(far)) == NAMES_NONE &&
            !names_add(&seen, far, strlen(far), &number, r->e))
            set_name(&d->pictures[i], far, r->e);
    }
    names_free(&seen);
    for (size_t i = 0; i < d->count && !r->e->code; i++)
        if (!names_add(&seen, d->pictures[i].file_name, strlen(d->pictures[i].file_name), &number, r->e) && number != i)
            fail(r->e, ERR_INPUT, "%s/%s: the picture %s is that of %s too; remove one of them", d->layout.dir,
                 r->file_of[i], d->pictures[i].file_name, r->file_of[number]);
    for (size_t i = 0; i < d->layout.pictures.count && !r->e->code && !r->o->split; i++) {
        const char *name = d->layout.pictures.items[i];
        if (names_is_picture(name) && names_find(&seen, name, strlen(name)) == NAMES_NONE &&
            !(d->layout.has_parts && layout_part_of(name) == LAYOUT_TEST))
            text_names_add(&d->bare, "%s", name);
    }
    names_free(&seen);
    return r->e->code;
}

static int mark_valid(reading *r)
{
    devkit *d = r->d;
    d->is_valid = mem_zero(d->count, sizeof *d->is_valid, "pictures", r->e);
    for (size_t i = 0; i < d->count && d->is_valid && d->layout.has_parts; i++)
        d->is_valid[i] = layout_part_of(r->file_of[i]) == LAYOUT_VALID;
    return r->e->code;
}

static int choose_annotations(reading *r)
{
    devkit *d = r->d;
    size_t number;
    if (r->o->split && !d->layout.is_part)
        return split_list_read(&r->chosen, &d->layout, r->o->split, &d->unmarked, r->e);
    split_list_names(&d->layout, &d->lists);
    for (size_t i = 0; i < d->layout.annotations.count && !r->e->code; i++)
        names_add(&r->chosen, d->layout.annotations.items[i], strlen(d->layout.annotations.items[i]), &number, r->e);
    return r->e->code;
}

/* Nothing of it is left inside its picture. */
static bool is_outside(const voc_picture *p, const voc_object *o)
{
    return p->width && box_is_empty(o->box);
}

static void count_objects(devkit *d)
{
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->pictures[i].count; k++) {
            const voc_object *o = &d->pictures[i].objects[k];
            if (is_outside(&d->pictures[i], o)) {
                if (o->corner[2] - o->corner[0] <= -1 || o->corner[3] - o->corner[1] <= -1)
                    text_names_add(&d->no_side, "%s", d->pictures[i].file_name);
                else
                    d->dropped++;
                continue;
            }
            d->objects++;
            d->difficult += o->difficult;
            d->clamped += o->clamped;
            if (o->reversed)
                text_names_add(&d->reversed, "%s", d->pictures[i].file_name);
            if (o->rotated)
                text_names_add(&d->rotated, "%s", d->pictures[i].file_name);
        }
}

/* Boxes of which one may be right, but not most of a set: fractions in place of pixels, and boxes of other pictures. */
static int check_plausible(const devkit *d, error *e)
{
    static const char *const what[] = {"are smaller than two pixels", "reach beyond their picture"};
    static const char *const question[] = {"fractions of the picture", "of other pictures, or not in pixels"};
    const voc_picture *where[2] = {0};
    const voc_object *first[2] = {0};
    size_t boxes = 0, count[2] = {0};
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->pictures[i].count && d->pictures[i].width; k++, boxes++) {
            const voc_picture *p = &d->pictures[i];
            const voc_object *o = &p->objects[k];
            const bool is[2] = {o->corner[2] < 2 && o->corner[3] < 2, reaches_beyond(o, p->width, p->height)};
            for (int n = 0; n < 2; n++)
                if (is[n] && count[n]++ == 0) {
                    where[n] = p;
                    first[n] = o;
                }
        }
    for (int n = 0; n < 2; n++)
        if (count[n] > boxes / 2) /* xmin before ymin, as in the file */
            return fail(e, ERR_INPUT,
                        "%s: %zu of %zu boxes %s, such as %g %g %g %g in %.200s (%dx%d): are they %s? Needed "
                        "is xmin ymin xmax ymax in pixels",
                        d->layout.dir, count[n], boxes, what[n], first[n]->corner[1], first[n]->corner[0],
                        first[n]->corner[3], first[n]->corner[2], where[n]->file_name, where[n]->width,
                        where[n]->height, question[n]);
    return 0;
}

int devkit_read(devkit *d, const char *dir, const devkit_options *options, error *e)
{
    *d = (devkit){0};
    reading r = {.d = d, .o = options, .e = e};
    const char *wrong = options->split ? names_bad_file_name(options->split, strlen(options->split)) : NULL;
    if (wrong)
        return fail(e, ERR_USAGE, "--split '%.80s' %s", options->split, wrong);
    if (!layout_find(&d->layout, dir, options->images, options->split, e) && !choose_annotations(&r) &&
        !read_classes(&r) && !read_annotations(&r) && !join_pictures(&r) && !mark_valid(&r) && !give_ids(d, e) &&
        !give_classes(d, e) && (d->layout.form == LAYOUT_COCO || !check_plausible(d, e)))
        count_objects(d);
    yolo_classes_free(&r.classes);
    names_free(&r.chosen);
    free(r.file_of);
    return e->code;
}

void devkit_free(devkit *d)
{
    for (size_t i = 0; i < d->count; i++)
        voc_picture_free(&d->pictures[i]);
    free(d->pictures);
    free(d->ids);
    free(d->is_valid);
    names_free(&d->classes);
    layout_free(&d->layout);
    *d = (devkit){0};
}

/* ---------------------------------------------------------------- writing */

/* An object of a picture whose size is not known, as annotated. */
static void add_unsized(text_buffer *out, const devkit *d, const voc_object *o, int64_t image_id, size_t id)
{
    const double x = o->corner[1] - 1, y = o->corner[0] - 1, width = o->corner[3] - x, height = o->corner[2] - y;
    text_add(out, "%s{\"image_id\": %" PRId64 ", \"bbox\": [%.9g, %.9g, %.9g, %.9g]", id == 1 ? "" : ", ", image_id, x,
             y, width, height);
    text_add(out, ", \"category_id\": %zu, \"id\": %zu, \"ignore\": %d}",
             names_find(&d->classes, o->name, strlen(o->name)) + 1, id, o->difficult);
}

static void add_object(text_buffer *out, const devkit *d, const voc_object *o, int64_t image_id, size_t id)
{
    const int64_t x = o->box.x1, y = o->box.y1, right = (int64_t)o->box.x2 + 1, bottom = (int64_t)o->box.y2 + 1;
    const size_t class = names_find(&d->classes, o->name, strlen(o->name)) + 1;
    text_add(out, "%s{\"segmentation\": [[%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64, id == 1 ? "" : ", ", x, y,
             x, bottom);
    text_add(out, ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]], \"area\": %" PRId64, right, bottom, right, y,
             (right - x) * (bottom - y));
    text_add(out, ", \"iscrowd\": 0, \"image_id\": %" PRId64 ", \"bbox\": [%" PRId64 ", %" PRId64, image_id, x, y);
    text_add(out, ", %" PRId64 ", %" PRId64 "], \"category_id\": %zu, \"id\": %zu, \"ignore\": %d}", right - x,
             bottom - y, class, id, o->difficult);
}

static void print_valid(const devkit *d, FILE *f)
{
    for (size_t i = 0; i < d->count; i++) {
        bool learns = false;
        for (size_t k = 0; k < d->pictures[i].count; k++)
            learns |= !d->pictures[i].objects[k].difficult && !is_outside(&d->pictures[i], &d->pictures[i].objects[k]);
        if (learns && d->is_valid[i])
            fprintf(f, "%s\n", d->pictures[i].file_name);
    }
}

static int print_json(const devkit *d, FILE *f, error *e)
{
    text_buffer out = {0};
    size_t id = 0;
    text_add(&out, "{\"images\": [");
    for (size_t i = 0; i < d->count; i++) {
        const voc_picture *p = &d->pictures[i];
        text_add(&out, "%s{\"file_name\": ", i ? ", " : "");
        json_add_string(&out, p->file_name);
        text_add(&out, ", \"height\": %d, \"width\": %d, \"id\": %" PRId64 "%s}", p->height, p->width, d->ids[i],
                 !p->width && d->layout.form == LAYOUT_YOLO ? ", \"fractions\": true" : "");
    }
    text_add(&out, "], \"type\": \"instances\", \"annotations\": [");
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->pictures[i].count; k++)
            if (!is_outside(&d->pictures[i], &d->pictures[i].objects[k]))
                (d->pictures[i].width ? add_object : add_unsized)(&out, d, &d->pictures[i].objects[k], d->ids[i], ++id);
    text_add(&out, "], \"categories\": [");
    for (size_t i = 0; i < d->classes.count; i++) {
        text_add(&out, "%s{\"supercategory\": \"none\", \"id\": %zu, \"name\": ", i ? ", " : "", i + 1);
        json_add_string(&out, d->classes.items[i]);
        text_add(&out, "}");
    }
    text_add(&out, "]}");
    int code = text_done(&out, e);
    if (!code)
        fputs(out.data, f);
    text_free(&out);
    return code;
}

int devkit_write(const devkit *d, const char *json_path, const char *val_path, error *e)
{
    out_file files[2] = {{0}}, *json = &files[0], *val = &files[1];
    if (!out_open(json, json_path, e) && (!val_path || !out_open(val, val_path, e)) &&
        !print_json(d, json->stream, e)) {
        if (val_path)
            print_valid(d, val->stream);
        out_commit_set(files, 2, e);
    }
    out_discard(val);
    out_discard(json);
    return e->code;
}
