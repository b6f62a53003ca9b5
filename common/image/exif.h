/* exif.h - the one EXIF field that matters for looking at a picture: its orientation. */
#ifndef ONEBOX_IMAGE_EXIF_H
#define ONEBOX_IMAGE_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* Orientation 1 .. 8 (tag 0x0112 of the first directory) of a TIFF block, as a PNG's eXIf chunk holds it and
 * a JPEG's APP1 does behind "Exif\0\0". 1 when it has none or is damaged: orientation is never worth an
 * error. */
int exif_orientation(const uint8_t *tiff, size_t size);

#endif
