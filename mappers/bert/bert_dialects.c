#include "mappers/bert/bert_dialects.h"

#include "mappers/bert/bert_config.h"
#include "mappers/bert/bert_tensorflow.h"

/* Pooling is a module of sentence-transformers, which has files of its own. */
#define OF_SENTENCES                                                                                                   \
    {"pooling", NULL, NULL}, {                                                                                         \
        "normalize", NULL, NULL                                                                                        \
    }

static const pml_map_written hf_lines[] = {{"model_type", "\"bert\"", NULL},
                                           {"dtype", "\"float32\"", NULL},
                                           {"tie_word_embeddings", "true", "tied_decoder || !has_decoder"},
                                           {"tie_word_embeddings", "false", NULL},
                                           OF_SENTENCES,
                                           {NULL, NULL, NULL}};

/* Without a shared table, the head's bias and the decoder's are two parameters. Transformers 4 computes with the first,
 * transformers 5 with the second. */
static const pml_map_foreign hf_tensors[] = {
    {.pattern = "cls.predictions.bias", .beside = "decoder.bias", .when = "!tied_decoder"}, {.pattern = NULL}};

/* Its words: "gelu" is the tanh form, and there is no other. */
static const pml_map_written google_lines[] = {{"hidden_act", "\"gelu\"", "activation == 'gelu_tanh'"},
                                               {"hidden_act", "\"relu\"", "activation == 'relu'"},
                                               {"hidden_act", "\"tanh\"", "activation == 'tanh'"},
                                               {"hidden_act", "\"linear\"", "activation == 'identity'"},
                                               OF_SENTENCES,
                                               {NULL, NULL, NULL}};

static const pml_map_text keras_models[] = {
    {"tf_bert_for_masked_lm", "head == 'masked_lm'"},
    {"tf_bert_for_pre_training", "head == 'pretraining'"},
    {"tf_bert_for_sequence_classification", "head == 'sequence_classification'"},
    {"tf_bert_for_token_classification", "head == 'token_classification'"},
    {"tf_bert_for_question_answering", "head == 'question_answering'"},
    {"tf_bert_model", NULL},
    {NULL, NULL}};

const pml_map_dialect pml_bert_dialects[] = {{.name = PML_BERT_HF,
                                              .keys = pml_bert_keys,
                                              .written = hf_lines,
                                              .tensors = hf_tensors,
                                              .optional_when = "head != 'none'",
                                              .config_file = "config.json",
                                              .has_labels = true},
                                             {.name = PML_BERT_GOOGLE,
                                              .keys = pml_bert_keys,
                                              .written = google_lines,
                                              .config_file = "bert_config.json",
                                              .has_labels = true},
                                             {.name = PML_BERT_KERAS,
                                              .keys = pml_bert_keys,
                                              .written = hf_lines,
                                              .gaps = keras_models,
                                              .config_file = "config.json",
                                              .has_labels = true},
                                             {.name = NULL}};
