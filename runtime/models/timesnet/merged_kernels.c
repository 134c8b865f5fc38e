#include "runtime/models/timesnet/merged_kernels.h"

#include <string.h>

#include "runtime/ops/inception.h"

#define PANEL 16u /* columns of a panel (runtime/file/layout.h) */

/* Where row `row`, column `column` of an F32 matrix of `n_rows` rows lies. */
static size_t place_of(pml_layout layout, size_t n_rows, size_t n_columns, size_t row, size_t column) {
    return layout == PML_LAYOUT_PANEL ? (column / PANEL * n_rows + row) * PANEL + column % PANEL
                                      : row * n_columns + column;
}

static bool can_merge(const pml_model *model, const pml_linear *kernels, size_t n_kernels, size_t size_bytes,
                      size_t room_bytes) {
    bool fits = n_kernels > 1 && !pml_model_is_trainable(model) && size_bytes <= room_bytes;
    for (size_t k = 0; k < n_kernels && fits; k++) {
        fits = kernels[k].weight.dtype == PML_DTYPE_F32;
    }
    return fits;
}

/* The mean of what the kernels have at tap row dy, row `row` = dx * in + c and a column. */
static float mean_at(const pml_linear *kernels, size_t n_kernels, size_t n_in, size_t dy, size_t row, size_t column) {
    const size_t dx = row / n_in;
    double sum = 0;
    for (size_t k = 0; k < n_kernels; k++) {
        const pml_tensor *w = &kernels[k].weight;
        const size_t taps = 2 * k + 1, margin = n_kernels - 1 - k;
        if (dy >= margin && dy < margin + taps && dx >= margin && dx < margin + taps) {
            const float *matrix = pml_tensor_matrix(w, dy - margin);
            sum += (double)matrix[place_of(w->layout, w->shape[1], w->shape[2], row - margin * n_in, column)];
        }
    }
    return (float)(sum / (double)n_kernels);
}

pml_status pml_kernels_merge(pml_model *model, const pml_linear *kernels, size_t n_kernels, size_t *room_bytes,
                             pml_linear *merged, bool *is_merged, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *last = &kernels[n_kernels - 1].weight;
    const size_t taps = last->shape[0], n_rows = last->shape[1], n_columns = last->shape[2];
    const size_t padded = (n_columns + PANEL - 1) / PANEL * PANEL, size_bytes = PML_FLOATS(taps, n_rows, padded);
    *is_merged = can_merge(model, kernels, n_kernels, size_bytes, *room_bytes);
    if (!*is_merged) {
        goto done;
    }
    *room_bytes -= size_bytes;
    PML_TRY(pml_model_table(model, taps * n_rows, padded, &merged->weight, error));
    PML_TRY(pml_model_table(model, 1, n_columns, &merged->bias, error));
    float *w = pml_tensor_f32(&merged->weight), *bias = pml_tensor_f32(&merged->bias);
    memset(w, 0, size_bytes);
    for (size_t dy = 0; dy < taps; dy++) {
        float *matrix = w + dy * n_rows * padded;
        for (size_t row = 0; row < n_rows; row++) {
            for (size_t column = 0; column < n_columns; column++) {
                matrix[place_of(PML_LAYOUT_PANEL, n_rows, n_columns, row, column)] =
                    mean_at(kernels, n_kernels, n_rows / taps, dy, row, column);
            }
        }
    }
    for (size_t column = 0; column < n_columns; column++) {
        double sum = 0;
        for (size_t k = 0; k < n_kernels; k++) {
            sum += (double)pml_tensor_f32_const(&kernels[k].bias)[column];
        }
        bias[column] = (float)(sum / (double)n_kernels);
    }
    merged->weight.layout = PML_LAYOUT_PANEL;
    merged->weight.rank = 3;
    memcpy(merged->weight.shape, last->shape, 3 * sizeof(size_t));
    merged->weight.is_constant = merged->bias.is_constant = true;
    merged->bias.rank = 1;
    merged->bias.shape[0] = n_columns;

done:
    return status;
}

/* ---- for a step ---- */
/* y = the mean of all parts [taps, taps * in, out]: as many at a time as an op takes, with what is merged already. */
static pml_status merge_parts(pml_context *context, const pml_tensor *parts, size_t n_parts, pml_tensor *y,
                              pml_error *error) {
    pml_status status = PML_OK;
    for (size_t k = 0; k < n_parts;) {
        const pml_tensor *some[PML_MERGE_MAX_KERNELS], before = *y;
        size_t n = 0;
        if (k > 0) {
            some[n++] = &before;
        }
        while (n < PML_MERGE_MAX_KERNELS && k < n_parts) {
            some[n++] = &parts[k++];
        }
        PML_TRY(pml_op_merge_taps(context, some, n, k == n_parts ? 1.0 / (double)n_parts : 1, y, error));
    }

done:
    return status;
}

#define MOST_KERNELS 8u
pml_status pml_kernels_merge_step(pml_context *context, const pml_linear *kernels, size_t n_kernels, pml_linear *merged,
                                  bool *is_merged, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor weights[MOST_KERNELS], biases[MOST_KERNELS];
    *is_merged = n_kernels > 1 && n_kernels <= MOST_KERNELS;
    for (size_t k = 0; k < n_kernels && *is_merged; k++) {
        weights[k] = kernels[k].weight;
        biases[k] = kernels[k].bias; /* as a kernel of one tap and one channel */
        biases[k].rank = 3;
        memcpy(biases[k].shape, (const size_t[]){1, 1, kernels[k].bias.shape[0]}, 3 * sizeof(size_t));
        *is_merged = weights[k].dtype == PML_DTYPE_F32 && weights[k].layout == PML_LAYOUT_ROW;
    }
    if (*is_merged) {
        PML_TRY(merge_parts(context, weights, n_kernels, &merged->weight, error));
        PML_TRY(merge_parts(context, biases, n_kernels, &merged->bias, error));
        merged->bias.rank = 1;
        merged->bias.shape[0] = kernels[0].bias.shape[0];
    }

done:
    return status;
}

size_t pml_kernels_merge_bytes(size_t n_kernels, size_t n_in, size_t n_out) {
    const size_t taps = 2 * n_kernels - 1, both = PML_SUM(PML_FLOATS(taps, taps, n_in, n_out), PML_FLOATS(n_out));
    return PML_SUM(both, both); /* what is merged in two ops exists twice */
}
