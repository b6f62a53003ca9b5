/* vocxml.h - one annotation file of a PASCAL VOC devkit (VOC 2007, VOC 2012, and data sets in that form).
 *
 *     <annotation>
 *       <filename>000012.jpg</filename>
 *       <size><width>500</width><height>333</height></size>
 *       <object>
 *         <name>car</name> <difficult>0</difficult>
 *         <bndbox><xmin>156</xmin><ymin>97</ymin><xmax>351</xmax><ymax>270</ymax></bndbox>
 *         <part> … a head or hand with a box of its own, ignored … </part>
 *       </object>
 *     </annotation>
 *
 * Pixels are counted from 1 and inclusive. Everything else in the file is ignored.
 */
#ifndef ONEBOX_VOC_VOCXML_H
#define ONEBOX_VOC_VOCXML_H

#include "base/box.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct voc_object {
    char *name;
    box box; /* counted from 0, clamped to the picture; can be empty */
    bool difficult;
    bool clamped;
} voc_object;

typedef struct voc_picture {
    char *file_name;
    int32_t width, height;
    voc_object *objects;
    size_t count;
} voc_picture; /* zero-initialise */

/* Reads one XML file. Fractional coordinates are rounded (floor(x + 0.5)) before 1 is taken off. ERR_INPUT with
 * file and line for: no regular file, or one of more than 64 MiB; no well-formed XML; a declared entity (none is
 * ever expanded); a root other than annotation; a missing or repeated filename, size, name or bndbox; numbers that
 * are none; unsafe names. voc_picture_free also after a failure. */
int voc_picture_read(voc_picture *p, const char *path, error *e);

void voc_picture_free(voc_picture *p);

/* "expat 2.5.0" for --version. */
void voc_xml_version(char *text, size_t size);

#endif
