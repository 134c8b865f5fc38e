#include "runtime/text/byte_alphabet.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/base/utf8.h"

enum { FIRST_OTHER = 0x100, N_OTHERS = 68 };

/* Bytes that are written as themselves: printable, neither a space nor a soft hyphen. */
static bool is_itself(uint32_t code) {
    return (code >= 0x21 && code <= 0x7e) || (code >= 0xa1 && code <= 0xff && code != 0xad);
}

/* The other bytes: 00 to 20, 7f to a0, ad. */
uint32_t pml_byte_alphabet_code(uint8_t byte) {
    if (is_itself(byte)) {
        return byte;
    }
    return byte <= 0x20u  ? FIRST_OTHER + (uint32_t)byte
           : byte < 0xadu ? FIRST_OTHER + 0x21u + ((uint32_t)byte - 0x7fu)
                          : FIRST_OTHER + N_OTHERS - 1u;
}

/* The byte of a character, or -1. */
static int byte_of(uint32_t code) {
    if (is_itself(code)) {
        return (int)code;
    }
    if (code < FIRST_OTHER || code >= FIRST_OTHER + N_OTHERS) {
        return -1;
    }
    const int i = (int)code - FIRST_OTHER;
    return i <= 0x20 ? i : i < N_OTHERS - 1 ? i - 0x21 + 0x7f : 0xad;
}

size_t pml_byte_alphabet_read(const char *text, size_t size_bytes, uint8_t *bytes) {
    size_t n = 0;
    for (size_t at = 0; at < size_bytes;) {
        const size_t length = pml_utf8_length((const uint8_t *)text + at, size_bytes - at);
        const int byte = length > 0 ? byte_of(pml_utf8_code((const uint8_t *)text + at, length)) : -1;
        if (byte < 0) {
            memcpy(bytes, text, size_bytes);
            return size_bytes;
        }
        bytes[n++] = (uint8_t)byte;
        at += length;
    }
    return n;
}
