#include "image/picture.h"

#include "base/file.h"
#include "image/codec.h"
#include "image/exif.h"

#include <stdlib.h>
#include <string.h>

int picture_limits(uint64_t width, uint64_t height, const char *name, error *e)
{
    if (width == 0 || height == 0)
        return fail(e, ERR_INPUT, "%s: a picture of %llu x %llu pixels", name, (unsigned long long)width,
                    (unsigned long long)height);
    if (width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE || width * height > PICTURE_MAX_PIXELS)
        return fail(e, ERR_INPUT, "%s: %llu x %llu pixels are more than the %d (%d a side) that are allowed",
                    name, (unsigned long long)width, (unsigned long long)height, PICTURE_MAX_PIXELS,
                    PICTURE_MAX_SIDE);
    return 0;
}

int picture_new(picture *p, int width, int height, error *e)
{
    *p = (picture){0};
    if (width < 1 || height < 1)
        return fail(e, ERR_INPUT, "a picture of %d x %d pixels", width, height);
    p->pixels = mem_zero((size_t)width * (size_t)height, 3, "a picture", e);
    if (!p->pixels)
        return ERR_SYSTEM;
    p->width = width;
    p->height = height;
    return 0;
}

void picture_free(picture *p)
{
    free(p->pixels);
    *p = (picture){0};
}

typedef int reader(picture *, const uint8_t *, size_t, const char *, picture_info *, error *);

/* By content: the first bytes. */
static reader *reader_of(const uint8_t *data, size_t size, const char *name, error *e)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (size == 0)
        fail(e, ERR_INPUT, "%s: is empty, not a picture", name);
    else if (size >= sizeof jpeg && memcmp(data, jpeg, sizeof jpeg) == 0)
        return jpeg_read;
    else if (size >= sizeof png && memcmp(data, png, sizeof png) == 0)
        return png_read;
    else
        fail(e, ERR_INPUT, "%s: is neither JPEG nor PNG", name);
    return NULL;
}

int picture_probe(const void *data, size_t size, const char *name, picture_info *info, error *e)
{
    *info = (picture_info){.orientation = 1};
    reader *read = reader_of(data, size, name, e);
    int code = read ? read(NULL, data, size, name, info, e) : ERR_INPUT;
    if (!code && info->orientation >= 5) {
        int t = info->width;
        info->width = info->height;
        info->height = t;
    }
    return code;
}

int picture_decode(picture *p, const void *data, size_t size, const char *name, picture_info *info, error *e)
{
    picture_info own = {.orientation = 1};
    *p = (picture){0};
    reader *read = reader_of(data, size, name, e);
    int code = read ? read(p, data, size, name, &own, e) : ERR_INPUT;
    if (!code)
        code = exif_apply(p, own.orientation, e);
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

int picture_load(picture *p, const char *path, picture_info *info, error *e)
{
    file_view view;
    *p = (picture){0};
    int code = file_open(&view, path, e);
    if (code)
        return code;
    code = picture_decode(p, view.data, view.size, view.path, info, e);
    file_close(&view);
    return code;
}

int picture_save_png(const picture *p, const char *path, error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    if (!code && png_write(p, out.stream, path, e)) {
        out_discard(&out);
        return ERR_SYSTEM;
    }
    return code ? code : out_commit(&out, e);
}

int picture_save_jpeg(const picture *p, const char *path, int quality, error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    if (!code && jpeg_write(p, out.stream, quality, path, e)) {
        out_discard(&out);
        return ERR_SYSTEM;
    }
    return code ? code : out_commit(&out, e);
}

void picture_versions(char *text, size_t size)
{
    jpeg_versions(text, size);
    png_versions(text, size);
}
