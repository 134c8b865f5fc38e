/* Dropout in plain C, compiled once per instruction set: sixteen blocks of Philox side by side, whose words compilers
 * keep in vectors, or, after wide_<isa>.h, vectors that are written out. Integers: every instruction set drops the same
 * elements. */
#ifndef PML_RUNTIME_KERNELS_DROPOUT_BODY_H
#define PML_RUNTIME_KERNELS_DROPOUT_BODY_H

#include <string.h>

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/simd_unroll.h"

enum { DROPOUT_LANES = 16, DROPOUT_ROUNDS = 10 };

#if !defined(DROPOUT_WIDE)
/* One round on one half of the counters: the high word of the product goes to `high`, the low one to `low`. */
static inline __attribute__((always_inline)) void dropout_multiply(const uint32_t *c, uint32_t multiplier,
                                                                   uint32_t *high, uint32_t *low) {
    for (size_t i = 0; i < DROPOUT_LANES; i++) {
        const uint64_t product = (uint64_t)multiplier * c[i];
        high[i] = (uint32_t)(product >> 32);
        low[i] = (uint32_t)product;
    }
}

/* The words of elements 64 i_group and following. The constants are those of runtime/base/random.c. */
static inline void dropout_words(const pml_dropout_mask *mask, uint64_t i_group, uint32_t words[PML_DROPOUT_GROUP]) {
    const uint64_t stream = PML_DROPOUT_STREAM(mask->step);
    uint32_t c0[DROPOUT_LANES], c1[DROPOUT_LANES], c2[DROPOUT_LANES], c3[DROPOUT_LANES];
    uint32_t k0 = (uint32_t)mask->seed, k1 = (uint32_t)(mask->seed >> 32);
    for (size_t i = 0; i < DROPOUT_LANES; i++) {
        c0[i] = (uint32_t)(i_group * DROPOUT_LANES + i);
        c1[i] = mask->number;
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (size_t round = 0; round < DROPOUT_ROUNDS; round++) {
        uint32_t high0[DROPOUT_LANES], low0[DROPOUT_LANES], high1[DROPOUT_LANES], low1[DROPOUT_LANES];
        dropout_multiply(c0, 0xd2511f53u, high0, low0);
        dropout_multiply(c2, 0xcd9e8d57u, high1, low1);
        for (size_t i = 0; i < DROPOUT_LANES; i++) {
            c0[i] = high1[i] ^ c1[i] ^ k0;
            c1[i] = low1[i];
            c2[i] = high0[i] ^ c3[i] ^ k1;
            c3[i] = low0[i];
        }
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    memcpy(words, c0, sizeof c0);
    memcpy(words + DROPOUT_LANES, c1, sizeof c1);
    memcpy(words + 2 * DROPOUT_LANES, c2, sizeof c2);
    memcpy(words + 3 * DROPOUT_LANES, c3, sizeof c3);
}
#else
/* The same on words that lie in the lower halves of 64-bit lanes, as the multiplication wants them; what is in the
 * upper halves does not matter. Pairs of vectors hold the even and the odd ones. */
enum { DROPOUT_PAIRS = DROPOUT_LANES / (2 * WIDE_LANES) };

static inline __attribute__((always_inline)) void dropout_words(const pml_dropout_mask *mask, uint64_t i_group,
                                                                uint32_t words[PML_DROPOUT_GROUP]) {
    const uint64_t stream = PML_DROPOUT_STREAM(mask->step);
    const wide factor0 = wide_set(0xd2511f53u), factor1 = wide_set(0xcd9e8d57u);
    wide c[2 * DROPOUT_PAIRS][4];
    uint32_t k0 = (uint32_t)mask->seed, k1 = (uint32_t)(mask->seed >> 32);
    VEC_UNROLL
    for (size_t i = 0; i < 2 * DROPOUT_PAIRS; i++) {
        const uint64_t first = i_group * DROPOUT_LANES + i / 2 * 2 * WIDE_LANES + i % 2;
        c[i][0] = wide_by_two(first);
        c[i][1] = wide_set(mask->number);
        c[i][2] = wide_set((uint32_t)stream);
        c[i][3] = wide_set(stream >> 32);
    }
    for (size_t round = 0; round < DROPOUT_ROUNDS; round++) {
        const wide key0 = wide_set(k0), key1 = wide_set(k1);
        VEC_UNROLL
        for (size_t i = 0; i < 2 * DROPOUT_PAIRS; i++) {
            const wide product0 = wide_multiply(c[i][0], factor0), product1 = wide_multiply(c[i][2], factor1);
            c[i][0] = wide_xor(wide_xor(wide_high(product1), c[i][1]), key0);
            c[i][1] = product1;
            c[i][2] = wide_xor(wide_xor(wide_high(product0), c[i][3]), key1);
            c[i][3] = product0;
        }
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    VEC_UNROLL
    for (size_t i = 0; i < DROPOUT_PAIRS; i++) {
        VEC_UNROLL
        for (size_t w = 0; w < 4; w++) {
            wide_store_pairs(words + w * DROPOUT_LANES + i * 2 * WIDE_LANES, c[2 * i][w], c[2 * i + 1][w]);
        }
    }
}
#endif

/* The factors of the elements of a group. */
static inline void dropout_factors(const pml_dropout_mask *mask, uint64_t i_group, float factors[PML_DROPOUT_GROUP]) {
    uint32_t words[PML_DROPOUT_GROUP];
    dropout_words(mask, i_group, words);
    for (size_t i = 0; i < PML_DROPOUT_GROUP; i++) {
        factors[i] = words[i] < mask->threshold ? 0.0f : mask->scale;
    }
}

static inline void dropout_body(const pml_dropout *job) {
    const pml_dropout_mask mask = job->mask;
    uint64_t i_group = job->first / PML_DROPOUT_GROUP;
    size_t i = 0;
    for (; job->n - i >= PML_DROPOUT_GROUP; i += PML_DROPOUT_GROUP) {
        float factors[PML_DROPOUT_GROUP];
        dropout_factors(&mask, i_group++, factors);
        const float *x = job->x + i;
        float *y = job->y + i;
        if (job->adds) {
            for (size_t k = 0; k < PML_DROPOUT_GROUP; k++) {
                y[k] += x[k] * factors[k];
            }
        } else {
            for (size_t k = 0; k < PML_DROPOUT_GROUP; k++) {
                y[k] = x[k] * factors[k];
            }
        }
    }
    if (i < job->n) {
        float factors[PML_DROPOUT_GROUP];
        dropout_factors(&mask, i_group, factors);
        for (size_t k = 0; i + k < job->n; k++) {
            job->y[i + k] = (job->adds ? job->y[i + k] : 0.0f) + job->x[i + k] * factors[k];
        }
    }
}

/* x [n] times the factors of the elements from `first` on. */
static inline void dropout_row(const pml_dropout_mask *mask, uint64_t first, size_t n, float *x) {
    dropout_body(&(pml_dropout){.mask = *mask, .first = first, .n = n, .x = x, .y = x});
}

#endif
