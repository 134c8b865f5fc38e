/* A mapping run backwards: which tensors a model has in a dialect, and which weights fill them.
 *
 * Nothing here is of one family: names and shapes come from the rules and from mappers/dialect.h. */
#ifndef PML_MAPPERS_REVERSE_H
#define PML_MAPPERS_REVERSE_H

#include "mappers/dialect.h"
#include "mappers/transform.h"
#include "runtime/base/arena.h"
#include "runtime/base/names.h"

typedef struct pml_reverse_part { /* a weight, or an index of its leading axis, that fills a tensor or a slice of it */
    const pml_weight_instance *weight;
    const pml_map_rule *rule;
    bool is_stacked;
    uint64_t i_stack;
} pml_reverse_part;

typedef struct pml_reverse_tensor {
    const char *name;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    pml_map_fill fill; /* of what no part gives */
    pml_dtype dtype;   /* of a tensor without parts; otherwise NONE: what its weights are stored as */
    pml_reverse_part *parts;
    size_t n_parts, parts_capacity;
} pml_reverse_tensor;

typedef struct pml_reverse { /* zero = safe to deinit */
    const pml_map_dialect *dialect;
    const pml_schema *schema;
    const pml_metadata *config; /* borrowed */
    pml_weight_list weights;
    pml_reverse_tensor *tensors; /* distinct names */
    size_t count, capacity;
    pml_names names; /* private, of the tensors in their order */
} pml_reverse;

/* `config` holds the canonical configuration. Errors: UNSUPPORTED (a weight that the dialect has no name for), CONFIG
 * (rules that cannot be run backwards), MEMORY. */
pml_status pml_reverse_create(const pml_mapper *mapper, const pml_map_dialect *dialect, const pml_metadata *config,
                              pml_reverse *reverse, pml_error *error) PML_WARN_UNUSED;
void pml_reverse_deinit(pml_reverse *reverse);

/* How the part's elements lie in its tensor: the weight (without its stacked axis) as a view of the tensor. Errors:
 * CONFIG. */
pml_status pml_reverse_view(const pml_reverse *reverse, const pml_reverse_tensor *tensor, const pml_reverse_part *part,
                            pml_view *view, pml_error *error) PML_WARN_UNUSED;

#endif
