/* What is in a folder is told by names alone: nothing is opened here but the logs, which scripts/stage writes around
 * each program that make runs ("command: …", what the program said, "seconds: …", "exit: …").
 */
#include "report/found.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int list_add(found_list *l, const char *prefix, const char *name, error *e)
{
    text_buffer text = {0};
    text_add(&text, "%s%s", prefix, name);
    int code = text_done(&text, e);
    if (!code)
        code = mem_grow(&l->names, &l->capacity, l->count + 1, sizeof *l->names, "file names", e);
    if (!code)
        l->names[l->count++] = text.data;
    else
        text_free(&text);
    return code;
}

static void list_free(found_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
    *l = (found_list){0};
}

static int compare_found(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The plain files of `folder` ("" or with a '/' at the end) in `directory` whose names end in `ending`, neither
 * hidden nor temporary ones. */
static int list_files(found_list *l, const char *directory, const char *folder, const char *ending, error *e)
{
    char *path = *folder ? path_join(directory, folder, e) : text_copy(directory, strlen(directory), e);
    if (!path)
        return ERR_SYSTEM;
    DIR *d = opendir(*path ? path : ".");
    int code = d || (errno == ENOENT && *folder) ? 0
               : errno == ENOENT                 ? fail(e, ERR_INPUT, "%s: there is no such folder", path)
                                                 : fail_open(e, path);
    for (struct dirent *entry; d && !code && (entry = readdir(d));) {
        struct stat s;
        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".tmp.") || !text_ends_with(entry->d_name, ending))
            continue;
        if (fstatat(dirfd(d), entry->d_name, &s, 0) == 0 && S_ISREG(s.st_mode))
            code = list_add(l, folder, entry->d_name, e);
    }
    if (d)
        closedir(d);
    free(path);
    if (l->count)
        qsort(l->names, l->count, sizeof *l->names, compare_found);
    return code;
}

bool found_has(const found *f, const char *name, const char *ending)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < f->files.count; i++)
        if (strncmp(f->files.names[i], name, n) == 0 && strcmp(f->files.names[i] + n, ending) == 0)
            return true;
    return false;
}

static bool has_model(const found *f, const char *name)
{
    return found_has(f, name, ".ckpt") || found_has(f, name, ".history.tsv");
}

/* "detn.0" beside detn.ckpt or detn.history.tsv. */
static bool is_phase(const found *f, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || !dot[1] || strspn(dot + 1, "0123456789") != strlen(dot + 1))
        return false;
    char training[256];
    snprintf(training, sizeof training, "%.*s", (int)(dot - name), name);
    return has_model(f, training);
}

static const char *const tasks[][2] = {
    {"cls", "Classifier"}, {"bbox", "Box regressor"}, {"detn", "Detector"}, {"objects", "Detector of all objects"}};

const char *found_title(const char *name)
{
    for (size_t i = 0; i < COUNT(tasks); i++)
        if (strcmp(name, tasks[i][0]) == 0)
            return tasks[i][1];
    return name;
}

static void find_models(found *f, error *e)
{
    for (size_t i = 0; i < COUNT(tasks) && !e->code; i++)
        if (has_model(f, tasks[i][0]))
            list_add(&f->models, "", tasks[i][0], e);
    for (size_t i = 0; i < f->files.count && !e->code; i++) {
        char name[256];
        const char *file = f->files.names[i];
        bool ckpt = text_ends_with(file, ".ckpt");
        if (!ckpt && !text_ends_with(file, ".history.tsv"))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(ckpt ? ".ckpt" : ".history.tsv")), file);
        bool known = found_title(name) != name;
        if (!known && !(ckpt && is_phase(f, name)) && (ckpt || !found_has(f, name, ".ckpt")))
            list_add(&f->models, "", name, e);
    }
}

int found_in(found *f, const char *directory, error *e)
{
    *f = (found){0};
    if (!list_files(&f->files, directory, "", "", e) && !list_files(&f->lr, directory, "lr/", ".png", e) &&
        !list_files(&f->pictures, directory, "pictures/", ".png", e) &&
        !list_files(&f->logs, directory, "log/", ".log", e))
        find_models(f, e);
    return e->code;
}

void found_free(found *f)
{
    list_free(&f->files);
    list_free(&f->models);
    list_free(&f->lr);
    list_free(&f->pictures);
    list_free(&f->logs);
}

/* ---------------------------------------------------------------- logs */

static bool log_value(const char *line, size_t size, const char *key, char *out, size_t room)
{
    size_t n = strlen(key);
    if (size < n || memcmp(line, key, n) != 0)
        return false;
    snprintf(out, room, "%.*s", (int)(size - n), line + n);
    return true;
}

int found_read_step(found_step *s, const char *path, error *e)
{
    static const char done[] = ": done in ", memory[] = " of memory at most";
    file_view file;
    const char *line;
    size_t size;
    *s = (found_step){0};
    int code = file_open(&file, path, e);
    if (code)
        return code;
    for (text_lines lines = text_lines_of(file.data, file.size); text_line(&lines, &line, &size);) {
        if (!*s->command && log_value(line, size, "command: ", s->command, sizeof s->command))
            continue;
        if (log_value(line, size, "seconds: ", s->seconds, sizeof s->seconds) ||
            log_value(line, size, "exit: ", s->exit, sizeof s->exit))
            continue;
        /* "train-cls: done in 6:35, 3.69 GiB of memory at most" */
        const char *at = memmem(line, size, done, sizeof done - 1);
        const char *end = memmem(line, size, memory, sizeof memory - 1);
        const char *comma = at && end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        if (comma)
            snprintf(s->memory, sizeof s->memory, "%.*s", (int)(end - comma - 2), comma + 2);
    }
    file_close(&file);
    return 0;
}
