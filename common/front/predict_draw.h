/* predict_draw.h - a prediction drawn on its picture. */
#ifndef ONEBOX_FRONT_PREDICT_DRAW_H
#define ONEBOX_FRONT_PREDICT_DRAW_H

#include "nn/predictor.h"

/* Draws the prediction on the picture, in its own size, or for a row of a cache as scaled there, and writes
 * it into folder `dir` under its own name (JPEG stays JPEG, all others become .png). `label` may be NULL. */
int predict_draw(const picture_list *list, const prediction *p, const char *label, const char *dir, error *e);

#endif
