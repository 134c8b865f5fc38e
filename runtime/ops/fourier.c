#include "runtime/ops/fourier.h"

#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/repack.h"

static const double two_pi = 6.283185307179586476925286766559;

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
/* One table for all samples: y [b] = table [m, k] . x [b] [k, n] + residual [b]. */
typedef struct mix_job {
    pml_matmul_fn *matmul;
    const float *table, *x, *residual; /* residual: NULL, or y */
    float *y;
    size_t m, k, n;
} mix_job;

static void mix_samples(void *user, size_t begin, size_t end) {
    const mix_job *job = user;
    const size_t count = job->m * job->n;
    for (size_t b = begin; b < end; b++) {
        job->matmul(&(pml_matmul){.m = job->m,
                                  .k = job->k,
                                  .n = job->n,
                                  .x = job->table,
                                  .x_stride = job->k,
                                  .w = job->x + b * job->k * job->n,
                                  .y = job->y + b * count,
                                  .y_stride = job->n,
                                  .residual = job->residual == NULL ? NULL : job->residual + b * count,
                                  .residual_stride = job->n});
    }
}

static void mix(pml_context *context, size_t n_samples, mix_job *job) {
    const double each = (double)job->m * (double)job->k * (double)job->n;
    job->matmul = context->kernels.matmul_row_f32;
    pml_context_ranges(context, n_samples, 1, PML_COST_MULTIPLY((double)n_samples * each), mix_samples, job);
}

static pml_status mix_steps_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                     pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *table = &entry->inputs[0], *x = &entry->inputs[1];
    float *dx, *turned;
    bool is_new;
    if (pml_gradient_wanted(gradients, table)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "mix_steps: the table has no gradient"));
    }
    PML_TRY(pml_gradient_begin(gradients, x, &dx, &is_new, error));
    if (dx == NULL) {
        goto done;
    }
    PML_TRY(pml_gradients_scratch(gradients, pml_tensor_count(table), &turned, error));
    pml_repack_transpose(pml_tensor_f32_const(table), table->shape[0], table->shape[1], table->shape[1], turned);
    mix(context, x->shape[0],
        &(mix_job){.table = turned,
                   .x = pml_gradient_out(gradients, entry),
                   .residual = is_new ? NULL : dx,
                   .y = dx,
                   .m = table->shape[1],
                   .k = table->shape[0],
                   .n = x->shape[2]});

done:
    return status;
}

static const pml_op op_mix_steps = {.name = "mix_steps", .backward = mix_steps_backward};

pml_status pml_op_mix_steps(pml_context *context, const pml_tensor *table, const pml_tensor *x, pml_tensor *y,
                            pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && pml_op_is(table, PML_DTYPE_F32) && table->rank == 2 &&
                       table->shape[1] == x->shape[1],
                   "mix_steps: x must be F32 [B, L, D] and the table [R, L]");
    const size_t shape[] = {x->shape[0], table->shape[0], x->shape[2]};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    mix(context, x->shape[0],
        &(mix_job){.table = pml_tensor_f32_const(table),
                   .x = pml_tensor_f32_const(x),
                   .y = pml_tensor_f32(y),
                   .m = table->shape[0],
                   .k = x->shape[1],
                   .n = x->shape[2]});
    PML_TRY(pml_tape_record(context->tape, &op_mix_steps, NULL, (const pml_tensor *const[]){table, x}, 2, y, error));

done:
    return status;
}

/* ---- values that change places: y has those of x in another order, and dx those of g ---- */
typedef struct places_job places_job;
/* Moves one sample's values; with `is_back` from y to x, to which they are added unless `is_new`. */
typedef void move_fn(const places_job *job, const float *from, float *to);
struct places_job {
    move_fn *move;
    const float *from;
    float *to;
    size_t n_modes, n_heads, n_columns; /* of a spectrum [2 M, D] */
    bool times_i, is_back, is_new;
};

static void move_samples(void *user, size_t begin, size_t end) {
    const places_job *job = user;
    const size_t count = 2 * job->n_modes * job->n_columns;
    for (size_t b = begin; b < end; b++) {
        job->move(job, job->from + b * count, job->to + b * count);
    }
}

static void move_places(pml_context *context, size_t n_samples, places_job *job) {
    const size_t count = 2 * n_samples * job->n_modes * job->n_columns;
    pml_context_ranges(context, n_samples, 1, PML_COST_VALUES(count), move_samples, job);
}

static pml_status move_back(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                            places_job *job, pml_error *error) {
    job->from = pml_gradient_out(gradients, entry);
    job->is_back = true;
    const pml_status status = pml_gradient_begin(gradients, &entry->inputs[0], &job->to, &job->is_new, error);
    if (status == PML_OK && job->to != NULL) {
        move_places(context, entry->inputs[0].shape[0], job);
    }
    return status;
}

/* [m, n] transposed, in tiles that stay in the first-level cache. */
static void transpose(const places_job *job, const float *from, float *to) {
    const size_t n_rows = 2 * job->n_modes, m = job->is_back ? job->n_columns : n_rows;
    const size_t n = job->is_back ? n_rows : job->n_columns;
    const bool is_added = job->is_back && !job->is_new;
    for (size_t i = 0; i < m; i += 16) {
        const size_t last = m - i < 16 ? m : i + 16;
        for (size_t k = 0; k < n; k++) {
            for (size_t r = i; r < last; r++) {
                to[k * m + r] = (is_added ? to[k * m + r] : 0) + from[r * n + k];
            }
        }
    }
}

static places_job turning(const pml_tensor *x) {
    return (places_job){.move = transpose, .n_modes = x->shape[1] / 2, .n_columns = x->shape[2]};
}

static pml_status turn_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                pml_error *error) {
    places_job job = turning(&entry->inputs[0]);
    return move_back(context, gradients, entry, &job, error);
}

static const pml_op op_turn = {.name = "turn_spectrum", .backward = turn_backward};

/* y [B, D, 2 M] = x [B, 2 M, D]: coefficients of a column side by side. */
static pml_status turn(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t shape[] = {x->shape[0], x->shape[2], x->shape[1]};
    places_job job = turning(x);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    job.from = pml_tensor_f32_const(x);
    job.to = pml_tensor_f32(y);
    move_places(context, x->shape[0], &job);
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

/* ---- frequency by frequency: parts [B, H M, 2, E] of spectra [B, 2 M, D] ---- */
static void set_or_add(const float *from, float factor, size_t n, bool is_added, float *to) {
    if (is_added) {
        for (size_t i = 0; i < n; i++) {
            to[i] += factor * from[i];
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            to[i] = factor * from[i];
        }
    }
}

/* From a spectrum to parts; `times_i`: of the spectrum times i. */
static void take_parts(const places_job *job, const float *from, float *to) {
    const size_t width = job->n_columns / job->n_heads, behind = job->n_modes * job->n_columns;
    const bool is_added = job->is_back && !job->is_new;
    for (size_t h = 0; h < job->n_heads; h++) {
        for (size_t m = 0; m < job->n_modes; m++, to += 2 * width) {
            const float *real = from + m * job->n_columns + h * width, *imaginary = real + behind;
            set_or_add(job->times_i ? imaginary : real, job->times_i ? -1.0F : 1.0F, width, is_added, to);
            set_or_add(job->times_i ? real : imaginary, 1.0F, width, is_added, to + width);
        }
    }
}

/* From parts to a spectrum; `times_i`: what take_parts did is undone. */
static void place_parts(const places_job *job, const float *from, float *to) {
    const size_t width = job->n_columns / job->n_heads, behind = job->n_modes * job->n_columns;
    const bool is_added = job->is_back && !job->is_new;
    for (size_t h = 0; h < job->n_heads; h++) {
        for (size_t m = 0; m < job->n_modes; m++, from += 2 * width) {
            float *real = to + m * job->n_columns + h * width, *imaginary = real + behind;
            set_or_add(job->times_i ? from + width : from, 1.0F, width, is_added, real);
            set_or_add(job->times_i ? from : from + width, job->times_i ? -1.0F : 1.0F, width, is_added, imaginary);
        }
    }
}

static pml_status part_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                pml_error *error) {
    const pml_tensor *x = &entry->inputs[0];
    places_job job = {.move = place_parts,
                      .n_modes = x->shape[1] / 2,
                      .n_heads = (size_t)entry->attributes.integer[0],
                      .n_columns = x->shape[2],
                      .times_i = entry->attributes.integer[1] != 0};
    return move_back(context, gradients, entry, &job, error);
}

static pml_status join_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                pml_error *error) {
    const pml_tensor *y = &entry->output;
    places_job job = {.move = take_parts,
                      .n_modes = y->shape[1] / 2,
                      .n_heads = (size_t)entry->attributes.integer[0],
                      .n_columns = y->shape[2]};
    return move_back(context, gradients, entry, &job, error);
}

static const pml_op op_part_modes = {.name = "part_modes", .backward = part_backward};
static const pml_op op_join_modes = {.name = "join_modes", .backward = join_backward};

/* y [B, H M, 2, E] = the real and imaginary parts of each head and frequency of x; with `times_i` of x times i. */
static pml_status part(pml_context *context, const pml_tensor *x, size_t n_heads, bool times_i, pml_tensor *y,
                       pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_modes = x->shape[1] / 2, n_columns = x->shape[2];
    const size_t shape[] = {x->shape[0], n_heads * n_modes, 2, n_columns / n_heads};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, y, error));
    move_places(context, x->shape[0],
                &(places_job){.move = take_parts,
                              .from = pml_tensor_f32_const(x),
                              .to = pml_tensor_f32(y),
                              .n_modes = n_modes,
                              .n_heads = n_heads,
                              .n_columns = n_columns,
                              .times_i = times_i});
    PML_TRY(pml_tape_record(context->tape, &op_part_modes, &(pml_op_attributes){.integer = {(int64_t)n_heads, times_i}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* The way back: y [B, 2 M, D] from x [B, H M, 2, E]. */
static pml_status join(pml_context *context, const pml_tensor *x, size_t n_heads, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_modes = x->shape[1] / n_heads, n_columns = n_heads * x->shape[3];
    PML_TRY(
        pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], 2 * n_modes, n_columns}, 3, y, error));
    move_places(context, x->shape[0],
                &(places_job){.move = place_parts,
                              .from = pml_tensor_f32_const(x),
                              .to = pml_tensor_f32(y),
                              .n_modes = n_modes,
                              .n_heads = n_heads,
                              .n_columns = n_columns});
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
