/* Unit tests of base/file.h's writing and of base/signals.h: names, links, modes, and what a signal leaves behind. */
#include "base/file.h"
#include "base/signals.h"
#include "base/text.h"

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/test_files.XXXXXX";

static int entries(void)
{
    int count = 0;
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && (entry = readdir(d));)
        count += entry->d_name[0] != '.';
    if (d)
        closedir(d);
    return count;
}

static void clear(void)
{
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(d), entry->d_name, 0);
    if (d)
        closedir(d);
}

static char *in_folder(const char *name)
{
    return path_join(folder, name, NULL);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static bool holds(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(got, 1, sizeof got - 1, f) : 0;
    if (f)
        fclose(f);
    return n == strlen(text) && strcmp(got, text) == 0;
}

static void test_links_and_modes(void)
{
    char *path = in_folder("f"), *link = in_folder("link"), *second = in_folder("second");
    error e = {0};
    struct stat st;
    TEST("a file that is replaced keeps its mode, a new one has the umask's")
    {
        mode_t mask = umask(027);
        CHECK(file_write(path, "1", 1, &e) == 0 && mode_of(path) == 0640, "%o", mode_of(path));
        chmod(path, 0600);
        CHECK(file_write(path, "2", 1, &e) == 0 && mode_of(path) == 0600 && holds(path, "2"), "%o", mode_of(path));
        chmod(path, 0664);
        CHECK(file_write(path, "3", 1, &e) == 0 && mode_of(path) == 0664 && holds(path, "3"), "%o", mode_of(path));
        umask(mask);
        clear();
    }
    TEST("links are followed to the file that they lead to, also when it is not there yet")
    {
        CHECK(symlink("link", second) == 0 && symlink("f", link) == 0, "no links");
        CHECK(file_write(second, "new", 3, &e) == 0 && holds(path, "new"), "%s", e.text);
        CHECK(file_write(second, "again", 5, &e) == 0 && holds(path, "again"), "%s", e.text);
        CHECK(lstat(second, &st) == 0 && S_ISLNK(st.st_mode) && lstat(link, &st) == 0 && S_ISLNK(st.st_mode),
              "a link was replaced");
        CHECK(entries() == 3, "%d entries", entries());
        unlink(path);
        CHECK(symlink("second", path) == 0 && file_write(path, "x", 1, &e) == ERR_SYSTEM && strstr(e.text, path),
              "a circle of links: %s", e.text);
        clear();
    }
    free(path);
    free(link);
    free(second);
}

static void test_names(void)
{
    error e = {0};
    TEST("two writers of one file have temporary files of their own, and the last one wins")
    {
        char *path = in_folder("f");
        out_file a, b;
        CHECK(out_open(&a, path, &e) == 0 && out_open(&b, path, &e) == 0, "%s", e.text);
        CHECK(strcmp(a.temporary, b.temporary) != 0, "both write %s", a.temporary);
        CHECK(strstr(a.temporary, "/f.tmp."), "%s", a.temporary);
        fputs("a", a.stream);
        fputs("b", b.stream);
        CHECK(out_commit(&b, &e) == 0 && holds(path, "b") && out_commit(&a, &e) == 0 && holds(path, "a"), "%s", e.text);
        CHECK(entries() == 1, "%d entries", entries());
        clear();
        free(path);
    }
    TEST("what a killed writer left behind is removed by the next one, what is somebody else's is left alone")
    {
        char *path = in_folder("f"), *first = in_folder("f.tmp.1"), *second = in_folder("f.tmp.2"),
             *third = in_folder("f.tmp.3"), *other = in_folder("f.tmp.4");
        CHECK(file_write(first, "left", 4, &e) == 0, "%s", e.text); /* nobody has it open */
        CHECK(file_write(path, "1", 1, &e) == 0 && holds(path, "1") && access(first, F_OK), "%s", e.text);
        pid_t child = fork();
        if (child == 0) { /* killed while it writes */
            out_file out;
            error f = {0};
            if (out_open(&out, path, &f) == 0)
                raise(SIGKILL);
            _exit(1);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "%d", status);
        CHECK(access(first, F_OK) == 0, "the killed writer had no temporary file");
        CHECK(file_write(path, "2", 1, &e) == 0 && holds(path, "2") && entries() == 1, "%d entries", entries());
        CHECK(mkdir(first, 0700) == 0 && symlink(other, second) == 0, "no folder, no link");
        out_file out;
        CHECK(out_open(&out, path, &e) == 0 && strcmp(out.temporary, third) == 0, "%s", out.temporary);
        fputs("3", out.stream);
        CHECK(out_commit(&out, &e) == 0 && holds(path, "3") && access(other, F_OK), "%s", e.text);
        CHECK(rmdir(first) == 0 && unlink(second) == 0 && entries() == 1, "%d entries", entries());
        clear();
        free(path);
        free(first);
        free(second);
        free(third);
        free(other);
    }
    TEST("a file that many write at once is always one of theirs, and nothing stays beside it")
    {
        enum { WRITERS = 8, TIMES = 30, SIZE = 3000 };
        char *path = in_folder("f"), text[SIZE];
        pid_t child[WRITERS];
        for (int i = 0; i < WRITERS; i++) {
            child[i] = fork();
            if (child[i])
                continue;
            int code = 0;
            memset(text, 'a' + i, sizeof text);
            for (int k = 0; k < TIMES && !code; k++)
                code = file_write(path, text, sizeof text, &e);
            _exit(code);
        }
        for (int i = 0; i < WRITERS; i++) {
            int status = -1;
            CHECK(waitpid(child[i], &status, 0) == child[i] && status == 0, "writer %d: status %d", i, status);
        }
        file_view v;
        CHECK(file_open(&v, path, &e) == 0 && v.size == SIZE, "%s", e.text);
        for (size_t i = 1; i < v.size; i++)
            CHECK(v.data[i] == v.data[0], "two writers' bytes");
        file_close(&v);
        CHECK(entries() == 1, "%d entries", entries());
        clear();
        free(path);
    }
    TEST("names of up to 255 bytes can be written, and the temporary name cuts no character in two")
    {
        char name[300];
        for (size_t length = 230; length <= 255; length++) {
            memset(name, 'n', length);
            for (size_t at = length % 2; at + 1 < length; at += 2)
                memcpy(name + at, "\xc3\xa9", 2);
            name[length] = 0;
            char *path = in_folder(name);
            out_file out;
            CHECK(out_open(&out, path, &e) == 0, "%zu: %s", length, e.text);
            char *mark = strstr(out.temporary, ".tmp.");
            CHECK(mark && (mark[-1] == 'n' || mark[-1] == '\xa9'), "%zu: %s", length, out.temporary);
            CHECK(out_commit(&out, &e) == 0 && access(path, F_OK) == 0, "%zu: %s", length, e.text);
            free(path);
        }
        memset(name, 'n', 256);
        name[256] = 0;
        char *path = in_folder(name);
        CHECK(out_try(path, &e) == ERR_SYSTEM && strstr(e.text, "too long"), "%s", e.text);
        e = (error){0};
        CHECK(file_write(path, "x", 1, &e) == ERR_SYSTEM && strstr(e.text, "too long"), "%s", e.text);
        free(path);
        CHECK(entries() == 26, "%d entries", entries());
        clear();
    }
    TEST("a trial leaves nothing behind and does not open a pipe")
    {
        char *path = in_folder("pipe"), *file = in_folder("f"), *none = in_folder("none/f");
        char byte;
        error f = {0};
        CHECK(mkfifo(path, 0600) == 0, "no pipe");
        int fd = open(path, O_RDONLY | O_NONBLOCK);
        alarm(10); /* opening the pipe for writing, without a reader, would wait for ever */
        CHECK(out_try(path, &f) == 0, "%s", f.text);
        CHECK(read(fd, &byte, 1) == 0, "it was written");
        close(fd);
        CHECK(out_try(path, &f) == 0, "%s", f.text);
        alarm(0);
        CHECK(out_try(file, &f) == 0 && entries() == 1, "%d entries", entries());
        CHECK(out_try(none, &f) == ERR_SYSTEM && out_try(folder, NULL) == ERR_SYSTEM, "%s", f.text);
        free(path);
        free(file);
        free(none);
        clear();
    }
}

/* What a child does; returns its wait status, and what it said on standard error. */
static int in_child(void (*work)(int), int argument, char said[500])
{
    int ends[2];
    memset(said, 0, 500);
    if (pipe(ends))
        return -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        signal(SIGHUP, SIG_DFL); /* nohup and background jobs ignore these, and programs leave it so */
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        signals_begin("prog");
        work(argument);
        _exit(99);
    }
    close(ends[1]);
    for (size_t n = 0; n < 499;) {
        ssize_t got = read(ends[0], said + n, 499 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(ends[0]);
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static void write_and_raise(int number)
{
    out_file out[100];
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        char *path = in_folder(name);
        if (out_open(&out[i], path, NULL))
            _exit(98);
        free(path);
    }
    out_discard(&out[50]);
    raise(number);
}

static void write_too_much(int limit)
{
    struct rlimit size = {(rlim_t)limit, (rlim_t)limit};
    setrlimit(RLIMIT_FSIZE, &size);
    error e = {0};
    char *path = in_folder("f"), bytes[10000] = "";
    int code = file_write(path, bytes, sizeof bytes, &e);
    dprintf(STDERR_FILENO, "%s\n", e.text);
    _exit(code);
}

static void read_shrunk(int inside)
{
    char *path = in_folder("input");
    static const char bytes[100000];
    file_view view;
    if (file_write(path, bytes, sizeof bytes, NULL) || file_open(&view, path, NULL) || !view.watch)
        _exit(98);
    out_file out;
    char *output = in_folder("output");
    if (out_open(&out, output, NULL) || truncate(path, 10))
        _exit(98);
    if (!inside)
        file_close(&view);
    _exit(inside ? ((volatile const char *)view.data)[90000] : 97);
}

static void write_to_nobody(int ignore)
{
    int ends[2];
    out_file out;
    char *path = in_folder("f");
    if (out_open(&out, path, NULL) || pipe(ends))
        _exit(98);
    close(ends[0]);
    if (ignore)
        signal(SIGPIPE, SIG_IGN);
    _exit(write(ends[1], "x", 1) == 1 ? 97 : 96);
}

static void test_signals(void)
{
    char said[500];
    TEST("every signal that ends a program removes all temporary files, however many they are")
    {
        const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU};
        for (size_t i = 0; i < COUNT(numbers); i++) {
            int status = in_child(write_and_raise, numbers[i], said);
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i], "signal %d: status %x", numbers[i], status);
            CHECK(entries() == 0, "signal %d: %d entries", numbers[i], entries());
            clear();
        }
    }
    TEST("a place in the list that held a file to remove never holds the name of an input, nor the other way round")
    {
        error e = {0};
        struct signals_watch *file = signals_watch("output.tmp", NULL, 0, &e), *again;
        signals_release(file);
        struct signals_watch *input = signals_watch("input", "bytes", 5, &e);
        CHECK(file && input && input != file, "%s", e.text);
        signals_release(input);
        again = signals_watch("another.tmp", NULL, 0, &e);
        CHECK(again == file, "a released place is not used again");
        signals_release(again);
    }
    TEST("a file beyond the limit of sizes is one line and ERR_SYSTEM")
    {
        int status = in_child(write_too_much, 4096, said);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == ERR_SYSTEM, "status %x", status);
        CHECK(strstr(said, "/f: cannot write: File too large"), "%s", said);
        CHECK(entries() == 0, "%d entries", entries());
    }
    TEST("a mapped input that becomes shorter is named, and its reader leaves no temporary file")
    {
        int status = in_child(read_shrunk, 1, said);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == ERR_SYSTEM, "status %x", status);
        CHECK(strncmp(said, "prog: /tmp/", 11) == 0 && strstr(said, "/input: became shorter while it was read"), "%s",
              said);
        CHECK(entries() == 1, "%d entries", entries());
        status = in_child(read_shrunk, 0, said);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 97 && !*said, "status %x, %s", status, said);
        clear();
    }
    TEST("a broken pipe ends a program, or is an error of the write where that was asked for")
    {
        int status = in_child(write_to_nobody, 0, said);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE && entries() == 0, "status %x", status);
        status = in_child(write_to_nobody, 1, said);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 96, "status %x", status);
        clear();
    }
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    test_links_and_modes();
    test_names();
    test_signals();
    clear();
    rmdir(folder);
    return test_end();
}
