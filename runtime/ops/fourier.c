#include "runtime/ops/fourier.h"

#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

static const double two_pi = 6.283185307179586476925286766559;

/* ---- tables ---- */
/* Angles are reduced as integers, so that their error does not grow with the product. */
static double angle(int64_t mode, size_t step, size_t n_steps) {
    return two_pi * (double)((uint64_t)mode * step % n_steps) / (double)n_steps;
}

void pml_fourier_table(const int64_t *modes, size_t n_modes, size_t n_steps, float *table) {
    const size_t n_half = n_steps / 2 + 1;
    for (size_t i = 0; i < n_modes; i++) {
        const bool is_there = (uint64_t)modes[i] <= n_steps / 2;
        for (size_t t = 0; t < n_half; t++) {
            const double a = angle(modes[i], t, n_steps);
            table[i * n_half + t] = is_there ? (float)cos(a) : 0;
            table[(n_modes + i) * n_half + t] = is_there ? (float)-sin(a) : 0;
        }
    }
}

void pml_fourier_inverse_table(const int64_t *bins, size_t n_modes, size_t n_steps, double factor, float *table) {
    const size_t n_half = n_steps / 2 + 1;
    for (size_t i = 0; i < n_modes; i++) {
        const uint64_t bin = (uint64_t)bins[i];
        const bool is_single = bin == 0 || 2 * bin == n_steps;
        const double weight = bin > n_steps / 2 ? 0 : (is_single ? 1 : 2) * factor / (double)n_steps;
        for (size_t t = 0; t < n_half; t++) {
            const double a = angle(bins[i], t, n_steps);
            table[i * n_half + t] = (float)(weight * cos(a));
            table[(n_modes + i) * n_half + t] = is_single ? 0 : (float)(-weight * sin(a));
        }
    }
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
