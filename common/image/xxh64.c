#include "image/xxh64.h"

#include <string.h>

static const uint64_t prime1 = 0x9e3779b185ebca87, prime2 = 0xc2b2ae3d27d4eb4f, prime3 = 0x165667b19e3779f9,
                      prime4 = 0x85ebca77c2b2ae63, prime5 = 0x27d4eb2f165667c5;

static uint64_t rotated(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

static uint64_t word(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static uint64_t mixed(uint64_t lane, uint64_t input)
{
    return rotated(lane + input * prime2, 31) * prime1;
}

uint64_t xxh64(const void *data, size_t size)
{
    const uint8_t *p = data, *end = p + size;
    uint64_t h = prime5;
    if (size >= 32) {
        uint64_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
        for (; end - p >= 32; p += 32)
            for (int i = 0; i < 4; i++)
                lanes[i] = mixed(lanes[i], word(p + 8 * i));
        h = rotated(lanes[0], 1) + rotated(lanes[1], 7) + rotated(lanes[2], 12) + rotated(lanes[3], 18);
        for (int i = 0; i < 4; i++)
            h = (h ^ mixed(0, lanes[i])) * prime1 + prime4;
    }
    h += size;
    for (; end - p >= 8; p += 8)
        h = rotated(h ^ mixed(0, word(p)), 27) * prime1 + prime4;
    if (end - p >= 4) {
        uint32_t v;
        memcpy(&v, p, 4);
        h = rotated(h ^ v * prime1, 23) * prime2 + prime3;
        p += 4;
    }
    for (; p < end; p++)
        h = rotated(h ^ *p * prime5, 11) * prime1;
    h = (h ^ h >> 33) * prime2;
    h = (h ^ h >> 29) * prime3;
    return h ^ h >> 32;
}
