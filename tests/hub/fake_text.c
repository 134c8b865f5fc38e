#include "tests/hub/fake_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *kept(void *pointer) {
    if (pointer == NULL) {
        abort();
    }
    return pointer;
}

void *fake_allocate(size_t size_bytes) {
    return kept(calloc(size_bytes == 0 ? 1 : size_bytes, 1));
}

void *fake_grow(void *items, size_t count, size_t each_bytes) {
    bool is_full = count == 0 || (count & (count - 1)) == 0; /* capacities are powers of two */
    if (!is_full) {
        return items;
    }
    size_t capacity = count == 0 ? 1 : 2 * count;
    char *grown = kept(realloc(items, capacity * each_bytes));
    memset(grown + count * each_bytes, 0, (capacity - count) * each_bytes);
    return grown;
}

char *fake_text_list(const char *format, va_list arguments) {
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        abort();
    }
    return text;
}

char *fake_text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = fake_text_list(format, arguments);
    va_end(arguments);
    return text;
}

static int digit_value(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

char *fake_text_decode(const char *text, size_t length) {
    char *out = fake_allocate(length + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        int high = text[i] == '%' && i + 2 < length ? digit_value(text[i + 1]) : -1;
        int low = high >= 0 ? digit_value(text[i + 2]) : -1;
        if (low >= 0) {
            out[used++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[used++] = text[i];
        }
    }
    return out;
}

char *fake_text_encode(const char *text, bool keep_slash) {
    static const char digits[] = "0123456789ABCDEF";
    char *out = fake_allocate(3 * strlen(text) + 1);
    size_t used = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        if (isalnum(*at) || strchr("-._~", *at) != NULL || (keep_slash && *at == '/')) {
            out[used++] = (char)*at;
        } else {
            out[used++] = '%';
            out[used++] = digits[*at >> 4];
            out[used++] = digits[*at & 15];
        }
    }
    return out;
}

char *fake_query_value(const char *query, const char *name, unsigned index) {
    size_t name_length = strlen(name);
    const char *at = query != NULL ? query : "";
    while (*at != '\0') {
        size_t length = strcspn(at, "&");
        if (length > name_length && strncmp(at, name, name_length) == 0 && at[name_length] == '=') {
            if (index == 0) {
                return fake_text_decode(at + name_length + 1, length - name_length - 1);
            }
            index--;
        }
        at += length + (at[length] == '&');
    }
    return NULL;
}

uint64_t fake_query_number(const char *query, const char *name, uint64_t otherwise) {
    char *value = fake_query_value(query, name, 0);
    uint64_t number = value != NULL ? strtoull(value, NULL, 10) : otherwise;
    free(value);
    return number;
}

bool fake_query_flag(const char *query, const char *name) {
    char *value = fake_query_value(query, name, 0);
    bool is_set = value != NULL && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0);
    free(value);
    return is_set;
}

void fake_hex(const unsigned char *bytes, size_t size_bytes, char *text) {
    for (size_t i = 0; i < size_bytes; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

bool fake_is_hex(const char *text, size_t length) {
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}
