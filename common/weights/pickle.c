/* A machine with a stack, a memo and a list of marks reads one instruction after the other. Values of the stack are
 * small; tuples, lists, dicts and calls keep their items in blocks that the pickle owns and pickle_free gives back.
 * What is counted against the limits below is made, not kept, so that a pickle cannot run for ever. The first half
 * reads bytes, the second is one function for each instruction that does more than one thing, and the two switches
 * at the end say which instruction is which. */
#include "weights/pickle.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* More than any weights have; what a hostile file can make us allocate stays below some hundred megabytes. */
enum { MOST_VALUES = 1 << 22, MOST_OBJECTS = 1 << 20, MOST_MEMO = 1 << 22 };

enum { ORDERED_DICT = -1 }; /* in place of a position in the caller's list */

typedef struct pickle_machine {
    pickle *p;
    const unsigned char *data;
    size_t size, at, start; /* start: of the current instruction */
    const char *const *globals;
    const char *what;
    pickle_value *stack, *memo;
    size_t *marks; /* heights of the stack */
    size_t depth, mark_count, memo_count;
    size_t stack_capacity, mark_capacity, memo_capacity;
    size_t values, objects; /* made so far */
    error *e;
} pickle_machine;

static int refuse(pickle_machine *m, const char *why)
{
    return fail(m->e, ERR_INPUT, "%s: byte %zu: %s", m->what, m->start, why);
}

/* ---------------------------------------------------------------- bytes */

/* The next n bytes, or NULL with e set. */
static const unsigned char *take(pickle_machine *m, size_t n)
{
    if (n > m->size - m->at) {
        refuse(m, "the pickle is truncated");
        return NULL;
    }
    const unsigned char *bytes = m->data + m->at;
    m->at += n;
    return bytes;
}

static int take_number(pickle_machine *m, int bytes, uint64_t *value)
{
    const unsigned char *b = take(m, (size_t)bytes);
    if (!b)
        return ERR_INPUT;
    *value = 0;
    for (int i = bytes; i-- > 0;)
        *value = *value << 8 | b[i];
    return 0;
}

/* A line without its newline. */
static int take_line(pickle_machine *m, const char **text, size_t *size)
{
    const unsigned char *begin = m->data + m->at;
    const unsigned char *end = memchr(begin, '\n', m->size - m->at);
    if (!end)
        return refuse(m, "the pickle is truncated");
    *text = (const char *)begin;
    *size = (size_t)(end - begin);
    m->at += *size + 1;
    return 0;
}

/* ---------------------------------------------------------------- values */

static int push(pickle_machine *m, pickle_value v)
{
    if (++m->values > MOST_VALUES)
        return refuse(m, "more values than weights can have");
    int code = mem_grow(&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack, "a pickle", m->e);
    if (!code)
        m->stack[m->depth++] = v;
    return code;
}

static int push_int(pickle_machine *m, pickle_kind kind, int64_t value)
{
    return push(m, (pickle_value){.kind = kind, .integer = value});
}

/* Values below the last mark belong to whoever set it. */
static bool has(const pickle_machine *m, size_t n)
{
    size_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
    return m->depth - floor >= n;
}

static pickle_value *top(pickle_machine *m)
{
    return &m->stack[m->depth - 1];
}

static int append(pickle_machine *m, pickle_items *to, const pickle_value *values, size_t count)
{
    int code = mem_grow(&to->values, &to->capacity, to->count + count, sizeof *values, "a pickle", m->e);
    if (!code && count) {
        memcpy(to->values + to->count, values, count * sizeof *values);
        to->count += count;
    }
    return code;
}

/* Takes the last `count` values off the stack and pushes a new object of them. */
static int make_object(pickle_machine *m, pickle_kind kind, size_t count)
{
    if (++m->objects > MOST_OBJECTS)
        return refuse(m, "more objects than weights can have");
    pickle_items *items = mem_zero(1, sizeof *items, "a pickle", m->e);
    if (!items)
        return ERR_SYSTEM;
    items->next = m->p->all;
    m->p->all = items;
    m->depth -= count;
    int code = count ? append(m, items, m->stack + m->depth, count) : 0; /* there may be no stack yet */
    return code ? code : push(m, (pickle_value){.kind = kind, .items = items});
}

/* How many values there are above the last mark, which is taken away. */
static int pop_mark(pickle_machine *m, size_t *count)
{
    if (!m->mark_count)
        return refuse(m, "a mark is missing");
    *count = m->depth - m->marks[--m->mark_count];
    return 0;
}

static int push_mark(pickle_machine *m)
{
    if (m->mark_count >= MOST_OBJECTS)
        return refuse(m, "more marks than weights can have");
    int code = mem_grow(&m->marks, &m->mark_capacity, m->mark_count + 1, sizeof *m->marks, "a pickle", m->e);
    if (!code)
        m->marks[m->mark_count++] = m->depth;
    return code;
}

/* Adds the last `count` values to the list or dict below them. */
static int extend(pickle_machine *m, size_t count, pickle_kind kind)
{
    if (!has(m, count + 1))
        return refuse(m, "the stack is empty");
    m->depth -= count;
    if (top(m)->kind != kind || (kind == PICKLE_DICT && count % 2))
        return refuse(m, kind == PICKLE_DICT ? "items for something that is no dict"
                                             : "items for something that is no list");
    return append(m, top(m)->items, m->stack + m->depth, count);
}

/* ---------------------------------------------------------------- memo */

static int memo_put(pickle_machine *m, uint64_t id)
{
    if (!has(m, 1))
        return refuse(m, "the stack is empty");
    if (id >= MOST_MEMO)
        return refuse(m, "a larger memo than weights can have");
    size_t old = m->memo_capacity;
    int code = mem_grow(&m->memo, &m->memo_capacity, (size_t)id + 1, sizeof *m->memo, "a pickle", m->e);
    if (code)
        return code;
    memset(m->memo + old, 0, (m->memo_capacity - old) * sizeof *m->memo);
    m->memo_count += m->memo[id].kind == PICKLE_NOTHING;
    m->memo[id] = *top(m);
    return 0;
}

static int memo_get(pickle_machine *m, uint64_t id)
{
    if (id >= m->memo_capacity || m->memo[id].kind == PICKLE_NOTHING)
        return refuse(m, "the memo has no such entry");
    return push(m, m->memo[id]);
}

/* ---------------------------------------------------------------- functions and classes */

static int push_global(pickle_machine *m, const char *module, size_t module_size, const char *name, size_t name_size)
{
    static const char ordered[] = "collections OrderedDict";
    for (int i = ORDERED_DICT; i < 0 || m->globals[i]; i++) {
        const char *allowed = i < 0 ? ordered : m->globals[i];
        /* module and name are there NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
        if (strlen(allowed) == module_size + 1 + name_size && memcmp(allowed, module, module_size) == 0 &&
            /* as said NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
            allowed[module_size] == ' ' && memcmp(allowed + module_size + 1, name, name_size) == 0)
            return push_int(m, PICKLE_GLOBAL, i);
    }
    return fail(m->e, ERR_INPUT,
                "%s: byte %zu: asks for '%.*s.%.*s', which weights do not need (nothing was executed); "
                "save model.state_dict() alone",
                m->what, m->start, (int)(module_size < 100 ? module_size : 100), module,
                (int)(name_size < 100 ? name_size : 100), name);
}

static int stack_global(pickle_machine *m)
{
    if (!has(m, 2) || top(m)->kind != PICKLE_TEXT || top(m)[-1].kind != PICKLE_TEXT)
        return refuse(m, "two names are missing");
    pickle_value name = *top(m), module = top(m)[-1];
    m->depth -= 2;
    return push_global(m, module.text, module.size, name.text, name.size);
}

/* OrderedDict() or, from Python 2, OrderedDict([[key, value], …]). */
static int make_dict(pickle_machine *m, const pickle_items *arguments)
{
    int code = make_object(m, PICKLE_DICT, 0);
    if (code || arguments->count == 0)
        return code;
    const pickle_value *pairs = &arguments->values[0];
    if (arguments->count > 1 || pairs->kind != PICKLE_LIST)
        return refuse(m, "an OrderedDict of something that is no list");
    for (size_t i = 0; i < pairs->items->count && !code; i++) {
        const pickle_value *pair = &pairs->items->values[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->items->count != 2)
            return refuse(m, "an OrderedDict of something that is no pair");
        m->values += 2;
        code = m->values > MOST_VALUES ? refuse(m, "more values than weights can have")
                                       : append(m, top(m)->items, pair->items->values, 2);
    }
    return code;
}

static int reduce(pickle_machine *m)
{
    if (!has(m, 2) || top(m)->kind != PICKLE_TUPLE || top(m)[-1].kind != PICKLE_GLOBAL)
        return refuse(m, "a call without function and arguments");
    if (top(m)[-1].integer != ORDERED_DICT)
        return make_object(m, PICKLE_CALL, 2);
    const pickle_items *arguments = top(m)->items;
    m->depth -= 2;
    return make_dict(m, arguments);
}

/* Attributes of an object (_metadata of a state dict, and the like) say nothing about its tensors. */
static int build_object(pickle_machine *m)
{
    if (!has(m, 2) || (top(m)[-1].kind != PICKLE_DICT && top(m)[-1].kind != PICKLE_CALL))
        return refuse(m, "attributes without an object");
    m->depth--;
    return 0;
}

static int store(pickle_machine *m)
{
    if (!has(m, 1))
        return refuse(m, "the stack is empty");
    int code = make_object(m, PICKLE_STORED, 1);
    return code ? code : append(m, &m->p->stored, top(m), 1);
}

/* ---------------------------------------------------------------- instructions */

static int push_bytes(pickle_machine *m, pickle_kind kind, int length_bytes)
{
    uint64_t n;
    if (take_number(m, length_bytes, &n))
        return ERR_INPUT;
    const unsigned char *text = take(m, n > SIZE_MAX ? SIZE_MAX : (size_t)n);
    if (!text)
        return ERR_INPUT;
    return push(m, (pickle_value){.kind = kind, .text = (const char *)text, .size = (size_t)n});
}

static int push_long(pickle_machine *m)
{
    uint64_t n;
    if (take_number(m, 1, &n))
        return ERR_INPUT;
    const unsigned char *b = take(m, (size_t)n);
    if (!b)
        return ERR_INPUT;
    if (n > 8)
        return push(m, (pickle_value){.kind = PICKLE_LONG, .text = (const char *)b, .size = (size_t)n});
    uint64_t value = n && b[n - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = (size_t)n; i-- > 0;)
        value = value << 8 | b[i];
    return push_int(m, PICKLE_INT, (int64_t)value);
}

static int push_line(pickle_machine *m) /* Python 2 has large numbers in decimal */
{
    const char *text = NULL;
    size_t size = 0;
    int64_t value;
    if (take_line(m, &text, &size))
        return ERR_INPUT;
    if (!text_int(text, size, INT64_MIN, INT64_MAX, &value))
        return refuse(m, "a number is damaged");
    return push_int(m, PICKLE_INT, value);
}

static int push_float(pickle_machine *m) /* big-endian */
{
    const unsigned char *b = take(m, 8);
    if (!b)
        return ERR_INPUT;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | b[i];
    pickle_value v = {.kind = PICKLE_FLOAT};
    memcpy(&v.number, &bits, 8);
    return push(m, v);
}

static int read_global(pickle_machine *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_size = 0, name_size = 0;
    int code = take_line(m, &module, &module_size);
    if (!code)
        code = take_line(m, &name, &name_size);
    return code ? code : push_global(m, module, module_size, name, name_size);
}

static int from_stack(pickle_machine *m, pickle_kind kind, size_t count)
{
    return has(m, count) ? make_object(m, kind, count) : refuse(m, "the stack is empty");
}

/* `bytes` long argument, then put or get. */
static int memo(pickle_machine *m, int bytes, int (*access)(pickle_machine *, uint64_t))
{
    uint64_t id;
    return take_number(m, bytes, &id) ? ERR_INPUT : access(m, id);
}

static int no_step(pickle_machine *m, unsigned op)
{
    return fail(m->e, ERR_INPUT,
                "%s: byte %zu: the instruction 0x%02x is none that weights need; save model.state_dict() alone",
                m->what, m->start, op);
}

/* The instructions that push a value of their own: numbers, texts, and so on. */
static int push_step(pickle_machine *m, unsigned op)
{
    uint64_t n;
    switch (op) {
    case 0x80: /* PROTO */
        if (take_number(m, 1, &n))
            return ERR_INPUT;
        return n >= 2 && n <= 5 ? 0 : refuse(m, "a pickle protocol other than 2 to 5");
    case 0x95: /* FRAME */
        return take(m, 8) ? 0 : ERR_INPUT;
    case '(': /* MARK */
        return push_mark(m);
    case '0': /* POP */
        if (!has(m, 1))
            return refuse(m, "the stack is empty");
        m->depth--;
        return 0;
    case 'N': /* NONE */
        return push_int(m, PICKLE_NONE, 0);
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push_int(m, PICKLE_BOOL, op == 0x88);
    case 'K': /* BININT1 */
    case 'M': /* BININT2 */
        return take_number(m, op == 'K' ? 1 : 2, &n) ? ERR_INPUT : push_int(m, PICKLE_INT, (int64_t)n);
    case 'J': /* BININT, signed */
        return take_number(m, 4, &n) ? ERR_INPUT : push_int(m, PICKLE_INT, (int32_t)(uint32_t)n);
    case 'I': /* INT */
        return push_line(m);
    case 0x8a: /* LONG1 */
        return push_long(m);
    case 'G': /* BINFLOAT */
        return push_float(m);
    case 0x8c: /* SHORT_BINUNICODE */
    case 'U':  /* SHORT_BINSTRING */
        return push_bytes(m, PICKLE_TEXT, 1);
    case 'X': /* BINUNICODE */
    case 'T': /* BINSTRING */
        return push_bytes(m, PICKLE_TEXT, 4);
    case 0x8d: /* BINUNICODE8 */
        return push_bytes(m, PICKLE_TEXT, 8);
    case 'C': /* SHORT_BINBYTES */
    case 'B': /* BINBYTES */
        return push_bytes(m, PICKLE_BYTES, op == 'C' ? 1 : 4);
    default:
        return no_step(m, op);
    }
}

/* The instructions that work on what is on the stack, and on the memo. */
static int stack_step(pickle_machine *m, unsigned op)
{
    size_t count = 0;
    int code;
    switch (op) {
    case ')': /* EMPTY_TUPLE */
        return make_object(m, PICKLE_TUPLE, 0);
    case ']': /* EMPTY_LIST */
        return make_object(m, PICKLE_LIST, 0);
    case '}': /* EMPTY_DICT */
        return make_object(m, PICKLE_DICT, 0);
    case 0x85: /* TUPLE1 */
    case 0x86: /* TUPLE2 */
    case 0x87: /* TUPLE3 */
        return from_stack(m, PICKLE_TUPLE, op - 0x84);
    case 't': /* TUPLE */
        code = pop_mark(m, &count);
        return code ? code : make_object(m, PICKLE_TUPLE, count);
    case 'a': /* APPEND */
        return extend(m, 1, PICKLE_LIST);
    case 'e': /* APPENDS */
        code = pop_mark(m, &count);
        return code ? code : extend(m, count, PICKLE_LIST);
    case 's': /* SETITEM */
        return extend(m, 2, PICKLE_DICT);
    case 'u': /* SETITEMS */
        code = pop_mark(m, &count);
        return code ? code : extend(m, count, PICKLE_DICT);
    case 'c': /* GLOBAL */
        return read_global(m);
    case 0x93: /* STACK_GLOBAL */
        return stack_global(m);
    case 'R': /* REDUCE */
        return reduce(m);
    case 'b': /* BUILD */
        return build_object(m);
    case 'Q': /* BINPERSID */
        return store(m);
    case 'q': /* BINPUT */
        return memo(m, 1, memo_put);
    case 'r': /* LONG_BINPUT */
        return memo(m, 4, memo_put);
    case 0x94: /* MEMOIZE */
        return memo_put(m, m->memo_count);
    case 'h': /* BINGET */
        return memo(m, 1, memo_get);
    case 'j': /* LONG_BINGET */
        return memo(m, 4, memo_get);
    default:
        return push_step(m, op);
    }
}

int pickle_read(pickle *p, const void *data, size_t size, const char *const *globals, const char *what, error *e)
{
    *p = (pickle){0};
    pickle_machine m = {.p = p, .data = data, .size = size, .globals = globals, .what = what, .e = e};
    int code = 0;
    for (;;) {
        m.start = m.at;
        const unsigned char *op = take(&m, 1);
        code = op ? 0 : ERR_INPUT;
        if (code || *op == '.')
            break;
        code = stack_step(&m, *op);
        if (code)
            break;
    }
    if (!code && (m.depth != 1 || m.mark_count))
        code = refuse(&m, "the pickle ends with other than one object");
    if (!code)
        /* of depth 1 NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        p->root = m.stack[0];
    p->size = m.at;
    free(m.stack);
    free(m.memo);
    free(m.marks);
    if (code)
        pickle_free(p);
    return code;
}

void pickle_free(pickle *p)
{
    for (pickle_items *i = p->all, *next; i; i = next) {
        next = i->next;
        free(i->values);
        free(i);
    }
    free(p->stored.values);
    *p = (pickle){0};
}

bool pickle_is_text(const pickle_value *v, const char *text)
{
    return v->kind == PICKLE_TEXT && v->size == strlen(text) && memcmp(v->text, text, v->size) == 0;
}

const pickle_value *pickle_get(const pickle_value *dict, const char *key)
{
    if (dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = 0; i + 1 < dict->items->count; i += 2)
        if (pickle_is_text(&dict->items->values[i], key))
            return &dict->items->values[i + 1];
    return NULL;
}
