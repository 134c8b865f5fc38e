/* BERT and GPT-2 in training: dropout at each of its places, and gradients through what is packed without padding. */
#include "tests/runtime/models/dropout_check.h"

static const float ids[2][5] = {{3, 1, 4, 1, 5}, {9, 2, 6, 5, 3}};
static const float mask[2][5] = {{1, 1, 1, 1, 1}, {1, 1, 1, 0, 0}};
static const pml_array inputs[] = {{.name = "input_ids", .data = ids[0], .rank = 2, .shape = {2, 5}},
                                   {.name = "attention_mask", .data = mask[0], .rank = 2, .shape = {2, 5}}};

#define BERT_SIZES                                                                                                     \
    "vocab_size=11", "max_positions=8", "type_vocab_size=2", "num_hidden_layers=2", "d_model=12",                      \
        "num_attention_heads=3", "ffn_dim=20", "norm_eps=1e-5", "activation=gelu", "pooling=none", "normalize=false",  \
        "num_labels=3"

static void a_classifying_bert_drops_its_features(void) {
    static const char *const settings[] = {
        BERT_SIZES,           "head=sequence_classification", "has_pooler=true",  "tied_decoder=false",
        "hidden_dropout=0.2", "attention_dropout=0.3",        "head_dropout=0.4", NULL};
    static const char *const parameters[] = {"embedding.token.weight",
                                             "encoder.layer.0.attention.q.weight",
                                             "encoder.layer.1.ffn.up.weight",
                                             "pooler.weight",
                                             "classifier.weight",
                                             NULL};
    /* embeddings; weights, results and networks of two layers; features */
    check_dropout(&(dropout_case){"bert", settings, inputs, 2, "logits", 8, parameters});
}

static void a_masked_bert_scores_its_tokens(void) {
    static const char *const settings[] = {BERT_SIZES,
                                           "head=masked_lm",
                                           "has_pooler=false",
                                           "tied_decoder=true",
                                           "hidden_dropout=0.2",
                                           "attention_dropout=0.3",
                                           NULL};
    static const char *const parameters[] = {"embedding.token.weight", "encoder.layer.0.attention.v.weight",
                                             "encoder.layer.1.ffn.down.weight", "decoder.bias", NULL};
    for (size_t n_inputs = 1; n_inputs <= 2; n_inputs++) { /* without and with padding */
        check_dropout(&(dropout_case){"bert", settings, inputs, n_inputs, "logits", 7, parameters});
    }
}

static const char *const gpt2_settings[] = {"vocab_size=11",         "max_positions=8",
                                            "num_hidden_layers=2",   "d_model=12",
                                            "num_attention_heads=3", "ffn_dim=20",
                                            "norm_eps=1e-5",         "activation=gelu_tanh",
                                            "has_bias=true",         "scale_scores=true",
                                            "scale_by_layer=false",  "tied_head=true",
                                            "num_labels=2",          "head=language_model",
                                            "embedding_dropout=0.1", "attention_dropout=0.3",
                                            "hidden_dropout=0.2",    NULL};

static void a_gpt2_scores_its_tokens(void) {
    static const char *const parameters[] = {
        "embedding.token.weight",        "embedding.position.weight", "decoder.layer.0.attention.k.weight",
        "decoder.layer.1.ffn.up.weight", "decoder.norm.weight",       NULL};
    for (size_t n_inputs = 1; n_inputs <= 2; n_inputs++) {
        check_dropout(&(dropout_case){"gpt2", gpt2_settings, inputs, n_inputs, "logits", 7, parameters});
    }
}

/* How many rows are copied to places among padding, in ops of one run. */
static size_t count_scatters(size_t n_inputs) {
    pml_metadata *metadata = series_metadata("gpt2", gpt2_settings);
    series_model m = {.file = series_file(metadata, "gpt2")};
    size_t n = 0;
    pml_metadata_destroy(metadata);
    PML_ASSERT_OK(pml_model_create_trainable(m.file, &(pml_trainable_options){.seed = 5}, &m.model, &error), &error);
    pml_model_training_set(m.model, true);
    PML_ASSERT_OK(pml_model_run(m.model, inputs, n_inputs, &error), &error);
    const pml_tape *tape = pml_model_context(m.model)->tape;
    for (size_t i = 0; i < tape->count; i++) {
        n += strcmp(tape->entries[i].op->name, "scatter") == 0;
    }
    series_close(&m);
    return n;
}

static void without_padding_results_are_not_copied(void) {
    CU_ASSERT_EQUAL(count_scatters(1), 0);
    CU_ASSERT_EQUAL(count_scatters(2), 2); /* hidden states and scores */
}

PML_TESTS("runtime/models/text_training", PML_TEST(a_classifying_bert_drops_its_features),
          PML_TEST(a_masked_bert_scores_its_tokens), PML_TEST(a_gpt2_scores_its_tokens),
          PML_TEST(without_padding_results_are_not_copied))
