/* Making a picture cache whose bytes depend on the pictures alone.
 *
 * Each named picture is a job. First (find_known, in parallel) every job learns whether its pixels can be kept:
 * the old cache holds them undamaged, and .sources says that the file is the one they were made of. If all can,
 * and no others are there, nothing is written. Otherwise (make_picture, in parallel) pixels are copied or decoded
 * and scaled, and written into a new file: a picture's place follows from the sizes of those before it, which the
 * heads of the files tell, so the order of names decides and not the order in which threads finish. Pictures that
 * fail late leave holes, which are closed. Index and header come last, and the file replaces the old one if it
 * differs or the old one was damaged. */
#include "image/cache_make.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "base/threads.h"
#include "image/cache.h"
#include "image/cache_format.h"
#include "image/cache_sources.h"
#include "image/picture_file.h"
#include "image/resize.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* One picture of the cache to be. */
typedef struct cache_job {
    cache_source source; /* the name points to the caller's */
    int64_t row;         /* in the old cache; -1 when it is not there */
    bool keep;           /* its pixels are taken from there */
    bool damaged;        /* they cannot be: their checksum differs */
    char *bad;           /* why it is left out */
    char *warning;       /* "FILE: …" of one that was decoded with warnings */
    int warnings;
    cache_entry entry; /* without the name's place */
} cache_job;

typedef struct cache_work {
    const char *path;
    const cache_options *options;
    cache_job *jobs;
    size_t count;
    cache *old;       /* NULL: none that can be used */
    bool any_damaged; /* pixels of it */
    cache_sources sources;
    resize_scratch *scratch; /* one per thread */
    int threads;
    int64_t started; /* nanoseconds since 1970 */
    /* the file being written */
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t advanced;
    size_t turn;     /* the first picture without a place */
    uint64_t placed; /* where its pixels will start */
} cache_work;

static int string_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---------------------------------------------------------------- what is known already */

static int hash_file(const char *path, char hex[65], error *e)
{
    file_view view;
    int code = picture_bytes(&view, path, e);
    if (code)
        return code;
    sha256_hex(view.data, view.size, hex);
    file_close(&view);
    return 0;
}

/* A fault of this picture alone: it is remembered, and the work goes on. Anything but bad input is returned.
 */
static int set_bad(cache_job *j, error *found, error *e)
{
    if (found->code != ERR_INPUT) {
        if (e)
            *e = *found;
        return found->code;
    }
    free(j->bad);
    j->bad = strdup(found->text);
    if (!j->bad)
        return fail_memory(e, sizeof found->text, "a message");
    strcpy(j->source.sha256, "-");
    j->source.note = j->bad;
    return 0;
}

/* The note in .sources is the part behind the file's name. */
static int set_warning(cache_job *j, const char *path, const char *text, error *e)
{
    text_buffer b = {0};
    text_add(&b, "%s: %s", path, text);
    if (text_done(&b, e)) {
        text_free(&b);
        return ERR_SYSTEM;
    }
    j->warning = b.data;
    /* no path: text_done() has failed NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    j->source.note = b.data + strlen(path) + 2;
    return 0;
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The later one of a file's two times: that of its content can be set back, as archivers do, that of its entry
 * cannot. */
static int64_t last_change(const struct stat *st)
{
    const int64_t content = nanoseconds(st->st_mtim), entry = nanoseconds(st->st_ctim);
    return content > entry ? content : entry;
}

/* Decides whether the picture's pixels can be kept. Those of the old cache are compared with their checksum even if the
 * picture has to be decoded anyway: a damaged file must not stay because its index is the right one. */
static int find_known(void *context, size_t item, int worker, error *e)
{
    (void)worker;
    cache_work *m = context;
    cache_job *j = &m->jobs[item];
    struct stat st;
    error found = {0};
    int code = 0;
    char *path = path_join(m->options->images, j->source.name, e);
    if (!path)
        return ERR_SYSTEM;
    if (stat(path, &st)) {
        fail_open(&found, path);
        free(path);
        return set_bad(j, &found, e);
    }
    j->source.bytes = st.st_size;
    j->source.time = last_change(&st);
    const cache_source *known = cache_sources_find(&m->sources, j->source.name);
    j->row = m->old ? cache_find(m->old, j->source.name) : -1;
    j->damaged = j->row >= 0 && cache_verify(m->old, (size_t)j->row, NULL);
    const bool usable = known && j->row >= 0 && !j->damaged && known->bytes == j->source.bytes;
    if (usable && known->time && known->time == j->source.time) {
        memcpy(j->source.sha256, known->sha256, sizeof known->sha256);
        j->keep = true;
    } else if (usable && hash_file(path, j->source.sha256, &found)) {
        code = set_bad(j, &found, e);
    } else if (usable) {
        j->keep = strcmp(j->source.sha256, known->sha256) == 0;
    }
    /* keep: it is known NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    if (!code && j->keep && known->note) /* the decoder warned when it was made */
        code = set_warning(j, path, known->note, e);
    /* A file that changed a moment ago may change again without its time showing it. */
    if (j->source.time <= 0 || j->source.time > m->started - 2000000000)
        j->source.time = 0;
    free(path);
    return code;
}

/* ---------------------------------------------------------------- pixels */

static int write_at(const cache_work *m, const void *data, size_t size, uint64_t at, error *e)
{
    const char *p = data;
    while (size) {
        ssize_t n = pwrite(m->fd, p, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_system(e, "%s: cannot write", m->path);
        p += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* Places are given in the order of names, so the file does not depend on who is faster. A picture needs one as
 * soon as its size is known, so nobody waits for a decoder. */
static uint64_t take_place(cache_work *m, size_t item, size_t bytes)
{
    pthread_mutex_lock(&m->lock);
    while (m->turn != item)
        pthread_cond_wait(&m->advanced, &m->lock);
    uint64_t at = m->placed;
    m->placed += bytes;
    m->turn++;
    pthread_cond_broadcast(&m->advanced);
    pthread_mutex_unlock(&m->lock);
    return at;
}

/* Only the head of the file: how large the scaled picture will be. */
static int read_head(const cache_work *m, cache_job *j, const file_view *view, error *e)
{
    picture_info info;
    int h, w;
    if (picture_probe(view->data, view->size, view->path, &info, e))
        return e->code;
    int code = scaled_size_allowed(info.height, info.width, m->options->size, &h, &w, view->path, e);
    if (code)
        return code;
    j->entry = (cache_entry){.original_height = (uint32_t)info.height,
                             .original_width = (uint32_t)info.width,
                             .height = (uint32_t)h,
                             .width = (uint32_t)w};
    return 0;
}

static int decode_scaled(const cache_work *m, cache_job *j, const file_view *view, picture *scaled, resize_scratch *s,
                         error *e)
{
    picture p;
    picture_info info;
    if (picture_decode(&p, view->data, view->size, view->path, &info, e))
        return e->code;
    int code = picture_scale(&p, m->options->size, scaled, view->path, s, e);
    picture_free(&p);
    if (!code && cache_entry_bytes(&j->entry) != 3 * (size_t)scaled->height * (size_t)scaled->width)
        code = fail(e, ERR_INPUT, "%s: its size is not what its head says", view->path);
    j->warnings = info.warnings;
    sha256_hex(view->data, view->size, j->source.sha256);
    return code || !info.warnings ? code : set_warning(j, view->path, info.warning, e);
}

static int place_pixels(cache_work *m, cache_job *j, size_t item, const uint8_t *kept, const file_view *view,
                        int worker, error *e)
{
    j->entry.pixels_start = take_place(m, item, cache_entry_bytes(&j->entry));
    if (kept)
        return write_at(m, kept, cache_entry_bytes(&j->entry), j->entry.pixels_start, e);
    picture scaled = {0};
    error found = {0};
    int code = decode_scaled(m, j, view, &scaled, &m->scratch[worker], &found);
    if (code) {
        code = set_bad(j, &found, e);
    } else {
        j->entry.checksum = xxh64(scaled.pixels, cache_entry_bytes(&j->entry));
        code = write_at(m, scaled.pixels, cache_entry_bytes(&j->entry), j->entry.pixels_start, e);
    }
    picture_free(&scaled);
    return code;
}

static int make_picture(void *context, size_t item, int worker, error *e)
{
    cache_work *m = context;
    cache_job *j = &m->jobs[item];
    const uint8_t *kept = NULL;
    file_view view = {0};
    char *path = NULL;
    error found = {0};
    int code = 0;
    if (j->keep) {
        kept = cache_at(m->old, (size_t)j->row).pixels;
        j->entry = *cache_entry_at(m->old, (size_t)j->row);
    }
    if (!j->bad && !kept) {
        path = path_join(m->options->images, j->source.name, e);
        code = path ? 0 : ERR_SYSTEM;
        if (!code && (picture_bytes(&view, path, &found) || read_head(m, j, &view, &found)))
            code = set_bad(j, &found, e);
    }
    if (j->bad || code) {
        j->entry = (cache_entry){0};
        take_place(m, item, 0);
    } else {
        code = place_pixels(m, j, item, kept, &view, worker, e);
    }
    if (view.path)
        file_close(&view);
    free(path);
    return code;
}

/* Pictures whose decoding failed late have left holes: what follows moves down. */
static int close_holes(cache_work *m, error *e)
{
    uint64_t at = sizeof(cache_header);
    char *buffer = NULL;
    size_t capacity = 0;
    int code = 0;
    for (size_t i = 0; !code && i < m->count; i++) {
        cache_entry *t = &m->jobs[i].entry;
        if (m->jobs[i].bad)
            continue;
        size_t bytes = cache_entry_bytes(t);
        if (t->pixels_start != at) {
            if (mem_grow(&buffer, &capacity, bytes, 1, "pixels", e))
                code = ERR_SYSTEM;
            else if (pread(m->fd, buffer, bytes, (off_t)t->pixels_start) != (ssize_t)bytes)
                code = fail_system(e, "%s: cannot read back", m->path);
            else
                code = write_at(m, buffer, bytes, at, e);
            t->pixels_start = at;
        }
        at += bytes;
    }
    free(buffer);
    m->placed = at;
    if (!code && ftruncate(m->fd, (off_t)at))
        code = fail_system(e, "%s: cannot write", m->path);
    return code;
}

/* ---------------------------------------------------------------- the file */

/* Index and names behind the pixels, and the header before them. */
static int write_index(cache_work *m, cache_header *h, error *e)
{
    size_t names_bytes = 0, good = 0;
    for (size_t i = 0; i < m->count; i++)
        if (!m->jobs[i].bad) {
            names_bytes += strlen(m->jobs[i].source.name) + 1;
            good++;
        }
    cache_entry *index = mem_zero(good, sizeof *index, "the index", e);
    char *names = mem_zero(names_bytes, 1, "the names", e), *name = names;
    int code = index && names ? 0 : ERR_SYSTEM;
    for (size_t i = 0, k = 0; !code && i < m->count; i++) {
        if (m->jobs[i].bad)
            continue;
        size_t n = strlen(m->jobs[i].source.name);
        index[k] = m->jobs[i].entry;
        index[k].name_start = (uint64_t)(name - names);
        index[k++].name_bytes = (uint32_t)n;
        memcpy(name, m->jobs[i].source.name, n + 1);
        name += n + 1;
    }
    if (!code) {
        const uint64_t start = (m->placed + 7) / 8 * 8;
        *h = (cache_header){.magic = CACHE_MAGIC,
                            .version = CACHE_VERSION,
                            .size = (uint32_t)m->options->size,
                            .pictures = good,
                            .index_start = start,
                            .names_bytes = names_bytes,
                            .file_bytes = start + good * sizeof *index + names_bytes};
        cache_digest_of(h, index, names, h->sha256);
        const char zeros[8] = {0};
        if (write_at(m, zeros, start - m->placed, m->placed, e) || write_at(m, index, good * sizeof *index, start, e) ||
            write_at(m, names, names_bytes, start + good * sizeof *index, e) || write_at(m, h, sizeof *h, 0, e))
            code = ERR_SYSTEM;
    }
    free(index);
    free(names);
    return code;
}

static int too_many_bad(const cache_work *m, cache_summary *summary, error *e)
{
    summary->bad = 0;
    const char *first = NULL;
    for (size_t i = 0; i < m->count; i++)
        if (m->jobs[i].bad) {
            summary->bad++;
            first = first ? first : m->jobs[i].bad;
            if (m->options->bad)
                m->options->bad(m->options->context, m->jobs[i].bad);
        }
    if (summary->bad > (size_t)m->options->max_bad)
        return fail(e, ERR_INPUT,
                    "%zu of %zu pictures cannot be used, %lld may be (--max-bad); --max-bad %zu (make: MAX_BAD=%zu) "
                    "leaves them out; the first: %s",
                    summary->bad, m->count, (long long)m->options->max_bad, summary->bad, summary->bad, first);
    if (summary->bad == m->count)
        return fail(e, ERR_INPUT, "none of %zu pictures can be used; the first: %s", m->count, first);
    return 0;
}

static int write_cache(cache_work *m, char digest[65], cache_summary *summary, error *e)
{
    out_file out;
    cache_header header;
    int code = out_open(&out, m->path, e);
    if (code)
        return code;
    if (!out.temporary) {
        out_discard(&out);
        return fail(e, ERR_INPUT, "%s: is not a regular file; a cache is read back while it is made and needs one",
                    m->path);
    }
    m->fd = fileno(out.stream); /* written at places of its own, and read back; the stream stays empty */
    m->turn = 0;
    m->placed = sizeof header;
    code = parallel_for(m->threads, m->count, make_picture, m, e);
    if (!code)
        code = too_many_bad(m, summary, e);
    if (!code)
        code = close_holes(m, e);
    if (!code)
        code = write_index(m, &header, e);
    if (code) {
        out_discard(&out);
        return code;
    }
    sha256_text(header.sha256, digest);
    summary->changed = !m->old || m->any_damaged || strcmp(digest, cache_digest(m->old)) != 0;
    if (summary->changed)
        return out_commit(&out, e);
    out_discard(&out);
    return 0;
}

static int remember_sources(const cache_work *m, const char *sources, const char *digest, error *e)
{
    const cache_source **list = mem_zero(m->count, sizeof *list, "the sources", e);
    if (!list)
        return ERR_SYSTEM;
    for (size_t i = 0; i < m->count; i++)
        list[i] = &m->jobs[i].source;
    int code = cache_sources_write(list, m->count, sources, digest, e);
    free(list);
    return code;
}

/* A cache that is absent, damaged or of another size is none; what the system refuses is a failure. */
static int open_old(cache_work *m, const char *sources, error *e)
{
    error unusable = {0};
    m->old = cache_open(m->path, &unusable);
    if (unusable.code == ERR_SYSTEM)
        return fail(e, ERR_SYSTEM, "%s", unusable.text);
    if (m->old && cache_size(m->old) != m->options->size) {
        cache_close(m->old);
        m->old = NULL;
    }
    return m->old ? cache_sources_read(&m->sources, sources, cache_digest(m->old), e) : 0;
}

static int update(cache_work *m, const char *sources, cache_summary *summary, error *e)
{
    char digest[65] = "";
    int code = parallel_for(m->threads, m->count, find_known, m, e);
    if (code)
        return code;
    /* Nothing to do: nothing to decode, and exactly the pictures that are there. */
    bool same = m->old && cache_count(m->old) == m->count;
    for (size_t i = 0; i < m->count; i++) {
        same = same && m->jobs[i].keep;
        m->any_damaged = m->any_damaged || m->jobs[i].damaged;
    }
    if (same)
        memcpy(digest, cache_digest(m->old), sizeof digest);
    else
        code = write_cache(m, digest, summary, e);
    for (size_t i = 0; i < m->count; i++) {
        const cache_job *j = &m->jobs[i];
        summary->pictures += !j->bad;
        summary->kept += !j->bad && j->keep;
        summary->decoded += !j->bad && !j->keep;
        summary->damaged += !j->bad && j->damaged;
        summary->warnings += (size_t)j->warnings;
        if (j->warning && !j->bad && m->options->warned)
            m->options->warned(m->options->context, j->warning);
    }
    return code ? code : remember_sources(m, sources, digest, e);
}

/* The jobs in the order of names, each name once. */
static int list_jobs(cache_work *m, const char *const *names, size_t count, error *e)
{
    const char **sorted = mem_zero(count, sizeof *sorted, "the names", e);
    m->jobs = mem_zero(count, sizeof *m->jobs, "the names", e);
    int code = sorted && m->jobs ? 0 : ERR_SYSTEM;
    if (!code) {
        memcpy(sorted, names, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, string_order);
    }
    for (size_t i = 0; !code && i < count; i++) {
        const char *wrong = cache_bad_name(sorted[i]);
        if (wrong)
            code = fail(e, ERR_INPUT, "a picture's name %s: '%.80s'", wrong, sorted[i]);
        else if (m->count == 0 || strcmp(m->jobs[m->count - 1].source.name, sorted[i]) != 0)
            m->jobs[m->count++] = (cache_job){.source.name = sorted[i], .row = -1};
    }
    free(sorted);
    return code;
}

int cache_make(const char *path, const char *const *names, size_t count, const cache_options *options,
               cache_summary *summary, error *e)
{
    *summary = (cache_summary){0};
    if (options->size < 32 || options->size > CACHE_MAX_SIZE || options->size % 32)
        return fail(e, ERR_USAGE, "a cache size of %d; it must be a multiple of 32 from 32 to 4096", options->size);
    if (strcmp(path, "-") == 0)
        return fail(e, ERR_USAGE, "a picture cache cannot be written to standard output; name a file");
    if (count == 0)
        return fail(e, ERR_INPUT, "no pictures are named");
    cache_work m = {
        .path = path, .options = options, .lock = PTHREAD_MUTEX_INITIALIZER, .advanced = PTHREAD_COND_INITIALIZER};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    m.started = nanoseconds(now);
    m.threads = threads_count(options->threads);
    m.scratch = mem_zero((size_t)m.threads, sizeof *m.scratch, "threads", e);
    text_buffer sources = {0};
    text_add(&sources, "%s.sources", path);
    int code = m.scratch ? text_done(&sources, e) : ERR_SYSTEM;
    if (!code)
        code = list_jobs(&m, names, count, e);
    if (!code)
        code = open_old(&m, sources.data, e);
    if (!code)
        code = update(&m, sources.data, summary, e);
    for (size_t i = 0; i < m.count; i++) {
        free(m.jobs[i].bad);
        free(m.jobs[i].warning);
    }
    for (int i = 0; m.scratch && i < m.threads; i++)
        resize_scratch_free(&m.scratch[i]);
    free(m.scratch);
    free(m.jobs);
    cache_sources_free(&m.sources);
    cache_close(m.old);
    text_free(&sources);
    return code;
}
