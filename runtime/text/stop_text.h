/* Text that comes in pieces, up to the first of some texts that end it: what may be the beginning of one is held back
 * until more has come. */
#ifndef PML_RUNTIME_TEXT_STOP_TEXT_H
#define PML_RUNTIME_TEXT_STOP_TEXT_H

#include "runtime/base/error.h"

typedef struct pml_stop_text { /* zero with stops = no text yet; release with deinit */
    const char *const *stops;  /* [n_stops] borrowed; empty ones never fit */
    size_t n_stops;
    char *held; /* from the first byte on that was not taken */
    size_t n_held, capacity;
    bool is_stopped;
} pml_stop_text;

/* Appends a piece; held[0 .. *n_ready) is then known to stand before any stop. Once a stop has come, further pieces are
 * left out. Errors: MEMORY. */
pml_status pml_stop_text_put(pml_stop_text *text, const char *piece, size_t size_bytes, size_t *n_ready,
                             pml_error *error) PML_WARN_UNUSED;
/* Drops the first n_bytes of what is held. */
void pml_stop_text_take(pml_stop_text *text, size_t n_bytes);
void pml_stop_text_deinit(pml_stop_text *text);

#endif
