/* codec.h - the two picture formats behind picture_file.h, which callers use. */
#ifndef ONEBOX_IMAGE_CODEC_H
#define ONEBOX_IMAGE_CODEC_H

#include "image/picture.h"

#include <stdbool.h>
#include <stdio.h>

/* Each format: `p` NULL only probes. They set info's width and height as stored (before the orientation),
 * orientation and warnings, and leave the turning to picture_decode. */
int jpeg_read(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info, error *e);
int png_read(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info, error *e);

/* The orientation of a PNG file, whose eXIf chunk may stand behind the pixels: the heads of its chunks are read. */
int png_orientation(const char *path, int *orientation, error *e);

int jpeg_write(const picture *p, FILE *stream, int quality, const char *name, error *e);
int png_write(const picture *p, FILE *stream, const char *name, error *e);

void jpeg_versions(char *text, size_t size);
void png_versions(char *text, size_t size);

#endif
