/* winograd_fp32_factors.h - how the bodies of the Winograd kernels store and multiply what the transforms make where
 * the factors of products are fp32. */
enum { LINE_WORDS = 16, PAIRED = 0 };

ALWAYS_INLINE void store_line(float *line, int at, vec x)
{
    vec_store(line + at, x);
}

ALWAYS_INLINE void store_pair(float *line, vec x, bool second)
{
    (void)second;
    vec_store(line, x);
}

ALWAYS_INLINE vec multiply_add(vec x, vec y, vec sum)
{
    return vec_fma(x, y, sum);
}
