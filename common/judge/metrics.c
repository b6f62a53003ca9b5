/* Each prediction is judged against the annotations of its picture (judge_picture); sums over all pictures and
 * over those of each class become shares and means with their standard errors. Before that the predictions must
 * fit together (check_rows) and be known (check_known). */
#include "judge/metrics.h"

#include "image/boxmask.h"
#include "image/unframe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums over judged pictures: all of them, or those of one class. */
typedef struct sums {
    double l1, l1_squares, iou, iou_squares;
    size_t n, correct, iou_half, largest, any, near, either;
} sums;

/* One judged picture. */
typedef struct verdict {
    bool correct, iou_half, largest, any, near, either;
    double l1, iou;
} verdict;

/* ---------------------------------------------------------------- one picture */

/* Mean absolute difference of the sides in the frame. */
static double frame_error(const pred_row *p, const anno_row *truth, int frame, bool from_own)
{
    const box_real a = from_own ? frame_expected(p->box, truth->height, truth->width, frame, NULL) : p->frame;
    const box_real b = box_to_real(box_validation(truth->box, truth->height, truth->width, frame));
    return (fabs(a.y1 - b.y1) + fabs(a.x1 - b.x1) + fabs(a.y2 - b.y2) + fabs(a.x2 - b.x2)) / 4;
}

static verdict judge_picture(const metrics *m, const pred_row *p, const anno_table *anno, const anno_row *truth)
{
    const anno_image *image = anno_find(anno, p->file_name);
    verdict v = {0};
    v.correct = m->has_class && strcmp(p->category, truth->category) == 0;
    if (!m->has_box)
        return v;
    v.iou = box_iou(p->box, box_to_real(truth->box));
    v.iou_half = v.iou >= 0.5;
    v.l1 = frame_error(p, truth, (int)m->frame, m->l1_from_own_pixels);
    v.largest = v.correct && v.iou_half;
    for (uint32_t i = 0; i < image->count && m->has_class && !v.any; i++) {
        const anno_row *o = &anno->rows[image->rows[i]];
        v.any = !o->ignore && strcmp(o->category, p->category) == 0 && box_iou(p->box, box_to_real(o->box)) >= 0.5;
    }
    const anno_row *second = m->near > 0 ? anno_largest_but(anno, image, truth) : NULL;
    v.near = second && (double)box_score(second->box) >= m->near * (double)box_score(truth->box);
    v.either = v.near && (v.iou_half || box_iou(p->box, box_to_real(second->box)) >= 0.5);
    return v;
}

/* ---------------------------------------------------------------- before judging */

static int check_rows(metrics *m, const pred_table *pred, error *e)
{
    if (pred->count == 0)
        return fail(e, ERR_INPUT, "there are no predictions to judge");
    m->has_class = pred->rows[0].category != NULL;
    m->has_box = pred->rows[0].has_box;
    for (size_t i = 0; i < pred->count; i++) {
        const pred_row *p = &pred->rows[i];
        if ((p->category != NULL) != m->has_class || p->has_box != m->has_box)
            return fail(e, ERR_INPUT, "%s has %s and %s the other way round: one model's predictions are needed",
                        p->file_name, p->category ? "a class" : "no class", pred->rows[0].file_name);
    }
    return m->has_class || m->has_box ? 0 : fail(e, ERR_INPUT, "the predictions have neither classes nor boxes");
}

/* The largest kept object of the picture that `p` predicts, or NULL. */
static const anno_row *truth_of(const anno_table *anno, const pred_row *p)
{
    const anno_image *image = anno_find(anno, p->file_name);
    return image ? anno_largest(anno, image) : NULL;
}

static int check_known(metrics *m, const pred_table *pred, const anno_table *anno, bool skip, error *e)
{
    text_names unknown = {0};
    for (size_t i = 0; i < pred->count; i++)
        if (!truth_of(anno, &pred->rows[i]))
            text_names_add(&unknown, "%s", pred->rows[i].file_name);
    m->unjudged = unknown.count;
    m->n = pred->count - m->unjudged;
    if (m->unjudged && (!skip || m->n == 0))
        return fail(e, ERR_INPUT, "%zu of %zu predicted pictures have no annotated object: %s", m->unjudged,
                    pred->count, unknown.text);
    for (size_t i = 0; i < anno->image_count; i++)
        m->unpredicted += anno_largest(anno, &anno->images[i]) && !pred_find(pred, anno->images[i].file_name);
    return 0;
}

/* The classes of m in byte order; m->class_names numbers them in another order, rank[] translates. */
static int list_classes(metrics *m, const pred_table *pred, const anno_table *anno, size_t **rank, error *e)
{
    size_t number;
    for (size_t i = 0; i < pred->count && !e->code; i++) {
        const anno_row *truth = truth_of(anno, &pred->rows[i]);
        const char *predicted = pred->rows[i].category;
        if (truth && !names_add(&m->class_names, truth->category, strlen(truth->category), &number, e) && predicted)
            names_add(&m->class_names, predicted, strlen(predicted), &number, e);
    }
    if (e->code)
        return e->code;
    size_t count = m->class_names.count, *order = mem_zero(count, sizeof *order, "classes", e);
    *rank = mem_zero(count, sizeof **rank, "classes", e);
    m->classes = mem_zero(count, sizeof *m->classes, "classes", e);
    if (order && *rank && m->classes) {
        names_sort(&m->class_names, order);
        m->class_count = count;
        for (size_t i = 0; i < count; i++) {
            (*rank)[order[i]] = i;
            m->classes[i].name = m->class_names.items[order[i]];
        }
    }
    free(order);
    return e->code;
}

/* ---------------------------------------------------------------- all pictures */

static void add_verdict(sums *s, const verdict *v)
{
    s->n++;
    s->correct += v->correct;
    s->iou_half += v->iou_half;
    s->largest += v->largest;
    s->any += v->any;
    s->near += v->near;
    s->either += v->either;
    s->iou += v->iou;
    s->iou_squares += v->iou * v->iou;
    s->l1 += v->l1;
    s->l1_squares += v->l1 * v->l1;
}

static metric share_of(size_t count, size_t n)
{
    double p = (double)count / (double)n;
    return (metric){p, sqrt(p * (1 - p) / (double)n)};
}

static metric mean_of(double sum, double squares, size_t n)
{
    double m = sum / (double)n, variance = n > 1 ? (squares - sum * m) / (double)(n - 1) : NAN;
    return (metric){m, sqrt((variance < 0 ? 0 : variance) / (double)n)};
}

static void summarise(const metrics *m, const sums *s, metric of[METRICS])
{
    const metric none = {NAN, NAN};
    of[METRIC_ACCURACY] = m->has_class ? share_of(s->correct, s->n) : none;
    of[METRIC_L1] = m->has_box ? mean_of(s->l1, s->l1_squares, s->n) : none;
    of[METRIC_MEAN_IOU] = m->has_box ? mean_of(s->iou, s->iou_squares, s->n) : none;
    of[METRIC_IOU_HALF] = m->has_box ? share_of(s->iou_half, s->n) : none;
    of[METRIC_LOC_LARGEST] = m->has_box && m->has_class ? share_of(s->largest, s->n) : none;
    of[METRIC_LOC_ANY] = m->has_box && m->has_class ? share_of(s->any, s->n) : none;
}

static int judge_all(metrics *m, const pred_table *pred, const anno_table *anno, error *e)
{
    size_t *rank = NULL;
    sums all = {0}, *of_class = NULL;
    if (!list_classes(m, pred, anno, &rank, e))
        of_class = mem_zero(m->class_count, sizeof *of_class, "classes", e);
    for (size_t i = 0; of_class && i < pred->count; i++) {
        const pred_row *p = &pred->rows[i];
        const anno_row *truth = truth_of(anno, p);
        if (!truth)
            continue;
        verdict v = judge_picture(m, p, anno, truth);
        add_verdict(&all, &v);
        add_verdict(&of_class[rank[names_find(&m->class_names, truth->category, strlen(truth->category))]], &v);
        if (m->has_class)
            m->classes[rank[names_find(&m->class_names, p->category, strlen(p->category))]].predicted++;
    }
    summarise(m, &all, m->of);
    m->near_n = all.near;
    m->either = all.near ? share_of(all.either, all.near) : (metric){NAN, NAN};
    for (size_t i = 0; of_class && i < m->class_count; i++) {
        metrics_class *c = &m->classes[i];
        c->n = of_class[i].n;
        c->correct = of_class[i].correct;
        c->precision = m->has_class ? (double)c->correct / (double)c->predicted : NAN;
        summarise(m, &of_class[i], c->of);
    }
    free(rank);
    free(of_class);
    return e->code;
}

int metrics_compute(metrics *m, const pred_table *pred, const anno_table *anno, const metrics_options *options,
                    error *e)
{
    *m = (metrics){.l1_from_own_pixels = pred->frame == 0, .near = options->near};
    m->frame = (size_t)(pred->frame ? pred->frame : options->frame ? options->frame : 224);
    if (!check_rows(m, pred, e) && !check_known(m, pred, anno, options->skip_unknown, e))
        judge_all(m, pred, anno, e);
    return e->code;
}

void metrics_free(metrics *m)
{
    free(m->classes);
    names_free(&m->class_names);
    *m = (metrics){0};
}
