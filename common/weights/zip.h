/* zip.h - the directory of a zip archive, and those entries that are stored without compression, as
 * torch.save does. Format: PKWARE's APPNOTE, with the 64-bit extension. */
#ifndef ONEBOX_WEIGHTS_ZIP_H
#define ONEBOX_WEIGHTS_ZIP_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct zip_entry {
    const char *name; /* in the archive, not NUL-terminated */
    size_t name_size;
    const unsigned char *data; /* in the archive */
    size_t size;
    uint32_t crc;
    bool stored;  /* as it is: neither compressed nor encrypted */
    bool checked; /* the data have been compared with crc */
} zip_entry;

typedef struct zip {
    zip_entry *entries; /* ascending by name (bytes) */
    size_t count;
} zip;

/* Reads the directory of an archive in memory, which must stay while *z is used. Every entry is checked to
 * lie within it; two with one name are ERR_INPUT. Lines of errors begin with `path`. zip_close frees the
 * list. */
int zip_open(zip *z, const void *data, size_t size, const char *path, error *e);
void zip_close(zip *z);

/* NULL when there is none. */
zip_entry *zip_find(const zip *z, const char *name, size_t name_size);

/* ERR_INPUT unless the entry is stored and its data have the CRC-32 that the archive says; 0 says nothing. */
int zip_verify(zip_entry *entry, const char *path, error *e);

#endif
