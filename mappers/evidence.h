/* What tensors say about configuration keys, collected for mappers/config.h from the facts of mappers/mapping.h. */
#ifndef PML_MAPPERS_EVIDENCE_H
#define PML_MAPPERS_EVIDENCE_H

#include "mappers/config.h"
#include "mappers/mapping.h"

#define PML_MAX_EVIDENCE 32u /* a mapper adds each key a fixed number of times */

typedef struct pml_evidence {
    pml_config_evidence items[PML_MAX_EVIDENCE];
    size_t count;
} pml_evidence;

/* `fact` says that `key` is `value`. The item may be marked as soft. */
pml_config_evidence *pml_evidence_add(pml_evidence *evidence, const char *key, const pml_fact *fact, const char *value);
void pml_evidence_add_number(pml_evidence *evidence, const char *key, const pml_fact *fact, uint64_t value);
/* Of the tensor that fills `target`, where it is there and has rank 2: the size of an axis as it lies in the source. */
void pml_evidence_add_axis(pml_evidence *evidence, const pml_facts *facts, const char *key, const char *target,
                           unsigned axis);
/* Of the linear layer that fills `target`, however its weight lies in the source: the number of its outputs. */
void pml_evidence_add_outputs(pml_evidence *evidence, const pml_facts *facts, const char *key, const char *target);
/* That there is no tensor `name` says it. */
void pml_evidence_add_absent(pml_evidence *evidence, const char *key, const char *name, const char *value);
/* One value when `fact` is there, another when there is no tensor `name` (fact NULL). */
void pml_evidence_add_presence(pml_evidence *evidence, const char *key, const pml_fact *fact, const char *present,
                               const char *name, const char *absent);
/* "num_hidden_layers" from the last layer whose weight "<layer>.{l}.attention.q.weight" is there, where `layer` is what
 * the family calls its layers: "encoder.layer". */
void pml_evidence_add_layers(pml_evidence *evidence, const pml_facts *facts, const char *layer);

#endif
