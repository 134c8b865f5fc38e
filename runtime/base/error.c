#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

pml_status pml_error_set(pml_error *error, pml_status code, uint64_t offset_bytes, const char *source_file,
                         int source_line, const char *format, ...) {
    if (error != NULL) {
        /* Callers may pass error->message as an argument of their own message: build in a second buffer. */
        char message[sizeof error->message];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        memcpy(error->message, message, sizeof message);
        error->code = code;
        error->offset_bytes = offset_bytes;
        error->source_file = source_file;
        error->source_line = source_line;
    }
    return code;
}

pml_status pml_error_prefix(pml_error *error, pml_status code, const char *format, ...) {
    if (error != NULL) {
        char message[sizeof error->message];
        va_list arguments;
        va_start(arguments, format);
        int written = vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        size_t used = written < 0 ? 0 : (size_t)written;
        if (used >= sizeof message) {
            used = sizeof message - 1;
        }
        (void)snprintf(message + used, sizeof message - used, ": %.*s", (int)(sizeof message - 3), error->message);
        memcpy(error->message, message, sizeof message);
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
    };
    size_t index = (size_t)status;
    if (index >= sizeof names / sizeof names[0] || names[index] == NULL) {
        return "unknown";
    }
    return names[index];
}
