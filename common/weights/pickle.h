/* pickle.h - Python's pickles as plain data. Nothing is imported, called or executed: a pickle is a program
 * for a stack machine that builds objects, and this machine knows only the instructions that build numbers,
 * texts, tuples, lists and dicts, and writes down in place of a call which function was asked for with what.
 *
 * Instructions: Lib/pickletools.py of CPython; those that protocols 2 to 5 use for weights. Others are
 * ERR_INPUT, and so are functions and classes that the caller has not named. Time and memory are bounded
 * whatever the pickle says.
 */
#ifndef ONEBOX_WEIGHTS_PICKLE_H
#define ONEBOX_WEIGHTS_PICKLE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum pickle_kind {
    PICKLE_NOTHING, /* no value */
    PICKLE_NONE,
    PICKLE_BOOL,   /* integer 0 or 1 */
    PICKLE_INT,    /* integer */
    PICKLE_LONG,   /* an integer of more than 64 bits: text, little-endian two's complement */
    PICKLE_FLOAT,  /* number */
    PICKLE_TEXT,   /* text (UTF-8, not checked), or a string of Python 2 */
    PICKLE_BYTES,  /* text */
    PICKLE_TUPLE,  /* items */
    PICKLE_LIST,   /* items */
    PICKLE_DICT,   /* items: key, value, key, value …; also of an OrderedDict */
    PICKLE_GLOBAL, /* integer: position in the caller's list of names */
    PICKLE_CALL,   /* items: the PICKLE_GLOBAL, the PICKLE_TUPLE of arguments */
    PICKLE_STORED, /* something outside the pickle: items: its "persistent id" */
} pickle_kind;

typedef struct pickle_items pickle_items;

typedef struct pickle_value {
    pickle_kind kind;
    union {
        int64_t integer;
        double number;
        struct {
            const char *text; /* in the pickle, not NUL-terminated */
            size_t size;
        };
        pickle_items *items; /* shared by all values that are the same Python object; may be cyclic */
    };
} pickle_value;

struct pickle_items {
    pickle_value *values;
    size_t count, capacity;
    pickle_items *next; /* of all there are */
};

typedef struct pickle {
    pickle_value root;
    size_t size;         /* bytes read, up to and including STOP */
    pickle_items stored; /* every PICKLE_STORED there is, in the order of the pickle */
    pickle_items *all;
} pickle;

/* Reads one pickle from the beginning of data[0..size), which must stay while *p is used. `globals`:
 * NULL-terminated list of "module name" that may occur, besides collections.OrderedDict. Lines of errors
 * begin with "`what`: byte N". pickle_free releases what was read (also after a failure). */
int pickle_read(pickle *p, const void *data, size_t size, const char *const *globals, const char *what, error *e);
void pickle_free(pickle *p);

/* Value of a text key of a PICKLE_DICT; NULL when there is none (or `dict` is no dict). */
const pickle_value *pickle_get(const pickle_value *dict, const char *key);

bool pickle_is_text(const pickle_value *v, const char *text);

#endif
