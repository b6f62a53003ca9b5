/* winograd_fp32_factors.h - how winograd_tiles_body.h stores what the transforms make where the factors of
 * products are fp32. */
enum { LINE_WORDS = 16, PAIRED = 0 };

ALWAYS_INLINE void store_line(float *line, vec x)
{
    _mm512_store_ps(line, x);
}

ALWAYS_INLINE void store_pair(float *line, vec x, bool second)
{
    (void)second;
    _mm512_store_ps(line, x);
}
