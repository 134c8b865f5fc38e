/* Cuts windows into patches, and overwrites masked ones. */
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

typedef struct cut {
    size_t n_steps, n_channels, patch_length, stride, n_patches;
    bool is_back;      /* from a gradient of patches into that of the series */
    const float *from; /* [B][T][C], or [B][C][N][P] */
    float *to;         /* the other one; gradients are added to */
} cut;

/* Items are samples. */
static void cut_samples(void *user, size_t begin, size_t end) {
    const cut *job = user;
    const size_t n_channels = job->n_channels, skipped = (job->n_steps - job->patch_length) % job->stride;
    size_t patch = begin * n_channels * job->n_patches * job->patch_length;
    for (size_t b = begin; b < end; b++) {
        for (size_t c = 0; c < n_channels; c++) {
            size_t at = (b * job->n_steps + skipped) * n_channels + c;
            for (size_t n = 0; n < job->n_patches; n++, at += job->stride * n_channels, patch += job->patch_length) {
                if (job->is_back) {
                    for (size_t p = 0; p < job->patch_length; p++) {
                        job->to[at + p * n_channels] += job->from[patch + p];
                    }
                    continue;
                }
                for (size_t p = 0; p < job->patch_length; p++) {
                    job->to[patch + p] = job->from[at + p * n_channels];
                }
            }
        }
    }
}

static void cut_all(pml_context *context, const pml_tensor *x, const pml_tensor *y, cut *job) {
    job->n_steps = x->shape[1];
    job->n_channels = x->shape[2];
    job->n_patches = y->shape[2];
    job->patch_length = y->shape[3];
    pml_context_ranges(context, x->shape[0], 1, PML_COST_VALUES(pml_tensor_count(y)), cut_samples, job);
}

static pml_status patchify_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                    pml_error *error) {
    pml_status status = PML_OK;
    cut job = {
        .stride = (size_t)entry->attributes.integer[1], .is_back = true, .from = pml_gradient_out(gradients, entry)};
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[0], &job.to, error));
    if (job.to != NULL) {
        cut_all(context, &entry->inputs[0], &entry->output, &job);
    }

done:
    return status;
}

static const pml_op op_patchify = {.name = "patchify", .backward = patchify_backward};

static pml_status patch_mask_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                      pml_error *error) {
    (void)context;
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0];
    const float *g = pml_gradient_out(gradients, entry), *is_masked = pml_tensor_f32_const(&entry->inputs[1]);
    const size_t n_patches = pml_tensor_count(&entry->inputs[1]), patch_length = pml_tensor_columns(x);
    float *dx;
    PML_TRY(pml_gradient_of(gradients, x, &dx, error));
    for (size_t n = 0; dx != NULL && n < n_patches; n++) {
        for (size_t at = n * patch_length; is_masked[n] == 0 && at < (n + 1) * patch_length; at++) {
            dx[at] += g[at];
        }
    }

done:
    return status;
}

static const pml_op op_patch_mask = {.name = "patch_mask", .backward = patch_mask_backward};

pml_status pml_op_patchify(pml_context *context, const pml_tensor *x, size_t patch_length, size_t stride, pml_tensor *y,
                           pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3, "patchify: x must be F32 [B, T, C]");
    size_t n_batch = x->shape[0], n_steps = x->shape[1], n_channels = x->shape[2];
    PML_OP_REQUIRE(patch_length > 0 && stride > 0 && patch_length <= n_steps,
                   "patchify: patches of %zu steps do not fit into %zu", patch_length, n_steps);
    size_t n_patches = (n_steps - patch_length) / stride + 1;
    const size_t shape[] = {n_batch, n_channels, n_patches, patch_length};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, y, error));
    cut job = {.stride = stride, .from = pml_tensor_f32_const(x), .to = pml_tensor_f32(y)};
    cut_all(context, x, y, &job);
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
