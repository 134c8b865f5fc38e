/* BERT (Devlin et al. 2018, arXiv:1810.04805), as specs/models/bert.md describes it. Private to this folder and
 * runtime/models/bert.c. */
#ifndef PML_RUNTIME_MODELS_BERT_BERT_H
#define PML_RUNTIME_MODELS_BERT_BERT_H

#include "runtime/models/layers.h"

typedef struct bert_layer {
    pml_linear q, k, v, out, up, down;
    pml_norm norm1, norm2;
} bert_layer;

typedef enum bert_head {
    BERT_HEAD_NONE,
    BERT_HEAD_MASKED_LM,
    BERT_HEAD_PRETRAINING,
    BERT_HEAD_SEQUENCE,
    BERT_HEAD_TOKEN,
    BERT_HEAD_QUESTION
} bert_head;

typedef enum bert_pooling { BERT_POOLING_NONE, BERT_POOLING_CLS, BERT_POOLING_MEAN, BERT_POOLING_MAX } bert_pooling;

typedef struct bert {
    size_t n_positions, n_layers, d_model, n_heads, ffn_dim; /* -, L, D, H, F */
    size_t n_per_token;                                      /* values that the head gives per token */
    double norm_eps;
    double hidden_dropout, attention_dropout, head_dropout;
    pml_activation activation;
    bert_head head;
    bert_pooling pooling;
    bool has_pooler, is_tied, normalize;

    pml_tensor tokens, positions, types;
    pml_norm embedding_norm;
    bert_layer *layers; /* in the model arena */
    pml_linear pooler, transform, decoder, seq_relationship, classifier, span;
    pml_norm transform_norm;
} bert;

/* Sequences of one step that are computed together, their tokens one after the other without padding. A sequence whose
 * first token is masked is a pack of its own: its first row is computed, because poolers read it, but attended by none.
 * Arrays lie in the workspace. */
typedef struct bert_pack {
    size_t first, count;           /* sequences of the step */
    size_t n_rows;                 /* R */
    size_t n_hidden;               /* leading rows that nothing attends: 0, or 1 when count is 1 */
    size_t *row_offsets;           /* [count + 1]: the rows of each sequence */
    pml_tensor ids, types, places; /* [R]: word piece, sentence and position of each row */
    pml_tensor slots;              /* [R]: place of each row among the count * T tokens, padding included */
    pml_tensor first_rows;         /* [count]: the row of each sequence's first token */
} bert_pack;

/* bert_load.c */
pml_status pml_bert_load(pml_model *model, pml_error *error) PML_WARN_UNUSED;

/* bert_head.c: from the encoder's output h [R, D] to the outputs of the packed sequences. */
pml_status pml_bert_run_head(pml_model *model, const pml_model_step *step, const bert_pack *pack, const pml_tensor *h,
                             pml_error *error) PML_WARN_UNUSED;
/* Bound of what it holds at a time for that many rows and sequences, h not included. */
size_t pml_bert_head_bytes(const bert *net, size_t n_rows, size_t n_sequences);

#endif
