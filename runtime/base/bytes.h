/* Numbers in byte strings of any alignment. Files of pml are little-endian, and so is every machine that it builds on.
 */
#ifndef PML_RUNTIME_BASE_BYTES_H
#define PML_RUNTIME_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t pml_load_u16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t pml_load_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t pml_load_u64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline void pml_store_u32(uint8_t *bytes, uint32_t value) {
    memcpy(bytes, &value, sizeof value);
}

static inline void pml_store_u64(uint8_t *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof value);
}

/* Index of the first byte that is not zero, or size_bytes. */
static inline size_t pml_zero_prefix(const uint8_t *bytes, size_t size_bytes) {
    size_t i = 0;
    while (size_bytes - i >= 8 && pml_load_u64(bytes + i) == 0) {
        i += 8;
    }
    while (i < size_bytes && bytes[i] == 0) {
        i++;
    }
    return i;
}

#endif
