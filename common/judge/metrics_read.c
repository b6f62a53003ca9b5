/* metrics.json read back, member by member; what read_member knows must all be there, once, and in its range. */
#include "base/json.h"
#include "judge/metrics.h"

#include <math.h>
#include <string.h>

/* The number behind a key, NaN for null; a share lies in [0, 1], others from 0 on. */
static int read_number(double *v, const json_reader *r, const char *key, bool is_share, error *e)
{
    int token = json_get(r, 0, key, e);
    if (e->code)
        return e->code;
    if (token < 0)
        return json_fail(r, e, "'%s' is missing", key);
    const jsmntok_t *t = &r->tokens[token];
    if (t->type == JSMN_PRIMITIVE && r->text[t->start] == 'n')
        *v = NAN;
    else if (!json_number(r, token, v) || *v < 0 || (is_share && *v > 1))
        return json_fail(r, e, "'%s' is no number %s, nor null", key, is_share ? "from 0 to 1" : "from 0 on");
    return 0;
}

/* {"value": number or null, "se": number or null} */
static int read_metric(metric *m, const json_reader *r, bool is_share, error *e)
{
    if (!r->token_count || r->index >= 0 || r->tokens[0].type != JSMN_OBJECT)
        return json_fail(r, e, "is no object with 'value' and 'se'");
    int code = read_number(&m->value, r, "value", is_share, e);
    return code ? code : read_number(&m->error, r, "se", is_share, e);
}

static int read_class(metrics *m, const json_reader *r, error *e)
{
    metrics_class c = {0};
    const struct {
        const char *key;
        size_t *value;
    } counts[] = {{"n", &c.n}, {"predicted", &c.predicted}, {"correct", &c.correct}};
    for (size_t i = 0; i < COUNT(counts); i++) {
        int64_t v;
        int token = json_get(r, 0, counts[i].key, e);
        if (e->code)
            return e->code;
        if (token < 0 || !json_whole(r, token, 0, INT64_MAX, &v))
            return json_fail(r, e, "'%s' is missing or no count", counts[i].key);
        *counts[i].value = (size_t)v;
    }
    if (c.correct > c.n || c.correct > c.predicted)
        return json_fail(r, e, "'correct' is more than 'n' or 'predicted'");
    read_number(&c.precision, r, "precision", true, e);
    for (int i = 0; i < METRICS && !e->code; i++) {
        c.of[i].error = NAN;
        read_number(&c.of[i].value, r, i == METRIC_ACCURACY ? "recall" : metric_names[i], i != METRIC_L1, e);
    }
    text_buffer name = {0};
    size_t number;
    int token = e->code ? -1 : json_get(r, 0, "name", e);
    if (!e->code && (token < 0 || !json_string(r, token, &name, e)))
        json_fail(r, e, "'name' is missing or no text");
    if (!e->code && !names_add(&m->class_names, name.data, name.size, &number, e) &&
        !mem_grow(&m->classes, &m->class_capacity, m->class_count + 1, sizeof c, "classes", e)) {
        c.name = m->class_names.items[number];
        m->classes[m->class_count++] = c;
    }
    text_free(&name);
    return e->code;
}

enum { N = METRICS, UNJUDGED, UNPREDICTED, FRAME, CLASSES, MEMBERS };

static const char *member_name(int i)
{
    static const char *const others[] = {"n", "unjudged", "unpredicted", "frame", "classes"};
    return i < METRICS ? metric_names[i] : others[i - METRICS];
}

static int read_member(metrics *m, const json_reader *r, bool seen[MEMBERS], error *e)
{
    size_t *const counts[] = {&m->n, &m->unjudged, &m->unpredicted, &m->frame};
    int i = 0;
    while (i < MEMBERS && !json_is_member(r, member_name(i)))
        i++;
    if (i == MEMBERS)
        return 0;
    if (seen[i] && r->index <= 0)
        return json_fail(r, e, "'%.*s' is there twice", (int)r->key.size, r->key.text);
    seen[i] = true;
    if (i == CLASSES)
        return r->index < 0 ? json_fail(r, e, "no array of classes") : read_class(m, r, e);
    if (i < METRICS)
        return read_metric(&m->of[i], r, i != METRIC_L1, e);
    int64_t v;
    const bool can_be_0 = i == UNJUDGED || i == UNPREDICTED;
    if (!r->token_count || r->index >= 0 || !json_whole(r, 0, can_be_0 ? 0 : 1, INT64_MAX, &v))
        return json_fail(r, e, can_be_0 ? "is no count" : "is not a whole number from 1 on");
    *counts[i - METRICS] = (size_t)v;
    return 0;
}

int metrics_read(metrics *m, const char *path, error *e)
{
    json_reader r;
    bool seen[MEMBERS] = {false};
    *m = (metrics){0};
    int code = json_open(&r, path, e);
    while (!code && json_next(&r, e))
        code = read_member(m, &r, seen, e);
    for (int i = 0; i < MEMBERS && !e->code; i++)
        if (!seen[i] && i != UNJUDGED && i != UNPREDICTED)
            fail(e, ERR_INPUT, "%s: '%s' is missing", r.view.path, member_name(i));
    json_close(&r);
    return e->code;
}

int metrics_check(const char *path, error *e)
{
    metrics m;
    int code = metrics_read(&m, path, e);
    metrics_free(&m);
    return code;
}
