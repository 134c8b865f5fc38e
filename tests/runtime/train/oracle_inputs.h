/* The inputs that scripts/make_training_oracle.py gave to PyTorch, made again. */
#ifndef PML_TESTS_RUNTIME_TRAIN_ORACLE_INPUTS_H
#define PML_TESTS_RUNTIME_TRAIN_ORACLE_INPUTS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct oracle_range {
    const char *kind;
    double low, high;
} oracle_range;
static const oracle_range oracle_ranges[] = {
    {"real", -2, 2}, {"probability", .01, .99}, {"positive", .1, 2.1}, {"df", 2, 32}, {"logit", -4, 4}};

/* Element i of stream `seed`. */
static inline float oracle_number(uint32_t seed, size_t i, const char *kind) {
    uint32_t h = (uint32_t)i * 2654435761u + seed * (40503u * 65537u) + 12345u;
    h = (h ^ h >> 15) * 2246822519u;
    const double u = (double)(h ^ h >> 13) / 0x1p32;
    for (size_t k = 0; k < sizeof oracle_ranges / sizeof oracle_ranges[0]; k++) {
        if (strcmp(oracle_ranges[k].kind, kind) == 0) {
            return (float)(oracle_ranges[k].low + u * (oracle_ranges[k].high - oracle_ranges[k].low));
        }
    }
    return 0;
}

#endif
