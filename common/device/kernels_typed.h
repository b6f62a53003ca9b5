/* kernels_typed.h - the kernels on activations, for one number type. kernels_activations.cu includes this once for
 * each, with NAME(x) (a name of its own for each type), NUMBER (how it is stored), LOAD and STORE defined. */

KERNEL_OF(NAME(normalize), args_normalize)
{
    NUMBER *out = (NUMBER *)a.out;
    EACH(i, a.pixels) {
        STORE(out, 3 * i, (a.input[3 * i] - a.mean[0]) * a.scale[0]);
        STORE(out, 3 * i + 1, (a.input[3 * i + 1] - a.mean[1]) * a.scale[1]);
        STORE(out, 3 * i + 2, (a.input[3 * i + 2] - a.mean[2]) * a.scale[2]);
    }
}

KERNEL_OF(NAME(relu), args_elements)
{
    const NUMBER *x = (const NUMBER *)a.a;
    NUMBER *y = (NUMBER *)a.y;
    EACH(i, a.count) {
        float v = LOAD(x, i);
        STORE(y, i, v < 0 ? 0 : v); /* keeps NaN */
    }
}

KERNEL_OF(NAME(relu_backward), args_elements)
{
    const NUMBER *dy = (const NUMBER *)a.a, *y = (const NUMBER *)a.b;
    NUMBER *dx = (NUMBER *)a.y;
    EACH(i, a.count) {
        STORE(dx, i, LOAD(y, i) > 0 ? LOAD(dy, i) : 0);
    }
}

KERNEL_OF(NAME(add), args_elements)
{
    const NUMBER *x = (const NUMBER *)a.a, *z = (const NUMBER *)a.b;
    NUMBER *y = (NUMBER *)a.y;
    EACH(i, a.count) {
        STORE(y, i, LOAD(x, i) + LOAD(z, i));
    }
}

KERNEL_OF(NAME(bias_act), args_bias_act)
{
    NUMBER *y = (NUMBER *)a.y;
    const NUMBER *bias = (const NUMBER *)a.bias, *z = (const NUMBER *)a.z;
    EACH(i, a.count) {
        float v = LOAD(y, i) + LOAD(bias, i % a.channels);
        if (z)
            v += LOAD(z, i);
        STORE(y, i, a.relu && v < 0 ? 0 : v);
    }
}

/* ---------------------------------------------------------------- batch norm
 *
 * Lane t of groups * channels handles channel t % channels: neighbouring lanes read neighbouring numbers. */

/* Sums of x - shift and of its square: a shifted one-pass variance, exact enough when the shift (the running
 * mean) is near the mean (Chan, Golub and LeVeque 1983). */
KERNEL_OF(NAME(moments), args_norm)
{
    const NUMBER *x = (const NUMBER *)a.x;
    EACH(t, a.lanes) {
        float shift = a.n.running_mean[t % a.n.channels], sum = 0, square = 0;
        for (size_t i = t; i < a.count; i += a.lanes) {
            float d = LOAD(x, i) - shift;
            sum += d;
            square += d * d;
        }
        a.partial[t] = sum;
        a.partial[a.lanes + t] = square;
    }
}

KERNEL_OF(NAME(norm_apply), args_norm)
{
    const NUMBER *x = (const NUMBER *)a.x, *add = (const NUMBER *)a.add;
    NUMBER *y = (NUMBER *)a.y;
    EACH(t, a.lanes) {
        size_t c = t % a.n.channels;
        float scale = a.n.weight[c] * a.n.inverse_std[c], mean = a.n.mean[c], bias = a.n.bias[c];
        for (size_t i = t; i < a.count; i += a.lanes) {
            float v = (LOAD(x, i) - mean) * scale + bias;
            if (add)
                v += LOAD(add, i);
            STORE(y, i, a.n.relu && v < 0 ? 0 : v);
        }
    }
}

/* Sums of g and g * (x - mean), where g is dy where the ReLU let it through. */
KERNEL_OF(NAME(norm_gradient_sums), args_norm)
{
    const NUMBER *x = (const NUMBER *)a.x, *dy0 = (const NUMBER *)a.dy0, *dy1 = (const NUMBER *)a.dy1,
                 *mask = (const NUMBER *)a.mask;
    EACH(t, a.lanes) {
        float mean = a.n.mean[t % a.n.channels], sum = 0, product = 0;
        for (size_t i = t; i < a.count; i += a.lanes) {
            float g = LOAD(dy0, i);
            if (dy1)
                g += LOAD(dy1, i);
            if (mask && !(LOAD(mask, i) > 0))
                g = 0;
            sum += g;
            product += g * (LOAD(x, i) - mean);
        }
        a.partial[t] = sum;
        a.partial[a.lanes + t] = product;
    }
}

/* dx = weight / std * (g - mean of g - xhat * mean of g*xhat) */
KERNEL_OF(NAME(norm_gradient), args_norm)
{
    const NUMBER *dy0 = (const NUMBER *)a.dy0, *dy1 = (const NUMBER *)a.dy1, *mask = (const NUMBER *)a.mask,
                 *x = (const NUMBER *)a.x;
    NUMBER *dx = (NUMBER *)a.dx, *dadd = (NUMBER *)a.dadd;
    EACH(t, a.lanes) {
        size_t c = t % a.n.channels;
        float inverse_std = a.n.inverse_std[c], k = a.n.weight[c] * inverse_std, mean = a.n.mean[c];
        float mean_g = a.n.stored ? 0 : a.dbias[c] * (float)a.inverse_rows,
              slope = a.n.stored ? 0 : a.dweight[c] * (float)a.inverse_rows * inverse_std;
        for (size_t i = t; i < a.count; i += a.lanes) {
            float g = LOAD(dy0, i);
            if (dy1)
                g += LOAD(dy1, i);
            if (mask && !(LOAD(mask, i) > 0))
                g = 0;
            float v = LOAD(x, i); /* before dx is written: it may be x */
            if (dadd)
                STORE(dadd, i, g);
            if (dx)
                STORE(dx, i, k * (g - mean_g - (v - mean) * slope));
        }
    }
}

KERNEL_OF(NAME(channel_sums), args_norm)
{
    const NUMBER *x = (const NUMBER *)a.x;
    EACH(t, a.lanes) {
        float sum = 0;
        for (size_t i = t; i < a.count; i += a.lanes)
            sum += LOAD(x, i);
        a.partial[t] = sum;
        a.partial[a.lanes + t] = 0;
    }
}

/* ---------------------------------------------------------------- pooling and upsampling */

KERNEL_OF(NAME(pool_forward), args_pool)
{
    const NUMBER *x = (const NUMBER *)a.x;
    NUMBER *y = (NUMBER *)a.y;
    const kernel_pool p = a.shape;
    const size_t each = (size_t)p.oh * (size_t)p.ow * (size_t)p.c;
    EACH(i, (size_t)p.n * each) {
        const NUMBER *sample = x + i / each * (size_t)p.h * (size_t)p.w * (size_t)p.c;
        unsigned rest = (unsigned)(i % each), c = rest % (unsigned)p.c, pixel = rest / (unsigned)p.c;
        int top = (int)(pixel / (unsigned)p.ow) * p.stride - p.padding,
            left = (int)(pixel % (unsigned)p.ow) * p.stride - p.padding, best_at = -1;
        float best = 0;
        for (int ky = top < 0 ? -top : 0; ky < p.kernel && top + ky < p.h; ky++)
            for (int kx = left < 0 ? -left : 0; kx < p.kernel && left + kx < p.w; kx++) {
                float v = LOAD(sample, ((size_t)(top + ky) * (size_t)p.w + (size_t)(left + kx)) * (size_t)p.c + c);
                if (best_at < 0 || v > best || v != v) {
                    best = v;
                    best_at = ky * p.kernel + kx;
                    if (v != v) { /* NaN wins, so that it is seen */
                        ky = p.kernel;
                        break;
                    }
                }
            }
        STORE(y, i, best);
        if (a.where)
            a.where[i] = (uint16_t)best_at;
    }
}

/* Gathers: for each pixel the windows that lie over it. */
KERNEL_OF(NAME(pool_backward), args_pool)
{
    const NUMBER *dy = (const NUMBER *)a.x;
    NUMBER *dx = (NUMBER *)a.y;
    const kernel_pool p = a.shape;
    const size_t each = (size_t)p.h * (size_t)p.w * (size_t)p.c;
    EACH(i, (size_t)p.n * each) {
        size_t sample = i / each * (size_t)p.oh * (size_t)p.ow * (size_t)p.c;
        unsigned rest = (unsigned)(i % each), c = rest % (unsigned)p.c, pixel = rest / (unsigned)p.c;
        int row = (int)(pixel / (unsigned)p.w) + p.padding, column = (int)(pixel % (unsigned)p.w) + p.padding;
        int first_y = row < p.kernel ? 0 : (row - p.kernel) / p.stride + 1,
            first_x = column < p.kernel ? 0 : (column - p.kernel) / p.stride + 1;
        float sum = 0;
        for (int oy = first_y; oy < p.oh && oy * p.stride <= row; oy++)
            for (int ox = first_x; ox < p.ow && ox * p.stride <= column; ox++) {
                size_t o = sample + ((size_t)oy * (size_t)p.ow + (size_t)ox) * (size_t)p.c + c;
                if (a.where[o] == (row - oy * p.stride) * p.kernel + (column - ox * p.stride))
                    sum += LOAD(dy, o);
            }
        STORE(dx, i, sum);
    }
}

KERNEL_OF(NAME(upsample), args_upsample)
{
    const NUMBER *x = (const NUMBER *)a.x, *add = (const NUMBER *)a.add;
    NUMBER *y = (NUMBER *)a.y;
    EACH(i, 4 * a.count) {
        size_t c = i % a.c, pixel = i / a.c, row = pixel / (2 * a.w), column = pixel % (2 * a.w);
        float v = LOAD(x, (row / 2 * a.w + column / 2) * a.c + c); /* rows count through all pictures */
        STORE(y, i, add ? v + LOAD(add, i) : v);
    }
}

KERNEL_OF(NAME(upsample_backward), args_upsample)
{
    const NUMBER *dy = (const NUMBER *)a.x;
    NUMBER *dx = (NUMBER *)a.y;
    EACH(i, a.count) {
        size_t c = i % a.c, pixel = i / a.c, row = pixel / a.w, column = pixel % a.w;
        size_t upper = ((2 * row * 2 * a.w) + 2 * column) * a.c + c, lower = upper + 2 * a.w * a.c;
        STORE(dx, i, (LOAD(dy, upper) + LOAD(dy, upper + a.c)) + (LOAD(dy, lower) + LOAD(dy, lower + a.c)));
    }
}

KERNEL_OF(NAME(concatpool), args_spread)
{
    const NUMBER *x = (const NUMBER *)a.values;
    EACH(i, a.n * a.c) {
        size_t sample = i / a.c, c = i % a.c;
        const NUMBER *plane = x + sample * a.hw * a.c + c;
        float best = LOAD(plane, 0);
        double sum = 0;
        int32_t at = 0;
        for (size_t p = 0; p < a.hw; p++) {
            float v = LOAD(plane, p * a.c);
            sum += (double)v;
            if (v > best) {
                best = v;
                at = (int32_t)p;
            }
        }
        a.flat[sample * 2 * a.c + c] = best;
        a.flat[sample * 2 * a.c + a.c + c] = (float)(sum / (double)a.hw);
        if (a.where)
            a.where[i] = at;
    }
}

KERNEL_OF(NAME(concatpool_backward), args_spread)
{
    NUMBER *dx = (NUMBER *)a.values;
    EACH(i, a.n * a.hw * a.c) {
        size_t c = i % a.c, pixel = i / a.c % a.hw, sample = i / a.c / a.hw;
        float v = a.flat[sample * 2 * a.c + a.c + c] / (float)a.hw;
        if ((size_t)a.where[sample * a.c + c] == pixel)
            v += a.flat[sample * 2 * a.c + c];
        STORE(dx, i, v);
    }
}

KERNEL_OF(NAME(flatten), args_spread)
{
    const NUMBER *x = (const NUMBER *)a.values;
    EACH(i, a.n * a.hw * a.c) {
        size_t c = i % a.c, pixel = i / a.c % a.hw, sample = i / a.c / a.hw;
        a.flat[(sample * a.c + c) * a.hw + pixel] = LOAD(x, i);
    }
}

KERNEL_OF(NAME(unflatten), args_spread)
{
    NUMBER *x = (NUMBER *)a.values;
    EACH(i, a.n * a.hw * a.c) {
        size_t c = i % a.c, pixel = i / a.c % a.hw, sample = i / a.c / a.hw;
        STORE(x, i, a.flat[(sample * a.c + c) * a.hw + pixel]);
    }
}

/* ---------------------------------------------------------------- folding */

KERNEL_OF(NAME(fold), args_fold)
{
    NUMBER *folded = (NUMBER *)a.folded, *folded_bias = (NUMBER *)a.folded_bias;
    EACH(i, a.k * a.each) {
        size_t k = i / a.each;
        double scale = (double)a.weight[k] / sqrt((double)a.var[k] + BATCHNORM_EPS);
        STORE(folded, i, (float)((double)a.weights[i] * scale));
        if (i % a.each == 0) {
            double mean = (double)a.mean[k] - (a.own ? (double)a.own[k] : 0);
            STORE(folded_bias, k, (float)((double)a.bias[k] - mean * scale));
        }
    }
}

#undef NAME
#undef NUMBER
#undef LOAD
#undef STORE
