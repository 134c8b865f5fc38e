/* What a series' spectrum says about its periods, and mixtures by it. */
#include <math.h>

#include "runtime/ops/inception.h"
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

/* ---- magnitudes ---- */
typedef struct amplitudes_job {
    const float *x, *g; /* [B, 2 M, D], [B, M] */
    float *dx;
    bool is_new;
    size_t n_modes, n_columns;
} amplitudes_job;

/* A number's magnitude grows along the number itself; at 0 it has no direction, and its gradient is 0. */
static void grow_modes(void *user, size_t begin, size_t end) {
    const amplitudes_job *job = user;
    const size_t n = job->n_columns;
    for (size_t i = begin; i < end; i++) {
        const size_t at = (i / job->n_modes * 2 * job->n_modes + i % job->n_modes) * n, behind = job->n_modes * n;
        const float *real = job->x + at, *imaginary = real + behind;
        float *to_real = job->dx + at, *to_imaginary = to_real + behind;
        const float factor = job->g[i] / (float)n;
        for (size_t c = 0; c < n; c++) {
            const float magnitude = sqrtf(real[c] * real[c] + imaginary[c] * imaginary[c]);
            const float share = magnitude > 0 ? factor / magnitude : 0;
            to_real[c] = (job->is_new ? 0 : to_real[c]) + share * real[c];
            to_imaginary[c] = (job->is_new ? 0 : to_imaginary[c]) + share * imaginary[c];
        }
    }
}

static pml_status amplitudes_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                      pml_error *error) {
    const pml_tensor *x = &entry->inputs[0];
    amplitudes_job job = {
        .x = pml_tensor_f32_const(x),
        .g = pml_gradient_out(gradients, entry),
        .n_modes = x->shape[1] / 2,
        .n_columns = x->shape[2],
    };
    const pml_status status = pml_gradient_begin(gradients, x, &job.dx, &job.is_new, error);
    if (status == PML_OK && job.dx != NULL) {
        pml_context_ranges(context, x->shape[0] * job.n_modes, 1, PML_COST_VALUES(pml_tensor_count(x)), grow_modes,
                           &job);
    }
    return status;
}

static const pml_op op_amplitudes = {.name = "amplitudes", .backward = amplitudes_backward};

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

/* ---- columns by number ---- */
static pml_status pick_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                pml_error *error) {
    (void)context;
    const pml_tensor *x = &entry->inputs[0];
    const float *g = pml_gradient_out(gradients, entry);
    const size_t *picked = entry->attributes.data;
    const size_t n_columns = pml_tensor_columns(x), n_picked = pml_tensor_columns(&entry->output);
    float *dx;
    const pml_status status = pml_gradient_of(gradients, x, &dx, error);
    for (size_t row = 0; status == PML_OK && dx != NULL && row < pml_tensor_rows(x); row++) {
        for (size_t i = 0; i < n_picked; i++) {
            dx[row * n_columns + picked[i]] += g[row * n_picked + i];
        }
    }
    return status;
}

static const pml_op op_pick = {.name = "pick", .backward = pick_backward};

/* A copy that is valid until the next step, which a backward pass may read. NULL without a tape. */
static pml_status keep(pml_context *context, const size_t *picked, size_t n_picked, const size_t **kept,
                       pml_error *error) {
    pml_status status = PML_OK;
    *kept = NULL;
    if (context->tape != NULL) {
        float *bytes;
        PML_TRY(pml_context_scratch(context, n_picked * (sizeof *picked / sizeof *bytes), &bytes, error));
        memcpy(bytes, picked, n_picked * sizeof *picked);
        *kept = (const size_t *)(const void *)bytes;
    }

done:
    return status;
}

pml_status pml_op_pick(pml_context *context, const pml_tensor *x, const size_t *picked, size_t n_picked, pml_tensor *y,
                       pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1, "pick: x must be F32 with columns");
    const size_t n_columns = pml_tensor_columns(x), n_rows = pml_tensor_rows(x);
    size_t shape[PML_MAX_RANK];
    const size_t *kept;
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
    PML_TRY(keep(context, picked, n_picked, &kept, error));
    PML_TRY(pml_tape_record(context->tape, &op_pick, &(pml_op_attributes){.data = kept}, (const pml_tensor *const[]){x},
                            1, y, error));

done:
    return status;
}

/* ---- shares ---- */
static double share_of(const float *scores, size_t n, size_t i) {
    double total = 0;
    for (size_t k = 0; k < n; k++) {
        total += exp((double)scores[k] - (double)scores[i]);
    }
    return 1 / total;
}

typedef struct share_job {
    const float *g, *part, *scores; /* [B, count], [B, part_count], [B, n_scores] */
    float *d_part, *d_scores;       /* NULL: not wanted */
    size_t count, part_count, n_scores, i_part;
} share_job;

/* With s = softmax(scores) of a sample: d part = s_i g, and d scores_k = s_i (1 if k = i, less s_k) g . part. */
static void share_samples(void *user, size_t begin, size_t end) {
    const share_job *job = user;
    for (size_t b = begin; b < end; b++) {
        const float *g = job->g + b * job->count, *scores = job->scores + b * job->n_scores;
        const double share = share_of(scores, job->n_scores, job->i_part);
        if (job->d_part != NULL) {
            float *to = job->d_part + b * job->part_count;
            for (size_t i = 0; i < job->count; i++) {
                to[i] += (float)share * g[i];
            }
        }
        if (job->d_scores != NULL) {
            const float *part = job->part + b * job->part_count;
            double lanes[8] = {0}, sum = 0;
            for (size_t i = 0; i < job->count; i++) {
                lanes[i % 8] += (double)g[i] * (double)part[i];
            }
            for (size_t i = 0; i < 8; i++) {
                sum += lanes[i];
            }
            for (size_t k = 0; k < job->n_scores; k++) {
                const double other = share_of(scores, job->n_scores, k);
                job->d_scores[b * job->n_scores + k] += (float)(share * ((k == job->i_part ? 1.0 : 0.0) - other) * sum);
            }
        }
    }
}

static pml_status add_share_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                     pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *part = &entry->inputs[1], *scores = &entry->inputs[2];
    share_job job = {
        .g = pml_gradient_out(gradients, entry),
        .part = pml_tensor_f32_const(part),
        .scores = pml_tensor_f32_const(scores),
        .count = x->shape[1] * x->shape[2],
        .part_count = part->shape[1] * part->shape[2],
        .n_scores = scores->shape[1],
        .i_part = (size_t)entry->attributes.integer[0],
    };
    PML_TRY(pml_gradient_add(gradients, x, job.g, 1, error));
    PML_TRY(pml_gradient_of(gradients, part, &job.d_part, error));
    PML_TRY(pml_gradient_of(gradients, scores, &job.d_scores, error));
    if (job.d_part != NULL || job.d_scores != NULL) {
        pml_context_ranges(context, x->shape[0], 1, PML_COST_VALUES(pml_tensor_count(x)), share_samples, &job);
    }

done:
    return status;
}

static const pml_op op_add_share = {.name = "add_share", .backward = add_share_backward};

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
