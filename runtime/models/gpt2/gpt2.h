/* GPT-2 (Radford et al. 2019), as specs/models/gpt2.md describes it. Private to this folder and runtime/models/gpt2.c.
 */
#ifndef PML_RUNTIME_MODELS_GPT2_GPT2_H
#define PML_RUNTIME_MODELS_GPT2_GPT2_H

#include "runtime/models/layers.h"

typedef struct gpt2_layer {
    pml_linear q, k, v, out, up, down;
    pml_norm norm1, norm2;
    float scale; /* of q.k */
} gpt2_layer;

typedef enum gpt2_head { GPT2_HEAD_NONE, GPT2_HEAD_LANGUAGE, GPT2_HEAD_SEQUENCE } gpt2_head;

#define GPT2_NO_TOKEN SIZE_MAX

typedef struct gpt2 {
    size_t n_positions, n_layers, d_model, n_heads, ffn_dim; /* -, L, D, H, F */
    size_t vocab_size, n_labels;                             /* V, n */
    size_t pad_token;                                        /* GPT2_NO_TOKEN: none */
    double norm_eps;
    double embedding_dropout, attention_dropout, hidden_dropout;
    pml_activation activation;
    gpt2_head head;
    bool is_tied, has_bias;

    pml_tensor tokens, positions;
    gpt2_layer *layers; /* in the model arena */
    pml_norm norm;
    pml_linear scores; /* the head: of tokens or of labels */
} gpt2;

/* Rows that are computed together: tokens of sequences, one after the other without padding. */
typedef struct gpt2_pack {
    size_t n_rows, n_sequences;
    const size_t *row_offsets; /* [n_sequences + 1] */
    pml_tensor ids, places;    /* [R] F32: token and position of each row */
    pml_tensor slots; /* [R]: its place among the n_sequences * T tokens, padding included; of a whole forward */
    const pml_kv_cache *caches; /* [n_layers], of sequences that go on; NULL: they begin here */
} gpt2_pack;

/* gpt2_load.c */
pml_status pml_gpt2_load(pml_model *model, pml_error *error) PML_WARN_UNUSED;

/* gpt2_decoder.c: y [R, D], the decoder's output. `first_sample` is what probes are told. */
pml_status pml_gpt2_decode(pml_model *model, const gpt2_pack *pack, size_t first_sample, pml_tensor *y,
                           pml_error *error) PML_WARN_UNUSED;
/* Bound of what it holds at a time, y included, where no sequence gets longer than n_tokens. */
size_t pml_gpt2_decode_bytes(const gpt2 *net, size_t n_rows, size_t n_tokens);

/* gpt2_extend.c: the slots of the same names. */
size_t pml_gpt2_extend_bytes(const pml_model *model, size_t n_rows, size_t n_sequences, size_t capacity);
pml_status pml_gpt2_extend(pml_model *model, const pml_model_growth *growth, pml_error *error) PML_WARN_UNUSED;

#endif
