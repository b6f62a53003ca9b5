#include "nn/recipe.h"
#include "nn/recipe_words.h"
#include "test.h"

#include <stdlib.h>

static const char small[] = "arch tiny\nphase all from conv1 lr 1e-3 cosine cycles 1 len 1\n";

static int parse(recipe *r, const char *text, error *e)
{
    *e = (error){0};
    return recipe_parse(r, "r", text, strlen(text), e);
}

static void shipped(const char *path, int phases, const char *augments, const char *text)
{
    recipe r;
    error e = {0};
    text_buffer b = {0};
    CHECK(!recipe_load(&r, path, &e), "%s", e.text);
    CHECK(r.phase_count == phases, "%d phases", r.phase_count);
    CHECK(!recipe_text(&r, &b, &e) && strstr(b.data, augments) && strstr(b.data, text), "%s", b.data);
    text_free(&b);
}

static void test_shipped(void)
{
    TEST("the classifier's recipe is that of the published run")
    shipped("recipes/cls.recipe", 3,
            "arch resnet34\nsize 224\nbatch 64\nseed 0\nprecision auto\n"
            "augment rotate 10 0.75\naugment lighting 0.05 0.05\naugment flip 0.5\n",
            "phase head from head lr 0.02 cosine cycles 1 len 1\n"
            "phase top from layer3 lr 4e-06 4e-05 0.004 cosine cycles 1 len 1\n"
            "phase all from conv1 lr 4e-06 4e-05 0.004 cosine cycles 1 len 2\n");
    TEST("the regressor's recipe is that of the published run")
    shipped("recipes/bbox.recipe", 3, "augment flip 0.5\naugment rotate 3 0.5\naugment lighting 0.05 0.05\n",
            "phase head from head lr 0.002 cosine cycles 2 len 1 mult 2\n"
            "phase top from layer3 lr 2e-05 0.0002 0.002 cosine cycles 2 len 1 mult 2\n"
            "phase all from conv1 lr 2e-05 0.0002 0.002 cosine cycles 1 len 2\n");
    TEST("the detector's recipe is that of the published run")
    shipped("recipes/detn.recipe", 3, "augment flip 0.5\naugment rotate 3 0.5\naugment lighting 0.05 0.05\n",
            "phase head from head lr 0.01 triangular 32 5 epochs 3\n"
            "phase top from layer3 lr 2e-05 0.0002 0.002 triangular 32 10 epochs 5\n"
            "phase all from conv1 lr 1e-05 0.0001 0.001 triangular 32 10 epochs 10\n");
}

static void test_text(void)
{
    recipe r;
    error e;
    TEST("defaults hold for what a recipe leaves out")
    {
        CHECK(!parse(&r, "phase a from head lr 1 cosine cycles 1 len 1", &e), "%s", e.text);
        CHECK(r.arch == ARCH_RESNET34 && r.size == 224 && r.batch == 64 && r.seed == 0 &&
                  r.precision == PRECISION_AUTO && r.augments.count == 0,
              "arch %d size %d batch %d", r.arch, r.size, r.batch);
        CHECK(r.phases[0].lr[GROUP_STEM] == 1 && r.phases[0].lr[GROUP_TOP] == 1, "one rate serves all groups");
        CHECK(r.phases[0].schedule.mult == 1, "mult %d", r.phases[0].schedule.mult);
    }
    TEST("recipes and command lines have the same words for the precisions, and each has its help")
    for (int i = 0; i < PRECISIONS; i++) {
        const recipe_word w = recipe_precision((precision)i);
        CHECK((int)precision_of(w.name) == i && strstr(PRECISION_CHOICES, w.name) && w.help, "%s", w.name);
    }
    TEST("comments, blanks and line ends change nothing in the canonical text")
    {
        text_buffer a = {0}, b = {0}, c = {0};
        CHECK(!parse(&r, small, &e) && !recipe_text(&r, &a, &e), "%s", e.text);
        CHECK(!parse(&r,
                     "# title\r\n\r\n  arch\ttiny# why\r\nphase  all from conv1 lr 0.001\t0.001 1e-3 "
                     "cosine cycles 1 len 1 mult 1  # end\r\n",
                     &e) &&
                  !recipe_text(&r, &b, &e),
              "%s", e.text);
        CHECK(strcmp(a.data, b.data) == 0, "%s", b.data);
        CHECK(!parse(&r, a.data, &e) && !recipe_text(&r, &c, &e) && strcmp(a.data, c.data) == 0,
              "the canonical text reads back as another recipe: %s", e.text);
        CHECK(!recipe_set(&r, "phase.all.lr=1e-4", &e), "%s", e.text);
        c.size = 0;
        CHECK(!recipe_text(&r, &c, &e) && strcmp(a.data, c.data) != 0, "a changed rate leaves the text alone");
        text_free(&a);
        text_free(&b);
        text_free(&c);
    }
}

static void test_set(void)
{
    static const char base[] = "augment flip 0.5\naugment rotate 3 0.5\n"
                               "phase head from head lr 1e-2 triangular 32 5 epochs 3\n"
                               "phase all from conv1 lr 1e-5 1e-4 1e-3 cosine cycles 2 len 1 mult 2\n";
    recipe r;
    error e;
    TEST("--set changes one value and leaves the rest")
    {
        CHECK(!parse(&r, base, &e), "%s", e.text);
        const char *const sets[] = {"batch=32",
                                    "size=96",
                                    "arch=tiny",
                                    "seed=7",
                                    "precision=bf16",
                                    "phase.all.lr=2e-5,2e-4,2e-3",
                                    "phase.all.mult=3",
                                    "phase.head.epochs=1",
                                    "phase.head.div=10",
                                    "phase.head.from=layer3",
                                    "augment.rotate=10,0.75",
                                    "augment.lighting=0.1,0.2",
                                    "giou=2.5",
                                    "smoothing=0.1",
                                    "average=3",
                                    "augment.flip=none"};
        for (size_t i = 0; i < COUNT(sets); i++)
            CHECK(!recipe_set(&r, sets[i], &e), "%s", e.text);
        text_buffer b = {0};
        CHECK(!recipe_text(&r, &b, &e), "%s", e.text);
        CHECK(strcmp(b.data, "arch tiny\nsize 96\nbatch 32\nseed 7\nprecision bf16\ngiou 2.5\nsmoothing 0.1\n"
                             "average 3\n"
                             "augment rotate 10 0.75\naugment lighting 0.1 0.2\n"
                             "phase head from layer3 lr 0.01 triangular 10 5 epochs 1\n"
                             "phase all from conv1 lr 2e-05 0.0002 0.002 cosine cycles 2 len 1 mult 3\n") == 0,
              "%s", b.data);
        text_free(&b);
        CHECK(!recipe_set(&r, "phase.head=none", &e) && r.phase_count == 1 && strcmp(r.phases[0].name, "all") == 0,
              "%s", e.text);
    }
    TEST("a --set that doesn't fit is a usage error with a hint and changes nothing")
    {
        const char *const wrong[][2] = {
            {"batsch=3", "did you mean 'batch'"},
            {"batch", "KEY=VALUE"},
            {"batch=", "KEY=VALUE"},
            {"=3", "KEY=VALUE"},
            {"batch=x", "whole number"},
            {"batch=0", "whole number"},
            {"batch=1,2", "one value"},
            {"size=100", "multiple of 32"},
            {"arch=resnet35", "did you mean"},
            {"phase.tpo.lr=1", "unknown phase 'tpo'"},
            {"phase.al.lr=1", "did you mean 'all'"},
            {"phase.all.rl=1", "setting of a phase 'rl'"},
            {"phase.all.lr=1,2", "three"},
            {"phase.all.lr=-1", "not a number within"},
            {"phase.all.lr=nan", "not a number"},
            {"phase.all.epochs=3", "cosine schedule"},
            {"phase.head.len=3", "triangular"},
            {"phase.all.cycles=1000", "million"},
            {"phase.all=off", "none"},
            {"phase=none", "phase.NAME"},
            {"phase.all.from=layer9", "did you mean"},
            {"augment.flop=1", "did you mean 'flip'"},
            {"augment.flip=2", "flip"},
            {"augment.rotate=x", "not a number"},
            {"augment=1", "augment.NAME"},
            {"seed=-1", "whole number"},
        };
        for (size_t i = 0; i < COUNT(wrong); i++) {
            recipe before;
            CHECK(!parse(&r, base, &e), "%s", e.text);
            memcpy(&before, &r, sizeof r);
            CHECK(recipe_set(&r, wrong[i][0], &e) == ERR_USAGE, "%s is accepted", wrong[i][0]);
            CHECK(strstr(e.text, wrong[i][1]) && !strstr(e.text, "--"), "%s", e.text);
            CHECK(memcmp(&before, &r, sizeof r) == 0, "%s changed the recipe", wrong[i][0]);
        }
    }
}

static void test_errors(void)
{
    recipe r;
    error e;
    TEST("a bad line is named with its number and what was wrong")
    {
        const char *const wrong[][2] = {
            {"arch tiny\nbacth 3\n", "r:2: unknown setting 'bacth', did you mean 'batch'?"},
            {"zzzzzzzz 3\n", "r:1: unknown setting 'zzzzzzzz' (known: arch, size"},
            {"batch 3\nbatch 4\n", "r:2: 'batch' was set on line 1 already"},
            {"batch 3 4\n", "r:1: 'batch' takes one value, not 2"},
            {"batch\n", "r:1: 'batch' takes one value, not 0"},
            {"batch 1e9\n", "r:1: batch '1e9' is not a whole number"},
            {"size 33\n", "r:1: size 33 is not a multiple of 32"},
            {"arch vgg\n", "r:1: unknown arch 'vgg' (known: tiny, resnet18, resnet34, resnet50)"},
            {"giou -1\n", "r:1: giou '-1' is not a number within 0..1000"},
            {"smoothing 1.5\n", "r:1: smoothing '1.5' is not a number within 0..1"},
            {"average 1.5\n", "r:1: average '1.5' is not a whole number within 0..1000000"},
            {"giou 1\ngiou 1\n", "r:2: 'giou' was set on line 1 already"},
            {"precision fp64\n", "did you mean 'fp32'?"},
            {"augment\n", "r:1: augment needs a name"},
            {"augment flip x\n", "r:1: augment flip: 'x' is not a number"},
            {"augment flap 1\n", "r:1: "},
            {"augment lighting 0.1\n", "r:1: "},
            {"phase\n", "r:1: a phase needs a name"},
            {"phase a.b from head lr 1 cosine cycles 1 len 1\n", "phase name 'a.b'"},
            {"phase a\n", "r:1: the line ends where 'from' was expected"},
            {"phase a form head lr 1 cosine cycles 1 len 1\n", "'from' was expected, not 'form'"},
            {"phase a from\n", "where the GROUP of 'from' was expected"},
            {"phase a from tail lr 1 cosine cycles 1 len 1\n", "unknown group 'tail'"},
            {"phase a from head lr cosine cycles 1 len 1\n", "lr takes one rate, or three"},
            {"phase a from head lr 1 2 cosine cycles 1 len 1\n", "lr takes one rate, or three"},
            {"phase a from head lr 1 2 3 4 cosine cycles 1 len 1\n", "lr takes one rate, or three"},
            {"phase a from head lr -1 cosine cycles 1 len 1\n", "not a number within 0"},
            {"phase a from head lr 1\n", "where a schedule"},
            {"phase a from head lr 1 cosin cycles 1 len 1\n", "did you mean 'cosine'?"},
            {"phase a from head lr 1 cosine cycles 0 len 1\n", "cycles '0'"},
            {"phase a from head lr 1 cosine cycles 1 len\n", "where the L of 'len' was expected"},
            {"phase a from head lr 1 cosine cycles 1 len 1 mult 17\n", "mult '17'"},
            {"phase a from head lr 1 cosine cycles 1 len 1 mult 2 3\n", "'3' stands behind the end"},
            {"phase a from head lr 1 cosine cycles 99 len 99 mult 16\n", "million"},
            {"phase a from head lr 1 triangular 32\n", "where the CUT of 'cut' was expected"},
            {"phase a from head lr 1 triangular 0 5 epochs 1\n", "div '0'"},
            {"phase a from head lr 1 triangular 32 0 epochs 1\n", "cut '0'"},
            {"phase a from head lr 1 triangular 32 5 3\n", "'epochs' was expected, not '3'"},
            {"", "no phase"},
            {"# nothing\n", "no phase"},
        };
        for (size_t i = 0; i < COUNT(wrong); i++) {
            CHECK(parse(&r, wrong[i][0], &e) == ERR_INPUT, "accepted: %s", wrong[i][0]);
            CHECK(strstr(e.text, wrong[i][1]), "'%s' lacks '%s'", e.text, wrong[i][1]);
            CHECK(!strchr(e.text, '\n'), "more than one line");
        }
    }
    TEST("hostile recipes: binary rubbish, endless lines, too many phases and augmentations")
    {
        char *text = malloc(200000);
        memset(text, 'x', 199999);
        text[199999] = 0;
        CHECK(parse(&r, text, &e) == ERR_INPUT, "one long word");
        for (int i = 0; i < 199998; i += 2)
            memcpy(text + i, "1 ", 2);
        CHECK(parse(&r, text, &e) == ERR_INPUT && strstr(e.text, "words"), "%s", e.text);
        CHECK(recipe_parse(&r, "r", "\0\1\2\377\n\0", 6, &e) == ERR_INPUT, "NULs");
        text_buffer b = {0};
        for (int i = 0; i < 17; i++)
            text_add(&b, "phase p%d from head lr 1 cosine cycles 1 len 1\n", i);
        CHECK(parse(&r, b.data, &e) == ERR_INPUT && strstr(e.text, "r:17: more than 16 phases"), "%s", e.text);
        b.size = 0;
        for (int i = 0; i < 2; i++)
            text_add(&b, "phase p from head lr 1 cosine cycles 1 len 1\n");
        CHECK(parse(&r, b.data, &e) == ERR_INPUT && strstr(e.text, "twice"), "%s", e.text);
        b.size = 0;
        for (int i = 0; i < 9; i++)
            text_add(&b, "augment flip 0.5\n");
        CHECK(parse(&r, b.data, &e) == ERR_INPUT && strstr(e.text, "r:9:"), "%s", e.text);
        text_free(&b);
        free(text);
        e = (error){0};
        CHECK(recipe_load(&r, "no-such-file.recipe", &e) == ERR_INPUT && strstr(e.text, "no-such-file"), "%s", e.text);
    }
}

int main(void)
{
    test_shipped();
    test_text();
    test_set();
    test_errors();
    return test_end();
}
