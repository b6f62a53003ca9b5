/* picture_file.h - reading and writing pictures: JPEG and PNG through libjpeg-turbo and libpng.
 *
 * Every picture becomes 8-bit RGB, whatever the file holds, by the rules that OpenCV's imread has for colour:
 *   - the format is told by content, never by the file's name;
 *   - grey is expanded, palettes are looked up, alpha and transparency are dropped, 16-bit PNG keeps the high byte;
 *   - CMYK and YCCK become RGB; with an Adobe marker the four inks are stored inverted, without one they are not;
 *   - the EXIF orientation (JPEG APP1, PNG eXIf) is applied, so width and height are those one looks at;
 *   - JPEG decoding is libjpeg's default: accurate integer DCT, smooth chroma upsampling.
 * What libjpeg and libpng call warnings is counted and is no failure; a file that ends early is one,
 * unless a JPEG lacks nothing but its end marker, which is a warning then.
 */
#ifndef ONEBOX_IMAGE_PICTURE_FILE_H
#define ONEBOX_IMAGE_PICTURE_FILE_H

#include "base/file.h"
#include "image/picture.h"

#include <stdbool.h>

/* The file's bytes, for picture_decode and picture_probe: a regular file of up to 1 GiB, read and not mapped.
 * file_close ends it. */
int picture_bytes(file_view *view, const char *path, error *e);

/* Reads the picture at `path` / in data[0..size) (`name` is for messages). `info` may be NULL. Zero-initialise or
 * free `p` before. Errors: ERR_INPUT for a missing, foreign, damaged, truncated or too large file, ERR_SYSTEM when
 * the system refuses memory or the file. On failure `p` is empty. */
int picture_load(picture *p, const char *path, picture_info *info, error *e);
int picture_decode(picture *p, const void *data, size_t size, const char *name, picture_info *info, error *e);

/* True for a name that ends as those of the formats that can be read: .jpg, .jpeg or .png, in capitals, too. */
bool picture_has_ending(const char *name);

/* Reads only what precedes the pixels: width, height, orientation. */
int picture_probe(const void *data, size_t size, const char *name, picture_info *info, error *e);

/* The same of a file, of which hardly more is read than that. */
int picture_head(const char *path, picture_info *info, error *e);

/* Write atomically ("-": standard output). PNG is 8-bit RGB without a time; JPEG is baseline 4:2:0 of the quality
 * 1 .. 100. The same pixels give the same bytes. */
int picture_save_png(const picture *p, const char *path, error *e);
int picture_save_jpeg(const picture *p, const char *path, int quality, error *e);

/* Appends the lines for --version: libjpeg-turbo and libpng. A function of program.libraries. */
void picture_versions(char *text, size_t size);

#endif
