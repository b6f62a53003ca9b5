/* A big JSON file is read in three steps. The walk through the file (json_next) knows brackets and quotes only and
 * finds where one record ends; jsmn makes tokens of that record; check_grammar then holds the tokens and the text
 * between them to RFC 8259, which jsmn does not. What has been walked is given back to the system (drop_pages), so
 * that a file may be bigger than memory. Strings and numbers themselves are in json_text.c. */
#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#define JSMN_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <jsmn.h>
#pragma GCC diagnostic pop

#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---------------------------------------------------------------- errors */

int json_fail(const json_reader *r, error *e, const char *format, ...)
{
    char text[500], element[32] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->index >= 0)
        snprintf(element, sizeof element, "[%lld]", (long long)r->index);
    size_t byte = (size_t)((r->text ? r->text : r->at) - r->view.data);
    return fail(e, ERR_INPUT, "%s: byte %zu%s%.*s%s: %s", r->view.path, byte, r->key.size ? ", " : "",
                text_shown(r->key), r->key.size ? r->key.text : "", element, text);
}

/* A failure of the walk, at a place rather than in a record. */
static bool fail_at(json_reader *r, const char *at, const char *what, error *e)
{
    if (at >= r->end)
        fail(e, ERR_INPUT, "%s: byte %zu: the file ends too early (%s)", r->view.path, r->view.size, what);
    else
        fail(e, ERR_INPUT, "%s: byte %zu: %s", r->view.path, (size_t)(at - r->view.data), what);
    return false;
}

/* ---------------------------------------------------------------- the walk through the file */

enum { WALK_FIRST_KEY, WALK_NEXT_KEY, WALK_FIRST_ELEMENT, WALK_NEXT_ELEMENT, WALK_END };

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(json_reader *r)
{
    while (r->at < r->end && is_space(*r->at))
        r->at++;
}

/* The end of the value that begins at `at`, found from brackets and quotes alone; NULL when there is none. */
static const char *value_end(json_reader *r, const char *at, error *e)
{
    static const unsigned char special[256] = {['"'] = 1, ['['] = 2, ['{'] = 2, [']'] = 3, ['}'] = 3};
    const char *end = r->end, *p = at;
    int depth = 0;
    if (p < end && *p != '"' && *p != '[' && *p != '{') {
        while (p < end && !is_space(*p) && *p != ',' && *p != ']' && *p != '}')
            p++;
        if (p == end || p == at)
            fail_at(r, p, "a value is expected here", e);
        return p == end || p == at ? NULL : p;
    }
    for (; p < end; p++) {
        switch (special[(unsigned char)*p]) {
        case 1:
            p = json_string_end(p + 1, end);
            break;
        case 2:
            if (++depth > JSON_DEPTH_MAX - 2) {
                fail_at(r, p, "brackets are nested too deeply (more than 64 levels)", e);
                return NULL;
            }
            break;
        case 3:
            depth--;
            break;
        default:
            continue;
        }
        if (depth == 0 && p < end)
            return p + 1;
    }
    fail_at(r, end, "a bracket or quote is not closed", e);
    return NULL;
}

int json_open(json_reader *r, const char *path, error *e)
{
    *r = (json_reader){.index = -1};
    int code = file_open(&r->view, path, e);
    if (code)
        return code;
    r->at = r->view.data ? r->view.data : "";
    r->end = r->at + r->view.size;
    if (r->view.size >= 3 && memcmp(r->at, "\xef\xbb\xbf", 3) == 0)
        r->at += 3; /* a byte order mark */
    skip_space(r);
    if (r->at == r->end)
        return fail(e, ERR_INPUT, "%s: is empty, JSON is needed", r->view.path);
    if (*r->at != '{')
        return fail(e, ERR_INPUT, "%s: byte %zu: no JSON object: '{' is expected", r->view.path,
                    (size_t)(r->at - r->view.data));
    r->at++;
    r->state = WALK_FIRST_KEY;
    return 0;
}

void json_close(json_reader *r)
{
    file_close(&r->view);
    free(r->tokens);
    *r = (json_reader){0};
}

/* Gives back the pages that lie behind us, so that a file bigger than memory can be read. */
static void drop_pages(json_reader *r)
{
    const size_t step = (size_t)32 << 20;
    size_t done = (size_t)(r->text - r->view.data);
    if (r->view.watch && done - r->dropped >= 2 * step) {
        size_t size = (done - r->dropped - step) / step * step;
        char *from = (char *)(uintptr_t)r->view.data + r->dropped;
        madvise(from, size, MADV_DONTNEED); /* of a mapping that is never written: read again if needed */
        r->dropped += size;
    }
}

static int tokenise(json_reader *r, error *e);

/* One record [at, end of value); moves behind it. */
static bool take_record(json_reader *r, error *e)
{
    const char *end = value_end(r, r->at, e);
    if (!end)
        return false;
    r->text = r->at;
    r->size = (size_t)(end - r->at);
    r->at = end;
    if (r->size > JSON_RECORD_MAX) {
        json_fail(r, e, "one value of %zu bytes; more than 16 MiB are refused", r->size);
        return false;
    }
    drop_pages(r);
    return tokenise(r, e) == 0;
}

/* `"name" :` of the next member. */
static bool take_key(json_reader *r, error *e)
{
    if (r->at == r->end || *r->at != '"')
        return fail_at(r, r->at, "the name of a member in quotes is expected", e);
    const char *start = r->at + 1, *stop = json_string_end(start, r->end);
    if (stop == r->end)
        return fail_at(r, stop, "a quote is not closed", e);
    if (json_bad_string(start, (size_t)(stop - start)))
        return fail_at(r, start, "a control character, or bytes that are not UTF-8, in a name", e);
    r->key = (text_field){start, (size_t)(stop - start)};
    r->at = stop + 1;
    skip_space(r);
    if (r->at == r->end || *r->at != ':')
        return fail_at(r, r->at, "':' is expected behind the name", e);
    r->at++;
    skip_space(r);
    return true;
}

static bool end_of_object(json_reader *r, error *e)
{
    r->at++;
    skip_space(r);
    r->state = WALK_END;
    return r->at == r->end ? false : fail_at(r, r->at, "text behind the end of the JSON object", e);
}

bool json_next(json_reader *r, error *e)
{
    r->text = NULL;
    while (r->state != WALK_END) {
        const bool first = r->state == WALK_FIRST_KEY || r->state == WALK_FIRST_ELEMENT;
        const bool in_array = r->state == WALK_FIRST_ELEMENT || r->state == WALK_NEXT_ELEMENT;
        skip_space(r);
        const char c = r->at < r->end ? *r->at : 0;
        if (!in_array) {
            r->key = (text_field){0};
            r->index = -1;
            if (c == '}')
                return end_of_object(r, e);
        } else if (c == ']') {
            r->at++;
            r->state = WALK_NEXT_KEY;
            if (!first)
                continue;
            r->text = r->at;
            r->size = r->token_count = 0;
            return true;
        }
        if (!first) {
            if (c != ',')
                return fail_at(r, r->at, in_array ? "',' or ']' is expected" : "',' or '}' is expected", e);
            r->at++;
            skip_space(r);
        }
        if (in_array)
            r->index++;
        else if (!take_key(r, e))
            return false;
        r->state = in_array ? WALK_NEXT_ELEMENT : WALK_NEXT_KEY;
        if (in_array || r->at == r->end || *r->at != '[')
            return take_record(r, e);
        r->at++;
        r->state = WALK_FIRST_ELEMENT;
    }
    return false;
}

/* ---------------------------------------------------------------- what jsmn lets through */

static bool valid_primitive(const char *p, size_t size)
{
    return (size == 4 && (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0)) ||
           (size == 5 && memcmp(p, "false", 5) == 0) || json_number_valid(p, size);
}

enum { EXPECT_FIRST, EXPECT_KEY, EXPECT_COLON, EXPECT_VALUE, EXPECT_AFTER };

typedef struct grammar {
    jsmntype_t open[JSON_DEPTH_MAX + 1]; /* kinds of the brackets around this place; [0] is the outside */
    int depth, expect;
} grammar;

/* The text between two tokens: blanks, commas, colons and closing brackets, each where it may stand. */
static bool walk_gap(grammar *g, const char *p, const char *end)
{
    for (; p < end; p++) {
        const bool after = g->expect == EXPECT_AFTER && g->depth > 0;
        if (is_space(*p)) {
            continue;
        } else if (*p == ',' && after) {
            g->expect = g->open[g->depth] == JSMN_OBJECT ? EXPECT_KEY : EXPECT_VALUE;
        } else if (*p == ':' && g->expect == EXPECT_COLON) {
            g->expect = EXPECT_VALUE;
        } else if ((after || g->expect == EXPECT_FIRST) && (*p == ']' || *p == '}') &&
                   g->open[g->depth] == (*p == '}' ? JSMN_OBJECT : JSMN_ARRAY)) {
            g->depth--;
            g->expect = EXPECT_AFTER;
        } else {
            return false;
        }
    }
    return true;
}

static bool walk_token(grammar *g, const char *text, const jsmntok_t *t)
{
    bool in_object = g->open[g->depth] == JSMN_OBJECT;
    if (t->type == JSMN_STRING && (g->expect == EXPECT_KEY || (g->expect == EXPECT_FIRST && in_object))) {
        g->expect = EXPECT_COLON;
        return true;
    }
    if (g->expect != EXPECT_VALUE && !(g->expect == EXPECT_FIRST && !in_object))
        return false;
    g->expect = EXPECT_AFTER;
    if (t->type == JSMN_PRIMITIVE)
        return valid_primitive(text + t->start, (size_t)(t->end - t->start));
    if (t->type == JSMN_OBJECT || t->type == JSMN_ARRAY) {
        if (g->depth == JSON_DEPTH_MAX)
            return false;
        g->open[++g->depth] = t->type;
        g->expect = EXPECT_FIRST;
    }
    return true;
}

/* How much of the record to show from `at` on. */
static int near(const json_reader *r, const char *at)
{
    ptrdiff_t left = r->text + r->size - at;
    return left < 20 ? (int)left : 20;
}

static int check_grammar(json_reader *r, error *e)
{
    grammar g = {.expect = EXPECT_VALUE};
    const char *at = r->text;
    for (size_t i = 0; i < r->token_count; i++) {
        const jsmntok_t *t = &r->tokens[i];
        bool string = t->type == JSMN_STRING, opens = t->type == JSMN_OBJECT || t->type == JSMN_ARRAY;
        const char *start = r->text + t->start - (string ? 1 : 0);
        if (!walk_gap(&g, at, start) || !walk_token(&g, r->text, t))
            return json_fail(r, e, "no valid JSON near '%.*s'", near(r, start), start);
        const char *wrong = string ? json_bad_string(r->text + t->start, (size_t)(t->end - t->start)) : NULL;
        if (wrong)
            return json_fail(r, e, "%s in a string", wrong);
        at = r->text + (opens ? t->start + 1 : string ? t->end + 1 : t->end);
    }
    if (!walk_gap(&g, at, r->text + r->size) || g.depth != 0 || g.expect != EXPECT_AFTER)
        return json_fail(r, e, "no valid JSON: brackets, commas or values do not fit together");
    return 0;
}

static int tokenise(json_reader *r, error *e)
{
    if (memchr(r->text, 0, r->size))
        return json_fail(r, e, "a NUL character");
    if (*r->text != '{' && *r->text != '[' && *r->text != '"') { /* jsmn has no bare values */
        if (!valid_primitive(r->text, r->size))
            return json_fail(r, e, "'%.*s' is no JSON value", near(r, r->text), r->text);
        if (mem_grow(&r->tokens, &r->token_capacity, 1, sizeof *r->tokens, "JSON tokens", e))
            return ERR_SYSTEM;
        r->tokens[0] = (jsmntok_t){.type = JSMN_PRIMITIVE, .end = (int)r->size, .parent = -1};
        r->token_count = 1;
        return 0;
    }
    jsmn_parser parser;
    jsmn_init(&parser);
    int n = JSMN_ERROR_NOMEM;
    for (size_t want = 64; n == JSMN_ERROR_NOMEM; want = r->token_capacity + 1) {
        if (mem_grow(&r->tokens, &r->token_capacity, want, sizeof *r->tokens, "JSON tokens", e))
            return ERR_SYSTEM;
        /* goes on where it was */
        n = jsmn_parse(&parser, r->text, r->size, r->tokens, (unsigned)r->token_capacity);
    }
    if (n < 1)
        return json_fail(r, e, "no valid JSON (near byte %u of this value)", parser.pos);
    r->token_count = parser.toknext;
    return check_grammar(r, e);
}

/* ---------------------------------------------------------------- looking into a record */

/* The token's text as it stands in the file; of a string what is between the quotes. */
static text_field token_text(const json_reader *r, int token)
{
    const jsmntok_t *t = &r->tokens[token];
    return (text_field){r->text + t->start, (size_t)(t->end - t->start)};
}

bool json_is_member(const json_reader *r, const char *name)
{
    return text_is(r->key, name);
}

int json_after(const json_reader *r, int token)
{
    const jsmntok_t *t = &r->tokens[token];
    if (t->type == JSMN_PRIMITIVE || t->type == JSMN_STRING)
        return token + 1 + t->size;                  /* size 1: a key, whose value follows */
    int low = token + 1, high = (int)r->token_count; /* the first token that starts behind this one's end */
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (r->tokens[middle].start < t->end)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int json_get(const json_reader *r, int object, const char *name, error *e)
{
    if ((size_t)object >= r->token_count || r->tokens[object].type != JSMN_OBJECT)
        return -1;
    const size_t size = strlen(name);
    int found = -1;
    for (int key = object + 1; (size_t)key < r->token_count && r->tokens[key].parent == object;
         key = json_after(r, key + 1)) {
        const text_field t = token_text(r, key);
        if (t.size != size || memcmp(t.text, name, size) != 0)
            continue;
        if (found >= 0) {
            json_fail(r, e, "'%s' is there twice", name);
            return -1;
        }
        found = key + 1;
    }
    return found;
}

bool json_number(const json_reader *r, int token, double *value)
{
    const text_field t = token_text(r, token);
    return r->tokens[token].type == JSMN_PRIMITIVE && text_double(t.text, t.size, value);
}

bool json_whole(const json_reader *r, int token, int64_t min, int64_t max, int64_t *value)
{
    const text_field t = token_text(r, token);
    if (r->tokens[token].type == JSMN_PRIMITIVE && text_int(t.text, t.size, min, max, value))
        return true;
    double real; /* only for 12.0 and 1e3: digits alone that text_int refused are out of range */
    if (!memchr(t.text, '.', t.size) && !memchr(t.text, 'e', t.size) && !memchr(t.text, 'E', t.size))
        return false;
    if (!json_number(r, token, &real) || real != floor(real) || fabs(real) >= 0x1p53 || real < (double)min ||
        real > (double)max)
        return false;
    *value = (int64_t)real;
    return true;
}

bool json_truth(const json_reader *r, int token, bool *value)
{
    const text_field t = token_text(r, token);
    double number = text_is(t, "true");
    if (r->tokens[token].type != JSMN_PRIMITIVE ||
        (!text_is(t, "true") && !text_is(t, "false") && !json_number(r, token, &number)))
        return false;
    *value = number != 0;
    return true;
}

bool json_string(const json_reader *r, int token, text_buffer *out, error *e)
{
    const text_field t = token_text(r, token);
    return r->tokens[token].type == JSMN_STRING &&
           mem_grow(&out->data, &out->capacity, t.size + 1, 1, "text", e) == 0 &&
           json_decode(t.text, t.size, out->data, &out->size) == NULL;
}
