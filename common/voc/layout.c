/* First the names of all files below the folder, then which of them are annotations (find_annotations), then what the
 * user is told about it (describe). A picture is looked for in the places where tools put it, seen from its annotation:
 * beside it, or with a folder of annotations in its path left out or exchanged for one of pictures. */
#include "voc/layout.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_xml(const char *file)
{
    return text_ends_with_any_case(file, ".xml");
}

static bool is_txt(const char *file)
{
    return text_ends_with_any_case(file, ".txt");
}

static bool is_coco(const char *file)
{
    return text_ends_with(file, ".coco.json");
}

static bool is_below(const char *file, const char *folder)
{
    const size_t size = strlen(folder);
    return strncmp(file, folder, size) == 0 && file[size] == '/';
}

/* ---------------------------------------------------------------- parts */

layout_part layout_part_of(const char *path)
{
    static const struct {
        const char *name;
        layout_part part;
    } folders[] = {{"train", LAYOUT_TRAIN},          {"training", LAYOUT_TRAIN}, {"obj_train_data", LAYOUT_TRAIN},
                   {"valid", LAYOUT_VALID},          {"val", LAYOUT_VALID},      {"validation", LAYOUT_VALID},
                   {"obj_valid_data", LAYOUT_VALID}, {"test", LAYOUT_TEST},      {"testing", LAYOUT_TEST},
                   {"obj_test_data", LAYOUT_TEST}};
    for (const char *slash = strchr(path, '/'); slash; path = slash + 1, slash = strchr(path, '/'))
        for (size_t i = 0; i < COUNT(folders); i++)
            if (strlen(folders[i].name) == (size_t)(slash - path) &&
                strncasecmp(path, folders[i].name, (size_t)(slash - path)) == 0)
                return folders[i].part;
    return LAYOUT_WHOLE;
}

/* Parts are parts only when nothing lies outside them and there is one to train on. */
static bool have_parts(const names *annotations)
{
    size_t of[4] = {0};
    for (size_t i = 0; i < annotations->count; i++)
        of[layout_part_of(annotations->items[i])]++;
    return of[LAYOUT_TRAIN] && !of[LAYOUT_WHOLE] && of[LAYOUT_VALID] + of[LAYOUT_TEST];
}

/* Takes from `all` those of one part, or all but test. */
static int take_parts(layout *l, const names *all, layout_part wanted, error *e)
{
    for (size_t i = 0; i < all->count && !e->code; i++) {
        const layout_part part = layout_part_of(all->items[i]);
        size_t number;
        if (wanted ? part == wanted : !l->has_parts || part != LAYOUT_TEST)
            names_add(&l->annotations, all->items[i], strlen(all->items[i]), &number, e);
        else if (!wanted)
            text_names_add(&l->test, "%s", all->items[i]);
    }
    if (!e->code && l->annotations.count == 0)
        fail(e, ERR_INPUT,
             "%s: there is no annotation in a folder of that name; without --split (make: SPLIT=) all are taken",
             l->dir);
    return e->code;
}

/* ---------------------------------------------------------------- the picture of an annotation */

/* What is at a place, "cam0/img_0" or "cam0/img_0.jpg" relative to the folder of the pictures. */
typedef const char *place_taker(const layout *l, const char *place, size_t size, const char *like);

static const char *take_stem(const layout *l, const char *place, size_t size, const char *like)
{
    return stem_index_find(&l->near, place, size, like);
}

static const char *take_name(const layout *l, const char *place, size_t size, const char *like)
{
    (void)like;
    const size_t number = names_find(&l->pictures, place, size);
    return number == NAMES_NONE || !names_is_picture(l->pictures.items[number]) ? NULL : l->pictures.items[number];
}

static const char *try_place(const layout *l, const char *place, place_taker *take, const char *like)
{
    if (is_below(place, l->root_name))
        place += strlen(l->root_name) + 1;
    return take(l, place, strlen(place), like);
}

/* Calls `take` for each place of "FOLDER/LEAF": as it is, and with each folder of annotations in FOLDER left out, or
 * with one of pictures in its place. */
static const char *try_places(const layout *l, const char *annotation, const char *leaf, size_t leaf_size,
                              place_taker *take, const char *like)
{
    static const char *const of_annotations[] = {"annotations", "labels", "label", "xml", "xmls", "labels_xml"};
    static const char *const of_pictures[] = {"JPEGImages/", "images/", "Images/", "imgs/", ""};
    const size_t folder = (size_t)(tree_base(annotation) - annotation);
    char place[2 * NAMES_FILE_MAX + 20];
    if (folder + leaf_size > NAMES_FILE_MAX)
        return NULL;
    snprintf(place, sizeof place, "%.*s%.*s", (int)folder, annotation, (int)leaf_size, leaf);
    const char *found = try_place(l, place, take, like);
    for (const char *at = annotation, *slash; !found && (slash = strchr(at, '/')); at = slash + 1)
        for (size_t i = 0; i < COUNT(of_annotations); i++) {
            if (strlen(of_annotations[i]) != (size_t)(slash - at) ||
                strncasecmp(at, of_annotations[i], (size_t)(slash - at)) != 0)
                continue;
            for (size_t k = 0; k < COUNT(of_pictures) && !found; k++) {
                snprintf(place, sizeof place, "%.*s%s%.*s%.*s", (int)(at - annotation), annotation, of_pictures[k],
                         (int)(annotation + folder - slash - 1), slash + 1, (int)leaf_size, leaf);
                found = try_place(l, place, take, like);
            }
        }
    return found;
}

const char *layout_own_picture(const layout *l, const char *annotation, const char *like)
{
    const char *base = tree_base(annotation);
    const size_t stem = names_stem(annotation) - (size_t)(base - annotation);
    const char *found = try_places(l, annotation, base, stem, take_stem, like);
    return found ? found : try_places(l, annotation, base, stem, take_name, like); /* img.jpg.xml */
}

const char *layout_named_picture(const layout *l, const char *annotation, const char *file_name)
{
    const char *found = take_name(l, file_name, strlen(file_name), NULL);
    if (!found)
        found = try_places(l, annotation, file_name, strlen(file_name), take_name, NULL);
    for (const char *slash = strchr(file_name, '/'); slash && !found; slash = strchr(slash + 1, '/')) {
        found = take_name(l, slash + 1, strlen(slash + 1), NULL);
        if (!found)
            found = try_places(l, annotation, slash + 1, strlen(slash + 1), take_name, NULL);
    }
    if (!found)
        found = stem_index_find(&l->near, file_name, strlen(file_name), NULL);
    if (!found)
        found = try_places(l, annotation, file_name, strlen(file_name), take_stem, NULL);
    return found;
}

void layout_lonely_picture(const layout *l, const char *annotation, char name[NAMES_FILE_MAX + 1])
{
    const char *base = tree_base(annotation), *beside = NULL;
    const size_t folder = (size_t)(base - annotation);
    for (size_t i = 0; i < l->annotations.count && !beside; i++) {
        const char *other = l->annotations.items[i];
        if (strncmp(other, annotation, folder) == 0 && !strchr(other + folder, '/'))
            beside = layout_own_picture(l, other, NULL);
    }
    snprintf(name, NAMES_FILE_MAX + 1, "%.*s%.*s%s", beside ? (int)(tree_base(beside) - beside) : 0,
             beside ? beside : "", (int)(names_stem(annotation) - folder), base,
             beside ? beside + names_stem(beside) : "");
}

const char *layout_far_picture(const layout *l, const char *annotation, const char *file_name)
{
    const char *from[] = {file_name ? file_name : "", annotation}, *found = NULL;
    for (size_t i = 0; i < 2 && !found; i++) {
        const char *base = tree_base(from[i]);
        found = stem_index_find_base(&l->near, base, names_stem(from[i]) - (size_t)(base - from[i]));
        if (!found)
            found = stem_index_find_base(&l->near, base, strlen(base));
    }
    return found;
}

/* ---------------------------------------------------------------- the annotations */

static int find_root(layout *l, const char *images, error *e)
{
    static const char *const folders[] = {"JPEGImages", "images"};
    struct stat info;
    l->root_name = "";
    if (images) {
        text_add(&l->root, "%s", images);
        return text_done(&l->root, e) ? e->code : tree_read(&l->pictures, NULL, images, e);
    }
    for (size_t i = 0; i < COUNT(folders) && !*l->root_name; i++) {
        l->root.size = 0;
        text_add(&l->root, "%s/%s", l->dir, folders[i]);
        if (!text_done(&l->root, e) && stat(l->root.data, &info) == 0 && S_ISDIR(info.st_mode))
            l->root_name = folders[i];
    }
    if (!*l->root_name) {
        l->root.size = 0;
        text_add(&l->root, "%s", l->dir);
    }
    int code = text_done(&l->root, e);
    const size_t skip = *l->root_name ? strlen(l->root_name) + 1 : 0;
    for (size_t i = 0; i < l->files.count && !code; i++) {
        const char *file = l->files.items[i];
        size_t number;
        if (!skip || is_below(file, l->root_name))
            code = names_add(&l->pictures, file + skip, strlen(file + skip), &number, e);
    }
    return code;
}

static bool is_label_file(const layout *l, const char *file)
{
    return is_txt(file) && layout_own_picture(l, file, NULL);
}

/* What is there in place of annotations, for the error line. */
static int no_annotations(const layout *l, error *e)
{
    size_t pictures = 0;
    const char *json = NULL, *txt = NULL;
    for (size_t i = 0; i < l->files.count; i++) {
        const char *file = l->files.items[i];
        pictures += names_is_picture(file);
        json = !json && text_ends_with_any_case(file, ".json") ? file : json;
        txt = !txt && is_txt(file) ? file : txt;
    }
    if (json)
        return fail(e, ERR_INPUT,
                    "%s: holds no annotations as XML or YOLO text, but %s: if it is COCO's, json2anno reads it (make: "
                    "JSON=FILE IMAGES=DIR); else export as Pascal VOC, YOLO or COCO",
                    l->dir, json);
    if (txt)
        return fail(e, ERR_INPUT,
                    "%s: holds no .xml file, and no .txt (such as %s) has the name of a picture; --images DIR (make: "
                    "IMAGES=DIR) says where the pictures are",
                    l->dir, txt);
    return fail(e, ERR_INPUT,
                "%s: holds no .xml file and no YOLO text of pictures; there are %zu files, %zu of them "
                "pictures: export as Pascal VOC, YOLO or COCO",
                l->dir, l->files.count, pictures);
}

/* How many numbers a line begins with, counted to 5. */
static int leading_numbers(text_field line)
{
    double number;
    int count = 0;
    for (size_t size; count < 5 && (line = text_trimmed(line)).size; count++) {
        for (size = 1; size < line.size && !text_is_blank(line.text[size]);)
            size++;
        if (!text_double(line.text, size, &number))
            break;
        line = (text_field){line.text + size, line.size - size};
    }
    return count;
}

/* A label file of YOLO by its content, "class x y width height". One without an object is none: nothing is lost with
 * it. */
static bool has_objects(const layout *l, const char *file, error *e)
{
    enum { FIRST_LINE = 4096 };
    file_view view;
    uint64_t whole;
    error unreadable = {0};
    const char *line;
    size_t size;
    int numbers = 0;
    char *path = path_join(l->dir, file, e);
    if (path && !file_read_head(&view, path, FIRST_LINE, &whole, &unreadable)) {
        text_lines lines = text_lines_of(view.data, view.size);
        while (!numbers && text_line(&lines, &line, &size))
            numbers = leading_numbers((text_field){line, size});
        file_close(&view);
    }
    free(path);
    return numbers == 5;
}

static int find_annotations(layout *l, names *all, error *e)
{
    size_t count[4] = {0}, number;
    names folders = {0}; /* of label files */
    for (size_t i = 0; i < l->files.count && !e->code; i++) {
        const char *file = l->files.items[i];
        if (is_xml(file))
            count[is_below(file, "Annotations") ? 3 : LAYOUT_XML]++;
        else if (is_coco(file))
            count[LAYOUT_COCO]++;
        else if (is_label_file(l, file) && !names_add(&folders, file, (size_t)(tree_base(file) - file), &number, e))
            count[LAYOUT_YOLO]++;
    }
    l->in_annotations = count[3] != 0;
    if (!l->in_annotations && !count[LAYOUT_XML] && !count[LAYOUT_YOLO] && !count[LAYOUT_COCO])
        return no_annotations(l, e);
    l->form = l->in_annotations || (count[LAYOUT_XML] && count[LAYOUT_XML] >= count[LAYOUT_YOLO]) ? LAYOUT_XML
              : count[LAYOUT_YOLO]                                                                ? LAYOUT_YOLO
                                                                                                  : LAYOUT_COCO;
    for (size_t i = 0; i < l->files.count && !e->code; i++) {
        const char *file = l->files.items[i];
        bool taken = l->form == LAYOUT_XML    ? is_xml(file) && (!l->in_annotations || is_below(file, "Annotations"))
                     : l->form == LAYOUT_YOLO ? is_label_file(l, file)
                                              : is_coco(file);
        if (l->form == LAYOUT_YOLO && !taken && is_txt(file) &&
            names_find(&folders, file, (size_t)(tree_base(file) - file)) != NAMES_NONE && has_objects(l, file, e)) {
            names_add(&l->lonely, file, strlen(file), &number, e);
            taken = true;
        }
        if (taken)
            names_add(all, file, strlen(file), &number, e);
        else if (is_xml(file) || is_coco(file) ||
                 ((is_txt(file) || text_ends_with_any_case(file, ".json")) && layout_own_picture(l, file, NULL)) ||
                 (l->form == LAYOUT_YOLO && is_txt(file) && has_objects(l, file, e)))
            text_names_add(&l->skipped, "%s", file);
    }
    names_free(&folders);
    return e->code;
}

/* ---------------------------------------------------------------- in words */

static bool has_file(const layout *l, const char *name)
{
    return names_find(&l->files, name, strlen(name)) != NAMES_NONE;
}

/* Lists of one class each, and none of all pictures. */
static bool has_only_class_lists(const layout *l)
{
    bool any = false;
    for (size_t i = 0; i < l->files.count; i++)
        if (is_below(l->files.items[i], "ImageSets/Main")) {
            if (!text_ends_with(l->files.items[i], "_train.txt") && !text_ends_with(l->files.items[i], "_val.txt"))
                return false;
            any = true;
        }
    return any;
}

static const char *in_annotations_of(const layout *l)
{
    for (size_t i = 0; i < l->annotations.count; i++)
        if (strchr(l->annotations.items[i] + strlen("Annotations/"), '/'))
            return "Pascal VOC with folders, as of CVAT";
    if (has_file(l, "labelmap.txt") || has_file(l, "ImageSets/Main/default.txt"))
        return "Pascal VOC of CVAT";
    if (has_only_class_lists(l))
        return "Pascal VOC of VoTT";
    if (has_file(l, "class_names.txt"))
        return "Pascal VOC of LabelMe";
    return strcmp(l->root_name, "images") == 0 ? "Pascal VOC of Label Studio" : "a VOC devkit";
}

static bool lies_beside(const layout *l, const char *annotation)
{
    const char *picture = layout_own_picture(l, annotation, NULL);
    const size_t root = *l->root_name && is_below(annotation, l->root_name) ? strlen(l->root_name) + 1 : 0,
                 folder = (size_t)(tree_base(annotation) - annotation);
    return picture && folder >= root && (size_t)(tree_base(picture) - picture) == folder - root &&
           strncmp(picture, annotation + root, folder - root) == 0;
}

static int describe(layout *l, error *e)
{
    const char *first = l->annotations.items[0];
    text_buffer *w = &l->words;
    if (l->form == LAYOUT_COCO)
        text_add(w, "COCO's JSON in folders, as Roboflow exports it");
    else if (l->form == LAYOUT_YOLO)
        text_add(w, "YOLO text files%s",
                 l->has_parts                ? " in train, valid and test folders"
                 : has_file(l, "notes.json") ? " of Label Studio"
                 : is_below(first, "labels") ? " in labels"
                 : lies_beside(l, first)     ? " beside the pictures"
                                             : " in folders of their own");
    else if (l->in_annotations)
        text_add(w, "%s: XML in Annotations", in_annotations_of(l));
    else if (l->has_parts)
        text_add(w, "XML in train, valid and test folders, as Roboflow exports it");
    else
        text_add(w, "XML %s",
                 lies_beside(l, first) ? "beside the pictures, as labelImg writes it" : "in folders of its own");
    if (l->near.stems.count == 0)
        text_add(&l->place, "; no pictures in %s", l->root.data);
    else if (l->in_annotations || *l->root_name)
        text_add(&l->place, "; pictures in %s", *l->root_name ? l->root_name : l->root.data);
    return text_done(w, e) ? e->code : text_done(&l->place, e);
}

int layout_find(layout *l, const char *dir, const char *images, const char *split, error *e)
{
    names all = {0};
    *l = (layout){.dir = dir, .root_name = ""};
    text_buffer list = {0}, part = {0};
    text_add(&list, "ImageSets/Main/%s.txt", split ? split : "");
    if (!text_done(&list, e) && !tree_read(&l->files, NULL, dir, e) && !find_root(l, images, e) &&
        !stem_index_make(&l->near, &l->pictures, names_is_picture, e) && !find_annotations(l, &all, e) &&
        !stem_index_make(&l->by_stem, &l->files, is_xml, e)) {
        l->has_parts = have_parts(&all);
        text_add(&part, "%s/", split ? split : "");
        l->is_part = l->has_parts && !has_file(l, list.data) && !text_done(&part, e) && layout_part_of(part.data);
        if (!take_parts(l, &all, l->is_part ? layout_part_of(part.data) : LAYOUT_WHOLE, e))
            describe(l, e);
    }
    names_free(&all);
    text_free(&list);
    text_free(&part);
    return e->code;
}

void layout_free(layout *l)
{
    stem_index_free(&l->by_stem);
    stem_index_free(&l->near);
    names_free(&l->files);
    names_free(&l->annotations);
    names_free(&l->pictures);
    names_free(&l->lonely);
    text_free(&l->root);
    text_free(&l->words);
    text_free(&l->place);
}
