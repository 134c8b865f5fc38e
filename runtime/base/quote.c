/* Foreign text made fit for one line of a terminal. */
#include "runtime/base/quote.h"

#include <string.h>

#include "runtime/base/utf8.h"

/* How many of the bytes at `bytes` must be escaped: 0 for a printable character, whose bytes are then *plain. */
static size_t to_escape(const uint8_t *bytes, size_t size_bytes, size_t *plain) {
    size_t length = pml_utf8_length(bytes, size_bytes);
    *plain = length;
    if (length == 0) {
        return 1;
    }
    return pml_utf8_steers(pml_utf8_code(bytes, length)) ? length : 0;
}

const char *pml_quote(pml_quoted *quoted, const char *text) {
    static const char hex[] = "0123456789abcdef";
    const uint8_t *bytes = (const uint8_t *)text;
    size_t size_bytes = strlen(text);
    /* Room for the longest piece (three bytes escaped), the dots, the closing quote and the zero. */
    size_t stop = sizeof quoted->text - 17;
    size_t used = 0, i = 0;
    quoted->text[used++] = '\'';
    while (i < size_bytes && used < stop) {
        size_t plain;
        size_t n_escaped = to_escape(bytes + i, size_bytes - i, &plain);
        if (n_escaped == 0) {
            if (bytes[i] == '\'' || bytes[i] == '\\') {
                quoted->text[used++] = '\\';
            }
            memcpy(quoted->text + used, bytes + i, plain);
            used += plain;
            i += plain;
        }
        for (; n_escaped > 0; n_escaped--, i++) {
            quoted->text[used++] = '\\';
            quoted->text[used++] = 'x';
            quoted->text[used++] = hex[bytes[i] >> 4];
            quoted->text[used++] = hex[bytes[i] & 15];
        }
    }
    if (i < size_bytes) {
        memcpy(quoted->text + used, "...", 3);
        used += 3;
    }
    quoted->text[used++] = '\'';
    quoted->text[used] = '\0';
    return quoted->text;
}
