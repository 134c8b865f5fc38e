/* What a series' spectrum says about its periods, and mixtures by it. */
#include <math.h>

#include "runtime/ops/inception.h"
#include "runtime/ops/op.h"

static const pml_op op_amplitudes = {.name = "amplitudes"};
static const pml_op op_pick = {.name = "pick"};
static const pml_op op_add_share = {.name = "add_share"};

pml_status pml_op_amplitudes(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] % 2 == 0 && x->shape[2] > 0,
                   "amplitudes: x must be F32 [B, 2 M, D]");
    const size_t n_modes = x->shape[1] / 2, n_columns = x->shape[2];
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], n_modes}, 2, y, error));
    for (size_t i = 0, n = x->shape[0] * n_modes; i < n; i++) {
        const float *real = pml_tensor_f32_const(x) + (i / n_modes * 2 * n_modes + i % n_modes) * n_columns;
        const float *imaginary = real + n_modes * n_columns;
        double sum = 0;
        for (size_t c = 0; c < n_columns; c++) {
            sum += sqrt((double)real[c] * (double)real[c] + (double)imaginary[c] * (double)imaginary[c]);
        }
        pml_tensor_f32(y)[i] = (float)(sum / (double)n_columns);
    }
    PML_TRY(pml_tape_record(context->tape, &op_amplitudes, NULL, (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* Of frequency f over all samples; not a number: less than any other. */
static double mean_at(const pml_tensor *amplitudes, size_t f) {
    double sum = 0;
    for (size_t b = 0; b < amplitudes->shape[0]; b++) {
        sum += (double)pml_tensor_f32_const(amplitudes)[b * amplitudes->shape[1] + f];
    }
    return isnan(sum) ? -1 : sum;
}

void pml_amplitudes_greatest(const pml_tensor *amplitudes, size_t count, size_t *frequencies) {
    double last = INFINITY;
    size_t last_f = 0;
    for (size_t k = 0; k < count; k++) { /* the greatest behind the last one, by amplitude and then by frequency */
        double greatest = -2;
        for (size_t f = 1; f < amplitudes->shape[1]; f++) {
            const double mean = mean_at(amplitudes, f);
            if (mean > greatest && (mean < last || (mean == last && f > last_f))) {
                greatest = mean;
                frequencies[k] = f;
            }
        }
        last = greatest;
        last_f = frequencies[k];
    }
}

pml_status pml_op_pick(pml_context *context, const pml_tensor *x, const size_t *picked, size_t n_picked, pml_tensor *y,
                       pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1, "pick: x must be F32 with columns");
    const size_t n_columns = pml_tensor_columns(x), n_rows = pml_tensor_rows(x);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = n_picked;
    for (size_t i = 0; i < n_picked; i++) {
        PML_OP_REQUIRE(picked[i] < n_columns, "pick: there is no column %zu of %zu", picked[i], n_columns);
    }
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    for (size_t row = 0; row < n_rows; row++) {
        for (size_t i = 0; i < n_picked; i++) {
            pml_tensor_f32(y)[row * n_picked + i] = pml_tensor_f32_const(x)[row * n_columns + picked[i]];
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_pick, NULL, (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

static double share_of(const float *scores, size_t n, size_t i) {
    double total = 0;
    for (size_t k = 0; k < n; k++) {
        total += exp((double)scores[k] - (double)scores[i]);
    }
    return 1 / total;
}

pml_status pml_op_add_share(pml_context *context, const pml_tensor *x, const pml_tensor *part, const pml_tensor *scores,
                            size_t i_part, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && pml_op_is(part, PML_DTYPE_F32) && part->rank == 3 &&
                       part->shape[0] == x->shape[0] && part->shape[1] >= x->shape[1] && part->shape[2] == x->shape[2],
                   "add_share: x must be F32 [B, T, D] and the part [B, T or more, D]");
    PML_OP_REQUIRE(pml_op_is(scores, PML_DTYPE_F32) && scores->rank == 2 && scores->shape[0] == x->shape[0] &&
                       i_part < scores->shape[1],
                   "add_share: scores must be F32 [B, K] with K > %zu", i_part);
    const size_t count = x->shape[1] * x->shape[2], n_scores = scores->shape[1];
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, 3, y, error));
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *from = pml_tensor_f32_const(x) + b * count;
        const float *more = pml_tensor_f32_const(part) + b * part->shape[1] * part->shape[2];
        float *to = pml_tensor_f32(y) + b * count;
        const float share = (float)share_of(pml_tensor_f32_const(scores) + b * n_scores, n_scores, i_part);
        for (size_t i = 0; i < count; i++) {
            to[i] = from[i] + share * more[i];
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_add_share, &(pml_op_attributes){.integer = {(int64_t)i_part}},
                            (const pml_tensor *const[]){x, part, scores}, 3, y, error));

done:
    return status;
}
