/* Unit tests of common/base. */
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/threads.h"

#include "test.h"

#include <stdatomic.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_errors(void)
{
    TEST("the first failure is kept and control characters are masked")
    {
        error e = {0};
        CHECK(fail(&e, ERR_INPUT, "bad\nname\x1b") == ERR_INPUT, "code");
        fail(&e, ERR_SYSTEM, "later");
        CHECK(e.code == ERR_INPUT && strcmp(e.text, "bad?name?") == 0, "%s", e.text);
        fail_context(&e, "file %d", 7);
        CHECK(strcmp(e.text, "file 7: bad?name?") == 0, "%s", e.text);
    }
}

static void test_mt19937(void)
{
    TEST("the permutation agrees with numpy's legacy generator seeded with 42")
    {
        mt19937 mt;
        uint32_t p[2501];
        const uint32_t ten[] = {8, 1, 5, 0, 7, 2, 9, 4, 3, 6};
        mt19937_seed(&mt, 42);
        mt19937_permutation(&mt, p, 10);
        CHECK(memcmp(p, ten, sizeof ten) == 0, "permutation(10) differs");
        const uint32_t first[] = {1105, 2055, 1386, 1036, 321,  2242, 1756, 544,  1997, 1293,
                                  572,  246,  927,  1244, 1387, 1033, 1837, 1894, 2347, 1106};
        const uint32_t last[] = {1638, 1095, 1130, 1294, 860};
        mt19937_seed(&mt, 42);
        mt19937_permutation(&mt, p, 2501);
        CHECK(memcmp(p, first, sizeof first) == 0, "start differs");
        CHECK(memcmp(p + 2496, last, sizeof last) == 0, "end differs");
    }
    TEST("the first words of seed 5489 are those of the generator's authors")
    {
        mt19937 mt;
        mt19937_seed(&mt, 5489);
        uint32_t a = mt19937_next(&mt), b = mt19937_next(&mt);
        CHECK(a == 3499211612u && b == 581869302u, "%u %u", a, b);
    }
}

static void test_philox(void)
{
    TEST("philox gives the known answers of its authors' test vectors")
    {
        uint32_t out[4];
        philox_block(0, 0, 0, out);
        CHECK(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c && out[3] == 0x9b00dbd8,
              "%08x %08x %08x %08x", out[0], out[1], out[2], out[3]);
        philox_block(UINT64_MAX, UINT64_MAX, UINT64_MAX, out);
        CHECK(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 && out[3] == 0x6d5451fd,
              "%08x %08x %08x %08x", out[0], out[1], out[2], out[3]);
    }
    TEST("uniform draws lie in [0, 1) and normal draws have mean 0 and variance 1")
    {
        philox p = philox_start(3, 4);
        double sum = 0, squares = 0, low = 1, high = 0;
        for (int i = 0; i < 100000; i++) {
            double u = philox_uniform(&p), n = philox_normal(&p);
            low = u < low ? u : low;
            high = u > high ? u : high;
            sum += n;
            squares += n * n;
        }
        CHECK(low >= 0 && low < 1e-4 && high < 1 && high > 1 - 1e-4, "%g %g", low, high);
        CHECK(sum / 1e5 < 0.02 && sum / 1e5 > -0.02, "mean %g", sum / 1e5);
        CHECK(squares / 1e5 < 1.02 && squares / 1e5 > 0.98, "variance %g", squares / 1e5);
    }
}

static atomic_int touched[1000];
static int touch(void *context, size_t item, int worker, error *e)
{
    (void)context, (void)worker;
    atomic_fetch_add(&touched[item], 1);
    return item == 700 ? fail(e, ERR_INPUT, "item 700") : 0;
}

/* Of 40 items those from 20 on fail; item 20 when 21 and more already did. */
static int late_failure(void *context, size_t item, int worker, error *e)
{
    (void)context, (void)worker;
    if (item == 20)
        usleep(50000);
    return item < 20 ? 0 : fail(e, ERR_INPUT, "item %zu", item);
}

/* Writes `text` into FOLDER/NAME; folders are made. */
static void put_file(const char *folder, const char *name, const char *text)
{
    char command[256];
    snprintf(command, sizeof command, "mkdir -p '%s' && printf %%s '%s' >'%s/%s'", folder, text, folder, name);
    CHECK(system(command) == 0, "%s", command);
}

/* A folder that stands for "/", with what /proc/self/cgroup says; root: "/tmp/onebox-test-XXXXXX". */
static void begin_cgroup(char *root, const char *cgroup)
{
    char folder[128];
    CHECK(mkdtemp(root) != NULL, "mkdtemp");
    snprintf(folder, sizeof folder, "%s/proc/self", root);
    put_file(folder, "cgroup", cgroup);
}

static void end_cgroup(const char *root)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0, "%s", command);
}

static void test_threads(void)
{
    TEST("parallel_for runs every item once and reports the failure")
    {
        error e = {0};
        int code = parallel_for(4, 700, touch, NULL, &e);
        bool once = true;
        for (int i = 0; i < 700; i++)
            once = once && touched[i] == 1;
        CHECK(code == 0 && once, "code %d", code);
        code = parallel_for(4, 1000, touch, NULL, &e);
        CHECK(code == ERR_INPUT && strcmp(e.text, "item 700") == 0, "code %d, %s", code, e.text);
    }
    TEST("parallel_for reports the lowest item that fails, and keeps an earlier error")
    {
        error e = {0};
        int code = parallel_for(4, 40, late_failure, NULL, &e);
        CHECK(code == ERR_INPUT && strcmp(e.text, "item 20") == 0, "code %d, %s", code, e.text);
        error earlier = {0};
        fail(&earlier, ERR_SYSTEM, "earlier");
        code = parallel_for(4, 40, late_failure, NULL, &earlier);
        CHECK(code == ERR_INPUT && earlier.code == ERR_SYSTEM && strcmp(earlier.text, "earlier") == 0, "code %d, %s",
              code, earlier.text);
    }
    TEST("a cgroup's quota in either version, its own or one that it lies in, is rounded up to processors")
    {
        static const struct {
            const char *cgroup, *folder, *file, *text, *more, *more_text; /* `more` lies beside `file` */
            int quota;
        } cases[] = {
            {"0::/\n", "", "cpu.max", "150000 100000\n", NULL, NULL, 2},
            {"0::/\n", "", "cpu.max", "20000 100000\n", NULL, NULL, 1},
            {"0::/\n", "", "cpu.max", "max 100000\n", NULL, NULL, 0},
            {"0::/a/b\n", "/a/b", "cpu.max", "300000 100000\n", NULL, NULL, 3},
            {"0::/a/b\n", "/a", "cpu.max", "200000 100000\n", NULL, NULL, 2},
            {"0::/a/b\n", "/c", "cpu.max", "200000 100000\n", NULL, NULL, 0},
            {"2:cpuset:/a\n1:cpu:/\n0::/\n", "/cpu", "cpu.cfs_quota_us", "40001\n", "cpu.cfs_period_us", "20000\n", 3},
            {"5:cpu,cpuacct:/a\n0::/\n", "/cpu,cpuacct/a", "cpu.cfs_quota_us", "40000\n", "cpu.cfs_period_us",
             "20000\n", 2},
            {"5:cpu,cpuacct:/a\n0::/\n", "/cpu,cpuacct/a", "cpu.cfs_quota_us", "-1\n", "cpu.cfs_period_us", "20000\n",
             0},
            {"3:cpuacct:/\n", "/cpuacct", "cpu.cfs_quota_us", "40000\n", "cpu.cfs_period_us", "20000\n", 0},
        };
        for (size_t i = 0; i < COUNT(cases); i++) {
            char root[] = "/tmp/onebox-test-XXXXXX", folder[128];
            begin_cgroup(root, cases[i].cgroup);
            snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, cases[i].folder);
            put_file(folder, cases[i].file, cases[i].text);
            if (cases[i].more)
                put_file(folder, cases[i].more, cases[i].more_text);
            CHECK(limits_processors(root) == cases[i].quota, "case %zu: %d", i, limits_processors(root));
            end_cgroup(root);
        }
        CHECK(limits_processors("/none") == 0, "without /proc");
    }
    TEST("memory is what the cgroup or one around it allows, in either version, or what the machine has")
    {
        static const struct {
            const char *cgroup, *folder, *file, *text;
            double bytes; /* 0: the machine's */
        } cases[] = {{"0::/a/b\n", "/a/b", "memory.max", "1048576\n", 1048576},
                     {"0::/a/b\n", "/a", "memory.max", "1048576\n", 1048576},
                     {"0::/a/b\n", "/a", "memory.max", "max\n", 0},
                     {"4:memory:/a\n2:cpu:/a\n", "/memory/a", "memory.limit_in_bytes", "1048576\n", 1048576},
                     {"4:memory:/a\n", "/memory/a", "memory.limit_in_bytes", "9223372036854771712\n", 0},
                     {"4:memory:/a\n", "/cpu/a", "memory.limit_in_bytes", "1048576\n", 0}};
        const double machine = limits_memory("/none");
        CHECK(machine > 1048576 * 64.0, "%g bytes", machine);
        for (size_t i = 0; i < COUNT(cases); i++) {
            char root[] = "/tmp/onebox-test-XXXXXX", folder[128];
            begin_cgroup(root, cases[i].cgroup);
            snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, cases[i].folder);
            put_file(folder, cases[i].file, cases[i].text);
            const double bytes = limits_memory(root);
            CHECK(bytes == (cases[i].bytes > 0 ? cases[i].bytes : machine), "case %zu: %g", i, bytes);
            end_cgroup(root);
        }
    }
}

static void test_files(void)
{
    TEST("a missing file is bad input, too many open files are the system's fault")
    {
        error e = {0};
        file_view v;
        struct rlimit old, none;
        CHECK(file_open(&v, "/nonexistent", &e) == ERR_INPUT && strstr(e.text, "cannot open"), "%s", e.text);
        e = (error){0};
        getrlimit(RLIMIT_NOFILE, &old);
        none = old;
        none.rlim_cur = 0;
        setrlimit(RLIMIT_NOFILE, &none);
        CHECK(file_open(&v, "/dev/null", &e) == ERR_SYSTEM && strstr(e.text, "/dev/null: cannot open"), "%s", e.text);
        e = (error){0};
        CHECK(file_read(&v, "/etc/passwd", 1 << 20, &e) == ERR_SYSTEM, "%s", e.text);
        setrlimit(RLIMIT_NOFILE, &old);
    }
    TEST("file_read takes regular files only, up to a size, and keeps what a file was when it shrinks")
    {
        error e = {0};
        file_view v;
        char pipe[64];
        snprintf(pipe, sizeof pipe, "/tmp/onebox-pipe-%ld", (long)getpid());
        CHECK(mkfifo(pipe, 0600) == 0, "%s", pipe);
        CHECK(file_read(&v, pipe, 100, &e) == ERR_INPUT && strstr(e.text, "a pipe or a device"), "%s", e.text);
        unlink(pipe);
        e = (error){0};
        CHECK(file_read(&v, "/dev/zero", 100, &e) == ERR_INPUT && strstr(e.text, "regular file"), "%s", e.text);
        e = (error){0};
        CHECK(file_write(pipe, "0123456789", 10, &e) == 0, "%s", e.text);
        CHECK(file_read(&v, pipe, 9, &e) == ERR_INPUT && strstr(e.text, "more than the 9"), "%s", e.text);
        e = (error){0};
        CHECK(file_read(&v, pipe, 10, &e) == 0 && v.size == 10, "%s", e.text);
        CHECK(truncate(pipe, 0) == 0 && memcmp(v.data, "0123456789", 10) == 0, "%.10s", v.data);
        file_close(&v);
        unlink(pipe);
    }
    TEST("an uncommitted file never appears, an unchanged one keeps its time")
    {
        char dir[] = "/tmp/onebox-test-XXXXXX", path[64];
        error e = {0};
        CHECK(mkdtemp(dir) != NULL, "mkdtemp");
        snprintf(path, sizeof path, "%s/f", dir);
        out_file out;
        CHECK(out_open(&out, path, &e) == 0, "%s", e.text);
        fputs("one\n", out.stream);
        CHECK(access(path, F_OK) != 0, "appeared early");
        out_discard(&out);
        CHECK(access(path, F_OK) != 0, "appeared after discard");
        bool changed;
        for (int i = 0; i < 2; i++) {
            CHECK(out_open(&out, path, &e) == 0, "%s", e.text);
            fputs("one\n", out.stream);
            CHECK(out_commit_if_changed(&out, &changed, &e) == 0 && changed == (i == 0), "round %d", i);
        }
        char hex[65];
        CHECK(sha256_file(path, hex, &e) == 0 &&
                  strcmp(hex, "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806") == 0,
              "%s", hex);
        unlink(path);
        CHECK(rmdir(dir) == 0, "a temporary file was left");
    }
}

static void test_pipes(void)
{
    TEST("a named pipe (as a device) is written through and stays what it is, a folder is refused")
    {
        char folder[] = "/tmp/test_base_pipe.XXXXXX", path[64], got[8] = "";
        error e = {0};
        out_file out;
        struct stat st = {0};
        CHECK(mkdtemp(folder) != NULL, "no scratch folder");
        snprintf(path, sizeof path, "%s/pipe", folder);
        CHECK(mkfifo(path, 0600) == 0, "no pipe");
        int fd = open(path, O_RDWR | O_NONBLOCK);
        for (int way = 0; way < 3; way++) {
            bool changed = false;
            CHECK(fd >= 0 && out_open(&out, path, &e) == 0, "%s", e.text);
            if (way == 2) {
                out_discard(&out);
                continue;
            }
            fputs("text", out.stream);
            CHECK((way ? out_commit_if_changed(&out, &changed, &e) : out_commit(&out, &e)) == 0, "%s", e.text);
            CHECK(read(fd, got, sizeof got) == 4 && memcmp(got, "text", 4) == 0, "%s", got);
        }
        CHECK(lstat(path, &st) == 0 && S_ISFIFO(st.st_mode), "the pipe was replaced");
        CHECK(out_open(&out, folder, &e) == ERR_SYSTEM && strstr(e.text, "directory"), "%s", e.text);
        close(fd);
        unlink(path);
        CHECK(rmdir(folder) == 0, "something was left");
    }
}

int main(void)
{
    test_errors();
    test_mt19937();
    test_philox();
    test_threads();
    test_files();
    test_pipes();
    return test_end();
}
