/* Hugging Face's configuration of BERT, for mappers/bert.c, which holds the rules and the detection. */
#ifndef PML_MAPPERS_BERT_BERT_CONFIG_H
#define PML_MAPPERS_BERT_BERT_CONFIG_H

#include "mappers/config.h"

/* How BertConfig is read; ends with a NULL key. */
extern const pml_config_rule pml_bert_keys[];

/* The `config` slot: "config.*", and "text.*" for whoever works with words. */
pml_status pml_bert_config(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                           pml_error *error) PML_WARN_UNUSED;

#endif
