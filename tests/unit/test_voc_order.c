/* Unit tests of voc/order: CPython's set order and numpy's split. */
#include "base/digest.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "voc/idmap.h"
#include "voc/order.h"

#include "test.h"

#include <inttypes.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The same ids as generator() of tests/golden/voc_set_order.py. */
static int64_t *generate(unsigned bits, size_t count, bool sorted)
{
    int64_t *ids = calloc(count, sizeof *ids);
    idmap seen = {0};
    uint64_t x = 12345;
    for (size_t n = 0; ids && n < count;) {
        uint32_t was = 0;
        x = x * 6364136223846793005u + 1442695040888963407u;
        if (idmap_add(&seen, (int64_t)(x >> (64 - bits)), 0, &was, NULL))
            break;
        if (was == IDMAP_NONE)
            ids[n++] = (int64_t)(x >> (64 - bits));
    }
    idmap_free(&seen);
    if (ids && sorted)
        qsort(ids, count, sizeof *ids, ascending);
    return ids;
}

/* SHA-256 of the ids in set order, decimal, one a line. */
static void digest(const int64_t *ids, size_t count, set_rule rule, char hex[65])
{
    text_buffer text = {0};
    uint32_t *position = calloc(count, sizeof *position);
    error e = {0};
    hex[0] = 0;
    if (position && !set_order(ids, count, rule, position, &e)) {
        for (size_t i = 0; i < count; i++)
            text_add(&text, "%" PRId64 "\n", ids[position[i]]);
        sha256_hex(text.data, text.size, hex);
    }
    CHECK(!e.code, "%s", e.text);
    free(position);
    text_free(&text);
}

static void check_golden_line(const char *line, size_t size, int *rows)
{
    text_field f[9];
    int64_t rule = 0, count = 0, bits = 0;
    char hex[65];
    size_t fields = text_split(line, size, '\t', f, 9);
    const char *dash = memchr(f[1].text, '-', f[1].size);
    CHECK(fields >= 9 && dash && text_int(f[0].text, f[0].size, 36, 37, &rule) &&
              text_int(f[2].text, f[2].size, 1, 1000000, &count) &&
              text_int(f[1].text, (size_t)(dash - f[1].text), 1, 53, &bits),
          "golden line '%.*s'", (int)size, line);
    if (!test_ok)
        return;
    int64_t *ids = generate((unsigned)bits, (size_t)count, dash[1] == 'a');
    digest(ids, (size_t)count, rule == 36 ? SET_RULE_36 : SET_RULE_37, hex);
    CHECK(text_is(f[3], hex), "rule %d, %.*s, %d ids: %s", (int)rule, (int)f[1].size, f[1].text, (int)count, hex);
    free(ids);
    ++*rows;
}

static void test_set_order(void)
{
    TEST("sets of every size iterate as CPython's do, with the growth rule of 3.6 and of 3.7")
    {
        file_view view;
        error e = {0};
        int rows = 0;
        CHECK(!file_open(&view, "tests/golden/voc_set_order.tsv", &e), "%s", e.text);
        if (!e.code) {
            text_lines lines = text_lines_of(view.data, view.size);
            const char *line;
            size_t size;
            while (text_line(&lines, &line, &size))
                check_golden_line(line, size, &rows);
            file_close(&view);
            CHECK(rows == 32, "%d rows", rows);
        }
    }
    TEST("a set is not a list, and the order of insertion matters")
    {
        const int64_t ids[] = {12, 17, 23, 26, 32, 33}, other[] = {33, 32, 26, 23, 17, 12}, collide[] = {8, 0},
                      collide_other[] = {0, 8};
        uint32_t p[6], q[6];
        error e = {0};
        set_order(ids, 6, SET_RULE_36, p, &e);
        const int64_t python[] = {32, 33, 12, 17, 23, 26}; /* list({12, 17, 23, 26, 32, 33}) */
        for (int i = 0; i < 6; i++)
            CHECK(ids[p[i]] == python[i], "%d: %d", i, (int)ids[p[i]]);
        set_order(other, 6, SET_RULE_36, q, &e);
        CHECK(other[q[0]] == 32, "%d", (int)other[q[0]]);
        set_order(collide, 2, SET_RULE_36, p, &e);
        set_order(collide_other, 2, SET_RULE_36, q, &e);
        CHECK(collide[p[0]] == 8 && collide_other[q[0]] == 0, "colliding ids in two orders of insertion");
    }
    TEST("an empty set, one id and the largest id")
    {
        error e = {0};
        uint32_t p[2] = {7, 7};
        const int64_t one[] = {0}, big[] = {INT64_C(1) << 53, 1};
        CHECK(!set_order(one, 0, SET_RULE_36, p, &e) && p[0] == 7, "empty");
        CHECK(!set_order(one, 1, SET_RULE_36, p, &e) && p[0] == 0, "one");
        CHECK(!set_order(big, 2, SET_RULE_36, p, &e) && p[0] == 0 && p[1] == 1, "%u %u", p[0], p[1]);
    }
    TEST("ids in ascending order")
    {
        error e = {0};
        const int64_t ids[] = {30, 1, 22, INT64_C(1) << 40};
        uint32_t p[4];
        CHECK(!id_order(ids, 4, p, &e) && p[0] == 1 && p[1] == 2 && p[2] == 0 && p[3] == 3, "order");
    }
}

/* ---------------------------------------------------------------- the split */

enum { ROWS = 2501 };
static const size_t first_rows[] = {25, 29, 43, 44, 48, 49, 51, 56, 67, 69, 70, 73};

/* Whether the mask begins and ends as the reference run's. */
static bool as_published(const unsigned char *is_val)
{
    size_t n = 0;
    for (size_t i = 0; i <= first_rows[11]; i++)
        if (is_val[i] && (n >= 12 || first_rows[n++] != i))
            return false;
    return n == 12 && is_val[ROWS - 1];
}

static uint32_t bounded(mt19937 *mt, uint32_t max)
{
    uint32_t mask = max, v;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do
        v = mt19937_next(mt) & mask;
    while (v > max);
    return v;
}

/* init_by_array({42}): what numpy does for an array of seeds. */
static void seed_by_array(mt19937 *mt, uint32_t seed)
{
    mt19937_seed(mt, 19650218);
    uint32_t *k = mt->key, i = 1;
    for (int n = 0; n < 624; n++) {
        k[i] = (k[i] ^ (k[i - 1] ^ k[i - 1] >> 30) * 1664525u) + seed;
        if (++i == 624) {
            k[0] = k[623];
            i = 1;
        }
    }
    for (int n = 0; n < 623; n++) {
        k[i] = (k[i] ^ (k[i - 1] ^ k[i - 1] >> 30) * 1566083941u) - i;
        if (++i == 624) {
            k[0] = k[623];
            i = 1;
        }
    }
    k[0] = 0x80000000u;
    mt->position = 624;
}

static void test_split(void)
{
    static unsigned char is_val[ROWS];
    static uint32_t p[ROWS];
    size_t chosen = 0;
    error e = {0};
    TEST("the split of 2501 rows with seed 42 validates 500, rows 25 29 43 44 … 2500")
    {
        CHECK(!split_rows(ROWS, 0.2, 42, is_val, &chosen, &e) && chosen == 500, "%zu", chosen);
        size_t n = 0;
        for (size_t i = 0; i < ROWS; i++)
            n += is_val[i];
        CHECK(n == 500 && as_published(is_val), "%zu rows", n);
    }
    TEST("another seed, and seeding by array, give another split")
    {
        split_rows(ROWS, 0.2, 43, is_val, &chosen, &e);
        CHECK(!as_published(is_val), "seed 43");
        mt19937 mt;
        seed_by_array(&mt, 42);
        mt19937_permutation(&mt, p, ROWS);
        memset(is_val, 0, sizeof is_val);
        for (size_t i = 0; i < 500; i++)
            is_val[p[i]] = 1;
        CHECK(!as_published(is_val), "init_by_array");
    }
    TEST("shuffling from the wrong end gives another split")
    {
        mt19937 mt;
        mt19937_seed(&mt, 42);
        for (uint32_t i = 0; i < ROWS; i++)
            p[i] = i;
        for (uint32_t i = 0; i + 1 < ROWS; i++) {
            uint32_t j = i + bounded(&mt, ROWS - 1 - i), t = p[i];
            p[i] = p[j];
            p[j] = t;
        }
        memset(is_val, 0, sizeof is_val);
        for (size_t i = 0; i < 500; i++)
            is_val[p[i]] = 1;
        CHECK(!as_published(is_val), "from the front");
    }
    TEST("the number of validation rows is rounded down, never beyond the rows")
    {
        CHECK(!split_rows(9, 0.2, 42, is_val, &chosen, &e) && chosen == 1, "%zu", chosen);
        CHECK(!split_rows(4, 0.2, 42, is_val, &chosen, &e) && chosen == 0, "%zu", chosen);
        CHECK(!split_rows(4, 1, 42, is_val, &chosen, &e) && chosen == 4, "%zu", chosen);
        CHECK(!split_rows(0, 0.5, 42, is_val, &chosen, &e) && chosen == 0, "%zu", chosen);
    }
}

int main(void)
{
    test_set_order();
    test_split();
    return test_end();
}
