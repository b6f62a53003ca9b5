/* A recipe is read line by line: the line is split into words, its first word says what it is, and a phase's words
 * are taken one after the other. --set goes through the same functions, with the value's parts as the words, so that
 * names, limits and error lines are the same; names and limits stand in recipe_words.c. The canonical text is the way
 * back: what it prints reads as the same recipe. */
#include "nn/recipe.h"

#include "base/file.h"
#include "nn/history.h"
#include "nn/recipe_words.h"

#include <stdio.h>
#include <string.h>

/* Words of one line, and of one --set value. */
enum { WORDS = 24 };

/* They are taken from the front. After a failure (`code`) the functions that take words do nothing. */
typedef struct words {
    text_field w[WORDS];
    size_t count; /* also counts what has no room */
    size_t at;    /* the next one to be taken */
    int code;
} words;

const char *group_name(int group)
{
    return recipe_groups[group].name;
}

int recipe_find_phase(const recipe *r, const char *name)
{
    for (int i = 0; i < r->phase_count; i++)
        if (strcmp(r->phases[i].name, name) == 0)
            return i;
    return -1;
}

int recipe_averaged(const recipe *r, int phase, int epoch)
{
    const int epochs = schedule_epochs(&r->phases[phase].schedule);
    const int first = r->average < epochs ? epochs - r->average : 0;
    return phase + 1 == r->phase_count && r->average > 0 && epoch > first ? epoch - first : 0;
}

static words split_line(const char *line, size_t size)
{
    words s = {.count = 0};
    for (size_t i = 0; i < size && line[i] != '#';) {
        size_t start = i;
        while (i < size && !text_is_blank(line[i]) && line[i] != '#')
            i++;
        if (i > start) {
            if (s.count < WORDS)
                s.w[s.count] = (text_field){line + start, i - start};
            s.count++;
        } else {
            i++;
        }
    }
    return s;
}

/* ---------------------------------------------------------------- settings */

static int set_setting(recipe *r, int key, text_field value, error *e)
{
    recipe_word known[ARCHS + PRECISIONS] = {{0}};
    if (key == RECIPE_ARCH) {
        for (int i = 0; i < ARCHS; i++)
            known[i].name = arch_name((arch)i);
        int k = recipe_choose("arch", value, known, ARCHS, e);
        r->arch = k < 0 ? r->arch : (arch)k;
        return k < 0 ? ERR_INPUT : 0;
    }
    if (key == RECIPE_PRECISION) {
        for (int i = 0; i < PRECISIONS; i++)
            known[i] = recipe_precision((precision)i);
        int k = recipe_choose("precision", value, known, PRECISIONS, e);
        r->precision = k < 0 ? r->precision : (precision)k;
        return k < 0 ? ERR_INPUT : 0;
    }
    if (key == RECIPE_GIOU || key == RECIPE_SMOOTHING)
        return recipe_number(&recipe_lines[key], value, key == RECIPE_GIOU ? &r->giou : &r->smoothing, e);
    int64_t n;
    int code = recipe_whole(&recipe_lines[key], value, &n, e);
    if (code)
        return code;
    if (key == RECIPE_SIZE && n % 32)
        return fail(e, ERR_INPUT, "size %lld is not a multiple of 32", (long long)n);
    if (key == RECIPE_SIZE)
        r->size = (int)n;
    else if (key == RECIPE_BATCH)
        r->batch = (int)n;
    else if (key == RECIPE_AVERAGE)
        r->average = (int)n;
    else
        r->seed = (uint64_t)n;
    return 0;
}

/* ---------------------------------------------------------------- augmentations */

/* words[from..] are the numbers of augmentation `name`; appended to the list. */
static int add_augment(augment_list *list, text_field name, const words *s, size_t from, error *e)
{
    char copy[100];
    double numbers[WORDS];
    snprintf(copy, sizeof copy, "%.*s", text_shown(name), name.text);
    for (size_t i = from; i < s->count; i++)
        if (!text_double(s->w[i].text, s->w[i].size, &numbers[i - from]))
            return fail(e, ERR_INPUT, "augment %s: '%.*s' is not a number", copy, text_shown(s->w[i]), s->w[i].text);
    return augment_add(list, copy, numbers, (int)(s->count - from), e);
}

/* ---------------------------------------------------------------- phases */

static int set_rates(recipe_phase *p, const text_field *f, size_t count, error *e)
{
    if (count != 1 && count != GROUPS)
        return fail(e, ERR_INPUT, "lr takes one rate, or three (conv1 to layer2, layer3 and layer4, head)");
    double lr[GROUPS];
    for (size_t i = 0; i < GROUPS; i++) {
        int code = recipe_number(&recipe_phase_keys[PHASE_LR], f[count == 1 ? 0 : i], &lr[i], e);
        if (code)
            return code;
    }
    memcpy(p->lr, lr, sizeof lr);
    return 0;
}

/* One value of a phase, but for its rates. */
static int set_phase_value(recipe_phase *p, int key, text_field f, error *e)
{
    schedule *s = &p->schedule;
    int *const whole[PHASE_KEYS] = {[PHASE_CYCLES] = &s->cycles,
                                    [PHASE_LEN] = &s->length,
                                    [PHASE_MULT] = &s->mult,
                                    [PHASE_CUT] = &s->cut,
                                    [PHASE_EPOCHS] = &s->length};
    int64_t n;
    if (key == PHASE_FROM) {
        int k = recipe_choose("group", f, recipe_groups, GROUPS, e);
        p->from = k < 0 ? p->from : k;
        return k < 0 ? ERR_INPUT : 0;
    }
    if (key == PHASE_DIV)
        return recipe_number(&recipe_phase_keys[key], f, &s->div, e);
    int code = recipe_whole(&recipe_phase_keys[key], f, &n, e);
    if (!code)
        *whole[key] = (int)n;
    return code;
}

static void take_keyword(words *s, const char *wanted, error *e)
{
    if (s->code)
        return;
    if (s->at >= s->count)
        s->code = fail(e, ERR_INPUT, "the line ends where '%s' was expected", wanted);
    else if (!text_is(s->w[s->at], wanted))
        s->code =
            fail(e, ERR_INPUT, "'%s' was expected, not '%.*s'", wanted, text_shown(s->w[s->at]), s->w[s->at].text);
    s->at++;
}

/* The next word is the value of the phase's `key`. */
static void take_value(words *s, recipe_phase *p, int key, error *e)
{
    const recipe_word *k = &recipe_phase_keys[key];
    if (s->code)
        return;
    if (s->at >= s->count)
        s->code =
            fail(e, ERR_INPUT, "the line ends where the %s of '%s' was expected (%s)", k->argument, k->name, k->help);
    else
        s->code = set_phase_value(p, key, s->w[s->at++], e);
}

/* KEY VALUE */
static void take_pair(words *s, recipe_phase *p, int key, error *e)
{
    take_keyword(s, recipe_phase_keys[key].name, e);
    take_value(s, p, key, e);
}

/* As many numbers as there are. */
static void take_rates(words *s, recipe_phase *p, error *e)
{
    size_t count = 0;
    double number;
    while (s->at + count < s->count && text_double(s->w[s->at + count].text, s->w[s->at + count].size, &number))
        count++;
    if (!s->code)
        s->code = set_rates(p, s->w + s->at, count, e);
    s->at += count;
}

static int check_schedule(const schedule *s, error *e)
{
    return schedule_epochs(s) < 0 ? fail(e, ERR_INPUT, "the phase has more than a million epochs") : 0;
}

static void take_schedule(words *s, recipe_phase *p, error *e)
{
    if (s->code)
        return;
    if (s->at >= s->count) {
        s->code = fail(e, ERR_INPUT, "the line ends where a schedule (cosine … or triangular …) was expected");
        return;
    }
    int kind = recipe_choose("schedule", s->w[s->at++], recipe_schedules, RECIPE_SCHEDULES, e);
    s->code = kind < 0 ? ERR_INPUT : 0;
    p->schedule = (schedule){.kind = (schedule_kind)kind, .cycles = 1, .length = 1, .mult = 1, .div = 1, .cut = 1};
    if (kind == SCHEDULE_COSINE) {
        take_pair(s, p, PHASE_CYCLES, e);
        take_pair(s, p, PHASE_LEN, e);
        if (s->at < s->count)
            take_pair(s, p, PHASE_MULT, e);
    } else {
        take_value(s, p, PHASE_DIV, e);
        take_value(s, p, PHASE_CUT, e);
        take_pair(s, p, PHASE_EPOCHS, e);
    }
    if (!s->code)
        s->code = check_schedule(&p->schedule, e);
}

static bool phase_name_ok(text_field f)
{
    for (size_t i = 0; i < f.size; i++) {
        char c = f.text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return f.size < RECIPE_NAME;
}

/* phase NAME from GROUP lr A [B C] SCHEDULE */
static int add_phase(recipe *r, words *s, error *e)
{
    if (s->count < 2)
        return fail(e, ERR_INPUT, "a phase needs a name: phase %s", recipe_lines[RECIPE_PHASE].argument);
    if (!phase_name_ok(s->w[1]))
        return fail(e, ERR_INPUT, "phase name '%.*s' is not up to %d letters, digits, '-' or '_'", text_shown(s->w[1]),
                    s->w[1].text, RECIPE_NAME - 1);
    recipe_phase p = {.from = GROUP_HEAD};
    snprintf(p.name, sizeof p.name, "%.*s", (int)s->w[1].size, s->w[1].text);
    if (recipe_find_phase(r, p.name) >= 0)
        return fail(e, ERR_INPUT, "phase '%s' is there twice", p.name);
    if (r->phase_count == RECIPE_PHASES)
        return fail(e, ERR_INPUT, "more than %d phases", RECIPE_PHASES);
    s->at = 2;
    take_pair(s, &p, PHASE_FROM, e);
    take_keyword(s, recipe_phase_keys[PHASE_LR].name, e);
    take_rates(s, &p, e);
    take_schedule(s, &p, e);
    if (!s->code && s->at < s->count)
        s->code =
            fail(e, ERR_INPUT, "'%.*s' stands behind the end of the phase", text_shown(s->w[s->at]), s->w[s->at].text);
    if (!s->code)
        r->phases[r->phase_count++] = p;
    return s->code;
}

/* ---------------------------------------------------------------- whole recipes */

static int read_line(recipe *r, words *s, size_t number, size_t *seen, error *e)
{
    if (s->count > WORDS)
        return fail(e, ERR_INPUT, "more than %d words", WORDS);
    int k = recipe_choose("setting", s->w[0], recipe_lines, RECIPE_LINES, e);
    if (k < 0)
        return ERR_INPUT;
    if (k == RECIPE_PHASE)
        return add_phase(r, s, e);
    if (k == RECIPE_AUGMENT) {
        if (s->count < 2)
            return fail(e, ERR_INPUT, "augment needs a name: flip, rotate, lighting, crop, zoom or colour");
        return add_augment(&r->augments, s->w[1], s, 2, e);
    }
    if (s->count != 2)
        return fail(e, ERR_INPUT, "'%s' takes one value, not %zu", recipe_lines[k].name, s->count - 1);
    if (seen[k])
        return fail(e, ERR_INPUT, "'%s' was set on line %zu already", recipe_lines[k].name, seen[k]);
    seen[k] = number;
    return set_setting(r, k, s->w[1], e);
}

static const recipe defaults = {.arch = ARCH_RESNET34, .size = 224, .batch = 64, .precision = PRECISION_AUTO};

int recipe_parse(recipe *r, const char *name, const char *text, size_t size, error *e)
{
    *r = defaults;
    text_lines at = text_lines_of(text, size);
    const char *line;
    size_t length, seen[RECIPE_AUGMENT] = {0};
    while (text_line(&at, &line, &length)) {
        words s = split_line(line, length);
        error inner = {0};
        if (s.count && read_line(r, &s, at.number, seen, &inner))
            return fail(e, ERR_INPUT, "%s:%zu: %s", name, at.number, inner.text);
    }
    if (r->phase_count == 0)
        return fail(e, ERR_INPUT, "%s: no phase, nothing would be trained", name);
    return 0;
}

int recipe_of_checkpoint(recipe *r, const char *text, error *e)
{
    if (text && *text)
        return recipe_parse(r, "the checkpoint's recipe", text, strlen(text), e);
    *r = defaults;
    return 0;
}

int recipe_load(recipe *r, const char *path, error *e)
{
    file_view view;
    int code = file_open(&view, path, e);
    if (code)
        return code;
    code = recipe_parse(r, view.path, view.data, view.size, e);
    file_close(&view);
    return code;
}

/* ---------------------------------------------------------------- --set */

static int set_augment(recipe *r, text_field name, const words *values, error *e)
{
    augment_list changed = {.count = 0}, one = {.count = 0};
    bool none = values->count == 1 && text_is(values->w[0], "none"), found = false;
    int kind = recipe_choose("augmentation", name, recipe_augments, RECIPE_AUGMENTS, e);
    if (kind < 0)
        return ERR_INPUT;
    if (!none) {
        int code = add_augment(&one, name, values, 0, e);
        if (code)
            return code;
    }
    for (int i = 0; i < r->augments.count; i++) {
        bool hit = (int)r->augments.items[i].kind == kind;
        found = found || hit;
        if (!hit || !none)
            changed.items[changed.count++] = hit ? one.items[0] : r->augments.items[i];
    }
    if (!found && !none) {
        if (changed.count == AUGMENT_MAX)
            return fail(e, ERR_INPUT, "more than %d augmentations", AUGMENT_MAX);
        changed.items[changed.count++] = one.items[0];
    }
    r->augments = changed;
    return 0;
}

static int set_phase_key(recipe_phase *p, text_field key, const words *values, error *e)
{
    int k = recipe_choose("setting of a phase", key, recipe_phase_keys, PHASE_KEYS, e);
    if (k < 0)
        return ERR_INPUT;
    if (k == PHASE_LR)
        return set_rates(p, values->w, values->count, e);
    if (values->count != 1)
        return fail(e, ERR_INPUT, "'%s' takes one value, not %zu", recipe_phase_keys[k].name, values->count);
    if (k != PHASE_FROM && (k < PHASE_DIV) != (p->schedule.kind == SCHEDULE_COSINE))
        return fail(e, ERR_INPUT, "phase '%s' has a %s schedule, it has no '%s'", p->name,
                    recipe_schedules[p->schedule.kind].name, recipe_phase_keys[k].name);
    recipe_phase changed = *p;
    int code = set_phase_value(&changed, k, values->w[0], e);
    if (!code)
        code = check_schedule(&changed.schedule, e);
    if (!code)
        *p = changed;
    return code;
}

/* parts: phase NAME [KEY]. */
static int set_phase(recipe *r, const text_field *parts, size_t count, const words *values, error *e)
{
    recipe_word names[RECIPE_PHASES] = {{0}};
    for (int i = 0; i < r->phase_count; i++)
        names[i].name = r->phases[i].name;
    int at = recipe_choose("phase", parts[1], names, (size_t)r->phase_count, e);
    if (at < 0)
        return ERR_INPUT;
    if (count == 3)
        return set_phase_key(&r->phases[at], parts[2], values, e);
    if (values->count != 1 || !text_is(values->w[0], "none"))
        return fail(e, ERR_INPUT, "phase.NAME takes only 'none'; phase.NAME.lr and so on change a phase");
    if (r->phase_count == 1)
        return fail(e, ERR_INPUT, "the only phase cannot be dropped");
    memmove(&r->phases[at], &r->phases[at + 1], (size_t)(r->phase_count - at - 1) * sizeof r->phases[0]);
    r->phase_count--;
    return 0;
}

static int set_one(recipe *r, const char *assignment, error *e)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment || !equals[1])
        return fail(e, ERR_INPUT, "KEY=VALUE is needed, such as batch=32 or phase.all.lr=1e-5,1e-4,1e-3");
    text_field parts[3];
    size_t count = text_split(assignment, (size_t)(equals - assignment), '.', parts, 3);
    words values = {.count = text_split(equals + 1, strlen(equals + 1), ',', values.w, WORDS)};
    if (values.count > WORDS)
        return fail(e, ERR_INPUT, "more than %d values", WORDS);
    int k = recipe_choose("setting", parts[0], recipe_lines, RECIPE_LINES, e);
    if (k < 0)
        return ERR_INPUT;
    if (k == RECIPE_PHASE && (count == 2 || count == 3))
        return set_phase(r, parts, count, &values, e);
    if (k == RECIPE_AUGMENT && count == 2)
        return set_augment(r, parts[1], &values, e);
    if (k < RECIPE_AUGMENT && count == 1 && values.count == 1)
        return set_setting(r, k, values.w[0], e);
    return fail(e, ERR_INPUT, "%s",
                k == RECIPE_PHASE     ? "phase.NAME.KEY=VALUE is needed"
                : k == RECIPE_AUGMENT ? "augment.NAME=NUMBERS is needed"
                                      : "one key and one value are needed");
}

int recipe_set(recipe *r, const char *assignment, error *e)
{
    error inner = {0};
    return set_one(r, assignment, &inner) ? fail(e, ERR_USAGE, "%s", inner.text) : 0;
}

/* ---------------------------------------------------------------- canonical text */

/* " x" in the shortest form that reads back the same. */
static void add_number(text_buffer *b, double x)
{
    char text[HISTORY_NUMBER];
    history_shortest(x, text);
    if (text_ends_with(text, ".0"))
        text[strlen(text) - 2] = 0;
    text_add(b, " %s", text);
}

static void add_phase_text(text_buffer *b, const recipe_phase *p)
{
    const schedule *s = &p->schedule;
    int rates = p->lr[0] == p->lr[1] && p->lr[1] == p->lr[2] ? 1 : GROUPS;
    text_add(b, "phase %s from %s lr", p->name, group_name(p->from));
    for (int i = 0; i < rates; i++)
        add_number(b, p->lr[i]);
    text_add(b, " %s", recipe_schedules[s->kind].name);
    if (s->kind == SCHEDULE_COSINE) {
        text_add(b, " cycles %d len %d", s->cycles, s->length);
        if (s->mult != 1)
            text_add(b, " mult %d", s->mult);
    } else {
        add_number(b, s->div);
        text_add(b, " %d epochs %d", s->cut, s->length);
    }
    text_add(b, "\n");
}

static void add_setting(text_buffer *b, int key, double value)
{
    if (value == 0)
        return;
    text_add(b, "%s", recipe_lines[key].name);
    add_number(b, value);
    text_add(b, "\n");
}

int recipe_text(const recipe *r, text_buffer *b, error *e)
{
    text_add(b, "arch %s\nsize %d\nbatch %d\nseed %llu\nprecision %s\n", arch_name(r->arch), r->size, r->batch,
             (unsigned long long)r->seed, precision_name(r->precision));
    add_setting(b, RECIPE_GIOU, r->giou);
    add_setting(b, RECIPE_SMOOTHING, r->smoothing);
    add_setting(b, RECIPE_AVERAGE, r->average);
    for (int i = 0; i < r->augments.count; i++) {
        const augment *a = &r->augments.items[i];
        text_add(b, "augment %s", augment_name(a->kind));
        for (int k = 0; k < augment_numbers(a->kind); k++)
            add_number(b, a->numbers[k]);
        text_add(b, "\n");
    }
    for (int i = 0; i < r->phase_count; i++)
        add_phase_text(b, &r->phases[i]);
    return text_done(b, e);
}

/* ---------------------------------------------------------------- reference */

static void add_entry(text_buffer *b, const char *before, const recipe_word *w, const char *initial)
{
    char term[80], limits[64] = "", preset[48] = "";
    snprintf(term, sizeof term, "%s%s%s%s", before, w->name, *w->argument ? " " : "", w->argument);
    if (w->max > 0)
        recipe_limits(w, limits);
    if (*initial)
        snprintf(preset, sizeof preset, " [%s]", initial);
    text_add(b, "  %-42s %s%s%s%s\n", term, w->help, *limits ? ", " : "", limits, preset);
}

int recipe_reference(text_buffer *b, error *e)
{
    char size[16], batch[16], seed[24];
    snprintf(size, sizeof size, "%d", defaults.size);
    snprintf(batch, sizeof batch, "%d", defaults.batch);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)defaults.seed);
    const char *const initial[RECIPE_LINES] = {
        arch_name(defaults.arch), size, batch, seed, precision_name(defaults.precision), "0", "0", "0", "", ""};
    text_add(b, "Lines, '#' starts a comment\n");
    for (int i = 0; i < RECIPE_LINES; i++)
        add_entry(b, "", &recipe_lines[i], initial[i]);
    text_add(b, "\nprecision NAME\n");
    for (int i = 0; i < PRECISIONS; i++) {
        recipe_word w = recipe_precision((precision)i);
        add_entry(b, "", &w, "");
    }
    text_add(b, "\naugment NAME NUMBERS, applied in the order of the lines, at most %d\n", AUGMENT_MAX);
    for (int i = 0; i < RECIPE_AUGMENTS; i++)
        add_entry(b, "augment ", &recipe_augments[i], "");
    text_add(b, "\nGROUP of a phase; at most %d phases, a million epochs each\n", RECIPE_PHASES);
    for (int i = 0; i < GROUPS; i++)
        add_entry(b, "", &recipe_groups[i], "");
    text_add(b, "\nSCHEDULE of a phase\n");
    for (int i = 0; i < RECIPE_SCHEDULES; i++)
        add_entry(b, "", &recipe_schedules[i], "");
    text_add(b, "\n--set phase.NAME.KEY=VALUE, and the numbers of the schedules\n");
    for (int i = 0; i < PHASE_KEYS; i++)
        add_entry(b, "", &recipe_phase_keys[i], i == PHASE_MULT ? "1" : "");
    text_add(b, "\n--set KEY=VALUE for all other lines but phases; augment.NAME=NUMBERS, augment.NAME=none,\n"
                "phase.NAME=none\n");
    return text_done(b, e);
}
