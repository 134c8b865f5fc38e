#include "runtime/text/stop_text.h"

#include <string.h>

#include "runtime/base/alloc.h"

/* Whether the held text from `at` on begins with a stop, or with as much of one as there is. */
static bool begins_stop(const pml_stop_text *text, size_t at, bool *is_whole) {
    bool begins = false;
    *is_whole = false;
    for (size_t i = 0; i < text->n_stops; i++) {
        const size_t length = strlen(text->stops[i]), rest = text->n_held - at;
        const size_t n = length < rest ? length : rest;
        if (length > 0 && memcmp(text->held + at, text->stops[i], n) == 0) {
            begins = true;
            *is_whole = *is_whole || n == length;
        }
    }
    return begins;
}

pml_status pml_stop_text_put(pml_stop_text *text, const char *piece, size_t size_bytes, size_t *n_ready,
                             pml_error *error) {
    pml_status status = PML_OK;
    *n_ready = 0;
    if (text->is_stopped) {
        goto done;
    }
    PML_TRY(pml_grow(&text->held, &text->capacity, text->n_held + size_bytes + 1, 1, SIZE_MAX / 2, "bytes", error));
    memcpy(text->held + text->n_held, piece, size_bytes);
    text->n_held += size_bytes;
    size_t first = text->n_held;
    for (size_t at = 0; at < text->n_held && !text->is_stopped; at++) {
        if (begins_stop(text, at, &text->is_stopped) && (first == text->n_held || text->is_stopped)) {
            first = at;
        }
    }
    *n_ready = first;
done:
    return status;
}

void pml_stop_text_take(pml_stop_text *text, size_t n_bytes) {
    text->n_held -= n_bytes;
    if (n_bytes > 0) {
        memmove(text->held, text->held + n_bytes, text->n_held);
    }
}

void pml_stop_text_deinit(pml_stop_text *text) {
    pml_free(text->held);
    *text = (pml_stop_text){0};
}
