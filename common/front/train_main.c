#include "front/train_main.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/threads.h"
#include "nn/dataset.h"
#include "front/device_choice.h"
#include "nn/history.h"
#include "nn/summary.h"
#include "front/train_options.h"
#include "front/train_report.h"
#include "nn/initial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---------------------------------------------------------------- what a run holds */

typedef struct run {
    const program *program;
    task task;
    train_options *o;
    int threads;
    recipe recipe;
    text_buffer recipe_text;
    labels labels;
    cache *cache;
    dataset data;
    graph graph;
    float *params;
    char parent[65]; /* SHA-256 of the file the weights came from */
    char seed[24];
    uint64_t draws; /* seed of shuffling, augmentation and dropout */
    char draws_text[24], labels_sha256[65];
    char *history_path, *batches_path, *state_path;
    device *device;
    train_state state;     /* its facts */
    train_state_file past; /* what is taken up again */
    bool resumed;
} run;

static void run_free(run *r)
{
    device_close(r->device);
    dataset_free(&r->data);
    cache_close(r->cache);
    labels_free(&r->labels);
    graph_free(&r->graph);
    text_free(&r->recipe_text);
    free(r->params);
    free(r->history_path);
    free(r->batches_path);
    free(r->state_path);
    if (r->resumed)
        train_state_close(&r->past);
}

/* ---------------------------------------------------------------- the recipe */

static int set_word(recipe *r, const char *key, const char *value, error *e)
{
    char text[128];
    if (!value)
        return 0;
    snprintf(text, sizeof text, "%s=%s", key, value);
    return recipe_set(r, text, e);
}

/* Without a recipe (a summary needs none): its defaults, and a phase that trains the head. */
static int read_recipe(run *r, error *e)
{
    static const char *const defaults = "phase head from head lr 1e-3 cosine cycles 1 len 1";
    const train_options *o = r->o;
    int code = o->recipe ? recipe_load(&r->recipe, o->recipe, e)
                         : recipe_parse(&r->recipe, "no recipe", defaults, strlen(defaults), e);
    for (size_t i = 0; i < o->set.count && !code; i++)
        code = recipe_set(&r->recipe, o->set.items[i], e);
    if (!code)
        code = set_word(&r->recipe, "arch", o->arch, e);
    if (!code)
        code = set_word(&r->recipe, "size", o->size, e);
    if (!code)
        code = set_word(&r->recipe, "seed", o->seed, e);
    if (!code)
        code = set_word(&r->recipe, "precision", o->precision, e);
    if (code)
        return code;
    for (int i = 0; i < r->recipe.phase_count && o->epochs; i++) {
        schedule *s = &r->recipe.phases[i].schedule;
        s->cycles = 1;
        s->length = (int)o->epochs;
    }
    snprintf(r->seed, sizeof r->seed, "%llu", (unsigned long long)r->recipe.seed);
    return recipe_text(&r->recipe, &r->recipe_text, e);
}

/* Number of the phase that an option names; the first when it isn't given. */
static int find_phase(const run *r, const char *what, const char *name, int *number, error *e)
{
    int found = name ? recipe_find_phase(&r->recipe, name) : 0;
    *number = found < 0 ? 0 : found;
    return found < 0 ? fail(e, ERR_USAGE, "--%s: %s has no phase '%s'", what,
                            r->o->recipe ? r->o->recipe : "the default recipe", name)
                     : 0;
}

/* ---------------------------------------------------------------- weights */

static bool same_classes(const checkpoint *c, const labels *l)
{
    if ((size_t)c->info.class_count != l->class_count)
        return false;
    for (size_t i = 0; i < l->class_count; i++)
        if (strcmp(c->info.classes[i], l->classes[i]) != 0)
            return false;
    return true;
}

static int init_from_checkpoint(run *r, error *e)
{
    const char *path = r->o->init;
    checkpoint c;
    int code = checkpoint_open(&c, path, e);
    if (code)
        return code;
    if (c.info.arch != r->recipe.arch)
        code = fail(e, ERR_INPUT, "%s: is a %s, the recipe wants a %s; --arch %s takes it", path,
                    arch_name(c.info.arch), arch_name(r->recipe.arch), arch_name(c.info.arch));
    else if (c.info.task == r->task && c.info.size == r->recipe.size && same_classes(&c, &r->labels) &&
             c.graph.param_floats == r->graph.param_floats) {
        memcpy(r->params, c.params, r->graph.param_floats * sizeof *r->params);
        code = sha256_file(path, r->parent, e);
        if (!code)
            program_note(r->program, "starting from %s, backbone and head", path);
    } else {
        code = backbone_load(&r->graph, r->recipe.arch, path, r->params, r->parent, e);
        if (!code)
            program_note(r->program, "starting from the backbone of %s, with a new head", path);
    }
    checkpoint_close(&c);
    return code;
}

static int make_network(run *r, error *e)
{
    int code = network_build(&r->graph, r->task, r->recipe.arch, r->recipe.size, (int)r->labels.class_count,
                             imagenet_mean, imagenet_std, e);
    if (code)
        return code;
    r->params = weights_alloc(&r->graph, e);
    if (!r->params)
        return e->code;
    weights_init_head(&r->graph, r->task, r->recipe.seed, r->params);
    if (r->o->init)
        return init_from_checkpoint(r, e);
    if (strcmp(r->o->weights, "none") != 0)
        return backbone_load(&r->graph, r->recipe.arch, r->o->weights, r->params, r->parent, e);
    weights_init_backbone(&r->graph, r->recipe.seed, r->params);
    return 0;
}

/* The seed of all draws but the first weights. With --init the checkpoint's digest is mixed in: the same seed
 * as that of the training before would repeat its pictures and dropout masks, which the head remembers. */
static uint64_t random_seed(const run *r)
{
    uint64_t seed = r->recipe.seed;
    if (r->o->init)
        for (int i = 0; i < 16; i++) {
            unsigned digit = (unsigned)(r->parent[i] <= '9' ? r->parent[i] - '0' : r->parent[i] - 'a' + 10);
            seed ^= (uint64_t)digit << 4 * i;
        }
    return seed;
}

/* ---------------------------------------------------------------- checks before step 0 */

static int read_inputs(run *r, error *e)
{
    const train_options *o = r->o;
    int code = read_recipe(r, e);
    if (!code)
        code = labels_read(&r->labels, o->lrg, o->bb, o->val, e);
    if (code)
        return code;
    if (trainer_batches(r->labels.train_count, r->recipe.batch) == 0)
        return fail(e, ERR_INPUT, "%zu training pictures are too few: at least two are needed",
                    r->labels.train_count);
    if (r->recipe.batch < 2)
        return fail(e, ERR_INPUT, "%s: a batch of %d cannot train, batch norm needs two pictures", o->recipe,
                    r->recipe.batch);
    r->cache = cache_open(o->cache, e);
    if (!r->cache)
        return e->code;
    code = make_network(r, e);
    if (code)
        return code;
    r->draws = random_seed(r);
    return dataset_open(&r->data, r->cache, o->cache, &r->labels, r->recipe.size, &r->recipe.augments,
                        r->draws, loader_workers(r->threads), e);
}

/* Finds out now, not after half an hour, that a file can't be written. */
static int try_output(const char *path, error *e)
{
    out_file out;
    int code = out_open(&out, path, e);
    if (!code)
        out_discard(&out);
    return code;
}

static int choose_outputs(run *r, error *e)
{
    const train_options *o = r->o;
    if (o->lr_find)
        return strcmp(o->lr_find, "-") == 0 ? 0 : try_output(o->lr_find, e);
    r->history_path = o->history ? text_copy(o->history, strlen(o->history), e)
                                 : train_sibling(o->output, ".history.tsv", e);
    r->batches_path = o->batches ? text_copy(o->batches, strlen(o->batches), e)
                                 : train_sibling(o->output, ".batches.tsv", e);
    r->state_path = train_sibling(o->output, ".state", e);
    if (!r->history_path || !r->batches_path || !r->state_path)
        return e->code;
    const char *const paths[] = {o->output, r->history_path, r->batches_path, r->state_path};
    int code = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !code; i++)
        code = try_output(paths[i], e);
    return code;
}

static int open_device(run *r, error *e)
{
    device_options d = {.threads = r->threads, .conv = conv_of(r->o->conv), .precision = r->recipe.precision};
    r->device = device_open(r->o->device, &d, e);
    return r->device ? 0 : e->code;
}

/* ---------------------------------------------------------------- going on with an interrupted training */

/* What the end of a training depends on, beside the device. */
static int state_facts(run *r, error *e)
{
    static const char *const options[2][2] = {{"none", "--summary-noise"},
                                              {"--bn-freeze", "--bn-freeze --summary-noise"}};
    snprintf(r->draws_text, sizeof r->draws_text, "%llu", (unsigned long long)r->draws);
    const train_fact facts[] = {{"task", task_name(r->task)},
                                {"recipe", r->recipe_text.data},
                                {"weights", r->parent},
                                {"seed", r->draws_text},
                                {"labels", r->labels_sha256},
                                {"pictures", cache_digest(r->cache)},
                                {"options", options[r->o->bn_freeze][r->o->summary_noise]}};
    r->state = (train_state){.fact_count = sizeof facts / sizeof *facts};
    memcpy(r->state.facts, facts, sizeof facts);
    return labels_rows_digest(&r->labels, r->labels_sha256, e);
}

/* Of a training. With --resume and a state: parameters, moments and place are those of the state from here
 * on. */
static int take_up(run *r, error *e)
{
    int code = state_facts(r, e);
    const bool there = access(r->state_path, F_OK) == 0;
    if (!code && there && !r->o->resume)
        program_note(r->program, "%s of an interrupted training is here: --resume would go on with it",
                     r->state_path);
    if (code || !r->o->resume)
        return code;
    if (!there) {
        program_note(r->program, "there is no %s to go on with: starting anew", r->state_path);
        return 0;
    }
    code = train_state_open(&r->past, r->state_path, &r->state, &r->graph, &r->recipe, r->params, e);
    if (code)
        return code;
    r->resumed = true;
    program_note(r->program, "going on from %s: phase %s, epoch %d", r->state_path,
                 r->recipe.phases[r->state.point.phase].name, r->state.point.epoch);
    if (strcmp(r->state.device, device_describe(r->device)) != 0)
        program_note(r->program, "it was written on %s: the last digits may come out differently",
                     r->state.device);
    return 0;
}

/* ---------------------------------------------------------------- the two kinds of run */

static trainer trainer_of(run *r)
{
    return (trainer){.device = r->device,
                     .graph = &r->graph,
                     .params = r->params,
                     .from = r->resumed ? &r->state.point : NULL,
                     .task = r->task,
                     .classes = (int)r->labels.class_count,
                     .recipe = &r->recipe,
                     .seed = r->draws,
                     .train = {dataset_make, &r->data.train, r->data.train.count},
                     .val = {dataset_make, &r->data.val, r->data.val.count},
                     .threads = r->threads,
                     .freeze_bn = r->o->bn_freeze};
}

/* Phases behind the one of --until are not run; the recipe's text keeps them. */
static int cut_phases(run *r, error *e)
{
    int last;
    if (!r->o->until)
        return 0;
    int code = find_phase(r, "until", r->o->until, &last, e);
    if (!code)
        r->recipe.phase_count = last + 1;
    return code;
}

static int push_noise(run *r, error *e)
{
    int code = summary_noise(r->device, &r->graph, r->recipe.seed, r->params, e);
    if (!code)
        program_note(r->program, "--summary-noise: three pictures of noise have moved the running statistics "
                                 "of all batch norms by a tenth");
    return code;
}

static int train(run *r, error *e)
{
    train_report report = {.program = r->program,
                           .recipe = &r->recipe,
                           .graph = &r->graph,
                           .info = {.task = r->task,
                                    .arch = r->recipe.arch,
                                    .size = r->recipe.size,
                                    .class_count = (int)r->labels.class_count,
                                    .classes = r->labels.classes,
                                    .recipe = r->recipe_text.data,
                                    .parent = r->parent,
                                    .version = ONEBOX_VERSION,
                                    .conv = device_describe(r->device),
                                    .seed = r->seed},
                           .output = r->o->output,
                           .history_path = r->history_path,
                           .batches_path = r->batches_path,
                           .state_path = r->state_path,
                           .state = r->state,
                           .state_every = r->o->state_every};
    report.state.device = report.info.conv;
    memcpy(report.info.mean, imagenet_mean, sizeof report.info.mean);
    memcpy(report.info.std, imagenet_std, sizeof report.info.std);
    int code = text_append(&report.history, e, "%s", r->resumed ? r->state.history : "");
    if (!code)
        code = text_append(&report.batches, e, "%s", r->resumed ? r->state.batches : "");
    trainer t = trainer_of(r);
    train_report_start(&report, &t.report);
    double start = progress_seconds();
    if (!code)
        code = trainer_run(&t, e);
    train_report_free(&report);
    if (code)
        return code;
    if (unlink(r->state_path) != 0 && errno != ENOENT)
        program_note(r->program, "%s is left over: it cannot be removed", r->state_path);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    char took[24];
    progress_duration(took, progress_seconds() - start);
    program_note(r->program, "done in %s, %.2f GiB of memory at most", took,
                 (double)use.ru_maxrss / (1 << 20));
    return 0;
}

static int record_rate(void *context, int batch, double lr, double loss, double smoothed, error *e)
{
    return lr_find_row(batch, lr, loss, smoothed, context, e);
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
    return good ? 0
                : fail(e, ERR_USAGE, "--lr-start needs one rate or three above 0, such as 1e-5, not '%s'",
                       text);
}

/* After a whole epoch: the row of any epoch, with whatever the last rate made of the network. */
static int print_row(const run *r, const trainer_lr_found *found, error *e)
{
    text_buffer table = {0};
    int code = history_table_header(r->task, &table, e);
    if (!code)
        code = text_append(&table, e, "\n");
    if (!code)
        code = history_table_row(r->task, 0, found->smoothed, found->val, &table, e);
    if (!code)
        puts(table.data);
    text_free(&table);
    return code;
}

static int find_rate(run *r, error *e)
{
    const train_options *o = r->o;
    text_buffer rows = {0};
    trainer_lr_find find = {.end = o->lr_end, .record = record_rate, .context = &rows};
    trainer_lr_found found;
    int code = start_rates(o->lr_start ? o->lr_start : "1e-5", find.start, e);
    if (!code)
        code = find_phase(r, "phase", o->phase, &find.phase, e);
    if (code)
        return code;
    trainer t = trainer_of(r);
    code = trainer_find_lr(&t, &find, &found, e);
    out_file out = {0};
    if (!code)
        code = out_open(&out, o->lr_find, e);
    if (!code) {
        fputs(LR_FIND_COLUMNS, out.stream);
        if (rows.size)
            fwrite(rows.data, 1, rows.size, out.stream);
        code = out_commit(&out, e);
    }
    text_free(&rows);
    if (code)
        return code;
    if (found.stopped)
        program_note(r->program, "stopped at %d/%d, loss=%.3g", found.recorded, found.batches,
                     found.smoothed);
    else
        program_note(r->program, "ran the whole epoch: %d/%d, loss=%.3g", found.recorded, found.batches,
                     found.smoothed);
    return found.stopped || strcmp(o->lr_find, "-") == 0 ? 0 : print_row(r, &found, e);
}

/* ---------------------------------------------------------------- the network's modules */

/* What a checkpoint says about the network: its classes and, without a recipe, its form. */
static int form_from_checkpoint(run *r, int *classes, error *e)
{
    const char *path = r->o->init;
    checkpoint c;
    int code = checkpoint_open(&c, path, e);
    if (code)
        return code;
    code = checkpoint_expect(&c, path, r->task, NULL, 0, e);
    if (!code && !*classes)
        *classes = c.info.class_count;
    if (!code && !r->o->recipe && !r->o->arch)
        r->recipe.arch = c.info.arch;
    if (!code && !r->o->recipe && !r->o->size)
        r->recipe.size = c.info.size;
    checkpoint_close(&c);
    return code;
}

static int print_summary(run *r, error *e)
{
    const train_options *o = r->o;
    int classes = (int)o->classes, phase = 0, modules = 0;
    text_buffer table = {0};
    int code = read_recipe(r, e);
    if (!code)
        code = find_phase(r, "phase", o->phase, &phase, e);
    if (!code && o->lrg && !classes) {
        code = labels_read(&r->labels, o->lrg, NULL, NULL, e);
        classes = (int)r->labels.class_count;
    }
    if (!code && o->init)
        code = form_from_checkpoint(r, &classes, e);
    if (!code && !classes && r->task != TASK_BBOX)
        code =
            fail(e, ERR_USAGE, "--summary needs a number of classes: --lrg FILE, --classes N or --init CKPT");
    if (!code)
        code = network_build(&r->graph, r->task, r->recipe.arch, r->recipe.size, classes, imagenet_mean,
                             imagenet_std, e);
    const int from = r->recipe.phases[phase].from;
    if (!code)
        code = summary_table(&r->graph, r->task, from, &table, &modules, e);
    if (!code) {
        fputs(table.data, stdout);
        program_note(r->program, "%s, %d modules, %zu parameters, %zu of them trainable (from %s on)",
                     arch_name(r->recipe.arch), modules, graph_learnable(&r->graph, GROUP_STEM, GROUP_HEAD),
                     graph_learnable(&r->graph, from, GROUP_HEAD), group_name(from));
    }
    text_free(&table);
    return code;
}

static int print_recipe(run *r, error *e)
{
    int code = read_recipe(r, e);
    if (!code)
        fputs(r->recipe_text.data, stdout);
    return code;
}

static int do_run(run *r, error *e)
{
    int code = train_options_check(r->o, r->task, e);
    if (!code && r->o->summary)
        return print_summary(r, e);
    if (!code && r->o->print_recipe)
        return print_recipe(r, e);
    if (!code)
        code = read_inputs(r, e);
    if (!code)
        code = cut_phases(r, e);
    if (!code)
        code = choose_outputs(r, e);
    if (!code)
        code = open_device(r, e);
    if (code)
        return code;
    program_note(r->program, "%s on %s", arch_name(r->recipe.arch), device_describe(r->device));
    if (*device_remark(r->device))
        program_note(r->program, "%s", device_remark(r->device));
    program_note(r->program, "%zu pictures train (sha256 %.12s), %zu validate (sha256 %.12s)%s",
                 r->labels.train_count, r->labels.train_sha256, r->labels.val_count, r->labels.val_sha256,
                 r->labels.train_count % (size_t)r->recipe.batch == 1 ? "; one is left over in each epoch"
                                                                      : "");
    code = r->o->lr_find ? 0 : take_up(r, e);
    if (!code && r->o->summary_noise && !r->resumed)
        code = push_noise(r, e);
    if (code)
        return code;
    return r->o->lr_find ? find_rate(r, e) : train(r, e);
}

static int check_task(const char *path, task t, error *e)
{
    checkpoint c;
    int code = checkpoint_open(&c, path, e);
    if (code)
        return code;
    code = checkpoint_expect(&c, path, t, NULL, 0, e);
    checkpoint_close(&c);
    return code;
}

static int check_cls(const char *path, error *e)
{
    return check_task(path, TASK_CLS, e);
}

static int check_bbox(const char *path, error *e)
{
    return check_task(path, TASK_BBOX, e);
}

static int check_detn(const char *path, error *e)
{
    return check_task(path, TASK_DETN, e);
}

int train_main(const train_program *p, int argc, char **argv)
{
    train_options o = {.device = "auto", .conv = "auto", .lr_end = 10, .state_every = 60};
    option table[TRAIN_OPTIONS_MAX];
    train_options_table(&o, p->task, table);
    static void (*const libraries[])(char *, size_t) = {device_versions, NULL};
    int (*const checks[TASKS])(const char *, error *) = {check_cls, check_bbox, check_detn};
    const program program_of = {.name = p->name,
                                .summary = p->summary,
                                .usage = p->usage,
                                .details = p->details,
                                .examples = p->examples,
                                .options = table,
                                .check = checks[p->task],
                                .libraries = libraries};
    operands args;
    error e = {0};
    int code;
    if (program_begin(&program_of, argc, argv, &args, &code))
        return code;
    run r = {.program = &program_of,
             .task = p->task,
             .o = &o,
             .threads = threads_count((int)o.threads)};
    do_run(&r, &e);
    run_free(&r);
    return program_end(&program_of, &e);
}
