/* Status codes and the error object every fallible function of pml reports through.
 *
 * A function that can fail returns pml_status and takes `pml_error *error` as its last argument; `error` may be
 * NULL. On PML_OK the error object is left untouched. Libraries never print, exit or abort. */
#ifndef PML_RUNTIME_BASE_ERROR_H
#define PML_RUNTIME_BASE_ERROR_H

#include "runtime/pml.h"

#define PML_WARN_UNUSED __attribute__((warn_unused_result))

/* Fills *error (when not NULL) and returns `code`. Use through the macros below. */
pml_status pml_error_set(pml_error *error, pml_status code, uint64_t offset_bytes, const char *source_file,
                         int source_line, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Puts "prefix: " in front of the message that *error holds: how a caller adds the file or tensor it knows of.
 * Returns `code` so that it can end a PML_TRY chain. */
pml_status pml_error_prefix(pml_error *error, pml_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name of a status, such as "format"; never NULL. */
const char *pml_status_name(pml_status status);

/* What a call gives that returns the code it was handed. clang's analyzer cannot look into another file to know it. */
#if defined(__clang_analyzer__)
#define PML_GIVES(code, call) ((void)(call), (code))
#else
#define PML_GIVES(code, call) (call)
#endif

/* Reports a failure whose place in a file is not known (or that has none). */
#define PML_FAIL(error, code, ...)                                                                                     \
    PML_GIVES((code), pml_error_set((error), (code), PML_NO_OFFSET, __FILE__, __LINE__, __VA_ARGS__))

/* Reports a failure at a byte offset of the file that the message names. */
#define PML_FAIL_AT(error, code, offset_bytes, ...)                                                                    \
    PML_GIVES((code), pml_error_set((error), (code), (uint64_t)(offset_bytes), __FILE__, __LINE__, __VA_ARGS__))

/* Runs `expression`; if it does not give PML_OK, jumps to the function's one label `done:`.
 * Needs a local `pml_status status` in scope. A function that uses it has no other return. */
#define PML_TRY(expression)                                                                                            \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status != PML_OK) {                                                                                        \
            goto done;                                                                                                 \
        }                                                                                                              \
    } while (0)

#endif
