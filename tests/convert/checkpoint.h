/* Small safetensors files for the tests of the converter, written without any code under test. */
#ifndef PML_TESTS_CONVERT_CHECKPOINT_H
#define PML_TESTS_CONVERT_CHECKPOINT_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/dtype.h"
#include "runtime/base/limits.h"
#include "tests/harness.h"

typedef struct test_tensor {
    const char *name;
    pml_dtype dtype;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    const void *bytes;
} test_tensor;

static inline size_t test_count(const test_tensor *tensor) {
    size_t n = 1;
    for (unsigned a = 0; a < tensor->rank; a++) {
        n *= (size_t)tensor->shape[a];
    }
    return n;
}

/* `n_blanks` blanks end the header: they choose how the data is aligned in memory. */
static inline void test_write_safetensors(const char *path, const test_tensor *tensors, size_t n_tensors,
                                          size_t n_blanks) {
    size_t capacity = 4096 + n_tensors * 512, used = 0, offset = 0;
    char *header = malloc(capacity);
    FILE *stream = fopen(path, "wb");
    if (header == NULL || stream == NULL) {
        perror(path);
        exit(1);
    }
    used += (size_t)snprintf(header + used, capacity - used, "{");
    for (size_t i = 0; i < n_tensors; i++) {
        const size_t size = test_count(&tensors[i]) * pml_dtype_bits(tensors[i].dtype) / 8;
        used += (size_t)snprintf(header + used, capacity - used, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                                 i > 0 ? "," : "", tensors[i].name, pml_dtype_name(tensors[i].dtype));
        for (unsigned a = 0; a < tensors[i].rank; a++) {
            used += (size_t)snprintf(header + used, capacity - used, "%s%llu", a > 0 ? "," : "",
                                     (unsigned long long)tensors[i].shape[a]);
        }
        used +=
            (size_t)snprintf(header + used, capacity - used, "],\"data_offsets\":[%zu,%zu]}", offset, offset + size);
        offset += size;
    }
    used += (size_t)snprintf(header + used, capacity - used, "}%*s", (int)n_blanks, "");
    const uint64_t n = used;
    bool written = fwrite(&n, 1, sizeof n, stream) == sizeof n && fwrite(header, 1, used, stream) == used;
    for (size_t i = 0; i < n_tensors; i++) {
        const size_t size = test_count(&tensors[i]) * pml_dtype_bits(tensors[i].dtype) / 8;
        written = written && (size == 0 || fwrite(tensors[i].bytes, 1, size, stream) == size);
    }
    if (fclose(stream) != 0 || !written) {
        perror(path);
        exit(1);
    }
    free(header);
}

/* Pseudo-random bits, the same on every machine. */
static inline uint64_t test_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Fills a tensor with finite values of many magnitudes, zeros of both signs and denormals. The caller frees. */
static inline void *test_fill(pml_dtype dtype, size_t n, uint64_t seed) {
    uint8_t *bytes = malloc(n * 8 + 1);
    if (bytes == NULL) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = test_random(&seed);
        const unsigned kind = (unsigned)(bits >> 56) % 16;
        if (dtype == PML_DTYPE_F32) {
            uint32_t x = (uint32_t)bits;
            x = kind == 0   ? x & 0x80000000u
                : kind == 1 ? x & 0x807fffffu
                            : (x & 0x807fffffu) | (0x60u + (x >> 23) % 0x40u) << 23;
            memcpy(bytes + 4 * i, &x, 4);
        } else if (dtype == PML_DTYPE_F64) {
            double x = ((double)(int64_t)bits / 0x1p63) * (kind == 0 ? 0 : kind == 1 ? 0x1p-130 : 4);
            memcpy(bytes + 8 * i, &x, 8);
        } else if (dtype == PML_DTYPE_F16) {
            uint16_t x = (uint16_t)bits;
            x = (x & 0x7c00u) == 0x7c00u ? (uint16_t)(x & 0x83ffu) : x;
            memcpy(bytes + 2 * i, &x, 2);
        } else {
            uint16_t x = (uint16_t)bits;
            x = (x & 0x7f80u) == 0x7f80u ? (uint16_t)(x & 0x807fu) : x;
            memcpy(bytes + 2 * i, &x, 2);
        }
    }
    return bytes;
}

#endif
