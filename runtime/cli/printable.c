/* Every character is decided on its own: as it is, or one short escape. */
#include "runtime/cli/printable.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

#define LONGEST_ESCAPE_BYTES 10u /* \u{10FFFF} */

/* The escape of the character at `text`, or "" when it can be printed as it is; *size_bytes is what it takes of `text`.
 */
static void escape_one(const unsigned char *text, size_t left, char escape[LONGEST_ESCAPE_BYTES + 1],
                       size_t *size_bytes) {
    size_t size = pml_utf8_length(text, left);
    uint32_t code = size == 0 ? 0 : pml_utf8_code(text, size);
    *size_bytes = size == 0 ? 1 : size;
    escape[0] = '\0';
    if (size == 0) {
        snprintf(escape, LONGEST_ESCAPE_BYTES + 1, "\\x%02X", text[0]);
    } else if (code == '\\') {
        memcpy(escape, "\\\\", 3);
    } else if (code == '\n') {
        memcpy(escape, "\\n", 3);
    } else if (code == '\t') {
        memcpy(escape, "\\t", 3);
    } else if (pml_utf8_steers(code)) {
        snprintf(escape, LONGEST_ESCAPE_BYTES + 1, code < 0x80 ? "\\x%02X" : "\\u{%04X}", (unsigned)code);
    }
}

pml_status pml_printable_copy(const char *text, size_t length_bytes, char **printable, pml_error *error) {
    if (length_bytes > (SIZE_MAX - 1) / LONGEST_ESCAPE_BYTES) {
        return PML_FAIL(error, PML_E_MEMORY, "a text of %zu bytes is too long to print", length_bytes);
    }
    /* The exact size first: most texts need no escape at all. */
    const unsigned char *bytes = (const unsigned char *)text;
    char escape[LONGEST_ESCAPE_BYTES + 1];
    size_t needed = 1;
    for (size_t i = 0, taken = 0; i < length_bytes; i += taken) {
        escape_one(bytes + i, length_bytes - i, escape, &taken);
        needed += escape[0] == '\0' ? taken : strlen(escape);
    }
    char *out = NULL;
    pml_status status = pml_alloc(needed, 1, &out, error);
    if (status != PML_OK) {
        return status;
    }
    size_t used = 0;
    for (size_t i = 0, taken = 0; i < length_bytes; i += taken) {
        escape_one(bytes + i, length_bytes - i, escape, &taken);
        const void *from = escape[0] == '\0' ? (const void *)(bytes + i) : (const void *)escape;
        size_t size = escape[0] == '\0' ? taken : strlen(escape);
        memcpy(out + used, from, size);
        used += size;
    }
    out[used] = '\0';
    *printable = out;
    return PML_OK;
}

void pml_printable_write_bytes(FILE *stream, const char *text, size_t length_bytes) {
    const unsigned char *bytes = (const unsigned char *)text;
    char escape[LONGEST_ESCAPE_BYTES + 1];
    size_t begin = 0; /* of what can be written as it is */
    for (size_t i = 0, taken = 0; i < length_bytes; i += taken) {
        escape_one(bytes + i, length_bytes - i, escape, &taken);
        if (escape[0] != '\0') {
            fwrite(bytes + begin, 1, i - begin, stream);
            fputs(escape, stream);
            begin = i + taken;
        }
    }
    fwrite(bytes + begin, 1, length_bytes - begin, stream);
}

void pml_printable_write(FILE *stream, const char *text) {
    pml_printable_write_bytes(stream, text, strlen(text));
}

size_t pml_printable_width(const char *text) {
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}
