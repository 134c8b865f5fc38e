/* The tensors of a bundle as those of a source, and their bytes. */
#ifndef PML_FORMATS_TENSORFLOW_TF_TENSORS_H
#define PML_FORMATS_TENSORFLOW_TF_TENSORS_H

#include "formats/format.h"
#include "formats/tensorflow/tf_names.h"

typedef struct pml_tf_checkpoint { /* what a source of this format keeps; all zero = empty, safe to deinit */
    pml_tf_bundle bundle;
    pml_tf_names variables; /* of a SavedModel */
    size_t i_first_shard;   /* file of the source that is data file 0 */
    pml_names tensors;      /* the source's, in order of addition */
    uint32_t *i_entries;    /* of each */
    size_t capacity;
} pml_tf_checkpoint;

/* Adds every tensor to the source, whose files hold the data files from i_first_shard on. Texts are left out: no weight
 * is one. Errors: those of pml_source_add_tensor; FORMAT, UNSUPPORTED (other types), MEMORY. */
pml_status pml_tf_tensors_add(pml_tf_checkpoint *checkpoint, pml_source *source, pml_error *error) PML_WARN_UNUSED;
/* Compares the checksum of a tensor's bytes, once. Errors: FORMAT. */
pml_status pml_tf_tensor_check(pml_tf_checkpoint *checkpoint, const pml_source *source, const pml_source_tensor *tensor,
                               pml_error *error) PML_WARN_UNUSED;
/* Joins the slices of a tensor. Errors: FORMAT (a checksum), MEMORY. */
pml_status pml_tf_tensor_join(pml_tf_checkpoint *checkpoint, const pml_source *source, const pml_source_tensor *tensor,
                              void *buffer, pml_error *error) PML_WARN_UNUSED;
void pml_tf_checkpoint_deinit(pml_tf_checkpoint *checkpoint);

#endif
