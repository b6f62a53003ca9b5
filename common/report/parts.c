/* The sections behind the models: learning rates, pictures, commands, files. Each is left out when the folder has
 * nothing for it. Pictures of lr/ and pictures/ come with what render printed beside them (NAME.txt); commands, times
 * and exit codes come from the logs; files are those whose names say what is in them.
 */
#include "report/report.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- pictures */

/* The file's own name without folder and the last ending; the caller frees it. */
static char *stem_of(const char *path, error *e)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return text_copy(name, dot ? (size_t)(dot - name) : strlen(name), e);
}

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

static void gallery(html *h, const found_list *l)
{
    for (size_t i = 0; i < l->count && !h->e->code; i++) {
        char *stem = stem_of(l->names[i], h->e);
        if (stem) {
            html_put(h, "<figure>\n");
            html_picture(h, l->names[i], l->names[i]);
            html_put(h, "<figcaption>");
            html_link(h, l->names[i], stem);
            html_put(h, "</figcaption>\n");
            printed_text(h, l->names[i]);
            html_put(h, "</figure>\n");
        }
        free(stem);
    }
}

void report_lr(html *h, const found *f)
{
    if (f->lr.count == 0)
        return;
    html_put(
        h, "<section id=\"rates\">\n<h2>Learning rates</h2>\n"
           "<p>Before a phase was trained, the rate was raised from batch to batch until the loss exploded. "
           "A good rate lies where the curve still falls steeply, well before its lowest point.</p>\n"
           "<div class=\"gallery\">\n");
    gallery(h, &f->lr);
    html_put(h, "</div>\n</section>\n");
}

void report_pictures(html *h, const found *f)
{
    if (f->pictures.count == 0)
        return;
    html_put(h, "<section id=\"pictures\">\n<h2>Pictures</h2>\n<div class=\"gallery\">\n");
    gallery(h, &f->pictures);
    html_put(h, "</div>\n</section>\n");
}

/* ---------------------------------------------------------------- steps */

static void step_row(html *h, const char *name)
{
    found_step s;
    char *path = html_path(h, name);
    if (path && !found_read_step(&s, path, h->e) && *s.command) {
        html_put(h, "<tr><td>%s<td class=\"text\"><code>%s</code>", *s.seconds ? s.seconds : "\xe2\x80\x93",
                 s.command);
        if (*s.exit && strcmp(s.exit, "0") != 0)
            html_put(h, " <b>failed, exit code %s</b>", s.exit);
        html_put(h, " ");
        html_link(h, name, "log");
        html_put(h, "\n");
    }
    free(path);
}

void report_steps(html *h, const found *f)
{
    static const char *const order[] = {"log/json.log", "log/anno.log",      "log/largest.log",
                                        "log/csv.log",  "log/cache.log",     "log/weights.log",
                                        "log/cls.log",  "log/cls.pred.log",  "log/cls.metrics.log",
                                        "log/bbox.log", "log/bbox.pred.log", "log/bbox.metrics.log",
                                        "log/detn.log", "log/detn.pred.log", "log/detn.metrics.log"};
    if (f->logs.count == 0)
        return;
    html_put(
        h,
        "<section id=\"steps\">\n<h2>How it was made</h2>\n"
        "<p>The commands that make ran, each of which can be run alone.</p>\n"
        "<div class=\"wide\"><table>\n<thead><tr><th>seconds<th class=\"text\">command</thead>\n<tbody>\n");
    for (size_t k = 0; k < COUNT(order); k++)
        for (size_t i = 0; i < f->logs.count; i++)
            if (strcmp(f->logs.names[i], order[k]) == 0)
                step_row(h, f->logs.names[i]);
    for (size_t i = 0; i < f->logs.count; i++) { /* the others; the page's own log is being written */
        bool known = strcmp(f->logs.names[i], "log/report.log") == 0;
        for (size_t k = 0; k < COUNT(order) && !known; k++)
            known = strcmp(f->logs.names[i], order[k]) == 0;
        if (!known)
            step_row(h, f->logs.names[i]);
    }
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
    size_t n = strlen(name);
    for (size_t i = 0; i < COUNT(meanings); i++) {
        size_t k = strlen(meanings[i][0]);
        bool ending = meanings[i][0][0] == '.';
        if (n >= k && strcmp(name + n - k, meanings[i][0]) == 0 && (ending ? n > k : n == k))
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
