/* anno.tsv in memory: rows as they stand in the file, and the pictures they belong to. anno_add holds each object
 * against what is known of its picture (one id, one name, one size); anno_finish lists the rows of each picture.
 * json2anno builds a table so, and the reader of the file goes through the same door. */
#include "voc/anno.h"

#include "base/file.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- building */

static int add_image(anno_table *t, int64_t id, text_field file_name, int32_t width, int32_t height, uint32_t *index,
                     error *e)
{
    char clean[NAMES_FILE_MAX + 1];
    size_t number;
    const char *wrong = names_file_name(file_name, clean);
    if (wrong)
        return fail(e, ERR_INPUT, "file name '%.*s' %s", text_shown(file_name), file_name.text, wrong);
    if (t->image_count >= IDMAP_NONE - 1)
        return fail(e, ERR_INPUT, "too many pictures");
    int code = names_add(&t->file_names, clean, strlen(clean), &number, e);
    if (code)
        return code;
    *index = (uint32_t)number;
    if (number < t->image_count) {
        const anno_image *old = &t->images[number];
        if (old->id != id)
            return fail(e, ERR_INPUT, "picture %s has two image ids, %" PRId64 " and %" PRId64, old->file_name, old->id,
                        id);
        if (old->width != width || old->height != height)
            return fail(e, ERR_INPUT, "picture %s has two sizes, %dx%d and %dx%d", old->file_name, old->width,
                        old->height, width, height);
        return 0;
    }
    uint32_t was;
    code = idmap_add(&t->ids, id, *index, &was, e);
    if (!code && was != IDMAP_NONE)
        code = fail(e, ERR_INPUT, "image id %" PRId64 " belongs to two pictures, %s and %s", id,
                    t->images[was].file_name, t->file_names.items[number]);
    if (!code)
        code = mem_grow(&t->images, &t->image_capacity, number + 1, sizeof *t->images, "annotations", e);
    if (code)
        return code;
    t->images[t->image_count++] =
        (anno_image){.id = id, .file_name = t->file_names.items[number], .width = width, .height = height};
    return 0;
}

int anno_add(anno_table *t, int64_t image_id, text_field file_name, int32_t width, int32_t height, text_field category,
             box b, bool ignore, error *e)
{
    if (image_id < 0 || image_id > ANNO_ID_MAX)
        return fail(e, ERR_INPUT, "image id %" PRId64 " is not from 0 to 2^53", image_id);
    if (width < 1 || height < 1 || width > ANNO_SIDE_MAX || height > ANNO_SIDE_MAX)
        return fail(e, ERR_INPUT, "a picture of %dx%d is refused: sides are 1 to %d", width, height, ANNO_SIDE_MAX);
    const char *wrong = names_bad_category(category.text, category.size);
    if (wrong)
        return fail(e, ERR_INPUT, "category '%.*s' %s", text_shown(category), category.text, wrong);
    if (!box_fits(b, height, width))
        return fail(e, ERR_INPUT, "box %d %d %d %d (y1 x1 y2 x2) does not lie in a picture of %dx%d", b.y1, b.x1, b.y2,
                    b.x2, width, height);
    uint32_t image = 0;
    size_t number;
    int code = add_image(t, image_id, file_name, width, height, &image, e);
    if (!code)
        code = names_add(&t->categories, category.text, category.size, &number, e);
    if (!code && t->count >= UINT32_MAX - 1)
        code = fail(e, ERR_INPUT, "too many objects");
    if (!code)
        code = mem_grow(&t->rows, &t->capacity, t->count + 1, sizeof *t->rows, "annotations", e);
    if (code)
        return code;
    t->rows[t->count++] = (anno_row){.image_id = image_id,
                                     .file_name = t->images[image].file_name,
                                     .category = t->categories.items[number],
                                     .width = width,
                                     .height = height,
                                     .box = b,
                                     .ignore = ignore,
                                     .image = image};
    return 0;
}

int anno_finish(anno_table *t, error *e)
{
    t->row_lists = mem_zero(t->count, sizeof *t->row_lists, "annotations", e);
    uint32_t **next = mem_zero(t->image_count, sizeof *next, "annotations", e);
    if (!t->row_lists || !next) {
        free(next);
        return ERR_SYSTEM;
    }
    for (size_t i = 0; i < t->count; i++)
        t->images[t->rows[i].image].count++;
    uint32_t *at = t->row_lists;
    for (size_t i = 0; i < t->image_count; at += t->images[i++].count)
        t->images[i].rows = next[i] = at;
    for (size_t i = 0; i < t->count; i++)
        *next[t->rows[i].image]++ = (uint32_t)i;
    free(next);
    return 0;
}

void anno_free(anno_table *t)
{
    free(t->rows);
    free(t->images);
    free(t->row_lists);
    names_free(&t->file_names);
    names_free(&t->categories);
    idmap_free(&t->ids);
    *t = (anno_table){0};
}

/* ---------------------------------------------------------------- reading */

enum { COLUMNS = 10 };
static const char *const column_names[COLUMNS] = {"image_id", "file_name", "width", "height", "category",
                                                  "y1",       "x1",        "y2",    "x2",     "ignore"};

/* Field `column` as a whole number in [min, max]. */
static int whole_field(const text_field *fields, int column, int64_t min, int64_t max, int64_t *value, error *e)
{
    text_field f = fields[column];
    if (text_int(f.text, f.size, min, max, value))
        return 0;
    return fail(e, ERR_INPUT, "%s '%.*s' is not a whole number from %" PRId64 " to %" PRId64, column_names[column],
                text_shown(f), f.text, min, max);
}

static int take_line(void *context, size_t number, const char *line, size_t size, error *e)
{
    text_field f[COLUMNS];
    if (number == 1)
        return text_is((text_field){line, size}, ANNO_HEADER)
                   ? 0
                   : fail(e, ERR_INPUT, "no annotation table: the header must be image_id ... ignore");
    size_t count = text_split(line, size, '\t', f, COLUMNS);
    if (count != COLUMNS)
        return fail(e, ERR_INPUT, "%zu columns, %d are needed (tabs between them)", count, COLUMNS);
    int64_t id, width, height, corner[4], ignore;
    if (whole_field(f, 0, 0, ANNO_ID_MAX, &id, e) || whole_field(f, 2, 1, ANNO_SIDE_MAX, &width, e) ||
        whole_field(f, 3, 1, ANNO_SIDE_MAX, &height, e))
        return ERR_INPUT;
    for (int i = 0; i < 4; i++)
        if (whole_field(f, 5 + i, 0, ANNO_SIDE_MAX, &corner[i], e))
            return ERR_INPUT;
    if (whole_field(f, 9, 0, 1, &ignore, e))
        return ERR_INPUT;
    box b = {(int32_t)corner[0], (int32_t)corner[1], (int32_t)corner[2], (int32_t)corner[3]};
    return anno_add(context, id, f[1], (int32_t)width, (int32_t)height, f[4], b, ignore == 1, e);
}

int anno_read(anno_table *t, const char *path, error *e)
{
    file_view view;
    *t = (anno_table){0};
    int code = file_open(&view, path, e);
    if (code)
        return code;
    code = file_lines(&view, true, take_line, t, e);
    if (!code)
        code = anno_finish(t, e);
    file_close(&view);
    if (code)
        anno_free(t);
    return code;
}

/* ---------------------------------------------------------------- asking */

const anno_image *anno_find(const anno_table *t, const char *file_name)
{
    size_t number = names_find(&t->file_names, file_name, strlen(file_name));
    return number == NAMES_NONE ? NULL : &t->images[number];
}

const anno_image *anno_find_id(const anno_table *t, int64_t id)
{
    uint32_t index = idmap_find(&t->ids, id);
    return index == IDMAP_NONE ? NULL : &t->images[index];
}

const anno_row *anno_largest(const anno_table *t, const anno_image *image)
{
    return anno_largest_but(t, image, NULL);
}

const anno_row *anno_largest_but(const anno_table *t, const anno_image *image, const anno_row *one)
{
    const anno_row *best = NULL;
    for (uint32_t i = 0; i < image->count; i++) {
        const anno_row *row = &t->rows[image->rows[i]];
        if (row != one && !row->ignore && (!best || box_score(row->box) > box_score(best->box)))
            best = row;
    }
    return best;
}

/* ---------------------------------------------------------------- writing and checking */

static int open_table(out_file *out, const char *path, error *e)
{
    if (!out_open(out, path, e))
        fputs(ANNO_HEADER "\n", out->stream);
    return e->code;
}

static void print_row(FILE *f, const anno_row *row)
{
    fprintf(f, "%" PRId64 "\t%s\t%d\t%d\t%s\t%d\t%d\t%d\t%d\t%d\n", row->image_id, row->file_name, row->width,
            row->height, row->category, row->box.y1, row->box.x1, row->box.y2, row->box.x2, row->ignore);
}

int anno_write(const anno_table *t, const char *path, error *e)
{
    out_file out;
    bool changed;
    if (open_table(&out, path, e))
        return e->code;
    for (size_t i = 0; i < t->count; i++)
        print_row(out.stream, &t->rows[i]);
    return out_commit_if_changed(&out, &changed, e);
}

int anno_write_largest(const anno_table *t, const char *path, size_t *without, error *e)
{
    out_file out;
    *without = 0;
    if (open_table(&out, path, e))
        return e->code;
    for (size_t i = 0; i < t->image_count; i++) {
        const anno_row *row = anno_largest(t, &t->images[i]);
        if (row)
            print_row(out.stream, row);
        else
            ++*without;
    }
    return out_commit(&out, e);
}

int anno_check(const char *path, error *e)
{
    anno_table t;
    int code = anno_read(&t, path, e);
    anno_free(&t);
    return code;
}

int anno_check_one_each(const anno_table *t, const char *path, error *e)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].ignore || t->images[t->rows[i].image].count != 1)
            return fail(e, ERR_INPUT, "%s: picture %s has %s; one row for each picture is needed, which largest makes",
                        path, t->rows[i].file_name, t->rows[i].ignore ? "an ignored object" : "several rows");
    return 0;
}

int anno_check_largest(const char *path, error *e)
{
    anno_table t;
    int code = anno_read(&t, path, e);
    if (!code)
        code = anno_check_one_each(&t, path, e);
    anno_free(&t);
    return code;
}
