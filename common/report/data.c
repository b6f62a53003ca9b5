/* The data: how many pictures, objects and classes, which of them validate, and how often each class is there.
 *
 * All of it is counted from the tables that the trainings read, those which are there: anno.tsv and largest.tsv for
 * objects, lrg.csv, bb.csv and val.txt for what is learnt and the split.
 */
#include "report/report.h"

#include "voc/anno.h"
#include "voc/labels.h"

#include <stdlib.h>
#include <string.h>

typedef struct class_row {
    const char *name;
    size_t objects, largest, train, val;
} class_row;

typedef struct data {
    anno_table anno, largest;
    labels labels;
    bool has_anno, has_largest, has_labels, has_val;
    names classes;
    class_row *rows; /* by number in classes */
} data;

/* The path of a file in the folder, which the caller frees; NULL when it is not there. */
static char *path_if_there(html *h, const found *f, const char *name)
{
    return found_has(f, name, "") ? html_path(h, name) : NULL;
}

static bool data_table(html *h, const found *f, const char *name, anno_table *t)
{
    char *path = path_if_there(h, f, name);
    bool read = path && !anno_read(t, path, h->e);
    free(path);
    return read;
}

static void data_labels(html *h, const found *f, const char *val, data *d)
{
    char *lrg = path_if_there(h, f, "lrg.csv"), *bb = path_if_there(h, f, "bb.csv");
    char *own = val ? NULL : path_if_there(h, f, "val.txt");
    d->has_val = val || own;
    d->has_labels = !h->e->code && (lrg || bb) && !labels_read(&d->labels, lrg, bb, val ? val : own, h->e);
    free(lrg);
    free(bb);
    free(own);
}

static class_row *counts_of(data *d, const char *name)
{
    return &d->rows[names_find(&d->classes, name, strlen(name))];
}

static void count_classes(data *d, error *e)
{
    size_t number;
    const anno_table *tables[] = {&d->anno, &d->largest};
    for (int t = 0; t < 2; t++)
        for (size_t i = 0; i < tables[t]->count && !e->code; i++)
            names_add(&d->classes, tables[t]->rows[i].category, strlen(tables[t]->rows[i].category), &number, e);
    for (size_t i = 0; i < d->labels.class_count && !e->code; i++)
        names_add(&d->classes, d->labels.classes[i], strlen(d->labels.classes[i]), &number, e);
    d->rows = e->code ? NULL : mem_zero(d->classes.count, sizeof *d->rows, "classes", e);
    if (!d->rows)
        return;
    for (size_t i = 0; i < d->anno.count; i++)
        counts_of(d, d->anno.rows[i].category)->objects += !d->anno.rows[i].ignore;
    for (size_t i = 0; i < d->largest.count; i++)
        counts_of(d, d->largest.rows[i].category)->largest++;
    for (size_t i = 0; i < d->labels.count && d->labels.has_class; i++) {
        const label_row *l = &d->labels.rows[i];
        class_row *c = counts_of(d, d->labels.classes[l->class_index]);
        c->val += l->is_val;
        c->train += !l->is_val;
    }
    for (size_t i = 0; i < d->classes.count; i++)
        d->rows[i].name = d->classes.items[i];
}

static int by_count(const void *a, const void *b)
{
    const class_row *x = a, *y = b;
    size_t m = x->largest + x->train + x->val, n = y->largest + y->train + y->val;
    return m != n ? (m < n) - (m > n) : strcmp(x->name, y->name);
}

static void class_counts(html *h, data *d)
{
    size_t most = 1;
    qsort(d->rows, d->classes.count, sizeof *d->rows, by_count);
    for (size_t i = 0; i < d->classes.count; i++) {
        size_t n = d->has_largest ? d->rows[i].largest : d->rows[i].train + d->rows[i].val;
        most = n > most ? n : most;
    }
    html_put(h, "<h3>Classes</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>class");
    html_put(h, d->has_anno ? "<th>objects" : "");
    html_put(h, d->has_largest ? "<th>largest of its picture" : "");
    html_put(h, d->labels.has_class ? "<th>train<th>validate" : "");
    html_put(h, "</thead>\n<tbody>\n");
    for (size_t i = 0; i < d->classes.count; i++) {
        const class_row *c = &d->rows[i];
        size_t n = d->has_largest ? c->largest : c->train + c->val;
        html_put(h, "<tr><th class=\"bar\" style=\"--p:%zu%%\">%s", n * 100 / most, c->name);
        if (d->has_anno)
            html_put(h, "<td>%zu", c->objects);
        if (d->has_largest)
            html_put(h, "<td>%zu", c->largest);
        if (d->labels.has_class)
            html_put(h, "<td>%zu<td>%zu", c->train, c->val);
        html_put(h, "\n");
    }
    html_put(h, "</tbody></table></div>\n");
}

static void data_facts(html *h, const found *f, const data *d)
{
    html_put(h, "<dl>\n");
    if (d->has_anno) {
        size_t kept = 0;
        for (size_t i = 0; i < d->anno.count; i++)
            kept += !d->anno.rows[i].ignore;
        html_put(h, "<dt>Annotations</dt><dd>%zu objects of %zu classes in %zu pictures (", kept,
                 d->anno.categories.count, d->anno.image_count);
        html_link(h, "anno.tsv", NULL);
        html_put(h, ")</dd>\n");
    }
    if (d->has_largest) {
        html_put(h, "<dt>What is learnt</dt><dd>the largest object of each of %zu pictures (", d->largest.count);
        html_link(h, "largest.tsv", NULL);
        html_put(h, ")</dd>\n");
    }
    if (d->has_labels && d->has_val) {
        html_put(h, "<dt>Split</dt><dd>%zu pictures train, %zu validate", d->labels.train_count, d->labels.val_count);
        if (found_has(f, "val.txt", "")) {
            html_put(h, " (");
            html_link(h, "val.txt", NULL);
            html_put(h, ")");
        }
        html_put(h,
                 "</dd>\n<dt>SHA-256 of the split</dt><dd>train <code>%s</code><br>validate "
                 "<code>%s</code></dd>\n",
                 d->labels.train_sha256, d->labels.val_sha256);
    }
    html_put(h, "</dl>\n");
}

void report_data(html *h, const found *f, const char *val)
{
    data d = {0};
    d.has_anno = data_table(h, f, "anno.tsv", &d.anno);
    d.has_largest = data_table(h, f, "largest.tsv", &d.largest);
    data_labels(h, f, val, &d);
    count_classes(&d, h->e);
    if (d.has_anno || d.has_largest || d.has_labels) {
        html_put(h, "<section id=\"data\">\n<h2>Data</h2>\n");
        data_facts(h, f, &d);
        if (!h->e->code && d.classes.count)
            class_counts(h, &d);
        html_put(h, "</section>\n");
    }
    free(d.rows);
    names_free(&d.classes);
    labels_free(&d.labels);
    anno_free(&d.anno);
    anno_free(&d.largest);
}
