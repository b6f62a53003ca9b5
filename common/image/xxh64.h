/* xxh64.h - XXH64, a fast 64-bit checksum (Yann Collet's xxHash, specification 0.1.1, seed 0). It finds
 * damage; against forgery there is SHA-256 in base/file.h. */
#ifndef ONEBOX_IMAGE_XXH64_H
#define ONEBOX_IMAGE_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t xxh64(const void *data, size_t size);

#endif
