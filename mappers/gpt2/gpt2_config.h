/* How the code bases of GPT-2 write its configuration, for mappers/gpt2.c, which holds the rules and the detection. */
#ifndef PML_MAPPERS_GPT2_GPT2_CONFIG_H
#define PML_MAPPERS_GPT2_GPT2_CONFIG_H

#include "mappers/config.h"

#define PML_GPT2_HF "hf"           /* Hugging Face: Conv1D, weights [in,out] */
#define PML_GPT2_NANOGPT "nanogpt" /* nanoGPT: the same names over torch's Linear, weights [out,in] */
#define PML_GPT2_OPENAI "openai"   /* the first code: variables of a TensorFlow checkpoint */

/* Of each dialect; they end with a NULL key. */
extern const pml_config_rule pml_gpt2_hf_keys[], pml_gpt2_nanogpt_keys[], pml_gpt2_openai_keys[];

/* The `config` slot: "config.*", and "text.*" for whoever works with words. */
pml_status pml_gpt2_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                           pml_error *error) PML_WARN_UNUSED;

#endif
