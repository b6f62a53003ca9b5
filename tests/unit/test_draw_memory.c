/* Drawing while memory is refused: allocation after allocation of one drawing fails, each in a process of its own. */
#include "render/drawing.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
static const bool with_sanitizer = true;
static long allocations, refused_one;
#else
static const bool with_sanitizer = false;
static long allocations, refused_one = -1; /* the number of the allocation that fails; -1: none */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static bool refuse(void)
{
    if (++allocations != refused_one)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return refuse() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return refuse() ? NULL : __libc_realloc(block, size);
}
#endif

static uint64_t digest(const drawing *d)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < 3 * (size_t)d->p.width * (size_t)d->p.height; i++)
        h = (h ^ d->p.pixels[i]) * 1099511628211u;
    return h;
}

typedef enum outcome { SAME, REFUSED, DIFFERENT, WRONG_CODE, HANGS, CRASHES, OUTCOMES } outcome;

/* Draws in a child in which allocation number `number` fails. */
static outcome draw_without(long number, uint64_t expected)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        drawing d = {0};
        error e = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(open("/dev/null", O_WRONLY), 2);
        alarm(5);
        allocations = 0;
        refused_one = number;
        int code = drawing_make(&d, 96, 1, 7, &e);
        refused_one = -1;
        _exit(code ? (code == ERR_SYSTEM ? REFUSED : WRONG_CODE) : digest(&d) == expected ? SAME : DIFFERENT);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return WRONG_CODE;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? HANGS : CRASHES;
    return (outcome)WEXITSTATUS(status);
}

int main(void)
{
    TEST("a drawing that is refused memory says so: it neither hangs nor comes out different")
    if (with_sanitizer) {
        SKIP("the sanitizer has malloc for itself");
    } else {
        drawing d = {0};
        error e = {0};
        int outcomes[OUTCOMES] = {0};
        drawing_make(&d, 96, 1, 7, &e); /* the first one sets up what cairo keeps */
        drawing_free(&d);
        allocations = 0;
        CHECK(!drawing_make(&d, 96, 1, 7, &e), "%s", e.text);
        const long count = allocations;
        for (long i = 1; i <= count && outcomes[HANGS] < 3; i++)
            outcomes[draw_without(i, digest(&d))]++;
        CHECK(outcomes[HANGS] == 0, "%d of %ld hang", outcomes[HANGS], count);
        CHECK(outcomes[DIFFERENT] == 0, "%d of %ld are different", outcomes[DIFFERENT], count);
        CHECK(outcomes[WRONG_CODE] == 0, "%d of %ld have another code", outcomes[WRONG_CODE], count);
        /* cairo itself crashes at some places */
        CHECK(count > 50 && outcomes[REFUSED] > count * 3 / 4, "%d of %ld refused, %d crashes", outcomes[REFUSED],
              count, outcomes[CRASHES]);
        drawing_free(&d);
    }
    return test_end();
}
