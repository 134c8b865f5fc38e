/* Element types of PyTorch, and the few globals that checkpoints need. */
#ifndef PML_FORMATS_TORCH_ELEMENT_H
#define PML_FORMATS_TORCH_ELEMENT_H

#include "formats/torch/pickle.h"
#include "runtime/base/dtype.h"

typedef struct pml_torch_element {
    pml_dtype dtype;
    uint8_t size_bytes;
    bool is_pair; /* two `dtype` (real, imaginary) for which there is no complex dtype */
} pml_torch_element;

/* By the number that a GLOBAL has in `element`; size_bytes 1 and PML_DTYPE_NONE: untyped bytes. */
pml_torch_element pml_torch_element_of(const pml_pickle_value *global);

/* Fills global and element of a GLOBAL from its module and name; unknown ones stay so. */
void pml_torch_global_recognise(const pml_pickle_value *module, pml_pickle_value *global);

#endif
