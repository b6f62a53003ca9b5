/* In this order: the recipe and what the options change in it; the labels, the cache and the network's first
 * weights, from a weights file, a checkpoint or chance; the names of the outputs; the device; the state of an
 * interrupted training. All of it is checked here, so that a training that starts has nothing left to complain
 * about but its loss and the disk. */
#include "front/train_setup.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "base/threads.h"
#include "device/device.h"
#include "nn/initial.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- the recipe */

/* Settings that would change nothing. */
static int refuse_idle(const train_setup *s, error *e)
{
    if (s->recipe.giou > 0 && s->task != TASK_BBOX && s->task != TASK_DETN)
        return fail(e, ERR_INPUT, "giou changes train-bbox and train-detn only: leave it out, or --set giou=0");
    if (s->recipe.smoothing > 0 && s->task != TASK_CLS && s->task != TASK_DETN)
        return fail(e, ERR_INPUT,
                    "smoothing changes train-cls and train-detn only: leave it out, or --set smoothing=0");
    return 0;
}

int train_setup_recipe(train_setup *s, error *e)
{
    static const char *const defaults = "phase head from head lr 1e-3 cosine cycles 1 len 1";
    const train_options *o = s->o;
    int code = o->recipe ? recipe_load(&s->recipe, o->recipe, e)
                         : recipe_parse(&s->recipe, "no recipe", defaults, strlen(defaults), e);
    for (size_t i = 0; i < o->set.count && !code; i++)
        if ((code = recipe_set(&s->recipe, o->set.items[i], e)))
            fail_context(e, "--set %s", o->set.items[i]);
    const struct {
        const char *key, *value;
    } own[] = {{"arch", o->arch}, {"size", o->size}, {"seed", o->seed}, {"precision", o->precision}};
    for (size_t i = 0; i < COUNT(own) && !code; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s=%s", own[i].key, own[i].value);
        if (own[i].value && (code = recipe_set(&s->recipe, text, e)))
            fail_context(e, "--%s %s", own[i].key, own[i].value);
    }
    if (code || (code = refuse_idle(s, e)))
        return code;
    for (int i = 0; i < s->recipe.phase_count && o->epochs; i++) {
        s->recipe.phases[i].schedule.cycles = 1;
        s->recipe.phases[i].schedule.length = (int)o->epochs;
    }
    snprintf(s->seed, sizeof s->seed, "%llu", (unsigned long long)s->recipe.seed);
    return recipe_text(&s->recipe, &s->recipe_text, e);
}

int train_setup_phase(const train_setup *s, const char *which, const char *name, int *number, error *e)
{
    int found = name ? recipe_find_phase(&s->recipe, name) : 0;
    *number = found < 0 ? 0 : found;
    return found < 0 ? fail(e, ERR_USAGE, "--%s: %s has no phase '%s'", which,
                            s->o->recipe ? s->o->recipe : "the default recipe", name)
                     : 0;
}

/* ---------------------------------------------------------------- weights */

static int init_from_checkpoint(train_setup *s, error *e)
{
    const char *path = s->o->init;
    checkpoint c;
    int code = checkpoint_open(&c, path, e);
    if (code)
        return code;
    if (c.info.arch != s->recipe.arch)
        code = fail(e, ERR_INPUT, "%s: is a %s, the recipe wants a %s; --arch %s takes it", path,
                    arch_name(c.info.arch), arch_name(s->recipe.arch), arch_name(c.info.arch));
    else if (c.info.size == s->recipe.size && c.info.class_count == (int)s->labels.class_count &&
             c.graph.param_floats == s->graph.param_floats &&
             checkpoint_expect(&c, path, s->task, s->labels.classes, c.info.class_count, NULL) == 0) {
        memcpy(s->params, c.params, s->graph.param_floats * sizeof *s->params);
        code = sha256_file(path, s->parent, e);
        if (!code)
            program_note(s->program, "starting from %s, backbone and head", path);
    } else {
        code = backbone_load(&s->graph, s->recipe.arch, path, s->params, s->parent, e);
        if (!code)
            program_note(s->program, "starting from the backbone of %s, with a new head", path);
    }
    checkpoint_close(&c);
    return code;
}

static int make_network(train_setup *s, error *e)
{
    const char *const table[TASKS] = {
        [TASK_CLS] = s->o->lrg, [TASK_BBOX] = s->o->bb, [TASK_DETN] = s->o->lrg, [TASK_OBJECTS] = s->o->anno};
    error inner = {0};
    if (network_build(&s->graph, s->task, s->recipe.arch, s->recipe.size, (int)s->labels.class_count, imagenet_mean,
                      imagenet_std, &inner)) /* sizes have been checked, so what is wrong is in the labels */
        return fail(e, inner.code == ERR_SYSTEM ? ERR_SYSTEM : ERR_INPUT, "%s: %s", table[s->task], inner.text);
    s->params = params_alloc(&s->graph, e);
    if (!s->params)
        return e->code;
    initial_head(&s->graph, s->task, s->recipe.seed, s->params);
    if (s->o->init)
        return init_from_checkpoint(s, e);
    if (strcmp(s->o->weights, "none") != 0)
        return backbone_load(&s->graph, s->recipe.arch, s->o->weights, s->params, s->parent, e);
    initial_backbone(&s->graph, s->recipe.seed, s->params);
    return 0;
}

/* The seed of all draws but the first weights. With --init the checkpoint's digest is mixed in: the same seed
 * as that of the training before would repeat its pictures and dropout masks, which the head remembers. */
static uint64_t random_seed(const train_setup *s)
{
    uint64_t seed = s->recipe.seed;
    if (s->o->init)
        for (int i = 0; i < 16; i++) {
            unsigned digit = (unsigned)(s->parent[i] <= '9' ? s->parent[i] - '0' : s->parent[i] - 'a' + 10);
            seed ^= (uint64_t)digit << 4 * i;
        }
    return seed;
}

/* ---------------------------------------------------------------- checks before step 0 */

static int read_inputs(train_setup *s, error *e)
{
    const train_options *o = s->o;
    int code = s->task == TASK_OBJECTS ? labels_read_objects(&s->labels, o->anno, o->val, e)
                                       : labels_read(&s->labels, o->lrg, o->bb, o->val, e);
    if (code)
        return code;
    if (trainer_batches(s->labels.train_count, s->recipe.batch) == 0)
        return fail(e, ERR_INPUT, "%zu training pictures are too few, at least two are needed: name fewer in %s",
                    s->labels.train_count, o->val);
    if (s->recipe.batch < 2)
        return fail(e, ERR_INPUT, "%s: a batch of %d cannot train, batch norm needs two pictures: --set batch=2",
                    o->recipe, s->recipe.batch);
    s->cache = cache_open(o->cache, e);
    if (!s->cache)
        return e->code;
    code = make_network(s, e);
    if (code)
        return code;
    s->draws = random_seed(s);
    code = dataset_open(&s->data, s->cache, o->cache, &s->labels, s->recipe.size, &s->recipe.augments, s->draws,
                        loader_workers(s->threads), e);
    if (code || !s->data.left_out)
        return code;
    program_note(s->program,
                 "left out of %s: %zu of %zu pictures (named in %s.sources), which neither train nor "
                 "validate",
                 o->cache, s->data.left_out, s->labels.count, o->cache);
    if (trainer_batches(s->data.train.count, s->recipe.batch) == 0 || s->data.val.count == 0)
        return fail(e, ERR_INPUT,
                    "%s: %zu training and %zu validation pictures are too few; %s.sources says why others are left out",
                    o->cache, s->data.train.count, s->data.val.count, o->cache);
    return 0;
}

/* ---------------------------------------------------------------- outputs */

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

/* The name that an option gives, or else a sibling of --output. */
static char *output_name(const char *given, const train_options *o, const char *ending, error *e)
{
    return given ? text_copy(given, strlen(given), e) : sibling(o->output, ending, e);
}

/* Names all files; ERR_USAGE when two of them are one, or when one of them is an input. */
static int choose_outputs(train_setup *s, error *e)
{
    const train_options *o = s->o;
    train_files *f = &s->files;
    const file_use inputs[] = {{"cache", o->cache, .option = true}, {"lrg", o->lrg, .option = true},
                               {"bb", o->bb, .option = true},       {"anno", o->anno, .option = true},
                               {"val", o->val, .option = true},     {"weights", o->weights, .option = true},
                               {"init", o->init, .option = true},   {"recipe", o->recipe, .option = true}};
    file_use files[COUNT(inputs) + RECIPE_PHASES + 3];
    size_t count = 0;
    for (size_t i = 0; i < COUNT(inputs); i++)
        if (inputs[i].path)
            files[count++] = inputs[i];
    for (int i = 0; i < s->recipe.phase_count; i++) {
        char ending[32];
        snprintf(ending, sizeof ending, ".%d.ckpt", i);
        f->checkpoints[i] = output_name(i + 1 == s->recipe.phase_count ? o->output : NULL, o, ending, e);
        files[count++] = (file_use){"the checkpoint of a phase", f->checkpoints[i], .written = true};
    }
    f->history = output_name(o->history, o, ".history.tsv", e);
    f->batches = output_name(o->batches, o, ".batches.tsv", e);
    f->state = sibling(o->output, ".state", e);
    files[count++] = (file_use){"the history", f->history, .written = true};
    files[count++] = (file_use){"the table of batches", f->batches, .written = true};
    files[count++] = (file_use){"the state", f->state, .written = true};
    return e->code ? e->code : files_apart(files, count, e);
}

/* Can they be written? That is found out before the first step, not after half an hour. */
static int try_outputs(const train_setup *s, error *e)
{
    const train_files *f = &s->files;
    const char *const paths[] = {f->checkpoints[s->recipe.phase_count - 1], f->history, f->batches, f->state};
    int code = 0;
    for (size_t i = 0; i < COUNT(paths) && !code; i++)
        code = out_try(paths[i], e);
    return code;
}

int train_setup_open(train_setup *s, error *e)
{
    const char *rates = s->o->lr_find;
    int code = train_setup_recipe(s, e), last = s->recipe.phase_count - 1;
    if (!code && s->o->until)
        code = train_setup_phase(s, "until", s->o->until, &last, e);
    if (!code)
        s->recipe.phase_count = last + 1; /* the recipe's text keeps those behind */
    if (!code && !rates)
        code = choose_outputs(s, e);
    if (!code)
        code = read_inputs(s, e);
    if (!code)
        code = rates ? out_try(rates, e) : try_outputs(s, e);
    if (code)
        return code;
    device_options d = {.threads = s->threads, .conv = conv_algorithm_of(s->o->conv), .precision = s->recipe.precision};
    s->device = device_open(s->o->device, &d, e);
    return s->device ? 0 : e->code;
}

/* ---------------------------------------------------------------- going on with an interrupted training */

/* What the end of a training depends on, beside the device. */
static int state_facts(train_setup *s, error *e)
{
    static const char *const options[2][2] = {{"none", "--summary-noise"},
                                              {"--bn-freeze", "--bn-freeze --summary-noise"}};
    snprintf(s->draws_text, sizeof s->draws_text, "%llu", (unsigned long long)s->draws);
    const train_fact facts[] = {{"task", task_name(s->task)},
                                {"recipe", s->recipe_text.data},
                                {"weights", s->parent},
                                {"seed", s->draws_text},
                                {"labels", s->labels_sha256},
                                {"pictures", cache_digest(s->cache)},
                                {"options", options[s->o->bn_freeze][s->o->summary_noise]}};
    s->state = (train_state){.fact_count = COUNT(facts)};
    memcpy(s->state.facts, facts, sizeof facts);
    return labels_rows_digest(&s->labels, s->labels_sha256, e);
}

/* Opens the state; one of another training leaves *s as it is, unless --resume insists on it. */
static int open_state(train_setup *s, error *e)
{
    error refused = {0};
    const char *path = s->files.state;
    int code = train_state_open(&s->past, path, &s->state, &s->graph, &s->recipe, s->params, &refused);
    if (code && s->state.differs && !s->o->resume) {
        program_note(s->program, "%s belongs to another training (%s): starting anew, which will overwrite it", path,
                     s->state.differs);
        return 0;
    }
    if (code)
        return fail(e, code, "%s", refused.text);
    s->resumed = true;
    program_note(s->program, "going on from %s: phase %s, epoch %d (--fresh would start anew)", path,
                 s->recipe.phases[s->state.point.phase].name, s->state.point.epoch);
    if (strcmp(s->state.device, device_describe(s->device)) != 0)
        program_note(s->program, "it was written on %s: the last digits may come out differently", s->state.device);
    return 0;
}

int train_setup_resume(train_setup *s, error *e)
{
    const char *path = s->files.state;
    int code = state_facts(s, e);
    if (code)
        return code;
    if (access(path, F_OK) != 0) {
        if (s->o->resume)
            program_note(s->program, "there is no %s to go on with: starting anew", path);
        return 0;
    }
    if (!s->o->fresh)
        return open_state(s, e);
    program_note(s->program, "--fresh: %s of an interrupted training is removed", path);
    return unlink(path) == 0 ? 0 : fail_system(e, "%s: cannot remove", path);
}

/* ---------------------------------------------------------------- for the trainer */

trainer train_setup_trainer(train_setup *s)
{
    return (trainer){.device = s->device,
                     .graph = &s->graph,
                     .params = s->params,
                     .from = s->resumed ? &s->state.point : NULL,
                     .task = s->task,
                     .classes = (int)s->labels.class_count,
                     .target_floats = s->data.target_floats,
                     .recipe = &s->recipe,
                     .seed = s->draws,
                     .train = {dataset_make, &s->data.train, s->data.train.count, dataset_forms(&s->data.train),
                               dataset_form, dataset_make_form, dataset_name},
                     .val = {.make = dataset_make, .context = &s->data.val, .count = s->data.val.count},
                     .threads = s->threads,
                     .freeze_bn = s->o->bn_freeze};
}

void train_setup_free(train_setup *s)
{
    device_close(s->device);
    dataset_free(&s->data);
    cache_close(s->cache);
    labels_free(&s->labels);
    graph_free(&s->graph);
    text_free(&s->recipe_text);
    free(s->params);
    for (int i = 0; i < RECIPE_PHASES; i++)
        free(s->files.checkpoints[i]);
    free(s->files.history);
    free(s->files.batches);
    free(s->files.state);
    if (s->resumed)
        train_state_close(&s->past);
}
