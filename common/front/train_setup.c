/* In this order: the recipe and what the options change in it; the labels, the cache and the network's first
 * weights, from a weights file, a checkpoint or chance; the names of the outputs; the device; the state of an
 * interrupted training. All of it is checked here, so that a training that starts has nothing left to complain
 * about but its loss and the disk. */
#include "front/train_setup.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/threads.h"
#include "device/device.h"
#include "nn/initial.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- the recipe */

/* One value of the recipe from an option of its own, such as --size. */
static int set_by_option(recipe *r, const char *key, const char *value, error *e)
{
    char text[128];
    if (!value)
        return 0;
    snprintf(text, sizeof text, "%s=%s", key, value);
    return recipe_set(r, text, e) ? fail_context(e, "--%s %s", key, value) : 0;
}

static void set_epochs(recipe *r, int epochs)
{
    for (int i = 0; i < r->phase_count && epochs; i++) {
        r->phases[i].schedule.cycles = 1;
        r->phases[i].schedule.length = epochs;
    }
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
    if (!code)
        code = set_by_option(&s->recipe, "arch", o->arch, e);
    if (!code)
        code = set_by_option(&s->recipe, "size", o->size, e);
    if (!code)
        code = set_by_option(&s->recipe, "seed", o->seed, e);
    if (!code)
        code = set_by_option(&s->recipe, "precision", o->precision, e);
    if (code)
        return code;
    set_epochs(&s->recipe, (int)o->epochs);
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

/* Phases behind the one of --until are not run; the recipe's text keeps them. */
static int cut_phases(train_setup *s, error *e)
{
    int last;
    if (!s->o->until)
        return 0;
    int code = train_setup_phase(s, "until", s->o->until, &last, e);
    if (!code)
        s->recipe.phase_count = last + 1;
    return code;
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
    else if (c.info.task == s->task && c.info.size == s->recipe.size && same_classes(&c, &s->labels) &&
             c.graph.param_floats == s->graph.param_floats) {
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
    int code = network_build(&s->graph, s->task, s->recipe.arch, s->recipe.size, (int)s->labels.class_count,
                             imagenet_mean, imagenet_std, e);
    if (code)
        return code;
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
    int code = labels_read(&s->labels, o->lrg, o->bb, o->val, e);
    if (code)
        return code;
    if (trainer_batches(s->labels.train_count, s->recipe.batch) == 0)
        return fail(e, ERR_INPUT, "%zu training pictures are too few: at least two are needed",
                    s->labels.train_count);
    if (s->recipe.batch < 2)
        return fail(e, ERR_INPUT, "%s: a batch of %d cannot train, batch norm needs two pictures", o->recipe,
                    s->recipe.batch);
    s->cache = cache_open(o->cache, e);
    if (!s->cache)
        return e->code;
    code = make_network(s, e);
    if (code)
        return code;
    s->draws = random_seed(s);
    return dataset_open(&s->data, s->cache, o->cache, &s->labels, s->recipe.size, &s->recipe.augments,
                        s->draws, loader_workers(s->threads), e);
}

static int choose_outputs(train_setup *s, error *e)
{
    int code = train_files_name(&s->files, s->o, &s->recipe, e);
    return code ? code : train_files_check(&s->files, s->o, e);
}

static int open_device(train_setup *s, error *e)
{
    device_options d = {
        .threads = s->threads, .conv = conv_algorithm_of(s->o->conv), .precision = s->recipe.precision};
    s->device = device_open(s->o->device, &d, e);
    return s->device ? 0 : e->code;
}

int train_setup_open(train_setup *s, error *e)
{
    const char *rates = s->o->lr_find;
    int code = train_setup_recipe(s, e);
    if (!code)
        code = cut_phases(s, e);
    if (!code && !rates)
        code = choose_outputs(s, e);
    if (!code)
        code = read_inputs(s, e);
    if (!code)
        code = rates ? out_try(rates, e) : train_files_try(&s->files, e);
    return code ? code : open_device(s, e);
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

int train_setup_resume(train_setup *s, error *e)
{
    int code = state_facts(s, e);
    const bool there = access(s->files.state, F_OK) == 0;
    if (!code && there && !s->o->resume)
        program_note(
            s->program,
            "%s of an interrupted training is here: --resume would go on with it, but no longer after an epoch of "
            "this training",
            s->files.state);
    if (code || !s->o->resume)
        return code;
    if (!there) {
        program_note(s->program, "there is no %s to go on with: starting anew", s->files.state);
        return 0;
    }
    code = train_state_open(&s->past, s->files.state, &s->state, &s->graph, &s->recipe, s->params, e);
    if (code)
        return code;
    s->resumed = true;
    program_note(s->program, "going on from %s: phase %s, epoch %d", s->files.state,
                 s->recipe.phases[s->state.point.phase].name, s->state.point.epoch);
    if (strcmp(s->state.device, device_describe(s->device)) != 0)
        program_note(s->program, "it was written on %s: the last digits may come out differently",
                     s->state.device);
    return 0;
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
                     .recipe = &s->recipe,
                     .seed = s->draws,
                     .train = {dataset_make, &s->data.train, s->data.train.count},
                     .val = {dataset_make, &s->data.val, s->data.val.count},
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
    train_files_free(&s->files);
    if (s->resumed)
        train_state_close(&s->past);
}
