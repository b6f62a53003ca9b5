/* layout.h - which files of a folder are annotations, and which picture belongs to each: the forms in which annotation
 * tools export their work.
 *
 *   XML   DIR/Annotations/…          VOC's devkit, CVAT, VoTT, LabelMe, Label Studio; with folders inside, too
 *         anywhere else below DIR    beside the pictures (labelImg), in train, valid and test (Roboflow)
 *   YOLO  a .txt with the name of a picture, beside it, or in `labels` where the picture is in `images`
 *   COCO  *.coco.json in train, valid and test (Roboflow)
 *
 * The form with the most files is taken; XML in Annotations before all. The folder of the pictures, to which all names
 * of pictures are relative, is DIR/JPEGImages if it is there, else DIR/images, else DIR.
 *
 * When every annotation lies below a folder train, valid (val, validation) or test, those are its parts: test is left
 * out unless it is asked for.
 */
#ifndef ONEBOX_VOC_LAYOUT_H
#define ONEBOX_VOC_LAYOUT_H

#include "base/error.h"
#include "voc/tree.h"

#include <stdbool.h>

typedef enum layout_form { LAYOUT_XML, LAYOUT_YOLO, LAYOUT_COCO } layout_form;
typedef enum layout_part { LAYOUT_WHOLE, LAYOUT_TRAIN, LAYOUT_VALID, LAYOUT_TEST } layout_part;

typedef struct layout {
    const char *dir;
    layout_form form;
    bool in_annotations;      /* all of them below DIR/Annotations */
    names files;              /* below dir */
    names annotations;        /* those to read, relative to dir, in order */
    stem_index by_stem;       /* over the XML files, for lists */
    bool has_parts;           /* train, valid, test */
    bool is_part;             /* the split is one of them, and no list */
    text_buffer root;         /* path of the folder of the pictures */
    const char *root_name;    /* "JPEGImages", "images" or "" */
    names pictures;           /* below root, with anything else that is there */
    stem_index near;          /* over the pictures */
    text_buffer words, place; /* what was recognised, and "; pictures in images" or nothing, for the user */
    text_names test, skipped; /* annotations that were left out: of the part test; of other forms or folders */
    names lonely;             /* those of `annotations`, or of test, that are labels of YOLO without a picture */
} layout;                     /* zero-initialise */

/* Reads the names below `dir` and finds the annotations. `split` is a list of ImageSets/Main (split_list.h) or a part;
 * NULL: all, but for test. `images`: the folder of the pictures, NULL: as above. ERR_INPUT when there are no
 * annotations or no such part, with what is there. layout_free also after a failure. */
int layout_find(layout *l, const char *dir, const char *images, const char *split, error *e);

/* The part in which a file of dir is: by the folders of its path. */
layout_part layout_part_of(const char *path);

/* The picture that has the name of the annotation itself and lies where such an annotation's picture does, relative to
 * the folder of the pictures; NULL when there is none. `like` (may be NULL) decides between img.jpg and img.png. */
const char *layout_own_picture(const layout *l, const char *annotation, const char *like);

/* The picture that is called `file_name` (clean, or NULL), as seen from the annotation. */
const char *layout_named_picture(const layout *l, const char *annotation, const char *file_name);

/* The name that the picture of a lonely label would have beside those of its neighbours. */
void layout_lonely_picture(const layout *l, const char *annotation, char name[NAMES_FILE_MAX + 1]);

/* A guess, for annotations that have neither: the only picture with that name in any folder; NULL when there are
 * two. */
const char *layout_far_picture(const layout *l, const char *annotation, const char *file_name);

void layout_free(layout *l);

#endif
