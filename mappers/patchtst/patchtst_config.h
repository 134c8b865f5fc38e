/* The configurations of PatchTST, for mappers/patchtst.c, which holds the rules and the detection. */
#ifndef PML_MAPPERS_PATCHTST_PATCHTST_CONFIG_H
#define PML_MAPPERS_PATCHTST_PATCHTST_CONFIG_H

#include "mappers/config.h"

/* How PatchTSTConfig is read; ends with a NULL key. */
extern const pml_config_rule pml_patchtst_keys_hf[];

/* The `config` slot of the dialect "hf". */
pml_status pml_patchtst_config_hf(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                                  pml_error *error) PML_WARN_UNUSED;

/* The same for "official-supervised", "official-self-supervised", "tsl" and "neuralforecast". */
pml_status pml_patchtst_config_research(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                                        pml_error *error);
#endif
