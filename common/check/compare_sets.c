/* What a single box does not show: a box of one pixel may be right, a set of them is a set of fractions. All boxes are
 * counted by the kinds that would be wrong, and the counts decide. Boxes that are ignored do not count. Classes are
 * looked at likewise: what is said of them are remarks, for no rule can tell whether they are right. */
#include "check/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A kind of box, how many are of it, and the first. */
typedef struct kind {
    size_t count;
    const coco_object *first;
} kind;

/* What the four numbers could be in place of x, y, width, height. */
enum { CORNERS, EXCHANGED, CENTRES, READINGS };

typedef struct kinds {
    size_t boxes;         /* all, with a picture whose size is known */
    kind tiny;            /* smaller than two pixels in both directions */
    kind beyond;          /* more than two pixels beyond the picture */
    kind low;             /* in the first 100 pixels of a picture that is larger than 200 both ways */
    double right, down;   /* how far they reach at most */
    size_t fit[READINGS]; /* would lie in the picture if they were that */
    kind area;            /* as corners they would have the area that is given, and do not as they are */
} kinds;

static void add(kind *k, const coco_object *o, bool of_it)
{
    if (of_it && k->count++ == 0)
        k->first = o;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 0.02 * fabs(b);
}

static bool lies_in(double x1, double y1, double x2, double y2, int width, int height)
{
    return x1 >= -2 && y1 >= -2 && x2 <= width + 2 && y2 <= height + 2 && x2 > x1 && y2 > y1;
}

static void look_at(kinds *k, const coco_object *o, int width, int height)
{
    const box_xywh b = o->bbox;
    const double right = b.x + b.width, down = b.y + b.height;
    k->boxes++;
    add(&k->tiny, o, b.width < 2 && b.height < 2);
    add(&k->beyond, o, b.x < -2 || b.y < -2 || right > width + 2 || down > height + 2);
    add(&k->low, o, right <= 100 && down <= 100 && width > 200 && height > 200);
    k->right = fmax(k->right, right);
    k->down = fmax(k->down, down);
    const bool corners = lies_in(b.x, b.y, b.width, b.height, width, height);
    k->fit[CORNERS] += corners;
    k->fit[EXCHANGED] += lies_in(b.y, b.x, down, right, width, height);
    k->fit[CENTRES] +=
        lies_in(b.x - b.width / 2, b.y - b.height / 2, b.x + b.width / 2, b.y + b.height / 2, width, height);
    add(&k->area, o,
        corners && near((b.width - b.x) * (b.height - b.y), o->area) && !near(b.width * b.height, o->area));
}

static kinds look_at_all(const coco *c, bool keep_ignored)
{
    kinds k = {0};
    for (size_t i = 0; i < c->image_count; i++) {
        const coco_image *image = &c->images[i];
        if (!image->width || !image->height)
            continue;
        for (size_t n = image->first; n; n = c->objects[n - 1].next)
            if (!c->objects[n - 1].ignore || keep_ignored)
                look_at(&k, &c->objects[n - 1], image->width, image->height);
    }
    return k;
}

/* A set that cannot be right: which boxes tell so, what is wrong with them, and what they could be. */
typedef struct verdict {
    const kind *of;
    const char *what, *question;
} verdict;

static verdict judge(const kinds *k)
{
    static const char *const readings[READINGS] = {"x1 y1 x2 y2", "y x height width", "the centre and the size"};
    static const char many[] = "reach beyond their picture";
    enum { ENOUGH = 10 };
    if (k->tiny.count > k->boxes / 2)
        return (verdict){&k->tiny, "are smaller than two pixels", "fractions of the picture"};
    if (k->fit[CORNERS] == k->boxes && k->area.count > k->boxes / 2)
        return (verdict){&k->area, "have another area than is given with them", readings[CORNERS]};
    for (int i = 0; i < READINGS && k->beyond.count * 4 > k->boxes; i++)
        if (k->fit[i] == k->boxes)
            return (verdict){&k->beyond, many, readings[i]};
    if (k->beyond.count > k->boxes / 2)
        return (verdict){&k->beyond, many, "of other pictures, or not in pixels"};
    if (k->boxes >= ENOUGH && k->low.count == k->boxes && k->right > 50 && k->down > 50)
        return (verdict){&k->low, "lie in the first 100 pixels", "per cent of the picture"};
    return (verdict){0};
}

int compare_sets(const coco *c, bool keep_ignored, error *e)
{
    const kinds k = look_at_all(c, keep_ignored);
    const verdict v = judge(&k);
    if (!v.of)
        return 0;
    const box_xywh b = v.of->first->bbox;
    const coco_image *image = coco_image_of(c, v.of->first);
    return fail(e, ERR_INPUT,
                "%s: %zu of %zu boxes %s, such as %g %g %g %g in %.200s (%dx%d): are they %s? "
                "Needed is x y width height in pixels",
                c->path, v.of->count, k.boxes, v.what, b.x, b.y, b.width, b.height, image->file_name, image->width,
                image->height, v.question);
}

/* ---------------------------------------------------------------- classes */

/* The name without blanks around it, single blanks inside, A to Z small. */
static void add_plain(text_buffer *b, const char *name)
{
    bool blank = false;
    for (; *name; name++) {
        const bool is_blank = *name == ' ';
        if (blank && !is_blank && b->size)
            text_add_bytes(b, " ", 1);
        const char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        if (!is_blank)
            text_add_bytes(b, &c, 1);
        blank = is_blank;
    }
}

static int alike_classes(const coco *c, const size_t *objects, text_buffer *remarks, error *e)
{
    names plain = {0};
    size_t *of = mem_zero(c->category_names.count, sizeof *of, "classes", e), pairs = 0;
    text_buffer key = {0};
    for (size_t i = 0; of && i < c->category_names.count && !e->code; i++) {
        size_t number, before = plain.count;
        if (objects[i] == 0)
            continue;
        key.size = 0;
        add_plain(&key, c->category_names.items[i]);
        if (text_done(&key, e) || names_add(&plain, key.data, key.size, &number, e))
            break;
        if (number == before) {
            of[number] = i;
            continue;
        }
        if (pairs++ < 3)
            text_add(remarks, "%s'%.80s' (%zu) and '%.80s' (%zu)",
                     pairs > 1 ? "; " : "classes that differ only in capitals or blanks are taken for two: ",
                     c->category_names.items[of[number]], objects[of[number]], c->category_names.items[i], objects[i]);
    }
    if (pairs > 3)
        text_add(remarks, "; and %zu more", pairs - 3);
    if (pairs)
        text_add(remarks, "\n");
    text_free(&key);
    names_free(&plain);
    free(of);
    return e->code;
}

int compare_classes(const coco *c, bool keep_ignored, text_buffer *remarks, error *e)
{
    size_t *objects = mem_zero(c->category_names.count, sizeof *objects, "classes", e), single = 0;
    if (!objects)
        return ERR_SYSTEM;
    for (size_t i = 0; i < c->object_count; i++)
        if (!c->objects[i].ignore || keep_ignored)
            objects[idmap_find(&c->category_ids, c->objects[i].category_id)]++;
    for (size_t i = 0; i < c->category_names.count; i++)
        if (objects[i] == 1 && single++ < 3)
            text_add(remarks, "%s'%.80s'",
                     single > 1 ? ", " : "classes with a single object, which no network learns: ",
                     c->category_names.items[i]);
    if (single > 3)
        text_add(remarks, " and %zu more", single - 3);
    if (single)
        text_add(remarks, "\n");
    if (!alike_classes(c, objects, remarks, e))
        text_done(remarks, e);
    free(objects);
    return e->code;
}
