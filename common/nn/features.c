/* Rows lie one after the other in one block and are filled in order. */
#include "nn/features.h"

#include <stdlib.h>
#include <string.h>

int features_open(features *f, const plan *p, int first_group, size_t rows, double limit, error *e)
{
    features_free(f);
    f->first_group = first_group;
    f->floats = p ? plan_feature_floats(p, first_group) : 0;
    const double bytes = (double)f->floats * (double)rows * sizeof *f->kept;
    if (f->floats == 0 || bytes > limit)
        return 0;
    f->kept = mem_room(rows * f->floats * sizeof *f->kept, "features", e);
    return f->kept ? 0 : e->code;
}

void features_free(features *f)
{
    free(f->kept);
    *f = (features){0};
}

int features_add(features *f, plan *p, const float *pictures, int count, error *e)
{
    int code = plan_features(p, f->first_group, pictures, f->kept + f->filled * f->floats, e);
    f->filled += code ? 0 : (size_t)count;
    return code;
}

const float *features_at(const features *f, size_t row)
{
    return f->kept + row * f->floats;
}

void features_gather(const features *f, const size_t *rows, int count, float *to)
{
    for (int i = 0; i < count; i++)
        memcpy(to + (size_t)i * f->floats, features_at(f, rows[i]), f->floats * sizeof *to);
}
