/* The checkpoint is opened, what was asked for is held against it, the list of pictures is made, and predict_run calls
 * back with one prediction after the other, which becomes a row and, if wanted, a drawing.
 * The table gets its name when everything has been written. */
#include "front/predict_table.h"

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "front/picture_notes.h"
#include "nn/recipe.h"
#include "render/draw.h"
#include "voc/pred.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct table_writer {
    predict_table *t;
    const checkpoint *c;
    const picture_list *list;
    FILE *stream;
    pred_top *top; /* t->top pairs */
    bool *used;    /* of each class, while the best are looked for */
    picture_notes notes;
} table_writer;

/* ---------------------------------------------------------------- drawing */

enum { LABEL = 300 }; /* bytes of a label */

/* The picture to draw on. The one of a cache is copied, since drawing wants a picture of its own. */
static int picture_of(const picture_list *list, size_t item, picture *p, error *e)
{
    if (!list->cache)
        return picture_load(p, list->paths[item], NULL, e);
    scaled_picture s = cache_at(list->cache, list->rows[item]);
    int code = picture_new(p, s.width, s.height, e);
    if (!code)
        memcpy(p->pixels, s.pixels, (size_t)s.width * (size_t)s.height * 3);
    return code;
}

/* Makes the folders of path from its byte `from` on that are not there. */
static int make_folders(char *path, size_t from, error *e)
{
    for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool there = mkdir(path, 0777) == 0 || errno == EEXIST;
        int code = there ? 0 : fail_system(e, "%s: cannot make the folder", path);
        *slash = '/';
        if (code)
            return code;
    }
    return 0;
}

/* How many of the objects, the best ones, are probable enough to be told. */
static int objects_told(const table_writer *w, const prediction *p)
{
    int count = 0;
    while (count < p->object_count && p->objects[count].score >= w->t->least)
        count++;
    return count;
}

/* Whether the answer for the largest object is. */
static bool is_told(const table_writer *w, const prediction *p)
{
    return p->best < 0 || p->confidence >= w->t->least;
}

/* What is drawn: the answer, or all objects, the best one on top. Returns how many. */
static int marks_of(const table_writer *w, const prediction *p, draw_mark *marks, char (*labels)[LABEL])
{
    if (!w->t->all) {
        if (!is_told(w, p))
            return 0;
        snprintf(labels[0], LABEL, "%s %.2f", p->best < 0 ? "" : w->c->info.classes[p->best], p->confidence);
        marks[0] = (draw_mark){p->has_box, p->own, p->best < 0 ? NULL : labels[0], DRAW_WHITE};
        return 1;
    }
    const int count = objects_told(w, p);
    for (int i = 0; i < count; i++) {
        const predicted_object *o = &p->objects[i];
        snprintf(labels[i], LABEL, "%s %.2f", w->c->info.classes[o->class_index], o->score);
        marks[i] = (draw_mark){true, o->own, labels[i], DRAW_WHITE};
    }
    return count;
}

/* Draws the prediction on its picture, in its own size, or for a row of a cache as scaled there, and saves that under
 * the picture's name, folders too, as JPEG or PNG as that says. A name that says neither gets .png behind it. */
static int draw_row(const table_writer *w, const prediction *p, error *e)
{
    draw_mark marks[PREDICT_OBJECTS];
    char labels[PREDICT_OBJECTS][LABEL];
    picture drawn = {0};
    int code = picture_of(w->list, p->item, &drawn, e);
    if (code)
        return code;
    const double down = (double)drawn.height / p->height, across = (double)drawn.width / p->width;
    const int count = marks_of(w, p, marks, labels);
    for (int i = 0; i < count; i++) {
        box_real *b = &marks[i].box;
        *b = (box_real){b->y1 * down, b->x1 * across, b->y2 * down, b->x2 * across};
    }
    text_buffer path = {0};
    text_add(&path, "%s/%s%s", w->t->save_pictures, p->file_name, picture_has_ending(p->file_name) ? "" : ".png");
    code = text_done(&path, e);
    if (!code && !w->list->cache && file_same(path.data, w->list->paths[p->item]))
        code = fail(e, ERR_USAGE, "%s: is the picture itself and would be overwritten; save into another folder",
                    path.data);
    if (!code)
        code = make_folders(path.data, strlen(w->t->save_pictures) + 1, e);
    if (!code)
        code = draw_save(&drawn, marks, (size_t)count, path.data, e);
    text_free(&path);
    picture_free(&drawn);
    return code;
}

/* ---------------------------------------------------------------- rows */

/* The t->top most probable classes, the first of equals first. */
static void find_top(table_writer *w, const prediction *p)
{
    int classes = w->c->info.class_count;
    memset(w->used, 0, (size_t)classes * sizeof *w->used);
    for (int k = 0; k < w->t->top; k++) {
        int best = -1;
        for (int i = 0; i < classes; i++)
            if (!w->used[i] && (best < 0 || p->probability[i] > p->probability[best]))
                best = i;
        w->used[best] = true;
        w->top[k] = (pred_top){w->c->info.classes[best], p->probability[best]};
    }
}

/* A row for each object, or one that says that there is none. */
static void write_objects(const table_writer *w, const prediction *p)
{
    const int count = objects_told(w, p);
    for (int i = 0; i < count; i++) {
        const predicted_object *o = &p->objects[i];
        const pred_row row = {.file_name = p->file_name,
                              .category = w->c->info.classes[o->class_index],
                              .probability = o->score,
                              .has_box = true,
                              .box = o->own};
        pred_print_row(w->stream, &row, 0, 0);
    }
    const pred_row nothing = {.file_name = p->file_name};
    if (count == 0)
        pred_print_row(w->stream, &nothing, 0, 0);
}

static int write_row(void *context, const prediction *p, error *e)
{
    table_writer *w = context;
    w->t->predicted++;
    if (w->t->all) {
        write_objects(w, p);
        return w->t->save_pictures ? draw_row(w, p, e) : 0;
    }
    const bool answer = is_told(w, p);
    pred_row row = {.file_name = p->file_name, .has_box = answer && p->has_box, .box = p->own, .frame = p->frame};
    if (p->best >= 0 && answer) {
        row.category = w->c->info.classes[p->best];
        row.probability = p->confidence;
        if (w->t->top)
            find_top(w, p);
        row.top = w->t->top ? w->top : NULL;
    }
    pred_print_row(w->stream, &row, w->t->frame, w->t->top);
    return w->t->save_pictures ? draw_row(w, p, e) : 0;
}

static void note_rest(const table_writer *w)
{
    const size_t bad = picture_notes_rest(w->notes.bad), warned = picture_notes_rest(w->notes.warned);
    if (bad || warned)
        program_note(w->t->program, "%zu more were left out, %zu more were used all the same (resize-cache names all)",
                     bad, warned);
    if (w->list->left_out)
        program_note(w->t->program,
                     "left out of %s: %zu of the pictures in %s (named in %s.sources), which get no prediction",
                     w->t->cache_path, w->list->left_out, w->t->only_path, w->t->cache_path);
}

static int check_wishes(const predict_table *t, const checkpoint *c, error *e)
{
    if (t->all && t->frame)
        return fail(e, ERR_USAGE, "--frame adds the largest object's box in the frame: leave out --all");
    if (t->frame && t->frame != c->info.size)
        return fail(e, ERR_USAGE, "--frame %d: %s works in a frame of %d", t->frame, t->ckpt_path, c->info.size);
    if (t->top > c->info.class_count)
        return fail(e, ERR_USAGE, "--top %d: %s knows %d classes", t->top, t->ckpt_path, c->info.class_count);
    if (t->all && c->info.task != TASK_OBJECTS)
        return fail(e, ERR_USAGE,
                    "--all: %s is a %s network, which knows the largest object alone (train-objects makes "
                    "one of all objects)",
                    t->ckpt_path, task_name(c->info.task));
    if (t->top && c->info.task == TASK_OBJECTS)
        return fail(e, ERR_USAGE, "--top: %s scores objects, not classes; leave it out, or see --all", t->ckpt_path);
    if (t->save_pictures && mkdir(t->save_pictures, 0777) != 0 && errno != EEXIST)
        return fail_system(e, "%s: cannot make the folder", t->save_pictures);
    return 0;
}

/* Precisions that any device has are kept; a 16-bit one may be missing here, so the options' one stands. */
static int use_trained_precision(predict_table *t, const checkpoint *c, error *e)
{
    recipe trained;
    if (!t->as_trained)
        return 0;
    int code = recipe_of_checkpoint(&trained, c->info.recipe, e);
    if (!code && (trained.precision == PRECISION_FP32 || trained.precision == PRECISION_TF32))
        t->device_options.precision = trained.precision;
    return code;
}

static int write_table(predict_table *t, const checkpoint *c, const picture_list *list, error *e)
{
    table_writer w = {.t = t, .c = c, .list = list, .notes = {.program = t->program, .bad_end = "; left out"}};
    out_file out = {0};
    device *d = NULL;
    size_t classes = (size_t)c->info.class_count;
    w.top = mem_zero(classes, sizeof *w.top, "classes", e);
    w.used = mem_zero(classes, sizeof *w.used, "classes", e);
    int code = w.top && w.used ? out_open(&out, t->output, e) : ERR_SYSTEM;
    if (!code) {
        d = device_open(t->device, &t->device_options, e);
        code = d ? 0 : e->code;
        snprintf(t->remark, sizeof t->remark, "%s", d ? device_remark(d) : "");
    }
    if (!code) {
        predict_options o = {.batch = t->batch,
                             .threads = t->device_options.threads,
                             .max_bad = t->max_bad,
                             .flip = t->flip,
                             .row = write_row,
                             .row_context = &w,
                             .bad = picture_notes_bad,
                             .warned = picture_notes_warned,
                             .note_context = &w.notes};
        w.stream = out.stream;
        pred_print_header(out.stream, t->frame, t->top);
        double start = progress_seconds();
        code = predict_run(c, d, list, &o, &t->unreadable, e);
        double seconds = progress_seconds() - start;
        t->rate = seconds > 0 ? (double)t->predicted / seconds : 0;
    }
    note_rest(&w);
    if (!code)
        code = out_commit(&out, e);
    else
        out_discard(&out);
    device_close(d);
    free(w.top);
    free(w.used);
    return code;
}

int predict_table_write(predict_table *t, char *const *named, int count, error *e)
{
    checkpoint c;
    cache *pictures = NULL;
    picture_list list = {0};
    int code = checkpoint_open(&c, t->ckpt_path, e);
    if (code)
        return code;
    if (t->least == PREDICT_LEAST)
        t->least = t->all ? 0.3 : 0;
    code = check_wishes(t, &c, e);
    if (!code)
        code = use_trained_precision(t, &c, e);
    if (!code && t->cache_path) {
        pictures = cache_open(t->cache_path, e);
        if (!pictures)
            code = e->code;
        else if (cache_size(pictures) != c.info.size)
            code = fail(e, ERR_INPUT,
                        "%s: its pictures are scaled to %d, %s takes %d; make one with resize-cache --size %d",
                        t->cache_path, cache_size(pictures), t->ckpt_path, c.info.size, c.info.size);
        else
            code = picture_list_cache(&list, pictures, t->only_path, e);
    } else if (!code) {
        code = picture_list_files(&list, named, count, t->save_pictures, e);
    }
    if (!code)
        code = write_table(t, &c, &list, e);
    picture_list_free(&list);
    cache_close(pictures);
    checkpoint_close(&c);
    return code;
}
