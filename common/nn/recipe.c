#include "nn/recipe.h"

#include "base/file.h"
#include "nn/history.h"

#include <stdio.h>
#include <string.h>

/* Words of one line, and of one --set value. */
enum { WORDS = 24 };

typedef struct words {
    text_field w[WORDS];
    size_t count; /* also counts what has no room */
    size_t at;    /* the next one to be read */
} words;

/* First words of lines and of --set keys; those before AUGMENT are settings with one value. */
static const char *const lines[] = {"arch", "size", "batch", "seed", "precision", "augment", "phase"};
enum { ARCH, SIZE, BATCH, SEED, PRECISION, AUGMENT, PHASE };
static const char *const groups[GROUPS] = {"conv1", "layer3", "head"};
static const char *const schedules[] = {"cosine", "triangular"};
static const char *const precisions[] = {"fp32", "bf16", "auto", "tf32", "fp16"};
/* Keys of --set phase.NAME.KEY; CYCLES to MULT belong to cosine, DIV and behind to triangular. */
enum { LR, FROM, CYCLES, LEN, MULT, DIV, CUT, EPOCHS };
static const char *const phase_keys[] = {"lr", "from", "cycles", "len", "mult", "div", "cut", "epochs"};

const char *group_name(int group)
{
    return groups[group];
}

const char *precision_name(precision p)
{
    return precisions[p];
}

int recipe_find_phase(const recipe *r, const char *name)
{
    for (int i = 0; i < r->phase_count; i++)
        if (strcmp(r->phases[i].name, name) == 0)
            return i;
    return -1;
}

/* ---------------------------------------------------------------- words */

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static words split_line(const char *line, size_t size)
{
    words s = {.count = 0};
    for (size_t i = 0; i < size && line[i] != '#';) {
        size_t start = i;
        while (i < size && !blank(line[i]) && line[i] != '#')
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

static int short_text(text_field f)
{
    return f.size > 60 ? 60 : (int)f.size;
}

/* "unknown WHAT 'word'", with the nearest of the known ones or all of them. */
static int unknown(const char *what, text_field word, const char *const *known, size_t count, error *e)
{
    char copy[64], all[200] = "";
    snprintf(copy, sizeof copy, "%.*s", short_text(word), word.text);
    const char *near = text_nearest(copy, known, count);
    if (near)
        return fail(e, ERR_INPUT, "unknown %s '%s', did you mean '%s'?", what, copy, near);
    for (size_t i = 0, n = 0; i < count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", known[i]);
    return fail(e, ERR_INPUT, "unknown %s '%s' (known: %s)", what, copy, all);
}

/* The word's index among the known ones; -1 with e set. */
static int choose(const char *what, text_field word, const char *const *known, size_t count, error *e)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(word, known[i]))
            return (int)i;
    unknown(what, word, known, count, e);
    return -1;
}

static int whole_number(const char *what, text_field f, int64_t min, int64_t max, int64_t *value, error *e)
{
    if (text_int(f.text, f.size, min, max, value))
        return 0;
    return fail(e, ERR_INPUT, "%s '%.*s' is not a whole number within %lld..%lld", what, short_text(f),
                f.text, (long long)min, (long long)max);
}

static int small_number(const char *what, text_field f, int max, int *value, error *e)
{
    int64_t v;
    int code = whole_number(what, f, 1, max, &v, e);
    if (!code)
        *value = (int)v;
    return code;
}

/* ---------------------------------------------------------------- settings */

static int set_setting(recipe *r, int key, text_field value, error *e)
{
    int64_t n;
    int code, k;
    switch (key) {
    case ARCH: {
        const char *names[ARCHS];
        for (int i = 0; i < ARCHS; i++)
            names[i] = arch_name((arch)i);
        if ((k = choose("arch", value, names, ARCHS, e)) < 0)
            return ERR_INPUT;
        r->arch = (arch)k;
        return 0;
    }
    case SIZE:
        if ((code = whole_number("size", value, 32, 2048, &n, e)))
            return code;
        if (n % 32)
            return fail(e, ERR_INPUT, "size %lld is not a multiple of 32", (long long)n);
        r->size = (int)n;
        return 0;
    case BATCH:
        return small_number("batch", value, 65536, &r->batch, e);
    case SEED:
        if ((code = whole_number("seed", value, 0, INT64_MAX, &n, e)))
            return code;
        r->seed = (uint64_t)n;
        return 0;
    default:
        if ((k = choose("precision", value, precisions, COUNT(precisions), e)) < 0)
            return ERR_INPUT;
        r->precision = (precision)k;
        return 0;
    }
}

/* ---------------------------------------------------------------- augmentations */

/* words[from..] are the numbers of augmentation `name`; appended to the list. */
static int add_augment(augment_list *list, text_field name, const words *s, size_t from, error *e)
{
    char copy[64];
    double numbers[WORDS];
    snprintf(copy, sizeof copy, "%.*s", short_text(name), name.text);
    for (size_t i = from; i < s->count; i++)
        if (!text_double(s->w[i].text, s->w[i].size, &numbers[i - from]))
            return fail(e, ERR_INPUT, "augment %s: '%.*s' is not a number", copy, short_text(s->w[i]),
                        s->w[i].text);
    return augment_add(list, copy, numbers, (int)(s->count - from), e);
}

/* ---------------------------------------------------------------- phases */

static int set_rates(recipe_phase *p, const text_field *f, size_t count, error *e)
{
    if (count != 1 && count != GROUPS)
        return fail(e, ERR_INPUT, "lr takes one rate, or three (conv1 to layer2, layer3 and layer4, head)");
    double lr[GROUPS];
    for (size_t i = 0; i < GROUPS; i++) {
        text_field one = f[count == 1 ? 0 : i];
        if (!text_double(one.text, one.size, &lr[i]) || lr[i] < 0 || lr[i] > 1e6)
            return fail(e, ERR_INPUT, "lr '%.*s' is not a number within 0..1e6", short_text(one), one.text);
    }
    memcpy(p->lr, lr, sizeof lr);
    return 0;
}

static int set_from(recipe_phase *p, text_field f, error *e)
{
    int k = choose("group", f, groups, GROUPS, e);
    if (k < 0)
        return ERR_INPUT;
    p->from = k;
    return 0;
}

static int set_div(schedule *s, text_field f, error *e)
{
    if (!text_double(f.text, f.size, &s->div) || s->div < 1 || s->div > 1e9)
        return fail(e, ERR_INPUT, "div '%.*s' is not a number within 1..1e9", short_text(f), f.text);
    return 0;
}

static int set_count(schedule *s, const char *key, text_field f, error *e)
{
    if (strcmp(key, "cycles") == 0)
        return small_number(key, f, 1000, &s->cycles, e);
    if (strcmp(key, "mult") == 0)
        return small_number(key, f, 16, &s->mult, e);
    if (strcmp(key, "cut") == 0)
        return small_number(key, f, 1000000, &s->cut, e);
    return small_number(key, f, 1000000, &s->length, e); /* len, epochs */
}

/* The next word must be `wanted`. */
static int need_word(words *s, const char *wanted, error *e)
{
    if (s->at < s->count && text_is(s->w[s->at], wanted)) {
        s->at++;
        return 0;
    }
    if (s->at < s->count)
        return fail(e, ERR_INPUT, "'%s' was expected, not '%.*s'", wanted, short_text(s->w[s->at]),
                    s->w[s->at].text);
    return fail(e, ERR_INPUT, "the line ends where '%s' was expected", wanted);
}

/* `KEY number`. */
static int need_count(words *s, schedule *sch, const char *key, error *e)
{
    int code = need_word(s, key, e);
    if (code)
        return code;
    if (s->at >= s->count)
        return fail(e, ERR_INPUT, "the line ends where the number of '%s' was expected", key);
    return set_count(sch, key, s->w[s->at++], e);
}

static int read_schedule(schedule *sch, words *s, error *e)
{
    if (s->at >= s->count)
        return fail(e, ERR_INPUT, "the line ends where a schedule (cosine … or triangular …) was expected");
    int code, kind = choose("schedule", s->w[s->at], schedules, COUNT(schedules), e);
    if (kind < 0)
        return ERR_INPUT;
    s->at++;
    *sch = (schedule){.kind = (schedule_kind)kind, .cycles = 1, .length = 1, .mult = 1, .div = 1, .cut = 1};
    if (kind == SCHEDULE_COSINE) {
        if ((code = need_count(s, sch, "cycles", e)) || (code = need_count(s, sch, "len", e)))
            return code;
        return s->at < s->count ? need_count(s, sch, "mult", e) : 0;
    }
    if (s->at + 2 > s->count)
        return fail(e, ERR_INPUT, "triangular needs two numbers: triangular DIV CUT epochs N");
    if ((code = set_div(sch, s->w[s->at++], e)) || (code = set_count(sch, "cut", s->w[s->at++], e)))
        return code;
    return need_count(s, sch, "epochs", e);
}

static int check_schedule(const schedule *s, error *e)
{
    return schedule_epochs(s) < 0 ? fail(e, ERR_INPUT, "the phase has more than a million epochs") : 0;
}

static int phase_name_ok(text_field f)
{
    if (f.size >= RECIPE_NAME)
        return 0;
    for (size_t i = 0; i < f.size; i++) {
        char c = f.text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_'))
            return 0;
    }
    return 1;
}

/* phase NAME from GROUP lr A [B C] SCHEDULE */
static int add_phase(recipe *r, words *s, error *e)
{
    if (s->count < 2)
        return fail(e, ERR_INPUT, "a phase needs a name: phase NAME from GROUP lr A [B C] SCHEDULE");
    if (!phase_name_ok(s->w[1]))
        return fail(e, ERR_INPUT, "phase name '%.*s' is not up to %d letters, digits, '-' or '_'",
                    short_text(s->w[1]), s->w[1].text, RECIPE_NAME - 1);
    recipe_phase p = {.from = GROUP_HEAD};
    snprintf(p.name, sizeof p.name, "%.*s", (int)s->w[1].size, s->w[1].text);
    if (recipe_find_phase(r, p.name) >= 0)
        return fail(e, ERR_INPUT, "phase '%s' is there twice", p.name);
    if (r->phase_count == RECIPE_PHASES)
        return fail(e, ERR_INPUT, "more than %d phases", RECIPE_PHASES);
    s->at = 2;
    int code = need_word(s, "from", e);
    if (code)
        return code;
    if (s->at >= s->count)
        return fail(e, ERR_INPUT, "the line ends where a group (head, layer3 or conv1) was expected");
    if ((code = set_from(&p, s->w[s->at++], e)) || (code = need_word(s, "lr", e)))
        return code;
    size_t rates = 0;
    double number;
    while (s->at + rates < s->count &&
           text_double(s->w[s->at + rates].text, s->w[s->at + rates].size, &number))
        rates++;
    if ((code = set_rates(&p, s->w + s->at, rates, e)))
        return code;
    s->at += rates;
    if ((code = read_schedule(&p.schedule, s, e)) || (code = check_schedule(&p.schedule, e)))
        return code;
    if (s->at < s->count)
        return fail(e, ERR_INPUT, "'%.*s' stands behind the end of the phase", short_text(s->w[s->at]),
                    s->w[s->at].text);
    r->phases[r->phase_count++] = p;
    return 0;
}

/* ---------------------------------------------------------------- whole recipes */

static int read_line(recipe *r, words *s, size_t number, size_t *seen, error *e)
{
    if (s->count > WORDS)
        return fail(e, ERR_INPUT, "more than %d words", WORDS);
    int k = choose("setting", s->w[0], lines, COUNT(lines), e);
    if (k < 0)
        return ERR_INPUT;
    if (k == PHASE)
        return add_phase(r, s, e);
    if (k == AUGMENT) {
        if (s->count < 2)
            return fail(e, ERR_INPUT, "augment needs a name: flip, rotate or lighting");
        return add_augment(&r->augments, s->w[1], s, 2, e);
    }
    if (s->count != 2)
        return fail(e, ERR_INPUT, "'%s' takes one value, not %zu", lines[k], s->count - 1);
    if (seen[k])
        return fail(e, ERR_INPUT, "'%s' was set on line %zu already", lines[k], seen[k]);
    seen[k] = number;
    return set_setting(r, k, s->w[1], e);
}

static const recipe defaults = {.arch = ARCH_RESNET34, .size = 224, .batch = 64, .precision = PRECISION_AUTO};

int recipe_parse(recipe *r, const char *name, const char *text, size_t size, error *e)
{
    *r = defaults;
    text_lines at = text_lines_of(text, size);
    const char *line;
    size_t length, seen[AUGMENT] = {0};
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

int recipe_check(const char *path, error *e)
{
    recipe r;
    return recipe_load(&r, path, e);
}

/* ---------------------------------------------------------------- --set */

static int set_augment(recipe *r, text_field name, const words *values, error *e)
{
    augment_list changed = {.count = 0}, one = {.count = 0};
    bool none = values->count == 1 && text_is(values->w[0], "none"), found = false;
    const char *names[] = {augment_name(AUGMENT_FLIP), augment_name(AUGMENT_ROTATE),
                           augment_name(AUGMENT_LIGHTING)};
    int kind = choose("augmentation", name, names, COUNT(names), e);
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
    int k = choose("setting of a phase", key, phase_keys, COUNT(phase_keys), e);
    if (k < 0)
        return ERR_INPUT;
    if (k == LR)
        return set_rates(p, values->w, values->count, e);
    if (values->count != 1)
        return fail(e, ERR_INPUT, "'%s' takes one value, not %zu", phase_keys[k], values->count);
    if (k == FROM)
        return set_from(p, values->w[0], e);
    if ((k < DIV) != (p->schedule.kind == SCHEDULE_COSINE))
        return fail(e, ERR_INPUT, "phase '%s' has a %s schedule, it has no '%s'", p->name,
                    schedules[p->schedule.kind], phase_keys[k]);
    recipe_phase changed = *p;
    int code = k == DIV ? set_div(&changed.schedule, values->w[0], e)
                        : set_count(&changed.schedule, phase_keys[k], values->w[0], e);
    if (!code)
        code = check_schedule(&changed.schedule, e);
    if (!code)
        *p = changed;
    return code;
}

/* parts: phase NAME [KEY]. */
static int set_phase(recipe *r, const text_field *parts, size_t count, const words *values, error *e)
{
    const char *names[RECIPE_PHASES];
    for (int i = 0; i < r->phase_count; i++)
        names[i] = r->phases[i].name;
    int at = choose("phase", parts[1], names, (size_t)r->phase_count, e);
    if (at < 0)
        return ERR_INPUT;
    if (count == 3)
        return set_phase_key(&r->phases[at], parts[2], values, e);
    if (values->count != 1 || !text_is(values->w[0], "none"))
        return fail(e, ERR_INPUT, "phase.NAME takes only 'none'; phase.NAME.lr and so on change a phase");
    if (r->phase_count == 1)
        return fail(e, ERR_INPUT, "the only phase can't be dropped");
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
    int k = choose("setting", parts[0], lines, COUNT(lines), e);
    if (k < 0)
        return ERR_INPUT;
    if (k == PHASE && (count == 2 || count == 3))
        return set_phase(r, parts, count, &values, e);
    if (k == AUGMENT && count == 2)
        return set_augment(r, parts[1], &values, e);
    if (k < AUGMENT && count == 1 && values.count == 1)
        return set_setting(r, k, values.w[0], e);
    return fail(e, ERR_INPUT, "%s",
                k == PHASE     ? "phase.NAME.KEY=VALUE is needed"
                : k == AUGMENT ? "augment.NAME=NUMBERS is needed"
                               : "one key and one value are needed");
}

int recipe_set(recipe *r, const char *assignment, error *e)
{
    error inner = {0};
    return set_one(r, assignment, &inner) ? fail(e, ERR_USAGE, "%s", inner.text) : 0;
}

/* ---------------------------------------------------------------- canonical text */

/* " x" in the shortest form that reads back the same. */
static int put_number(text_buffer *b, double x, error *e)
{
    char text[HISTORY_NUMBER];
    history_shortest(x, text);
    size_t n = strlen(text);
    if (n > 2 && strcmp(text + n - 2, ".0") == 0)
        text[n - 2] = 0;
    return text_append(b, e, " %s", text);
}

static int put_phase(const recipe_phase *p, text_buffer *b, error *e)
{
    const schedule *s = &p->schedule;
    int rates = p->lr[0] == p->lr[1] && p->lr[1] == p->lr[2] ? 1 : GROUPS;
    int code = text_append(b, e, "phase %s from %s lr", p->name, groups[p->from]);
    for (int i = 0; i < rates && !code; i++)
        code = put_number(b, p->lr[i], e);
    if (code)
        return code;
    if (s->kind == SCHEDULE_COSINE) {
        code = text_append(b, e, " cosine cycles %d len %d", s->cycles, s->length);
        if (!code && s->mult != 1)
            code = text_append(b, e, " mult %d", s->mult);
    } else {
        code = text_append(b, e, " triangular");
        if (!code)
            code = put_number(b, s->div, e);
        if (!code)
            code = text_append(b, e, " %d epochs %d", s->cut, s->length);
    }
    return code ? code : text_append(b, e, "\n");
}

int recipe_text(const recipe *r, text_buffer *b, error *e)
{
    int code = text_append(b, e, "arch %s\nsize %d\nbatch %d\nseed %llu\nprecision %s\n", arch_name(r->arch),
                           r->size, r->batch, (unsigned long long)r->seed, precision_name(r->precision));
    for (int i = 0; i < r->augments.count && !code; i++) {
        const augment *a = &r->augments.items[i];
        code = text_append(b, e, "augment %s", augment_name(a->kind));
        for (int k = 0; k < augment_numbers(a->kind) && !code; k++)
            code = put_number(b, a->numbers[k], e);
        if (!code)
            code = text_append(b, e, "\n");
    }
    for (int i = 0; i < r->phase_count && !code; i++)
        code = put_phase(&r->phases[i], b, e);
    return code;
}
