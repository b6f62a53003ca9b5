/* Decoding against what OpenCV makes of the same files, and files that are damaged. */
#include "base/digest.h"

#include "image/exif.h"
#include "image/picture_file.h"
#include "image_golden.h"
#include "test.h"

#include <sys/resource.h>
#include <unistd.h>

static void same_as_opencv(const file_view *arrays)
{
    size_t at = 0;
    int files = 0;
    golden g;
    while (golden_next(arrays, &at, &g)) {
        if (!strstr(g.name, ".jpg") && !strstr(g.name, ".png"))
            continue;
        files++;
        char path[200];
        snprintf(path, sizeof path, GOLDEN "%s", g.name);
        picture p;
        picture_info info, probed;
        error e = {0};
        CHECK(picture_load(&p, path, &info, &e) == 0, "%s", e.text);
        CHECK(p.height == (int)g.shape[0] && p.width == (int)g.shape[1], "%s: %d x %d", path, p.width, p.height);
        if (p.height == (int)g.shape[0] && p.width == (int)g.shape[1]) {
            int worst = 0;
            for (size_t i = 0; i < g.count; i++)
                worst = (int)fmax(worst, abs(p.pixels[i] - ((const uint8_t *)g.data)[i]));
            CHECK(worst == 0, "%s: differs by %d", path, worst);
        }
        CHECK(info.warnings == 0, "%s: %d warnings", path, info.warnings);
        file_view file;
        CHECK(file_open(&file, path, &e) == 0, "%s", e.text);
        CHECK(picture_probe(file.data, file.size, path, &probed, &e) == 0, "%s", e.text);
        CHECK(probed.width == p.width && probed.height == p.height, "%s: probe says %d x %d", path, probed.width,
              probed.height);
        CHECK(picture_head(path, &probed, &e) == 0, "%s", e.text);
        CHECK(probed.width == p.width && probed.height == p.height && probed.orientation == info.orientation,
              "%s: its head says %d x %d, orientation %d", path, probed.width, probed.height, probed.orientation);
        file_close(&file);
        picture_free(&p);
    }
    CHECK(files >= 27, "%d files", files);
}

/* A golden file with `size` bytes put in at `at`, counted from the end when negative, in a file at `path`. */
static void write_longer(const char *path, const char *name, long at, const uint8_t *more, size_t size)
{
    char golden_path[200];
    snprintf(golden_path, sizeof golden_path, GOLDEN "%s", name);
    file_view file;
    error e = {0};
    CHECK(file_open(&file, golden_path, &e) == 0, "%s", e.text);
    const size_t before = at < 0 ? file.size - (size_t)-at : (size_t)at;
    uint8_t *copy = malloc(file.size + size);
    memcpy(copy, file.data, before);
    memcpy(copy + before, more, size);
    memcpy(copy + before + size, file.data + before, file.size - before);
    CHECK(file_write(path, copy, file.size + size, &e) == 0, "%s", e.text);
    free(copy);
    file_close(&file);
}

static void head_is(const char *path, int width, int height, int orientation)
{
    picture_info head, decoded;
    picture p;
    error e = {0};
    CHECK(picture_head(path, &head, &e) == 0, "%s", e.text);
    CHECK(head.width == width && head.height == height && head.orientation == orientation, "%d x %d, orientation %d",
          head.width, head.height, head.orientation);
    CHECK(picture_load(&p, path, &decoded, &e) == 0, "%s", e.text);
    CHECK(decoded.width == width && decoded.orientation == orientation, "%d, %d", decoded.width, decoded.orientation);
    picture_free(&p);
}

/* Heads that are longer than what is read at first, and a PNG's orientation far behind them. */
static void long_heads(void)
{
    enum { LONG = 30000 };
    static uint8_t more[2 * LONG + 100];
    char path[100];
    picture p;
    error e = {0};
    snprintf(path, sizeof path, "/tmp/onebox-picture-%ld", (long)getpid());
    const uint8_t comment[] = {0xff, 0xfe, LONG >> 8, LONG & 255};
    memcpy(more, comment, sizeof comment);
    memcpy(more + LONG + 2, comment, sizeof comment);
    CHECK(picture_load(&p, GOLDEN "exif6.jpg", NULL, &e) == 0, "%s", e.text);
    write_longer(path, "exif6.jpg", 2, more, 2 * (LONG + 2));
    head_is(path, p.width, p.height, 6);
    picture_free(&p);
    CHECK(picture_load(&p, GOLDEN "rgb.png", NULL, &e) == 0, "%s", e.text);
    static const uint8_t chunk[] = {0, 0, LONG >> 8, LONG & 255, 'p', 'r', 'V', 't'};
    static const uint8_t exif[] = {0, 0, 0, 26, 'e', 'X', 'I', 'f', 'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12,
                                   1, 3, 0, 1,  0,   0,   0,   6,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0};
    memset(more, 0, sizeof more);
    memcpy(more, chunk, sizeof chunk);
    memcpy(more + LONG + 12, exif, sizeof exif);
    write_longer(path, "rgb.png", -12, more, LONG + 12 + sizeof exif); /* before IEND */
    head_is(path, p.height, p.width, 6);
    write_longer(path, "rgb.png", 33, more, LONG + 12 + sizeof exif); /* behind IHDR */
    head_is(path, p.height, p.width, 6);
    picture_free(&p);
    unlink(path);
}

/* Every prefix of the file is an error, and never more than that; a JPEG without its end marker is read, though. */
static void every_prefix_fails(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, GOLDEN "%s", name);
    file_view file;
    error e = {0};
    CHECK(file_open(&file, path, &e) == 0, "%s", e.text);
    for (size_t n = 0; n < file.size; n++) {
        char *part = malloc(n ? n : 1); /* of its own, so that reading beyond is noticed */
        memcpy(part, file.data, n);
        picture p;
        e = (error){0};
        picture_info info = {0};
        int code = picture_decode(&p, part, n, name, &info, &e);
        if (n + 2 >= file.size && strstr(name, ".jpg"))
            CHECK(code == 0 && p.pixels && info.warnings == 1 && strstr(info.warning, "end marker"), "%s: %s", name,
                  e.text);
        else
            CHECK(code == ERR_INPUT && !p.pixels, "%s cut at %zu: %d", name, n, code);
        picture_free(&p);
        free(part);
    }
    file_close(&file);
}

/* Damage anywhere is an error or a picture, never a crash. */
static void damage_is_survived(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, GOLDEN "%s", name);
    file_view file;
    error e = {0};
    CHECK(file_open(&file, path, &e) == 0, "%s", e.text);
    char *copy = malloc(file.size);
    uint32_t s = 1;
    for (int round = 0; round < 300; round++) {
        memcpy(copy, file.data, file.size);
        for (int k = 0; k < 3; k++) {
            s = s * 1664525u + 1013904223u;
            copy[(s >> 8) % file.size] = (char)(s >> 3);
        }
        picture p;
        e = (error){0};
        int code = picture_decode(&p, copy, file.size, name, NULL, &e);
        CHECK(code == 0 || (e.text[0] && !p.pixels), "round %d: %d", round, code);
        picture_free(&p);
    }
    free(copy);
    file_close(&file);
}

static const char *decode_error(const void *data, size_t size, error *e)
{
    picture p;
    *e = (error){0};
    picture_decode(&p, data, size, "x", NULL, e);
    picture_free(&p);
    return e->text;
}

/* Bytes of address space. */
static rlim_t memory_used(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    CHECK(f && fscanf(f, "%lu", &pages) == 1, "/proc/self/statm");
    fclose(f);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Whether more than the limit is refused: an emulator may pass RLIMIT_AS over. */
static bool limits_hold(void)
{
    const size_t size = (size_t)1 << 26;
    struct rlimit old, less;
    getrlimit(RLIMIT_AS, &old);
    less = old;
    less.rlim_cur = size;
    setrlimit(RLIMIT_AS, &less);
    void *p = malloc(size);
    setrlimit(RLIMIT_AS, &old);
    free(p);
    return !p;
}

/* With a little more memory each time: every answer is a picture or a refusal by the system, never "a damaged picture".
 * `library` is the one that must have been refused something. */
static void little_memory(int (*save)(const picture *, const char *, error *), const char *library)
{
    enum { WIDTH = 40000, HEIGHT = 64, PAGE = 4096, MORE = 4000 }; /* wide, for the libraries keep some rows */
    file_view file;
    error e = {0};
    picture p;
    struct rlimit old, less;
    char path[100];
    bool seen = false;
    void **holes = NULL;
    int code = ERR_SYSTEM;
    snprintf(path, sizeof path, "/tmp/onebox-picture-%ld", (long)getpid());
    CHECK(!picture_new(&p, WIDTH, HEIGHT, &e) && !save(&p, path, &e) && !file_open(&file, path, &e), "%s", e.text);
    picture_free(&p);
    getrlimit(RLIMIT_AS, &old);
    less = old;
    less.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &less);
    for (size_t block = PAGE; block >= 16; block /= 2) /* what was freed before must not be enough */
        for (void **hole = malloc(block); hole; hole = malloc(block)) {
            *hole = holes;
            holes = hole;
        }
    setrlimit(RLIMIT_AS, &old);
    const rlim_t used = memory_used();
    for (int more = 0; more < MORE && code; more += 5) {
        less.rlim_cur = used + (rlim_t)(more * PAGE);
        setrlimit(RLIMIT_AS, &less);
        e = (error){0};
        code = picture_decode(&p, file.data, file.size, "x", NULL, &e);
        setrlimit(RLIMIT_AS, &old);
        CHECK(code == 0 || code == ERR_SYSTEM, "%s, %d pages more: %d %s", library, more, code, e.text);
        seen = seen || strstr(e.text, library);
        picture_free(&p);
    }
    CHECK(code == 0 && seen, "%s was %s, at last %d", library, seen ? "refused memory" : "never refused memory", code);
    while (holes) {
        void *next = *holes;
        free(holes);
        holes = next;
    }
    file_close(&file);
    unlink(path);
}

static int save_jpeg(const picture *p, const char *path, error *e)
{
    return picture_save_jpeg(p, path, 90, e);
}

int main(void)
{
    error e = {0};
    file_view arrays;
    if (file_open(&arrays, GOLDEN "arrays.bin", &e)) {
        printf("not ok 1 - %s\n1..1\n", e.text);
        return 1;
    }
    TEST("JPEG and PNG of every kind give the pixels that OpenCV's imread gives")
    same_as_opencv(&arrays);

    TEST("the head of a picture is found behind long comments, and its orientation behind the pixels")
    long_heads();

    TEST("a JPEG or PNG that ends early is refused at every length")
    {
        every_prefix_fails("420.jpg");
        every_prefix_fails("progressive.jpg");
        every_prefix_fails("exif6.jpg");
        every_prefix_fails("palette.png");
        every_prefix_fails("exif8.png");
    }
    TEST("damaged pictures give an error or a picture")
    {
        const char *names[] = {"420.jpg",        "progressive.jpg", "cmyk.jpg", "exif-big.jpg",
                               "interlaced.png", "deep.png",        "exif8.png"};
        for (size_t i = 0; i < COUNT(names); i++)
            damage_is_survived(names[i]);
    }
    TEST("what is neither JPEG nor PNG is named as such")
    {
        CHECK(strstr(decode_error("GIF89a", 6, &e), "neither JPEG nor PNG"), "%s", e.text);
        CHECK(e.code == ERR_INPUT, "%d", e.code);
        CHECK(strstr(decode_error("", 0, &e), "empty"), "%s", e.text);
    }
    TEST("a picture that claims to be huge is refused before memory is taken")
    {
        uint8_t png[] = {0x89, 'P',  'N',  'G',  13,   10, 26, 10,   0,    0,   0,   13,   'I',  'H',  'D',
                         'R',  0,    0,    0xff, 0xff, 0,  0,  0xff, 0xff, 8,   2,   0,    0,    0,    0x39,
                         0x67, 0x4e, 0x07, 0,    0,    0,  0,  'I',  'D',  'A', 'T', 0x35, 0xaf, 0x06, 0x1e};
        decode_error(png, sizeof png, &e);
        CHECK(e.code == ERR_INPUT && strstr(e.text, "65535 x 65535 pixels are more than"), "%s", e.text);
        file_view file;
        CHECK(file_open(&file, GOLDEN "420.jpg", &e) == 0, "%s", e.text);
        uint8_t *copy = malloc(file.size);
        memcpy(copy, file.data, file.size);
        for (size_t i = 0; i + 9 < file.size; i++)
            if (copy[i] == 0xff && copy[i + 1] == 0xc0) {
                memset(copy + i + 5, 0xfe, 4);
                break;
            }
        CHECK(strstr(decode_error(copy, file.size, &e), "65278 x 65278 pixels are more than"), "%s", e.text);
        CHECK(e.code == ERR_INPUT, "%d", e.code);
        free(copy);
        file_close(&file);
    }
    TEST("bytes behind the end and damaged data are counted, not refused")
    {
        file_view file;
        e = (error){0};
        CHECK(file_open(&file, GOLDEN "444.jpg", &e) == 0, "%s", e.text);
        uint8_t *copy = calloc(1, file.size + 1000);
        memcpy(copy, file.data, file.size);
        picture p;
        picture_info info;
        CHECK(picture_decode(&p, copy, file.size + 1000, "x", &info, &e) == 0, "%s", e.text);
        picture_free(&p);
        /* the entropy-coded part ends at a marker in its middle */
        size_t middle = file.size - 200;
        copy[middle] = 0xff;
        copy[middle + 1] = 0xd9;
        e = (error){0};
        CHECK(picture_decode(&p, copy, file.size, "x", &info, &e) == 0, "%s", e.text);
        CHECK(info.warnings > 0, "%d warnings", info.warnings);
        picture_free(&p);
        free(copy);
        file_close(&file);
    }
    TEST("the orientation is read from damaged EXIF without harm")
    {
        uint8_t tiff[] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
        CHECK(exif_orientation(tiff, sizeof tiff) == 6, "%d", exif_orientation(tiff, sizeof tiff));
        for (size_t n = 0; n < sizeof tiff; n++) {
            uint8_t *part = malloc(n ? n : 1);
            memcpy(part, tiff, n);
            CHECK(exif_orientation(part, n) == 1, "%zu bytes: %d", n, exif_orientation(part, n));
            free(part);
        }
        tiff[18] = 9;
        CHECK(exif_orientation(tiff, sizeof tiff) == 1, "9");
        memset(tiff + 4, 0xff, 4);
        CHECK(exif_orientation(tiff, sizeof tiff) == 1, "far away");
        tiff[4] = sizeof tiff - 1;
        memset(tiff + 5, 0, 3);
        CHECK(exif_orientation(tiff, sizeof tiff) == 1, "at the end");
    }
    TEST("a saved PNG comes back the same, a saved JPEG nearly, and both twice as the same bytes")
    {
        picture p, q;
        char path[100], hex[2][65];
        e = (error){0};
        CHECK(picture_load(&p, GOLDEN "rgb.png", NULL, &e) == 0, "%s", e.text);
        snprintf(path, sizeof path, "/tmp/onebox-picture-%ld", (long)getpid());
        CHECK(picture_save_png(&p, path, &e) == 0, "%s", e.text);
        CHECK(picture_load(&q, path, NULL, &e) == 0, "%s", e.text);
        CHECK(q.width == p.width && memcmp(p.pixels, q.pixels, 3 * (size_t)p.width * (size_t)p.height) == 0, "pixels");
        picture_free(&q);
        for (int i = 0; i < 2; i++) {
            CHECK(picture_save_jpeg(&p, path, 95, &e) == 0, "%s", e.text);
            CHECK(sha256_file(path, hex[i], &e) == 0, "%s", e.text);
        }
        CHECK(strcmp(hex[0], hex[1]) == 0, "%s %s", hex[0], hex[1]);
        CHECK(picture_load(&q, path, NULL, &e) == 0, "%s", e.text);
        CHECK(q.width == p.width && abs(q.pixels[99] - p.pixels[99]) < 25, "%d %d", q.pixels[99], p.pixels[99]);
        picture_free(&q);
        picture_free(&p);
        unlink(path);
        p = (picture){0};
        CHECK(picture_load(&p, "/nonexistent/x.jpg", NULL, &e) == ERR_INPUT, "%s", e.text);
    }
    TEST("a full disk is named when a picture is written")
    {
        picture p;
        e = (error){0};
        CHECK(picture_new(&p, 300, 300, &e) == 0, "%s", e.text);
        for (size_t i = 0; i < 270000; i++)
            p.pixels[i] = (uint8_t)(i * i >> 7);
        CHECK(picture_save_png(&p, "/dev/full", &e) == ERR_SYSTEM, "written");
        CHECK(strcmp(e.text, "/dev/full: cannot write: No space left on device") == 0, "%s", e.text);
        e = (error){0};
        CHECK(picture_save_jpeg(&p, "/dev/full", 95, &e) == ERR_SYSTEM, "written");
        CHECK(strcmp(e.text, "/dev/full: cannot write: No space left on device") == 0, "%s", e.text);
        picture_free(&p);
    }
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory does not fit into a limit */
    TEST("memory that is refused is no damaged picture")
    {
        if (limits_hold()) {
            little_memory(save_jpeg, "libjpeg");
            little_memory(picture_save_png, "libpng");
        } else
            SKIP("this system takes no limit of memory");
    }
#endif
    file_close(&arrays);
    return test_end();
}
