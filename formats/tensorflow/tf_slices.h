/* Tensors that are stored in slices: variables that a partitioner divided among servers. */
#ifndef PML_FORMATS_TENSORFLOW_TF_SLICES_H
#define PML_FORMATS_TENSORFLOW_TF_SLICES_H

#include "formats/tensorflow/tf_bundle.h"

typedef struct pml_tf_slice {
    pml_tf_entry *entry;
    uint64_t first, count; /* positions along the divided axis */
} pml_tf_slice;

typedef struct pml_tf_division { /* all zero = nothing, safe to deinit */
    pml_tf_slice *items;         /* ascending, without gap or overlap */
    size_t count, capacity;
    unsigned axis;
} pml_tf_division;

/* How the tensor is divided: along one axis, as TensorFlow's partitioners do. Marks its slices as claimed. Errors:
 * FORMAT (slices that overlap, leave a gap, are missing or have another shape or type), UNSUPPORTED (divided along two
 * axes), MEMORY. */
pml_status pml_tf_division_read(const pml_tf_bundle *bundle, const pml_tf_entry *entry, pml_tf_division *division,
                                pml_error *error) PML_WARN_UNUSED;
void pml_tf_division_deinit(pml_tf_division *division);

#endif
