/* vector_body.h - tests every function of device/vector.h against plain C, for the instruction set that the including
 * file is compiled for. That file says whether this processor can run it: #define VECTOR_THERE, an expression, and
 * VECTOR_NAME. */
#ifndef ONEBOX_VECTOR_BODY_H
#define ONEBOX_VECTOR_BODY_H

#include "test.h"

#include "device/vector.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROUNDS = 20000 };

typedef union lanes {
    vec v;
    float f[VEC_LANES];
    uint32_t bits[VEC_LANES];
} lanes;

static uint64_t state = 1;

static uint32_t random_bits(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Any float now and then, else one near 1; every tenth is special. */
static float random_float(void)
{
    static const float special[] = {0, -0.0f, 1, -1, INFINITY, -INFINITY, NAN, 3e38f, -3e38f, 1.2e-38f, 0.5f, -2};
    const uint32_t kind = random_bits() % 10, bits = random_bits();
    float any;
    memcpy(&any, &bits, sizeof any);
    if (kind == 0)
        return special[bits % (sizeof special / sizeof *special)];
    return kind < 4 ? any : (float)(int32_t)bits / 1073741824.0f;
}

static lanes random_lanes(void)
{
    lanes x;
    for (int i = 0; i < VEC_LANES; i++)
        x.f[i] = random_float();
    return x;
}

/* The same number, whichever zero or NaN. */
static bool equal(float x, float y)
{
    return isnan(x) ? isnan(y) : x == y;
}

static float plain_add(float x, float y)
{
    return x + y;
}

static float plain_sub(float x, float y)
{
    return x - y;
}

static float plain_mul(float x, float y)
{
    return x * y;
}

static float plain_max(float least, float x)
{
    return least > x ? least : x;
}

static float plain_where_positive(float m, float x)
{
    return m > 0 ? x : 0;
}

static float plain_fma(float x, float y, float sum)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return fmaf(x, y, sum);
#else
    volatile float product = x * y;
    return sum + product;
#endif
}

static float plain_fnma(float x, float y, float sum)
{
    return plain_fma(-x, y, sum);
}

static void test_arithmetic(void)
{
    static const struct {
        const char *name;
        vec (*of_two)(vec, vec);
        float (*plain)(float, float);
    } pairs[] = {
        {"vec_add", vec_add, plain_add},
        {"vec_sub", vec_sub, plain_sub},
        {"vec_mul", vec_mul, plain_mul},
        {"vec_max", vec_max, plain_max},
        {"vec_where_positive", vec_where_positive, plain_where_positive},
    };
    for (size_t f = 0; f < sizeof pairs / sizeof *pairs; f++)
        for (int round = 0; round < ROUNDS && test_ok; round++) {
            const lanes x = random_lanes(), y = random_lanes(), z = {.v = pairs[f].of_two(x.v, y.v)};
            for (int i = 0; i < VEC_LANES; i++)
                CHECK(equal(z.f[i], pairs[f].plain(x.f[i], y.f[i])), "%s(%.9g, %.9g) = %.9g", pairs[f].name,
                      (double)x.f[i], (double)y.f[i], (double)z.f[i]);
        }
    for (int round = 0; round < ROUNDS && test_ok; round++) {
        const lanes x = random_lanes(), y = random_lanes(), sum = random_lanes();
        const lanes a = {.v = vec_fma(x.v, y.v, sum.v)}, b = {.v = vec_fnma(x.v, y.v, sum.v)};
        for (int i = 0; i < VEC_LANES; i++)
            CHECK(equal(a.f[i], plain_fma(x.f[i], y.f[i], sum.f[i])) &&
                      equal(b.f[i], plain_fnma(x.f[i], y.f[i], sum.f[i])),
                  "%.9g +- %.9g %.9g = %.9g, %.9g", (double)sum.f[i], (double)x.f[i], (double)y.f[i], (double)a.f[i],
                  (double)b.f[i]);
    }
}

/* Memory whose pages before and behind the middle one can't be touched. */
static char *fenced_page(size_t *size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + page, page, PROT_READ | PROT_WRITE))
        abort();
    *size = page;
    return p + page;
}

static void test_memory(void)
{
    size_t size;
    float *page = (float *)(void *)fenced_page(&size), *end = page + size / sizeof *page;
    const lanes x = random_lanes();
    void (*const stores[])(float *, vec) = {vec_storeu, vec_store, vec_stream};
    for (size_t s = 0; s < sizeof stores / sizeof *stores; s++)
        for (int shift = 0; shift < (s == 0 ? VEC_LANES : 1); shift++) { /* by floats, where any p will do */
            memset(page, 0x11, size);
            stores[s](page + VEC_LANES + shift, x.v);
            stores[s](end - VEC_LANES, x.v);
            vec_stream_end();
            for (int i = 0; i < 3 * VEC_LANES; i++) {
                const int at = i - VEC_LANES - shift;
                CHECK(bits_of(page[i]) == (at >= 0 && at < VEC_LANES ? x.bits[at] : 0x11111111), "store %zu: %d", s, i);
            }
            const lanes a = {.v = vec_loadu(page + VEC_LANES + shift)}, b = {.v = vec_load(end - VEC_LANES)},
                        c = {.v = vec_load_if(page + VEC_LANES + shift, true)};
            CHECK(!memcmp(&a, &x, sizeof x) && !memcmp(&b, &x, sizeof x) && !memcmp(&c, &x, sizeof x), "%zu", s);
        }
    const lanes none = {.v = vec_load_if(end + 1, false)}, zero = {.v = vec_zero()}, one = {.v = vec_set1(x.f[1])};
    for (int i = 0; i < VEC_LANES; i++)
        CHECK(none.bits[i] == 0 && zero.bits[i] == 0 && one.bits[i] == x.bits[1], "lane %d", i);
    prefetch(end + 1);
    prefetch(NULL);
    munmap((char *)page - size, 3 * size);
}

static void test_choices(void)
{
    for (int round = 0; round < ROUNDS && test_ok; round++) {
        lanes a = random_lanes(), b = random_lanes();
        const lanes x = random_lanes(), y = random_lanes();
        a.f[round % VEC_LANES] = b.f[round % VEC_LANES];
        const lanes less = {.v = vec_where_less(a.v, b.v, x.v, y.v)}, same = {.v = vec_where_equal(a.v, b.v, x.v)};
        for (int i = 0; i < VEC_LANES; i++)
            CHECK(less.bits[i] == (a.f[i] < b.f[i] ? x.bits[i] : y.bits[i]) &&
                      same.bits[i] == (a.f[i] == b.f[i] ? x.bits[i] : 0),
                  "%.9g and %.9g", (double)a.f[i], (double)b.f[i]);
    }
}

static void test_bytes(void)
{
    size_t size;
    uint8_t *page = (uint8_t *)fenced_page(&size), *end = page + size;
    for (int first = 0; first + VEC_LANES <= 256; first++) {
        lanes numbers;
        const lanes x = random_lanes();
        for (int i = 0; i < VEC_LANES; i++)
            numbers.f[i] = (float)(first + i);
        for (int at = 0; at < 2; at++) {
            uint8_t *p = at ? end - VEC_LANES : page + first % 7;
            memset(page, 0x11, size);
            vec_store_u8(p, numbers.v);
            CHECK(at || p[VEC_LANES] == 0x11, "%d", p[VEC_LANES]);
            for (int i = 0; i < VEC_LANES; i++) {
                const lanes one = {.v = vec_where_byte(p, (uint8_t)(first + i), x.v)};
                for (int j = 0; j < VEC_LANES; j++)
                    CHECK(p[j] == first + j && one.bits[j] == (i == j ? x.bits[j] : 0), "%d: %d", first + j, p[j]);
            }
        }
    }
    munmap((char *)page - size, 3 * size);
}

static void test_transpose(void)
{
    lanes in[VEC_LANES];
    vec r[VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++) {
        for (int j = 0; j < VEC_LANES; j++)
            in[i].bits[j] = (uint32_t)(0x7fc00000 + 100 * i + j); /* bits stay, of NaNs too */
        r[i] = in[i].v;
    }
    vec_transpose(r);
    for (int i = 0; i < VEC_LANES; i++) {
        const lanes row = {.v = r[i]};
        for (int j = 0; j < VEC_LANES; j++)
            CHECK(row.bits[j] == in[j].bits[i], "row %d, column %d: %08x", i, j, row.bits[j]);
    }
}

#ifdef VEC_BF16
static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Rounded to nearest even. */
static uint16_t plain_bf16(float x)
{
    const uint32_t bits = bits_of(x);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Equal bits, or both NaN. Instruction sets differ in whether they know numbers below the least normal one. */
static bool rounded(uint16_t bf16, float x)
{
    if (isnan(x))
        return isnan(float_of((uint32_t)bf16 << 16));
    return bf16 == plain_bf16(x) || (fpclassify(x) == FP_SUBNORMAL && (bf16 & 0x7fff) == 0);
}

static void test_bf16_numbers(void)
{
    size_t size;
    uint16_t *page = (uint16_t *)(void *)fenced_page(&size), *end = page + size / sizeof *page;
    for (uint32_t first = 0; first < 0x10000 && test_ok; first += VEC_LANES) {
        uint16_t *p = end - VEC_LANES - first / VEC_LANES % 16; /* any alignment */
        for (int i = 0; i < VEC_LANES; i++)
            p[i] = (uint16_t)(first + (uint32_t)i);
        const lanes x = {.v = vec_load_bf16(p)}, y = {.v = vec_load_bf16_if(p, true)};
        for (int i = 0; i < VEC_LANES; i++)
            CHECK(x.bits[i] == (first + (uint32_t)i) << 16 && y.bits[i] == x.bits[i], "%08x", x.bits[i]);
    }
    for (int round = 0; round < ROUNDS && test_ok; round++) {
        lanes x = random_lanes();
        x.bits[0] = (x.bits[0] & 0xffff0000) | 0x8000; /* half way between two */
        uint16_t *p = page + VEC_LANES * (1 + round % 4), *q = p + 1 + round % 5;
        memset(page, 0x11, size);
        vec_stream_bf16(p, x.v);
        vec_stream_end();
        for (int i = -1; i <= VEC_LANES; i++)
            CHECK(i < 0 || i == VEC_LANES ? p[i] == 0x1111 : rounded(p[i], x.f[i]), "%d: %04x", i, p[i]);
        memset(page, 0x11, size);
        vec_store_bf16(q, x.v);
        for (int i = -1; i <= VEC_LANES; i++)
            CHECK(i < 0 || i == VEC_LANES ? q[i] == 0x1111 : rounded(q[i], x.f[i]), "%d: %04x", i, q[i]);
    }
    const lanes none = {.v = vec_load_bf16_if(end + 1, false)};
    for (int i = 0; i < VEC_LANES; i++)
        CHECK(none.bits[i] == 0, "lane %d", i);
    munmap((char *)page - size, 3 * size);
}

static void test_bf16_words(void)
{
    for (int round = 0; round < ROUNDS && test_ok; round++) {
        const lanes low = random_lanes(), high = random_lanes(), w = {.v = vec_words(low.v, high.v)};
        for (int i = 0; i < VEC_LANES; i++)
            CHECK(rounded((uint16_t)w.bits[i], low.f[i]) && rounded((uint16_t)(w.bits[i] >> 16), high.f[i]), "%08x",
                  w.bits[i]);
    }
}

/* Small whole numbers give exact sums; others are off by two units in the last place at most. */
static void test_bf16_dot(void)
{
    for (int round = 0; round < ROUNDS && test_ok; round++) {
        const bool whole = round % 2;
        lanes x[2], y[2], sum;
        for (int i = 0; i < VEC_LANES; i++)
            for (int h = 0; h < 3; h++) {
                const float a = whole ? (float)(random_bits() % 255) - 127 : (float)(int32_t)random_bits() / 1e9f;
                const float b = whole ? (float)(random_bits() % 255) - 127 : (float)(int32_t)random_bits() / 1e9f;
                if (h == 2)
                    sum.f[i] = a;
                else {
                    x[h].f[i] = float_of((uint32_t)plain_bf16(a) << 16);
                    y[h].f[i] = float_of((uint32_t)plain_bf16(b) << 16);
                }
            }
        const lanes z = {.v = vec_dot_bf16(vec_words(x[0].v, x[1].v), vec_words(y[0].v, y[1].v), sum.v)};
        for (int i = 0; i < VEC_LANES; i++) {
            const double low = (double)x[0].f[i] * (double)y[0].f[i], high = (double)x[1].f[i] * (double)y[1].f[i];
            const double size = fabs(low) + fabs(high) + fabs((double)sum.f[i]), limit = whole ? 0 : size / (1 << 22);
            CHECK(fabs((double)z.f[i] - (low + high + (double)sum.f[i])) <= limit, "%.9g %.9g %.9g: %.9g", low, high,
                  (double)sum.f[i], (double)z.f[i]);
        }
    }
}
#endif

/* Not inlined: main() must not use instructions that are not there. */
__attribute__((noinline)) static void test_all(void)
{
    TEST(VECTOR_NAME ": sums, products and the larger one are those of plain C, of infinities and NaNs too")
    test_arithmetic();
    TEST(VECTOR_NAME ": loads and stores touch their own floats, and nothing where nothing is to be read")
    test_memory();
    TEST(VECTOR_NAME ": lanes are chosen by comparison, NaN is neither less nor equal") test_choices();
    TEST(VECTOR_NAME ": bytes are numbers up to 255") test_bytes();
    TEST(VECTOR_NAME ": rows become columns") test_transpose();
#ifdef VEC_BF16
    TEST(VECTOR_NAME ": bf16 is read as it is and rounded to nearest even") test_bf16_numbers();
    TEST(VECTOR_NAME ": words hold two bf16") test_bf16_words();
    TEST(VECTOR_NAME ": products of words are summed in fp32") test_bf16_dot();
#endif
}

int main(void)
{
    if (VECTOR_THERE)
        test_all();
    else
        TEST(VECTOR_NAME ": every function of vector.h agrees with plain C")
    SKIP("this processor has no " VECTOR_NAME);
    return test_end();
}

#endif
