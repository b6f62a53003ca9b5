/* Each task has a function for one picture's part of the loss and its gradient; softmax and cross-entropy are computed
 * from the logarithm of the sum of exponentials, so that no score overflows. Means of batches are weighted by their
 * pictures. */
#include "nn/loss.h"

#include <math.h>

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

/* The largest score's index, the first of equals. */
static int arg_max(const float *scores, int classes)
{
    int best = 0;
    for (int i = 1; i < classes; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

/* log of the sum of exponentials of the scores. */
static double log_sum_exp(const float *scores, int classes)
{
    double top = scores[arg_max(scores, classes)], sum = 0;
    for (int i = 0; i < classes; i++)
        sum += exp(scores[i] - top);
    return top + log(sum); // cppcheck-suppress invalidFunctionArg ; one summand is 1
}

/* One row's cross-entropy; its gradient times `weight` goes to `gradient` when that is not NULL. */
static double cross_entropy(const loss_shape *s, const float *scores, int label, double weight, float *gradient)
{
    const double all = log_sum_exp(scores, s->classes), other = s->smoothing / s->classes;
    double sum = 0;
    for (int i = 0; i < s->classes; i++) {
        if (gradient)
            gradient[i] = (float)(weight * (exp(scores[i] - all) - (i == label ? 1 - s->smoothing : 0) - other));
        sum += scores[i];
    }
    return all - (1 - s->smoothing) * scores[label] - other * sum;
}

double loss_giou(box_real b, box_real t, double slope[4])
{
    const double tiny = 1e-7; /* as in torchvision */
    const double ih = fmin(b.y2, t.y2) - fmax(b.y1, t.y1), iw = fmin(b.x2, t.x2) - fmax(b.x1, t.x1);
    const double ch = fmax(b.y2, t.y2) - fmin(b.y1, t.y1), cw = fmax(b.x2, t.x2) - fmin(b.x1, t.x1);
    const bool meet = ih > 0 && iw > 0;
    const double common = meet ? ih * iw : 0,
                 all = (b.y2 - b.y1) * (b.x2 - b.x1) + (t.y2 - t.y1) * (t.x2 - t.x1) - common, hull = ch * cw;
    const double h = b.y2 - b.y1, w = b.x2 - b.x1;
    const double area_slope[4] = {-w, -h, w, h};
    const double common_slope[4] = {meet && b.y1 > t.y1 ? -iw : 0, meet && b.x1 > t.x1 ? -ih : 0,
                                    meet && b.y2 < t.y2 ? iw : 0, meet && b.x2 < t.x2 ? ih : 0};
    const double hull_slope[4] = {b.y1 < t.y1 ? -cw : 0, b.x1 < t.x1 ? -ch : 0, b.y2 > t.y2 ? cw : 0,
                                  b.x2 > t.x2 ? ch : 0};
    for (int i = 0; i < 4; i++) {
        const double all_slope = area_slope[i] - common_slope[i];
        slope[i] = -(common_slope[i] * (all + tiny) - common * all_slope) / ((all + tiny) * (all + tiny)) +
                   ((hull_slope[i] - all_slope) * (hull + tiny) - (hull - all) * hull_slope[i]) /
                       ((hull + tiny) * (hull + tiny));
    }
    return 1 - common / (all + tiny) + (hull - all) / (hull + tiny);
}

/* 1 - GIoU of the box `v` and its derivatives by the four values. */
static double giou_of(const double v[4], const float *target, double slope[4])
{
    double by[4];
    const bool down = v[0] <= v[2], right = v[1] <= v[3];
    const box_real b = {fmin(v[0], v[2]), fmin(v[1], v[3]), fmax(v[0], v[2]) + 1, fmax(v[1], v[3]) + 1};
    const box_real t = {target[0], target[1], target[2] + 1.0, target[3] + 1.0};
    const double loss = loss_giou(b, t, by);
    slope[0] = by[down ? 0 : 2];
    slope[1] = by[right ? 1 : 3];
    slope[2] = by[down ? 2 : 0];
    slope[3] = by[right ? 3 : 1];
    return loss;
}

/* One row's sum of |box - target|, and s->giou times 1 - GIoU in *overlap. When gradient is not NULL, the derivative of
 * a quarter of the one and of the other by the outputs, times `weight`. */
static double box_distance(const loss_shape *s, const float *output, const float *target, double weight,
                           double *overlap, float *gradient)
{
    double sum = 0, values[4], slopes[4], by[4] = {0};
    *overlap = 0;
    for (int i = 0; i < 4; i++) {
        double slope = 1, value = output[i];
        if (s->task == TASK_DETN) {
            double sig = sigmoid(output[i]);
            value = s->size * sig;
            slope = s->size * sig * (1 - sig);
        }
        values[i] = value;
        slopes[i] = slope;
        sum += fabs(value - target[i]);
    }
    if (s->giou > 0)
        *overlap = s->giou * giou_of(values, target, by);
    for (int i = 0; gradient && i < 4; i++) {
        const double sign = values[i] > target[i] ? 1 : values[i] < target[i] ? -1 : 0;
        gradient[i] = (float)((weight / 4 * sign + weight * s->giou * by[i]) * slopes[i]);
    }
    return sum;
}

static int check_labels(const loss_shape *s, const int32_t *labels, error *e)
{
    for (int n = 0; n < s->batch; n++)
        if (labels[n] < 0 || labels[n] >= s->classes)
            return fail(e, ERR_INPUT, "picture %d of the batch has class %d, the network knows %d classes", n,
                        labels[n], s->classes);
    return 0;
}

int loss_compute(const loss_shape *s, const float *output, const int32_t *labels, const float *boxes, float *gradient,
                 loss_value *value, error *e)
{
    int outputs = task_outputs(s->task, s->classes), right = 0;
    bool classes = s->task != TASK_BBOX, boxed = s->task != TASK_CLS;
    double entropy = 0, distance = 0, apart = 0, overlap, batch = s->batch;
    double class_weight = s->task == TASK_DETN ? DETN_CLASS_WEIGHT : 1;
    *value = (loss_value){0};
    if (classes) {
        int code = check_labels(s, labels, e);
        if (code)
            return code;
    }
    for (int n = 0; n < s->batch; n++) {
        const float *row = output + (size_t)n * (size_t)outputs;
        float *slope = gradient ? gradient + (size_t)n * (size_t)outputs : NULL;
        if (boxed) {
            distance += box_distance(s, row, boxes + 4 * (size_t)n, 1 / batch, &overlap, slope);
            apart += overlap;
        }
        if (classes) {
            const float *scores = loss_scores(s->task, row);
            entropy += cross_entropy(s, scores, labels[n], class_weight / batch, slope ? slope + (scores - row) : NULL);
            right += arg_max(scores, s->classes) == labels[n];
        }
    }
    if (boxed)
        value->l1 = distance / (4 * batch);
    if (classes)
        value->accuracy = right / batch;
    value->loss = value->l1 + class_weight * entropy / batch + apart / batch;
    return 0;
}

/* ---------------------------------------------------------------- means */

void loss_mean_add(loss_mean *m, loss_value value, int batch)
{
    m->loss += value.loss * batch;
    m->accuracy += value.accuracy * batch;
    m->l1 += value.l1 * batch;
    m->weight += batch;
}

loss_value loss_mean_value(const loss_mean *m)
{
    if (m->weight == 0)
        return (loss_value){0};
    return (loss_value){m->loss / m->weight, m->accuracy / m->weight, m->l1 / m->weight};
}

#define SMOOTHING 0.98

double loss_smooth_add(loss_smooth *s, double loss)
{
    s->average = SMOOTHING * s->average + (1 - SMOOTHING) * loss;
    s->count++;
    return loss_smooth_value(s);
}

double loss_smooth_value(const loss_smooth *s)
{
    return s->count ? s->average / (1 - pow(SMOOTHING, (double)s->count)) : 0;
}

/* ---------------------------------------------------------------- what outputs mean */

void loss_softmax(const float *scores, int classes, double *probability)
{
    double all = log_sum_exp(scores, classes);
    for (int i = 0; i < classes; i++)
        probability[i] = exp(scores[i] - all);
}

bool loss_box(task t, int size, const float *output, box_real *b)
{
    double v[4];
    if (t == TASK_CLS)
        return false;
    for (int i = 0; i < 4; i++)
        v[i] = t == TASK_DETN ? size * sigmoid(output[i]) : output[i];
    *b = (box_real){v[0], v[1], v[2], v[3]};
    return true;
}

const float *loss_scores(task t, const float *output)
{
    return t == TASK_BBOX ? NULL : t == TASK_DETN ? output + 4 : output;
}
