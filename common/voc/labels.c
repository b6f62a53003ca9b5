/* lrg.csv and bb.csv are read on their own (csv_labels), joined by file name in the order of the first, classes
 * numbered by rank, and rows named in val.txt marked as validating. Then the two index lists and their digests are
 * made. With anno.tsv the rows are its pictures, each with a run of objects. */
#include "voc/labels.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "voc/anno.h"
#include "voc/csv.h"
#include "voc/name_list.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- one CSV file */

/* What is read from one file, before the two are joined. */
typedef struct csv_labels {
    names file_names; /* number = row */
    names seen;       /* labels in order of first appearance */
    struct {
        int32_t label; /* number in `seen`, of lrg.csv */
        box box;       /* of bb.csv */
    } * rows;
    size_t capacity;
} csv_labels;

static void csv_labels_free(csv_labels *c)
{
    names_free(&c->file_names);
    names_free(&c->seen);
    free(c->rows);
}

/* "y1 x1 y2 x2" */
static int parse_box(text_field f, box *b, error *e)
{
    text_field part[4];
    int64_t v[4] = {0};
    bool good = text_split(f.text, f.size, ' ', part, 4) == 4;
    for (int i = 0; i < 4 && good; i++)
        good = text_int(part[i].text, part[i].size, 0, 1000000, &v[i]);
    if (!good)
        return fail(e, ERR_INPUT, "box '%.*s' is not four whole numbers y1 x1 y2 x2 with single spaces", text_shown(f),
                    f.text);
    if (v[0] > v[2] || v[1] > v[3])
        return fail(e, ERR_INPUT, "box '%.*s' ends before it begins (y1 x1 y2 x2)", text_shown(f), f.text);
    *b = (box){(int32_t)v[0], (int32_t)v[1], (int32_t)v[2], (int32_t)v[3]};
    return 0;
}

static int read_record(csv_labels *c, const text_field *f, bool boxes, error *e)
{
    size_t row = c->file_names.count, number;
    if (row >= INT32_MAX)
        return fail(e, ERR_INPUT, "too many rows");
    if (names_add_file(&c->file_names, f[0], e) ||
        mem_grow(&c->rows, &c->capacity, row + 1, sizeof *c->rows, "labels", e))
        return e->code;
    if (boxes)
        return parse_box(f[1], &c->rows[row].box, e);
    const char *wrong = names_bad_category(f[1].text, f[1].size);
    if (wrong)
        return fail(e, ERR_INPUT, "label '%.*s' %s", text_shown(f[1]), f[1].text, wrong);
    if (names_add(&c->seen, f[1].text, f[1].size, &number, e))
        return e->code;
    c->rows[row].label = (int32_t)number;
    return 0;
}

static int read_records(csv_labels *c, csv_reader *r, bool boxes, error *e)
{
    const char *second = boxes ? "bbox" : "cat";
    if (!csv_next(r, e))
        return fail(e, ERR_INPUT, "%s: is empty, the header fn,%s is needed", r->path, second);
    if (r->count != 2 || !text_is(r->fields[0], "fn") || !text_is(r->fields[1], second))
        return fail(e, ERR_INPUT, "%s:1: the header must be fn,%s", r->path, second);
    while (csv_next(r, e)) {
        int code = r->count == 2 ? read_record(c, r->fields, boxes, e)
                                 : fail(e, ERR_INPUT, "%zu fields, two are needed", r->count);
        if (code) {
            fail_context(e, "%s:%zu", r->path, r->line);
            return code;
        }
    }
    if (!e->code && c->file_names.count == 0)
        fail(e, ERR_INPUT, "%s: has no rows behind its header", r->path);
    return e->code;
}

static int read_csv_view(csv_labels *c, const file_view *view, bool boxes, error *e)
{
    csv_reader r = csv_start(view->path, view->data, view->size);
    int code = read_records(c, &r, boxes, e);
    csv_end(&r);
    return code;
}

static int read_csv(csv_labels *c, const char *path, bool boxes, error *e)
{
    file_view view;
    int code = file_open(&view, path, e);
    if (code)
        return code;
    code = read_csv_view(c, &view, boxes, e);
    file_close(&view);
    return code;
}

/* ---------------------------------------------------------------- names alone */

int labels_read_pictures(names *list, const char *path, error *e)
{
    file_view view;
    if (file_open(&view, path, e))
        return e->code;
    csv_reader r = csv_start(view.path, view.data, view.size);
    if (csv_next(&r, e) && !text_is(r.fields[0], "fn"))
        fail(e, ERR_INPUT, "%s:1: the header must begin with 'fn' (mkcsv writes 'fn,cat')", view.path);
    while (!e->code && csv_next(&r, e)) {
        char clean[NAMES_FILE_MAX + 1];
        size_t number;
        const char *wrong = names_file_name(r.fields[0], clean);
        if (wrong)
            fail(e, ERR_INPUT, "%s:%zu: the file name %s", view.path, r.line, wrong);
        else
            names_add(list, clean, strlen(clean), &number, e);
    }
    if (!e->code && list->count == 0)
        fail(e, ERR_INPUT, "%s: names no pictures", view.path);
    csv_end(&r);
    file_close(&view);
    return e->code;
}

/* Fails when names of `list` are not in `known`: their number and the first three. */
static int all_known(const names *list, const char *list_path, const names *known, const char *known_path, error *e)
{
    text_names missing = {0};
    for (size_t i = 0; i < list->count; i++)
        if (names_find(known, list->items[i], strlen(list->items[i])) == NAMES_NONE)
            text_names_add(&missing, "%s", list->items[i]);
    return missing.count
               ? fail(e, ERR_INPUT, "%s: %zu of its %zu file names are not in %s: %s; names there are such as %s",
                      list_path, missing.count, list->count, known_path, missing.text, known->items[0])
               : 0;
}

/* ---------------------------------------------------------------- joining */

/* Rows in the order of `first`; boxes by name from `bb` (which may be `first` itself). */
static int fill_rows(labels *l, const csv_labels *lrg, const csv_labels *bb, error *e)
{
    const names *order = lrg ? &lrg->file_names : &bb->file_names;
    l->count = order->count;
    l->rows = mem_zero(l->count, sizeof *l->rows, "labels", e);
    if (!l->rows)
        return ERR_SYSTEM;
    for (size_t i = 0; i < l->count; i++) {
        label_row *row = &l->rows[i];
        row->file_name = order->items[i];
        row->class_index = lrg ? lrg->rows[i].label : -1;
        if (bb)
            row->box = bb->rows[names_find(&bb->file_names, row->file_name, strlen(row->file_name))].box;
    }
    return 0;
}

/* From numbers in order of appearance to ranks in byte order. */
static int rank_classes(labels *l, error *e)
{
    size_t n = l->labels_seen.count;
    size_t *order = mem_zero(n, sizeof *order, "classes", e), *rank = mem_zero(n, sizeof *rank, "classes", e);
    l->classes = mem_zero(n, sizeof *l->classes, "classes", e);
    if (order && rank && l->classes) {
        names_sort(&l->labels_seen, order);
        for (size_t i = 0; i < n; i++) {
            rank[order[i]] = i;
            l->classes[i] = l->labels_seen.items[order[i]];
        }
        for (size_t i = 0; i < l->count; i++)
            l->rows[i].class_index = (int32_t)rank[l->rows[i].class_index];
        for (size_t i = 0; i < l->object_count; i++)
            if (l->objects[i].class_index >= 0)
                l->objects[i].class_index = (int32_t)rank[l->objects[i].class_index];
        l->class_count = n;
    }
    free(order);
    free(rank);
    return l->class_count == n && l->classes ? 0 : ERR_SYSTEM;
}

static int mark_val(labels *l, const char *val, const char *csv, error *e)
{
    names list = {0};
    int code = name_list_read_all(&list, val, &l->file_names, csv, e);
    if (!code && list.count == 0)
        code = fail(e, ERR_INPUT, "%s: is empty, the file names of the validation pictures are needed", val);
    if (!code && list.count == l->count)
        code = fail(e, ERR_INPUT, "%s: names all %zu rows of %s, none is left to train on; leave some out of it", val,
                    l->count, csv);
    for (size_t i = 0; i < list.count && !code; i++)
        l->rows[names_find(&l->file_names, list.items[i], strlen(list.items[i]))].is_val = true;
    names_free(&list);
    return code;
}

static int split_labels(labels *l, error *e)
{
    l->train = mem_zero(l->count, sizeof *l->train, "the split", e);
    l->val = mem_zero(l->count, sizeof *l->val, "the split", e);
    const char **list = mem_zero(l->count, sizeof *list, "the split", e);
    int code = l->train && l->val && list ? 0 : ERR_SYSTEM;
    for (int which = 0; which < 2 && !code; which++) {
        uint32_t *out = which ? l->val : l->train;
        size_t n = 0;
        for (size_t i = 0; i < l->count; i++)
            if (l->rows[i].is_val == (which == 1)) {
                list[n] = l->rows[i].file_name;
                out[n++] = (uint32_t)i;
            }
        *(which ? &l->val_count : &l->train_count) = n;
        code = labels_digest(list, n, which ? l->val_sha256 : l->train_sha256, e);
    }
    free(list);
    return code;
}

/* Takes over the strings that the rows point to. */
static void keep_names(labels *l, csv_labels *first)
{
    l->file_names = first->file_names;
    l->labels_seen = first->seen;
    first->file_names = first->seen = (names){0};
}

int labels_read(labels *l, const char *lrg, const char *bb, const char *val, error *e)
{
    csv_labels c = {0}, b = {0};
    *l = (labels){.has_class = lrg != NULL, .has_box = bb != NULL};
    if (!lrg && !bb)
        return fail(e, ERR_USAGE, "a label file is needed: lrg.csv, bb.csv or both");
    int code = lrg ? read_csv(&c, lrg, false, e) : 0;
    if (!code && bb)
        code = read_csv(&b, bb, true, e);
    if (!code && lrg && bb && !all_known(&c.file_names, lrg, &b.file_names, bb, e))
        all_known(&b.file_names, bb, &c.file_names, lrg, e);
    if (!code)
        code = e->code;
    if (!code)
        code = fill_rows(l, lrg ? &c : NULL, bb ? &b : NULL, e);
    if (!code)
        keep_names(l, lrg ? &c : &b);
    if (!code && lrg)
        code = rank_classes(l, e);
    if (!code && val)
        code = mark_val(l, val, lrg ? lrg : bb, e);
    if (!code)
        code = split_labels(l, e);
    csv_labels_free(&c);
    csv_labels_free(&b);
    if (code)
        labels_free(l);
    return code;
}

/* One picture of anno.tsv, largest being its largest object. */
static int add_picture(labels *l, const anno_table *t, const anno_image *image, const anno_row *largest, error *e)
{
    size_t number;
    label_row *row = &l->rows[l->count++];
    *row = (label_row){.box = largest->box, .first_object = l->object_count, .object_count = image->count};
    for (uint32_t i = 0; i < image->count; i++) {
        const anno_row *from = &t->rows[image->rows[i]];
        label_object *o = &l->objects[l->object_count++];
        *o = (label_object){-1, from->box};
        if (from->ignore)
            continue;
        if (names_add(&l->labels_seen, from->category, strlen(from->category), &number, e))
            return e->code;
        o->class_index = (int32_t)number;
        if (from == largest)
            row->class_index = o->class_index;
    }
    if (image->count > l->most_objects)
        l->most_objects = image->count;
    return names_add(&l->file_names, image->file_name, strlen(image->file_name), &number, e);
}

static int add_pictures(labels *l, const anno_table *t, const char *path, error *e)
{
    l->rows = mem_zero(t->image_count, sizeof *l->rows, "labels", e);
    l->objects = mem_zero(t->count, sizeof *l->objects, "objects", e);
    int code = l->rows && l->objects ? 0 : ERR_SYSTEM;
    for (size_t i = 0; i < t->image_count && !code; i++) {
        const anno_row *largest = anno_largest(t, &t->images[i]);
        if (largest)
            code = add_picture(l, t, &t->images[i], largest, e);
    }
    for (size_t i = 0; i < l->count && !code; i++)
        l->rows[i].file_name = l->file_names.items[i];
    return !code && l->count == 0 ? fail(e, ERR_INPUT, "%s: has no object that is not to be ignored", path) : code;
}

int labels_read_objects(labels *l, const char *anno, const char *val, error *e)
{
    anno_table t = {0};
    *l = (labels){.has_class = true, .has_objects = true};
    int code = anno_read(&t, anno, e);
    if (!code)
        code = add_pictures(l, &t, anno, e);
    anno_free(&t);
    if (!code)
        code = rank_classes(l, e);
    if (!code && val)
        code = mark_val(l, val, anno, e);
    if (!code)
        code = split_labels(l, e);
    if (code)
        labels_free(l);
    return code;
}

/* Takes the text: its digest, and its end. */
static int digest_text(text_buffer *text, char hex[65], error *e)
{
    int code = text_done(text, e);
    if (!code)
        sha256_hex(text->data, text->size, hex);
    text_free(text);
    return code;
}

int labels_digest(const char *const *file_names, size_t count, char hex[65], error *e)
{
    text_buffer text = {0};
    for (size_t i = 0; i < count; i++) {
        text_add_bytes(&text, file_names[i], names_stem(file_names[i]));
        text_add_bytes(&text, "\n", 1);
    }
    return digest_text(&text, hex, e);
}

int labels_rows_digest(const labels *l, char hex[65], error *e)
{
    text_buffer text = {0};
    text_add(&text, "%zu rows\n", l->count);
    for (size_t i = 0; i < l->count; i++) {
        const label_row *r = &l->rows[i];
        text_add(&text, "%s\t%s\t%d %d %d %d\t%d\n", r->file_name, l->has_class ? l->classes[r->class_index] : "",
                 r->box.y1, r->box.x1, r->box.y2, r->box.x2, r->is_val);
        for (size_t k = 0; k < r->object_count; k++) {
            const label_object *o = &l->objects[r->first_object + k];
            text_add(&text, "\t%s\t%d %d %d %d\n", o->class_index < 0 ? "-" : l->classes[o->class_index], o->box.y1,
                     o->box.x1, o->box.y2, o->box.x2);
        }
    }
    return digest_text(&text, hex, e);
}

/* What a file is by its first record. */
static int kind_of(const file_view *view, bool *classes, bool *boxes, error *e)
{
    error no_csv = {0};
    csv_reader r = csv_start(view->path, view->data, view->size);
    const bool two = csv_next(&r, &no_csv) && r.count == 2 && text_is(r.fields[0], "fn");
    *classes = two && text_is(r.fields[1], "cat");
    *boxes = two && text_is(r.fields[1], "bbox");
    csv_end(&r);
    return no_csv.code == ERR_SYSTEM ? fail(e, ERR_SYSTEM, "%s", no_csv.text) : 0;
}

int labels_check(const char *path, error *e)
{
    file_view view;
    bool classes, boxes;
    int code = file_open(&view, path, e);
    if (code)
        return code;
    names list = {0};
    name_list_unknown none;
    csv_labels c = {0};
    code = kind_of(&view, &classes, &boxes, e);
    if (!code && (classes || boxes))
        code = read_csv_view(&c, &view, boxes, e);
    else if (!code)
        code = name_list_read(&list, &none, path, NULL, e);
    if (!code && !classes && !boxes && list.count == 0)
        code = fail(e, ERR_INPUT, "%s: is empty", view.path);
    names_free(&list);
    csv_labels_free(&c);
    file_close(&view);
    return code;
}

void labels_free(labels *l)
{
    free(l->rows);
    free(l->objects);
    free(l->train);
    free(l->val);
    free(l->classes);
    names_free(&l->file_names);
    names_free(&l->labels_seen);
    *l = (labels){0};
}
