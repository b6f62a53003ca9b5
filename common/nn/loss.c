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
    return top + log(sum);
}

/* One row's cross-entropy; its gradient times `weight` goes to `gradient` when that is not NULL. */
static double cross_entropy(const float *scores, int classes, int label, double weight, float *gradient)
{
    double all = log_sum_exp(scores, classes);
    for (int i = 0; gradient && i < classes; i++)
        gradient[i] = (float)(weight * (exp(scores[i] - all) - (i == label)));
    return all - scores[label];
}

/* One row's sum of |box - target| and, when gradient is not NULL, weight * its derivative by the outputs. */
static double box_distance(const loss_shape *s, const float *output, const float *target, double weight,
                           float *gradient)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        double slope = 1, value = output[i];
        if (s->task == TASK_DETN) {
            double sig = sigmoid(output[i]);
            value = s->size * sig;
            slope = s->size * sig * (1 - sig);
        }
        double difference = value - target[i];
        sum += fabs(difference);
        if (gradient) {
            double sign = difference > 0 ? 1 : difference < 0 ? -1 : 0;
            gradient[i] = (float)(weight * sign * slope);
        }
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
    double entropy = 0, distance = 0, batch = s->batch;
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
        if (boxed)
            distance += box_distance(s, row, boxes + 4 * (size_t)n, 1 / (4 * batch), slope);
        if (classes) {
            const float *scores = loss_scores(s->task, row);
            entropy += cross_entropy(scores, s->classes, labels[n], class_weight / batch,
                                     slope ? slope + (scores - row) : NULL);
            right += arg_max(scores, s->classes) == labels[n];
        }
    }
    if (boxed)
        value->l1 = distance / (4 * batch);
    if (classes)
        value->accuracy = right / batch;
    value->loss = value->l1 + class_weight * entropy / batch;
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
