/* Hugging Face's configuration of PatchTST, for mappers/patchtst.c, which holds the rules and the detection. */
#ifndef PML_MAPPERS_PATCHTST_PATCHTST_CONFIG_H
#define PML_MAPPERS_PATCHTST_PATCHTST_CONFIG_H

#include "mappers/mapper.h"

/* The `config` slot of the dialect "hf". */
pml_status pml_patchtst_config_hf(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
