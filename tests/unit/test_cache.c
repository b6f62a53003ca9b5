/* The file of scaled pictures: making, keeping, refusing. */
#include "base/digest.h"

#include "image/cache.h"
#include "image/cache_format.h"
#include "image/cache_make.h"
#include "image/picture_file.h"
#include "image/resize.h"
#include "image_golden.h"
#include "test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[64], cache_path[96], other_path[96], sources_path[110];
static const char *const all[] = {"444.jpg", "420.jpg", "exif6.jpg", "palette.png", "cmyk.jpg", "deep.png", "grey.jpg"};
enum { ALL = COUNT(all) };

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(data, 1, size, f) == size && fclose(f) == 0, "%s", path);
}

/* Copies a golden picture to the scratch folder under a name; `drop` bytes are left off its end. */
static void copy(const char *from, const char *to, size_t drop)
{
    char a[200], b[200];
    file_view view;
    error e = {0};
    snprintf(a, sizeof a, GOLDEN "%s", from);
    snprintf(b, sizeof b, "%s/%s", scratch, to);
    CHECK(file_open(&view, a, &e) == 0, "%s", e.text);
    write_file(b, view.data, view.size - drop);
    file_close(&view);
}

/* An old time, so that it is relied on; `seconds` tells versions apart. */
static void set_time(const char *name, long seconds)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    struct timespec t[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    CHECK(utimensat(AT_FDCWD, path, t, 0) == 0, "%s", path);
}

static char reported[10][200];
static int reports;

static void on_bad(void *context, const char *message)
{
    (void)context;
    if (reports < 10)
        snprintf(reported[reports], sizeof reported[0], "%s", message);
    reports++;
}

static int make(const char *path, const char *const *names, size_t count, int threads, int64_t max_bad,
                cache_summary *s, error *e)
{
    const cache_options o = {.images = scratch, .size = 64, .threads = threads, .max_bad = max_bad, .bad = on_bad};
    reports = 0;
    *e = (error){0};
    return cache_make(path, names, count, &o, s, e);
}

static void fresh(void)
{
    for (int i = 0; i < ALL; i++) {
        copy(all[i], all[i], 0);
        set_time(all[i], 1000000000);
    }
    unlink(cache_path);
    unlink(sources_path);
}

static bool same_files(const char *a, const char *b)
{
    char x[65], y[65];
    error e = {0};
    return !sha256_file(a, x, &e) && !sha256_file(b, y, &e) && strcmp(x, y) == 0;
}

static void contents(void)
{
    cache_summary s;
    error e;
    fresh();
    CHECK(make(cache_path, all, ALL, 1, 0, &s, &e) == 0, "%s", e.text);
    CHECK(s.pictures == ALL && s.decoded == ALL && s.kept == 0 && s.bad == 0 && s.changed, "%zu %zu %zu", s.pictures,
          s.decoded, s.kept);
    cache *c = cache_open(cache_path, &e);
    CHECK(c != NULL, "%s", e.text);
    if (!c)
        return;
    CHECK(cache_count(c) == ALL && cache_size(c) == 64, "%zu", cache_count(c));
    resize_scratch r = {0};
    for (int i = 0; i < ALL; i++) {
        int64_t row = cache_find(c, all[i]);
        CHECK(row >= 0, "%s is not found", all[i]);
        scaled_picture p = cache_at(c, (size_t)row);
        char path[200];
        picture whole = {0}, scaled = {0};
        snprintf(path, sizeof path, "%s/%s", scratch, all[i]);
        CHECK(picture_load(&whole, path, NULL, &e) == 0, "%s", e.text);
        CHECK(picture_scale(&whole, 64, &scaled, path, &r, &e) == 0, "%s", e.text);
        CHECK(strcmp(p.name, all[i]) == 0 && p.original_width == whole.width && p.original_height == whole.height, "%s",
              p.name);
        CHECK(p.width == scaled.width && p.height == scaled.height &&
                  memcmp(p.pixels, scaled.pixels, 3 * (size_t)p.width * (size_t)p.height) == 0,
              "%s: pixels", p.name);
        picture_free(&whole);
        picture_free(&scaled);
    }
    resize_scratch_free(&r);
    CHECK(cache_find(c, "444.jp") == -1 && cache_find(c, "zzz") == -1 && cache_find(c, "") == -1, "found");
    size_t rows[5];
    const char *const some[] = {"grey.jpg", "a", "b", "c", "d"};
    e = (error){0};
    CHECK(cache_rows(c, some, 1, rows, &e) == 0 && strcmp(cache_at(c, rows[0]).name, "grey.jpg") == 0, "%s", e.text);
    CHECK(cache_rows(c, some, 5, rows, &e) == ERR_INPUT, "accepted");
    CHECK(strstr(e.text, "4 of 5") && strstr(e.text, "a, b, c, ..."), "%s", e.text);
    cache_close(c);
    e = (error){0};
    CHECK(cache_check(cache_path, &e) == 0, "%s", e.text);
}

static void same_bytes(void)
{
    cache_summary s;
    error e;
    const char *const turned[] = {"grey.jpg",  "deep.png", "cmyk.jpg", "grey.jpg", "palette.png",
                                  "exif6.jpg", "420.jpg",  "444.jpg",  "444.jpg"};
    for (int threads = 2; threads <= 9; threads += 7) {
        unlink(other_path);
        CHECK(make(other_path, turned, 9, threads, 0, &s, &e) == 0 && s.pictures == ALL, "%s", e.text);
        CHECK(same_files(cache_path, other_path), "%d threads", threads);
    }
}

static void incremental(void)
{
    cache_summary s;
    error e;
    struct stat before, after;
    fresh();
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0, "%s", e.text);
    stat(cache_path, &before);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0, "%s", e.text);
    CHECK(s.kept == ALL && s.decoded == 0 && !s.changed, "again: %zu kept", s.kept);
    /* touched, the same content */
    set_time("420.jpg", 1100000000);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0, "%s", e.text);
    CHECK(s.kept == ALL && s.decoded == 0 && !s.changed, "touched: %zu kept", s.kept);
    stat(cache_path, &after);
    CHECK(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec, "the file was replaced");
    /* other content, same number of bytes: the time tells */
    copy("exif1.jpg", "exif6.jpg", 0);
    set_time("exif6.jpg", 1200000000);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0, "%s", e.text);
    CHECK(s.kept == ALL - 1 && s.decoded == 1 && s.changed, "changed: %zu decoded", s.decoded);
    unlink(other_path);
    CHECK(make(other_path, all, ALL, 1, 0, &s, &e) == 0 && same_files(cache_path, other_path), "from scratch differs");
    /* one picture less, one more */
    CHECK(make(cache_path, all, ALL - 1, 2, 0, &s, &e) == 0, "%s", e.text);
    CHECK(s.kept == ALL - 1 && s.decoded == 0 && s.changed && s.pictures == ALL - 1, "less: %zu", s.pictures);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0, "%s", e.text);
    CHECK(s.kept == ALL - 1 && s.decoded == 1 && same_files(cache_path, other_path), "more: %zu", s.decoded);
    /* without its list of sources everything is decoded, and the cache stays */
    unlink(sources_path);
    stat(cache_path, &before);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0, "%s", e.text);
    stat(cache_path, &after);
    CHECK(s.decoded == ALL && !s.changed && before.st_ino == after.st_ino, "no sources: %zu decoded", s.decoded);
    /* a list of another cache, or damaged, is not believed */
    write_file(sources_path, "onebox cache sources 1\t00\nx\n", 28);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0 && s.decoded == ALL, "foreign sources: %zu", s.decoded);
}

/* Changes two bytes of a picture's pixels in the cache. */
static void hurt(const char *name)
{
    error e = {0};
    FILE *f = fopen(cache_path, "r+b");
    cache *c = cache_open(cache_path, &e);
    CHECK(f && c, "%s", e.text);
    fseek(f, (long)cache_entry_at(c, (size_t)cache_find(c, name))->pixels_start, SEEK_SET);
    cache_close(c);
    fputc('x', f);
    fputc('y', f);
    fclose(f);
    CHECK(cache_check(cache_path, &e) == ERR_INPUT && strstr(e.text, name), "%s", e.text);
}

/* Damaged pixels are noticed by whoever looks at them, and made anew by the next run. */
static void repaired(void)
{
    cache_summary s;
    error e;
    fresh();
    unlink(other_path);
    CHECK(make(other_path, all, ALL, 1, 0, &s, &e) == 0, "%s", e.text);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0 && s.damaged == 0, "%s", e.text);
    hurt("grey.jpg");
    cache *c = cache_open(cache_path, &e);
    const size_t row = (size_t)cache_find(c, "grey.jpg"), sound = (size_t)cache_find(c, "420.jpg");
    CHECK(!cache_verify(c, sound, &e) && !cache_verify(c, sound, &e), "%s", e.text);
    CHECK(cache_verify(c, row, &e) == ERR_INPUT && strstr(e.text, "grey.jpg"), "%s", e.text);
    e = (error){0};
    CHECK(cache_verify(c, row, &e) == ERR_INPUT, "damaged once, sound later");
    cache_close(c);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0, "%s", e.text);
    CHECK(s.decoded == 1 && s.damaged == 1 && s.changed, "%zu decoded, %zu damaged", s.decoded, s.damaged);
    CHECK(same_files(cache_path, other_path), "damage stays");
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0 && s.decoded == 0 && s.damaged == 0 && !s.changed,
          "%zu decoded", s.decoded);
    /* without its list of sources everything is decoded, and the damaged file does not stay either */
    hurt("444.jpg");
    unlink(sources_path);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0 && s.decoded == ALL && s.damaged == 1 && s.changed,
          "%zu decoded", s.decoded);
    CHECK(same_files(cache_path, other_path), "damage stays without sources");
    /* together with a changed picture */
    hurt("grey.jpg");
    copy("exif1.jpg", "444.jpg", 0);
    set_time("444.jpg", 1300000000);
    CHECK(make(cache_path, all, ALL, 2, 0, &s, &e) == 0 && s.decoded == 2 && s.damaged == 1, "%zu decoded", s.decoded);
    unlink(other_path);
    CHECK(make(other_path, all, ALL, 1, 0, &s, &e) == 0 && same_files(cache_path, other_path), "damage carried over");
}

static void bad_pictures(void)
{
    cache_summary s;
    error e;
    const char *const names[] = {"444.jpg", "420.jpg", "cut.jpg", "palette.png", "text.jpg", "missing.jpg", "grey.jpg"};
    const char *const good[] = {"444.jpg", "420.jpg", "palette.png", "grey.jpg"};
    fresh();
    copy("progressive.jpg", "cut.jpg", 20); /* its head is fine: it fails when its place is already taken */
    copy("real.txt", "text.jpg", 0);
    CHECK(make(cache_path, names, 7, 2, 2, &s, &e) == ERR_INPUT, "accepted");
    CHECK(access(cache_path, F_OK) != 0 && access(sources_path, F_OK) != 0, "something was written");
    CHECK(strstr(e.text, "3 of 7") && strstr(e.text, "cut.jpg") && strstr(e.text, "--max-bad"), "%s", e.text);
    CHECK(reports == 3 && strstr(reported[0], "cut.jpg") && strstr(reported[1], "missing.jpg") &&
              strstr(reported[2], "text.jpg"),
          "%d reports", reports);
    CHECK(make(cache_path, names, 7, 2, 3, &s, &e) == 0, "%s", e.text);
    CHECK(s.pictures == 4 && s.bad == 3, "%zu %zu", s.pictures, s.bad);
    unlink(other_path);
    CHECK(make(other_path, good, 4, 1, 0, &s, &e) == 0 && same_files(cache_path, other_path),
          "bad pictures leave traces");
    CHECK(make(cache_path, names, 7, 2, 3, &s, &e) == 0 && s.kept == 4 && !s.changed, "again: %zu", s.kept);
    CHECK(make(cache_path, names + 4, 2, 2, 3, &s, &e) == ERR_INPUT && strstr(e.text, "none of 2"), "%s", e.text);
    CHECK(same_files(cache_path, other_path), "the old cache was harmed");
    const char *const odd[] = {"a\tb"};
    CHECK(make(cache_path, odd, 1, 1, 0, &s, &e) == ERR_INPUT, "a tab in a name");
    CHECK(make("-", good, 1, 1, 0, &s, &e) == ERR_USAGE, "standard output");
    CHECK(make("/nonexistent/x", good, 1, 1, 0, &s, &e) == ERR_SYSTEM, "%d %s", e.code, e.text);
}

/* Makes the cache when only `count` more files can be open at a time. */
static int make_with_few_files(int count, cache_summary *s, error *e)
{
    struct rlimit old, few;
    const int next = open("/dev/null", O_RDONLY);
    close(next);
    getrlimit(RLIMIT_NOFILE, &old);
    few = old;
    few.rlim_cur = (rlim_t)(next + count);
    setrlimit(RLIMIT_NOFILE, &few);
    int code = make(cache_path, all, ALL, 1, ALL, s, e);
    setrlimit(RLIMIT_NOFILE, &old);
    return code;
}

/* Too many open files is no fault of the pictures: nothing may be left out for it. Nor is it one of the cache that is
 * there: it is not taken for absent. */
static void no_descriptors(void)
{
    cache_summary s;
    error e;
    fresh();
    int code = make_with_few_files(1, &s, &e); /* for the new cache */
    CHECK(code == ERR_SYSTEM && strstr(e.text, "420.jpg: cannot open"), "%d %s", code, e.text);
    CHECK(reports == 0 && access(cache_path, F_OK) != 0, "%d reports", reports);
    CHECK(make(cache_path, all, ALL, 1, 0, &s, &e) == 0, "%s", e.text);
    code = make_with_few_files(0, &s, &e);
    CHECK(code == ERR_SYSTEM && strstr(e.text, "64.cache: cannot open"), "%d %s", code, e.text);
}

/* It can be replaced, and stays one. To the superuser no file is read-only. */
static void read_only(void)
{
    cache_summary s;
    error e;
    struct stat st;
    const uid_t me = geteuid();
    fresh();
    CHECK(make(cache_path, all, ALL, 1, 0, &s, &e) == 0, "%s", e.text);
    copy("exif1.jpg", "exif6.jpg", 0);
    set_time("exif6.jpg", 1200000000);
    chmod(cache_path, 0444);
    chmod(scratch, 0777);
    if (me == 0 && seteuid(65534)) {
        SKIP("the superuser cannot become nobody");
        return;
    }
    int code = make(cache_path, all, ALL, 1, 0, &s, &e);
    CHECK(seteuid(me) == 0 && code == 0 && s.changed, "%s", e.text);
    CHECK(stat(cache_path, &st) == 0 && (st.st_mode & 07777) == 0444, "%o", st.st_mode);
}

/* Every shorter file and every changed byte before and behind the pixels is noticed when opening, every
 * changed pixel by cache_check. */
static void damage(void)
{
    cache_summary s;
    error e;
    file_view view;
    fresh();
    CHECK(make(cache_path, all, 3, 1, 0, &s, &e) == 0, "%s", e.text);
    CHECK(file_open(&view, cache_path, &e) == 0, "%s", e.text);
    size_t size = view.size;
    char *bytes = malloc(size + 1);
    memcpy(bytes, view.data, size);
    file_close(&view);
    const uint64_t index = ((const cache_header *)(void *)bytes)->index_start;
    for (size_t i = 0; i <= size + 1; i += i < 200 || i > index - 20 ? 1 : 499) {
        if (i == size)
            continue;
        bytes[size] = 0;
        write_file(other_path, bytes, i);
        e = (error){0};
        cache *c = cache_open(other_path, &e);
        CHECK(!c && e.code == ERR_INPUT && strstr(e.text, other_path), "cut at %zu of %zu is accepted", i, size);
        cache_close(c);
    }
    for (size_t i = 0; i < size; i += i < 200 || i > index - 20 ? 1 : 499) {
        bytes[i] = (char)(bytes[i] ^ 0x10);
        write_file(other_path, bytes, size);
        bytes[i] = (char)(bytes[i] ^ 0x10);
        e = (error){0};
        bool in_pixels = i >= sizeof(cache_header) && i < index;
        cache *c = cache_open(other_path, &e);
        CHECK((c != NULL) == in_pixels, "byte %zu of %zu: %s", i, size, e.text);
        cache_close(c);
        e = (error){0};
        CHECK(cache_check(other_path, &e) == ERR_INPUT, "byte %zu is not checked", i);
    }
    /* a forged index with a matching checksum is still checked for sense */
    cache_header *h = (cache_header *)(void *)bytes;
    cache_entry *t = (cache_entry *)(void *)(bytes + index);
    const char *names = (const char *)(t + h->pictures);
    cache_entry saved = t[1];
    for (int i = 0; i < 8; i++) {
        t[1] = saved;
        t[1].width += i == 0 ? 1000000 : 0;
        t[1].pixels_start += i == 1 ? 3 : 0;
        t[1].name_start = i == 2 ? UINT64_MAX : t[1].name_start;
        t[1].name_bytes = i == 3 ? UINT32_MAX : t[1].name_bytes;
        t[1].original_height = i == 4 ? 0 : t[1].original_height;
        t[1].original_width = i == 5 ? 0x80000000 : t[1].original_width;
        t[1].name_bytes -= i == 6;
        t[1].name_start = i == 7 ? 0 : t[1].name_start; /* a name twice */
        cache_digest_of(h, t, names, h->sha256);
        write_file(other_path, bytes, size);
        e = (error){0};
        cache *c = cache_open(other_path, &e);
        CHECK(!c && e.code == ERR_INPUT, "forgery %d is accepted", i);
        cache_close(c);
    }
    free(bytes);
    e = (error){0};
    CHECK(!cache_open("/nonexistent", &e) && e.code == ERR_INPUT, "%s", e.text);
}

int main(void)
{
    snprintf(scratch, sizeof scratch, "/tmp/onebox-cache-XXXXXX");
    if (!mkdtemp(scratch)) {
        printf("not ok 1 - no scratch folder\n1..1\n");
        return 1;
    }
    snprintf(cache_path, sizeof cache_path, "%s/64.cache", scratch);
    snprintf(other_path, sizeof other_path, "%s/other.cache", scratch);
    snprintf(sources_path, sizeof sources_path, "%s.sources", cache_path);

    TEST("a cache holds the scaled pictures, found by name") contents();
    TEST("its bytes don't depend on threads, row order or repeated rows") same_bytes();
    TEST("only changed pictures are decoded again, and an equal cache is left alone") incremental();
    TEST("damaged pixels are noticed and made anew") repaired();
    TEST("unreadable pictures are reported, counted and leave no trace") bad_pictures();
    TEST("what the system refuses is no bad picture and no missing cache") no_descriptors();
    TEST("a cache that is read-only is replaced and stays read-only") read_only();
    TEST("a cut, damaged or forged cache is refused") damage();

    char command[100];
    snprintf(command, sizeof command, "rm -r '%s'", scratch);
    CHECK(system(command) == 0, "%s", command);
    return test_end();
}
