/* A batch's loss takes two passes, since it is divided by the weights of the cells that answer for objects in all of
 * the batch: the first gives every picture's cells to its objects, the second goes through the maps of the output,
 * first those of the boxes, which say how good the boxes are, then those of the classes. Everything is computed in
 * double precision. Finding objects keeps the best class of each cell, sorts, and lets a box suppress the worse ones of
 * its class that it covers. */
#include "nn/objects.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double sigmoid(double x)
{
    const double t = exp(-fabs(x));
    return (x >= 0 ? 1 : t) / (1 + t);
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double area(box_real b)
{
    return (b.y2 - b.y1) * (b.x2 - b.x1);
}

/* What two boxes have in common. */
static double common_area(box_real a, box_real b)
{
    const double height = fmin(a.y2, b.y2) - fmax(a.y1, b.y1), width = fmin(a.x2, b.x2) - fmax(a.x1, b.x1);
    return height > 0 && width > 0 ? height * width : 0;
}

static double overlap_of(box_real a, box_real b)
{
    const double common = common_area(a, b), all = area(a) + area(b) - common;
    return all > 0 ? common / all : 0;
}

/* ---------------------------------------------------------------- which cell answers for which object */

int objects_target_floats(int most)
{
    return 1 + most * (int)(sizeof(object_target) / sizeof(float));
}

static box_real box_of(const object_target *o)
{
    return (box_real){(double)o->y1, (double)o->x1, (double)o->y2, (double)o->x2};
}

/* Whether the middle (y, x) of a cell lies in the box, and near its middle. */
static bool answers(box_real b, double y, double x)
{
    const double reach_y = fmax(1.5 * OBJECTS_STRIDE, OBJECTS_REACH * (b.y2 - b.y1)),
                 reach_x = fmax(1.5 * OBJECTS_STRIDE, OBJECTS_REACH * (b.x2 - b.x1));
    return y > b.y1 && y < b.y2 && x > b.x1 && x < b.x2 && fabs(y - (b.y1 + b.y2) / 2) < reach_y &&
           fabs(x - (b.x1 + b.x2) / 2) < reach_x;
}

/* The cell nearest to the middle of b. */
static int nearest_cell(box_real b, int side)
{
    const double middle[2] = {(b.y1 + b.y2) / 2, (b.x1 + b.x2) / 2};
    int at[2];
    for (int i = 0; i < 2; i++) /* the first of two equally near ones */
        at[i] = (int)fmin(fmax(ceil(middle[i] / OBJECTS_STRIDE) - 1, 0), side - 1);
    return at[0] * side + at[1];
}

/* Gives `cell` to an object if it is free or its owner is larger. */
static void take_cell(const object_target *objects, int number, int32_t *cell)
{
    if (*cell < 0 || area(box_of(&objects[number])) < area(box_of(&objects[*cell])))
        *cell = number;
}

void objects_assign(const object_target *objects, int count, int size, int32_t *cells)
{
    const int side = size / OBJECTS_STRIDE;
    for (int k = 0; k < side * side; k++)
        cells[k] = CELL_BACKGROUND;
    for (int pass = 0; pass < 2; pass++) /* ignored objects first: what they marked may be taken */
        for (int n = 0; n < count; n++) {
            const box_real b = box_of(&objects[n]);
            const bool ignored = objects[n].class_index < 0;
            bool any = false;
            for (int k = 0; k < side * side && ignored == (pass == 0); k++) {
                const double y = (k / side + 0.5) * OBJECTS_STRIDE, x = (k % side + 0.5) * OBJECTS_STRIDE;
                if (ignored && y > b.y1 && y < b.y2 && x > b.x1 && x < b.x2)
                    cells[k] = CELL_IGNORED;
                if (!ignored && answers(b, y, x)) {
                    take_cell(objects, n, &cells[k]);
                    any = true;
                }
            }
            if (!any && !ignored && pass == 1)
                take_cell(objects, n, &cells[nearest_cell(b, side)]);
        }
}

/* ---------------------------------------------------------------- the loss */

/* The box of cell k of a picture. */
static box_real cell_box(const float *output, int size, int k)
{
    const int side = size / OBJECTS_STRIDE, cells = side * side;
    const double y = (k / side + 0.5) * OBJECTS_STRIDE, x = (k % side + 0.5) * OBJECTS_STRIDE;
    double d[4];
    for (int i = 0; i < 4; i++)
        d[i] = softplus((double)output[i * cells + k]) * size * OBJECTS_REACH;
    return (box_real){y - d[0], x - d[1], y + d[2], x + d[3]};
}

/* What is summed over a batch, and what its pictures share. */
typedef struct loss_sums {
    const objects_shape *s;
    int cells;
    double share; /* 1 / W */
    double scores, boxes, distance;
    size_t taken, right; /* cells */
    double *quality;     /* scratch: y of each cell, 0 where it answers for no object */
} loss_sums;

/* One picture: its objects, and what its cells answer for and weigh. */
typedef struct loss_picture {
    const object_target *objects;
    int count;
    int32_t *cell;
    double *weight;
} loss_picture;

/* The boxes of a picture's cells that answer for an object. */
static void add_boxes(loss_sums *l, const float *output, const loss_picture *p, float *gradient)
{
    for (int k = 0; k < l->cells; k++) {
        l->quality[k] = 0;
        if (p->cell[k] < 0)
            continue;
        const box_real b = cell_box(output, l->s->size, k), t = box_of(&p->objects[p->cell[k]]);
        const double factor = OBJECTS_BOX_WEIGHT * l->share * p->weight[k];
        double slope[4];
        l->boxes += p->weight[k] * loss_giou(b, t, slope);
        l->distance += (fabs(b.y1 - t.y1) + fabs(b.x1 - t.x1) + fabs(b.y2 - t.y2) + fabs(b.x2 - t.x2)) / 4;
        l->quality[k] = overlap_of(b, t);
        for (int i = 0; i < 4 && gradient; i++) {
            const double step = sigmoid((double)output[i * l->cells + k]) * l->s->size * OBJECTS_REACH;
            gradient[i * l->cells + k] = (float)(factor * slope[i] * (i < 2 ? -step : step));
        }
    }
}

/* The map of one class. */
static void add_scores(loss_sums *l, const float *map, int class_index, const loss_picture *p, float *gradient)
{
    for (int k = 0; k < l->cells; k++) {
        if (p->cell[k] == CELL_IGNORED)
            continue;
        const double x = (double)map[k], t = exp(-fabs(x)), s = (x >= 0 ? 1 : t) / (1 + t);
        const bool own = p->cell[k] >= 0 && (int)p->objects[p->cell[k]].class_index == class_index;
        const double y = own ? l->quality[k] : 0, away = s - y;
        const double entropy = fmax(x, 0) - x * y + log1p(t);
        l->scores += p->weight[k] * away * away * entropy;
        if (gradient)
            gradient[k] = (float)(l->share * p->weight[k] * (2 * away * s * (1 - s) * entropy + away * away * away));
    }
}

/* How many of the picture's cells have the greatest score at their object's class. */
static size_t right_cells(const loss_sums *l, const float *scores, const loss_picture *p)
{
    size_t right = 0;
    for (int k = 0; k < l->cells; k++) {
        if (p->cell[k] < 0)
            continue;
        int best = 0;
        for (int c = 1; c < l->s->classes; c++)
            if (scores[c * l->cells + k] > scores[best * l->cells + k])
                best = c;
        right += best == (int)p->objects[p->cell[k]].class_index;
    }
    return right;
}

static void add_picture(loss_sums *l, const float *output, const loss_picture *p, float *gradient)
{
    const float *scores = output + 4 * (size_t)l->cells;
    if (gradient)
        memset(gradient, 0, (size_t)(4 + l->s->classes) * (size_t)l->cells * sizeof *gradient);
    add_boxes(l, output, p, gradient);
    for (int c = 0; c < l->s->classes; c++)
        add_scores(l, scores + (size_t)c * (size_t)l->cells, c, p,
                   gradient ? gradient + (size_t)(4 + c) * (size_t)l->cells : NULL);
    l->right += right_cells(l, scores, p);
}

/* Finds the objects of picture n and gives the cells to them. Adds up what the cells weigh that answer for one. */
static int open_picture(loss_sums *l, const float *targets, int n, loss_picture *p, double *weights, error *e)
{
    const float *row = targets + (size_t)n * (size_t)l->s->target_floats;
    p->objects = (const object_target *)(const void *)(row + 1);
    p->count = (int)row[0];
    for (int i = 0; i < p->count; i++)
        if (p->objects[i].class_index >= (float)l->s->classes)
            return fail(e, ERR_INPUT, "picture %d of the batch has class %g, the network knows %d classes", n,
                        (double)p->objects[i].class_index, l->s->classes);
    objects_assign(p->objects, p->count, l->s->size, p->cell);
    for (int i = 0; i < p->count; i++) {
        int own = 0;
        for (int k = 0; k < l->cells; k++)
            own += p->cell[k] == i;
        for (int k = 0; k < l->cells; k++)
            if (p->cell[k] == i)
                p->weight[k] = 1 / sqrt(own);
        *weights += sqrt(own);
        l->taken += (size_t)own;
    }
    for (int k = 0; k < l->cells; k++)
        if (p->cell[k] < 0)
            p->weight[k] = p->cell[k] == CELL_BACKGROUND;
    return 0;
}

/* Both passes, over pictures that have room for their cells. */
static int add_pictures(loss_sums *l, loss_picture *pictures, const float *output, const float *targets,
                        float *gradient, error *e)
{
    const size_t outputs = (size_t)(4 + l->s->classes) * (size_t)l->cells;
    double weights = 0;
    for (int n = 0; n < l->s->batch; n++)
        if (open_picture(l, targets, n, &pictures[n], &weights, e))
            return e->code;
    l->share = 1 / fmax(weights, 1);
    for (int n = 0; n < l->s->batch; n++)
        add_picture(l, output + (size_t)n * outputs, &pictures[n], gradient ? gradient + (size_t)n * outputs : NULL);
    return 0;
}

int objects_loss(const objects_shape *s, const float *output, const float *targets, float *gradient, loss_value *value,
                 error *e)
{
    const int side = s->size / OBJECTS_STRIDE;
    loss_sums l = {.s = s, .cells = side * side};
    const size_t cells = (size_t)l.cells, batch = (size_t)s->batch;
    loss_picture *pictures = mem_zero(batch, sizeof *pictures, "cells", e);
    int32_t *cell = mem_zero(batch * cells, sizeof *cell, "cells", e);
    double *weight = mem_zero((batch + 1) * cells, sizeof *weight, "cells", e); /* and the scratch */
    int code = pictures && cell && weight ? 0 : ERR_SYSTEM;
    for (size_t n = 0; n < batch && !code; n++)
        pictures[n] = (loss_picture){.cell = cell + n * cells, .weight = weight + n * cells};
    if (!code) {
        l.quality = weight + batch * cells;
        code = add_pictures(&l, pictures, output, targets, gradient, e);
    }
    const double taken = l.taken ? (double)l.taken : 1;
    if (!code)
        *value = (loss_value){.loss = (l.scores + OBJECTS_BOX_WEIGHT * l.boxes) * l.share,
                              .accuracy = (double)l.right / taken,
                              .l1 = l.distance / taken};
    free(pictures);
    free(cell);
    free(weight);
    return code;
}

/* ---------------------------------------------------------------- from outputs to objects */

typedef struct candidate {
    object_found found;
    int cell;
} candidate;

static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->found.score != y->found.score)
        return x->found.score < y->found.score ? 1 : -1;
    return x->cell < y->cell ? -1 : x->cell > y->cell;
}

static box_real cut_to_frame(box_real b, double size)
{
    return (box_real){fmin(fmax(b.y1, 0), size), fmin(fmax(b.x1, 0), size), fmin(fmax(b.y2, 0), size),
                      fmin(fmax(b.x2, 0), size)};
}

/* The best class of each cell, where it is good enough. */
static int list_candidates(const objects_search *s, const float *output, candidate *list)
{
    const int side = s->size / OBJECTS_STRIDE, cells = side * side;
    const float *scores = output + 4 * (size_t)cells;
    int count = 0;
    for (int k = 0; k < cells; k++) {
        int best = 0;
        for (int c = 1; c < s->classes; c++)
            if (scores[c * cells + k] > scores[best * cells + k])
                best = c;
        const double score = sigmoid((double)scores[best * cells + k]);
        if (score >= s->least)
            list[count++] = (candidate){{best, score, cut_to_frame(cell_box(output, s->size, k), (double)s->size)}, k};
    }
    qsort(list, (size_t)count, sizeof *list, by_score);
    return count;
}

int objects_find(const objects_search *s, const float *output, object_found *found, error *e)
{
    const int side = s->size / OBJECTS_STRIDE;
    candidate *list = mem_zero((size_t)side * (size_t)side, sizeof *list, "cells", e);
    int count = 0;
    if (!list)
        return -1;
    const int listed = list_candidates(s, output, list);
    for (int i = 0; i < listed && count < s->most; i++) {
        const object_found *f = &list[i].found;
        bool covered = false;
        for (int j = 0; j < count && !covered; j++)
            covered = found[j].class_index == f->class_index && overlap_of(found[j].edges, f->edges) > s->overlap;
        if (!covered)
            found[count++] = *f;
    }
    free(list);
    return count;
}

int objects_largest(const object_found *found, int count, int size)
{
    int best = -1;
    double best_worth = -1;
    for (int i = 0; i < count; i++) {
        const double share = area(found[i].edges) / ((double)size * size),
                     worth = found[i].score * pow(share, OBJECTS_LARGEST_POWER);
        if (worth > best_worth) {
            best = i;
            best_worth = worth;
        }
    }
    return best;
}
