/* The list of what is watched is made of entries that are never freed, so that a handler can walk it while another
 * thread changes it: a new entry is put in front by one atomic store, a released one is marked and used again. An
 * entry's state says whether its fields may be read; whoever turns a free state into FILLING owns the entry until it
 * sets another one. A handler may act on a state that has changed since it looked, so an entry that held a file to
 * remove holds nothing but such files for ever: no handler comes to remove an input. */
#include "base/signals.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILLING, FILE_TO_REMOVE, FREE_OF_FILE, MAPPING, FREE_OF_MAPPING };

typedef struct signals_watch {
    struct signals_watch *next;
    atomic_int state;
    uintptr_t begin, end; /* of a mapping */
    char name[PATH_MAX];
} watch;

static _Atomic(watch *) watches;
static const char *program_name = "onebox";
static volatile sig_atomic_t deferred;

/* ---------------------------------------------------------------- the list */

/* An entry that was of this kind before, FREE_OF_FILE or FREE_OF_MAPPING, or a new one. */
static watch *claim(int kind, error *e)
{
    for (watch *w = atomic_load(&watches); w; w = w->next) {
        int expected = kind;
        if (atomic_compare_exchange_strong(&w->state, &expected, FILLING))
            return w;
    }
    watch *w = mem_zero(1, sizeof *w, "the name of a file", e);
    if (!w)
        return NULL;
    atomic_store(&w->state, FILLING);
    w->next = atomic_load(&watches);
    while (!atomic_compare_exchange_weak(&watches, &w->next, w))
        ;
    return w;
}

watch *signals_watch(const char *name, const void *data, size_t size, error *e)
{
    if (strlen(name) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        fail_system(e, "%s", name);
        return NULL;
    }
    watch *w = claim(data ? FREE_OF_MAPPING : FREE_OF_FILE, e);
    if (!w)
        return NULL;
    strcpy(w->name, name);
    w->begin = (uintptr_t)data;
    w->end = w->begin + size;
    atomic_store(&w->state, data ? MAPPING : FILE_TO_REMOVE);
    return w;
}

void signals_release(watch *w)
{
    if (w)
        atomic_store(&w->state, atomic_load(&w->state) == MAPPING ? FREE_OF_MAPPING : FREE_OF_FILE);
}

/* ---------------------------------------------------------------- the handlers */

static void remove_files(void)
{
    for (watch *w = atomic_load(&watches); w; w = w->next)
        if (atomic_load(&w->state) == FILE_TO_REMOVE)
            unlink(w->name);
}

static void on_end(int number)
{
    remove_files();
    signal(number, SIG_DFL);
    raise(number); /* delivered when this handler returns */
}

static void put(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nothing else can be said */
}

static void on_bus(int number, siginfo_t *info, void *context)
{
    (void)context;
    const uintptr_t at = (uintptr_t)info->si_addr;
    for (watch *w = atomic_load(&watches); w; w = w->next) {
        if (atomic_load(&w->state) != MAPPING || at < w->begin || at >= w->end)
            continue;
        struct stat st;
        bool shorter = stat(w->name, &st) == 0 && (uintmax_t)st.st_size < w->end - w->begin;
        put(program_name);
        put(": ");
        put(w->name);
        put(shorter ? ": became shorter while it was read; run this again when nothing writes to it\n"
                    : ": a part of it cannot be read any more\n");
        remove_files();
        _exit(ERR_SYSTEM);
    }
    on_end(number);
}

/* Notes the signal. A second Ctrl-C is impatient; make, a terminal that closes and a shutdown send TERM and HUP to
 * everything at once, and often several times. */
static void on_deferred(int number)
{
    if (deferred && number == SIGINT)
        on_end(number);
    if (!deferred && number == SIGINT) {
        put(program_name);
        put(": stopping; Ctrl-C again stops without saving anything\n");
    }
    if (!deferred)
        deferred = number;
}

static sigset_t before_hold;

void signals_hold(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU};
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < COUNT(ends); i++)
        sigaddset(&held, ends[i]);
    sigprocmask(SIG_BLOCK, &held, &before_hold);
}

void signals_let_go(void)
{
    sigprocmask(SIG_SETMASK, &before_hold, NULL);
}

void signals_defer(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct sigaction old, new = {.sa_handler = on_deferred, .sa_flags = SA_RESTART};
        sigemptyset(&new.sa_mask);
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ends[i], &new, NULL);
    }
}

int signals_deferred(void)
{
    return deferred;
}

void signals_deliver(void)
{
    if (deferred)
        on_end(deferred);
}

void signals_begin(const char *program)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU};
    program_name = program;
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct sigaction old, new = {.sa_handler = on_end};
        sigemptyset(&new.sa_mask);
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ends[i], &new, NULL);
    }
    struct sigaction bus = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    sigemptyset(&bus.sa_mask);
    sigaction(SIGBUS, &bus, NULL);
    signal(SIGXFSZ, SIG_IGN);
}
