/* Text for language models: a run of tokens cut into blocks of T, each token to be foretold from those before it in its
 * block. Fields: input_ids [T], F32; labels [T], I64: at each token the one that follows. A block's last label is the
 * next block's first token, so that each token but the first is foretold once; what fills no block is left out.
 * (Hugging Face's models shift their labels themselves and foretell T - 1 tokens of a block.) */
#ifndef PML_RUNTIME_TRAIN_DATA_TOKEN_BLOCKS_H
#define PML_RUNTIME_TRAIN_DATA_TOKEN_BLOCKS_H

#include "runtime/train/data/dataset.h"
#include "runtime/train/data/token_stream.h"

/* Takes over the stream's tokens and leaves it empty. Errors: ARGUMENT (T 0), FORMAT (not enough tokens for one block;
 * `name` is what the message calls them), MEMORY. */
pml_status pml_token_blocks_create(pml_token_stream *stream, const char *name, size_t n_tokens, pml_dataset **dataset,
                                   pml_error *error) PML_WARN_UNUSED;

#endif
