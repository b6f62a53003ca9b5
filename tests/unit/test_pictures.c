/* How boxes turn with their pictures, and which file of a folder a name means. */
#include "base/file.h"
#include "voc/name_key.h"
#include "voc/pictures.h"
#include "image/picture.h"
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- turning */

/* The box of all pixels that are not black. */
static box_xywh bounds(const picture *p)
{
    int x1 = p->width, y1 = p->height, x2 = -1, y2 = -1;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            if (p->pixels[3 * (y * p->width + x)]) {
                x1 = x < x1 ? x : x1;
                y1 = y < y1 ? y : y1;
                x2 = x > x2 ? x : x2;
                y2 = y > y2 ? y : y2;
            }
    return (box_xywh){x1, y1, x2 - x1 + 1, y2 - y1 + 1};
}

static void paint(picture *p, box_xywh b)
{
    for (int y = (int)b.y; y < (int)(b.y + b.height); y++)
        for (int x = (int)b.x; x < (int)(b.x + b.width); x++)
            p->pixels[3 * (y * p->width + x)] = 255;
}

static void boxes_turn_with_pictures(void)
{
    static const box_xywh boxes[] = {{5, 7, 20, 11}, {0, 0, 1, 1}, {36, 0, 1, 23}, {0, 22, 37, 1}, {0, 0, 37, 23}};
    enum { WIDTH = 37, HEIGHT = 23 };
    for (int orientation = 1; orientation <= 8; orientation++)
        for (size_t i = 0; i < COUNT(boxes); i++) {
            picture p;
            error e = {0};
            CHECK(picture_new(&p, WIDTH, HEIGHT, &e) == 0, "%s", e.text);
            paint(&p, boxes[i]);
            CHECK(picture_turn(&p, orientation, &e) == 0, "%s", e.text);
            const box_xywh want = bounds(&p), b = picture_turn_box(boxes[i], WIDTH, HEIGHT, orientation);
            CHECK(b.x == want.x && b.y == want.y && b.width == want.width && b.height == want.height,
                  "orientation %d, box %zu: %g %g %g %g, pixels %g %g %g %g", orientation, i, b.x, b.y, b.width,
                  b.height, want.x, want.y, want.width, want.height);
            picture_free(&p);
        }
}

/* ---------------------------------------------------------------- names */

static bool same_key(const char *a, const char *b)
{
    text_buffer ka = {0}, kb = {0};
    name_key_add(&ka, a, strlen(a));
    name_key_add(&kb, b, strlen(b));
    const bool same = ka.size == kb.size && memcmp(ka.data, kb.data, ka.size) == 0;
    text_free(&ka);
    text_free(&kb);
    return same;
}

static void keys(void)
{
    static const char *const same[][2] = {
        {"IMG_1.JPG", "img_1.jpg"},
        {"\xc3\xbc", "u\xcc\x88"},                                /* ü */
        {"\xc3\x89", "E\xcc\x81"},                                /* É */
        {"\xe1\xbb\x87", "e\xcc\xa3\xcc\x82"},                    /* ệ: two marks */
        {"\xd0\xb9", "\xd0\xb8\xcc\x86"},                         /* й */
        {"\xce\xac", "\xce\xb1\xcc\x81"},                         /* ά */
        {"\xe3\x81\x8c", "\xe3\x81\x8b\xe3\x82\x99"},             /* が */
        {"\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"}, /* 한 */
        {"\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1"}};            /* 가, without a last consonant */
    static const char *const others[][2] = {{"a", "\xc3\xa4"}, {"a b", "ab"}, {"\xff", "\xfe"}};
    for (size_t i = 0; i < COUNT(same); i++)
        CHECK(same_key(same[i][0], same[i][1]), "%s and %s", same[i][0], same[i][1]);
    for (size_t i = 0; i < COUNT(others); i++)
        CHECK(!same_key(others[i][0], others[i][1]), "%s and %s", others[i][0], others[i][1]);
}

static void decoding(void)
{
    static const char *const rows[][2] = {{"my%20photo.jpg", "my photo.jpg"},
                                          {"a%2Fb%2fc", "a/b/c"},
                                          {"%C3%BC", "\xc3\xbc"},
                                          {"100%25.jpg", "100%.jpg"},
                                          {"100%.jpg", NULL},
                                          {"100%", NULL},
                                          {"a%2", NULL},
                                          {"a%0Ab", NULL},
                                          {"a%00b", NULL},
                                          {"a%zz", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        text_buffer b = {0};
        const bool decoded = text_add_percent_decoded(&b, rows[i][0], strlen(rows[i][0]));
        CHECK(decoded == (rows[i][1] != NULL) &&
                  (!decoded || (b.size == strlen(rows[i][1]) && memcmp(b.data, rows[i][1], b.size) == 0)),
              "%s: %.*s", rows[i][0], (int)b.size, b.data);
        CHECK(decoded || b.size == 0, "%s leaves %zu bytes", rows[i][0], b.size);
        text_free(&b);
    }
}

/* Files and folders of a tree; a '/' at the end makes a folder. */
static const char *const tree[] = {
    "7.jpg",      "my photo.jpg", "cam0/",     "cam0/7.jpg",    "cam0/only.jpg",       "cam1/",     "cam1/7.jpg",
    "cam1/x.png", "deep/",        "deep/a/",   "deep/a/b.jpeg", "deep/a/\xc3\xbc.JPG", "two.jpg",   "two.png",
    "B.jpg",      "b.jpg",        "notes.txt", "notes.xml",     "50%20off.jpg",        "50 off.jpg"};

static void make_tree(char *dir)
{
    error e = {0};
    CHECK(mkdtemp(dir) != NULL, "%s", dir);
    for (size_t i = 0; i < COUNT(tree); i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", dir, tree[i]);
        if (path[strlen(path) - 1] == '/')
            CHECK(mkdir(path, 0777) == 0, "%s", path);
        else
            CHECK(file_write(path, "x", 1, &e) == 0, "%s", e.text);
    }
}

static void remove_tree(const char *dir)
{
    for (size_t i = COUNT(tree); i-- > 0;) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", dir, tree[i]);
        CHECK(remove(path) == 0, "%s", path);
    }
    CHECK(rmdir(dir) == 0, "%s", dir);
}

static void resolving(void)
{
    static const char *const rows[][2] = {
        {"7.jpg", "7.jpg"}, /* as written, though cam0/7.jpg is there as well */
        {"cam1/7.jpg", "cam1/7.jpg"},
        {"images/7.jpg", "7.jpg"}, /* a folder that is not there */
        {"/home/me/set/cam0/7.jpg", "cam0/7.jpg"},
        {"C:\\photos\\cam1\\x.png", "cam1/x.png"},
        {"cam0/x.png", NULL}, /* cam0 is there, and x.png is not in it */
        {"images/cam0/x.png", NULL},
        {"cam2/x.png", NULL},          /* nor is it at the top */
        {"only.jpg", "cam0/only.jpg"}, /* one file of that name */
        {"a/b.jpeg", "deep/a/b.jpeg"},
        {"my%20photo.jpg", "my photo.jpg"},
        {"images%2fmy%20photo.jpg", "my photo.jpg"},
        {"50%20off.jpg", "50%20off.jpg"}, /* as written before decoded */
        {"MY PHOTO.JPG", "my photo.jpg"},
        {"my photo", "my photo.jpg"},
        {"my photo.png", "my photo.jpg"},
        {"my photo.webp", "my photo.jpg"},
        {"deep/a/u\xcc\x88.jpg", "deep/a/\xc3\xbc.JPG"},
        {"two", NULL}, /* two.jpg or two.png */
        {"two.gif", NULL},
        {"b.jpg", "b.jpg"},
        {"b.JPG", NULL}, /* B.jpg or b.jpg */
        {"notes", NULL}, /* no picture */
        {"photo.jpg", NULL},
        {"", NULL},
        {"/", NULL},
        {"cam0", NULL},
    };
    char dir[] = "/tmp/onebox-pictures-XXXXXX";
    error e = {0};
    make_tree(dir);
    pictures *p = pictures_open(dir, &e);
    CHECK(p && pictures_count(p) == COUNT(tree) - 4, "%s", e.text);
    for (size_t i = 0; p && i < COUNT(rows); i++) {
        size_t number, near;
        CHECK(pictures_resolve(p, rows[i][0], &number, &near, &e) == 0, "%s", e.text);
        const char *found = number == PICTURES_NONE ? "none" : pictures_name(p, number);
        CHECK(strcmp(found, rows[i][1] ? rows[i][1] : "none") == 0, "%s: %s", rows[i][0], found);
    }
    pictures_close(p);
    remove_tree(dir);
    CHECK(!pictures_open("/nonexistent", &e) && e.code == ERR_INPUT, "%s", e.text);
}

int main(void)
{
    TEST("a box lies where the pixels are that it was drawn around, for each orientation")
    boxes_turn_with_pictures();
    TEST("composed letters and letters with marks have one key, capitals and small letters too")
    keys();
    TEST("percent-encoding is undone, but for what would be a control character")
    decoding();
    TEST("a name means the one file that fits, and never one of another folder")
    resolving();
    return test_end();
}
