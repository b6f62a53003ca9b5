/* json.h - reading big JSON files record by record.
 *
 * The file is one object. Its members are walked in order; a member that is an array is split into its
 * elements, any other is one piece. Each piece (a "record": one image, one annotation) is tokenised by jsmn
 * on its own, so memory stays bounded whatever the size of the file, and time is linear. jsmn is a tokeniser
 * and lets much pass that is not JSON; everything is checked again here against RFC 8259: commas and colons,
 * literals and numbers, control characters and UTF-8 in strings, one root, nothing behind it.
 */
#ifndef ONEBOX_BASE_JSON_H
#define ONEBOX_BASE_JSON_H

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"

#include <stdbool.h>
#include <stdint.h>

#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#define JSMN_HEADER
#include <jsmn.h>
#undef JSMN_HEADER

enum {
    JSON_DEPTH_MAX = 64,                /* brackets inside each other */
    JSON_RECORD_MAX = 16 * 1024 * 1024, /* bytes of one record */
};

typedef struct json_reader {
    file_view view;
    const char *at, *end;
    /* the record last returned by json_next; token 0 is its root */
    text_field key; /* name of the member of the top object, as written (escapes not decoded) */
    int64_t index;  /* which element of that array, from 0; -1: the member is no array, the record is its value */
    const char *text;
    size_t size;
    jsmntok_t *tokens;
    size_t token_count, token_capacity;
    /* inner state */
    int state;
    size_t dropped; /* bytes of the mapping that were given back */
} json_reader;

/* Opens path ("-": standard input) and checks that it begins with '{'. json_close also after a failure. */
int json_open(json_reader *r, const char *path, error *e);

/* The next record. Returns true with the record in r, false at the end of the file or on failure (e->code).
 * An array without elements gives one record with size 0, no tokens and index -1, so that its presence is
 * seen. */
bool json_next(json_reader *r, error *e);

void json_close(json_reader *r);

/* True when the present record belongs to the member of that name. */
bool json_is_member(const json_reader *r, const char *name);

/* ---- looking into the present record. A token is named by its index. */

/* The value of key `name` in object `object`; -1 when absent (or when `object` is no object). A key that is
 * there twice is an error: e->code is set and -1 returned. */
int json_get(const json_reader *r, int object, const char *name, error *e);

/* The token behind `token` and everything in it: the next element of an array. */
int json_after(const json_reader *r, int token);

/* Values with full checks: a whole number (also written 12.0) in [min, max], a finite number, a truth value
 * (true, false, or a number: not 0), a decoded string. false when the token is of another kind. json_string
 * puts the string into `out` and is false as well for a lone surrogate or \u0000. */
bool json_whole(const json_reader *r, int token, int64_t min, int64_t max, int64_t *value);
bool json_number(const json_reader *r, int token, double *value);
bool json_truth(const json_reader *r, int token, bool *value);
bool json_string(const json_reader *r, int token, text_buffer *out, error *e);

/* fail(ERR_INPUT) with file, member, element and byte offset before the text. */
int json_fail(const json_reader *r, error *e, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
