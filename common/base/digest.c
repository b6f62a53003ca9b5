#include "base/digest.h"

#include "base/file.h"

#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <xxhash.h>

void sha256_bytes(const digest_part *parts, size_t count, uint8_t digest[32])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    for (size_t i = 0; i < count; i++)
        sha256_update(&ctx, parts[i].size, parts[i].data);
    sha256_digest(&ctx, SHA256_DIGEST_SIZE, digest);
}

void sha256_text(const uint8_t digest[32], char hex[65])
{
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void sha256_hex(const void *data, size_t size, char hex[65])
{
    uint8_t digest[32];
    sha256_bytes(&(digest_part){data, size}, 1, digest);
    sha256_text(digest, hex);
}

int sha256_file(const char *path, char hex[65], error *e)
{
    file_view view;
    int code = file_open(&view, path, e);
    if (code)
        return code;
    sha256_hex(view.data ? view.data : "", view.size, hex);
    file_close(&view);
    return 0;
}

uint64_t xxh64(const void *data, size_t size)
{
    return xxh64_more(0, data, size);
}

uint64_t xxh64_more(uint64_t seed, const void *data, size_t size)
{
    return XXH64(data, size, seed);
}

void base64_add(text_buffer *out, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    struct base64_encode_ctx ctx;
    base64_encode_init(&ctx);
    while (size) {
        char text[BASE64_ENCODE_LENGTH(3072)];
        size_t part = size < 3072 ? size : 3072;
        text_add_bytes(out, text, base64_encode_update(&ctx, text, part, bytes));
        bytes += part;
        size -= part;
    }
    char last[BASE64_ENCODE_FINAL_LENGTH];
    text_add_bytes(out, last, base64_encode_final(&ctx, last));
}
