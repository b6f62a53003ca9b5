#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
}

int fail(error *e, int code, const char *format, ...)
{
    if (e && !e->code) {
        va_list args;
        va_start(args, format);
        vsnprintf(e->text, sizeof e->text, format, args);
        va_end(args);
        clean(e->text);
        e->code = code;
    }
    return code;
}

int fail_system(error *e, const char *format, ...)
{
    int number = errno;
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail(e, ERR_SYSTEM, "%s: %s", text, strerror(number));
}

int fail_open(error *e, const char *path)
{
    static const int of_the_path[] = {ENOENT,       ENOTDIR, EACCES, EPERM,  ELOOP,
                                      ENAMETOOLONG, EISDIR,  ENXIO,  ENODEV, EINVAL};
    const int number = errno;
    for (size_t i = 0; i < COUNT(of_the_path); i++)
        if (number == of_the_path[i])
            return fail(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(number));
    errno = number;
    return fail_system(e, "%s: cannot open", path);
}

int fail_memory(error *e, size_t bytes, const char *what)
{
    return fail(e, ERR_SYSTEM, "out of memory: %zu bytes for %s were refused", bytes, what);
}

int fail_context(error *e, const char *format, ...)
{
    if (!e)
        return ERR_SYSTEM;
    char context[sizeof e->text / 2 + 1], old[sizeof e->text]; /* half of the line at most */
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    memcpy(old, e->text, sizeof old);
    snprintf(e->text, sizeof e->text, "%s: %.*s", context, (int)(sizeof e->text - strlen(context) - 3), old);
    clean(e->text);
    return e->code;
}

void *mem_zero(size_t count, size_t size, const char *what, error *e)
{
    if (count == 0)
        count = 1;
    void *p = calloc(count, size); /* checks the product */
    if (!p)
        fail_memory(e, size > SIZE_MAX / count ? SIZE_MAX : count * size, what);
    return p;
}

int mem_grow(void *block, size_t *capacity, size_t need, size_t size, const char *what, error *e)
{
    if (need <= *capacity)
        return 0;
    size_t wanted = *capacity ? *capacity : 16;
    while (wanted < need && wanted <= SIZE_MAX / 2)
        wanted *= 2;
    if (wanted < need || wanted > SIZE_MAX / size)
        return fail_memory(e, SIZE_MAX, what);
    void *old;
    memcpy(&old, block, sizeof old);
    void *p = realloc(old, wanted * size);
    if (!p)
        return fail_memory(e, wanted * size, what);
    memcpy(block, &p, sizeof p);
    *capacity = wanted;
    return 0;
}

void *mem_room(size_t bytes, const char *what, error *e)
{
    const size_t huge = (size_t)1 << 21;
    size_t align = bytes >= 2 * huge ? huge : 64;
    size_t rounded = bytes ? (bytes + align - 1) / align * align : align;
    void *p = rounded < bytes ? NULL : aligned_alloc(align, rounded);
    if (!p) {
        fail_memory(e, bytes, what);
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (align == huge)
        madvise(p, rounded, MADV_HUGEPAGE); /* a wish: the result does not depend on it */
#endif
    return p;
}

void *mem_aligned(size_t bytes, const char *what, error *e)
{
    void *p = mem_room(bytes, what, e);
    return p ? memset(p, 0, bytes) : NULL;
}
