/* Reading the byte form of a tokenizer. Private to this floor. */
#ifndef PML_RUNTIME_TEXT_TOKENIZER_BYTES_H
#define PML_RUNTIME_TEXT_TOKENIZER_BYTES_H

#include "runtime/text/tokenizer_parts.h"

/* Fills spec and its arrays of a zeroed tokenizer, which destroy releases also after a failure. Tokens are views into
 * `bytes`. Errors: FORMAT, UNSUPPORTED, MEMORY. */
pml_status pml_tokenizer_unpack(const uint8_t *bytes, size_t size_bytes, pml_tokenizer *tokenizer,
                                pml_error *error) PML_WARN_UNUSED;

#endif
