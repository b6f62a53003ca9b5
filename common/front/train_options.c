/* The options of a training in the order of --help: what it reads, how it trains, what it writes, how an
 * interrupted one goes on, and the three things that can be done instead of training: looking for a rate
 * (--lr-find), printing the network (--summary) and printing the recipe (--print-recipe). A row that a task has no use
 * for is left out. */
#include "front/train_options.h"

#include "device/device.h"

#include <string.h>

/* long: it is one table */
void train_options_table(train_options *o, task t, option table[TRAIN_OPTIONS_MAX])
{
    const option rows[] = {
        {"cache", 0, OPTION_INPUT, &o->cache, "FILE", "scaled pictures, as resize-cache makes them", .group = "Input"},
        {"lrg", 0, OPTION_INPUT, &o->lrg, "FILE", .help = "classes: fn,cat"},
        {"bb", 0, OPTION_INPUT, &o->bb, "FILE", .help = "boxes: fn,bbox"},
        {"anno", 0, OPTION_INPUT, &o->anno, "FILE", .help = "all objects, as json2anno makes them"},
        {"val", 0, OPTION_INPUT, &o->val, "FILE", .help = "file names of the validation pictures, one a line"},
        {"weights", 0, OPTION_INPUT, &o->weights, "FILE",
         .help = "safetensors of the backbone with torchvision's names, or\n"
                 "any of our checkpoints; 'none': random values"},
        {"init", 0, OPTION_INPUT, &o->init, "CKPT",
         .help = "start from this checkpoint: its backbone, and its head too\n"
                 "when task, classes and size are the same"},
        {"recipe", 0, OPTION_INPUT, &o->recipe, "FILE", "phases, rates, augmentation", .group = "How to train"},
        {"set", 0, OPTION_LIST, &o->set, "KEY=VALUE",
         .help = "change one value of the recipe, such as phase.all.lr=1e-5,1e-4,1e-3,\n"
                 "batch=32 or augment.rotate=10,0.75; may be repeated"},
        {"arch", 0, OPTION_CHOICE, &o->arch, "NAME", "instead of the recipe's", .choices = ARCH_CHOICES},
        {"size", 0, OPTION_TEXT, &o->size, "N", .help = "side of the input, instead of the recipe's"},
        {"epochs", 0, OPTION_INT, &o->epochs, "N", "epochs of every phase; 0: as the recipe says", .max = 100000},
        {"until", 0, OPTION_TEXT, &o->until, "NAME", .help = "the last phase to run [all]"},
        {"seed", 0, OPTION_TEXT, &o->seed, "N", .help = "instead of the recipe's"},
        {"bn-freeze", 0, OPTION_FLAG, &o->bn_freeze, NULL,
         .help = "keep the batch-norm statistics of the backbone in trained layers too"},
        {"summary-noise", 0, OPTION_FLAG, &o->summary_noise, NULL,
         .help = "before the first phase, three pictures of noise move all running statistics\n"
                 "by a tenth, as summary() of the published run did"},
        {"threads", 0, OPTION_INT, &o->threads, "N", "0: as many as there are", .max = 1024},
        {"device", 0, OPTION_TEXT, &o->device, "NAME", .help = "auto, cpu or cuda[:N]"},
        {"conv", 0, OPTION_CHOICE, &o->conv, "NAME", "algorithm of 3x3 convolutions, or oneDNN for all",
         .choices = CONV_CHOICES},
        {"precision", 0, OPTION_CHOICE, &o->precision, "NAME", "instead of the recipe's", .choices = PRECISION_CHOICES},
        {"output", 'o', OPTION_OUTPUT, &o->output, "FILE",
         "the trained network; those of earlier phases go beside it\n"
         "as NAME.0.ckpt, NAME.1.ckpt, ...",
         .group = "Output"},
        {"history", 0, OPTION_OUTPUT, &o->history, "FILE", .help = "one row per epoch; default: NAME.history.tsv"},
        {"batches", 0, OPTION_OUTPUT, &o->batches, "FILE", .help = "one row per batch; default: NAME.batches.tsv"},
        {"fresh", 0, OPTION_FLAG, &o->fresh, NULL,
         "start anew; else an interrupted training of the same inputs and recipe\n"
         "goes on from NAME.state by itself, to the same result",
         .group = "Interrupted trainings"},
        {"resume", 0, OPTION_FLAG, &o->resume, NULL,
         .help = "stop if NAME.state belongs to another training, rather than start anew"},
        {"state-every", 0, OPTION_NUMBER, &o->state_every, "SECONDS",
         "how often NAME.state is written, after whole epochs; it is removed\n"
         "in the end",
         .max = 1e9},
        {"lr-find", 0, OPTION_OUTPUT, &o->lr_find, "FILE",
         "instead of training: raise the rate from batch to batch for an\n"
         "epoch or until the loss explodes, write batch, lr, loss, smoothed",
         .group = "Looking for a rate"},
        {"phase", 0, OPTION_TEXT, &o->phase, "NAME", .help = "whose layers train; default: the first"},
        {"lr-start", 0, OPTION_TEXT, &o->lr_start, "A[,B,C]",
         .help = "rates of the first batch: one, or conv1 to layer2, layer3 and\n"
                 "layer4, head"},
        {"lr-end", 0, OPTION_NUMBER, &o->lr_end, "X", "rate of the head after a whole epoch", .min = 1e-30,
         .max = 1e30},
        {"summary", 0, OPTION_FLAG, &o->summary, NULL,
         "print the network's modules and nothing else: no data, weights or recipe\n"
         "are needed, only a number of classes (from labels, --classes or --init);\n"
         "--phase says whose layers train",
         .group = "Looking at the network and the recipe"},
        {"classes", 0, OPTION_INT, &o->classes, "N", "so many, without labels", .max = 65536},
        {"print-recipe", 0, OPTION_FLAG, &o->print_recipe, NULL,
         .help = "print the recipe and nothing else, in its canonical form and with the\n"
                 "changes of the options above; of the files only --recipe is read"},
        {"help-recipe", 0, OPTION_FLAG, &o->help_recipe, NULL,
         .help = "print what can stand in a recipe and in --set, with limits and defaults"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const void *value = rows[i].value;
        const bool unused = value == &o->lrg       ? t == TASK_BBOX || t == TASK_OBJECTS
                            : value == &o->bb      ? t == TASK_CLS || t == TASK_OBJECTS
                            : value == &o->anno    ? t != TASK_OBJECTS
                            : value == &o->classes ? t == TASK_BBOX
                                                   : false;
        if (!unused)
            *table++ = rows[i];
    }
    *table = (option){0};
}

static int check_inputs(const train_options *o, task t, error *e)
{
    const struct {
        const char *name, *value;
        bool used;
    } needed[] = {{"cache", o->cache, true},
                  {"lrg", o->lrg, t == TASK_CLS || t == TASK_DETN},
                  {"bb", o->bb, t == TASK_BBOX || t == TASK_DETN},
                  {"anno", o->anno, t == TASK_OBJECTS},
                  {"val", o->val, true},
                  {"recipe", o->recipe, true}};
    for (size_t i = 0; i < COUNT(needed); i++)
        if (needed[i].used && !needed[i].value)
            return fail(e, ERR_USAGE, "--%s FILE is needed; see --help", needed[i].name);
    if (!o->weights && !o->init)
        return fail(e, ERR_USAGE, "--weights FILE (or 'none') or --init CKPT is needed; see --help");
    if (o->weights && o->init)
        return fail(e, ERR_USAGE, "--weights and --init exclude each other: both say where the backbone comes from");
    return 0;
}

/* The options that print something and neither read pictures nor train. */
static int check_printing(const train_options *o, error *e)
{
    const char *what = o->summary ? "summary" : "print-recipe";
    if (o->summary && o->print_recipe)
        return fail(e, ERR_USAGE, "--summary and --print-recipe exclude each other: each prints one thing");
    const struct {
        const char *name;
        bool given;
    } others[] = {{"lr-find", o->lr_find}, {"lr-start", o->lr_start},           {"resume", o->resume},
                  {"fresh", o->fresh},     {"summary-noise", o->summary_noise}, {"until", o->until}};
    for (size_t i = 0; i < COUNT(others); i++)
        if (others[i].given)
            return fail(e, ERR_USAGE, "--%s trains nothing: leave out --%s", what, others[i].name);
    if (o->print_recipe && o->phase)
        return fail(e, ERR_USAGE, "--phase belongs to --lr-find and --summary");
    if (o->print_recipe && !o->recipe)
        return fail(e, ERR_USAGE, "--recipe FILE is needed; see --help");
    return 0;
}

int train_options_check(const train_options *o, task t, error *e)
{
    if (o->help_recipe)
        return 0;
    if (o->summary || o->print_recipe)
        return check_printing(o, e);
    int code = check_inputs(o, t, e);
    if (code)
        return code;
    if (o->classes)
        return fail(e, ERR_USAGE, "--classes belongs to --summary: a training takes them from its labels");
    if (!o->output && !o->lr_find)
        return fail(e, ERR_USAGE, "--output FILE is needed; see --help");
    if (o->output && strcmp(o->output, "-") == 0)
        return fail(e, ERR_USAGE, "--output cannot be standard output: several files are written");
    if (o->lr_find && (o->output || o->history || o->batches))
        return fail(e, ERR_USAGE,
                    "--lr-find writes nothing but its own file: leave out --output, --history and --batches");
    if (!o->lr_find && (o->phase || o->lr_start))
        return fail(e, ERR_USAGE, "--phase belongs to --lr-find and --summary, --lr-start to --lr-find");
    if (o->lr_find && o->resume)
        return fail(e, ERR_USAGE, "--resume belongs to a training, --lr-find leaves no state");
    if (o->fresh && (o->resume || o->lr_find))
        return fail(e, ERR_USAGE, "--fresh starts a training anew: leave out --%s", o->resume ? "resume" : "lr-find");
    if (o->lr_find && o->until)
        return fail(e, ERR_USAGE, "--until belongs to a training, --lr-find takes --phase");
    return 0;
}
