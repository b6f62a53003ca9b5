#include "nn/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- numbers as Python prints them */

void history_shortest(double x, char text[HISTORY_NUMBER])
{
    if (!isfinite(x)) {
        snprintf(text, HISTORY_NUMBER, "%s", isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    char scientific[HISTORY_NUMBER];
    int digits = 1;
    for (; digits <= 17; digits++) {
        snprintf(scientific, sizeof scientific, "%.*e", digits - 1, x);
        if (strtod(scientific, NULL) == x)
            break;
    }
    int exponent = (int)strtol(strchr(scientific, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) /* 1e-05, 1.5e+16 */
        snprintf(text, HISTORY_NUMBER, "%s", scientific);
    else
        snprintf(text, HISTORY_NUMBER, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 1, x);
}

void history_rounded(double x, char text[HISTORY_NUMBER])
{
    double scaled = x * 1e6;
    history_shortest(isfinite(scaled) ? rint(scaled) / 1e6 : x, text);
}

/* ---------------------------------------------------------------- table */

void history_table_header(task t, text_buffer *b)
{
    static const char *const names[TASKS][6] = {
        [TASK_CLS] = {"epoch", "trn_loss", "val_loss", "accuracy"},
        [TASK_BBOX] = {"epoch", "trn_loss", "val_loss"},
        [TASK_DETN] = {"epoch", "trn_loss", "val_loss", "detn_acc", "detn_l1"},
        [TASK_OBJECTS] = {"epoch", "trn_loss", "val_loss", "cell_acc", "cell_l1"},
    };
    for (int i = 0; names[t][i]; i++)
        text_add(b, "%-10s ", names[t][i]);
}

static void table_value(double x, text_buffer *b)
{
    char text[HISTORY_NUMBER];
    history_rounded(x, text);
    text_add(b, " %-10s", text);
}

void history_table_row(task t, int epoch, double trn_loss, loss_value val, text_buffer *b)
{
    char number[16];
    int width = snprintf(number, sizeof number, "%d", epoch), left = width < 10 ? (10 - width) / 2 : 0;
    text_add(b, "%*s%-*s", left, "", 10 - left, number);
    table_value(trn_loss, b);
    table_value(val.loss, b);
    if (t != TASK_BBOX)
        table_value(val.accuracy, b);
    if (t == TASK_DETN || t == TASK_OBJECTS)
        table_value(val.l1, b);
}

/* ---------------------------------------------------------------- TSV */

void history_row(task t, const char *phase, int epoch, double trn_loss, loss_value val, double seconds, double rate,
                 text_buffer *b)
{
    char trn[HISTORY_NUMBER], loss[HISTORY_NUMBER], accuracy[HISTORY_NUMBER] = "-", l1[HISTORY_NUMBER] = "-";
    history_rounded(trn_loss, trn);
    history_rounded(val.loss, loss);
    if (t != TASK_BBOX)
        history_rounded(val.accuracy, accuracy);
    if (t != TASK_CLS)
        history_rounded(val.l1, l1);
    text_add(b, "%s\t%d\t%s\t%s\t%s\t%s\t%.1f\t%.2f\n", phase, epoch, trn, loss, accuracy, l1, seconds, rate);
}

void batches_row(const char *phase, int epoch, int64_t batch, double lr, double loss, double smoothed, double wait,
                 double rate, text_buffer *b)
{
    text_add(b, "%s\t%d\t%lld\t%.9g\t%.9g\t%.9g\t%.3f\t%.2f\n", phase, epoch, (long long)batch, lr, loss, smoothed,
             wait, rate);
}

void lr_find_row(int batch, double lr, double loss, double smoothed, text_buffer *b)
{
    text_add(b, "%d\t%.9g\t%.9g\t%.9g\n", batch, lr, loss, smoothed);
}
