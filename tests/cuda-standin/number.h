/* number.h - the number formats of the device: bf16, fp16 and the TF32 that tensor cores see, all rounded to
 * nearest even. */
#ifndef ONEBOX_STANDIN_NUMBER_H
#define ONEBOX_STANDIN_NUMBER_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Drops the last `bits` bits of the mantissa. */
static inline float float_round(float x, int bits)
{
    uint32_t u = float_bits(x), half = (1u << (bits - 1)) - 1;
    if ((u & 0x7f800000u) == 0x7f800000u)
        return x;
    u += half + (u >> bits & 1);
    return float_of(u & ~((1u << bits) - 1));
}

/* 8 bits of exponent, 10 of mantissa. */
static inline float round_tf32(float x)
{
    return float_round(x, 13);
}

static inline uint16_t bf16_of(float x)
{
    return isnan(x) ? 0x7fff : (uint16_t)(float_bits(float_round(x, 16)) >> 16);
}

static inline float bf16_value(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

static inline uint16_t fp16_of(float x)
{
    uint32_t u = float_bits(x), sign = u >> 16 & 0x8000u;
    if (isnan(x))
        return (uint16_t)(sign | 0x7fff);
    float a = fabsf(x);
    if (a >= 65520.0f)
        return (uint16_t)(sign | 0x7c00);
    if (a < 0x1p-14f) /* subnormal: multiples of 2^-24; adding 0.5 leaves room for exactly these */
        return (uint16_t)(sign | (float_bits(a + 0.5f) - float_bits(0.5f)));
    u = float_bits(float_round(a, 13));
    return (uint16_t)(sign | ((u >> 13) - (112u << 10)));
}

static inline float fp16_value(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
    if (rest >= 0x7c00u)
        return float_of(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    if (rest < 0x400u)
        return (sign ? -1.0f : 1.0f) * (float)rest * 0x1p-24f;
    return float_of(sign | ((rest << 13) + (112u << 23)));
}

#endif
