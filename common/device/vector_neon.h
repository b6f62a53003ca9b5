/* vector_neon.h - vector.h for NEON of ARMv8 (every ARM64 processor has it), and for its BF16 extension. */
#ifndef ONEBOX_DEVICE_VECTOR_NEON_H
#define ONEBOX_DEVICE_VECTOR_NEON_H

#include <arm_neon.h>

typedef float32x4_t vec;
enum { VEC_LANES = 4, VEC_REGISTERS = 32 };

ALWAYS_INLINE vec vec_zero(void)
{
    return vdupq_n_f32(0);
}
ALWAYS_INLINE vec vec_set1(float a)
{
    return vdupq_n_f32(a);
}
ALWAYS_INLINE vec vec_load(const float *p)
{
    return vld1q_f32(p);
}
ALWAYS_INLINE vec vec_loadu(const float *p)
{
    return vld1q_f32(p);
}
ALWAYS_INLINE vec vec_load_if(const float *p, bool inside)
{
    return inside ? vld1q_f32(p) : vdupq_n_f32(0);
}
ALWAYS_INLINE void vec_store(float *p, vec x)
{
    vst1q_f32(p, x);
}
ALWAYS_INLINE void vec_storeu(float *p, vec x)
{
    vst1q_f32(p, x);
}
ALWAYS_INLINE void vec_stream(float *p, vec x)
{
    vst1q_f32(p, x);
}
ALWAYS_INLINE void vec_stream_end(void)
{
}
ALWAYS_INLINE vec vec_add(vec x, vec y)
{
    return vaddq_f32(x, y);
}
ALWAYS_INLINE vec vec_sub(vec x, vec y)
{
    return vsubq_f32(x, y);
}
ALWAYS_INLINE vec vec_mul(vec x, vec y)
{
    return vmulq_f32(x, y);
}
ALWAYS_INLINE vec vec_fma(vec x, vec y, vec sum)
{
    return vfmaq_f32(sum, x, y);
}
ALWAYS_INLINE vec vec_fnma(vec x, vec y, vec sum)
{
    return vfmsq_f32(sum, x, y);
}
ALWAYS_INLINE vec vec_max(vec least, vec x)
{
    return vbslq_f32(vcgtq_f32(least, x), least, x); /* vmaxq_f32 is NaN when either is one */
}
ALWAYS_INLINE vec vec_where_less(vec a, vec b, vec x, vec y)
{
    return vbslq_f32(vcltq_f32(a, b), x, y);
}
ALWAYS_INLINE vec vec_where_equal(vec a, vec b, vec x)
{
    return vreinterpretq_f32_u32(vandq_u32(vceqq_f32(a, b), vreinterpretq_u32_f32(x)));
}
ALWAYS_INLINE vec vec_where_byte(const uint8_t *p, uint8_t a, vec x)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    const int8x8_t equal = vreinterpret_s8_u8(vceq_u8(vcreate_u8(bytes), vdup_n_u8(a)));
    const int32x4_t mask = vmovl_s16(vget_low_s16(vmovl_s8(equal)));
    return vreinterpretq_f32_s32(vandq_s32(mask, vreinterpretq_s32_f32(x)));
}
ALWAYS_INLINE void vec_store_u8(uint8_t *p, vec x)
{
    const uint16x4_t u = vmovn_u32(vcvtq_u32_f32(x));
    const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(u, u))), 0);
    memcpy(p, &bytes, sizeof bytes);
}
ALWAYS_INLINE vec vec_where_positive(vec m, vec x)
{
    return vreinterpretq_f32_u32(vandq_u32(vcgtzq_f32(m), vreinterpretq_u32_f32(x)));
}

ALWAYS_INLINE void vec_transpose(vec r[4])
{
    const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
#define VEC_BF16

ALWAYS_INLINE vec vec_load_bf16(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
ALWAYS_INLINE vec vec_load_bf16_if(const uint16_t *p, bool inside)
{
    return inside ? vec_load_bf16(p) : vdupq_n_f32(0);
}
ALWAYS_INLINE void vec_store_bf16(uint16_t *p, vec x)
{
    vst1_u16(p, vreinterpret_u16_bf16(vcvt_bf16_f32(x)));
}
ALWAYS_INLINE void vec_stream_bf16(uint16_t *p, vec x)
{
    vec_store_bf16(p, x);
}
ALWAYS_INLINE vec vec_words_low(vec low)
{
    return vreinterpretq_f32_u32(vmovl_u16(vreinterpret_u16_bf16(vcvt_bf16_f32(low))));
}
ALWAYS_INLINE vec vec_words_high(vec words, vec high)
{
    const uint32x4_t x = vshll_n_u16(vreinterpret_u16_bf16(vcvt_bf16_f32(high)), 16);
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(words), x));
}
ALWAYS_INLINE vec vec_words(vec low, vec high)
{
    return vec_words_high(vec_words_low(low), high);
}
ALWAYS_INLINE vec vec_dot_bf16(vec x, vec y, vec sum)
{
    return vbfdotq_f32(sum, vreinterpretq_bf16_f32(x), vreinterpretq_bf16_f32(y));
}
#endif

#endif
