#include "base/random.h"

#include <math.h>

/* ---------------------------------------------------------------- MT19937 */

void mt19937_seed(mt19937 *mt, uint32_t seed)
{
    mt->key[0] = seed;
    for (uint32_t j = 1; j < 624; j++)
        mt->key[j] = 1812433253u * (mt->key[j - 1] ^ (mt->key[j - 1] >> 30)) + j;
    mt->position = 624;
}

uint32_t mt19937_next(mt19937 *mt)
{
    if (mt->position == 624) {
        for (int k = 0; k < 624; k++) {
            uint32_t y = (mt->key[k] & 0x80000000u) | (mt->key[(k + 1) % 624] & 0x7fffffffu);
            mt->key[k] = mt->key[(k + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        mt->position = 0;
    }
    uint32_t y = mt->key[mt->position++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* Legacy numpy: the smallest mask 2^b - 1 >= max, draws repeated until one fits. */
static uint32_t mt19937_bounded(mt19937 *mt, uint32_t max)
{
    uint32_t mask = max, v;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do
        v = mt19937_next(mt) & mask;
    while (v > max);
    return v;
}

void mt19937_permutation(mt19937 *mt, uint32_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint32_t)i;
    for (size_t i = n; i-- > 1;) {
        uint32_t j = mt19937_bounded(mt, (uint32_t)i), t = out[i];
        out[i] = out[j];
        out[j] = t;
    }
}

/* ---------------------------------------------------------------- Philox4x32-10 */

void philox_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

philox philox_start(uint64_t seed, uint64_t stream)
{
    return (philox){.seed = seed, .stream = stream};
}

uint32_t philox_u32(philox *p)
{
    if (p->left == 0) {
        philox_block(p->seed, p->stream, p->index++, p->block);
        p->left = 4;
    }
    return p->block[4 - p->left--];
}

double philox_uniform(philox *p)
{
    uint32_t a = philox_u32(p) >> 5, b = philox_u32(p) >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
}

double philox_normal(philox *p)
{
    double u = 1.0 - philox_uniform(p), v = philox_uniform(p);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint32_t philox_below(philox *p, uint32_t n)
{
    uint32_t limit = UINT32_MAX - UINT32_MAX % n, v;
    do
        v = philox_u32(p);
    while (v >= limit);
    return v % n;
}

void philox_shuffle(philox *p, uint32_t *x, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        uint32_t j = philox_below(p, (uint32_t)i + 1), t = x[i];
        x[i] = x[j];
        x[j] = t;
    }
}
