/* Each line is taken apart into a name and a mark; whether a blank parts them or belongs to the name is decided by
 * whether there is an annotation of the whole line's name. The name then leads to a file: as written below Annotations,
 * without an extension, or by its last part when just one annotation has it. */
#include "voc/split_list.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

/* A list that is being read. */
typedef struct reading {
    names *chosen;
    names stems; /* as written */
    const layout *l;
    size_t *unmarked;
} reading;

void split_list_names(const layout *l, text_names *found)
{
    static const char folder[] = "ImageSets/Main/";
    for (size_t i = 0; i < l->files.count; i++) {
        const char *file = l->files.items[i], *name = file + strlen(folder);
        if (strncmp(file, folder, strlen(folder)) == 0 && text_ends_with(name, ".txt") && !strchr(name, '/'))
            text_names_add(found, "%.*s", (int)strlen(name) - 4, name);
    }
}

/* ERR_INPUT for a list that is not there, with the names of those that are. */
static int no_such_list(const layout *l, const char *split, error *e)
{
    text_names found = {0};
    split_list_names(l, &found);
    if (found.count)
        return fail(
            e, ERR_INPUT,
            "%s/ImageSets/Main/%s.txt: there is no such list; there are: %s; without --split (make: SPLIT=) all "
            "%zu annotations are taken",
            l->dir, split, found.text, l->annotations.count);
    return fail(e, ERR_INPUT,
                "%s/ImageSets/Main/%s.txt: there is no such list, nor any other%s; without --split (make: SPLIT=) all "
                "%zu annotations are taken",
                l->dir, split, l->has_parts ? ", nor a folder of that name" : " beside it", l->annotations.count);
}

/* The annotation of a line's name, or NULL. */
static const char *find_annotation(const layout *l, const char *name, size_t size)
{
    char path[NAMES_FILE_MAX + 20];
    if (size > NAMES_FILE_MAX)
        return NULL;
    const int length = snprintf(path, sizeof path, "Annotations/%.*s", (int)size, name);
    const char *found = stem_index_find(&l->by_stem, path, (size_t)length, NULL);
    if (!found && names_is_picture(path))
        found = stem_index_find(&l->by_stem, path, names_stem(path), NULL);
    const char *base = tree_base(path);
    if (!found)
        found = stem_index_find_base(&l->by_stem, base, strlen(base));
    if (!found && names_is_picture(path))
        found = stem_index_find_base(&l->by_stem, base, names_stem(path) - (size_t)(base - path));
    return found;
}

static text_field without_quotes(const char *line, size_t size)
{
    const text_field t = text_trimmed_end((text_field){line, size});
    return t.size > 1 && line[0] == '"' && line[t.size - 1] == '"' ? (text_field){line + 1, t.size - 2} : t;
}

/* The name of a line; *mark is what stands behind it, 1 without any. */
static text_field take_apart(const reading *r, const char *line, size_t size, int64_t *mark)
{
    const text_field whole = without_quotes(line, size);
    const char *blank = memrchr(whole.text, ' ', whole.size);
    *mark = 1;
    if (!blank || whole.text != line || find_annotation(r->l, whole.text, whole.size) ||
        !text_int(blank + 1, (size_t)(whole.text + whole.size - blank - 1), -1, 1, mark))
        return whole;
    return without_quotes(line, (size_t)(blank - line));
}

static int take_line(void *context, size_t number, const char *line, size_t size, error *e)
{
    reading *r = context;
    int64_t mark;
    (void)number;
    const text_field name = take_apart(r, line, size, &mark);
    const char *file = find_annotation(r->l, name.text, name.size);
    if (!file && memchr(name.text, ' ', name.size) && !names_bad_file_name(name.text, name.size))
        return fail(e, ERR_INPUT, "'%.*s' contains a blank and is the name of no annotation", text_shown(name),
                    name.text);
    if (names_add_file(&r->stems, name, e))
        return e->code;
    *r->unmarked += mark != 1;
    if (mark != 1)
        return 0;
    text_buffer path = {0};
    size_t at, before = r->chosen->count;
    text_add(&path, file ? "%s" : "Annotations/%s.xml", file ? file : r->stems.items[r->stems.count - 1]);
    if (!text_done(&path, e) && !names_add(r->chosen, path.data, path.size, &at, e) && at != before)
        fail(e, ERR_INPUT, "%s is there twice", path.data);
    text_free(&path);
    return e->code;
}

int split_list_read(names *chosen, const layout *l, const char *split, size_t *unmarked, error *e)
{
    file_view view;
    reading r = {.chosen = chosen, .l = l, .unmarked = unmarked};
    text_buffer path = {0}, name = {0};
    *unmarked = 0;
    text_add(&name, "ImageSets/Main/%s.txt", split);
    text_add(&path, "%s/%s", l->dir, name.data ? name.data : "");
    int code = text_done(&path, e);
    if (!code && (l->form != LAYOUT_XML || names_find(&l->files, name.data, name.size) == NAMES_NONE))
        code = no_such_list(l, split, e);
    if (!code && !(code = file_open(&view, path.data, e))) {
        code = file_lines(&view, false, take_line, &r, e);
        if (!code && chosen->count == 0)
            code = *unmarked
                       ? fail(e, ERR_INPUT,
                              "%s: no row is marked 1; without --split (make: SPLIT=) all annotations are taken",
                              path.data)
                       : fail(e, ERR_INPUT, "%s: is empty; without --split (make: SPLIT=) all annotations are taken",
                              path.data);
        file_close(&view);
    }
    names_free(&r.stems);
    text_free(&path);
    text_free(&name);
    return code;
}
