/* Recorded tokenizer vectors: one JSON object a line, read only as far as these tests need. Strings may hold \u0000,
 * which pml's own reader refuses. */
#ifndef PML_TESTS_RUNTIME_TEXT_GOLDEN_LINES_H
#define PML_TESTS_RUNTIME_TEXT_GOLDEN_LINES_H

#include <stdlib.h>
#include <string.h>

#include "runtime/text/unicode.h"

typedef struct golden_text {
    char *bytes;
    size_t size_bytes;
} golden_text;

/* The value behind "key": in a line, or NULL. Keys of these files never occur inside strings in that form. */
static inline const char *golden_value(const char *line, const char *key) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "\"%s\": ", key);
    const char *found = strncmp(line + 1, pattern, strlen(pattern)) == 0 ? line + 1 : NULL;
    if (found == NULL) {
        snprintf(pattern, sizeof pattern, ", \"%s\": ", key);
        found = strstr(line, pattern);
    }
    return found != NULL ? found + strlen(pattern) : NULL;
}

static uint32_t golden_hex(const char *digits, size_t n) {
    char text[9] = {0};
    memcpy(text, digits, n);
    return (uint32_t)strtoul(text, NULL, 16);
}

/* Decodes the JSON string that begins at value[0] == '"'; the caller frees. */
static golden_text golden_string(const char *value) {
    golden_text out = {malloc(strlen(value) + 1), 0};
    for (const char *at = value + 1; *at != '"'; at++) {
        if (*at != '\\') {
            out.bytes[out.size_bytes++] = *at;
            continue;
        }
        at++;
        const char *const names = "bfnrt", *const values = "\b\f\n\r\t", *name = strchr(names, *at);
        if (*at == 'u') {
            uint32_t code = golden_hex(at + 1, 4);
            at += 4;
            if (code >= 0xd800 && code < 0xdc00) {
                code = 0x10000 + ((code - 0xd800) << 10) + (golden_hex(at + 3, 4) - 0xdc00);
                at += 6;
            }
            out.size_bytes += pml_unicode_encode(code, (uint8_t *)out.bytes + out.size_bytes);
        } else {
            out.bytes[out.size_bytes++] = name != NULL ? values[name - names] : *at;
        }
    }
    return out;
}

static inline golden_text golden_bytes(const char *value) {
    golden_text out = {malloc(strlen(value) + 1), 0};
    for (const char *at = value + 1; *at != '"'; at += 2) {
        out.bytes[out.size_bytes++] = (char)golden_hex(at, 2);
    }
    return out;
}

/* All numbers of an array of numbers or of arrays of numbers; the caller frees. */
static inline long *golden_numbers(const char *value, size_t *count) {
    long *numbers = malloc((strlen(value) + 1) * sizeof *numbers);
    int depth = 0;
    *count = 0;
    for (const char *at = value; *at != '\0'; at++) {
        depth += *at == '[';
        depth -= *at == ']';
        if (depth == 0) {
            break;
        }
        if (*at >= '0' && *at <= '9') {
            char *end;
            numbers[(*count)++] = strtol(at, &end, 10);
            at = end - 1;
        }
    }
    return numbers;
}

#endif
