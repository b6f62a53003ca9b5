#include "image/exif.h"

#include <stdbool.h>
#include <string.h>

static unsigned read16(const uint8_t *p, bool big)
{
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t read32(const uint8_t *p, bool big)
{
    uint32_t a = read16(p, big), b = read16(p + 2, big);
    return big ? a << 16 | b : b << 16 | a;
}

int exif_orientation(const uint8_t *tiff, size_t size)
{
    if (size < 8 || !(memcmp(tiff, "II*\0", 4) == 0 || memcmp(tiff, "MM\0*", 4) == 0))
        return 1;
    bool big = tiff[0] == 'M';
    size_t at = read32(tiff + 4, big);
    if (at > size - 2)
        return 1;
    unsigned entries = read16(tiff + at, big);
    at += 2;
    for (unsigned i = 0; i < entries && size - at >= 12; i++, at += 12) {
        enum { ORIENTATION = 0x0112, SHORT = 3 };
        if (read16(tiff + at, big) != ORIENTATION || read16(tiff + at + 2, big) != SHORT)
            continue;
        unsigned value = read16(tiff + at + 8, big);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
