#include "runtime/ops/fourier.h"

#include <math.h>

#include "runtime/ops/op.h"

static const double two_pi = 6.283185307179586476925286766559;

static const pml_op op_mix_steps = {.name = "mix_steps"};
static const pml_op op_part_modes = {.name = "part_modes"};
static const pml_op op_join_modes = {.name = "join_modes"};
static const pml_op op_turn = {.name = "turn_spectrum"};

/* ---- tables ---- */
/* Angles are reduced as integers, so that their error does not grow with the product. */
static double angle(int64_t mode, size_t step, size_t n_steps) {
    return two_pi * (double)((uint64_t)mode * step % n_steps) / (double)n_steps;
}

void pml_fourier_table(const int64_t *modes, size_t n_modes, size_t n_steps, float *table) {
    for (size_t i = 0; i < n_modes; i++) {
        const bool is_there = (uint64_t)modes[i] <= n_steps / 2;
        for (size_t t = 0; t < n_steps; t++) {
            const double a = angle(modes[i], t, n_steps);
            table[i * n_steps + t] = is_there ? (float)cos(a) : 0;
            table[(n_modes + i) * n_steps + t] = is_there ? (float)-sin(a) : 0;
        }
    }
}

void pml_fourier_inverse_table(const int64_t *bins, size_t n_modes, size_t n_steps, double factor, float *table) {
    for (size_t i = 0; i < n_modes; i++) {
        const uint64_t bin = (uint64_t)bins[i];
        const bool is_single = bin == 0 || 2 * bin == n_steps;
        const double weight = bin > n_steps / 2 ? 0 : (is_single ? 1 : 2) * factor / (double)n_steps;
        for (size_t t = 0; t < n_steps; t++) {
            const double a = angle(bins[i], t, n_steps);
            table[i * n_steps + t] = (float)(weight * cos(a));
            table[(n_modes + i) * n_steps + t] = is_single ? 0 : (float)(-weight * sin(a));
        }
    }
}

/* ---- over time ---- */
pml_status pml_op_mix_steps(pml_context *context, const pml_tensor *table, const pml_tensor *x, pml_tensor *y,
                            pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && pml_op_is(table, PML_DTYPE_F32) && table->rank == 2 &&
                       table->shape[1] == x->shape[1],
                   "mix_steps: x must be F32 [B, L, D] and the table [R, L]");
    const size_t n_rows = table->shape[0], n_steps = x->shape[1], n_columns = x->shape[2];
    const size_t shape[] = {x->shape[0], n_rows, n_columns};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    for (size_t b = 0; b < x->shape[0]; b++) {
        context->kernels.matmul_row_f32(&(pml_matmul){.m = n_rows,
                                                      .k = n_steps,
                                                      .n = n_columns,
                                                      .x = pml_tensor_f32_const(table),
                                                      .x_stride = n_steps,
                                                      .w = pml_tensor_f32_const(x) + b * n_steps * n_columns,
                                                      .y = pml_tensor_f32(y) + b * n_rows * n_columns,
                                                      .y_stride = n_columns});
    }
    PML_TRY(pml_tape_record(context->tape, &op_mix_steps, NULL, (const pml_tensor *const[]){table, x}, 2, y, error));

done:
    return status;
}

/* y [B, D, 2 M] = x [B, 2 M, D]: coefficients of a column side by side. */
static pml_status turn(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_rows = x->shape[1], n_columns = x->shape[2];
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], n_columns, n_rows}, 3, y, error));
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *from = pml_tensor_f32_const(x) + b * n_rows * n_columns;
        float *to = pml_tensor_f32(y) + b * n_rows * n_columns;
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t c = 0; c < n_columns; c++) {
                to[c * n_rows + r] = from[r * n_columns + c];
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_turn, NULL, (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_unmix_steps(pml_context *context, const pml_tensor *x, const pml_tensor *table, bool moved,
                              pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor columns, series;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && pml_op_is(table, PML_DTYPE_F32) && table->rank == 2 &&
                       table->shape[0] == x->shape[1],
                   "unmix_steps: x must be F32 [B, R, D] and the table [R, L]");
    const size_t shape[] = {x->shape[0], table->shape[1], x->shape[2]};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    const size_t mark = pml_context_mark(context);
    PML_TRY(turn(context, x, &columns, error));
    PML_TRY(pml_op_linear(context, &columns, table, NULL, PML_ACTIVATION_IDENTITY, NULL, &series, error));
    if (moved) {
        pml_tensor placed;
        PML_TRY(pml_op_transpose(context, &series, &placed, error));
        series = placed;
    }
    if (context->tape != NULL) {
        *y = series;
        memcpy(y->shape, shape, sizeof shape);
    } else {
        memcpy(pml_tensor_f32(y), pml_tensor_f32_const(&series), pml_tensor_count(y) * sizeof(float));
    }
    pml_context_release(context, mark, NULL);

done:
    return status;
}

size_t pml_unmix_steps_bytes(size_t n_samples, size_t n_modes, size_t n_steps, size_t n_columns) {
    const size_t series = PML_FLOATS(n_samples, n_steps, n_columns);
    return PML_SUM(series, series, series, PML_FLOATS(2, n_samples, n_modes, n_columns));
}

/* ---- frequency by frequency ---- */
/* y [B, H M, 2, E] = the real and imaginary parts of each head and frequency of x; with `times_i` of x times i. */
static pml_status part(pml_context *context, const pml_tensor *x, size_t n_heads, bool times_i, pml_tensor *y,
                       pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_modes = x->shape[1] / 2, width = x->shape[2] / n_heads;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], n_heads * n_modes, 2, width}, 4, y,
                               error));
    float *to = pml_tensor_f32(y);
    for (size_t b = 0; b < x->shape[0]; b++) {
        const float *real = pml_tensor_f32_const(x) + b * 2 * n_modes * x->shape[2];
        const float *imaginary = real + n_modes * x->shape[2];
        for (size_t h = 0; h < n_heads; h++) {
            for (size_t m = 0; m < n_modes; m++, to += 2 * width) {
                const size_t at = m * x->shape[2] + h * width;
                for (size_t e = 0; e < width; e++) {
                    to[e] = times_i ? -imaginary[at + e] : real[at + e];
                    to[width + e] = times_i ? real[at + e] : imaginary[at + e];
                }
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_part_modes, &(pml_op_attributes){.integer = {(int64_t)n_heads, times_i}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* The way back: y [B, 2 M, D] from x [B, H M, 2, E]. */
static pml_status join(pml_context *context, const pml_tensor *x, size_t n_heads, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_modes = x->shape[1] / n_heads, width = x->shape[3], n_columns = n_heads * width;
    PML_TRY(
        pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], 2 * n_modes, n_columns}, 3, y, error));
    const float *from = pml_tensor_f32_const(x);
    for (size_t b = 0; b < x->shape[0]; b++) {
        float *real = pml_tensor_f32(y) + b * 2 * n_modes * n_columns;
        float *imaginary = real + n_modes * n_columns;
        for (size_t h = 0; h < n_heads; h++) {
            for (size_t m = 0; m < n_modes; m++, from += 2 * width) {
                memcpy(real + m * n_columns + h * width, from, width * sizeof *real);
                memcpy(imaginary + m * n_columns + h * width, from + width, width * sizeof *real);
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_join_modes, &(pml_op_attributes){.integer = {(int64_t)n_heads}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_mix_modes(pml_context *context, const pml_tensor *x, size_t n_heads, const pml_tensor *real,
                            const pml_tensor *imaginary, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor parts, turned, half, whole;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] % 2 == 0 && n_heads > 0 &&
                       x->shape[2] % n_heads == 0,
                   "mix_modes: x must be a spectrum [B, 2 M, D] of %zu heads", n_heads);
    const size_t base = pml_context_mark(context);
    PML_TRY(part(context, x, n_heads, false, &parts, error));
    PML_TRY(part(context, x, n_heads, true, &turned, error));
    PML_TRY(pml_op_linear(context, &parts, real, NULL, PML_ACTIVATION_IDENTITY, NULL, &half, error));
    PML_TRY(pml_op_linear(context, &turned, imaginary, NULL, PML_ACTIVATION_IDENTITY, &half, &whole, error));
    PML_TRY(join(context, &whole, n_heads, y, error));
    pml_context_release(context, base, y);

done:
    return status;
}

size_t pml_mix_modes_bytes(size_t n_samples, size_t n_modes, size_t n_columns) {
    const size_t spectrum = PML_FLOATS(2, n_samples, n_modes, n_columns);
    return PML_SUM(spectrum, spectrum, spectrum, spectrum, spectrum);
}
