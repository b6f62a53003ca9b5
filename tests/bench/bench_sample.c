/* bench_sample.c - the time of one training picture on one core: cached picture to float32 network input with
 * its box, without and with the augmentations of the detection recipe. usage: bench_sample FILE.cache
 * [PICTURES [ROUNDS]]. Prints medians over rounds, in processor milliseconds a picture. */
#include "bench.h"

#include "image/cache.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 64 };

typedef struct bench {
    const cache *cache;
    sampler *sampler;
    float *pixels;
    size_t pictures;
    int rounds;
} bench;

/* list NULL: the validation form. */
static int row(const bench *b, const char *name, const augment_list *list, error *e)
{
    double times[ROUNDS_MAX] = {0};
    int code = 0;
    for (int r = 0; r < b->rounds && !code; r++) {
        const double start = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < b->pictures && !code; i++) {
            const scaled_picture p = cache_at(b->cache, i);
            const box raw = {10, 20, p.original_height / 2, p.original_width / 2};
            augment_state states[AUGMENT_MAX];
            float target[4];
            if (list) {
                philox random = augment_random(1, (uint32_t)r, i);
                augment_draw(list, &random, states);
            }
            code = sample_make(b->sampler, &p, list, list ? states : NULL, &raw, b->pixels, target, e);
        }
        times[r] = 1e3 * (bench_seconds(CLOCK_THREAD_CPUTIME_ID) - start) / (double)b->pictures;
    }
    if (code)
        return code;
    printf("%-32s %7.3f\n", name, bench_median(times, b->rounds));
    fflush(stdout);
    return 0;
}

static int rows(const bench *b, error *e)
{
    const double half = 0.5, always = 1, rotate[2] = {3, 0.5}, turned[2] = {3, 1}, lighting[2] = {0.05, 0.05};
    const double cut[2] = {0.3, 1}, canvas[2] = {2, 1}, shades[2] = {0.4, 0.1};
    augment_list all = {0}, flip = {0}, turn = {0}, light = {0}, crop = {0}, zoom = {0}, colour = {0};
    int code = augment_add(&all, "flip", &half, 1, e);
    code = code ? code : augment_add(&all, "rotate", rotate, 2, e);
    code = code ? code : augment_add(&all, "lighting", lighting, 2, e);
    code = code ? code : augment_add(&flip, "flip", &always, 1, e);
    code = code ? code : augment_add(&turn, "rotate", turned, 2, e);
    code = code ? code : augment_add(&light, "lighting", lighting, 2, e);
    code = code ? code : row(b, "squashed (validation)", NULL, e);
    code = code ? code : row(b, "flip, rotate, lighting (training)", &all, e);
    code = code ? code : row(b, "  flipped, always", &flip, e);
    code = code ? code : row(b, "  rotated, always", &turn, e);
    code = code ? code : row(b, "  lighting", &light, e);
    code = code ? code : augment_add(&crop, "crop", cut, 2, e);
    code = code ? code : augment_add(&zoom, "zoom", canvas, 2, e);
    code = code ? code : augment_add(&colour, "colour", shades, 2, e);
    code = code ? code : row(b, "  cropped to 0.3..1, always", &crop, e);
    code = code ? code : row(b, "  zoomed by up to 2, always", &zoom, e);
    return code ? code : row(b, "  colour", &colour, e);
}

int main(int argc, char **argv)
{
    error e = {0};
    cache *c = argc > 1 ? cache_open(argv[1], &e) : NULL;
    bench b = {.cache = c, .rounds = argc > 3 ? atoi(argv[3]) : 5};
    if (!c || b.rounds < 1 || b.rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench_sample: %s\n", e.code ? e.text : "usage: bench_sample FILE.cache [PICTURES [ROUNDS]]");
        return 2;
    }
    const size_t wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 200, size = (size_t)cache_size(c);
    b.pictures = wanted && wanted < cache_count(c) ? wanted : cache_count(c);
    b.sampler = sampler_create((int)size, &e);
    b.pixels = malloc(size * size * 3 * sizeof *b.pixels);
    printf("%zu pictures, %zu x %zu, one core; ms a picture, median of %d rounds\n", b.pictures, size, size, b.rounds);
    int code = b.sampler && b.pixels ? rows(&b, &e) : ERR_SYSTEM;
    if (code)
        fprintf(stderr, "bench_sample: %s\n", e.text);
    free(b.pixels);
    sampler_free(b.sampler);
    cache_close(c);
    return code;
}
