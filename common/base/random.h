/* random.h - the two generators of the project.
 *
 * mt19937 is numpy's legacy generator, seeded as np.random.seed(n) does (init_genrand): it decides the
 * validation split and must agree with numpy bit for bit (sources:
 * Matsumoto and Nishimura 1998; numpy/random/_mt19937). philox is counter based (Salmon et al., "Parallel
 * random numbers: as easy as 1, 2, 3", SC 2011, Philox4x32-10): a draw is a pure function of (seed, stream,
 * index), so results do not depend on threads or on the device.
 */
#ifndef ONEBOX_BASE_RANDOM_H
#define ONEBOX_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct mt19937 {
    uint32_t key[624];
    int position;
} mt19937;

void mt19937_seed(mt19937 *mt, uint32_t seed);
uint32_t mt19937_next(mt19937 *mt);

/* np.random.permutation(n): fills out[0..n-1]. n <= 2^32. */
void mt19937_permutation(mt19937 *mt, uint32_t *out, size_t n);

/* A philox stream: draws are consecutive blocks of counter (index, stream) under key seed. */
typedef struct philox {
    uint64_t seed;
    uint64_t stream;
    uint64_t index; /* next block */
    uint32_t block[4];
    int left; /* unused words of block */
} philox;

/* Streams in use; the low 32 bits are free for an epoch or batch number. */
#define PHILOX_STREAM(purpose, number) ((uint64_t)(purpose) << 32 | (uint32_t)(number))
enum {
    PURPOSE_INIT = 1,    /* weights of new layers; number = parameter index */
    PURPOSE_SHUFFLE = 2, /* order of an epoch; number = epoch since the start of the training */
    PURPOSE_AUGMENT = 3, /* one sample's augmentation; see augment_random in image/augment.h */
    PURPOSE_DROPOUT = 4, /* one dropout node in one batch; see device.h */
    PURPOSE_DEMO = 5,    /* drawings of the demo set */
    PURPOSE_NOISE = 6,   /* pictures of noise; see nn/summary.h */
};

/* One block: four words from a 128-bit counter (index, stream) and a 64-bit key. */
void philox_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);

philox philox_start(uint64_t seed, uint64_t stream);
uint32_t philox_u32(philox *p);
double philox_uniform(philox *p);                      /* [0, 1), 53 bits */
double philox_normal(philox *p);                       /* standard normal (Box and Muller 1958) */
uint32_t philox_below(philox *p, uint32_t n);          /* 0 .. n-1 without bias, n >= 1 */
void philox_shuffle(philox *p, uint32_t *x, size_t n); /* Fisher and Yates, from the end */

#endif
