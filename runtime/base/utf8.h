/* Strict UTF-8 (RFC 3629). */
#ifndef PML_RUNTIME_BASE_UTF8_H
#define PML_RUNTIME_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence that starts at bytes[0], 1 to 4; 0 when it is not well-formed (overlong, surrogate,
 * above U+10FFFF, cut short by size_bytes, or size_bytes 0). */
static inline size_t pml_utf8_length(const uint8_t *bytes, size_t size_bytes) {
    if (size_bytes == 0) {
        return 0;
    }
    uint8_t first = bytes[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size_bytes < length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    uint8_t second = bytes[1];
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f)) {
        return 0;
    }
    return length;
}

#endif
