/* expat calls back for each element; its path from the root ("/annotation/object/name") tells whether its text is
 * wanted (field_paths). Objects wait as they were written until the end of the file, for <size> may stand behind
 * them; then boxes become whole pixels counted from 0 and are cut to the picture. Anything that VOC does not
 * write, such as an entity declaration, stops the parser. */
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
    FIELD_COUNT,
    FIELD_NONE = -1,
} field;

static const char *const field_paths[FIELD_COUNT] = {
    "/annotation/filename",           "/annotation/size/width",         "/annotation/size/height",
    "/annotation/object/name",        "/annotation/object/difficult",   "/annotation/object/bndbox/ymin",
    "/annotation/object/bndbox/xmin", "/annotation/object/bndbox/ymax", "/annotation/object/bndbox/xmax"};

/* An object before the picture's size is known: <size> may stand behind it. */
typedef struct raw_object {
    char *name;
    double corner[4]; /* ymin xmin ymax xmax, as written */
    bool difficult;
} raw_object;

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
    char *file_name, *name;
    raw_object *objects;
    size_t count, capacity;
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
        stop_parser(r, "no VOC annotation: the root is not <annotation> but ", name);
        return;
    }
    if (strcmp(r->place, "/annotation/object") == 0)
        memset(r->seen + FIELD_NAME, 0, (FIELD_COUNT - FIELD_NAME) * sizeof *r->seen);
    for (int f = 0; f < FIELD_COUNT; f++)
        if (strcmp(r->place, field_paths[f]) == 0) {
            if (r->seen[f]) {
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
    text_field t = {r->text.data, r->text.size};
    for (; t.size && strchr(" \t\r\n", t.text[0]); t.size--)
        t.text++;
    while (t.size && strchr(" \t\r\n", t.text[t.size - 1]))
        t.size--;
    return t;
}

static void take_name(reader *r, char **where, const char *(*bad)(const char *, size_t))
{
    text_field t = trimmed(r);
    const char *wrong = bad(t.text, t.size);
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
    if (!text_double(t.text, t.size, &r->number[r->field])) {
        char what[200];
        snprintf(what, sizeof what, "'%.*s' is not a number in ", text_shown(t), t.text);
        stop_parser(r, what, field_paths[r->field]);
    }
}

static void end_field(reader *r)
{
    if (r->field == FIELD_FILE_NAME)
        take_name(r, &r->file_name, names_bad_file_name);
    else if (r->field == FIELD_NAME)
        take_name(r, &r->name, names_bad_category);
    else
        take_number(r);
    r->field = FIELD_NONE;
}

static void end_object(reader *r)
{
    for (int f = FIELD_NAME; f < FIELD_COUNT; f++)
        if (!r->seen[f] && f != FIELD_DIFFICULT) {
            stop_parser(r, "the object that ends here lacks ", field_paths[f]);
            return;
        }
    if (mem_grow(&r->objects, &r->capacity, r->count + 1, sizeof *r->objects, "objects", r->e)) {
        XML_StopParser(r->parser, XML_FALSE);
        return;
    }
    raw_object *o = &r->objects[r->count++];
    *o = (raw_object){.name = r->name, .difficult = r->seen[FIELD_DIFFICULT] && r->number[FIELD_DIFFICULT] != 0};
    for (int i = 0; i < 4; i++)
        o->corner[i] = r->number[FIELD_YMIN + i];
    r->name = NULL;
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

static int whole_side(reader *r, field f, int32_t *side)
{
    double v = r->number[f];
    if (!r->seen[f])
        return fail(r->e, ERR_INPUT, "%s: %s is missing", r->path, field_paths[f]);
    if (v != floor(v) || v < 1 || v > 1000000)
        return fail(r->e, ERR_INPUT, "%s: %s is %g, a whole number from 1 to 1000000 is needed", r->path,
                    field_paths[f], v);
    *side = (int32_t)v;
    return 0;
}

/* Counted from 1 with fractions to counted from 0. */
static double pixel(double v)
{
    return floor(v + 0.5) - 1;
}

static int finish_picture(reader *r, voc_picture *p)
{
    if (!r->seen[FIELD_FILE_NAME])
        return fail(r->e, ERR_INPUT, "%s: %s is missing", r->path, field_paths[FIELD_FILE_NAME]);
    if (whole_side(r, FIELD_WIDTH, &p->width) || whole_side(r, FIELD_HEIGHT, &p->height))
        return r->e->code;
    p->objects = mem_zero(r->count, sizeof *p->objects, "objects", r->e);
    if (!p->objects)
        return ERR_SYSTEM;
    p->file_name = r->file_name;
    r->file_name = NULL;
    for (size_t i = 0; i < r->count; i++) {
        raw_object *o = &r->objects[i];
        const double y1 = pixel(o->corner[0]), x1 = pixel(o->corner[1]), y2 = pixel(o->corner[2]),
                     x2 = pixel(o->corner[3]);
        voc_object *v = &p->objects[p->count++];
        v->box = box_from_real_xywh((box_xywh){x1, y1, x2 - x1 + 1, y2 - y1 + 1}, p->height, p->width, &v->clamped);
        v->name = o->name;
        v->difficult = o->difficult;
        o->name = NULL;
    }
    return 0;
}

static int parse_view(reader *r, const file_view *view)
{
    if (view->size == 0)
        return fail(r->e, ERR_INPUT, "%s: is empty, XML is needed", r->path);
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
    reader r = {.path = view.path, .e = e, .field = FIELD_NONE};
    code = parse_view(&r, &view);
    if (!code)
        code = finish_picture(&r, p);
    for (size_t i = 0; i < r.count; i++)
        free(r.objects[i].name);
    free(r.objects);
    free(r.file_name);
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
