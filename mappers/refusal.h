/* What is refused by name before any family is asked: sources that are already quantized, and look-alikes. */
#ifndef PML_MAPPERS_REFUSAL_H
#define PML_MAPPERS_REFUSAL_H

#include "mappers/mapper.h"

/* "model_type" of the config; NULL: absent. */
const char *pml_map_model_type(const pml_map_source *source);

/* What the config says it is of: "model_type", or where there is neither that nor "architectures", the "model" of
 * research code. `*key` is which. NULL: nothing. */
const char *pml_map_claim(const pml_map_source *source, const char **key);

/* UNSUPPORTED, naming scheme and tensor, when weights are stored quantized (bitsandbytes, GPTQ, AWQ, block FP8) or as
 * types that are never converted (FP8 and smaller). */
pml_status pml_map_check_quantized(const pml_map_source *source, pml_error *error) PML_WARN_UNUSED;

/* UNSUPPORTED when the config names something that a family refuses (pml_map_refusal), or the container says that it is
 * of a class that none takes (pml_mapper.class_attribute). */
pml_status pml_map_check_refused(const pml_mapper *const *mappers, const pml_map_source *source,
                                 pml_error *error) PML_WARN_UNUSED;

#endif
