/* The page from top to bottom, and where it stands: files are linked relative to the folder that the page is written
 * into, so both folders are resolved first. The sections are in data.c, model.c and parts.c.
 */
#include "report/report.h"

#include "base/file.h"
#include "base/program.h"
#include "report/style.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_START                                                                                                     \
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"                                          \
    "<meta name=\"generator\" content=\"onebox"
#define PAGE_END "</body>\n</html>\n"

/* ---------------------------------------------------------------- where it stands */

/* The directory that the page will stand in, resolved, without a '/' at the end but for the root's. */
static char *page_directory(const char *output, error *e)
{
    char *copy = text_copy(output, strlen(output), e), *slash = copy ? strrchr(copy, '/') : NULL;
    if (!copy)
        return NULL;
    if (slash)
        slash[slash == copy] = 0;
    char *real = realpath(slash && strcmp(output, "-") != 0 ? copy : ".", NULL);
    if (!real)
        fail_system(e, "%s: the folder to write into", output);
    free(copy);
    return real;
}

/* "../../out/" from /a/b/c to /a/out; nothing to itself. */
static void relative_path(const char *from, const char *to, text_buffer *out)
{
    size_t common = 0;
    for (size_t i = 0;; i++) {
        /* both are there NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        bool from_ends = from[i] == '/' || !from[i], to_ends = to[i] == '/' || !to[i];
        if (from_ends && to_ends)
            common = i;
        if (from[i] != to[i] || !from[i])
            break;
    }
    for (const char *at = from + common; *at; at++)
        if (*at == '/' && at[1])
            text_add(out, "../");
    const char *rest = to + common;
    rest += *rest == '/';
    html_encode_path(out, rest);
    text_add(out, *rest ? "/" : "");
}

/* ---------------------------------------------------------------- the page */

static bool has_data(const found *f)
{
    return found_has(f, "anno.tsv", "") || found_has(f, "largest.tsv", "") || found_has(f, "lrg.csv", "") ||
           found_has(f, "bb.csv", "");
}

static void page_menu(html *h, const found *f)
{
    char anchor[64];
    html_put(h, "<nav>");
    html_put(h, has_data(f) ? "<a href=\"#data\">Data</a>" : "");
    for (size_t i = 0; i < f->models.count; i++) {
        html_anchor(f->models.names[i], anchor);
        html_put(h, " <a href=\"#%s\">%s</a>", anchor, found_title(f->models.names[i]));
    }
    html_put(h, f->lr.count ? " <a href=\"#rates\">Learning rates</a>" : "");
    html_put(h, f->pictures.count ? " <a href=\"#pictures\">Pictures</a>" : "");
    html_put(h, f->logs.count ? " <a href=\"#steps\">How it was made</a>" : "");
    html_put(h, " <a href=\"#files\">Files</a></nav>\n");
}

static void page_summary(html *h, const found *f)
{
    bool errors = false;
    html_put(h, "<section id=\"models\">\n<h2>Models</h2>\n<div class=\"wide\"><table>\n");
    report_summary_head(h);
    html_put(h, "<tbody>\n");
    for (size_t i = 0; i < f->models.count; i++)
        errors |= report_summary_row(h, f, f->models.names[i]);
    html_put(h,
             "</tbody></table></div>\n<p class=\"note\">On the validation pictures, which no training saw%s"
             ".</p>\n</section>\n",
             errors ? "; \xc2\xb1 is one standard error" : "");
}

static void write_page(html *h, const found *f, const report_request *r, const char *title)
{
    html_raw(h, PAGE_START);
    html_put(h,
             " %s\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s</title>\n<style>\n",
             ONEBOX_VERSION, title);
    html_raw(h, report_style);
    html_put(h,
             "</style>\n</head>\n<body>\n<header>\n<h1>%s</h1>\n"
             "<p>From annotated pictures to networks that say what the largest object of a picture is, and where."
             "</p>\n",
             title);
    page_menu(h, f);
    html_put(h, "</header>\n<main>\n");
    if (f->models.count)
        page_summary(h, f);
    report_data(h, f, r->val);
    for (size_t i = 0; i < f->models.count; i++)
        report_model(h, f, f->models.names[i]);
    report_lr(h, f);
    report_pictures(h, f);
    report_steps(h, f);
    report_files(h, f);
    html_put(h, "</main>\n<footer>onebox %s</footer>\n", ONEBOX_VERSION);
    html_raw(h, PAGE_END);
}

int report_write(const report_request *r, error *e)
{
    text_buffer base = {0}, title = {0};
    found f = {0};
    char *here = NULL, *there = NULL;
    found_in(&f, r->directory, e);
    if (!e->code && f.models.count + f.lr.count + f.pictures.count == 0 && !has_data(&f))
        fail(e, ERR_INPUT, "%s: nothing to report: no anno.tsv, no NAME.ckpt; name the folder of a training",
             r->directory);
    if (!e->code && !(there = realpath(r->directory, NULL)))
        fail_system(e, "%s", r->directory);
    if (!e->code && (here = page_directory(r->output, e))) {
        relative_path(here, there, &base);
        /* e is set when there is not NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
        text_add(&title, r->title ? "%s" : "onebox: %s", r->title ? r->title : strrchr(there, '/') + 1);
        text_done(&base, e);
        text_done(&title, e);
    }
    if (!e->code) {
        html h = {.e = e, .directory = r->directory, .base = base.data};
        write_page(&h, &f, r, title.data);
        if (!e->code && !text_done(&h.page, e))
            file_write(r->output, h.page.data, h.page.size, e);
        text_free(&h.page);
    }
    free(here);
    free(there);
    found_free(&f);
    text_free(&base);
    text_free(&title);
    return e->code;
}

int report_check(const char *path, error *e)
{
    file_view file;
    int code = file_open(&file, path, e);
    if (code)
        return code;
    size_t start = strlen(PAGE_START), end = strlen(PAGE_END);
    if (file.size < start + end || memcmp(file.data, PAGE_START, start) != 0)
        code = fail(e, ERR_INPUT, "%s: is not a page that report wrote", path);
    else if (memcmp(file.data + file.size - end, PAGE_END, end) != 0)
        code = fail(e, ERR_INPUT, "%s: ends early", path);
    file_close(&file);
    return code;
}
