/* Where the heads of an attention lie, for its forward and its backward pass. Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_ATTENTION_HEADS_H
#define PML_RUNTIME_OPS_ATTENTION_HEADS_H

#include "runtime/ops/gradient.h"
#include "runtime/ops/ops.h"

/* Sequences within q (or k, v): token t of sequence i lies n_inner * t rows behind its first. */
typedef struct pml_attention_sequences {
    size_t n_sequences;
    size_t n_inner; /* product of the axes between the tokens' and the last */
    size_t n_tokens;
} pml_attention_sequences;

typedef struct pml_attention_heads {
    const pml_attention_options *options; /* n_heads, scale, causal and row_offsets are read */
    pml_attention_sequences queries, keys;
    size_t n_sequences;
    size_t most_queries, most_keys; /* of any sequence */
    const float *q, *k, *v;
    float *y;
    size_t n_columns, depth, step;
    const float *mask; /* NULL: none */
    size_t mask_sequence_step, mask_row_step;
    const float *scores_in; /* NULL: none; out likewise */
    float *scores_out;
    const pml_dropout_mask *dropout; /* NULL: none. Row t of head h of sequence i: elements from
                                        ((i * n_heads + h) * most_queries + t) * most_keys rounded up to a group on */
} pml_attention_heads;

/* What a tape keeps of an attention: attributes.data. Its pointers live as long. */
typedef struct pml_attention_record {
    pml_attention_options options; /* without mask and scores */
    bool has_scores; /* the output is y and, pml_attention_scores_at floats behind its beginning, scores */
    bool drops;
    pml_dropout_mask dropout;
} pml_attention_record;

/* Everything but y, scores and dropout. Errors: ARGUMENT (a mask that does not fit). */
pml_status pml_attention_heads_of(const pml_tensor *q, const pml_tensor *k, const pml_tensor *v, const pml_tensor *mask,
                                  const pml_attention_options *options, pml_attention_heads *heads,
                                  pml_error *error) PML_WARN_UNUSED;
/* The forward job of one head, but for `work`; `user` is pml_attention_heads. */
void pml_attention_head_job(const void *user, size_t i_sequence, size_t i_head, pml_attention *job);
/* Floats from the scores of the first head of all to those of this one. */
size_t pml_attention_head_scores(const pml_attention_heads *heads, size_t i_sequence, size_t i_head);
size_t pml_attention_scores_at(const pml_tensor *y);
uint64_t pml_attention_products(const pml_attention_heads *heads);
uint64_t pml_attention_dropout_elements(const pml_attention_heads *heads);

pml_status pml_attention_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
