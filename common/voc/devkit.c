/* A devkit becomes JSON in four steps: which annotations (a list of ImageSets, or all of the folder), each of them read
 * (vocxml.h), ids given to pictures and classes, and the JSON printed in the form of fast.ai. Objects
 * with nothing left inside their picture are counted and left out of the JSON. */
#include "voc/devkit.h"

#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"
#include "voc/idmap.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const voc_classes[] = {
    "aeroplane",   "bicycle", "bird",  "boat",      "bottle", "bus",         "car",   "cat",  "chair", "cow",
    "diningtable", "dog",     "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"};

/* ---------------------------------------------------------------- which annotations */

static int name_bytes_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_txt(const struct dirent *entry)
{
    return strlen(entry->d_name) < 64 && text_ends_with(entry->d_name, ".txt") && entry->d_name[0] != '.';
}

/* ERR_INPUT for a list that is not there, with the names of those that are. */
static int no_such_list(const char *dir, const char *path, error *e)
{
    text_buffer folder = {0}, found = {0};
    struct dirent **entries = NULL;
    text_add(&folder, "%s/ImageSets/Main", dir);
    int code = text_done(&folder, e);
    int n = code ? -1 : scandir(folder.data, &entries, is_txt, name_bytes_order);
    for (int i = 0; i < n; i++) {
        if (i < 5)
            text_add(&found, "%s%.*s", i ? ", " : "", (int)strlen(entries[i]->d_name) - 4, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (!code)
        code = text_done(&found, e);
    if (!code && n > 0)
        code = fail(e, ERR_INPUT, "%s: there is no such list; there are: %s%s", path, found.data, n > 5 ? ", ..." : "");
    else if (!code)
        code = fail(e, ERR_INPUT, "%s: there is no such list, nor any other beside it", path);
    text_free(&folder);
    text_free(&found);
    return code;
}

static bool has_annotation(const char *dir, const char *stem, size_t size)
{
    text_buffer path = {0};
    text_add(&path, "%s/Annotations/%.*s.xml", dir, (int)size, stem);
    bool there = path.data && access(path.data, F_OK) == 0;
    text_free(&path);
    return there;
}

/* A split that is being read. */
typedef struct split_list {
    names *stems;
    const char *dir;
} split_list;

/* VOC has other lists beside those of all pictures, of one class each, with a mark behind the name ("000012 -1"): a
 * line with a blank is a name only if there is such an annotation. */
static int take_stem(void *context, size_t number, const char *line, size_t size, error *e)
{
    (void)number;
    const split_list *list = context;
    while (size && (line[size - 1] == ' ' || line[size - 1] == '\t'))
        size--;
    const text_field stem = {line, size};
    if (memchr(line, ' ', size) && !names_bad_file_name(line, size) && !has_annotation(list->dir, line, size))
        return fail(e, ERR_INPUT, "'%.*s' contains a blank: one name a line is needed, as in train.txt",
                    text_shown(stem), line);
    return names_add_file(list->stems, stem, e);
}

/* The list DIR/ImageSets/Main/SPLIT.txt at `path`. */
static int read_split(names *stems, const char *dir, const char *path, error *e)
{
    file_view view;
    split_list list = {stems, dir};
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return no_such_list(dir, path, e);
    int code = file_open(&view, path, e);
    if (code)
        return code;
    code = file_lines(&view, false, take_stem, &list, e);
    if (!code && stems->count == 0)
        code = fail(e, ERR_INPUT, "%s: is empty", path);
    file_close(&view);
    return code;
}

static int is_xml(const struct dirent *entry)
{
    return text_ends_with(entry->d_name, ".xml") && entry->d_name[0] != '.';
}

static int list_folder(names *stems, const char *path, error *e)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_xml, name_bytes_order), code = 0;
    if (n < 0)
        return fail(e, errno == ENOMEM ? ERR_SYSTEM : ERR_INPUT, "%s: cannot read the folder: %s", path,
                    strerror(errno));
    for (int i = 0; i < n; i++) {
        size_t number;
        if (!code)
            code = names_add(stems, entries[i]->d_name, strlen(entries[i]->d_name) - 4, &number, e);
        free(entries[i]);
    }
    free(entries);
    if (!code && stems->count == 0)
        code = fail(e, ERR_INPUT, "%s: holds no .xml file", path);
    return code;
}

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
        const char *name = voc ? voc_classes[i] : seen.items[order[i]];
        names_add(&d->classes, name, strlen(name), &number, e);
    }
    free(order);
    names_free(&seen);
    return e->code;
}

/* ---------------------------------------------------------------- reading */

static int read_pictures(devkit *d, const char *dir, const names *stems, error *e)
{
    names seen = {0};
    int code = 0;
    for (size_t i = 0; i < stems->count && !code; i++) {
        text_buffer path = {0};
        size_t number;
        text_add(&path, "%s/Annotations/%s.xml", dir, stems->items[i]);
        if (text_done(&path, e) ||
            mem_grow(&d->pictures, &d->capacity, d->count + 1, sizeof *d->pictures, "pictures", e) ||
            voc_picture_read(&d->pictures[d->count++], path.data, e) ||
            names_add(&seen, d->pictures[i].file_name, strlen(d->pictures[i].file_name), &number, e))
            code = e->code;
        else if (number != i)
            code = fail(e, ERR_INPUT, "%s: the picture %s belongs to another annotation too", path.data,
                        d->pictures[i].file_name);
        text_free(&path);
    }
    names_free(&seen);
    return code;
}

static void count_objects(devkit *d)
{
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->pictures[i].count; k++) {
            const voc_object *o = &d->pictures[i].objects[k];
            if (box_is_empty(o->box)) {
                d->dropped++;
                continue;
            }
            d->objects++;
            d->difficult += o->difficult;
            d->clamped += o->clamped;
        }
}

int devkit_read(devkit *d, const char *dir, const char *split, error *e)
{
    names stems = {0};
    text_buffer path = {0};
    *d = (devkit){0};
    const char *wrong = split ? names_bad_file_name(split, strlen(split)) : NULL;
    if (wrong)
        return fail(e, ERR_USAGE, "--split '%.80s' %s", split, wrong);
    if (split)
        text_add(&path, "%s/ImageSets/Main/%s.txt", dir, split);
    else
        text_add(&path, "%s/Annotations", dir);
    int code = text_done(&path, e);
    if (!code)
        code = split ? read_split(&stems, dir, path.data, e) : list_folder(&stems, path.data, e);
    if (!code && !read_pictures(d, dir, &stems, e) && !give_ids(d, e) && !give_classes(d, e))
        count_objects(d);
    text_free(&path);
    names_free(&stems);
    return e->code;
}

void devkit_free(devkit *d)
{
    for (size_t i = 0; i < d->count; i++)
        voc_picture_free(&d->pictures[i]);
    free(d->pictures);
    free(d->ids);
    names_free(&d->classes);
    *d = (devkit){0};
}

/* ---------------------------------------------------------------- writing */

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

int devkit_print(const devkit *d, FILE *f, error *e)
{
    text_buffer out = {0};
    size_t id = 0;
    text_add(&out, "{\"images\": [");
    for (size_t i = 0; i < d->count; i++) {
        const voc_picture *p = &d->pictures[i];
        text_add(&out, "%s{\"file_name\": ", i ? ", " : "");
        json_add_string(&out, p->file_name);
        text_add(&out, ", \"height\": %d, \"width\": %d, \"id\": %" PRId64 "}", p->height, p->width, d->ids[i]);
    }
    text_add(&out, "], \"type\": \"instances\", \"annotations\": [");
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->pictures[i].count; k++)
            if (!box_is_empty(d->pictures[i].objects[k].box))
                add_object(&out, d, &d->pictures[i].objects[k], d->ids[i], ++id);
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
