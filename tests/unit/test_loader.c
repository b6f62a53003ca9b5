#include "test.h"

#include "nn/loader.h"

#include <stdlib.h>
#include <unistd.h>

enum { FLOATS = 5 };

typedef struct source {
    int fail_sample; /* -1: none */
    int slow;        /* microseconds for odd samples */
    int used[16];    /* workers in use, to notice one used twice */
    bool clash;
} source;

/* A sample whose content tells (sample, epoch). */
static int make(void *context, uint32_t sample, uint32_t epoch, int worker, float *picture, int32_t *label, float *box,
                error *e)
{
    source *s = context;
    if (__atomic_fetch_add(&s->used[worker], 1, __ATOMIC_SEQ_CST))
        s->clash = true;
    if (s->slow && sample % 2)
        usleep((useconds_t)s->slow);
    for (int i = 0; i < FLOATS; i++)
        picture[i] = (float)(sample * 100 + epoch * 10 + (uint32_t)i);
    *label = (int32_t)(sample + epoch);
    for (int i = 0; i < 4; i++)
        box[i] = (float)sample + (float)i / 10;
    __atomic_fetch_sub(&s->used[worker], 1, __ATOMIC_SEQ_CST);
    if ((int)sample == s->fail_sample)
        return fail(e, ERR_INPUT, "sample %u is bad", sample);
    return 0;
}

static loader_options options(source *s, size_t samples, int batch, int threads)
{
    return (loader_options){.make = make,
                            .context = s,
                            .samples = samples,
                            .picture_floats = FLOATS,
                            .target_floats = 4,
                            .batch = batch,
                            .threads = threads,
                            .ring = 2,
                            .seed = 7,
                            .epochs = 1};
}

/* Runs a loader to its end; the samples in their order go to `order`. Returns how many. */
static size_t run(const loader_options *o, uint32_t *order, bool *right)
{
    error e = {0};
    size_t n = 0;
    *right = true;
    loader *l = loader_open(o, &e);
    if (!l)
        return 0;
    size_t per_epoch = loader_batches(o->samples, o->batch, o->least);
    for (size_t i = 0; i < per_epoch * o->epochs; i++) {
        loader_batch b;
        if (loader_next(l, &b, &e)) {
            *right = false;
            break;
        }
        const uint32_t epoch = o->first_epoch + (uint32_t)(i / per_epoch);
        for (int k = 0; k < b.count; k++) {
            uint32_t s = b.samples[k];
            order[n++] = s;
            for (int j = 0; j < FLOATS; j++)
                if (b.pictures[k * FLOATS + j] != (float)(s * 100 + epoch * 10 + (uint32_t)j))
                    *right = false;
            if (b.labels[k] != (int32_t)(s + epoch) || b.targets[4 * k + 3] != (float)s + 0.3f)
                *right = false;
        }
    }
    loader_close(l);
    return n;
}

int main(void)
{
    static uint32_t a[1000], b[1000];
    bool right;
    TEST("2001 samples in batches of 64 are 32 batches, the last of 17")
    {
        CHECK(loader_batches(2001, 64, 1) == 32, "%zu", loader_batches(2001, 64, 1));
        CHECK(loader_batches(500, 64, 1) == 8, "%zu", loader_batches(500, 64, 1));
        CHECK(loader_batches(64, 64, 1) == 1, "%zu", loader_batches(64, 64, 1));
        source s = {.fail_sample = -1};
        loader_options o = options(&s, 2001, 64, 2);
        error e = {0};
        loader *l = loader_open(&o, &e);
        CHECK(l != NULL, "%s", e.text);
        loader_batch batch = {0};
        for (int i = 0; i < 32; i++) {
            CHECK(!loader_next(l, &batch, &e), "%s", e.text);
            CHECK(batch.count == (i == 31 ? 17 : 64), "batch %d holds %d", i, batch.count);
        }
        CHECK(loader_next(l, &batch, &e) != 0, "a batch after the end");
        loader_close(l);
    }
    TEST("without shuffling every sample comes once, in order")
    {
        source s = {.fail_sample = -1, .slow = 200};
        loader_options o = options(&s, 100, 7, 3);
        size_t n = run(&o, a, &right);
        CHECK(n == 100 && right, "%zu samples, contents right: %d", n, right);
        for (uint32_t i = 0; i < 100; i++)
            CHECK(a[i] == i, "place %u holds %u", i, a[i]);
        CHECK(!s.clash, "a worker number was in use twice");
    }
    TEST("a shuffled epoch is a permutation, another one each epoch, and the seed decides it")
    {
        source s = {.fail_sample = -1};
        loader_options o = options(&s, 50, 8, 0);
        o.shuffle = true;
        o.epochs = 2;
        size_t n = run(&o, a, &right);
        CHECK(n == 100 && right, "%zu samples, contents right: %d", n, right);
        for (int epoch = 0; epoch < 2; epoch++) {
            int seen[50] = {0};
            for (int i = 0; i < 50; i++)
                seen[a[50 * epoch + i]]++;
            for (int i = 0; i < 50; i++)
                CHECK(seen[i] == 1, "sample %d came %d times", i, seen[i]);
        }
        CHECK(memcmp(a, a + 50, 50 * sizeof *a) != 0, "both epochs have the same order");
        o.seed = 8;
        run(&o, b, &right);
        CHECK(memcmp(a, b, 100 * sizeof *a) != 0, "two seeds give the same order");
        o.seed = 7;
        o.first_epoch = 1;
        o.epochs = 1;
        run(&o, b, &right);
        CHECK(memcmp(a + 50, b, 50 * sizeof *a) == 0, "epoch 1 depends on where the run started");
    }
    TEST("any number of threads gives the same batches")
    {
        source s = {.fail_sample = -1, .slow = 100};
        loader_options o = options(&s, 60, 8, 0);
        o.shuffle = true;
        o.epochs = 3;
        size_t n = run(&o, a, &right);
        CHECK(n == 180 && right, "%zu samples, contents right: %d", n, right);
        for (int threads = 1; threads <= 4; threads++) {
            o.threads = threads;
            o.ring = 2 + threads;
            n = run(&o, b, &right);
            CHECK(n == 180 && right && memcmp(a, b, n * sizeof *a) == 0, "%d threads differ", threads);
        }
        CHECK(!s.clash, "a worker number was in use twice");
    }
    TEST("left-over samples fewer than the least make no batch")
    {
        CHECK(loader_batches(65, 64, 2) == 1, "%zu", loader_batches(65, 64, 2));
        CHECK(loader_batches(66, 64, 2) == 2, "%zu", loader_batches(66, 64, 2));
        CHECK(loader_batches(1, 64, 2) == 0, "%zu", loader_batches(1, 64, 2));
        source s = {.fail_sample = -1};
        loader_options o = options(&s, 9, 4, 1);
        o.least = 2;
        o.epochs = 2;
        size_t n = run(&o, a, &right);
        CHECK(n == 16 && right, "%zu samples, contents right: %d", n, right);
    }
    TEST("a sample that fails is reported with its batch, earlier batches are still delivered")
    {
        for (int threads = 0; threads < 3; threads++) {
            source s = {.fail_sample = 9, .slow = 50};
            loader_options o = options(&s, 30, 4, threads);
            error e = {0};
            loader *l = loader_open(&o, &e);
            loader_batch batch;
            CHECK(!loader_next(l, &batch, &e), "%s", e.text);
            CHECK(!loader_next(l, &batch, &e), "%s", e.text);
            CHECK(loader_next(l, &batch, &e) == ERR_INPUT, "no failure");
            CHECK(strcmp(e.text, "sample 9 is bad") == 0, "%s", e.text);
            loader_close(l);
        }
    }
    TEST("a loader can be closed at any moment")
    {
        for (int i = 0; i < 20; i++) {
            source s = {.fail_sample = -1, .slow = 20};
            loader_options o = options(&s, 64, 4, 3);
            error e = {0};
            loader *l = loader_open(&o, &e);
            loader_batch batch;
            for (int k = 0; k < i % 3; k++)
                CHECK(!loader_next(l, &batch, &e), "%s", e.text);
            loader_close(l);
        }
        loader_close(NULL);
    }
    TEST("no samples, or a ring of one, is refused")
    {
        source s = {.fail_sample = -1};
        loader_options o = options(&s, 0, 4, 1);
        error e = {0};
        CHECK(loader_open(&o, &e) == NULL && e.code == ERR_INPUT, "accepted no samples");
        o = options(&s, 4, 4, 1);
        o.ring = 1;
        e = (error){0};
        CHECK(loader_open(&o, &e) == NULL && e.code == ERR_INPUT, "accepted a ring of one");
    }
    return test_end();
}
