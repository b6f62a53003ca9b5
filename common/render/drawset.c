/* A set is drawn into DIR.tmp.N and renamed when it is complete, so DIR holds a whole set or what it held before.
 *
 * drawn.txt, written last, tells a drawn set from any other folder: only a folder with it, and without files of other
 * origin, is ever replaced. Its SHA-256 is that of one digest for each pair of annotation and picture, so pairs are
 * drawn and checked by several threads in any order. Signals are caught for the time of the drawing and raised again
 * when the unfinished folder is gone.
 */
#include "render/drawset.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "base/threads.h"
#include "image/codec.h"
#include "render/drawing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QUALITY = 92, HEX = 65, NAME = 64 };

/* What a set holds beside pictures and annotations: folders, then lists, then the marker. */
static const char marker[] = "drawn.txt";
static const char *const fixed[] = {"Annotations",
                                    "ImageSets",
                                    "ImageSets/Main",
                                    "JPEGImages",
                                    "ImageSets/Main/train.txt",
                                    "ImageSets/Main/val.txt",
                                    "ImageSets/Main/trainval.txt",
                                    marker};
enum { FOLDERS = 4, LISTS = 3 };
static const char *const *const folders = fixed, *const *const lists = fixed + FOLDERS;
static const char heading[] = "onebox drawn set 1\n";

static void pair_name(char name[NAME], bool is_jpeg, size_t number)
{
    snprintf(name, NAME, is_jpeg ? "JPEGImages/%06zu.jpg" : "Annotations/%06zu.xml", number);
}

/* ---------------------------------------------------------------- texts */

static void add_annotation(text_buffer *b, const drawing *d, size_t number)
{
    text_add(b,
             "<annotation>\n"
             "\t<folder>drawn</folder>\n"
             "\t<filename>%06zu.jpg</filename>\n"
             "\t<source>\n\t\t<database>onebox drawings</database>\n\t</source>\n"
             "\t<size>\n\t\t<width>%d</width>\n\t\t<height>%d</height>\n"
             "\t\t<depth>3</depth>\n\t</size>\n"
             "\t<segmented>0</segmented>\n",
             number, d->p.width, d->p.height);
    for (int i = 0; i < d->count; i++) {
        const drawing_object *o = &d->objects[i];
        text_add(b,
                 "\t<object>\n\t\t<name>%s</name>\n\t\t<pose>Unspecified</pose>\n"
                 "\t\t<truncated>%d</truncated>\n\t\t<occluded>%d</occluded>\n"
                 "\t\t<difficult>%d</difficult>\n"
                 "\t\t<bndbox>\n\t\t\t<xmin>%d</xmin>\n\t\t\t<ymin>%d</ymin>\n"
                 "\t\t\t<xmax>%d</xmax>\n\t\t\t<ymax>%d</ymax>\n\t\t</bndbox>\n\t</object>\n",
                 drawing_classes[o->class], o->truncated, o->occluded, o->difficult, o->box.x1 + 1, o->box.y1 + 1,
                 o->box.x2 + 1, o->box.y2 + 1);
    }
    text_add(b, "</annotation>\n");
}

static bool in_list(size_t list, size_t number)
{
    return list == 2 || (number % 5 == 0) == (list == 1);
}

static void add_list(text_buffer *b, size_t list, size_t pictures)
{
    for (size_t i = 1; i <= pictures; i++)
        if (in_list(list, i))
            text_add(b, "%06zu\n", i);
}

/* ---------------------------------------------------------------- files */

/* Without a sync of each file: the whole set is synced before it gets its name. */
static int write_set_file(const char *dir, const char *name, const void *data, size_t size, error *e)
{
    char *path = path_join(dir, name, e);
    if (!path)
        return ERR_SYSTEM;
    int code = 0;
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size)
        code = fail_system(e, "%s: cannot write", path);
    if (f && fclose(f) && !code)
        code = fail_system(e, "%s: cannot write", path);
    free(path);
    return code;
}

/* The bytes of a JPEG; the caller frees *data also after a failure. */
static int encode_jpeg(const picture *p, char **data, size_t *size, const char *name, error *e)
{
    FILE *f = open_memstream(data, size);
    if (!f)
        return fail_system(e, "%s: cannot encode", name);
    int code = jpeg_write(p, f, QUALITY, name, e);
    if (fclose(f) && !code)
        code = fail_system(e, "%s: cannot encode", name);
    return code;
}

static void digest_pair(const void *xml, size_t xml_size, const void *jpeg, size_t jpeg_size, char *hex)
{
    char both[2 * HEX];
    sha256_hex(xml, xml_size, both);
    sha256_hex(jpeg, jpeg_size, both + HEX);
    sha256_hex(both, sizeof both, hex);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---------------------------------------------------------------- what is there */

typedef struct known_set {
    size_t pictures;
    char sha256[HEX];
} known_set;

static bool number_line(text_lines *lines, const char *word, int64_t min, int64_t max, int64_t *value)
{
    const char *line;
    size_t size, n = strlen(word);
    if (!text_line(lines, &line, &size) || size <= n + 1 || memcmp(line, word, n) != 0 || line[n] != ' ')
        return false;
    return text_int(line + n + 1, size - n - 1, min, max, value);
}

/* Reads DIR/drawn.txt. */
static int read_marker(const char *dir, known_set *known, error *e)
{
    file_view view;
    char *path = path_join(dir, marker, e);
    if (!path || file_open(&view, path, e)) {
        free(path);
        return e->code;
    }
    text_lines lines = text_lines_of(view.data, view.size);
    const char *line;
    size_t size;
    int64_t pictures = 0, other;
    bool good = view.size > sizeof heading && memcmp(view.data, heading, sizeof heading - 1) == 0 &&
                text_line(&lines, &line, &size) &&
                number_line(&lines, "pictures", 1, DRAWSET_MAX_PICTURES, &pictures) &&
                number_line(&lines, "size", DRAWING_MIN_SIZE, DRAWING_MAX_SIZE, &other) &&
                number_line(&lines, "seed", 0, INT64_MAX, &other) && text_line(&lines, &line, &size) &&
                size == 7 + HEX - 1 && memcmp(line, "sha256 ", 7) == 0;
    if (good) {
        known->pictures = (size_t)pictures;
        memcpy(known->sha256, line + 7, HEX - 1);
        known->sha256[HEX - 1] = 0;
        good = !text_line(&lines, &line, &size);
    }
    if (!good)
        fail(e, ERR_INPUT, "%s: is not what draw-set writes", path);
    file_close(&view);
    free(path);
    return good ? 0 : ERR_INPUT;
}

/* Is `name`, in folder number `folder` (FOLDERS: the set's own), a file or folder of a set of `pictures`? */
static bool is_ours(int folder, const char *name, size_t pictures)
{
    char wanted[NAME], path[NAME + NAME_MAX + 2];
    if (folder == FOLDERS)
        snprintf(path, sizeof path, "%s", name);
    else
        snprintf(path, sizeof path, "%s/%s", folders[folder], name);
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (strcmp(path, fixed[i]) == 0)
            return true;
    size_t number = (size_t)strtoul(name, NULL, 10);
    if (folder == FOLDERS || number < 1 || number > pictures)
        return false;
    pair_name(wanted, strcmp(folders[folder], "JPEGImages") == 0, number);
    return strcmp(path, wanted) == 0;
}

/* ERR_USAGE when the folder holds a file that is none of its set's: it would be lost with the set. */
static int only_ours(const char *dir, size_t pictures, error *e)
{
    int code = 0;
    for (int i = 0; i <= FOLDERS && !code; i++) {
        char *path = i < FOLDERS ? path_join(dir, folders[i], e) : text_copy(dir, strlen(dir), e);
        DIR *d = path ? opendir(path) : NULL;
        const struct dirent *entry;
        while (!code && d && (entry = readdir(d)))
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                !is_ours(i, entry->d_name, pictures))
                code = fail(e, ERR_USAGE, "%s/%s: is not a drawing of this set: move it away or name another folder",
                            path, entry->d_name);
        if (d)
            closedir(d);
        free(path);
    }
    return code ? code : e->code;
}

static bool is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    int entries = 0;
    while (d && readdir(d))
        entries++;
    if (d)
        closedir(d);
    return d && entries <= 2;
}

/* May `dir` be written? *known.pictures is above 0 when it holds a set to replace. */
static int look_at(const char *dir, known_set *known, error *e)
{
    struct stat st;
    error none = {0};
    *known = (known_set){0};
    if (stat(dir, &st))
        return errno == ENOENT ? 0 : fail_system(e, "%s: cannot look at it", dir);
    if (!S_ISDIR(st.st_mode))
        return fail(e, ERR_USAGE, "%s: is there and is not a folder", dir);
    if (is_empty(dir))
        return 0;
    if (read_marker(dir, known, &none))
        return fail(e, ERR_USAGE, "%s: is there and was not drawn by draw-set: name another folder", dir);
    return only_ours(dir, known->pictures, e);
}

/* ---------------------------------------------------------------- drawing */

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    stopped = number;
}

typedef struct set_work {
    const char *dir;
    const drawset_options *o;
    char (*digests)[HEX];
    drawset_summary *totals; /* of each worker */
} set_work;

static int draw_one(void *context, size_t item, int worker, error *e)
{
    set_work *w = context;
    drawset_summary *s = &w->totals[worker];
    const size_t number = item + 1;
    char xml_name[NAME], jpeg_name[NAME];
    drawing d = {0};
    text_buffer xml = {0};
    char *jpeg = NULL;
    size_t size = 0;
    if (stopped)
        return fail(e, ERR_SYSTEM, "stopped by a signal");
    pair_name(xml_name, false, number);
    pair_name(jpeg_name, true, number);
    if (!drawing_make(&d, w->o->size, w->o->seed, (uint32_t)number, e))
        add_annotation(&xml, &d, number);
    if (!e->code && !text_done(&xml, e) && !encode_jpeg(&d.p, &jpeg, &size, jpeg_name, e) &&
        !write_set_file(w->dir, xml_name, xml.data, xml.size, e) && !write_set_file(w->dir, jpeg_name, jpeg, size, e))
        digest_pair(xml.data, xml.size, jpeg, size, w->digests[item]);
    for (int i = 0; i < d.count; i++) {
        s->objects++;
        s->difficult += d.objects[i].difficult;
        s->truncated += d.objects[i].truncated;
        s->occluded += d.objects[i].occluded;
    }
    free(jpeg);
    text_free(&xml);
    drawing_free(&d);
    return e->code;
}

static int make_folders(const char *dir, error *e)
{
    for (int i = 0; i < FOLDERS; i++) {
        char *path = path_join(dir, folders[i], e);
        if (path && mkdir(path, 0777))
            fail_system(e, "%s: cannot make the folder", path);
        free(path);
        if (e->code)
            return e->code;
    }
    return 0;
}

/* The lists, and last the marker. */
static int write_texts(const char *dir, const drawset_options *o, const char *sha256, error *e)
{
    text_buffer b = {0};
    for (size_t i = 0; i <= LISTS && !e->code; i++) {
        b.size = 0;
        if (i < LISTS)
            add_list(&b, i, (size_t)o->pictures);
        else
            text_add(&b, "%spictures %d\nsize %d\nseed %" PRIu64 "\nsha256 %s\n", heading, o->pictures, o->size,
                     o->seed, sha256);
        if (!text_done(&b, e))
            write_set_file(dir, lists[i], b.data, b.size, e); /* behind the lists stands the marker */
    }
    text_free(&b);
    return e->code;
}

static int sync_tree(const char *dir, error *e)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), code = 0;
    if (fd < 0 || syncfs(fd))
        code = fail_system(e, "%s: cannot write", dir);
    if (fd >= 0)
        close(fd);
    return code;
}

/* Draws everything into the empty folder `dir`. */
static int draw_all(const char *dir, const drawset_options *o, drawset_summary *s, char sha256[HEX], error *e)
{
    const int threads = threads_count(o->threads);
    set_work w = {.dir = dir, .o = o};
    w.digests = mem_zero((size_t)o->pictures, HEX, "digests", e);
    w.totals = mem_zero((size_t)threads, sizeof *w.totals, "threads", e);
    if (w.digests && w.totals && !make_folders(dir, e) &&
        !parallel_for(threads, (size_t)o->pictures, draw_one, &w, e)) {
        sha256_hex(w.digests, (size_t)o->pictures * HEX, sha256);
        if (!write_texts(dir, o, sha256, e))
            sync_tree(dir, e);
    }
    for (int i = 0; i < threads && !e->code; i++) {
        /* no totals: an error NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        s->objects += w.totals[i].objects;
        s->difficult += w.totals[i].difficult;
        s->truncated += w.totals[i].truncated;
        s->occluded += w.totals[i].occluded;
    }
    free(w.digests);
    free(w.totals);
    return e->code;
}

/* Where the file system cannot let two folders change places: the older set goes to `old` first. */
static void replace_in_two_steps(const char *fresh, const char *dir, error *e)
{
    text_buffer old = {0};
    text_add(&old, "%s.old", fresh);
    if (text_done(&old, e))
        return;
    if (rename(dir, old.data)) {
        fail_system(e, "%s: cannot replace the old set", dir);
    } else if (rename(fresh, dir)) {
        fail_system(e, "%s: cannot put the finished set in place", dir);
        (void)rename(old.data, dir);
    } else {
        remove_tree(old.data);
    }
    text_free(&old);
}

/* Gives the finished folder its name. A set of that name, which may have come since, changes places with it and is
 * removed. */
static void put_in_place(const char *fresh, const char *dir, error *e)
{
    known_set there;
    if (rename(fresh, dir) == 0)
        return;
    if (errno != ENOTEMPTY && errno != EEXIST)
        fail_system(e, "%s: cannot put the finished set in place", dir);
    else if (look_at(dir, &there, e))
        return;
    else if (renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_EXCHANGE) == 0)
        remove_tree(fresh);
    else
        replace_in_two_steps(fresh, dir, e);
}

/* Removes a folder whose program is gone. False: it is somebody's, or no folder. */
static bool remove_left(const char *name)
{
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const bool left = fd >= 0 && file_lock(fd) == FILE_LOCKED && file_is(name, fd);
    if (left)
        remove_tree(name);
    if (fd >= 0)
        close(fd);
    return left;
}

/* A new folder of that name, locked: its descriptor; -1: the name is taken, or with e set. */
static int make_own(const char *name, const char *dir, error *e)
{
    int made = mkdir(name, 0777);
    if (made && errno == EEXIST) {
        if (!remove_left(name))
            return -1;
        made = mkdir(name, 0777);
    }
    int fd = made ? -1 : open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != (made ? EEXIST : ENOENT)) { /* these: somebody was quicker to make one, or to remove ours */
        fail_system(e, "%s: cannot make the folder", dir);
        if (!made)
            rmdir(name);
    }
    if (fd < 0 || (file_lock(fd) != FILE_TAKEN && file_is(name, fd)))
        return fd;
    close(fd); /* somebody took it for one that was left behind */
    return -1;
}

static bool same_set(const char *dir, const known_set *known, const char *sha256)
{
    error none = {0};
    return known->pictures && strcmp(known->sha256, sha256) == 0 && drawset_check(dir, &none) == 0;
}

/* Makes the set in the new folder `fresh`. */
static int make_in(const char *fresh, const char *dir, const known_set *known, const drawset_options *o,
                   drawset_summary *s, error *e)
{
    char sha256[HEX];
    if (!draw_all(fresh, o, s, sha256, e) && stopped)
        fail(e, ERR_SYSTEM, "stopped by a signal");
    s->changed = !e->code && !same_set(dir, known, sha256);
    if (s->changed)
        put_in_place(fresh, dir, e);
    if (e->code || !s->changed)
        remove_tree(fresh);
    return e->code;
}

static int make_beside(const char *dir, const drawset_options *o, drawset_summary *s, error *e)
{
    enum { MOST = 100 }; /* at a time */
    known_set known;
    text_buffer fresh = {0};
    int lock = -1;
    look_at(dir, &known, e);
    for (int number = 1; number <= MOST && lock < 0 && !e->code; number++) {
        fresh.size = 0;
        text_add(&fresh, "%s.tmp.%d", dir, number);
        if (!text_done(&fresh, e))
            lock = make_own(fresh.data, dir, e);
    }
    if (lock >= 0)
        make_in(fresh.data, dir, &known, o, s, e);
    else if (!e->code)
        fail(e, ERR_SYSTEM, "%s: cannot make the folder, %s is there", dir, fresh.data);
    if (lock >= 0)
        close(lock);
    text_free(&fresh);
    return e->code;
}

int drawset_make(const char *dir, const drawset_options *o, drawset_summary *s, error *e)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU};
    enum { NUMBERS = COUNT(numbers) };
    struct sigaction before[NUMBERS], ours = {.sa_handler = on_signal};
    *s = (drawset_summary){0};
    size_t length = strlen(dir);
    while (length > 1 && dir[length - 1] == '/')
        length--;
    if (length == 0)
        return fail(e, ERR_USAGE, "the folder's name is empty");
    char *real = realpath(dir, NULL); /* through a link, to the folder itself */
    char *name = real ? NULL : text_copy(dir, length, e);
    if (!real && !name)
        return ERR_SYSTEM;
    stopped = 0;
    sigemptyset(&ours.sa_mask);
    for (int i = 0; i < NUMBERS; i++)
        if (sigaction(numbers[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
            sigaction(numbers[i], &ours, NULL);
    int code = make_beside(real ? real : name, o, s, e);
    for (int i = 0; i < NUMBERS; i++)
        sigaction(numbers[i], &before[i], NULL);
    free(real);
    free(name);
    if (stopped)
        raise(stopped);
    return code;
}

/* ---------------------------------------------------------------- checking */

static int check_one(void *context, size_t item, int worker, error *e)
{
    (void)worker;
    set_work *w = context;
    char name[NAME];
    file_view view[2] = {{0}};
    int code = 0;
    for (int i = 0; i < 2 && !code; i++) {
        pair_name(name, i == 1, item + 1);
        char *path = path_join(w->dir, name, e);
        code = path ? file_open(&view[i], path, e) : ERR_SYSTEM;
        free(path);
    }
    if (!code)
        digest_pair(view[0].data ? view[0].data : "", view[0].size, view[1].data ? view[1].data : "", view[1].size,
                    w->digests[item]);
    file_close(&view[0]);
    file_close(&view[1]);
    return code;
}

static int check_list(const char *dir, size_t list, size_t pictures, error *e)
{
    text_buffer wanted = {0};
    file_view view = {0};
    char *path = path_join(dir, lists[list], e);
    add_list(&wanted, list, pictures);
    int code = path ? text_done(&wanted, e) : ERR_SYSTEM;
    if (!code)
        code = file_open(&view, path, e);
    if (!code && (view.size != wanted.size || (view.size && memcmp(view.data, wanted.data, view.size) != 0)))
        code = fail(e, ERR_INPUT, "%s: is not the list that was drawn", path);
    file_close(&view);
    text_free(&wanted);
    free(path);
    return code;
}

int drawset_check(const char *dir, error *e)
{
    known_set known = {0};
    char sha256[HEX];
    read_marker(dir, &known, e);
    for (size_t i = 0; i < LISTS && !e->code; i++)
        check_list(dir, i, known.pictures, e);
    if (e->code)
        return e->code;
    set_work w = {.dir = dir, .digests = mem_zero(known.pictures, HEX, "digests", e)};
    if (w.digests && !parallel_for(threads_count(0), known.pictures, check_one, &w, e)) {
        sha256_hex(w.digests, known.pictures * HEX, sha256);
        if (strcmp(sha256, known.sha256) != 0)
            fail(e, ERR_INPUT, "%s: pictures or annotations are not as they were drawn", dir);
    }
    free(w.digests);
    return e->code;
}
