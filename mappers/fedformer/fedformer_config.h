/* FEDformer: what its tensors do not hold, for mappers/fedformer.c. */
#ifndef PML_MAPPERS_FEDFORMER_FEDFORMER_CONFIG_H
#define PML_MAPPERS_FEDFORMER_FEDFORMER_CONFIG_H

#include "mappers/research.h"

/* The file of --modes-index among pml_map_source.sides. */
#define PML_MODES_INDEX "modes-index"

/* "fed.seed" and what else --set may name. */
extern const char *const pml_fedformer_other_keys[];

/* moving_avg is a number or a list of them; cross_activation reaches wavelets alone. */
pml_status pml_fedformer_derive_kernels(pml_config_reader *reader, const pml_config_rule *rule, char **text,
                                        pml_error *error);
pml_status pml_fedformer_derive_activation(pml_config_reader *reader, const pml_config_rule *rule, char **text,
                                           pml_error *error);

/* Which frequencies: of --modes-index, the lowest, or drawn from --set fed.seed. That the layers of a stack share their
 * blocks, bit for bit. Errors: CONFIG (nothing says which), FORMAT (blocks that differ, an index that does not fit). */
pml_status pml_fedformer_complete(pml_config_reader *reader, pml_error *error);

#endif
