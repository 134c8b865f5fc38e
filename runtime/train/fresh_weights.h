/* What the weights of a fresh model are, one by one. */
#ifndef PML_RUNTIME_TRAIN_FRESH_WEIGHTS_H
#define PML_RUNTIME_TRAIN_FRESH_WEIGHTS_H

#include "runtime/file/layout.h"
#include "runtime/schema/schema.h"

typedef struct pml_fresh_weights pml_fresh_weights;

/* All but `seed` are borrowed. Errors: MEMORY, those of pml_context_init. */
pml_status pml_fresh_weights_create(const pml_schema *schema, const pml_metadata *metadata,
                                    const pml_weight_list *weights, uint64_t seed, pml_fresh_weights **made,
                                    pml_error *error) PML_WARN_UNUSED;
void pml_fresh_weights_destroy(pml_fresh_weights *weights); /* NULL is allowed */

/* Weight i of the list in F32 and in that layout, valid until the next call. Weights that no row of the family's
 * pml_fresh_spec fits begin as those of PyTorch's layers: linear maps and convolutions, and their biases, evenly up to
 * 1 / sqrt(fan_in); embeddings normal; norms 1 and 0, running statistics mean 0 and variance 1.
 * Errors: CONFIG, MEMORY, those of pml_initializer_run. */
pml_status pml_fresh_weights_fill(pml_fresh_weights *weights, size_t i_weight, pml_layout layout, const void **bytes,
                                  size_t *size_bytes, pml_error *error) PML_WARN_UNUSED;

#endif
