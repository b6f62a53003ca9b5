/* expat calls back for each element; its path from the root ("/annotation/object/name") tells whether its text is
 * wanted (field_paths). An object's corners are put in order and, where it has a rotation, around the rotated box.
 * Boxes become whole pixels counted from 0 and are cut to the picture when its size is known: at the end of the file,
 * for <size> may stand behind the objects, or later, by the caller who looked at the picture. Anything that VOC does
 * not write, such as an entity declaration, stops the parser. */
#include "voc/vocxml.h"

#include "base/file.h"
#include "base/text.h"
#include "voc/names.h"

#include <expat.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, TEXT_MAX = 4096, BYTES_MAX = 64 << 20 };

/* The places whose text is wanted, as paths from the root. */
typedef enum field {
    FIELD_FILE_NAME,
    FIELD_WIDTH,
    FIELD_HEIGHT,
    FIELD_NAME, /* from here on: once in each object */
    FIELD_DIFFICULT,
    FIELD_YMIN,
    FIELD_XMIN,
    FIELD_YMAX,
    FIELD_XMAX,
    FIELD_CX, /* of roLabelImg's rotated boxes */
    FIELD_CY,
    FIELD_W,
    FIELD_H,
    FIELD_ANGLE,
    FIELD_ATTRIBUTE, /* from here on: any number of times */
    FIELD_VALUE,
    FIELD_COUNT,
    FIELD_NONE = -1,
} field;

static const char *const field_paths[FIELD_COUNT] = {
    "/annotation/filename",
    "/annotation/size/width",
    "/annotation/size/height",
    "/annotation/object/name",
    "/annotation/object/difficult",
    "/annotation/object/bndbox/ymin",
    "/annotation/object/bndbox/xmin",
    "/annotation/object/bndbox/ymax",
    "/annotation/object/bndbox/xmax",
    "/annotation/object/robndbox/cx",
    "/annotation/object/robndbox/cy",
    "/annotation/object/robndbox/w",
    "/annotation/object/robndbox/h",
    "/annotation/object/robndbox/angle",
    "/annotation/object/attributes/attribute/name",
    "/annotation/object/attributes/attribute/value",
};

typedef struct reader {
    XML_Parser parser;
    const char *path;
    error *e;
    char place[512]; /* the path of the open element: "/annotation/object" */
    int depth;
    field field; /* being read */
    text_buffer text;
    bool seen[FIELD_COUNT];
    double number[FIELD_COUNT];
    bool says_rotation; /* the attribute that was named last */
    double rotation;    /* of the object, in degrees */
    char *name;
    voc_picture *p;
    size_t capacity; /* of its objects */
} reader;

/* The line where the parser is. Expat 2.9 calls the older function deprecated. */
static unsigned long long line_of(const reader *r)
{
#if XML_MAJOR_VERSION > 2 || (XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION >= 9)
    return XML_GetCurrentLineNumber64(r->parser);
#else
    return XML_GetCurrentLineNumber(r->parser);
#endif
}

static void stop_parser(reader *r, const char *what, const char *which)
{
    fail(r->e, ERR_INPUT, "%s:%llu: %s%s", r->path, line_of(r), what, which);
    XML_StopParser(r->parser, XML_FALSE);
}

/* ---------------------------------------------------------------- elements */

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    reader *r = context;
    if (r->e->code)
        return;
    size_t used = strlen(r->place), n = strlen(name);
    if (++r->depth > DEPTH_MAX || used + n + 2 > sizeof r->place) {
        stop_parser(r, "elements are nested too deeply", "");
        return;
    }
    if (r->field != FIELD_NONE) {
        stop_parser(r, "an element inside ", field_paths[r->field]);
        return;
    }
    snprintf(r->place + used, sizeof r->place - used, "/%s", name);
    if (r->depth == 1 && strcmp(name, "annotation") != 0) {
        r->p->foreign = true;
        stop_parser(r, "no VOC annotation (export as Pascal VOC, YOLO or COCO): the root is not <annotation> but ",
                    name);
        return;
    }
    if (strcmp(r->place, "/annotation/object") == 0) {
        memset(r->seen + FIELD_NAME, 0, (FIELD_COUNT - FIELD_NAME) * sizeof *r->seen);
        r->rotation = 0;
    }
    for (int f = 0; f < FIELD_COUNT; f++)
        if (strcmp(r->place, field_paths[f]) == 0) {
            if (f < FIELD_ATTRIBUTE && r->seen[f]) {
                stop_parser(r, "there twice: ", field_paths[f]);
                return;
            }
            r->seen[f] = true;
            r->field = (field)f;
            r->text.size = 0;
            if (text_done(&r->text, r->e))
                XML_StopParser(r->parser, XML_FALSE);
        }
}

static void on_text(void *context, const XML_Char *text, int size)
{
    reader *r = context;
    if (r->e->code || r->field == FIELD_NONE)
        return;
    if (r->text.size + (size_t)size > TEXT_MAX)
        stop_parser(r, "too much text in ", field_paths[r->field]);
    else
        text_add_bytes(&r->text, text, (size_t)size);
    if (text_done(&r->text, r->e))
        XML_StopParser(r->parser, XML_FALSE);
}

/* The text of the field without blanks around it. */
static text_field trimmed(const reader *r)
{
    return text_trimmed((text_field){r->text.data, r->text.size});
}

static void take_text(reader *r, char **where, const char *wrong)
{
    text_field t = trimmed(r);
    if (wrong) {
        char what[400];
        snprintf(what, sizeof what, "'%.*s' %s in ", text_shown(t), t.text, wrong);
        stop_parser(r, what, field_paths[r->field]);
        return;
    }
    free(*where);
    *where = text_copy(t.text, t.size, r->e);
    if (!*where)
        XML_StopParser(r->parser, XML_FALSE);
}

static void take_number(reader *r)
{
    text_field t = trimmed(r);
    if (r->field == FIELD_DIFFICULT && t.size == 0)
        r->number[r->field] = 0;
    else if (!text_double(t.text, t.size, &r->number[r->field])) {
        char what[200];
        snprintf(what, sizeof what, "'%.*s' is not a number in ", text_shown(t), t.text);
        stop_parser(r, what, field_paths[r->field]);
    }
}

/* CVAT: <attribute><name>rotation</name><value>30.0</value></attribute>; other attributes may have any value. */
static void take_attribute(reader *r)
{
    text_field t = trimmed(r);
    if (r->field == FIELD_ATTRIBUTE)
        r->says_rotation = text_is(t, "rotation");
    else if (!r->says_rotation || !text_double(t.text, t.size, &r->rotation))
        return;
    r->seen[r->field] = true;
}

static void end_field(reader *r)
{
    text_field t = trimmed(r);
    if (r->field == FIELD_FILE_NAME)
        take_text(r, &r->p->file_name, NULL);
    else if (r->field == FIELD_NAME)
        take_text(r, &r->name, names_bad_category(t.text, t.size));
    else if (r->field >= FIELD_ATTRIBUTE)
        take_attribute(r);
    else
        take_number(r);
    r->field = FIELD_NONE;
}

/* The corners of the upright box around a box that is turned about its middle. */
static void around_rotated(double corner[4], double degrees)
{
    const double y = (corner[0] + corner[2]) / 2, x = (corner[1] + corner[3]) / 2, height = corner[2] - corner[0],
                 width = corner[3] - corner[1];
    const box_xywh b = box_around_rotated((box_xywh){x - width / 2, y - height / 2, width, height}, degrees);
    corner[0] = b.y, corner[1] = b.x, corner[2] = b.y + b.height, corner[3] = b.x + b.width;
}

static void swap_reversed(voc_object *o, int low, int high)
{
    const double v = o->corner[low];
    if (v <= o->corner[high])
        return;
    o->corner[low] = o->corner[high];
    o->corner[high] = v;
    o->reversed = true;
}

static void end_object(reader *r)
{
    const bool turned = !r->seen[FIELD_YMIN] && r->seen[FIELD_CX];
    for (int f = FIELD_NAME; f < FIELD_ATTRIBUTE; f++)
        if (!r->seen[f] && f != FIELD_DIFFICULT && (f <= FIELD_DIFFICULT || (f >= FIELD_CX) == turned)) {
            stop_parser(r, "the object that ends here lacks ", field_paths[f]);
            return;
        }
    if (mem_grow(&r->p->objects, &r->capacity, r->p->count + 1, sizeof *r->p->objects, "objects", r->e)) {
        XML_StopParser(r->parser, XML_FALSE);
        return;
    }
    voc_object *o = &r->p->objects[r->p->count++];
    *o = (voc_object){.name = r->name, .difficult = r->seen[FIELD_DIFFICULT] && r->number[FIELD_DIFFICULT] != 0};
    r->name = NULL;
    const double *n = r->number;
    for (int i = 0; i < 4 && !turned; i++)
        o->corner[i] = n[FIELD_YMIN + i];
    for (int i = 0; i < 4 && turned; i++) /* y, x, y, x */
        o->corner[i] = n[i % 2 ? FIELD_CX : FIELD_CY] + (i < 2 ? -0.5 : 0.5) * n[i % 2 ? FIELD_W : FIELD_H];
    swap_reversed(o, 0, 2);
    swap_reversed(o, 1, 3);
    const double degrees = turned ? n[FIELD_ANGLE] * 180 / M_PI : r->rotation;
    o->rotated = fabs(remainder(degrees, 180)) > 1e-3;
    if (o->rotated)
        around_rotated(o->corner, degrees);
}

static void on_end(void *context, const XML_Char *name)
{
    (void)name;
    reader *r = context;
    if (r->e->code)
        return;
    if (r->field != FIELD_NONE)
        end_field(r);
    else if (strcmp(r->place, "/annotation/object") == 0)
        end_object(r);
    r->depth--;
    *strrchr(r->place, '/') = 0;
}

/* Nothing that VOC writes declares entities: a declaration is an attack ("billion laughs") or another format.
 */
static void on_entity(void *context, const XML_Char *name, int parameter, const XML_Char *value, int size,
                      const XML_Char *base, const XML_Char *system, const XML_Char *public, const XML_Char *notation)
{
    (void)parameter, (void)value, (void)size, (void)base, (void)system, (void)public, (void)notation;
    stop_parser(context, "entity declarations are refused: ", name);
}

/* ---------------------------------------------------------------- the whole file */

/* A side of <size>, 0 when there is none that can be one: the picture itself will tell. */
static int32_t whole_side(const reader *r, field f)
{
    const double v = r->number[f];
    return !r->seen[f] || v != floor(v) || v < 1 || v > 1000000 ? 0 : (int32_t)v;
}

/* Counted from 1 with fractions to counted from 0. */
static double pixel(double v)
{
    return floor(v + 0.5) - 1;
}

void voc_picture_cut(voc_picture *p, int32_t width, int32_t height)
{
    p->width = width;
    p->height = height;
    for (size_t i = 0; i < p->count; i++) {
        voc_object *o = &p->objects[i];
        const double y1 = pixel(o->corner[0]), x1 = pixel(o->corner[1]), y2 = pixel(o->corner[2]),
                     x2 = pixel(o->corner[3]);
        o->box = box_from_real_xywh((box_xywh){x1, y1, x2 - x1 + 1, y2 - y1 + 1}, height, width, &o->clamped);
    }
}

static int parse_view(reader *r, const file_view *view)
{
    if (view->size == 0)
        return fail(r->e, ERR_INPUT, "%s: is empty; remove it, or export it again", r->path);
    r->parser = XML_ParserCreate(NULL);
    if (!r->parser)
        return fail_memory(r->e, 1, "the XML parser");
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetEntityDeclHandler(r->parser, on_entity);
    const bool parsed = XML_Parse(r->parser, view->data, (int)view->size, 1) == XML_STATUS_OK;
    if (!parsed && XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY)
        fail(r->e, ERR_SYSTEM, "%s: out of memory in expat", r->path);
    else if (!parsed)
        fail(r->e, ERR_INPUT, "%s:%llu: no well-formed XML: %s", r->path, line_of(r),
             XML_ErrorString(XML_GetErrorCode(r->parser)));
    XML_ParserFree(r->parser);
    return r->e->code;
}

int voc_picture_read(voc_picture *p, const char *path, error *e)
{
    file_view view;
    *p = (voc_picture){0};
    int code = file_read(&view, path, BYTES_MAX, e);
    if (code)
        return code;
    reader r = {.path = view.path, .e = e, .field = FIELD_NONE, .p = p};
    code = parse_view(&r, &view);
    if (!code && whole_side(&r, FIELD_WIDTH) && whole_side(&r, FIELD_HEIGHT))
        voc_picture_cut(p, whole_side(&r, FIELD_WIDTH), whole_side(&r, FIELD_HEIGHT));
    free(r.name);
    text_free(&r.text);
    file_close(&view);
    return code;
}

void voc_picture_free(voc_picture *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->objects[i].name);
    free(p->objects);
    free(p->file_name);
    *p = (voc_picture){0};
}

void voc_xml_version(char *text, size_t size)
{
    XML_Expat_Version v = XML_ExpatVersionInfo();
    snprintf(text, size, "expat %d.%d.%d\n", v.major, v.minor, v.micro);
}
