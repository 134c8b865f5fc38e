/* Checked arithmetic: the only way sizes read from a file may be combined.
 * Each function stores its result and returns true, or returns false on overflow and leaves *result alone. */
#ifndef PML_RUNTIME_BASE_CHECKED_H
#define PML_RUNTIME_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool pml_ck_add(uint64_t a, uint64_t b, uint64_t *result) {
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *result = sum;
    return true;
}

static inline bool pml_ck_mul(uint64_t a, uint64_t b, uint64_t *result) {
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *result = product;
    return true;
}

/* Rounds `value` up to a multiple of `alignment` (not zero; any value, not only powers of two). */
static inline bool pml_ck_pad(uint64_t value, uint64_t alignment, uint64_t *result) {
    if (alignment == 0) {
        return false;
    }
    uint64_t rest = value % alignment;
    return pml_ck_add(value, rest == 0 ? 0 : alignment - rest, result);
}

/* The product of `count` sizes; 1 for count 0. */
static inline bool pml_ck_product(const uint64_t *sizes, size_t count, uint64_t *result) {
    uint64_t product = 1;
    for (size_t i = 0; i < count; i++) {
        if (!pml_ck_mul(product, sizes[i], &product)) {
            return false;
        }
    }
    *result = product;
    return true;
}

/* True when [offset, offset + size) lies inside [0, total). */
static inline bool pml_ck_range(uint64_t offset, uint64_t size, uint64_t total) {
    return offset <= total && size <= total - offset;
}

static inline bool pml_ck_size(uint64_t value, size_t *result) {
#if SIZE_MAX < UINT64_MAX
    if (value > SIZE_MAX) {
        return false;
    }
#endif
    *result = (size_t)value;
    return true;
}

#endif
