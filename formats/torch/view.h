/* A tensor of a pickle as numbers: which storage, and where in it each element lies. */
#ifndef PML_FORMATS_TORCH_VIEW_H
#define PML_FORMATS_TORCH_VIEW_H

#include "formats/torch/element.h"
#include "runtime/base/limits.h"

typedef struct pml_torch_storage {
    pml_torch_element element;
    const uint8_t *key; /* not terminated */
    uint32_t key_bytes;
    uint64_t size_bytes; /* as declared */
} pml_torch_storage;

typedef struct pml_torch_view { /* every element lies in the storage's declared bytes */
    pml_torch_storage storage;
    pml_torch_element element;
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    uint64_t strides[PML_MAX_RANK]; /* in elements */
    uint64_t offset_bytes;          /* of the first element in the storage; 0 without elements */
    uint64_t size_bytes;            /* of all elements, one behind the other */
    bool is_contiguous;             /* they lie so in the storage */
} pml_torch_view;

/* Reads a STORAGE. The message does not say whose it is. Errors: FORMAT, UNSUPPORTED. */
pml_status pml_torch_storage_read(const pml_pickle *pickle, uint32_t value, pml_torch_storage *storage,
                                  pml_error *error) PML_WARN_UNUSED;

/* Reads a TENSOR. The message does not say which it is. Errors: FORMAT (also a view that reaches out of its storage),
 * UNSUPPORTED (a rank, a conjugate view). */
pml_status pml_torch_view_read(const pml_pickle *pickle, uint32_t value, pml_torch_view *view,
                               pml_error *error) PML_WARN_UNUSED;

/* Copies the elements of `storage`, the bytes that the view is of, into `buffer` one behind the other. */
void pml_torch_view_gather(const pml_torch_view *view, const uint8_t *storage, uint8_t *buffer);

#endif
