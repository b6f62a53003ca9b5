/* recipe_words.h - the words of the recipe language (recipe.h), one table of each kind: the reader takes names and
 * limits from them, error lines name the nearest one, and the reference (--help-recipe) prints them. */
#ifndef ONEBOX_NN_RECIPE_WORDS_H
#define ONEBOX_NN_RECIPE_WORDS_H

#include "base/text.h"
#include "device/device.h"

typedef struct recipe_word {
    const char *name;
    const char *argument; /* what follows the name, as the reference shows it; "" for none */
    const char *help;     /* one line */
    double min, max;      /* of its number; both 0 when it takes none */
} recipe_word;

/* First words of lines and of --set keys; those before RECIPE_AUGMENT are settings with one value. */
enum {
    RECIPE_ARCH,
    RECIPE_SIZE,
    RECIPE_BATCH,
    RECIPE_SEED,
    RECIPE_PRECISION,
    RECIPE_GIOU,
    RECIPE_SMOOTHING,
    RECIPE_AVERAGE,
    RECIPE_AUGMENT,
    RECIPE_PHASE,
    RECIPE_LINES
};
extern const recipe_word recipe_lines[RECIPE_LINES];

/* By augment_kind, GROUP_STEM and so on, schedule_kind. */
enum { RECIPE_AUGMENTS = 6, RECIPE_SCHEDULES = 2 };
extern const recipe_word recipe_augments[RECIPE_AUGMENTS];
extern const recipe_word recipe_groups[GROUPS];
extern const recipe_word recipe_schedules[RECIPE_SCHEDULES];

recipe_word recipe_precision(precision p);

/* What --set changes of a phase; CYCLES to MULT belong to cosine, DIV and behind to triangular. */
enum { PHASE_LR, PHASE_FROM, PHASE_CYCLES, PHASE_LEN, PHASE_MULT, PHASE_DIV, PHASE_CUT, PHASE_EPOCHS, PHASE_KEYS };
extern const recipe_word recipe_phase_keys[PHASE_KEYS];

/* The index of `word` in the table; -1 with "unknown WHAT …" and the nearest one, or all, in e. */
int recipe_choose(const char *what, text_field word, const recipe_word *table, size_t count, error *e);

/* "1..65536": the limits of the word's number. Returns text. */
enum { RECIPE_LIMITS = 48 };
const char *recipe_limits(const recipe_word *word, char text[RECIPE_LIMITS]);

/* A number of `word`, whole or any, within its limits; ERR_INPUT. */
int recipe_whole(const recipe_word *word, text_field f, int64_t *value, error *e);
int recipe_number(const recipe_word *word, text_field f, double *value, error *e);

#endif
