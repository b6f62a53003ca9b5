/* First each picture's file is found and its head read, in threads; pictures without a file or a readable head are the
 * bad ones. Then sizes are compared in two steps, because a photo that EXIF turns does not always tell whether it was
 * annotated as stored or as shown: all that tell are counted, and the others follow if those agree. Boxes are turned
 * last. A second file (compare_sets.c) looks at the boxes of the whole set. */
#include "check/compare.h"

#include "base/file.h"
#include "base/threads.h"
#include "voc/pictures.h"
#include "image/picture_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* On which pixels the boxes of a picture are. */
typedef enum pixels { SHOWN, STORED, UNTOLD, OTHER_SIZE } pixels;

/* What is known of a picture that has an object. */
typedef struct picture_found {
    coco_image *image;
    size_t file, near; /* in the folder; PICTURES_NONE: none */
    picture_info head;
    bool fits_several;
    char *bad; /* what is wrong with the file; NULL: nothing */
    pixels pixels;
} picture_found;

typedef struct comparison {
    coco *c;
    const compare_options *options;
    text_buffer *remarks;
    pictures *folder;
    picture_found *found;
    size_t count, missing, bad;
} comparison;

/* ---------------------------------------------------------------- files */

static bool has_object(const comparison *m, const coco_image *image)
{
    for (size_t k = image->first; k; k = m->c->objects[k - 1].next)
        if (!m->c->objects[k - 1].ignore || m->options->keep_ignored)
            return true;
    return false;
}

/* Names as written come first: what they name is no other picture's. */
static int find_files(comparison *m, error *e)
{
    picture_found **claimed = mem_zero(pictures_count(m->folder), sizeof *claimed, "names of pictures", e);
    if (!claimed)
        return ERR_SYSTEM;
    for (size_t i = 0; i < m->count; i++) {
        picture_found *f = &m->found[i];
        f->near = PICTURES_NONE;
        f->file = pictures_exact(m->folder, f->image->file_name);
        if (f->file != PICTURES_NONE)
            claimed[f->file] = f;
    }
    for (size_t i = 0; i < m->count && !e->code; i++) {
        picture_found *f = &m->found[i];
        if (f->file != PICTURES_NONE || pictures_resolve(m->folder, f->image->file_name, &f->file, &f->near, e))
            continue;
        f->fits_several = f->near != PICTURES_NONE;
        picture_found *other = f->file == PICTURES_NONE ? NULL : claimed[f->file];
        if (other && strcmp(other->image->file_name, pictures_name(m->folder, f->file)) != 0)
            fail(e, ERR_INPUT, "%s: %.200s and %.200s are both the picture %.200s; name each as the file is named",
                 m->c->path, other->image->file_name, f->image->file_name, pictures_name(m->folder, f->file));
        if (f->file != PICTURES_NONE && !other)
            claimed[f->file] = f;
        else
            f->file = PICTURES_NONE;
    }
    free(claimed);
    return e->code;
}

static int read_head(void *context, size_t item, int worker, error *e)
{
    (void)worker;
    const comparison *m = context;
    picture_found *f = &m->found[item];
    error found = {0};
    if (f->file == PICTURES_NONE)
        return 0;
    char *path = path_join(m->options->images, pictures_name(m->folder, f->file), e);
    if (!path)
        return ERR_SYSTEM;
    int code = picture_head(path, &f->head, &found);
    free(path);
    if (code == ERR_INPUT) {
        f->bad = strdup(found.text);
        return f->bad ? 0 : fail_memory(e, sizeof found.text, "a message");
    }
    return code ? fail(e, code, "%s", found.text) : 0;
}

/* The names of the files in place of the annotated ones. */
static int take_names(comparison *m, error *e)
{
    size_t others = 0;
    for (size_t i = 0; i < m->count; i++) {
        picture_found *f = &m->found[i];
        size_t number;
        const char *name = f->file == PICTURES_NONE ? f->image->file_name : pictures_name(m->folder, f->file);
        if (strcmp(name, f->image->file_name) == 0)
            continue;
        if (names_add(&m->c->file_names, name, strlen(name), &number, e))
            return e->code;
        if (others++ == 0)
            text_add(m->remarks, "%.200s is taken to be the picture %.200s", f->image->file_name, name);
        f->image->file_name = m->c->file_names.items[number];
    }
    if (others > 1)
        text_add(m->remarks, ", and %zu more names likewise", others - 1);
    if (others)
        text_add(m->remarks, "\n");
    return text_done(m->remarks, e);
}

/* ---------------------------------------------------------------- bad pictures */

static bool is_bad(const picture_found *f)
{
    return f->bad || f->file == PICTURES_NONE;
}

static void add_bad(const comparison *m, text_buffer *b, const picture_found *f)
{
    if (f->bad)
        text_add(b, "%.300s", f->bad);
    else
        text_add(b, "%.200s is missing", f->image->file_name);
    if (f->fits_several)
        text_add(b, " (it fits %.200s and others: name one)", pictures_name(m->folder, f->near));
    else if (!f->bad && f->near != PICTURES_NONE)
        text_add(b, " (there is %.200s)", pictures_name(m->folder, f->near));
}

/* A file of the folder that no annotation names and whose name is near that of a missing picture. */
static void find_near(const comparison *m, picture_found *f, error *e)
{
    const size_t count = pictures_count(m->folder);
    const char **free_names = mem_zero(count, sizeof *free_names, "names of pictures", e);
    bool *taken = mem_zero(count, sizeof *taken, "names of pictures", e);
    size_t free_count = 0;
    for (size_t i = 0; taken && i < m->count; i++)
        if (m->found[i].file != PICTURES_NONE)
            taken[m->found[i].file] = true;
    for (size_t i = 0; free_names && taken && i < count; i++)
        if (!taken[i] && names_is_picture(pictures_name(m->folder, i)))
            free_names[free_count++] = pictures_name(m->folder, i);
    const char *near = free_count ? text_nearest(f->image->file_name, free_names, free_count) : NULL;
    if (near)
        f->near = pictures_exact(m->folder, near);
    free(free_names);
    free(taken);
}

static int none_there(const comparison *m, error *e)
{
    if (pictures_count(m->folder) == 0)
        return fail(e, ERR_INPUT,
                    "%s: holds no files, %s names %zu pictures: --images (make: IMAGES) names their folder",
                    m->options->images, m->c->path, m->count);
    return fail(e, ERR_INPUT,
                "%s: none of the %zu annotated pictures is there, such as %.200s; there is %.200s: --images (make: "
                "IMAGES) names their folder",
                m->options->images, m->count, m->found[0].image->file_name, pictures_name(m->folder, 0));
}

/* Counts them; too many are an error, some are a remark. */
static int take_bad(comparison *m, error *e)
{
    picture_found *first = NULL;
    for (size_t i = 0; i < m->count; i++)
        if (is_bad(&m->found[i])) {
            m->missing += !m->found[i].bad;
            m->bad++;
            first = first ? first : &m->found[i];
            if (!m->found[i].image->width || !m->found[i].image->height)
                coco_size_by_boxes(m->c, m->found[i].image);
        }
    if (!first)
        return 0;
    if (m->missing == m->count && !first->fits_several)
        return none_there(m, e);
    if (!first->bad && first->near == PICTURES_NONE)
        find_near(m, first, e);
    const bool too_many = m->bad > (size_t)m->options->max_bad || m->bad == m->count;
    text_buffer line = {0};
    size_t shown = 0;
    text_add(&line, "%zu of %zu pictures %s", m->bad, m->count, too_many ? "cannot be used" : "will be left out");
    if (m->missing && m->missing < m->bad)
        text_add(&line, ", %zu are missing", m->missing);
    for (size_t i = 0; i < m->count && shown < (too_many ? 1 : 3); i++)
        if (is_bad(&m->found[i])) {
            text_add(&line, too_many && m->bad > 1 ? "; the first: " : shown ? "; " : ": ");
            add_bad(m, &line, &m->found[i]);
            shown++;
        }
    if (!too_many && m->bad > shown)
        text_add(&line, "; and %zu more", m->bad - shown);
    if (!text_done(&line, e) && !e->code && !too_many)
        text_add(m->remarks, "%s\n", line.data);
    else if (!e->code && m->bad == m->count)
        fail(e, ERR_INPUT, "%s: %s", m->options->images, line.data);
    else if (!e->code)
        fail(e, ERR_INPUT, "%s: %s. --max-bad %zu (make: MAX_BAD=%zu) goes on without %s", m->options->images,
             line.data, m->bad, m->bad, m->bad > 1 ? "them" : "it");
    text_free(&line);
    return e->code;
}

/* ---------------------------------------------------------------- sizes */

static bool boxes_fit(const coco *c, const coco_image *image, int width, int height)
{
    for (size_t k = image->first; k; k = c->objects[k - 1].next) {
        const box_xywh *b = &c->objects[k - 1].bbox;
        if (b->x < -1 || b->y < -1 || b->x + b->width > width + 1 || b->y + b->height > height + 1)
            return false;
    }
    return true;
}

static pixels pixels_of(const coco *c, const picture_found *f)
{
    const int width = f->head.width, height = f->head.height;
    const bool exchanges = f->head.orientation >= 5 && width != height;
    const pixels same_size = f->head.orientation == 1 || exchanges ? SHOWN : UNTOLD;
    if (f->image->fractions)
        return SHOWN;
    if (!f->image->width || !f->image->height) {
        if (!exchanges)
            return same_size;
        const bool shown = boxes_fit(c, f->image, width, height), stored = boxes_fit(c, f->image, height, width);
        return shown == stored ? UNTOLD : shown ? SHOWN : STORED;
    }
    if (f->image->width == width && f->image->height == height)
        return same_size;
    return exchanges && f->image->width == height && f->image->height == width ? STORED : OTHER_SIZE;
}

static void turn_boxes(coco *c, const picture_found *f)
{
    const bool exchange = f->head.orientation >= 5;
    const int width = exchange ? f->head.height : f->head.width, height = exchange ? f->head.width : f->head.height;
    for (size_t k = f->image->first; k; k = c->objects[k - 1].next) {
        box_xywh *b = &c->objects[k - 1].bbox;
        *b = picture_turn_box(*b, width, height, f->head.orientation);
    }
}

/* What the pictures tell, by pixels. Photos that EXIF does not turn are not among SHOWN. */
typedef struct told {
    size_t count[OTHER_SIZE + 1];
    const picture_found *first[OTHER_SIZE + 1];
    size_t sizeless;
    const picture_found *first_sizeless;
} told;

static told look_at_sizes(comparison *m)
{
    told t = {0};
    for (size_t i = 0; i < m->count; i++) {
        picture_found *f = &m->found[i];
        if (is_bad(f))
            continue;
        f->pixels = pixels_of(m->c, f);
        if (f->pixels != SHOWN || f->head.orientation != 1) {
            if (t.count[f->pixels]++ == 0)
                t.first[f->pixels] = f;
        }
        if (!f->image->width || !f->image->height) {
            if (t.sizeless++ == 0)
                t.first_sizeless = f;
        }
    }
    return t;
}

static int other_size(const comparison *m, const told *t, error *e)
{
    const picture_found *f = t->first[OTHER_SIZE];
    const bool exchanged = f->image->width == f->head.height && f->image->height == f->head.width;
    return fail(e, ERR_INPUT,
                "%s: %zu of %zu pictures have another size than annotated, the first %.200s: %d x %d in the "
                "annotation, %d x %d in the file%s; annotate them again, or put the old ones back",
                m->options->images, t->count[OTHER_SIZE], m->count, f->image->file_name, f->image->width,
                f->image->height, f->head.width, f->head.height,
                exchanged ? " (exchanged, but no EXIF orientation says that it is turned)" : "");
}

static int compare_sizes(comparison *m, error *e)
{
    const told t = look_at_sizes(m);
    if (t.count[OTHER_SIZE])
        return other_size(m, &t, e);
    const bool all_stored = t.count[STORED] && !t.count[SHOWN];
    for (size_t i = 0; i < m->count; i++) {
        picture_found *f = &m->found[i];
        if (is_bad(f))
            continue;
        if (f->pixels == STORED || (f->pixels == UNTOLD && all_stored))
            turn_boxes(m->c, f);
        coco_scale(m->c, f->image, f->head.width, f->head.height);
    }
    if (t.sizeless)
        text_add(m->remarks, "%zu of %zu pictures have no size in the annotations: that of the file is taken\n",
                 t.sizeless, m->count);
    if (t.count[STORED])
        text_add(
            m->remarks,
            "%zu pictures that EXIF turns were annotated unturned: their boxes are turned too, the first in %.200s\n",
            t.count[STORED] + (all_stored ? t.count[UNTOLD] : 0), t.first[STORED]->image->file_name);
    if (t.count[STORED] && t.count[UNTOLD])
        text_add(m->remarks,
                 "%zu %s (square, mirrored or upside down) do not tell, the first %.200s: their boxes are %s\n",
                 t.count[UNTOLD], all_stored ? "of them" : "more", t.first[UNTOLD]->image->file_name,
                 all_stored ? "turned like the others" : "left as they are");
    if (t.count[UNTOLD] && !t.count[STORED] && !t.count[SHOWN])
        text_add(
            m->remarks,
            "%zu pictures are turned by EXIF, and nothing tells whether their boxes are, which is taken for granted: "
            "look at one with render --kind boxes: %.200s\n",
            t.count[UNTOLD], t.first[UNTOLD]->image->file_name);
    return text_done(m->remarks, e);
}

/* ---------------------------------------------------------------- all of it */

int compare_pictures(coco *c, const compare_options *o, text_buffer *remarks, error *e)
{
    comparison m = {.c = c, .options = o, .remarks = remarks};
    m.found = mem_zero(c->image_count, sizeof *m.found, "pictures", e);
    m.folder = m.found ? pictures_open(o->images, e) : NULL;
    for (size_t i = 0; m.folder && i < c->image_count; i++)
        if (has_object(&m, &c->images[i]))
            m.found[m.count++] = (picture_found){.image = &c->images[i]};
    int code = m.folder ? 0 : e->code;
    if (!code && m.count)
        code = find_files(&m, e);
    if (!code)
        code = parallel_for(threads_count(o->threads), m.count, read_head, &m, e);
    if (!code && m.count && !take_bad(&m, e) && !take_names(&m, e) && !compare_sizes(&m, e))
        compare_sets(c, o->keep_ignored, e);
    for (size_t i = 0; i < m.count; i++)
        free(m.found[i].bad);
    free(m.found);
    pictures_close(m.folder);
    return e->code;
}

int compare_annotations(coco *c, const compare_options *o, text_buffer *remarks, error *e)
{
    if (!o->images && o->max_bad)
        return fail(e, ERR_USAGE, "--max-bad is for --images DIR, without which no picture is looked at");
    if (!o->images)
        return compare_sets(c, o->keep_ignored, e);
    return compare_pictures(c, o, remarks, e) ? e->code : compare_classes(c, o->keep_ignored, remarks, e);
}
