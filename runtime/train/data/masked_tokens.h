/* Text for masked language models, as BERT's authors and Hugging Face's DataCollatorForLanguageModeling draw it: of the
 * tokens that are not special each is chosen with probability `share`; of the chosen ones 80 % become [MASK], 10 % any
 * token of the vocabulary, and 10 % stay; only chosen ones have a label. The draw is a function of (seed, epoch,
 * sample), so that every epoch masks anew (and a sample drawn twice in one by weights is masked alike). Special are
 * added tokens so marked and [CLS], [SEP], [PAD], [UNK], [MASK].
 *
 * Fields, all of T tokens, ragged: input_ids, attention_mask, token_type_ids (F32), labels (I64; PML_IGNORED_LABEL of
 * tokens that were not chosen). A short sample may have no label at all. */
#ifndef PML_RUNTIME_TRAIN_DATA_MASKED_TOKENS_H
#define PML_RUNTIME_TRAIN_DATA_MASKED_TOKENS_H

#include "runtime/text/tokenizer.h"
#include "runtime/train/data/dataset.h"

typedef struct pml_masking {
    double share;                    /* 0.15 */
    double mask_share, random_share; /* of the chosen: 0.8, 0.1 */
} pml_masking;

typedef struct pml_masked_options {
    size_t max_tokens; /* T of the longest sample, with what the tokenizer's template adds */
    bool by_line;      /* each line that is not blank is a sample, cut to max_tokens; otherwise the files' tokens, one
                        * behind the other, are cut into full samples and a rest, each within the template */
    const pml_masking *masking; /* NULL: as above */
} pml_masked_options;

/* Errors: UNSUPPORTED (the tokenizer has no mask token), ARGUMENT (shares, max_tokens), FORMAT (no text at all), those
 * of pml_text_file_open and pml_tokenizer_run, INTERRUPTED, MEMORY. */
pml_status pml_masked_tokens_create(const pml_tokenizer *tokenizer, const char *const *paths, size_t n_paths,
                                    const pml_masked_options *options, pml_dataset **dataset,
                                    pml_error *error) PML_WARN_UNUSED;

#endif
