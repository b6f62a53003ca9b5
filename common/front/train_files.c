#include "front/train_files.h"

#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- names */

/* `output` with ".ckpt" replaced by `ending`. The caller frees it; NULL with e set when memory is refused. */
static char *sibling(const char *output, const char *ending, error *e)
{
    size_t stem = strlen(output);
    if (stem > 5 && text_ends_with(output, ".ckpt") && output[stem - 6] != '/')
        stem -= 5;
    text_buffer b = {0};
    text_add(&b, "%.*s%s", (int)stem, output, ending);
    if (text_done(&b, e))
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

int train_files_check(const train_files *f, const train_options *o, error *e)
{
    const file_use inputs[] = {{"cache", o->cache, .option = true},     {"lrg", o->lrg, .option = true},
                               {"bb", o->bb, .option = true},           {"val", o->val, .option = true},
                               {"weights", o->weights, .option = true}, {"init", o->init, .option = true},
                               {"recipe", o->recipe, .option = true}};
    file_use files[COUNT(inputs) + RECIPE_PHASES + 3];
    size_t count = 0;
    for (size_t i = 0; i < COUNT(inputs); i++)
        if (inputs[i].path)
            files[count++] = inputs[i];
    for (int i = 0; i < f->phases; i++)
        files[count++] = (file_use){"the checkpoint of a phase", f->checkpoints[i], .written = true};
    files[count++] = (file_use){"the history", f->history, .written = true};
    files[count++] = (file_use){"the table of batches", f->batches, .written = true};
    files[count++] = (file_use){"the state", f->state, .written = true};
    return files_apart(files, count, e);
}

int train_files_try(const train_files *f, error *e)
{
    const char *const paths[] = {f->checkpoints[f->phases - 1], f->history, f->batches, f->state};
    int code = 0;
    for (size_t i = 0; i < COUNT(paths) && !code; i++)
        code = out_try(paths[i], e);
    return code;
}
