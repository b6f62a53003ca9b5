/* The sections behind the models: learning rates, pictures, commands, files. Each is left out when the folder has
 * nothing for it. Pictures of lr/ and pictures/ come with what render printed beside them (NAME.txt); commands, times
 * and exit codes come from the logs; files are those whose names say what is in them.
 */
#include "report/report.h"

#include "base/file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- pictures */

static bool is_file(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

/* What the program printed when it drew the picture: the .txt beside it. */
static void printed_text(html *h, const char *picture)
{
    text_buffer name = {0};
    file_view file;
    text_add(&name, "%.*s.txt", (int)(strlen(picture) - 4), picture);
    char *path = text_done(&name, h->e) ? NULL : html_path(h, name.data);
    if (path && is_file(path) && !file_open(&file, path, h->e)) {
        html_put(h, "<pre>");
        html_text(h, file.data, file.size);
        html_put(h, "</pre>\n");
        file_close(&file);
    }
    free(path);
    text_free(&name);
}

/* A section of pictures, all of them FOLDER/NAME.png; `markup` is its beginning. */
static void gallery(html *h, const found_list *l, const char *markup)
{
    if (l->count == 0)
        return;
    html_raw(h, markup);
    html_put(h, "<div class=\"gallery\">\n");
    for (size_t i = 0; i < l->count && !h->e->code; i++) {
        const char *path = l->names[i], *name = strchr(path, '/') + 1;
        char *stem = text_copy(name, strlen(name) - strlen(".png"), h->e);
        if (!stem)
            return;
        html_put(h, "<figure>\n");
        html_picture(h, path, path);
        html_put(h, "<figcaption>");
        html_link(h, path, stem);
        html_put(h, "</figcaption>\n");
        printed_text(h, path);
        html_put(h, "</figure>\n");
        free(stem);
    }
    html_put(h, "</div>\n</section>\n");
}

void report_lr(html *h, const found *f)
{
    gallery(h, &f->lr,
            "<section id=\"rates\">\n<h2>Learning rates</h2>\n"
            "<p>Before a phase was trained, the rate was raised from batch to batch until the loss exploded. "
            "A good rate lies where the curve still falls steeply, well before its lowest point.</p>\n");
}

void report_pictures(html *h, const found *f)
{
    gallery(h, &f->pictures, "<section id=\"pictures\">\n<h2>Pictures</h2>\n");
}

/* ---------------------------------------------------------------- steps */

static void step_row(html *h, const char *name)
{
    found_step s;
    char *path = html_path(h, name);
    if (path && !found_read_step(&s, path, h->e) && *s.command) {
        html_put(h, "<tr><td>%s<td class=\"text\"><code>%s</code>", *s.seconds ? s.seconds : "\xe2\x80\x93", s.command);
        if (*s.exit && strcmp(s.exit, "0") != 0)
            html_put(h, " <b>failed, exit code %s</b>", s.exit);
        html_put(h, " ");
        html_link(h, name, "log");
        html_put(h, "\n");
    }
    free(path);
}

static const char *const order[] = {
    "log/json.log",      "log/anno.log",         "log/largest.log",  "log/csv.log",         "log/cache.log",
    "log/weights.log",   "log/cls.log",          "log/cls.pred.log", "log/cls.metrics.log", "log/bbox.log",
    "log/bbox.pred.log", "log/bbox.metrics.log", "log/detn.log",     "log/detn.pred.log",   "log/detn.metrics.log"};

/* Where a log stands among the steps: the others behind those of `order`; the page's own, being written, nowhere. */
static size_t place_of(const char *log)
{
    size_t k = 0;
    while (k < COUNT(order) && strcmp(log, order[k]) != 0)
        k++;
    return strcmp(log, "log/report.log") == 0 ? SIZE_MAX : k;
}

void report_steps(html *h, const found *f)
{
    if (f->logs.count == 0)
        return;
    html_put(h, "<section id=\"steps\">\n<h2>How it was made</h2>\n"
                "<p>The commands that make ran, each of which can be run alone.</p>\n"
                "<div class=\"wide\"><table>\n<thead><tr><th>seconds<th class=\"text\">command</thead>\n<tbody>\n");
    for (size_t k = 0; k <= COUNT(order); k++)
        for (size_t i = 0; i < f->logs.count; i++)
            if (place_of(f->logs.names[i]) == k)
                step_row(h, f->logs.names[i]);
    html_put(h, "</tbody></table></div>\n</section>\n");
}

/* ---------------------------------------------------------------- files */

static const char *meaning_of(const char *name)
{
    static const char *const meanings[][2] = {
        {"voc.json", "the annotations as one JSON file"},
        {"anno.tsv", "one row per annotated object: picture, its size, class, box y1 x1 y2 x2"},
        {"largest.tsv", "of each picture the row of its largest object"},
        {"lrg.csv", "picture and class of its largest object: what the classifier learns"},
        {"bb.csv", "picture and box of its largest object: what the box regressor learns"},
        {"val.txt", "the pictures that validate, one a line"},
        {"weights.sha256", "which weights the trainings started from"},
        {".cache", "the pictures, scaled"},
        {".cache.sources", "what the scaled pictures were made from"},
        {".ckpt", "a network: safetensors, with recipe, classes and figures in its header"},
        {".history.tsv", "one row per epoch: losses, accuracy, L1, seconds"},
        {".batches.tsv", "one row per batch: rate, loss, smoothed loss"},
        {".pred.tsv", "one row per validation picture: class, probability, box"},
        {".metrics.json", "the figures of this page"},
        {".grid.png", "validation pictures with predictions"},
        {".curves.png", "the training by epoch and batch"},
    };
    for (size_t i = 0; i < COUNT(meanings); i++) {
        const char *what = meanings[i][0];
        if (*what == '.' ? text_ends_with(name, what) && strcmp(name, what) != 0 : strcmp(name, what) == 0)
            return meanings[i][1];
    }
    return NULL;
}

static const char *size_text(char text[32], off_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024 && unit < 4; unit++)
        size /= 1024;
    snprintf(text, 32, unit && size < 100 ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return text;
}

void report_files(html *h, const found *f)
{
    html_put(h, "<section id=\"files\">\n<h2>Files</h2>\n"
                "<p>Everything on this page comes from these files. Text ones open in any editor.</p>\n"
                "<div class=\"wide\"><table>\n"
                "<thead><tr><th>file<th>size<th class=\"text\">what is in it</thead>\n<tbody>\n");
    for (size_t i = 0; i < f->files.count && !h->e->code; i++) {
        const char *name = f->files.names[i], *meaning = meaning_of(name);
        char size[32];
        struct stat s;
        char *path = meaning ? html_path(h, name) : NULL;
        if (path && stat(path, &s) == 0) {
            html_put(h, "<tr><th>");
            html_link(h, name, NULL);
            html_put(h, "<td>%s<td class=\"text\">%s\n", size_text(size, s.st_size), meaning);
        }
        free(path);
    }
    html_put(h, "</tbody></table></div>\n</section>\n");
}
