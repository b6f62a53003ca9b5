#include "image/cache_format.h"

#include "base/digest.h"

#include <string.h>

size_t cache_entry_bytes(const cache_entry *entry)
{
    return 3 * (size_t)entry->height * (size_t)entry->width;
}

void cache_digest_of(const cache_header *header, const cache_entry *index, const char *names, uint8_t digest[32])
{
    cache_header blank = *header;
    memset(blank.sha256, 0, sizeof blank.sha256);
    const digest_part parts[] = {
        {&blank, sizeof blank}, {index, header->pictures * sizeof *index}, {names, header->names_bytes}};
    sha256_bytes(parts, COUNT(parts), digest);
}

const char *cache_bad_name(const char *name)
{
    size_t n = strlen(name);
    if (n == 0)
        return "is empty";
    if (n > 4095)
        return "is too long";
    for (; *name; name++)
        if ((unsigned char)*name < 32 || *name == 127)
            return "contains control characters";
    return NULL;
}
