/* digest.h - SHA-256 and base64 (by nettle), XXH64 (by libxxhash). */
#ifndef ONEBOX_BASE_DIGEST_H
#define ONEBOX_BASE_DIGEST_H

#include "base/text.h"

/* SHA-256 of the parts one behind the other, as bytes. */
typedef struct digest_part {
    const void *data;
    size_t size;
} digest_part;
void sha256_bytes(const digest_part *parts, size_t count, uint8_t digest[32]);

/* A digest in lower-case hexadecimal. */
void sha256_text(const uint8_t digest[32], char hex[65]);

/* Both in one for `size` bytes, and for a file. */
void sha256_hex(const void *data, size_t size, char hex[65]);
int sha256_file(const char *path, char hex[65], error *e);

/* A fast 64-bit checksum, seed 0. It finds damage; against forgery there is SHA-256. */
uint64_t xxh64(const void *data, size_t size);

/* The same with another seed, such as the checksum of what came before. */
uint64_t xxh64_more(uint64_t seed, const void *data, size_t size);

/* Adds the bytes in base64 (RFC 4648, with padding, on one line). */
void base64_add(text_buffer *out, const void *data, size_t size);

#endif
