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

const pml_map_dialect pml_gpt2_dialects[] = {{.name = PML_GPT2_HF,
                                              .keys = pml_gpt2_hf_keys,
                                              .written = hf_lines,
                                              .optional_when = "head != 'none'",
                                              .config_file = "config.json",
                                              .has_labels = true},
                                             {.name = NULL}};
