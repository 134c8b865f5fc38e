/* Strict UTF-8 (RFC 3629). */
#ifndef PML_RUNTIME_BASE_UTF8_H
#define PML_RUNTIME_BASE_UTF8_H

#include <stdbool.h>
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

/* The code point of a well-formed sequence of `length` bytes. */
static inline uint32_t pml_utf8_code(const uint8_t *bytes, size_t length) {
    if (length == 1) {
        return bytes[0];
    }
    uint32_t code = bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (bytes[i] & 0x3fu);
    }
    return code;
}

/* Whether a character is obeyed rather than shown: controls (C0, DEL, C1), marks that change the direction of text,
 * line and paragraph separators, the byte order mark. */
static inline bool pml_utf8_steers(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

#endif
