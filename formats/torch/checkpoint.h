/* From the values of a checkpoint to tensors by name: where in it the weights are, and the plain settings beside them.
 */
#ifndef PML_FORMATS_TORCH_CHECKPOINT_H
#define PML_FORMATS_TORCH_CHECKPOINT_H

#include "formats/torch/container.h"

/* What a tensor that must be made is made from; kept by the source for `read`. */
typedef struct pml_torch_made {
    pml_torch_view view;
    pml_torch_place place;
    unsigned i_file;
} pml_torch_made;

typedef struct pml_torch_state {      /* of a source; all zero = empty, safe to deinit */
    pml_torch_container **containers; /* by file */
    size_t n_containers, container_capacity;
    pml_names names; /* of the made tensors: index into made */
    pml_torch_made *made;
    size_t made_capacity;
} pml_torch_state;

/* Opens file `i_file` of a source of this format, the next after those that are open: what torch.c does with every
 * file, here for tests that have no file on a disk. Errors: FORMAT, UNSUPPORTED, MEMORY. */
pml_status pml_torch_file_open(pml_source *source, size_t i_file, pml_error *error) PML_WARN_UNUSED;

/* Adds the tensors and the plain settings of the container that file `i_file` is. Errors: FORMAT, UNSUPPORTED (no dict
 * of tensors, or an unknown global on the way to one), MEMORY. */
pml_status pml_torch_checkpoint_take(pml_source *source, size_t i_file, pml_torch_container *container,
                                     pml_torch_state *state, pml_error *error) PML_WARN_UNUSED;

/* Adds `dict`, a DICT or an object with items, as an attribute in JSON as far as it is plain: numbers, text, truth
 * values, None, and lists, tuples and dicts of these. Nothing is added when nothing is plain. Errors: MEMORY, IO. */
pml_status pml_torch_settings_add(pml_source *source, const pml_pickle *pickle, const char *key, uint32_t dict,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
