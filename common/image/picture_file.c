#include "image/picture_file.h"

#include "base/text.h"
#include "image/codec.h"
#include "image/exif.h"

#include <string.h>

enum { BYTES_MAX = 1 << 30 };

typedef int picture_reader(picture *, const uint8_t *, size_t, const char *, picture_info *, error *);

/* By content: the first bytes. */
static picture_reader *reader_of(const uint8_t *data, size_t size, const char *name, error *e)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (size == 0)
        fail(e, ERR_INPUT, "%s: is empty, not a picture", name);
    else if (size >= sizeof jpeg && memcmp(data, jpeg, sizeof jpeg) == 0)
        return jpeg_read;
    else if (size >= sizeof png && memcmp(data, png, sizeof png) == 0)
        return png_read;
    else
        fail(e, ERR_INPUT, "%s: is neither JPEG nor PNG (convert it)", name);
    return NULL;
}

/* From as stored to as shown. */
static void exchange_sides(picture_info *info)
{
    if (info->orientation < 5)
        return;
    const int width = info->width;
    info->width = info->height;
    info->height = width;
}

bool picture_has_ending(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    for (size_t i = 0; i < COUNT(endings); i++)
        if (text_ends_with_any_case(name, endings[i]))
            return true;
    return false;
}

int picture_probe(const void *data, size_t size, const char *name, picture_info *info, error *e)
{
    *info = (picture_info){.orientation = 1};
    picture_reader *read = reader_of(data, size, name, e);
    int code = read ? read(NULL, data, size, name, info, e) : ERR_INPUT;
    if (!code)
        exchange_sides(info);
    return code;
}

int picture_head(const char *path, picture_info *info, error *e)
{
    enum { MOST = 16384 };
    file_view view;
    uint64_t whole;
    error found = {0};
    int code = file_read_head(&view, path, MOST, &whole, e);
    if (code)
        return code;
    const bool png = reader_of((const uint8_t *)view.data, view.size, path, &found) == png_read;
    code = picture_probe(view.data, view.size, path, info, &found);
    if (view.size < whole && !found.code && png && info->orientation == 1) {
        code = png_orientation(path, &info->orientation, e);
        exchange_sides(info);
    } else if (view.size < whole && found.code == ERR_INPUT) { /* a long head, perhaps: colour profile, thumbnail */
        file_close(&view);
        code = picture_bytes(&view, path, e);
        if (!code)
            code = picture_probe(view.data, view.size, path, info, e);
    } else if (found.code) {
        code = fail(e, found.code, "%s", found.text);
    }
    file_close(&view);
    return code;
}

int picture_decode(picture *p, const void *data, size_t size, const char *name, picture_info *info, error *e)
{
    picture_info own = {.orientation = 1};
    *p = (picture){0};
    picture_reader *read = reader_of(data, size, name, e);
    int code = read ? read(p, data, size, name, &own, e) : ERR_INPUT;
    if (!code)
        code = picture_turn(p, own.orientation, e);
    if (code) {
        picture_free(p);
        return code;
    }
    own.width = p->width;
    own.height = p->height;
    if (info)
        *info = own;
    return 0;
}

int picture_bytes(file_view *view, const char *path, error *e)
{
    return file_read(view, path, BYTES_MAX, e);
}

int picture_load(picture *p, const char *path, picture_info *info, error *e)
{
    file_view view;
    *p = (picture){0};
    int code = picture_bytes(&view, path, e);
    if (code)
        return code;
    code = picture_decode(p, view.data, view.size, view.path, info, e);
    file_close(&view);
    return code;
}

static int end_saving(out_file *out, int code, error *e)
{
    if (!code)
        return out_commit(out, e);
    out_discard(out);
    return code;
}

int picture_save_png(const picture *p, const char *path, error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    return code ? code : end_saving(&out, png_write(p, out.stream, path, e), e);
}

int picture_save_jpeg(const picture *p, const char *path, int quality, error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    return code ? code : end_saving(&out, jpeg_write(p, out.stream, quality, path, e), e);
}

void picture_versions(char *text, size_t size)
{
    jpeg_versions(text, size);
    png_versions(text, size);
}
