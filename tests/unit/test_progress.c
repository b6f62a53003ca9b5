#include "test.h"

#include "base/error.h"
#include "base/progress.h"

#include <stdlib.h>

/* What the calls in `body` wrote to the stream `f`. */
static char *text;
static size_t size;

int main(void)
{
    TEST("a bar fills from left to right and never leaves its brackets")
    {
        const struct {
            int64_t done, total;
            const char *want;
        } rows[] = {{0, 10, "[....................] 0/10"},   {5, 10, "[##########..........] 5/10"},
                    {10, 10, "[####################] 10/10"}, {9, 10, "[##################..] 9/10"},
                    {20, 10, "[####################] 20/10"}, {1, 0, "[....................] 1/0"}};
        for (size_t i = 0; i < COUNT(rows); i++) {
            char got[256] = "";
            FILE *f = tmpfile();
            progress p = progress_start(f, true, 10, 0);
            progress_show(&p, 0, "e", rows[i].done, rows[i].total, "");
            rewind(f);
            got[fread(got, 1, sizeof got - 1, f)] = 0;
            fclose(f);
            CHECK(strstr(got, rows[i].want), "'%s', wanted '%s'", got, rows[i].want);
        }
    }
    TEST("durations are minutes and seconds, with hours from an hour on")
    {
        const struct {
            double seconds;
            const char *want;
        } rows[] = {{0, "0:00"}, {6.6, "0:07"}, {754, "12:34"}, {3723, "1:02:03"}, {-1, "-:--"}, {1e300, "-:--"}};
        for (size_t i = 0; i < COUNT(rows); i++) {
            char d[24];
            progress_duration(d, rows[i].seconds);
            CHECK(strcmp(d, rows[i].want) == 0, "%s, wanted %s", d, rows[i].want);
        }
    }
    TEST("away from a terminal a whole line comes every interval and nothing in between")
    {
        FILE *f = open_memstream(&text, &size);
        progress p = progress_start(f, false, 10, 100);
        progress_show(&p, 101, "head 1/3", 1, 32, "loss 2");
        progress_show(&p, 110, "head 1/3", 7, 32, "loss 1");
        progress_show(&p, 119, "head 1/3", 32, 32, "loss 1");
        progress_clear(&p);
        fclose(f);
        CHECK(strcmp(text, "head 1/3 7/32  loss 1\n") == 0, "'%s'", text);
        free(text);
    }
    TEST("on a terminal one line is drawn over, limited in rate, and wiped at the end")
    {
        FILE *f = tmpfile(); /* a stream with a descriptor, but no terminal: 80 columns */
        progress p = progress_start(f, true, 10, 0);
        progress_show(&p, 0.00, "e", 0, 4, "a");
        progress_show(&p, 0.05, "e", 1, 4, "b");
        progress_show(&p, 0.06, "e", 4, 4, "c");
        progress_clear(&p);
        progress_clear(&p);
        rewind(f);
        char got[256] = "";
        size_t n = fread(got, 1, sizeof got - 1, f);
        got[n] = 0;
        fclose(f);
        const char *want = "\re [....................] 0/4  a\033[K\re [####################] 4/4  c\033[K\r\033[K";
        CHECK(strcmp(got, want) == 0, "'%s'", got);
    }
    TEST("where the line is narrow the bar gives way, and the end of the line stays")
    {
        const struct {
            const char *values, *want;
        } rows[] = {
            {"loss 0.1234  lr 0.000123  123.4 img/s  eta 1:02:03",
             "\rhead 10/12 [#####.] 120/128  loss 0.1234  lr 0.000123  123.4 img/s  eta 1:02:03\033[K"},
            {"loss 0.12345  lr 0.000123  1234.5 img/s  eta 1:02:03",
             "\rhead 10/12 [###.] 120/128  loss 0.12345  lr 0.000123  1234.5 img/s  eta 1:02:03\033[K"},
            {"loss 0.1234567  lr 0.00012345  1234.5 img/s  eta 11:02:03",
             "\rhead 10/12 120/128  loss 0.1234567  lr 0.00012345  1234.5 img/s  eta 11:02:03\033[K"},
        };
        for (size_t i = 0; i < COUNT(rows); i++) {
            FILE *f = tmpfile();
            progress p = progress_start(f, true, 10, 0);
            progress_show(&p, 0, "head 10/12", 120, 128, rows[i].values);
            rewind(f);
            char got[256] = "";
            got[fread(got, 1, sizeof got - 1, f)] = 0;
            fclose(f);
            CHECK(strcmp(got, rows[i].want) == 0, "'%s'", got);
            CHECK(strlen(rows[i].want) <= 79 + 4, "%zu columns", strlen(rows[i].want) - 4);
        }
    }
    return test_end();
}
