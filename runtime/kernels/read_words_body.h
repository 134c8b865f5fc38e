/* The body of read_words: what differs between instruction sets are the compiler's flags. */
#ifndef PML_RUNTIME_KERNELS_READ_WORDS_BODY_H
#define PML_RUNTIME_KERNELS_READ_WORDS_BODY_H

#include <string.h>

#include "runtime/kernels/kernels.h"

#define READ_LINE_BYTES 64u
#define READ_CHUNK_BYTES 256u /* of one stream before the next one's turn: four lines, four independent sums */
#define READ_WORDS 32u        /* in a chunk */

/* Compilers turn 32 sums side by side into a few vectors of any width. */
static inline uint64_t read_words_body(const pml_read *job) {
    const unsigned char *bytes = job->bytes;
    const size_t n_streams = job->n_streams;
    const size_t part = job->size_bytes / n_streams / READ_CHUNK_BYTES * READ_CHUNK_BYTES;
    uint64_t sums[READ_WORDS] = {0}, sum = 0;
    for (size_t i = 0; i < part; i += READ_CHUNK_BYTES) {
        for (size_t s = 0; s < n_streams; s++) {
            const unsigned char *at = bytes + s * part + i;
            uint64_t words[READ_WORDS];
            if (job->ahead_bytes > 0) { /* past the end it has no effect */
                for (size_t line = 0; line < READ_CHUNK_BYTES; line += READ_LINE_BYTES) {
                    __builtin_prefetch((const void *)((uintptr_t)at + job->ahead_bytes + line));
                }
            }
            memcpy(words, at, sizeof words);
            for (size_t lane = 0; lane < READ_WORDS; lane++) {
                sums[lane] += words[lane];
            }
        }
    }
    for (size_t at = n_streams * part; at + sizeof sum <= job->size_bytes; at += sizeof sum) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        sum += word;
    }
    for (size_t lane = 0; lane < READ_WORDS; lane++) {
        sum += sums[lane];
    }
    return sum;
}

#endif
