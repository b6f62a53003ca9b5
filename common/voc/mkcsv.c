/* Rows are put in the order of a CPython set of the ids, or in ascending order; which of them validate is drawn at
 * random, or named by a list. Then lrg.csv, bb.csv and val.txt are written, of which each keeps its time if it stays
 * the same. */
#include "voc/mkcsv.h"

#include "base/file.h"
#include "voc/csv.h"
#include "voc/labels.h"
#include "voc/name_list.h"
#include "voc/order.h"

#include <stdlib.h>
#include <string.h>

/* The rows in CSV order and which of them validate. */
typedef struct split_plan {
    const anno_row **rows;
    unsigned char *is_val;
    size_t count, val_count;
    bool by_list;
    name_list_unknown without_row; /* names of the list */
} split_plan;

static void split_plan_free(split_plan *p)
{
    free(p->rows);
    free(p->is_val);
}

/* The rows that a list names validate. */
static int mark_named(split_plan *p, const char *path, error *e)
{
    names list = {0};
    names known = {0};
    size_t number;
    for (size_t i = 0; i < p->count && !e->code; i++)
        names_add(&known, p->rows[i]->file_name, strlen(p->rows[i]->file_name), &number, e);
    int code = e->code ? e->code : name_list_read(&list, &p->without_row, path, &known, e);
    p->by_list = list.count + p->without_row.count != 0;
    for (size_t i = 0; i < p->count && !code; i++) {
        const char *name = p->rows[i]->file_name;
        p->is_val[i] = names_find(&list, name, strlen(name)) != NAMES_NONE;
        p->val_count += p->is_val[i];
    }
    names_free(&list);
    names_free(&known);
    return code;
}

static int plan_rows(split_plan *p, const anno_table *t, const mkcsv_options *o, error *e)
{
    *p = (split_plan){.count = t->count};
    int64_t *ids = mem_zero(t->count, sizeof *ids, "rows", e);
    uint32_t *position = mem_zero(t->count, sizeof *position, "rows", e);
    p->rows = mem_zero(t->count, sizeof *p->rows, "rows", e);
    p->is_val = mem_zero(t->count, 1, "rows", e);
    int code = ids && position && p->rows && p->is_val ? 0 : ERR_SYSTEM;
    for (size_t i = 0; i < t->count && !code; i++)
        ids[i] = t->rows[i].image_id;
    if (!code)
        code = o->set_order ? set_order(ids, t->count, SET_RULE_36, position, e) : id_order(ids, t->count, position, e);
    for (size_t i = 0; i < t->count && !code; i++)
        p->rows[i] = &t->rows[position[i]];
    if (!code && o->val_from)
        code = mark_named(p, o->val_from, e);
    if (!code && !p->by_list)
        code = split_rows(t->count, o->val_share, o->seed, p->is_val, &p->val_count, e);
    free(ids);
    free(position);
    return code;
}

/* ---------------------------------------------------------------- the three files */

static void print_lrg(FILE *f, const split_plan *p)
{
    fputs("fn,cat\n", f);
    for (size_t i = 0; i < p->count; i++) {
        csv_print(f, p->rows[i]->file_name);
        fputc(',', f);
        csv_print(f, p->rows[i]->category);
        fputc('\n', f);
    }
}

static void print_bb(FILE *f, const split_plan *p)
{
    fputs("fn,bbox\n", f);
    for (size_t i = 0; i < p->count; i++) {
        box b = p->rows[i]->box;
        csv_print(f, p->rows[i]->file_name);
        fprintf(f, ",%d %d %d %d\n", b.y1, b.x1, b.y2, b.x2);
    }
}

static void print_val(FILE *f, const split_plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->is_val[i])
            fprintf(f, "%s\n", p->rows[i]->file_name);
}

static int write_all(const split_plan *p, const mkcsv_options *o, error *e)
{
    const char *const paths[3] = {o->lrg, o->bb, o->val};
    void (*const print[3])(FILE *, const split_plan *) = {print_lrg, print_bb, print_val};
    out_file out[3] = {0};
    int code = 0;
    for (int i = 0; i < 3 && !code; i++)
        if (paths[i])
            code = out_open(&out[i], paths[i], e);
    for (int i = 0; i < 3 && !code; i++)
        if (paths[i])
            print[i](out[i].stream, p);
    if (!code)
        return out_commit_set(out, 3, e);
    for (int i = 0; i < 3; i++)
        out_discard(&out[i]);
    return code;
}

/* ---------------------------------------------------------------- all of it */

static int digest_part_of(const split_plan *p, bool val, char hex[65], error *e)
{
    const char **list = mem_zero(p->count, sizeof *list, "the split", e);
    if (!list)
        return ERR_SYSTEM;
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->is_val[i] == val)
            list[n++] = p->rows[i]->file_name;
    int code = labels_digest(list, n, hex, e);
    free(list);
    return code;
}

static int find_untrained(const anno_table *t, const split_plan *p, text_names *untrained, error *e)
{
    bool *trains = mem_zero(t->categories.count, sizeof *trains, "classes", e);
    if (!trains)
        return ERR_SYSTEM;
    for (size_t i = 0; i < p->count; i++)
        if (!p->is_val[i])
            trains[names_find(&t->categories, p->rows[i]->category, strlen(p->rows[i]->category))] = true;
    for (size_t i = 0; i < t->categories.count; i++)
        if (!trains[i])
            text_names_add(untrained, "%s", t->categories.items[i]);
    free(trains);
    return 0;
}

int mkcsv_write(const anno_table *t, const mkcsv_options *options, mkcsv_result *result, error *e)
{
    split_plan p;
    if (t->count == 0)
        return fail(e, ERR_INPUT, "no picture has an object to learn: annotate some");
    int code = plan_rows(&p, t, options, e);
    if (!code && p.by_list && (p.val_count == 0 || p.val_count == p.count))
        code = fail(
            e, ERR_INPUT,
            "%s names %s of the %zu pictures that have an object to learn; leave some to train on and some to validate",
            options->val_from, p.val_count ? "all" : "none", p.count);
    else if (!code && options->val && (p.val_count == 0 || p.val_count == p.count))
        code = fail(e, ERR_INPUT,
                    "%g of %zu pictures for validation leaves none to %s; choose another --val-pct (make: VAL_PCT)",
                    options->val_share, p.count, p.val_count ? "train on" : "validate with");
    *result = (mkcsv_result){
        .train = p.count - p.val_count, .val = p.val_count, .by_list = p.by_list, .without_row = p.without_row.count};
    if (!code)
        code = digest_part_of(&p, false, result->train_sha256, e);
    if (!code)
        code = digest_part_of(&p, true, result->val_sha256, e);
    if (!code)
        code = find_untrained(t, &p, &result->untrained, e);
    if (!code)
        code = write_all(&p, options, e);
    split_plan_free(&p);
    return code;
}
