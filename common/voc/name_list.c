#include "voc/name_list.h"

#include "base/file.h"
#include "voc/pictures.h"

#include <stdio.h>
#include <string.h>

typedef struct reading {
    names *list;
    const names *known;
    pictures *spellings; /* of known; made for the first name that is not there as written */
    name_list_unknown *unknown;
} reading;

static int note_unknown(const reading *r, const char *name, size_t near, error *e)
{
    const char *other = near != PICTURES_NONE ? pictures_name(r->spellings, near)
                                              : text_nearest(name, r->known->items, r->known->count);
    if (r->unknown->count++ == 0) {
        snprintf(r->unknown->first, sizeof r->unknown->first, "%s", name);
        snprintf(r->unknown->near, sizeof r->unknown->near, "%s", other ? other : "");
    }
    return e->code;
}

static int take_line(void *context, size_t line_number, const char *line, size_t size, error *e)
{
    reading *r = context;
    char clean[NAMES_FILE_MAX + 1];
    const text_field given = text_trimmed_end((text_field){line, size});
    const char *name = clean,
               *wrong = given.size ? names_file_name(r->known ? names_without_start(given) : given, clean) : NULL;
    size_t number, near, before = r->list->count;
    (void)line_number;
    if (!given.size)
        return 0;
    if (wrong)
        return fail(e, ERR_INPUT, "the file name '%.*s' %s", text_shown(given), given.text, wrong);
    if (r->known && names_find(r->known, clean, strlen(clean)) == NAMES_NONE) {
        if ((!r->spellings && !(r->spellings = pictures_of(r->known, e))) ||
            pictures_resolve(r->spellings, clean, &number, &near, e))
            return e->code;
        if (number == PICTURES_NONE)
            return note_unknown(r, clean, near, e);
        name = pictures_name(r->spellings, number);
    }
    if (!names_add(r->list, name, strlen(name), &number, e) && number != before)
        fail(e, ERR_INPUT, "%s is there twice", name);
    return e->code;
}

int name_list_read(names *list, name_list_unknown *unknown, const char *path, const names *known, error *e)
{
    file_view view;
    reading r = {.list = list, .known = known, .unknown = unknown};
    *unknown = (name_list_unknown){0};
    int code = file_open(&view, path, e);
    if (code)
        return code;
    code = file_lines(&view, false, take_line, &r, e);
    pictures_close(r.spellings);
    file_close(&view);
    return code;
}

int name_list_read_all(names *list, const char *path, const names *known, const char *known_path, error *e)
{
    name_list_unknown u;
    if (name_list_read(list, &u, path, known, e) || u.count == 0)
        return e->code;
    return fail(
        e, ERR_INPUT,
        "%s: %zu of its %zu names mean no picture of %s, the first %.200s%s%.200s%s; correct them, or take more "
        "annotations (make: SPLIT= takes all)",
        path, u.count, u.count + list->count, known_path, u.first, *u.near ? " (is it " : "", u.near,
        *u.near ? "?)" : "");
}
