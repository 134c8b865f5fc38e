/* The parts of the PatchTST mapper: mappers/patchtst.c holds the rules and the detection, mappers/patchtst_config.c the
 * configuration. */
#ifndef PML_MAPPERS_PATCHTST_PARTS_H
#define PML_MAPPERS_PATCHTST_PARTS_H

#include "mappers/mapper.h"

/* The `config` slot of the dialect "hf". */
pml_status pml_patchtst_config_hf(const pml_map_source *source, pml_detection *detection, pml_metadata *config,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
