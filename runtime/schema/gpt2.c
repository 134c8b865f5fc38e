/* GPT-2 (Radford et al. 2019): a transformer decoder over byte-pair tokens, pre-norm, with learned positions. Described
 * in specs/models/gpt2.md; names are frozen there. */
#include "runtime/schema/schema.h"

static const char *const variants[] = {"model", "language-model", "sequence-classification", NULL};

static const char *const known_repos[] = {"openai-community/gpt2",
                                          "openai-community/gpt2-medium",
                                          "openai-community/gpt2-large",
                                          "openai-community/gpt2-xl",
                                          "distilbert/distilgpt2",
                                          "sshleifer/tiny-gpt2",
                                          NULL};

#define INT_KEY(key, low, high, text)                                                                                  \
    { .name = (key), .type = PML_CONFIG_INT, .least = (low), .greatest = (high), .description = (text) }
#define BOOL_KEY(key, text)                                                                                            \
    { .name = (key), .type = PML_CONFIG_BOOL, .description = (text) }
#define CHOICE_KEY(key, list, text)                                                                                    \
    { .name = (key), .type = PML_CONFIG_CHOICE, .choices = (list), .description = (text) }
#define TOKEN_KEY(key, text)                                                                                           \
    {                                                                                                                  \
        .name = (key), .type = PML_CONFIG_INT, .least = 0, .greatest = 16777216, .optional = true,                     \
        .description = (text), .absent = "-1"                                                                          \
    }
#define TRAINING_KEY(key, high, text)                                                                                  \
    { .name = (key), .type = PML_CONFIG_REAL, .least = 0, .greatest = (high), .optional = true, .description = (text) }

static const pml_config_key config[] = {
    CHOICE_KEY("head", "none|language_model|sequence_classification", "what the decoder's output is for"),
    INT_KEY("vocab_size", 1, 16777216, "V, rows of the token table, padding of the table included"),
    INT_KEY("max_positions", 1, 1e6, "longest sequence of tokens"),
    INT_KEY("num_hidden_layers", 1, 1e4, "L, decoder layers"),
    INT_KEY("d_model", 1, 1e6, "D, model width"),
    INT_KEY("num_attention_heads", 1, 1e5, "H, attention heads"),
    INT_KEY("ffn_dim", 1, 1e7, "F, feed-forward width"),
    CHOICE_KEY("activation", "gelu|gelu_tanh|relu|silu|tanh|sigmoid|identity",
               "of the feed-forward network; gelu is the exact error-function form"),
    {.name = "norm_eps", .type = PML_CONFIG_REAL, .least = 0, .greatest = 1, .description = "added to the variance"},
    BOOL_KEY("has_bias", "linear layers and norms have a bias"),
    BOOL_KEY("scale_scores", "attention scores are divided by the root of a head's width"),
    BOOL_KEY("scale_by_layer", "and by the number of the layer, counted from 1"),
    BOOL_KEY("tied_head", "the head of a language model is the token table"),
    INT_KEY("num_labels", 1, 1e6, "n, classes of a sequence"),
    TOKEN_KEY("pad_token", "stands behind (or before) the tokens of a sequence to be classified"),
    TOKEN_KEY("bos_token", "stands before a text"),
    TOKEN_KEY("eos_token", "ends a text"),
    TRAINING_KEY("embedding_dropout", 1, "training: of embeddings"),
    TRAINING_KEY("attention_dropout", 1, "training: of attention weights"),
    TRAINING_KEY("hidden_dropout", 1, "training: of sublayer outputs"),
    TRAINING_KEY("init_std", 1e6, "training: deviation of fresh weights"),
    {.name = NULL}};

static const pml_derived_number derived[] = {{"is_language_model", "head == 'language_model'"},
                                             {"is_tied", "is_language_model && tied_head"},
                                             {"has_classifier", "head == 'sequence_classification'"},
                                             {NULL, NULL}};

static const pml_config_constraint constraints[] = {
    {"d_model % num_attention_heads == 0", "d_model must be a multiple of num_attention_heads"},
    {"is_language_model || !tied_head", "tied_head must be false unless head is language_model"},
    {"pad_token < vocab_size && bos_token < vocab_size && eos_token < vocab_size",
     "pad_token, bos_token and eos_token must be below vocab_size"},
    {NULL, NULL}};

#define LAYER(suffix) "decoder.layer.{l}." suffix
#define LAYER_LINEAR(part, in, out)                                                                                    \
    {LAYER(part ".weight"), PML_ROLE_MATRIX, in ", " out, "num_hidden_layers", NULL}, {                                \
        LAYER(part ".bias"), PML_ROLE_VECTOR, out, "num_hidden_layers", "has_bias"                                     \
    }
#define LAYER_NORM(part)                                                                                               \
    {LAYER(part ".weight"), PML_ROLE_VECTOR, "d_model", "num_hidden_layers", NULL}, {                                  \
        LAYER(part ".bias"), PML_ROLE_VECTOR, "d_model", "num_hidden_layers", "has_bias"                               \
    }

static const pml_weight_spec weights[] = {
    {"embedding.token.weight", PML_ROLE_EMBEDDING, "vocab_size, d_model", NULL, "!is_tied"},
    {"embedding.token.weight", PML_ROLE_MATRIX, "d_model, vocab_size", NULL, "is_tied"}, /* read both ways */
    {"embedding.position.weight", PML_ROLE_TABLE, "max_positions, d_model", NULL, NULL},
    LAYER_NORM("norm1"),
    LAYER_LINEAR("attention.q", "d_model", "d_model"),
    LAYER_LINEAR("attention.k", "d_model", "d_model"),
    LAYER_LINEAR("attention.v", "d_model", "d_model"),
    LAYER_LINEAR("attention.out", "d_model", "d_model"),
    LAYER_NORM("norm2"),
    LAYER_LINEAR("ffn.up", "d_model", "ffn_dim"),
    LAYER_LINEAR("ffn.down", "ffn_dim", "d_model"),
    {"decoder.norm.weight", PML_ROLE_VECTOR, "d_model", NULL, NULL},
    {"decoder.norm.bias", PML_ROLE_VECTOR, "d_model", NULL, "has_bias"},
    {"head.weight", PML_ROLE_MATRIX, "d_model, vocab_size", NULL, "is_language_model && !tied_head"},
    {"classifier.weight", PML_ROLE_MATRIX, "d_model, num_labels", NULL, "has_classifier"},
    {NULL, 0, NULL, NULL, NULL}};

static const pml_port_spec inputs[] = {
    {"input_ids", "B, T", false, NULL, "tokens"},
    {"attention_mask", "B, T", true, NULL, "1 a token, 0 padding; without it every token counts"},
    {NULL, NULL, false, NULL, NULL}};

static const pml_index_spec indexes[] = {{"input_ids", "vocab_size"}, {"attention_mask", "2"}, {NULL, NULL}};

static const pml_port_spec outputs[] = {
    {"last_hidden_state", "B, T, d_model", false, NULL, "decoder output; 0 where there is padding, as in every [B, T]"},
    {"logits", "B, T, vocab_size", false, "is_language_model", "scores of the token that follows"},
    {"logits", "B, num_labels", false, "has_classifier", "scores of labels"},
    {NULL, NULL, false, NULL, NULL}};

/* Of a session, where T is the tokens that it has room for. Keys lie in panels of 16 tokens (runtime/ops/kv_cache.h).
 */
#define OF_HEADS "B, num_hidden_layers, num_attention_heads, T, d_model / num_attention_heads"
static const pml_port_spec state[] = {{"keys", OF_HEADS, false, NULL, "of every token so far"},
                                      {"values", OF_HEADS, false, NULL, "likewise"},
                                      {NULL, NULL, false, NULL, NULL}};

#define NORMAL "normal:std={init_std}"
static const pml_fresh_spec fresh = {
    .dialect = "hf",
    .keys = (const pml_fresh_key[]){{"head", "language_model", NULL},
                                    {"vocab_size", "@tokenizer", NULL},
                                    {"max_positions", "1024", NULL},
                                    {"num_hidden_layers", "4", NULL},
                                    {"d_model", "256", NULL},
                                    {"num_attention_heads", "4", NULL},
                                    {"ffn_dim", "4 * d_model", NULL},
                                    {"activation", "gelu_tanh", NULL},
                                    {"norm_eps", "0.00001", NULL},
                                    {"has_bias", "1", NULL},
                                    {"scale_scores", "1", NULL},
                                    {"scale_by_layer", "0", NULL},
                                    {"tied_head", "is_language_model", NULL},
                                    {"num_labels", "@labels", NULL},
                                    {"num_labels", "2", NULL},
                                    {"pad_token", "@tokenizer", NULL},
                                    {"bos_token", "@tokenizer", NULL},
                                    {"eos_token", "@tokenizer", NULL},
                                    {"embedding_dropout", "0.1", NULL},
                                    {"attention_dropout", "0.1", NULL},
                                    {"hidden_dropout", "0.1", NULL},
                                    {"init_std", "0.02", NULL},
                                    {NULL, NULL, NULL}},
    .weights = (const pml_fresh_weight[]){{"*norm*", NULL, NULL, NULL},
                                          /* The residual's variance does not grow with the layers. */
                                          {"*.attention.out.weight", NULL, NORMAL, "2 * num_hidden_layers"},
                                          {"*.ffn.down.weight", NULL, NORMAL, "2 * num_hidden_layers"},
                                          {"*.weight", NULL, NORMAL, NULL},
                                          {"*.bias", NULL, "zeros", NULL},
                                          {NULL, NULL, NULL, NULL}},
    .has_tokens = true};

extern const pml_schema pml_schema_gpt2;
const pml_schema pml_schema_gpt2 = {
    .name = "gpt2",
    .architecture = "GPT-2: transformer decoder over byte-pair tokens, for generating and classifying text",
    .variants = variants,
    .known_repos = known_repos,
    .config = config,
    .constraints = constraints,
    .weights = weights,
    .inputs = inputs,
    .outputs = outputs,
    .forecast = NULL,
    .state = state,
    .derived = derived,
    .indexes = indexes,
    .fresh = &fresh,
};
