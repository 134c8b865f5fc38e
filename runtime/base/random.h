/* Random numbers by place: each is a function of (seed, stream, index) alone, so that results depend neither on the
 * number of threads nor on the order of calls, and a position is all that there is to save. The generator is
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): the key is the seed, the counter's low 64 bits are the number of a
 * block of four words, its high 64 bits are the stream. Not for secrets. */
#ifndef PML_RUNTIME_BASE_RANDOM_H
#define PML_RUNTIME_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The ten rounds: four words of `counter` under a key. */
void pml_random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4]);

/* ---- by index ------------------------------------------------------------------------------------------------------
 * Word i of a stream is word i % 4 of block i / 4. Indexes of the functions below count what each of them gives; what
 * two of them give at overlapping words is not independent, so a stream is read by one of them. Streams that differ
 * are independent. */
uint32_t pml_random_word(uint64_t seed, uint64_t stream, uint64_t index);
/* Words first .. first + n - 1, faster than one by one. */
void pml_random_words(uint64_t seed, uint64_t stream, uint64_t first, size_t n, uint32_t *words);
/* From 0 to below 1 in steps of 2^-24, from one word: what pml_random_unit makes of word `index`. */
float pml_random_float(uint64_t seed, uint64_t stream, uint64_t index);
/* From 0 to below 1 in steps of 2^-53, from words 2 index and 2 index + 1. */
double pml_random_double(uint64_t seed, uint64_t stream, uint64_t index);
/* Of mean 0 and deviation 1 (Box, Muller 1958), from words 2 index and 2 index + 1 and their neighbours in the block;
 * magnitudes reach 8.57. As precise as this machine's log, sin and cos. */
double pml_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

static inline float pml_random_unit(uint32_t word) {
    return (float)(word >> 8) * 0x1p-24f;
}

/* ---- one after the other -------------------------------------------------------------------------------------------
 * The same numbers with a position that moves on. The struct is the whole state: it may be copied and saved. */
typedef struct pml_random {
    uint64_t seed, stream;
    uint64_t next; /* in units of two words: the index of pml_random_double */
} pml_random;

uint64_t pml_random_draw(pml_random *random); /* 64 bits: word 2 next in the low half */
double pml_random_draw_double(pml_random *random);
double pml_random_draw_normal(pml_random *random);
/* From 0 to below n, each as likely as the others (Lemire 2019); n is not 0. */
uint64_t pml_random_draw_below(pml_random *random, uint64_t n);
/* Puts items[0 .. n - 1] in an order that is as likely as any other (Fisher, Yates). */
void pml_random_shuffle(pml_random *random, uint64_t *items, size_t n);

#endif
