/* The arguments of the research code bases, for mappers/patchtst/patchtst_research.c. */
#ifndef PML_MAPPERS_PATCHTST_PATCHTST_ARGUMENTS_H
#define PML_MAPPERS_PATCHTST_PATCHTST_ARGUMENTS_H

#include "mappers/config.h"

typedef struct pml_patchtst_arguments {
    const char *dialect;
    const pml_config_rule *rules; /* ends with a NULL key */
    size_t n_rules;               /* that one included */
    bool has_settings;            /* runs are named by their arguments */
} pml_patchtst_arguments;

/* The rules of each, for patchtst_dialects.c. */
extern const pml_config_rule pml_patchtst_keys_supervised[], pml_patchtst_keys_self_supervised[],
    pml_patchtst_keys_library[], pml_patchtst_keys_forecasting[];

/* `dialect` is one of them. */
const pml_patchtst_arguments *pml_patchtst_arguments_of(const char *dialect);

/* For the tables: flags that count only with scaling; scaling from a flag; the kernel only where there are two
 * networks. */
pml_status pml_patchtst_derive_of_scaling(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                          pml_error *error);
pml_status pml_patchtst_derive_scaling(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                       pml_error *error);
pml_status pml_patchtst_derive_kernel(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error);

#endif
