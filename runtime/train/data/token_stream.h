/* Files of text as one run of tokens, as language models are trained on. */
#ifndef PML_RUNTIME_TRAIN_DATA_TOKEN_STREAM_H
#define PML_RUNTIME_TRAIN_DATA_TOKEN_STREAM_H

#include "runtime/text/tokenizer.h"

typedef struct pml_token_stream { /* zero = valid, empty */
    uint32_t *ids;
    size_t n_ids, capacity;
} pml_token_stream;
void pml_token_stream_deinit(pml_token_stream *stream);

typedef struct pml_stream_options {
    bool by_line;   /* every line that is not blank is a text of its own, without its line end; otherwise every file */
    bool separates; /* `separator` follows every text */
    uint32_t separator;
} pml_stream_options;

/* The tokens of all texts, one behind the other, without the tokenizer's template. A file is tokenized in pieces, cut
 * only where that changes no token. Errors: those of pml_text_file_open and pml_tokenizer_run, INTERRUPTED, MEMORY. */
pml_status pml_token_stream_read(const pml_tokenizer *tokenizer, const char *const *paths, size_t n_paths,
                                 const pml_stream_options *options, pml_token_stream *stream,
                                 pml_error *error) PML_WARN_UNUSED;

#endif
