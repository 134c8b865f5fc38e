/* What checkpoints of TensorFlow mean otherwise than those of PyTorch, for mappers/bert.c and its configuration. */
#ifndef PML_MAPPERS_BERT_BERT_TENSORFLOW_H
#define PML_MAPPERS_BERT_BERT_TENSORFLOW_H

#include "mappers/config.h"
#include "mappers/mapping.h"

#define PML_BERT_HF "hf"                  /* Hugging Face, PyTorch */
#define PML_BERT_GOOGLE "google-research" /* the first code: variables of a checkpoint or a SavedModel */
#define PML_BERT_KERAS "hf-tf"            /* Hugging Face, TensorFlow: tf_model.h5 */

/* A group of tf_model.h5 that repeats tensors of another, for heads share them. */
#define PML_BERT_REPEATED "mlm___cls/{*}/bert/embeddings/*"

/* Every repeated tensor must hold the bytes of the first. Errors: FORMAT, those of pml_source_tensor_view. */
pml_status pml_bert_check_repeated(const pml_map_source *source, const pml_facts *facts,
                                   pml_error *error) PML_WARN_UNUSED;

/* `derive` of the activation: google-research's word "gelu" means the tanh form. What --set says of the canonical key
 * is taken as it is. */
pml_status pml_bert_derive_activation(pml_config_reader *reader, const pml_config_rule *rule, char **text,
                                      pml_error *error) PML_WARN_UNUSED;

#endif
