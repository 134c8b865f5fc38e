#include "runtime/base/random.h"

#include <math.h>
#include <string.h>

#define N_ROUNDS 10
#define N_LANES 8 /* blocks that go through the rounds side by side, so that compilers use vectors */
#define MULTIPLIER_0 0xd2511f53u
#define MULTIPLIER_1 0xcd9e8d57u
#define STEP_0 0x9e3779b9u /* of the key from round to round: the golden ratio, and the root of 3 less 1 */
#define STEP_1 0xbb67ae85u

void pml_random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        const uint64_t product_0 = (uint64_t)MULTIPLIER_0 * c0, product_1 = (uint64_t)MULTIPLIER_1 * c2;
        c0 = (uint32_t)(product_1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product_1;
        c2 = (uint32_t)(product_0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product_0;
        k0 += STEP_0;
        k1 += STEP_1;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* Blocks first .. first + N_LANES - 1. */
static void lanes(uint64_t seed, uint64_t stream, uint64_t first, uint32_t *words) {
    uint32_t c0[N_LANES], c1[N_LANES], c2[N_LANES], c3[N_LANES];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (unsigned i = 0; i < N_LANES; i++) {
        c0[i] = (uint32_t)(first + i);
        c1[i] = (uint32_t)((first + i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        for (unsigned i = 0; i < N_LANES; i++) {
            const uint64_t product_0 = (uint64_t)MULTIPLIER_0 * c0[i], product_1 = (uint64_t)MULTIPLIER_1 * c2[i];
            c0[i] = (uint32_t)(product_1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)product_1;
            c2[i] = (uint32_t)(product_0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)product_0;
        }
        k0 += STEP_0;
        k1 += STEP_1;
    }
    for (unsigned i = 0; i < N_LANES; i++) {
        words[4 * i] = c0[i];
        words[4 * i + 1] = c1[i];
        words[4 * i + 2] = c2[i];
        words[4 * i + 3] = c3[i];
    }
}

static void block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t words[4]) {
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    pml_random_philox(counter, key, words);
}

uint32_t pml_random_word(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t words[4];
    block(seed, stream, index / 4, words);
    return words[index % 4];
}

void pml_random_words(uint64_t seed, uint64_t stream, uint64_t first, size_t n, uint32_t *words) {
    while (n > 0) {
        const size_t skipped = first % 4;
        uint32_t fresh[4 * N_LANES];
        if (skipped == 0 && n >= 4 * N_LANES) {
            lanes(seed, stream, first / 4, words);
            words += 4 * N_LANES;
            first += 4 * N_LANES;
            n -= 4 * N_LANES;
            continue;
        }
        size_t taken = 4 - skipped;
        taken = taken < n ? taken : n;
        block(seed, stream, first / 4, fresh);
        memcpy(words, fresh + skipped, taken * sizeof *words);
        words += taken;
        first += taken;
        n -= taken;
    }
}

float pml_random_float(uint64_t seed, uint64_t stream, uint64_t index) {
    return pml_random_unit(pml_random_word(seed, stream, index));
}

static uint64_t two_words(const uint32_t *words) {
    return (uint64_t)words[1] << 32 | words[0];
}

static double unit_double(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

double pml_random_double(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t words[4];
    block(seed, stream, index / 2, words);
    return unit_double(two_words(words + 2 * (index % 2)));
}

double pml_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t words[4];
    block(seed, stream, index / 2, words);
    const double radius = sqrt(-2 * log(1 - unit_double(two_words(words)))); /* 1 - u is never 0 */
    const double angle = 6.283185307179586476925 * unit_double(two_words(words + 2));
    return radius * (index % 2 == 0 ? cos(angle) : sin(angle));
}

uint64_t pml_random_draw(pml_random *random) {
    uint32_t words[4];
    const uint64_t index = random->next++;
    block(random->seed, random->stream, index / 2, words);
    return two_words(words + 2 * (index % 2));
}

double pml_random_draw_double(pml_random *random) {
    return unit_double(pml_random_draw(random));
}

double pml_random_draw_normal(pml_random *random) {
    return pml_random_normal(random->seed, random->stream, random->next++);
}

/* The high and low half of a * b. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t *low) {
    __extension__ const unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
}

uint64_t pml_random_draw_below(pml_random *random, uint64_t n) {
    uint64_t low;
    uint64_t value = multiply(pml_random_draw(random), n, &low);
    if (low < n) {
        const uint64_t refused = (0 - n) % n; /* 2^64 mod n: so many low halves would make some values likelier */
        while (low < refused) {
            value = multiply(pml_random_draw(random), n, &low);
        }
    }
    return value;
}

void pml_random_shuffle(pml_random *random, uint64_t *items, size_t n) {
    for (size_t i = n; i > 1; i--) {
        const size_t other = (size_t)pml_random_draw_below(random, i);
        const uint64_t item = items[i - 1];
        items[i - 1] = items[other];
        items[other] = item;
    }
}
