/* Mixtures that differ from value to value. */
#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/signal.h"

static const pml_op op = {.name = "weigh"};

pml_status pml_op_weigh(pml_context *context, const pml_tensor *parts, size_t n_parts, const pml_tensor *scores,
                        pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *inputs[PML_WEIGH_MAX_PARTS + 1];
    PML_OP_REQUIRE(n_parts > 0 && n_parts <= PML_WEIGH_MAX_PARTS, "weigh: %zu parts, at most %u are possible", n_parts,
                   PML_WEIGH_MAX_PARTS);
    for (size_t k = 0; k < n_parts; k++) {
        PML_OP_REQUIRE(pml_op_is(&parts[k], PML_DTYPE_F32) && pml_op_same_shape(&parts[k], &parts[0]),
                       "weigh: the parts must be F32 of one shape");
        inputs[k] = &parts[k];
    }
    inputs[n_parts] = scores;
    const size_t count = pml_tensor_count(&parts[0]);
    PML_OP_REQUIRE(pml_op_is(scores, PML_DTYPE_F32) && scores->rank == 2 && scores->shape[0] == count &&
                       scores->shape[1] == n_parts,
                   "weigh: scores must be F32 [%zu, %zu]", count, n_parts);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, parts[0].shape, parts[0].rank, y, error));
    for (size_t i = 0; i < count; i++) {
        const float *score = pml_tensor_f32_const(scores) + i * n_parts;
        double total = 0, sum = 0;
        float greatest = score[0];
        for (size_t k = 1; k < n_parts; k++) {
            greatest = score[k] > greatest ? score[k] : greatest;
        }
        for (size_t k = 0; k < n_parts; k++) {
            const double weight = exp((double)score[k] - (double)greatest);
            total += weight;
            sum += weight * (double)pml_tensor_f32_const(&parts[k])[i];
        }
        pml_tensor_f32(y)[i] = (float)(sum / total);
    }
    PML_TRY(pml_tape_record(context->tape, &op, NULL, inputs, n_parts + 1, y, error));

done:
    return status;
}
