/* Products of spectra as products of real matrices: (a + bi)(c + di) has the real part [a b] . [c -d] and the imaginary
 * one [a b] . [d c]. */
#include "runtime/ops/fourier_attention.h"

#include <math.h>

#include "runtime/ops/parallel.h"

static const pml_op op = {.name = "fourier_attention", .backward = pml_fourier_attention_backward};

pml_frequencies pml_frequencies_of(const pml_tensor *q, const pml_tensor *k, const pml_op_attributes *attributes) {
    const size_t n_heads = (size_t)attributes->integer[0];
    return (pml_frequencies){.n_samples = q->shape[0],
                             .n_heads = n_heads,
                             .n_queries = q->shape[1] / 2,
                             .n_keys = k->shape[1] / 2,
                             .n_columns = q->shape[2],
                             .width = q->shape[2] / n_heads,
                             .activation = (pml_fourier_activation)attributes->integer[1]};
}

size_t pml_frequencies_begin(const pml_frequencies *f, size_t i, size_t n_modes) {
    return i / f->n_heads * 2 * n_modes * f->n_columns + i % f->n_heads * f->width;
}

pml_head_matrix pml_frequencies_head(const pml_frequencies *f, const float *spectrum, size_t i, size_t n_modes) {
    const float *real = spectrum + pml_frequencies_begin(f, i, n_modes);
    return (pml_head_matrix){real, real + n_modes * f->n_columns, f->n_columns};
}

void pml_frequencies_tall(const pml_frequencies *f, pml_signed_rows above, pml_signed_rows below, float *y) {
    const pml_signed_rows parts[] = {above, below};
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < f->n_keys; i++, y += f->width) {
            for (size_t e = 0; e < f->width; e++) {
                y[e] = parts[p].sign * parts[p].rows[i * f->n_columns + e];
            }
        }
    }
}

void pml_frequencies_wide(const pml_frequencies *f, pml_signed_rows left, pml_signed_rows right, float *y) {
    const pml_signed_rows parts[] = {left, right};
    for (size_t p = 0; p < 2; p++, y += f->n_keys) {
        for (size_t i = 0; i < f->n_keys; i++) {
            for (size_t e = 0; e < f->width; e++) {
                y[e * 2 * f->n_keys + i] = parts[p].sign * parts[p].rows[i * f->n_columns + e];
            }
        }
    }
}

void pml_frequencies_score(const pml_kernels *kernels, const pml_frequencies *f, const float *q, const float *k,
                           size_t i, float *wide, float *scores) {
    const pml_head_matrix queries = pml_frequencies_head(f, q, i, f->n_queries);
    const pml_head_matrix keys = pml_frequencies_head(f, k, i, f->n_keys);
    pml_matmul job = {.m = f->n_queries,
                      .k = f->width,
                      .n = 2 * f->n_keys,
                      .x = queries.real,
                      .x_stride = queries.stride,
                      .w = wide,
                      .y = scores,
                      .y_stride = 2 * f->n_keys};
    pml_frequencies_wide(f, (pml_signed_rows){keys.real, 1}, (pml_signed_rows){keys.imaginary, 1}, wide);
    kernels->matmul_row_f32(&job);
    pml_frequencies_wide(f, (pml_signed_rows){keys.imaginary, -1}, (pml_signed_rows){keys.real, 1}, wide);
    job.x = queries.imaginary;
    job.residual = scores;
    job.residual_stride = job.y_stride;
    kernels->matmul_row_f32(&job);
}

double pml_frequencies_cost(const pml_frequencies *f) {
    const double scores = (double)(f->n_samples * f->n_heads) * (double)f->n_queries * 2 * (double)f->n_keys;
    return PML_COST_MULTIPLY(scores * 4 * (double)f->width) + 16 * PML_COST_VALUES(scores);
}

/* ---- activations ---- */
/* tanh(a + bi) = (sinh 2a + i sin 2b) / (cosh 2a + cos 2b), written so that nothing overflows. */
static void complex_tanh(float *real, float *imaginary) {
    const double a = (double)*real, b = (double)*imaginary;
    const double small = exp(-2 * fabs(a)); /* of e^-2|a| */
    const double cosine = cos(2 * b);
    const double below = 1 + small * small + 2 * small * cosine;
    *real = (float)(copysign(1 - small * small, a) / below);
    *imaginary = (float)(2 * small * sin(2 * b) / below);
}

static void softmax_of_magnitudes(float *real, float *imaginary, size_t n) {
    double greatest = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        real[i] = (float)hypot((double)real[i], (double)imaginary[i]);
        greatest = (double)real[i] > greatest ? (double)real[i] : greatest;
    }
    for (size_t i = 0; i < n; i++) {
        total += exp((double)real[i] - greatest);
    }
    for (size_t i = 0; i < n; i++) {
        real[i] = (float)(exp((double)real[i] - greatest) / total);
        imaginary[i] = 0;
    }
}

static void activate(const pml_frequencies *f, float *scores) {
    for (size_t m = 0; m < f->n_queries; m++) {
        float *real = scores + m * 2 * f->n_keys, *imaginary = real + f->n_keys;
        if (f->activation == PML_FOURIER_SOFTMAX) {
            softmax_of_magnitudes(real, imaginary, f->n_keys);
        }
        for (size_t i = 0; i < f->n_keys && f->activation == PML_FOURIER_TANH; i++) {
            complex_tanh(&real[i], &imaginary[i]);
        }
        for (size_t i = 0; i < 2 * f->n_keys && f->activation == PML_FOURIER_TANH_SEPARATE; i++) {
            real[i] = (float)tanh((double)real[i]);
        }
    }
}

/* ---- forward ---- */
typedef struct attend_job {
    const pml_kernels *kernels;
    pml_frequencies f;
    const float *q, *k;
    float *y;
    float *kept; /* [B, H, M, 2 N]: where activated scores stay; NULL: nowhere */
    float *work; /* scratch of every share */
    size_t n_shares, work_floats;
} attend_job;

static size_t count_work(const pml_frequencies *f) {
    return (2 * f->n_keys * (f->width + f->n_queries) + 15) / 16 * 16;
}

static void attend_head(const attend_job *job, size_t i, float *work) {
    const pml_frequencies *f = &job->f;
    const size_t n_scores = 2 * f->n_keys * f->n_queries;
    const pml_head_matrix keys = pml_frequencies_head(f, job->k, i, f->n_keys);
    float *values = work, *scores = job->kept == NULL ? work + 2 * f->n_keys * f->width : job->kept + i * n_scores;
    float *y = job->y + pml_frequencies_begin(f, i, f->n_queries);
    pml_matmul product = {.m = f->n_queries,
                          .k = 2 * f->n_keys,
                          .n = f->width,
                          .x = scores,
                          .x_stride = 2 * f->n_keys,
                          .w = values,
                          .y = y,
                          .y_stride = f->n_columns};
    pml_frequencies_score(job->kernels, f, job->q, job->k, i, work, scores);
    activate(f, scores);
    pml_frequencies_tall(f, (pml_signed_rows){keys.real, 1}, (pml_signed_rows){keys.imaginary, -1}, values);
    job->kernels->matmul_row_f32(&product);
    pml_frequencies_tall(f, (pml_signed_rows){keys.imaginary, 1}, (pml_signed_rows){keys.real, 1}, values);
    product.y = y + f->n_queries * f->n_columns;
    job->kernels->matmul_row_f32(&product);
}

static void attend_share(void *user, size_t i_share) {
    const attend_job *job = user;
    const size_t n = job->f.n_samples * job->f.n_heads, end = pml_share_begin(n, 1, job->n_shares, i_share + 1);
    for (size_t i = pml_share_begin(n, 1, job->n_shares, i_share); i < end; i++) {
        attend_head(job, i, job->work + i_share * job->work_floats);
    }
}

pml_status pml_op_fourier_attention(pml_context *context, const pml_tensor *q, const pml_tensor *k, size_t n_heads,
                                    pml_fourier_activation activation, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(q, PML_DTYPE_F32) && pml_op_is(k, PML_DTYPE_F32) && q->rank == 3 && k->rank == 3 &&
                       q->shape[0] == k->shape[0] && q->shape[2] == k->shape[2] && q->shape[1] % 2 == 0 &&
                       k->shape[1] % 2 == 0 && n_heads > 0 && q->shape[2] % n_heads == 0,
                   "fourier_attention: q and k must be spectra of %zu heads that fit each other", n_heads);
    pml_op_attributes attributes = {.integer = {(int64_t)n_heads, (int64_t)activation}};
    attend_job job = {.kernels = &context->kernels,
                      .f = pml_frequencies_of(q, k, &attributes),
                      .q = pml_tensor_f32_const(q),
                      .k = pml_tensor_f32_const(k)};
    const pml_frequencies *f = &job.f;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, 3, y, error));
    job.y = pml_tensor_f32(y);
    if (context->tape != NULL) { /* a backward pass reads them: they cost more than all else */
        PML_TRY(pml_context_scratch(context, f->n_samples * n_heads * 2 * f->n_keys * f->n_queries, &job.kept, error));
        attributes.data = job.kept;
    }
    job.n_shares = pml_context_shares(context, pml_frequencies_cost(f));
    job.work_floats = count_work(f);
    PML_TRY(pml_context_quantized(context, job.n_shares * job.work_floats * sizeof(float), error));
    job.work = context->quantized;
    pml_context_run(context, job.n_shares, attend_share, &job);
    PML_TRY(pml_tape_record(context->tape, &op, &attributes, (const pml_tensor *const[]){q, k}, 2, y, error));

done:
    return status;
}

size_t pml_fourier_attention_bytes(size_t n_samples, size_t n_queries, size_t n_columns) {
    return PML_FLOATS(2, n_samples, n_queries, n_columns);
}
