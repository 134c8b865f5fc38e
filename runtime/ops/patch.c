/* Cuts windows into patches, and overwrites masked ones. */
#include "runtime/ops/op.h"

static const pml_op op_patchify = {.name = "patchify"};
static const pml_op op_patch_mask = {.name = "patch_mask"};

pml_status pml_op_patchify(pml_context *context, const pml_tensor *x, size_t patch_length, size_t stride, pml_tensor *y,
                           pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3, "patchify: x must be F32 [B, T, C]");
    size_t n_batch = x->shape[0], n_steps = x->shape[1], n_channels = x->shape[2];
    PML_OP_REQUIRE(patch_length > 0 && stride > 0 && patch_length <= n_steps,
                   "patchify: patches of %zu steps do not fit into %zu", patch_length, n_steps);
    size_t n_patches = (n_steps - patch_length) / stride + 1, skipped = (n_steps - patch_length) % stride;
    const size_t shape[] = {n_batch, n_channels, n_patches, patch_length};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, y, error));
    float *to = pml_tensor_f32(y);
    for (size_t b = 0; b < n_batch; b++) {
        for (size_t c = 0; c < n_channels; c++) {
            const float *series = pml_tensor_f32_const(x) + (b * n_steps + skipped) * n_channels + c;
            for (size_t n = 0; n < n_patches; n++, series += stride * n_channels) {
                for (size_t p = 0; p < patch_length; p++) {
                    *to++ = series[p * n_channels];
                }
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_patchify,
                            &(pml_op_attributes){.integer = {(int64_t)patch_length, (int64_t)stride}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_patch_mask(pml_context *context, const pml_tensor *x, const pml_tensor *mask, float value,
                             pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && pml_op_is(mask, PML_DTYPE_F32) && x->rank == mask->rank + 1 &&
                       memcmp(x->shape, mask->shape, mask->rank * sizeof mask->shape[0]) == 0,
                   "patch_mask: the mask must have the shape of x without its last axis");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    size_t n_patches = pml_tensor_count(mask), patch_length = pml_tensor_columns(x);
    const float *from = pml_tensor_f32_const(x), *is_masked = pml_tensor_f32_const(mask);
    float *to = pml_tensor_f32(y);
    for (size_t n = 0; n < n_patches; n++, from += patch_length, to += patch_length) {
        for (size_t p = 0; p < patch_length; p++) {
            to[p] = is_masked[n] != 0 ? value : from[p];
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_patch_mask, &(pml_op_attributes){.real = (double)value},
                            (const pml_tensor *const[]){x, mask}, 2, y, error));

done:
    return status;
}
