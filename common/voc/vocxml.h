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
 * Pixels are counted from 1 and inclusive. Everything else in the file is ignored, but for a rotation: CVAT gives it to
 * an object as an attribute, in degrees,
 *
 *     <attributes><attribute><name>rotation</name><value>30.0</value></attribute></attributes>
 *
 * and roLabelImg has boxes of middle, sides and an angle in radians in place of bndbox:
 *
 *     <robndbox><cx>50</cx><cy>40</cy><w>30</w><h>20</h><angle>0.52</angle></robndbox>
 *
 * Such an object gets the upright box around the rotated one.
 */
#ifndef ONEBOX_VOC_VOCXML_H
#define ONEBOX_VOC_VOCXML_H

#include "base/box.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct voc_object {
    char *name;
    double corner[4]; /* ymin xmin ymax xmax, counted from 1, in order, around the rotated box */
    box box;          /* of voc_picture_cut: counted from 0, clamped to the picture; can be empty */
    bool difficult;
    bool clamped;
    bool reversed; /* corners were written in the wrong order */
    bool rotated;
} voc_object;

typedef struct voc_picture {
    char *file_name;       /* as written, with a path or without an extension, or empty; NULL: missing */
    int32_t width, height; /* 0: missing or no number of pixels; then no object has a box */
    bool foreign;          /* voc_picture_read failed because this is XML of another kind */
    voc_object *objects;
    size_t count;
} voc_picture; /* zero-initialise */

/* Reads one XML file. Fractional coordinates are rounded (floor(x + 0.5)) before 1 is taken off. ERR_INPUT with
 * file and line for: no regular file, or one of more than 64 MiB; no well-formed XML; a declared entity (none is
 * ever expanded); a root other than annotation; an object without a name or bndbox; anything of these, the filename or
 * the size twice; numbers that are none; classes with control characters. voc_picture_free also after a failure. */
int voc_picture_read(voc_picture *p, const char *path, error *e);

/* Gives the picture its size, and each object the box of its corners. Done already where <size> is good. */
void voc_picture_cut(voc_picture *p, int32_t width, int32_t height);

void voc_picture_free(voc_picture *p);

/* "expat 2.5.0" for --version. */
void voc_xml_version(char *text, size_t size);

#endif
