/* COCO's JSON is read record by record (base/json.h), never as a whole: images, annotations and categories, whose
 * arrays may stand in any order. When all are there the objects are grouped by picture (coco_load). Then the caller
 * may compare them with the pictures. At last boxes are made whole pixels and cut to their picture, and all of it is
 * handed to anno_add (coco_join). */
#include "voc/coco.h"

#include "base/json.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const member_names[3] = {"images", "annotations", "categories"};

void coco_free(coco *c)
{
    free(c->images);
    free(c->objects);
    names_free(&c->file_names);
    names_free(&c->category_names);
    names_free(&c->id_texts);
    idmap_free(&c->image_ids);
    idmap_free(&c->category_ids);
    text_free(&c->text);
    *c = (coco){0};
}

const char *coco_category(const coco *c, const coco_object *o)
{
    return c->category_names.items[idmap_find(&c->category_ids, o->category_id)];
}

const coco_image *coco_image_of(const coco *c, const coco_object *o)
{
    return &c->images[idmap_find(&c->image_ids, o->image_id)];
}

/* ---------------------------------------------------------------- values of one record */

/* The token of `name`, which must be there. */
static int need_member(const json_reader *r, const char *name, int *token, error *e)
{
    *token = json_get(r, 0, name, e);
    if (*token >= 0)
        return 0;
    return e->code ? e->code : json_fail(r, e, "'%s' is missing", name);
}

static int shown_token(const json_reader *r, int token)
{
    int size = r->tokens[token].end - r->tokens[token].start;
    return size < 40 ? size : 40;
}

/* A number, or a text that is one: "64". */
static bool number_at(const json_reader *r, int token, double *value)
{
    const jsmntok_t *t = &r->tokens[token];
    return json_number(r, token, value) ||
           (t->type == JSMN_STRING && text_double(r->text + t->start, (size_t)(t->end - t->start), value));
}

static int whole_member(const json_reader *r, const char *name, int64_t min, int64_t max, int64_t *value, error *e)
{
    double v;
    int token, code = need_member(r, name, &token, e);
    if (code || json_whole(r, token, min, max, value))
        return code;
    if (r->tokens[token].type == JSMN_STRING && number_at(r, token, &v) && v == floor(v) && v >= (double)min &&
        v <= (double)max)
        *value = (int64_t)v;
    else
        code = json_fail(r, e, "%s '%.*s' is not a whole number from %" PRId64 " to %" PRId64, name,
                         shown_token(r, token), r->text + r->tokens[token].start, min, max);
    return code;
}

/* A string, or with `number` the text of a number, into c->text. */
static bool text_at(coco *c, const json_reader *r, int token, bool number, error *e)
{
    const jsmntok_t *t = &r->tokens[token];
    double v;
    if (!number || !json_number(r, token, &v))
        return json_string(r, token, &c->text, e);
    c->text.size = 0;
    text_add_bytes(&c->text, r->text + t->start, (size_t)(t->end - t->start));
    return !text_done(&c->text, e);
}

/* Nothing but digits, perhaps with a sign: an id that is negative or too large to be exact, as hashes are. */
static bool is_far_number(const json_reader *r, int token)
{
    const jsmntok_t *t = &r->tokens[token];
    const char *text = r->text + t->start;
    const bool sign = *text == '-';
    const size_t size = (size_t)(t->end - t->start) - sign, digits = strspn(text + sign, "0123456789");
    return digits >= size && size && (sign || size > 15);
}

/* An id: a whole number, or a text. A text that is a number is that number ("7" is 7); other texts, and numbers that
 * are far off, get numbers of their own, which no annotation tool gives. */
static int id_member(coco *c, const json_reader *r, const char *name, int64_t *id, error *e)
{
    int token, code = need_member(r, name, &token, e);
    size_t number;
    if (code || json_whole(r, token, 0, ANNO_ID_MAX, id))
        return code;
    const bool far = is_far_number(r, token);
    if (r->tokens[token].type != JSMN_STRING && !far)
        return whole_member(r, name, 0, ANNO_ID_MAX, id, e);
    if (!text_at(c, r, token, far, e))
        return e->code ? e->code : json_fail(r, e, "%s is not a valid string", name);
    if (text_int(c->text.data, c->text.size, 0, ANNO_ID_MAX, id))
        return 0;
    if (!names_add(&c->id_texts, c->text.data, c->text.size, &number, e))
        *id = ANNO_ID_MAX / 2 + (int64_t)number;
    return e->code;
}

/* An id as the file has it. */
static const char *shown_id(const coco *c, int64_t id, char text[24])
{
    const size_t number = (size_t)(id - ANNO_ID_MAX / 2);
    if (id >= ANNO_ID_MAX / 2 && number < c->id_texts.count)
        return c->id_texts.items[number];
    snprintf(text, 24, "%" PRId64, id);
    return text;
}

/* Into c->text; with `number` a number will do. */
static int string_member(coco *c, const json_reader *r, const char *name, bool number, error *e)
{
    int token, code = need_member(r, name, &token, e);
    if (!code && !text_at(c, r, token, number, e))
        code = e->code ? e->code : json_fail(r, e, "%s is not a valid string", name);
    return code;
}

/* A flag that may be absent (then false). */
static int flag_member(const json_reader *r, const char *name, bool *value, error *e)
{
    int token = json_get(r, 0, name, e);
    *value = false;
    if (token < 0)
        return e->code;
    return json_truth(r, token, value) ? 0 : json_fail(r, e, "%s is neither 0 nor 1", name);
}

static int bbox_member(const json_reader *r, box_xywh *b, error *e)
{
    int array, code = need_member(r, "bbox", &array, e);
    if (code)
        return code;
    double v[4];
    if (r->tokens[array].type != JSMN_ARRAY || r->tokens[array].size != 4)
        return json_fail(r, e, "bbox is not an array of four numbers [x, y, width, height]");
    for (int i = 0, token = array + 1; i < 4; i++, token = json_after(r, token))
        if (!number_at(r, token, &v[i]))
            return json_fail(r, e, "bbox[%d] '%.*s' is not a number", i, shown_token(r, token),
                             r->text + r->tokens[token].start);
    *b = (box_xywh){v[0], v[1], v[2], v[3]};
    return 0;
}

/* CVAT: "attributes": {"rotation": 30.0}, in degrees about the middle of bbox. Returns whether there is one. */
static bool rotation_member(const json_reader *r, double *degrees, error *e)
{
    const int attributes = json_get(r, 0, "attributes", e),
              token = attributes < 0 ? -1 : json_get(r, attributes, "rotation", e);
    return token >= 0 && json_number(r, token, degrees) && fabs(remainder(*degrees, 180)) > 1e-3;
}

/* Edges that are whole numbers but for noise of the tool's arithmetic, as 49.99999999, become whole. */
static double without_noise(double edge)
{
    return fabs(edge - round(edge)) < 1e-3 ? round(edge) : edge;
}

static void whole_edges(box_xywh *b)
{
    const double right = without_noise(b->x + b->width), bottom = without_noise(b->y + b->height);
    b->x = without_noise(b->x);
    b->y = without_noise(b->y);
    b->width = right - b->x;
    b->height = bottom - b->y;
}

/* A side of a picture, 0 when it is absent, null or 0: several tools leave it out. */
static int side_member(const json_reader *r, const char *name, int64_t *value, error *e)
{
    int token = json_get(r, 0, name, e);
    *value = 0;
    if (token < 0 || r->text[r->tokens[token].start] == 'n') /* null */
        return e->code;
    return whole_member(r, name, 0, ANNO_SIDE_MAX, value, e);
}

/* Corners in reverse order make a negative side. Returns whether they had to be put in order. */
static bool put_in_order(box_xywh *b)
{
    const bool reversed = b->width < 0 || b->height < 0;
    b->x = fmin(b->x, b->x + b->width);
    b->y = fmin(b->y, b->y + b->height);
    b->width = fabs(b->width);
    b->height = fabs(b->height);
    return reversed;
}

/* ---------------------------------------------------------------- the three kinds of record */

/* The file name of an image into c->text, in the form of the tables (names.h). Of a full path of the annotator's
 * machine the root is left out; which file is meant is found where the pictures are known (voc/pictures.h). */
static int file_name(coco *c, const json_reader *r, error *e)
{
    char clean[NAMES_FILE_MAX + 1];
    int code = string_member(c, r, "file_name", false, e);
    const text_field given = names_without_start((text_field){c->text.data, c->text.size});
    const char *wrong = code ? NULL : names_file_name(given, clean);
    if (code || wrong)
        return code ? code : json_fail(r, e, "file_name '%.80s' %s", c->text.data, wrong);
    c->text.size = 0;
    text_add_bytes(&c->text, clean, strlen(clean));
    return text_done(&c->text, e);
}

static int take_image(coco *c, const json_reader *r, error *e)
{
    int64_t id, width, height;
    size_t number;
    uint32_t was = 0;
    bool fractions;
    char text[24];
    if (id_member(c, r, "id", &id, e) || side_member(r, "width", &width, e) || side_member(r, "height", &height, e) ||
        flag_member(r, "fractions", &fractions, e) || file_name(c, r, e))
        return e->code;
    if (c->image_count >= IDMAP_NONE - 1)
        return json_fail(r, e, "too many pictures");
    if (names_add(&c->file_names, c->text.data, c->text.size, &number, e))
        return e->code;
    if (number != c->image_count)
        return json_fail(r, e, "file_name %s is there twice", c->file_names.items[number]);
    if (idmap_add(&c->image_ids, id, (uint32_t)number, &was, e))
        return e->code;
    if (was != IDMAP_NONE)
        return json_fail(r, e, "image id %.80s is there twice", shown_id(c, id, text));
    if (mem_grow(&c->images, &c->image_capacity, c->image_count + 1, sizeof *c->images, "pictures", e))
        return e->code;
    c->images[c->image_count++] = (coco_image){.id = id,
                                               .file_name = c->file_names.items[number],
                                               .width = (int32_t)width,
                                               .height = (int32_t)height,
                                               .fractions = fractions};
    return 0;
}

static int take_object(coco *c, const json_reader *r, error *e)
{
    coco_object o = {0};
    bool crowd;
    double degrees;
    const int area = json_get(r, 0, "area", e);
    if (area < 0 || !json_number(r, area, &o.area))
        o.area = NAN;
    if (e->code || id_member(c, r, "image_id", &o.image_id, e) || id_member(c, r, "category_id", &o.category_id, e) ||
        bbox_member(r, &o.bbox, e) || flag_member(r, "ignore", &o.ignore, e) || flag_member(r, "iscrowd", &crowd, e) ||
        mem_grow(&c->objects, &c->object_capacity, c->object_count + 1, sizeof *c->objects, "objects", e))
        return e->code;
    o.ignore |= crowd;
    if (put_in_order(&o.bbox) && c->reversed++ == 0)
        c->first_reversed = c->object_count + 1;
    if (rotation_member(r, &degrees, e)) {
        o.bbox = box_around_rotated(o.bbox, degrees);
        if (c->rotated++ == 0)
            c->first_rotated = c->object_count + 1;
    }
    c->objects[c->object_count++] = o;
    return 0;
}

/* Two ids may share a name: they are one class then. Blanks around a name are no part of it. */
static int take_category(coco *c, const json_reader *r, error *e)
{
    int64_t id;
    size_t number;
    uint32_t was = 0;
    char text[24];
    if (id_member(c, r, "id", &id, e) || string_member(c, r, "name", true, e))
        return e->code;
    const text_field name = text_trimmed((text_field){c->text.data, c->text.size});
    const char *wrong = names_bad_category(name.text, name.size);
    if (wrong)
        return json_fail(r, e, "name '%.80s' %s", c->text.data, wrong);
    if (name.size < c->text.size)
        text_names_add(&c->trimmed, "'%s'", c->text.data);
    if (names_add(&c->category_names, name.text, name.size, &number, e) ||
        idmap_add(&c->category_ids, id, (uint32_t)number, &was, e))
        return e->code;
    return was == IDMAP_NONE ? 0 : json_fail(r, e, "category id %.80s is there twice", shown_id(c, id, text));
}

static int take_record(coco *c, const json_reader *r, error *e)
{
    static int (*const take[3])(coco *, const json_reader *, error *) = {take_image, take_object, take_category};
    for (int m = 0; m < 3; m++) {
        if (!json_is_member(r, member_names[m]))
            continue;
        if (r->index <= 0) { /* the first record of the member */
            if (c->seen[m])
                return json_fail(r, e, "'%s' is there twice", member_names[m]);
            c->seen[m] = true;
            if (r->token_count && r->index < 0)
                return json_fail(r, e, "'%s' is not an array", member_names[m]);
        }
        if (!r->token_count)
            return 0;
        if (r->tokens[0].type != JSMN_OBJECT)
            return json_fail(r, e, "is not an object");
        return take[m](c, r, e);
    }
    return 0;
}

static int take_file(coco *c, const char *path, error *e)
{
    json_reader r;
    int code = json_open(&r, path, e);
    c->path = r.view.path;
    while (!code && json_next(&r, e))
        code = take_record(c, &r, e);
    for (int m = 0; m < 3 && !e->code; m++)
        if (!c->seen[m])
            fail(e, ERR_INPUT, "%s: the array '%s' is missing: no COCO file; export as COCO, Pascal VOC or YOLO",
                 c->path, member_names[m]);
    if (!e->code && c->image_count == 0)
        fail(e, ERR_INPUT, "%s: 'images' is empty", c->path);
    json_close(&r);
    return e->code;
}

/* ---------------------------------------------------------------- joining */

/* Strings the objects of each picture together, in file order, and counts the classes that have one. */
static int group_objects(coco *c, error *e)
{
    bool *seen = mem_zero(c->category_names.count, sizeof *seen, "classes", e);
    int code = seen ? 0 : ERR_SYSTEM;
    char text[24];
    for (size_t i = 0; i < c->object_count && !code; i++) {
        const coco_object *o = &c->objects[i];
        const uint32_t name = idmap_find(&c->category_ids, o->category_id);
        if (idmap_find(&c->image_ids, o->image_id) == IDMAP_NONE)
            code = fail(e, ERR_INPUT, "%s: annotations[%zu]: no image has the id %.80s", c->path, i,
                        shown_id(c, o->image_id, text));
        else if (name == IDMAP_NONE)
            code = fail(e, ERR_INPUT, "%s: annotations[%zu]: no category has the id %.80s", c->path, i,
                        shown_id(c, o->category_id, text));
        else if (!seen[name]) {
            seen[name] = true;
            c->used++;
        }
    }
    free(seen);
    for (size_t i = c->object_count; i > 0 && !code; i--) {
        coco_image *image = &c->images[idmap_find(&c->image_ids, c->objects[i - 1].image_id)];
        if (!image->fractions)
            whole_edges(&c->objects[i - 1].bbox);
        c->objects[i - 1].next = image->first;
        image->first = i;
    }
    return code;
}

void coco_scale(coco *c, coco_image *image, int32_t width, int32_t height)
{
    for (size_t k = image->fractions ? image->first : 0; k; k = c->objects[k - 1].next) {
        box_xywh *b = &c->objects[k - 1].bbox;
        const double right = round((b->x + b->width) * width), bottom = round((b->y + b->height) * height);
        b->x = round(b->x * width);
        b->y = round(b->y * height);
        b->width = right - b->x;
        b->height = bottom - b->y;
    }
    image->fractions = false;
    image->width = width;
    image->height = height;
}

void coco_size_by_boxes(coco *c, coco_image *image)
{
    enum { FOR_FRACTIONS = 1000 };
    double width = 1, height = 1;
    for (size_t k = image->first; k && !image->fractions; k = c->objects[k - 1].next) {
        const box_xywh *b = &c->objects[k - 1].bbox;
        width = fmin(fmax(width, ceil(b->x + b->width)), ANNO_SIDE_MAX);
        height = fmin(fmax(height, ceil(b->y + b->height)), ANNO_SIDE_MAX);
    }
    coco_scale(c, image, image->fractions ? FOR_FRACTIONS : (int32_t)width,
               image->fractions ? FOR_FRACTIONS : (int32_t)height);
}

static int add_object(anno_table *t, const coco *c, const coco_image *image, const coco_object *o, coco_counts *counts,
                      error *e)
{
    bool clamped;
    box b = box_from_real_xywh(o->bbox, image->height, image->width, &clamped);
    if (box_is_empty(b)) {
        const bool no_size = o->bbox.width == 0 || o->bbox.height == 0;
        if (no_size)
            text_names_add(&counts->no_size, "%s", image->file_name);
        counts->dropped += !no_size;
        return 0;
    }
    counts->clamped += clamped;
    const char *name = coco_category(c, o);
    return anno_add(t, image->id, (text_field){image->file_name, strlen(image->file_name)}, image->width, image->height,
                    (text_field){name, strlen(name)}, b, o->ignore, e);
}

int coco_join(anno_table *t, const coco *c, bool keep_ignored, coco_counts *counts, error *e)
{
    int code = 0;
    *t = (anno_table){0};
    *counts = (coco_counts){
        .images = c->image_count, .objects = c->object_count, .categories = c->category_names.count, .used = c->used};
    for (size_t i = 0; i < c->image_count && !code; i++) {
        const coco_image *image = &c->images[i];
        size_t before = t->count;
        for (size_t k = image->first; k && !code; k = c->objects[k - 1].next) {
            const coco_object *o = &c->objects[k - 1];
            counts->ignored += o->ignore;
            if (o->ignore && !keep_ignored)
                continue;
            if (image->width && image->height && !image->fractions)
                code = add_object(t, c, image, o, counts, e);
            else
                code = fail(e, ERR_INPUT, "%s: the width or height of %s is missing; --images DIR looks at the picture",
                            c->path, image->file_name);
        }
        counts->unused += t->count == before;
    }
    counts->rows = t->count;
    if (!code)
        code = anno_finish(t, e);
    if (code)
        anno_free(t);
    return code;
}

int coco_load(coco *c, const char *path, error *e)
{
    *c = (coco){0};
    return take_file(c, path, e) ? e->code : group_objects(c, e);
}

int coco_read(anno_table *t, const char *path, bool keep_ignored, coco_counts *counts, error *e)
{
    coco c;
    *t = (anno_table){0};
    int code = coco_load(&c, path, e);
    if (!code)
        code = coco_join(t, &c, keep_ignored, counts, e);
    coco_free(&c);
    return code;
}

int coco_check(const char *path, error *e)
{
    coco c;
    int code = coco_load(&c, path, e);
    coco_free(&c);
    return code;
}
