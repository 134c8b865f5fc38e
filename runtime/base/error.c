#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = sizeof((pml_error){0}.message), WHOLE_BYTES = 8192, HEAD_BYTES = 400 };

/* The byte at `at`, or the next one after it that begins a character. */
static size_t character_start(const char *text, size_t at) {
    while (((unsigned char)text[at] & 0xc0) == 0x80) {
        at++;
    }
    return at;
}

/* Copies `whole` into a message. What is too long loses its middle: the file stands at the start, the cause at the end,
 * and a long path must not push the cause out. */
static void fit_message(char message[MESSAGE_BYTES], const char *whole) {
    size_t length = strlen(whole);
    if (length < MESSAGE_BYTES) {
        memcpy(message, whole, length + 1);
        return;
    }
    size_t head_bytes = character_start(whole, HEAD_BYTES);
    size_t tail = character_start(whole, length - (MESSAGE_BYTES - 1 - 3 - head_bytes));
    memcpy(message, whole, head_bytes);
    memcpy(message + head_bytes, "...", 3);
    memcpy(message + head_bytes + 3, whole + tail, length - tail + 1);
}

pml_status pml_error_set(pml_error *error, pml_status code, uint64_t offset_bytes, const char *source_file,
                         int source_line, const char *format, ...) {
    if (error != NULL) {
        /* Callers may pass error->message as an argument of their own message: build in a second buffer. */
        char whole[WHOLE_BYTES];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(whole, sizeof whole, format, arguments);
        va_end(arguments);
        fit_message(error->message, whole);
        error->code = code;
        error->offset_bytes = offset_bytes;
        error->source_file = source_file;
        error->source_line = source_line;
    }
    return code;
}

pml_status pml_error_prefix(pml_error *error, pml_status code, const char *format, ...) {
    if (error != NULL) {
        char whole[WHOLE_BYTES];
        va_list arguments;
        va_start(arguments, format);
        int written = vsnprintf(whole, sizeof whole - MESSAGE_BYTES - 2, format, arguments);
        va_end(arguments);
        size_t used = written < 0 ? 0 : strlen(whole);
        (void)snprintf(whole + used, sizeof whole - used, ": %s", error->message);
        fit_message(error->message, whole);
    }
    return code;
}

const char *pml_status_name(pml_status status) {
    static const char *const names[] = {
        [PML_OK] = "ok",
        [PML_E_ARGUMENT] = "argument",
        [PML_E_MEMORY] = "memory",
        [PML_E_IO] = "io",
        [PML_E_FORMAT] = "format",
        [PML_E_UNSUPPORTED] = "unsupported",
        [PML_E_NOT_FOUND] = "not found",
        [PML_E_CONFIG] = "config",
        [PML_E_MISMATCH] = "mismatch",
        [PML_E_NUMERIC] = "numeric",
        [PML_E_INTERRUPTED] = "interrupted",
        [PML_E_NETWORK] = "network",
        [PML_E_BUSY] = "busy",
        [PML_E_DENIED] = "denied",
    };
    size_t index = (size_t)status;
    if (index >= sizeof names / sizeof names[0] || names[index] == NULL) {
        return "unknown";
    }
    return names[index];
}
