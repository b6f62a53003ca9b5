/* memory.c - device memory that host code cannot touch, and pinned host memory.
 *
 * Device memory comes from one large range of addresses without access rights. An allocation gets whole pages
 * between guard pages, its end as near to the guard as the alignment allows; the bytes left over are filled
 * with a pattern and looked at later (and poisoned for AddressSanitizer). Pages are opened while queued work
 * runs. Addresses are never used twice, so freed memory stays closed.
 */
#include "core.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define STANDIN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STANDIN_ASAN 1
#endif
#endif
#ifdef STANDIN_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { ALIGNMENT = 256, FRESH = 0xff, EDGE = 0xa5 };

static const size_t RANGE = (size_t)1 << 38; /* addresses, not memory */

/* The heap, stacks and mappings of 64-bit programs lie above this, AddressSanitizer's tables below. */
static const uintptr_t LOWEST_POINTER = (uintptr_t)0x10008 << 28;

typedef struct block {
    struct block *next;
    unsigned char *pages, *data; /* whole pages; what the caller got */
    size_t mapped, size;
    bool freed;
} block;

static struct {
    unsigned char *range;
    size_t used_range;
    block *device, *pinned;
    size_t total, used, peak;
    int open;
    const char *work;
} memory;

/* The size of a page: 4 KiB; on ARM64 16 or 64 KiB as well. */
static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t charged(size_t size)
{
    return (size + 511) / 512 * 512;
}

/* ---------------------------------------------------------------- faults */

static void fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    unsigned char *at = info->si_addr;
    if (memory.range && at >= memory.range && at < memory.range + RANGE) {
        const char *freed = "";
        for (const block *b = memory.device; b; b = b->next)
            if (at >= b->pages && at < b->pages + b->mapped && b->freed)
                freed = ", which was freed";
        if (memory.open)
            misuse("%s touches device address %p%s outside of what it may", memory.work, (void *)at, freed);
        misuse("host code touches device address %p%s", (void *)at, freed);
    }
    signal(number, SIG_DFL);
}

static void reserve(void)
{
    if (memory.range)
        return;
    memory.range = mmap(NULL, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory.range == MAP_FAILED)
        misuse("no room for %zu bytes of addresses", RANGE);
    struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
}

/* ---------------------------------------------------------------- device memory */

/* The bytes of a block's pages before and behind its data. */
static void edges(const block *b, int mode)
{
    unsigned char *end = b->data + b->size, *last = b->pages + b->mapped;
    if (mode == 0) {
        memset(b->pages, EDGE, (size_t)(b->data - b->pages));
        memset(end, EDGE, (size_t)(last - end));
        ASAN_POISON_MEMORY_REGION(b->pages, (size_t)(b->data - b->pages));
        ASAN_POISON_MEMORY_REGION(end, (size_t)(last - end));
        return;
    }
#ifndef STANDIN_ASAN
    for (const unsigned char *p = b->pages; p < last; p++) {
        if (p == b->data)
            p = end;
        if (p < last && *p != EDGE)
            misuse("%s wrote %td bytes %s device memory of %zu bytes", memory.work ? memory.work : "something",
                   p < b->data ? b->data - p : p - end + 1, p < b->data ? "before" : "behind", b->size);
    }
#endif
}

/* Fresh memory is never zero: floats are NaN. Of large memory the first and the last MiB must do. */
static void fill_fresh(unsigned char *data, size_t size)
{
    const size_t part = (size_t)1 << 20;
    if (size <= 4 * part) {
        memset(data, FRESH, size);
        return;
    }
    memset(data, FRESH, part);
    memset(data + size - part, FRESH, part);
}

cudaError_t memory_allocate(void **pointer, size_t size)
{
    if (size == 0) {
        *pointer = NULL;
        return cudaSuccess;
    }
    if (size > memory.total || memory.used + charged(size) > memory.total)
        return cudaErrorMemoryAllocation;
    reserve();
    const size_t page = page_size(), aligned = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT,
                 mapped = (aligned + page - 1) / page * page;
    block *b = calloc(1, sizeof *b);
    if (!b || memory.used_range + mapped + 2 * page > RANGE)
        misuse("no more addresses for device memory");
    b->pages = memory.range + memory.used_range + page;
    b->mapped = mapped;
    b->size = size;
    b->data = b->pages + mapped - aligned;
    memory.used_range += mapped + page;
    if (mprotect(b->pages, mapped, PROT_READ | PROT_WRITE))
        misuse("the host has no %zu bytes for device memory", mapped);
    ASAN_UNPOISON_MEMORY_REGION(b->pages, mapped);
    fill_fresh(b->data, size);
    edges(b, 0);
    if (!memory.open)
        mprotect(b->pages, mapped, PROT_NONE);
    b->next = memory.device;
    memory.device = b;
    memory.used += charged(size);
    if (memory.used > memory.peak)
        memory.peak = memory.used;
    *pointer = b->data;
    return cudaSuccess;
}

static void release(block *b)
{
    mprotect(b->pages, b->mapped, PROT_READ);
    edges(b, 1);
    ASAN_POISON_MEMORY_REGION(b->pages, b->mapped);
    madvise(b->pages, b->mapped, MADV_DONTNEED);
    mprotect(b->pages, b->mapped, PROT_NONE);
    memory.used -= charged(b->size);
    b->freed = true;
}

cudaError_t memory_free(void *pointer)
{
    if (!pointer)
        return cudaSuccess;
    for (block *b = memory.device; b; b = b->next)
        if (b->data == pointer) {
            if (b->freed)
                misuse("cudaFree: %p was freed before", pointer);
            release(b);
            return cudaSuccess;
        }
    return cudaErrorInvalidValue;
}

void memory_info(size_t *free_bytes, size_t *total)
{
    *free_bytes = memory.total - memory.used;
    *total = memory.total;
}

size_t standin_memory(void)
{
    return memory.used;
}

size_t standin_memory_peak(void)
{
    return memory.peak;
}

void memory_reset(size_t total)
{
    for (block *b = memory.device; b;) {
        block *next = b->next;
        if (!b->freed)
            release(b);
        free(b);
        b = next;
    }
    while (memory.pinned)
        pinned_free(memory.pinned->data);
    memory.device = NULL;
    memory.total = total;
    memory.used = memory.peak = 0;
}

void memory_leaks(bool print, long *count)
{
    for (const block *b = memory.device; b; b = b->next)
        if (!b->freed) {
            *count += 1;
            if (print)
                fprintf(stderr, "standin: %zu bytes of device memory were never freed\n", b->size);
        }
    for (const block *b = memory.pinned; b; b = b->next) {
        *count += 1;
        if (print)
            fprintf(stderr, "standin: %zu bytes of pinned memory were never freed\n", b->size);
    }
}

/* ---------------------------------------------------------------- pinned memory */

cudaError_t pinned_allocate(void **pointer, size_t size)
{
    if (size == 0) {
        *pointer = NULL;
        return cudaSuccess;
    }
    block *b = calloc(1, sizeof *b);
    const size_t page = page_size(), mapped = (size + page - 1) / page * page;
    if (!b || !(b->data = aligned_alloc(page, mapped))) {
        free(b);
        return cudaErrorMemoryAllocation;
    }
    memset(b->data, FRESH, size);
    ASAN_POISON_MEMORY_REGION(b->data + size, mapped - size);
    b->size = size;
    b->mapped = mapped;
    b->next = memory.pinned;
    memory.pinned = b;
    *pointer = b->data;
    return cudaSuccess;
}

cudaError_t pinned_free(void *pointer)
{
    if (!pointer)
        return cudaSuccess;
    for (block **at = &memory.pinned; *at; at = &(*at)->next)
        if ((*at)->data == pointer) {
            block *b = *at;
            *at = b->next;
            ASAN_UNPOISON_MEMORY_REGION(b->data, b->mapped);
            free(b->data);
            free(b);
            return cudaSuccess;
        }
    return cudaErrorInvalidValue;
}

/* ---------------------------------------------------------------- checks */

static const block *find(const block *list, const void *pointer)
{
    const unsigned char *p = pointer;
    for (; list; list = list->next)
        if (!list->freed && p >= list->data && p < list->data + list->size)
            return list;
    return NULL;
}

memory_place memory_where(const void *pointer)
{
    const unsigned char *p = pointer;
    if (memory.range && p >= memory.range && p < memory.range + RANGE)
        return PLACE_DEVICE;
    return find(memory.pinned, pointer) ? PLACE_PINNED : PLACE_PAGEABLE;
}

void memory_check(const char *call, const char *what, const void *pointer, size_t bytes)
{
    if (bytes == 0)
        return;
    memory_place place = memory_where(pointer);
    if (place == PLACE_PAGEABLE)
        misuse("%s: %s (%p) is host memory, the device can't touch it", call, what, pointer);
    const block *b = find(place == PLACE_DEVICE ? memory.device : memory.pinned, pointer);
    if (!b)
        misuse("%s: %s (%p) is not in any living allocation", call, what, pointer);
    size_t left = (size_t)(b->data + b->size - (const unsigned char *)pointer);
    if (bytes > left)
        misuse("%s: %s needs %zu bytes, but only %zu of its allocation of %zu are left", call, what, bytes, left,
               b->size);
}

void memory_check_args(const char *kernel, const void *args, size_t size)
{
    for (size_t at = 0; at + sizeof(uintptr_t) <= size; at += sizeof(uintptr_t)) {
        uintptr_t word;
        unsigned char resident;
        memcpy(&word, (const char *)args + at, sizeof word);
        const void *p = (const void *)word;
        if (word < LOWEST_POINTER || word >> 48)
            continue; /* numbers, mostly */
        if (memory_where(p) == PLACE_DEVICE) {
            if (!find(memory.device, p) && !find(memory.device, (const char *)p - 1))
                misuse("%s: the pointer %p among the arguments is in no living allocation", kernel, p);
        } else if (memory_where(p) == PLACE_PAGEABLE &&
                   mincore((void *)(word & ~(uintptr_t)(page_size() - 1)), 1, &resident) == 0)
            misuse("%s: host pointer %p among the arguments", kernel, p);
    }
}

/* ---------------------------------------------------------------- opening */

static void protect(int rights)
{
    for (const block *b = memory.device; b; b = b->next)
        if (!b->freed)
            mprotect(b->pages, b->mapped, rights);
}

void memory_open(const char *work)
{
    memory.work = work;
    if (memory.open++ == 0)
        protect(PROT_READ | PROT_WRITE);
}

void memory_close(void)
{
    if (memory.open > 1) {
        memory.open--;
        return;
    }
    for (const block *b = memory.device; b; b = b->next)
        if (!b->freed)
            edges(b, 1);
    memory.open = 0;
    protect(PROT_NONE);
    memory.work = NULL;
}

void standin_peek(const void *device, void *host, size_t bytes)
{
    memory_check("standin_peek", "the source", device, bytes);
    memory_open("standin_peek");
    memcpy(host, device, bytes);
    memory_close();
}

void standin_poke(void *device, const void *host, size_t bytes)
{
    memory_check("standin_poke", "the target", device, bytes);
    memory_open("standin_poke");
    memcpy(device, host, bytes);
    memory_close();
}
