/* The mean of several convolutions of one image, as one: sums of same-padded kernels are a kernel. */
#ifndef PML_RUNTIME_MODELS_TIMESNET_MERGED_KERNELS_H
#define PML_RUNTIME_MODELS_TIMESNET_MERGED_KERNELS_H

#include "runtime/models/layers.h"

/* Kernels 0 .. n_kernels - 1 of 1, 3, 5, … taps, [taps, taps * in, out] each, as `merged` of the last one's taps, kept
 * as long as the model. Weights that may change, that are not F32, or that would take more than *room_bytes (which
 * shrinks by what is taken) are left alone: *is_merged says so. Errors: MEMORY. */
pml_status pml_kernels_merge(pml_model *model, const pml_linear *kernels, size_t n_kernels, size_t *room_bytes,
                             pml_linear *merged, bool *is_merged, pml_error *error) PML_WARN_UNUSED;

/* The same for this step alone, by recorded ops: of weights that are learned. Others than F32 rows are left alone.
 * Errors: MEMORY. */
pml_status pml_kernels_merge_step(pml_context *context, const pml_linear *kernels, size_t n_kernels, pml_linear *merged,
                                  bool *is_merged, pml_error *error) PML_WARN_UNUSED;
/* Workspace that it takes. */
size_t pml_kernels_merge_bytes(size_t n_kernels, size_t n_in, size_t n_out);

#endif
