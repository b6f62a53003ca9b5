/* Batches live in a ring of slots. Under one lock samples are dealt out in order to whoever asks, a background thread
 * or the consumer while it waits, and made without the lock; the last one made completes its slot. The consumer takes
 * complete slots in order and gives the one before back, which opens the next batch. After a failed sample no further
 * batch is opened, so that the first failing batch ends the run, whatever the threads did. */
#include "nn/loader.h"

#include "base/progress.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One buffer of the ring. Batch number n of the whole run lives in slot n mod ring. */
typedef struct loader_slot {
    float *pictures;
    int32_t *labels;
    float *targets;
    uint32_t *samples;
    uint32_t epoch;
    int count;
    int left;      /* samples not made yet */
    int failed_at; /* lowest position that failed */
    error failure;
} loader_slot;

typedef struct loader_worker {
    loader *owner;
    int number;
    pthread_t thread;
} loader_worker;

struct loader {
    loader_options o;
    size_t per_epoch; /* batches */
    loader_slot *slots;
    loader_worker *workers;
    int started;

    pthread_mutex_t lock;
    pthread_cond_t work;  /* for the workers: a slot became free, or the end */
    pthread_cond_t ready; /* for the consumer: a batch is complete */

    /* All below are protected by the lock. */
    uint64_t opened;   /* batches whose samples have been dealt out at least in part */
    uint64_t released; /* batches given back by the consumer */
    uint64_t taken;    /* batches handed to the consumer */
    uint64_t total;    /* batches of the whole run */
    int dealt;         /* samples dealt of batch opened-1 */
    bool stop;
    bool failed; /* no further batches are opened */
    uint32_t *order;
    uint32_t order_epoch;
    bool order_known;
};

int loader_workers(int threads)
{
    return threads + 1; /* the consumer helps while it waits */
}

size_t loader_batches(size_t samples, int batch, int least)
{
    size_t whole = samples / (size_t)batch, left = samples % (size_t)batch;
    return whole + (left > 0 && left >= (size_t)least);
}

static void order_epoch(loader *l, uint32_t epoch)
{
    if (l->order_known && (l->order_epoch == epoch || !l->o.shuffle))
        return;
    for (size_t i = 0; i < l->o.samples; i++)
        l->order[i] = (uint32_t)i;
    if (l->o.shuffle) {
        philox p = philox_start(l->o.seed, PHILOX_STREAM(PURPOSE_SHUFFLE, epoch));
        philox_shuffle(&p, l->order, l->o.samples);
    }
    l->order_epoch = epoch;
    l->order_known = true;
}

/* Lays out the next batch in its slot. The lock is held. */
static void open_batch(loader *l)
{
    uint64_t n = l->opened;
    loader_slot *s = &l->slots[l->opened % (uint64_t)l->o.ring];
    s->epoch = l->o.first_epoch + (uint32_t)(n / l->per_epoch);
    order_epoch(l, s->epoch);
    size_t first = (size_t)(n % l->per_epoch) * (size_t)l->o.batch, left = l->o.samples - first;
    s->count = left < (size_t)l->o.batch ? (int)left : l->o.batch;
    memcpy(s->samples, l->order + first, (size_t)s->count * sizeof *s->samples);
    s->left = s->count;
    s->failed_at = -1;
    s->failure = (error){0};
    l->opened++;
    l->dealt = 0;
}

/* Deals out the next sample: its slot and position in there. False when there is none now. The lock is held.
 */
static bool deal(loader *l, loader_slot **s, int *position)
{
    for (;;) {
        if (l->opened > l->released) { /* the batch opened last may have samples left */
            loader_slot *open = &l->slots[(l->opened - 1) % (uint64_t)l->o.ring];
            if (l->dealt < open->count) {
                *s = open;
                *position = l->dealt++;
                return true;
            }
        }
        if (l->failed || l->opened == l->total || l->opened - l->released == (uint64_t)l->o.ring)
            return false;
        open_batch(l);
    }
}

/* Makes one dealt sample. Takes and gives back the lock, which is held on entry and on return. */
static void make_one(loader *l, loader_slot *s, int position, int number)
{
    pthread_mutex_unlock(&l->lock);
    error e = {0};
    float *picture = s->pictures ? s->pictures + (size_t)position * l->o.picture_floats : NULL;
    int code = l->o.make(l->o.context, s->samples[position], s->epoch, number, picture, &s->labels[position],
                         s->targets + (size_t)position * l->o.target_floats, &e);
    pthread_mutex_lock(&l->lock);
    if (code) {
        l->failed = true;
        if (s->failed_at < 0 || position < s->failed_at) {
            s->failed_at = position;
            s->failure = e;
            s->failure.code = code;
        }
    }
    if (--s->left == 0)
        pthread_cond_signal(&l->ready);
}

static void *loader_thread(void *argument)
{
    loader_worker *w = argument;
    loader *l = w->owner;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        loader_slot *s;
        int position;
        if (deal(l, &s, &position))
            make_one(l, s, position, w->number);
        else
            pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static int allocate_ring(loader *l, error *e)
{
    size_t batch = (size_t)l->o.batch;
    l->slots = mem_zero((size_t)l->o.ring, sizeof *l->slots, "batches", e);
    l->order = mem_zero(l->o.samples, sizeof *l->order, "the order of an epoch", e);
    l->workers = mem_zero((size_t)l->o.threads, sizeof *l->workers, "threads", e);
    if (!l->slots || !l->order || !l->workers)
        return ERR_SYSTEM;
    if (l->o.picture_floats > SIZE_MAX / sizeof(float) / batch)
        return fail_memory(e, SIZE_MAX, "batches");
    for (int i = 0; i < l->o.ring; i++) {
        loader_slot *s = &l->slots[i];
        if (l->o.picture_floats)
            s->pictures = mem_aligned(batch * l->o.picture_floats * sizeof(float), "a batch of pictures", e);
        s->labels = mem_zero(batch, sizeof *s->labels, "labels", e);
        s->targets = mem_zero(batch, l->o.target_floats * sizeof *s->targets, "targets", e);
        s->samples = mem_zero(batch, sizeof *s->samples, "sample numbers", e);
        if ((l->o.picture_floats && !s->pictures) || !s->labels || !s->targets || !s->samples)
            return ERR_SYSTEM;
    }
    return 0;
}

loader *loader_open(const loader_options *options, error *e)
{
    if (options->samples == 0 || options->samples > UINT32_MAX || options->batch < 1 || options->ring < 2 ||
        options->threads < 0 || loader_batches(options->samples, options->batch, options->least) == 0) {
        fail(e, ERR_INPUT, "%zu samples do not make one batch", options->samples);
        return NULL;
    }
    loader *l = mem_zero(1, sizeof *l, "the loader", e);
    if (!l)
        return NULL;
    l->o = *options;
    l->per_epoch = loader_batches(options->samples, options->batch, options->least);
    l->total = (uint64_t)l->per_epoch * options->epochs;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    if (allocate_ring(l, e)) {
        loader_close(l);
        return NULL;
    }
    for (int i = 0; i < options->threads; i++) {
        l->workers[i] = (loader_worker){.owner = l, .number = i};
        if (pthread_create(&l->workers[i].thread, NULL, loader_thread, &l->workers[i])) {
            fail(e, ERR_SYSTEM, "cannot start a thread for making batches; try fewer --threads");
            loader_close(l);
            return NULL;
        }
        l->started++;
    }
    return l;
}

int loader_next(loader *l, loader_batch *batch, error *e)
{
    double start = progress_seconds();
    pthread_mutex_lock(&l->lock);
    if (l->taken > l->released) {
        l->released = l->taken;
        pthread_cond_broadcast(&l->work);
    }
    if (l->taken == l->total) {
        pthread_mutex_unlock(&l->lock);
        return fail(e, ERR_INPUT, "no batch is left after the last epoch");
    }
    loader_slot *s = &l->slots[l->taken % (uint64_t)l->o.ring];
    while (l->opened <= l->taken || s->left > 0) {
        loader_slot *other;
        int position;
        if (deal(l, &other, &position))
            make_one(l, other, position, l->o.threads);
        else if (l->opened <= l->taken) /* nothing more is opened after a failed batch */
            break;
        else
            pthread_cond_wait(&l->ready, &l->lock);
    }
    int code = 0;
    if (l->opened <= l->taken)
        code = fail(e, ERR_INPUT, "no batch is left after one that failed");
    else if (s->failed_at >= 0)
        code = fail(e, s->failure.code, "%s", s->failure.text);
    else
        l->taken++;
    pthread_mutex_unlock(&l->lock);
    if (!code)
        *batch = (loader_batch){.count = s->count,
                                .pictures = s->pictures,
                                .labels = s->labels,
                                .targets = s->targets,
                                .samples = s->samples,
                                .wait = progress_seconds() - start};
    return code;
}

void loader_close(loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->started; i++)
        pthread_join(l->workers[i].thread, NULL);
    for (int i = 0; l->slots && i < l->o.ring; i++) {
        free(l->slots[i].pictures);
        free(l->slots[i].labels);
        free(l->slots[i].targets);
        free(l->slots[i].samples);
    }
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->lock);
    free(l->slots);
    free(l->workers);
    free(l->order);
    free(l);
}
