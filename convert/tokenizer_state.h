/* The tokenizer that lies beside a model's weights, as the blob "tokenizer".
 *
 *   tokenizer.json           the vocabulary, its normaliser and templates; without it
 *   vocab.txt                one token a line (WordPiece); without it
 *   vocab.json, merges.txt   tokens with their ids, and merges (BPE of GPT-2)
 *   tokenizer_config.json    special tokens, flags (they win over tokenizer.json's), longest text, added tokens
 *   special_tokens_map.json  special tokens that tokenizer_config.json does not name
 *   added_tokens.json        further tokens and their ids */
#ifndef PML_CONVERT_TOKENIZER_STATE_H
#define PML_CONVERT_TOKENIZER_STATE_H

#include "convert/bundle.h"

#define PML_TOKENIZER_FILES 6u

typedef struct pml_tokenizer_state { /* zero = no tokenizer, safe to deinit */
    uint8_t *bytes;                  /* the blob; NULL: none */
    size_t size_bytes;
    pml_side_file files[PML_TOKENIZER_FILES]; /* those that were read */
    size_t n_files;
} pml_tokenizer_state;

/* Reads the tokenizer in `folder` of a model whose configuration is `metadata`. Without "config.vocab_size" there,
 * or with neither tokenizer.json, vocab.txt nor vocab.json, there is none. Errors: FORMAT, UNSUPPORTED (another kind of
 * tokenizer, by name), CONFIG (more tokens than config.vocab_size; a special token or merges.txt missing), IO, MEMORY.
 */
pml_status pml_tokenizer_state_read(const pml_folder *folder, const pml_metadata *metadata, pml_tokenizer_state *state,
                                    pml_error *error) PML_WARN_UNUSED;
void pml_tokenizer_state_deinit(pml_tokenizer_state *state);

#endif
