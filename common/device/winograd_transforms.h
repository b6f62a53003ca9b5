/* winograd_transforms.h - the one-dimensional transforms of F(4,3), F(3,3) and F(2,3), on vectors of channels. For the
 * bodies of the Winograd and the strided kernels only.
 *
 * Where the numbers come from (Toom-Cook; Lavin and Gray, arXiv 1509.09308; Blahut, "Fast Algorithms for
 * Signal Processing"). A three-tap filter g on a window of m + 2 pixels d gives m outputs
 *
 *     y = A^T ((G g) * (B^T d))        (* is element by element)
 *
 * with one product for each of m + 2 interpolation points. Ours are 0, a, -a, b, -b and infinity with a = 5/8
 * and b = 3/2: both are exact in binary, and their powers are nearer to 1 than those of the usual 1 and 2,
 * which makes the rounding error smaller (0.8e-6 to 1.2e-6 relative L2 error in two dimensions). With
 * M(x) = x (x^2 - a^2)(x^2 - b^2) and N_p the product of (p - q) over the other finite points q:
 *
 *     G     row p: [1  p  p^2] / N_p;            infinity: [0 0 1]
 *           N_0 = a^2 b^2,  N_a = N_-a = 2 a^2 (a^2 - b^2),  N_b = N_-b = 2 b^2 (b^2 - a^2)
 *     B^T   row p: coefficients of M(x)/(x - p); infinity: those of M(x)
 *     A^T   row j: p^j for every finite point p; infinity: 1 in the last row, else 0
 *
 * The last row and column of tiles may be smaller: F(3) leaves out -b, F(2) leaves out b and -b. So that they
 * share the transformed filters with F(4), row p of their B^T is multiplied by the product of (p - q) over
 * the points q left out, which is what N_p has too much: F(3) by p + b, F(2) by p^2 - b^2.
 *
 * In two dimensions Y = A^T [(G g G^T) * (B^T d B)] A. The gradient of the filter is the transposed scheme:
 * dg = G^T [(B^T d B) * (A dY A^T)] G, where the brackets can be summed over all tiles before G^T . G.
 */
#ifndef ONEBOX_DEVICE_WINOGRAD_TRANSFORMS_H
#define ONEBOX_DEVICE_WINOGRAD_TRANSFORMS_H

#include "device/vector.h"

/* The points and what follows from them. */
#define A1 0.625f
#define B1 1.5f
#define A2 (A1 * A1)
#define B2 (B1 * B1)
#define INV_N0 (1.0f / (A2 * B2))
#define INV_NA (1.0f / (2 * A2 * (A2 - B2)))
#define INV_NB (1.0f / (2 * B2 * (B2 - A2)))

/* k x, y + k x and y - k x */
ALWAYS_INLINE vec scale(float k, vec x)
{
    return vec_mul(vec_set1(k), x);
}
ALWAYS_INLINE vec plus(vec y, float k, vec x)
{
    return vec_fma(vec_set1(k), x, y);
}
ALWAYS_INLINE vec minus(vec y, float k, vec x)
{
    return vec_fnma(vec_set1(k), x, y);
}

/* Coefficient i (0, a, -a, b, -b, infinity) exists in tiles of `size` (4, 3 or 2) outputs. */
ALWAYS_INLINE bool has_point(int size, int i)
{
    return size == 4 || i == 5 || i <= size;
}

/* B^T d: size + 2 pixels to coefficients 0..5. */
ALWAYS_INLINE void input_1d(const int size, vec out[6], const vec d[6])
{
    if (size == 4) {
        vec even_a = minus(d[4], B2, d[2]), odd_a = minus(d[3], B2, d[1]);
        vec even_b = minus(d[4], A2, d[2]), odd_b = minus(d[3], A2, d[1]);
        out[0] = plus(minus(d[4], A2 + B2, d[2]), A2 * B2, d[0]);
        out[1] = plus(even_a, A1, odd_a);
        out[2] = minus(even_a, A1, odd_a);
        out[3] = plus(even_b, B1, odd_b);
        out[4] = minus(even_b, B1, odd_b);
        out[5] = plus(minus(d[5], A2 + B2, d[3]), A2 * B2, d[1]);
    } else if (size == 3) { /* M(x) = x (x^2 - a^2)(x - b) */
        out[0] = scale(B1, plus(minus(minus(d[3], B1, d[2]), A2, d[1]), A2 * B1, d[0]));
        out[1] = scale(A1 + B1, minus(plus(d[3], A1 - B1, d[2]), A1 * B1, d[1]));
        out[2] = scale(B1 - A1, plus(minus(d[3], A1 + B1, d[2]), A1 * B1, d[1]));
        out[3] = scale(2 * B1, minus(d[3], A2, d[1]));
        out[5] = plus(minus(minus(d[4], B1, d[3]), A2, d[2]), A2 * B1, d[1]);
    } else { /* M(x) = x (x^2 - a^2) */
        vec even = scale(A2 - B2, d[2]);
        out[0] = minus(scale(A2 * B2, d[0]), B2, d[2]);
        out[1] = plus(even, A1 * (A2 - B2), d[1]);
        out[2] = minus(even, A1 * (A2 - B2), d[1]);
        out[5] = minus(d[3], A2, d[1]);
    }
}

/* A^T m: coefficients 0..5 to `size` outputs. */
ALWAYS_INLINE void output_1d(const int size, vec out[4], const vec m[6])
{
    vec sum_a = vec_add(m[1], m[2]), dif_a = vec_sub(m[1], m[2]);
    if (size == 4) {
        vec sum_b = vec_add(m[3], m[4]), dif_b = vec_sub(m[3], m[4]);
        out[0] = vec_add(m[0], vec_add(sum_a, sum_b));
        out[1] = plus(scale(A1, dif_a), B1, dif_b);
        out[2] = plus(scale(A2, sum_a), B2, sum_b);
        out[3] = plus(plus(m[5], A1 * A2, dif_a), B1 * B2, dif_b);
    } else if (size == 3) {
        out[0] = vec_add(m[0], vec_add(sum_a, m[3]));
        out[1] = plus(scale(A1, dif_a), B1, m[3]);
        out[2] = plus(plus(m[5], A2, sum_a), B2, m[3]);
    } else {
        out[0] = vec_add(m[0], sum_a);
        out[1] = plus(m[5], A1, dif_a);
    }
}

/* A y: `size` output gradients to coefficients 0..5. */
ALWAYS_INLINE void gradient_1d(const int size, vec out[6], const vec y[4])
{
    out[0] = y[0];
    out[5] = y[size - 1];
    if (size == 4) {
        vec even_a = plus(y[0], A2, y[2]), odd_a = plus(y[1], A2, y[3]);
        vec even_b = plus(y[0], B2, y[2]), odd_b = plus(y[1], B2, y[3]);
        out[1] = plus(even_a, A1, odd_a);
        out[2] = minus(even_a, A1, odd_a);
        out[3] = plus(even_b, B1, odd_b);
        out[4] = minus(even_b, B1, odd_b);
    } else if (size == 3) {
        vec even = plus(y[0], A2, y[2]);
        out[1] = plus(even, A1, y[1]);
        out[2] = minus(even, A1, y[1]);
        out[3] = plus(plus(y[0], B2, y[2]), B1, y[1]);
    } else {
        out[1] = plus(y[0], A1, y[1]);
        out[2] = minus(y[0], A1, y[1]);
    }
}

/* G g: three taps to coefficients 0..5. */
ALWAYS_INLINE void filter_1d(vec out[6], const vec g[3])
{
    vec even_a = scale(INV_NA, plus(g[0], A2, g[2])), odd_a = scale(INV_NA * A1, g[1]);
    vec even_b = scale(INV_NB, plus(g[0], B2, g[2])), odd_b = scale(INV_NB * B1, g[1]);
    out[0] = scale(INV_N0, g[0]);
    out[1] = vec_add(even_a, odd_a);
    out[2] = vec_sub(even_a, odd_a);
    out[3] = vec_add(even_b, odd_b);
    out[4] = vec_sub(even_b, odd_b);
    out[5] = g[2];
}

/* G^T u: coefficients 0..5 to three taps. */
ALWAYS_INLINE void filter_gradient_1d(vec out[3], const vec u[6])
{
    vec sum_a = vec_add(u[1], u[2]), dif_a = vec_sub(u[1], u[2]);
    vec sum_b = vec_add(u[3], u[4]), dif_b = vec_sub(u[3], u[4]);
    out[0] = plus(plus(scale(INV_NB, sum_b), INV_NA, sum_a), INV_N0, u[0]);
    out[1] = plus(scale(INV_NB * B1, dif_b), INV_NA * A1, dif_a);
    out[2] = plus(plus(u[5], INV_NB * B2, sum_b), INV_NA * A2, sum_a);
}

#endif
