/* After everything has been read and checked (train_setup.h): the training itself, or what was asked for instead,
 * looking for a rate, printing the network or printing the recipe. At the end of the file the program is put together
 * for one of the three tasks. */
#include "front/train_main.h"

#include "base/file.h"
#include "base/signals.h"
#include "base/threads.h"
#include "front/train_report.h"
#include "nn/history.h"
#include "nn/summary.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---------------------------------------------------------------- the two kinds of run */

static int push_noise(train_setup *s, error *e)
{
    int code = summary_noise(s->device, &s->graph, s->recipe.seed, s->params, e);
    if (!code)
        program_note(s->program, "--summary-noise: three pictures of noise have moved the running statistics "
                                 "of all batch norms by a tenth");
    return code;
}

static int train(train_setup *s, error *e)
{
    train_report report;
    trainer t = train_setup_trainer(s);
    int code = train_report_start(&report, s, &t.report, e);
    double start = progress_seconds();
    if (!code && signals_deferred())
        code = train_report_stop(&report, e);
    if (!code)
        code = trainer_run(&t, e);
    train_report_free(&report);
    if (code)
        return code;
    if (unlink(s->files.state) != 0 && errno != ENOENT)
        program_note(s->program, "%s is left over: it cannot be removed", s->files.state);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    char took[24];
    progress_duration(took, progress_seconds() - start);
    program_note(s->program, "done in %s, %.2f GiB of memory at most", took, (double)use.ru_maxrss / (1 << 20));
    return 0;
}

static int record_rate(void *context, int batch, double lr, double loss, double smoothed, error *e)
{
    (void)e;
    lr_find_row(batch, lr, loss, smoothed, context);
    return 0;
}

/* One rate for all groups, or three. */
static int start_rates(const char *text, double lr[GROUPS], error *e)
{
    text_field fields[GROUPS];
    size_t count = text_split(text, strlen(text), ',', fields, GROUPS);
    bool good = count == 1 || count == GROUPS;
    for (size_t g = 0; g < GROUPS && good; g++) {
        text_field f = fields[count == 1 ? 0 : g];
        good = text_double(f.text, f.size, &lr[g]) && lr[g] > 0;
    }
    return good ? 0 : fail(e, ERR_USAGE, "--lr-start needs one rate or three above 0, such as 1e-5, not '%s'", text);
}

/* After a whole epoch: the row of any epoch, with whatever the last rate made of the network. */
static int print_row(const train_setup *s, const trainer_lr_found *found, error *e)
{
    text_buffer table = {0};
    history_table_header(s->task, &table);
    text_add(&table, "\n");
    history_table_row(s->task, 0, found->smoothed, found->val, &table);
    int code = text_done(&table, e);
    if (!code)
        puts(table.data);
    text_free(&table);
    return code;
}

static int find_rate(train_setup *s, error *e)
{
    const train_options *o = s->o;
    text_buffer rows = {0};
    trainer_lr_find find = {.end = o->lr_end, .record = record_rate, .context = &rows};
    trainer_lr_found found;
    int code = start_rates(o->lr_start ? o->lr_start : "1e-5", find.start, e);
    if (!code)
        code = train_setup_phase(s, "phase", o->phase, &find.phase, e);
    if (code)
        return code;
    text_add(&rows, LR_FIND_COLUMNS);
    trainer t = train_setup_trainer(s);
    code = trainer_find_lr(&t, &find, &found, e);
    if (!code)
        code = text_done(&rows, e);
    if (!code)
        code = file_write(o->lr_find, rows.data, rows.size, e);
    text_free(&rows);
    if (code)
        return code;
    program_note(s->program, "%s %d/%d, loss=%.3g",
                 found.stopped ? "stopped at" : "ran the whole epoch:", found.recorded, found.batches, found.smoothed);
    return found.stopped || strcmp(o->lr_find, "-") == 0 ? 0 : print_row(s, &found, e);
}

/* ---------------------------------------------------------------- the network's modules */

/* What a checkpoint says about the network: its classes and, without a recipe, its form. */
static int form_from_checkpoint(train_setup *s, int *classes, error *e)
{
    const char *path = s->o->init;
    checkpoint c;
    int code = checkpoint_open(&c, path, e);
    if (code)
        return code;
    code = checkpoint_expect(&c, path, s->task, NULL, 0, e);
    if (!code && !*classes)
        *classes = c.info.class_count;
    if (!code && !s->o->recipe && !s->o->arch)
        s->recipe.arch = c.info.arch;
    if (!code && !s->o->recipe && !s->o->size)
        s->recipe.size = c.info.size;
    checkpoint_close(&c);
    return code;
}

static int print_summary(train_setup *s, error *e)
{
    const train_options *o = s->o;
    int classes = (int)o->classes, phase = 0, modules = 0;
    text_buffer table = {0};
    int code = train_setup_recipe(s, e);
    if (!code)
        code = train_setup_phase(s, "phase", o->phase, &phase, e);
    if (!code && (s->task == TASK_OBJECTS ? o->anno : o->lrg) && !classes) {
        code = s->task == TASK_OBJECTS ? labels_read_objects(&s->labels, o->anno, NULL, e)
                                       : labels_read(&s->labels, o->lrg, NULL, NULL, e);
        classes = (int)s->labels.class_count;
    }
    if (!code && o->init)
        code = form_from_checkpoint(s, &classes, e);
    if (!code && !classes && s->task != TASK_BBOX)
        code = fail(e, ERR_USAGE, "--summary needs a number of classes: --%s FILE, --classes N or --init CKPT",
                    s->task == TASK_OBJECTS ? "anno" : "lrg");
    if (!code)
        code =
            network_build(&s->graph, s->task, s->recipe.arch, s->recipe.size, classes, imagenet_mean, imagenet_std, e);
    const int from = s->recipe.phases[phase].from;
    if (!code) {
        summary_table(&s->graph, s->task, from, &table, &modules);
        code = text_done(&table, e);
    }
    if (!code) {
        fputs(table.data, stdout);
        program_note(s->program, "%s, %d modules, %zu parameters, %zu of them trainable (from %s on)",
                     arch_name(s->recipe.arch), modules, graph_learnable(&s->graph, GROUP_STEM, GROUP_HEAD),
                     graph_learnable(&s->graph, from, GROUP_HEAD), group_name(from));
    }
    text_free(&table);
    return code;
}

/* A batch that is large for so few pictures leaves an epoch one step or two. */
static void remark_few_batches(const train_setup *s)
{
    enum { FEW = 3, ENOUGH = 6, SMALLEST = 4 };
    const size_t pictures = s->data.train.count, batches = trainer_batches(pictures, s->recipe.batch);
    int smaller = s->recipe.batch;
    while (smaller > SMALLEST && trainer_batches(pictures, smaller) < ENOUGH)
        smaller /= 2;
    if (batches < FEW && smaller < s->recipe.batch)
        program_note(s->program, "an epoch has only %zu batch%s of %d; --set batch=%d takes more steps", batches,
                     batches == 1 ? "" : "es", s->recipe.batch, smaller);
}

static int do_run(train_setup *s, error *e)
{
    int code = train_options_check(s->o, s->task, e);
    if (!code && s->o->summary && !s->o->help_recipe)
        return print_summary(s, e);
    if (!code && (s->o->help_recipe || s->o->print_recipe)) {
        code = s->o->help_recipe ? recipe_reference(&s->recipe_text, e) : train_setup_recipe(s, e);
        if (!code)
            fputs(s->recipe_text.data, stdout);
        return code;
    }
    if (!code && !s->o->lr_find)
        signals_defer();
    if (!code)
        code = train_setup_open(s, e);
    if (code)
        return code;
    program_note(s->program, "%s on %s", arch_name(s->recipe.arch), device_describe(s->device));
    if (*device_remark(s->device))
        program_note(s->program, "%s", device_remark(s->device));
    program_note(s->program, "%zu pictures train (sha256 %.12s), %zu validate (sha256 %.12s)%s", s->data.train.count,
                 s->labels.train_sha256, s->data.val.count, s->labels.val_sha256,
                 s->data.train.count % (size_t)s->recipe.batch == 1 ? "; one is left over in each epoch" : "");
    remark_few_batches(s);
    code = s->o->lr_find ? 0 : train_setup_resume(s, e);
    if (!code && s->o->summary_noise && !s->resumed)
        code = push_noise(s, e);
    if (code)
        return code;
    return s->o->lr_find ? find_rate(s, e) : train(s, e);
}

static task checked_task; /* program.check knows nothing but the path */

static int check_checkpoint(const char *path, error *e)
{
    checkpoint c;
    int code = checkpoint_open(&c, path, e);
    if (code)
        return code;
    code = checkpoint_expect(&c, path, checked_task, NULL, 0, e);
    if (!code && !c.sealed)
        snprintf(e->text, sizeof e->text,
                 "%s: has no checksum (an earlier version wrote it): damage would go unnoticed", path);
    checkpoint_close(&c);
    return code;
}

int train_main(const train_program *p, int argc, char **argv)
{
    train_options o = {.device = "auto", .conv = "auto", .lr_end = 10, .state_every = 60};
    option table[TRAIN_OPTIONS_MAX];
    train_options_table(&o, p->task, table);
    static void (*const libraries[])(char *, size_t) = {device_versions, NULL};
    checked_task = p->task;
    const program program_of = {.name = p->name,
                                .summary = p->summary,
                                .usage = p->usage,
                                .details = p->details,
                                .examples = p->examples,
                                .options = table,
                                .check = check_checkpoint,
                                .libraries = libraries};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&program_of, argc, argv, &args, &code))
        return code;
    train_setup s = {.program = &program_of, .task = p->task, .o = &o, .threads = threads_count((int)o.threads)};
    do_run(&s, &e);
    train_setup_free(&s);
    code = program_end(&program_of, &e);
    if (code)
        signals_deliver();
    return code;
}
