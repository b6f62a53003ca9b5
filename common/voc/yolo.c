/* Names of classes come from four kinds of files, of which data.yaml is the only one with a grammar: as much of YAML is
 * read as its lists of names need, as [a, b], as lines "- a", or as {0: a} and lines "0: a", with quotes and comments.
 * A file of objects is read line by line against the number of names. */
#include "voc/yolo.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 16 << 20, NUMBERS_MAX = 4096, CLASSES_MAX = 100000 };

/* ---------------------------------------------------------------- names of classes */

/* Puts a name at its number. */
static int set_class(yolo_classes *c, size_t number, text_field name, error *e)
{
    name = text_trimmed(name);
    const char *wrong = names_bad_category(name.text, name.size);
    if (wrong || number >= CLASSES_MAX)
        return fail(e, ERR_INPUT, "the class '%.*s' %s", text_shown(name), name.text,
                    wrong ? wrong : "has a number that is too high");
    if (mem_grow(&c->items, &c->capacity, number + 1, sizeof *c->items, "classes", e))
        return e->code;
    for (; c->count <= number; c->count++)
        c->items[c->count] = NULL;
    free(c->items[number]);
    c->items[number] = text_copy(name.text, name.size, e);
    return e->code;
}

static int take_class_line(void *context, size_t number, const char *line, size_t size, error *e)
{
    (void)number;
    yolo_classes *c = context;
    const text_field name = text_trimmed((text_field){line, size});
    return name.size ? set_class(c, c->count, name, e) : 0;
}

static int read_lines(yolo_classes *c, file_view *view, error *e)
{
    return file_lines(view, false, take_class_line, c, e);
}

/* A value of YAML without quotes and comment; *rest is what follows it, behind a separator. */
static text_field yaml_value(text_field t, bool in_brackets, text_field *rest)
{
    t = text_trimmed(t);
    size_t size = 0;
    text_field value;
    if (t.size && (t.text[0] == '\'' || t.text[0] == '"')) {
        const char *close = memchr(t.text + 1, t.text[0], t.size - 1);
        size = close ? (size_t)(close - t.text) : t.size;
        value = (text_field){t.text + 1, size ? size - 1 : 0};
        size += size < t.size;
    } else {
        while (size < t.size && !(in_brackets && strchr(",]}\n", t.text[size])) &&
               !(t.text[size] == '#' && size && text_is_blank(t.text[size - 1])))
            size++;
        value = text_trimmed((text_field){t.text, size});
    }
    while (in_brackets && size < t.size && !strchr(",]}", t.text[size]))
        size++;
    *rest = (text_field){t.text + size, t.size - size};
    return value;
}

/* "0: cat" of a map; other texts are values of a list. */
static text_field map_number(const yolo_classes *c, text_field t, size_t *number)
{
    int64_t n;
    const char *colon = memchr(t.text, ':', t.size);
    text_field key = colon ? text_trimmed((text_field){t.text, (size_t)(colon - t.text)}) : t;
    if (key.size > 2 && (key.text[0] == '"' || key.text[0] == '\''))
        key = (text_field){key.text + 1, key.size - 2};
    *number = c->count;
    if (!colon || !text_int(key.text, key.size, 0, CLASSES_MAX, &n))
        return t;
    *number = (size_t)n;
    return (text_field){colon + 1, t.size - (size_t)(colon + 1 - t.text)};
}

/* "[a, b]" or "{0: a, 1: b}", over several lines or in one. */
static int take_brackets(yolo_classes *c, text_field t, error *e)
{
    text_field rest = {t.text + 1, t.size - 1};
    while (!e->code && rest.size) {
        for (; rest.size && (text_is_blank(*rest.text) || *rest.text == ','); rest.size--)
            rest.text++;
        if (!rest.size || *rest.text == ']' || *rest.text == '}')
            break;
        size_t number, line = 0;
        while (line < rest.size && !strchr(",]}\n", rest.text[line]))
            line++;
        const text_field behind = map_number(c, (text_field){rest.text, line}, &number);
        rest = (text_field){behind.text, rest.size - (size_t)(behind.text - rest.text)};
        const text_field value = yaml_value(rest, true, &rest);
        set_class(c, number, value, e);
    }
    return e->code;
}

static int read_yaml(yolo_classes *c, file_view *view, error *e)
{
    text_lines lines = text_lines_of(view->data, view->size);
    const char *line;
    size_t size, number;
    bool in_names = false;
    while (!e->code && text_line(&lines, &line, &size)) {
        text_field t = text_trimmed((text_field){line, size}), rest;
        if (!t.size || *t.text == '#')
            continue;
        const bool top = t.text == line && *t.text != '-';
        if (top) {
            in_names = t.size >= 6 && memcmp(t.text, "names:", 6) == 0;
            c->keypoints |= t.size >= 10 && memcmp(t.text, "kpt_shape:", 10) == 0;
            t = text_trimmed((text_field){t.text + 6, in_names ? t.size - 6 : 0});
        }
        if (!in_names || !t.size || *t.text == '#')
            continue;
        if (*t.text == '[' || *t.text == '{') {
            take_brackets(c, (text_field){t.text, (size_t)(view->data + view->size - t.text)}, e);
            in_names = false;
            continue;
        }
        if (*t.text == '-')
            t = (text_field){t.text + 1, t.size - 1};
        t = map_number(c, t, &number);
        set_class(c, number, yaml_value(t, false, &rest), e);
    }
    return e->code;
}

static int read_notes(yolo_classes *c, const char *path, error *e)
{
    json_reader r;
    text_buffer name = {0};
    json_open(&r, path, e);
    while (!e->code && json_next(&r, e)) {
        int64_t id;
        if (!json_is_member(&r, "categories") || !r.token_count)
            continue;
        const int token = json_get(&r, 0, "id", e), text = json_get(&r, 0, "name", e);
        if (token < 0 || text < 0 || !json_whole(&r, token, 0, CLASSES_MAX, &id) || !json_string(&r, text, &name, e))
            json_fail(&r, e, "a whole number 'id' and a string 'name' are needed");
        else
            set_class(c, (size_t)id, (text_field){name.data, name.size}, e);
    }
    json_close(&r);
    text_free(&name);
    return e->code;
}

static int read_classes(yolo_classes *c, const char *dir, const char *file, error *e)
{
    file_view view;
    text_buffer path = {0};
    text_add(&path, "%s/%s", dir, file);
    c->file = file;
    if (text_done(&path, e))
        return e->code;
    if (text_ends_with(file, ".json"))
        read_notes(c, path.data, e);
    else if (!file_read(&view, path.data, BYTES_MAX, e)) {
        if ((text_ends_with(file, ".yaml") || text_ends_with(file, ".yml") ? read_yaml : read_lines)(c, &view, e))
            fail_context(e, "%s", path.data);
        file_close(&view);
    }
    for (size_t i = 0; i < c->count && !e->code; i++)
        if (!c->items[i])
            fail(e, ERR_INPUT, "%s: the class %zu has no name", path.data, i);
    if (!e->code && c->count == 0)
        fail(e, ERR_INPUT, "%s: holds no names of classes", path.data);
    text_free(&path);
    return e->code;
}

static bool has_name(const char *base, int kind)
{
    switch (kind) {
    case 0:
        return strcmp(base, "data.yaml") == 0 || strcmp(base, "data.yml") == 0;
    case 1:
        return text_ends_with(base, ".names") || text_ends_with(base, ".labels");
    case 2:
        return strcmp(base, "classes.txt") == 0;
    case 3:
        return strcmp(base, "notes.json") == 0;
    default:
        return text_ends_with(base, ".yaml") || text_ends_with(base, ".yml");
    }
}

static size_t depth_of(const char *path)
{
    size_t n = 0;
    for (; (path = strchr(path, '/')); path++)
        n++;
    return n;
}

/* No number has two names; one of the lists may go on where the other ends. */
static bool same_classes(const yolo_classes *a, const yolo_classes *b)
{
    bool same = true;
    for (size_t i = 0; i < a->count && i < b->count && same; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

/* Whether `file` may name classes: as well-known files do, or as the one that was taken. */
static bool may_name_classes(const char *file, const char *taken)
{
    bool may = strcmp(tree_base(file), tree_base(taken)) == 0;
    for (int kind = 0; kind < 4 && !may; kind++)
        may = has_name(tree_base(file), kind);
    return may && file != taken;
}

int yolo_classes_read(yolo_classes *c, const layout *l, error *e)
{
    const char *best = NULL;
    int kind = -1;
    *c = (yolo_classes){0};
    while (!best && ++kind < 5)
        for (size_t i = 0; i < l->files.count; i++)
            if (has_name(tree_base(l->files.items[i]), kind) && (!best || depth_of(l->files.items[i]) < depth_of(best)))
                best = l->files.items[i];
    if (!best)
        return 0;
    int code = read_classes(c, l->dir, best, e);
    for (size_t i = 0; i < l->files.count && !code; i++) {
        yolo_classes other = {0};
        error no_list = {0};
        if (!may_name_classes(l->files.items[i], best))
            continue;
        if (!read_classes(&other, l->dir, l->files.items[i], &no_list) && !same_classes(c, &other))
            code = fail(e, ERR_INPUT, "%s/%s: has other classes than %s; make them equal, or remove one", l->dir,
                        l->files.items[i], best);
        yolo_classes_free(&other);
    }
    return code;
}

void yolo_classes_free(yolo_classes *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->items[i]);
    free(c->items);
    *c = (yolo_classes){0};
}

/* ---------------------------------------------------------------- objects */

typedef struct reading {
    voc_picture *p;
    const yolo_classes *c;
    size_t capacity, *outlines;
    int32_t width, height;
} reading;

static int class_of(const reading *r, double number, char **name, error *e)
{
    char text[24];
    if (number != floor(number) || number < 0 || number >= (r->c->file ? (double)r->c->count : CLASSES_MAX))
        return r->c->file ? fail(e, ERR_INPUT, "class %g is none of the %zu (from 0) that %s names", number,
                                 r->c->count, r->c->file)
                          : fail(e, ERR_INPUT, "class %g is no whole number from 0", number);
    snprintf(text, sizeof text, "%.0f", number);
    const char *from = r->c->file ? r->c->items[(size_t)number] : text;
    *name = text_copy(from, strlen(from), e);
    return e->code;
}

/* The edges left, top, right, bottom of v[0..n), fractions of the picture. True when they had to be put in order. */
static bool edges_of(const reading *r, const double *v, size_t n, double edge[4])
{
    const bool outline = n > 5 && !r->c->keypoints;
    *r->outlines += outline;
    if (!outline) {
        const double width = fabs(v[2]), height = fabs(v[3]);
        edge[0] = v[0] - width / 2, edge[1] = v[1] - height / 2, edge[2] = v[0] + width / 2,
        edge[3] = v[1] + height / 2;
        return v[2] < 0 || v[3] < 0;
    }
    edge[0] = edge[2] = v[0], edge[1] = edge[3] = v[1];
    for (size_t i = 2; i < n; i++) {
        edge[i % 2] = fmin(edge[i % 2], v[i]);
        edge[i % 2 + 2] = fmax(edge[i % 2 + 2], v[i]);
    }
    return false;
}

static int take_object(void *context, size_t number, const char *line, size_t size, error *e)
{
    reading *r = context;
    double v[NUMBERS_MAX];
    size_t n = 0;
    const char *end = line + size;
    (void)number;
    for (const char *at = line; at < end;) {
        const char *stop = at;
        while (stop < end && !text_is_blank(*stop))
            stop++;
        const text_field word = {at, (size_t)(stop - at)};
        at = stop + 1;
        if (word.size == 0)
            continue;
        if (n == NUMBERS_MAX || !text_double(word.text, word.size, &v[n]))
            return fail(e, ERR_INPUT, "'%.*s' is not a number, \"class x y width height\" is needed", text_shown(word),
                        word.text);
        n++;
    }
    if (n == 0)
        return 0;
    if (n < 5 || (n > 6 && n % 2 == 0 && !r->c->keypoints))
        return fail(e, ERR_INPUT, "%zu numbers, \"class x y width height\" or an outline is needed", n);
    for (size_t i = 1; i < 5; i++)
        if (v[i] < -1 || v[i] > 2)
            return fail(e, ERR_INPUT, "%g is no fraction of the picture (0 to 1): are these pixels?", v[i]);
    double edge[4];
    voc_object o = {0};
    o.reversed = edges_of(r, v + 1, n - 1, edge);
    o.corner[0] = edge[1] * r->height + 1, o.corner[1] = edge[0] * r->width + 1;
    o.corner[2] = edge[3] * r->height, o.corner[3] = edge[2] * r->width;
    if (mem_grow(&r->p->objects, &r->capacity, r->p->count + 1, sizeof o, "objects", e) ||
        class_of(r, v[0], &o.name, e))
        return e->code;
    r->p->objects[r->p->count++] = o;
    return 0;
}

int yolo_picture_read(voc_picture *p, const char *path, const yolo_classes *c, int32_t width, int32_t height,
                      size_t *outlines, error *e)
{
    file_view view;
    const bool sized = width && height;
    reading r = {.p = p, .c = c, .outlines = outlines, .width = sized ? width : 1, .height = sized ? height : 1};
    int code = file_read(&view, path, BYTES_MAX, e);
    if (code)
        return code;
    code = file_lines(&view, false, take_object, &r, e);
    file_close(&view);
    if (sized)
        voc_picture_cut(p, width, height);
    return code;
}
