/* Header and data of float32 tensors. The order of tensors and metadata is that of their names, so that the same
 * input gives the same bytes. The checksum goes by the same order, so that it is a tensor's bytes that count and not
 * where a file has them. */
#include "weights/safetensors.h"

#include "base/digest.h"
#include "base/json_text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_item_name(const void *a, const void *b)
{
    return strcmp(((const safetensors_item *)a)->name, ((const safetensors_item *)b)->name);
}

static int by_meta_key(const void *a, const void *b)
{
    return strcmp(((const safetensors_meta *)a)->key, ((const safetensors_meta *)b)->key);
}

static size_t item_floats(const safetensors_item *t)
{
    size_t count = 1;
    for (int i = 0; i < t->dims; i++)
        count *= (size_t)t->shape[i];
    return count;
}

static int check_text(const char *text, error *e)
{
    return utf8_valid(text, strlen(text)) ? 0 : fail(e, ERR_INPUT, "'%s' is not UTF-8 and cannot be stored", text);
}

/* Of sorted names and texts. */
static int check_texts(const safetensors_item *items, size_t count, const safetensors_meta *meta, size_t meta_count,
                       error *e)
{
    int code = 0;
    for (size_t i = 0; i < count && !code; i++) {
        if (i && strcmp(items[i - 1].name, items[i].name) == 0)
            return fail(e, ERR_USAGE, "tensor '%s' is to be written twice", items[i].name);
        code = check_text(items[i].name, e);
    }
    for (size_t i = 0; i < meta_count && !code; i++) {
        if (i && strcmp(meta[i - 1].key, meta[i].key) == 0)
            return fail(e, ERR_USAGE, "metadata key '%s' is to be written twice", meta[i].key);
        code = check_text(meta[i].key, e);
        if (!code)
            code = check_text(meta[i].value, e);
    }
    return code;
}

static void add_meta(text_buffer *b, const safetensors_meta *meta, size_t count)
{
    text_add(b, "\"__metadata__\":{");
    for (size_t i = 0; i < count; i++) {
        text_add(b, "%s", i ? "," : "");
        json_add_string(b, meta[i].key);
        text_add(b, ":");
        json_add_string(b, meta[i].value);
    }
    text_add(b, "}");
}

/* One tensor's entry; *offset moves behind its data. */
static void add_item(text_buffer *b, const safetensors_item *t, size_t *offset)
{
    const size_t end = *offset + sizeof(float) * item_floats(t);
    json_add_string(b, t->name);
    text_add(b, ":{\"dtype\":\"F32\",\"shape\":[");
    for (int i = 0; i < t->dims; i++)
        text_add(b, "%s%" PRIu64, i ? "," : "", t->shape[i]);
    text_add(b, "],\"data_offsets\":[%zu,%zu]}", *offset, end);
    *offset = end;
}

static int header_text(text_buffer *b, const safetensors_item *items, size_t count, const safetensors_meta *meta,
                       size_t meta_count, error *e)
{
    size_t offset = 0;
    text_add(b, "{");
    if (meta_count)
        add_meta(b, meta, meta_count);
    for (size_t i = 0; i < count; i++) {
        text_add(b, "%s", i || meta_count ? "," : "");
        add_item(b, &items[i], &offset);
    }
    text_add(b, "}");
    text_add(b, "%*s", (int)(-b->size % 8), "");
    int code = text_done(b, e);
    if (!code && b->size > SAFETENSORS_MAX_HEADER)
        code = fail(e, ERR_INPUT, "a header of %zu bytes is more than the format allows", b->size);
    return code;
}

static int write_file(const char *path, const text_buffer *header, const safetensors_item *items, size_t count,
                      error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    if (code)
        return code;
    uint64_t n = header->size;
    bool ok = fwrite(&n, 8, 1, out.stream) == 1 && fwrite(header->data, header->size, 1, out.stream) == 1;
    for (size_t i = 0; i < count && ok; i++) {
        size_t floats = item_floats(&items[i]);
        ok = fwrite(items[i].data, sizeof(float), floats, out.stream) == floats;
    }
    if (ok)
        return out_commit(&out, e);
    code = fail_system(e, "%s: cannot write", path);
    out_discard(&out);
    return code;
}

int safetensors_checksum(const safetensors_item *items, size_t count, char text[17], error *e)
{
    uint64_t sum = 0;
    safetensors_item *sorted = mem_zero(count, sizeof *sorted, "tensors", e);
    if (!sorted)
        return ERR_SYSTEM;
    if (count)
        memcpy(sorted, items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_item_name);
    for (size_t i = 0; i < count; i++)
        sum = xxh64_more(sum, sorted[i].data, item_floats(&sorted[i]) * sizeof(float));
    snprintf(text, 17, "%016" PRIx64, sum);
    free(sorted);
    return 0;
}

int safetensors_write(const char *path, const safetensors_item *items, size_t count, const safetensors_meta *meta,
                      size_t meta_count, error *e)
{
    error local = {0};
    if (!e)
        e = &local;
    text_buffer header = {0};
    safetensors_item *sorted = mem_zero(count, sizeof *sorted, "tensors", e);
    safetensors_meta *keys = mem_zero(meta_count, sizeof *keys, "metadata", e);
    int code = sorted && keys ? 0 : ERR_SYSTEM;
    if (!code) {
        if (count)
            memcpy(sorted, items, count * sizeof *sorted);
        if (meta_count)
            memcpy(keys, meta, meta_count * sizeof *keys);
        qsort(sorted, count, sizeof *sorted, by_item_name);
        qsort(keys, meta_count, sizeof *keys, by_meta_key);
        code = check_texts(sorted, count, keys, meta_count, e);
    }
    if (!code)
        code = header_text(&header, sorted, count, keys, meta_count, e);
    if (!code)
        code = write_file(path, &header, sorted, count, e);
    text_free(&header);
    free(sorted);
    free(keys);
    return code;
}
