/* name_key.h - what is left of a name when spellings that systems and tools exchange are taken for the same. */
#ifndef ONEBOX_VOC_NAME_KEY_H
#define ONEBOX_VOC_NAME_KEY_H

#include "base/text.h"

#include <stddef.h>

/* Appends the key of a name: composed letters taken apart ("ü" becomes "u" and U+0308, as macOS writes names of files),
 * A to Z made small. Bytes that are no UTF-8 stay as they are. */
void name_key_add(text_buffer *out, const char *name, size_t size);

#endif
