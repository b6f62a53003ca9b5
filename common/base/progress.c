#include "base/progress.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

double progress_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { BAR = 20 }; /* places of the bar, where the line has room for them */

progress progress_start(FILE *stream, bool terminal, double interval, double now)
{
    return (progress){stream, terminal, interval, terminal ? -1 : now, false};
}

/* "[####......] " with `width` places between the brackets; nothing where there is too little room. */
static void draw_bar(char text[2 * BAR + 4], int width, int64_t done, int64_t total)
{
    double part = total > 0 ? fmin(fmax((double)done / (double)total, 0), 1) : 0;
    int full = (int)(part * width);
    *text = 0;
    if (width >= 4)
        snprintf(text, 2 * BAR + 4, "[%.*s%.*s] ", full, "####################", width - full, "....................");
}

void progress_duration(char text[24], double seconds)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        strcpy(text, "-:--");
        return;
    }
    unsigned s = (unsigned)(seconds + 0.5), hours = s / 3600, minutes = s / 60 % 60;
    if (hours)
        snprintf(text, 24, "%u:%02u:%02u", hours, minutes, s % 60);
    else
        snprintf(text, 24, "%u:%02u", minutes, s % 60);
}

static int columns(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col < 250 ? size.ws_col : 250;
    return 80;
}

void progress_show(progress *p, double now, const char *what, int64_t done, int64_t total, const char *values)
{
    double wait = p->terminal ? 0.1 : p->interval;
    bool last = p->terminal && done == total;
    if (p->shown >= 0 && now - p->shown < wait && !last)
        return;
    p->shown = now;
    if (!p->terminal) {
        fprintf(p->stream, "%s %lld/%lld  %s\n", what, (long long)done, (long long)total, values);
        fflush(p->stream);
        return;
    }
    char bar[2 * BAR + 4], counts[64], line[512];
    const int most = columns(p->stream) - 1; /* one less than the line holds, so that it never wraps */
    snprintf(counts, sizeof counts, "%lld/%lld", (long long)done, (long long)total);
    int room = most - (int)(strlen(what) + strlen(counts) + strlen(values)) - 6; /* brackets and blanks */
    draw_bar(bar, room < BAR ? room : BAR, done, total);
    snprintf(line, sizeof line, "%s %s%s  %s", what, bar, counts, values);
    fprintf(p->stream, "\r%.*s\033[K", most, line); /* wipes what was longer */
    fflush(p->stream);
    p->drawn = true;
}

void progress_clear(progress *p)
{
    if (!p->drawn)
        return;
    fputs("\r\033[K", p->stream);
    fflush(p->stream);
    p->drawn = false;
}
