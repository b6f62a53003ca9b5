/* winograd_bf16_pixels.h - how winograd_tiles_body.h loads and stores the pixels of tensors in bf16. */
typedef uint16_t number;

ALWAYS_INLINE vec load_pixel(const number *pixel)
{
    return vec_load_bf16(pixel);
}

ALWAYS_INLINE vec load_inside(const number *pixel, bool inside)
{
    return vec_load_bf16_if(pixel, inside);
}

ALWAYS_INLINE void store_pixel(number *pixel, vec x)
{
    vec_store_bf16(pixel, x);
}

ALWAYS_INLINE void stream_pixel(number *pixel, vec x)
{
    vec_stream_bf16(pixel, x);
}
