#include "mappers/gpt2/gpt2_dialects.h"

#include "mappers/gpt2/gpt2_config.h"

#define TOKEN(source, key)                                                                                             \
    {source, "null", key " < 0"}, {                                                                                    \
        source, "{" key "}", NULL                                                                                      \
    }

static const pml_map_written hf_lines[] = {{"model_type", "\"gpt2\"", NULL},
                                           {"dtype", "\"float32\"", NULL},
                                           {"tie_word_embeddings", "true", "tied_head || !is_language_model"},
                                           {"tie_word_embeddings", "false", NULL},
                                           TOKEN("pad_token_id", "pad_token"),
                                           TOKEN("bos_token_id", "bos_token"), /* absent would mean 50256 */
                                           TOKEN("eos_token_id", "eos_token"),
                                           {NULL, NULL, NULL}};

/* Its class has the head under a name of its own, even where both are one parameter. */
static const pml_map_foreign nanogpt_tensors[] = {
    {.pattern = "lm_head.weight", .beside = "embedding.token.weight", .when = "is_tied"}, {.pattern = NULL}};

#define OF_LAYER(name) "model/h{l}/" name
static const pml_map_foreign openai_tensors[] = {
    {.pattern = OF_LAYER("attn/c_attn/w"), .shape = "1, d_model, 3 * d_model"},
    {.pattern = OF_LAYER("attn/c_proj/w"), .shape = "1, d_model, d_model"},
    {.pattern = OF_LAYER("mlp/c_fc/w"), .shape = "1, d_model, ffn_dim"},
    {.pattern = OF_LAYER("mlp/c_proj/w"), .shape = "1, ffn_dim, d_model"},
    {.pattern = NULL}};

const pml_map_dialect pml_gpt2_dialects[] = {
    {.name = PML_GPT2_HF,
     .keys = pml_gpt2_hf_keys,
     .written = hf_lines,
     .optional_when = "head != 'none'",
     .config_file = "config.json",
     .has_labels = true},
    {.name = PML_GPT2_NANOGPT,
     .keys = pml_gpt2_nanogpt_keys,
     .tensors = nanogpt_tensors,
     .optional_when = "1",
     .config_file = "config.json"},
    {.name = PML_GPT2_OPENAI, .keys = pml_gpt2_openai_keys, .tensors = openai_tensors, .config_file = "hparams.json"},
    {.name = NULL}};
