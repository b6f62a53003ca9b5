#include "front/train_files.h"

#include "base/file.h"
#include "base/text.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- names */

/* `output` with ".ckpt" replaced by `ending`. The caller frees it; NULL with e set when memory is refused. */
static char *sibling(const char *output, const char *ending, error *e)
{
    size_t stem = strlen(output);
    if (stem > 5 && strcmp(output + stem - 5, ".ckpt") == 0 && output[stem - 6] != '/')
        stem -= 5;
    text_buffer b = {0};
    if (text_append(&b, e, "%.*s%s", (int)stem, output, ending))
        text_free(&b);
    return b.data;
}

int train_files_name(train_files *f, const train_options *o, const recipe *r, error *e)
{
    *f = (train_files){.phases = r->phase_count};
    bool ok = true;
    for (int i = 0; i < f->phases && ok; i++) {
        char ending[32];
        snprintf(ending, sizeof ending, ".%d.ckpt", i);
        f->checkpoints[i] =
            i + 1 == f->phases ? text_copy(o->output, strlen(o->output), e) : sibling(o->output, ending, e);
        ok = f->checkpoints[i];
    }
    f->history =
        o->history ? text_copy(o->history, strlen(o->history), e) : sibling(o->output, ".history.tsv", e);
    f->batches =
        o->batches ? text_copy(o->batches, strlen(o->batches), e) : sibling(o->output, ".batches.tsv", e);
    f->state = sibling(o->output, ".state", e);
    return ok && f->history && f->batches && f->state ? 0 : ERR_SYSTEM;
}

void train_files_free(train_files *f)
{
    for (int i = 0; i < f->phases; i++)
        free(f->checkpoints[i]);
    free(f->history);
    free(f->batches);
    free(f->state);
    *f = (train_files){0};
}

/* ---------------------------------------------------------------- checks */

/* Do two names lead to the same file, or would they, were it there? What is no plain file (/dev/null) may be
 * named twice. */
static bool same_place(const char *a, const char *b)
{
    struct stat sa, sb;
    bool has_a = stat(a, &sa) == 0, has_b = stat(b, &sb) == 0;
    if (has_a != has_b)
        return false;
    if (has_a)
        return S_ISREG(sa.st_mode) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
    char folder_a[PATH_MAX], folder_b[PATH_MAX], name_a[PATH_MAX], name_b[PATH_MAX];
    snprintf(folder_a, sizeof folder_a, "%s", a);
    snprintf(folder_b, sizeof folder_b, "%s", b);
    snprintf(name_a, sizeof name_a, "%s", a);
    snprintf(name_b, sizeof name_b, "%s", b);
    return stat(dirname(folder_a), &sa) == 0 && stat(dirname(folder_b), &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino && strcmp(basename(name_a), basename(name_b)) == 0;
}

typedef struct named_file {
    const char *what, *path;
} named_file;

enum { TABLES = 3 };

int train_files_check(const train_files *f, const train_options *o, error *e)
{
    const named_file inputs[] = {{"--cache", o->cache},  {"--lrg", o->lrg},         {"--bb", o->bb},
                                 {"--val", o->val},      {"--weights", o->weights}, {"--init", o->init},
                                 {"--recipe", o->recipe}};
    named_file outputs[RECIPE_PHASES + TABLES];
    int count = 0;
    for (; count < f->phases; count++)
        outputs[count] = (named_file){"the checkpoint of a phase", f->checkpoints[count]};
    outputs[count++] = (named_file){"the history", f->history};
    outputs[count++] = (named_file){"the table of batches", f->batches};
    outputs[count++] = (named_file){"the state", f->state};
    for (int i = 0; i < count; i++) {
        const named_file *out = &outputs[i];
        for (size_t k = 0; k < COUNT(inputs); k++)
            if (inputs[k].path && same_place(inputs[k].path, out->path))
                return fail(e, ERR_USAGE, "%s: %s reads it and %s would replace it; give another --output",
                            inputs[k].path, inputs[k].what, out->what);
        for (int k = 0; k < i; k++)
            if (same_place(outputs[k].path, out->path))
                return fail(e, ERR_USAGE, "%s: %s and %s would be one file; give them different names",
                            out->path, outputs[k].what, out->what);
    }
    return 0;
}

int train_file_try(const char *path, error *e)
{
    struct stat st;
    if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    out_file out;
    int code = out_open(&out, path, e);
    if (!code)
        out_discard(&out);
    return code;
}

int train_files_try(const train_files *f, error *e)
{
    const char *const paths[] = {f->checkpoints[f->phases - 1], f->history, f->batches, f->state};
    int code = 0;
    for (size_t i = 0; i < COUNT(paths) && !code; i++)
        code = train_file_try(paths[i], e);
    return code;
}
