/* Several convolutions of one image as one: kernels of fewer taps lie in the middle of those of more. */
#include "runtime/ops/inception.h"
#include "runtime/ops/op.h"

/* Where the taps row dy of a kernel begins in a result of more taps; both are as long as the kernel's row. */
static size_t begin_of(const pml_tensor *kernel, const pml_tensor *merged, size_t dy) {
    const size_t reach = (merged->shape[0] - kernel->shape[0]) / 2;
    const size_t n_in = merged->shape[1] / merged->shape[0];
    return ((dy + reach) * merged->shape[1] + reach * n_in) * merged->shape[2];
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const float *g = pml_gradient_out(gradients, entry), factor = (float)entry->attributes.real;
    (void)context;
    for (size_t k = 0; k < entry->n_inputs; k++) {
        const pml_tensor *kernel = &entry->inputs[k];
        const size_t row = kernel->shape[1] * kernel->shape[2];
        float *to;
        PML_TRY(pml_gradient_of(gradients, kernel, &to, error));
        for (size_t dy = 0; to != NULL && dy < kernel->shape[0]; dy++) {
            const float *from = g + begin_of(kernel, &entry->output, dy);
            for (size_t i = 0; i < row; i++) {
                to[dy * row + i] += factor * from[i];
            }
        }
    }

done:
    return status;
}

static const pml_op op = {.name = "merge_taps", .backward = backward};

pml_status pml_op_merge_taps(pml_context *context, const pml_tensor *const *kernels, size_t n_kernels, double factor,
                             pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(n_kernels > 0 && n_kernels <= PML_MERGE_MAX_KERNELS, "merge_taps: 1 to %u kernels, not %zu",
                   PML_MERGE_MAX_KERNELS, n_kernels);
    const pml_tensor *greatest = kernels[0];
    for (size_t k = 0; k < n_kernels; k++) {
        PML_OP_REQUIRE(pml_op_is(kernels[k], PML_DTYPE_F32) && kernels[k]->rank == 3 && kernels[k]->shape[0] % 2 == 1 &&
                           kernels[k]->shape[1] % kernels[k]->shape[0] == 0,
                       "merge_taps: kernels must be F32 [taps, taps * in, out] with odd taps");
        greatest = kernels[k]->shape[0] > greatest->shape[0] ? kernels[k] : greatest;
    }
    for (size_t k = 0; k < n_kernels; k++) {
        PML_OP_REQUIRE(kernels[k]->shape[2] == greatest->shape[2] &&
                           kernels[k]->shape[1] / kernels[k]->shape[0] == greatest->shape[1] / greatest->shape[0],
                       "merge_taps: kernels of different channels");
    }
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, greatest->shape, 3, y, error));
    memset(pml_tensor_f32(y), 0, pml_tensor_count(y) * sizeof(float));
    for (size_t k = 0; k < n_kernels; k++) {
        const size_t row = kernels[k]->shape[1] * kernels[k]->shape[2];
        for (size_t dy = 0; dy < kernels[k]->shape[0]; dy++) {
            const float *from = pml_tensor_f32_const(kernels[k]) + dy * row;
            float *to = pml_tensor_f32(y) + begin_of(kernels[k], y, dy);
            for (size_t i = 0; i < row; i++) {
                to[i] += (float)factor * from[i];
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.real = factor}, kernels, n_kernels, y, error));

done:
    return status;
}
