/* BERT (Devlin et al. 2018, arXiv:1810.04805): a transformer encoder over word pieces, post-norm, with learned
 * positions and sentence types. Described in specs/models/bert.md; names are frozen there. */
#include "runtime/schema/schema.h"

static const char *const variants[] = {
    "model", "masked-lm", "pretraining", "sequence-classification", "token-classification", "question-answering", NULL};

static const char *const known_repos[] = {"google-bert/bert-base-uncased",
                                          "google-bert/bert-base-cased",
                                          "google-bert/bert-large-uncased",
                                          "google-bert/bert-base-multilingual-cased",
                                          "google/bert_uncased_L-2_H-128_A-2",
                                          "sentence-transformers/all-MiniLM-L6-v2",
                                          NULL};

#define INT_KEY(key, low, high, text)                                                                                  \
    { .name = (key), .type = PML_CONFIG_INT, .least = (low), .greatest = (high), .description = (text) }
#define BOOL_KEY(key, text)                                                                                            \
    { .name = (key), .type = PML_CONFIG_BOOL, .description = (text) }
#define CHOICE_KEY(key, list, text)                                                                                    \
    { .name = (key), .type = PML_CONFIG_CHOICE, .choices = (list), .description = (text) }
#define TRAINING_KEY(key, high, text)                                                                                  \
    { .name = (key), .type = PML_CONFIG_REAL, .least = 0, .greatest = (high), .optional = true, .description = (text) }

static const pml_config_key config[] = {
    CHOICE_KEY("head", "none|masked_lm|pretraining|sequence_classification|token_classification|question_answering",
               "what the encoder's output is for"),
    INT_KEY("vocab_size", 1, 16777216, "V, word pieces"),
    INT_KEY("max_positions", 1, 1e6, "longest sequence of tokens"),
    INT_KEY("type_vocab_size", 1, 1e6, "kinds of sentences"),
    INT_KEY("num_hidden_layers", 1, 1e4, "L, encoder layers"),
    INT_KEY("d_model", 1, 1e6, "D, model width"),
    INT_KEY("num_attention_heads", 1, 1e5, "H, attention heads"),
    INT_KEY("ffn_dim", 1, 1e7, "F, feed-forward width"),
    CHOICE_KEY(
        "activation", "gelu|gelu_tanh|relu|silu|tanh|sigmoid|identity",
        "of the feed-forward network and of the transform before a decoder; gelu is the exact error-function form"),
    {.name = "norm_eps", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1, .description = "added to the variance"},
    BOOL_KEY("has_pooler", "a tanh layer reads the first token"),
    BOOL_KEY("tied_decoder", "the decoder is the token table"),
    INT_KEY("num_labels", 1, 1e6, "n, classes of a sequence or token"),
    CHOICE_KEY("pooling", "none|cls|mean|max", "how tokens become one sentence embedding"),
    BOOL_KEY("normalize", "sentence embeddings get unit length"),
    TRAINING_KEY("hidden_dropout", 1, "training: of embeddings and sublayer outputs"),
    TRAINING_KEY("attention_dropout", 1, "training: of attention weights"),
    TRAINING_KEY("head_dropout", 1, "training: before a classifier"),
    TRAINING_KEY("init_std", 1e6, "training: deviation of fresh weights"),
    {.name = NULL}};

static const pml_derived_number derived[] = {
    {"has_decoder", "head == 'masked_lm' || head == 'pretraining'"},
    {"has_classifier", "head == 'sequence_classification' || head == 'token_classification'"},
    {"is_tied", "has_decoder && tied_decoder"},
    {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    {"d_model % num_attention_heads == 0", "d_model must be a multiple of num_attention_heads"},
    {"has_pooler || (head != 'pretraining' && head != 'sequence_classification')",
     "has_pooler must be true when head is pretraining or sequence_classification"},
    {"has_decoder || !tied_decoder", "tied_decoder must be false unless head is masked_lm or pretraining"},
    {"pooling != 'none' || !normalize", "normalize must be false when pooling is none"},
    {NULL, NULL}};

#define LAYER(suffix) "encoder.layer.{l}." suffix
#define LAYER_LINEAR(part, in, out)                                                                                    \
    {LAYER(part ".weight"), PML_ROLE_MATRIX, in ", " out, "num_hidden_layers", NULL}, {                                \
        LAYER(part ".bias"), PML_ROLE_VECTOR, out, "num_hidden_layers", NULL                                           \
    }
#define LAYER_NORM(part)                                                                                               \
    {LAYER(part ".weight"), PML_ROLE_VECTOR, "d_model", "num_hidden_layers", NULL}, {                                  \
        LAYER(part ".bias"), PML_ROLE_VECTOR, "d_model", "num_hidden_layers", NULL                                     \
    }
#define LINEAR(part, in, out, condition)                                                                               \
    {part ".weight", PML_ROLE_MATRIX, in ", " out, NULL, condition}, {                                                 \
        part ".bias", PML_ROLE_VECTOR, out, NULL, condition                                                            \
    }
#define NORM(part, condition)                                                                                          \
    {part ".weight", PML_ROLE_VECTOR, "d_model", NULL, condition}, {                                                   \
        part ".bias", PML_ROLE_VECTOR, "d_model", NULL, condition                                                      \
    }

static const pml_weight_spec weights[] = {
    {"embedding.token.weight", PML_ROLE_EMBEDDING, "vocab_size, d_model", NULL, "!is_tied"},
    {"embedding.token.weight", PML_ROLE_MATRIX, "d_model, vocab_size", NULL, "is_tied"}, /* read both ways */
    {"embedding.position.weight", PML_ROLE_EMBEDDING, "max_positions, d_model", NULL, NULL},
    {"embedding.type.weight", PML_ROLE_TABLE, "type_vocab_size, d_model", NULL, NULL},
    NORM("embedding.norm", NULL),
    LAYER_LINEAR("attention.q", "d_model", "d_model"),
    LAYER_LINEAR("attention.k", "d_model", "d_model"),
    LAYER_LINEAR("attention.v", "d_model", "d_model"),
    LAYER_LINEAR("attention.out", "d_model", "d_model"),
    LAYER_NORM("norm1"),
    LAYER_LINEAR("ffn.up", "d_model", "ffn_dim"),
    LAYER_LINEAR("ffn.down", "ffn_dim", "d_model"),
    LAYER_NORM("norm2"),
    LINEAR("pooler", "d_model", "d_model", "has_pooler"),
    LINEAR("transform", "d_model", "d_model", "has_decoder"),
    NORM("transform.norm", "has_decoder"),
    {"decoder.weight", PML_ROLE_MATRIX, "d_model, vocab_size", NULL, "has_decoder && !tied_decoder"},
    {"decoder.bias", PML_ROLE_VECTOR, "vocab_size", NULL, "has_decoder"},
    LINEAR("seq_relationship", "d_model", "2", "head == 'pretraining'"),
    LINEAR("classifier", "d_model", "num_labels", "has_classifier"),
    LINEAR("span", "d_model", "2", "head == 'question_answering'"),
    {NULL, 0, NULL, NULL, NULL}};

static const pml_port_spec inputs[] = {
    {"input_ids", "B, T", false, NULL, "word pieces"},
    {"attention_mask", "B, T", true, NULL, "1 a token, 0 padding; without it every token counts"},
    {"token_type_ids", "B, T", true, NULL, "which sentence a token belongs to; without it 0"},
    {NULL, NULL, false, NULL, NULL}};

static const pml_index_spec indexes[] = {
    {"input_ids", "vocab_size"}, {"attention_mask", "2"}, {"token_type_ids", "type_vocab_size"}, {NULL, NULL}};

static const pml_port_spec outputs[] = {
    {"last_hidden_state", "B, T, d_model", false, NULL, "encoder output; 0 where there is padding, as in every [B, T]"},
    {"pooler_output", "B, d_model", false, "has_pooler", "the pooler's view of the first token"},
    {"sentence_embedding", "B, d_model", false, "pooling != 'none'", "pooled and normalized as configured"},
    {"logits", "B, T, vocab_size", false, "head == 'masked_lm'", "scores of word pieces"},
    {"logits", "B, num_labels", false, "head == 'sequence_classification'", "scores of labels"},
    {"logits", "B, T, num_labels", false, "head == 'token_classification'", "scores of labels"},
    {"prediction_logits", "B, T, vocab_size", false, "head == 'pretraining'", "scores of word pieces"},
    {"seq_relationship_logits", "B, 2", false, "head == 'pretraining'", "0: the second sentence follows the first"},
    {"start_logits", "B, T", false, "head == 'question_answering'", "scores of first tokens of the answer"},
    {"end_logits", "B, T", false, "head == 'question_answering'", "scores of last tokens of the answer"},
    {NULL, NULL, false, NULL, NULL}};

/* The middle half of the layers: of 6 layers 2 to 4, of 12 layers 3 to 8. */
#define MIDDLE "l >= (num_hidden_layers + 3) / 4 && l < (num_hidden_layers + 3) / 4 + num_hidden_layers / 2"
static const pml_grouped_spec grouped[] = {{LAYER("attention.v.weight"), NULL},
                                           {LAYER("ffn.up.weight"), MIDDLE},
                                           {LAYER("ffn.down.weight"), MIDDLE},
                                           {NULL, NULL}};

/* As BERT's own: the sizes are those of its mini network. */
#define NORMAL "normal:std={init_std}"
static const pml_fresh_spec fresh = {
    .dialect = "hf",
    .keys = (const pml_fresh_key[]){{"head", "masked_lm", NULL},
                                    {"vocab_size", "@tokenizer", NULL},
                                    {"max_positions", "512", NULL},
                                    {"type_vocab_size", "2", NULL},
                                    {"num_hidden_layers", "4", NULL},
                                    {"d_model", "256", NULL},
                                    {"num_attention_heads", "4", NULL},
                                    {"ffn_dim", "4 * d_model", NULL},
                                    {"activation", "gelu", NULL},
                                    {"norm_eps", "1e-12", NULL},
                                    {"has_pooler", "head == 'pretraining' || head == 'sequence_classification'", NULL},
                                    {"tied_decoder", "has_decoder", NULL},
                                    {"num_labels", "@labels", NULL},
                                    {"num_labels", "2", NULL},
                                    {"pooling", "none", NULL},
                                    {"normalize", "0", NULL},
                                    {"hidden_dropout", "0.1", NULL},
                                    {"attention_dropout", "0.1", NULL},
                                    {"init_std", "0.02", NULL},
                                    {NULL, NULL, NULL}},
    .weights = (const pml_fresh_weight[]){{"*norm*", NULL, NULL, NULL},
                                          {"*.weight", NULL, NORMAL, NULL},
                                          {"*.bias", NULL, "zeros", NULL},
                                          {NULL, NULL, NULL, NULL}},
    .has_tokens = true};

extern const pml_schema pml_schema_bert;
const pml_schema pml_schema_bert = {
    .name = "bert",
    .architecture = "BERT: transformer encoder over word pieces, for embeddings, classification and fill-in",
    .variants = variants,
    .known_repos = known_repos,
    .config = config,
    .constraints = constraints,
    .weights = weights,
    .inputs = inputs,
    .outputs = outputs,
    .forecast = NULL,
    .state = NULL,
    .derived = derived,
    .indexes = indexes,
    .grouped = grouped,
    .fresh = &fresh,
};
