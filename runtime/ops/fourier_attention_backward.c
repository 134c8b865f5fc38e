/* Backward of attention between frequencies. With weights A = activation(S), S = q k and y = A k, products complex and
 * nothing conjugated in them, gradients (of the real part, plus i times that of the imaginary one) are
 *   dA = g conj(k),  dS = what the activation makes of it,  dq = dS conj(k),  dk = transpose(conj(A)) g +
 *   transpose(dS) conj(q). */
#include <math.h>

#include "runtime/ops/fourier_attention.h"
#include "runtime/ops/parallel.h"

typedef struct backward_job {
    const pml_kernels *kernels;
    pml_frequencies f;
    const float *q, *k, *g, *weights; /* weights: as the forward pass kept them */
    float *dq, *dk;                   /* NULL: not wanted */
    float *work;                      /* scratch of every share */
    size_t n_shares, work_floats;
} backward_job;

typedef struct head_work {
    float *keys;     /* [2 N, E] or [E, 2 N] */
    float *d_scores; /* [M, 2 N]: dA, then dS */
    float *scores;   /* [M, 2 N], for the softmax: S */
    float *turned;   /* [N, 4 M]: real and imaginary parts of A and dS, transposed */
    float *stack;    /* [4 M, E]: what they are multiplied by */
} head_work;

/* Floats of a head's scratch, which begins at `floats`; NULL: they are only counted. */
static size_t lay_out(const pml_frequencies *f, float *floats, head_work *work) {
    const size_t score = 2 * f->n_queries * f->n_keys, key = 2 * f->n_keys * f->width;
    const struct {
        float **part;
        size_t count;
    } parts[] = {{&work->keys, key},
                 {&work->d_scores, score},
                 {&work->scores, f->activation == PML_FOURIER_SOFTMAX ? score : 0},
                 {&work->turned, 2 * score},
                 {&work->stack, 4 * f->n_queries * f->width}};
    size_t total = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].part = floats == NULL ? NULL : floats + total;
        total += (parts[i].count + 15) / 16 * 16;
    }
    return total;
}

/* ---- activations ---- */
/* tanh(z) has the derivative 1 - tanh(z)^2, by whose conjugate gradients are multiplied. */
static void tanh_backward(const float *real, const float *imaginary, size_t n, float *d_real, float *d_imaginary) {
    for (size_t i = 0; i < n; i++) {
        const float a = 1.0F - real[i] * real[i] + imaginary[i] * imaginary[i], b = -2.0F * real[i] * imaginary[i];
        const float g = d_real[i], h = d_imaginary[i];
        d_real[i] = g * a + h * b;
        d_imaginary[i] = h * a - g * b;
    }
}

/* Weights p of magnitudes |s|: d|s_i| = p_i (g_i - sum p g), along s_i; 0 where s_i is 0. */
static void softmax_backward(const float *p, const float *real, const float *imaginary, size_t n, float *d_real,
                             float *d_imaginary) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)p[i] * (double)d_real[i];
    }
    for (size_t i = 0; i < n; i++) {
        const double magnitude = hypot((double)real[i], (double)imaginary[i]);
        const double along = magnitude > 0 ? (double)p[i] * ((double)d_real[i] - sum) / magnitude : 0;
        d_real[i] = (float)(along * (double)real[i]);
        d_imaginary[i] = (float)(along * (double)imaginary[i]);
    }
}

static void activate_backward(const pml_frequencies *f, const float *weights, const float *scores, float *d_scores) {
    const size_t n = f->n_keys;
    for (size_t m = 0; m < f->n_queries; m++, weights += 2 * n, d_scores += 2 * n) {
        if (f->activation == PML_FOURIER_TANH) {
            tanh_backward(weights, weights + n, n, d_scores, d_scores + n);
        } else if (f->activation == PML_FOURIER_SOFTMAX) {
            softmax_backward(weights, scores + m * 2 * n, scores + m * 2 * n + n, n, d_scores, d_scores + n);
        } else {
            for (size_t i = 0; i < 2 * n; i++) {
                d_scores[i] *= 1.0F - weights[i] * weights[i];
            }
        }
    }
}

/* ---- products ---- */
/* d_scores = g conj(k). */
static void find_d_weights(const backward_job *job, size_t i, const head_work *work) {
    const pml_frequencies *f = &job->f;
    const pml_head_matrix g = pml_frequencies_head(f, job->g, i, f->n_queries);
    const pml_head_matrix k = pml_frequencies_head(f, job->k, i, f->n_keys);
    pml_matmul product = {.m = f->n_queries,
                          .k = f->width,
                          .n = 2 * f->n_keys,
                          .x = g.real,
                          .x_stride = g.stride,
                          .w = work->keys,
                          .y = work->d_scores,
                          .y_stride = 2 * f->n_keys};
    pml_frequencies_wide(f, (pml_signed_rows){k.real, 1}, (pml_signed_rows){k.imaginary, -1}, work->keys);
    job->kernels->matmul_row_f32(&product);
    pml_frequencies_wide(f, (pml_signed_rows){k.imaginary, 1}, (pml_signed_rows){k.real, 1}, work->keys);
    product.x = g.imaginary;
    product.residual = product.y;
    product.residual_stride = product.y_stride;
    job->kernels->matmul_row_f32(&product);
}

/* dq += dS conj(k). */
static void add_queries(const backward_job *job, size_t i, const head_work *work) {
    const pml_frequencies *f = &job->f;
    const pml_head_matrix k = pml_frequencies_head(f, job->k, i, f->n_keys);
    float *dq = job->dq + pml_frequencies_begin(f, i, f->n_queries);
    pml_matmul product = {.m = f->n_queries,
                          .k = 2 * f->n_keys,
                          .n = f->width,
                          .x = work->d_scores,
                          .x_stride = 2 * f->n_keys,
                          .w = work->keys,
                          .y = dq,
                          .y_stride = f->n_columns,
                          .residual = dq,
                          .residual_stride = f->n_columns};
    pml_frequencies_tall(f, (pml_signed_rows){k.real, 1}, (pml_signed_rows){k.imaginary, 1}, work->keys);
    job->kernels->matmul_row_f32(&product);
    pml_frequencies_tall(f, (pml_signed_rows){k.imaginary, -1}, (pml_signed_rows){k.real, 1}, work->keys);
    product.y = dq + f->n_queries * f->n_columns;
    product.residual = product.y;
    job->kernels->matmul_row_f32(&product);
}

/* y [M, E] = sign * a head's rows. */
static float *put_rows(const pml_frequencies *f, const float *rows, float sign, float *y) {
    for (size_t m = 0; m < f->n_queries; m++, y += f->width) {
        for (size_t e = 0; e < f->width; e++) {
            y[e] = sign * rows[m * f->n_columns + e];
        }
    }
    return y;
}

/* dk += transpose(conj(A)) g + transpose(dS) conj(q): the real part, and then the imaginary one, as one product. */
static void add_keys(const backward_job *job, size_t i, const head_work *work) {
    const pml_frequencies *f = &job->f;
    const size_t n = f->n_keys, n_queries = f->n_queries, depth = 4 * n_queries;
    const pml_head_matrix g = pml_frequencies_head(f, job->g, i, n_queries);
    const pml_head_matrix q = pml_frequencies_head(f, job->q, i, n_queries);
    const float *parts[] = {job->weights + i * 2 * n * n_queries, work->d_scores};
    for (size_t p = 0; p < 2; p++) {
        for (size_t m = 0; m < n_queries; m++) {
            const float *row = parts[p] + m * 2 * n;
            for (size_t s = 0; s < n; s++) {
                work->turned[s * depth + 2 * p * n_queries + m] = row[s];
                work->turned[s * depth + (2 * p + 1) * n_queries + m] = row[n + s];
            }
        }
    }
    float *dk = job->dk + pml_frequencies_begin(f, i, n);
    pml_matmul product = {.m = n,
                          .k = depth,
                          .n = f->width,
                          .x = work->turned,
                          .x_stride = depth,
                          .w = work->stack,
                          .y = dk,
                          .y_stride = f->n_columns,
                          .residual = dk,
                          .residual_stride = f->n_columns};
    float *end = put_rows(f, g.imaginary, 1, put_rows(f, g.real, 1, work->stack));
    put_rows(f, q.imaginary, 1, put_rows(f, q.real, 1, end));
    job->kernels->matmul_row_f32(&product);
    end = put_rows(f, g.real, -1, put_rows(f, g.imaginary, 1, work->stack));
    put_rows(f, q.real, 1, put_rows(f, q.imaginary, -1, end));
    product.y = dk + n * f->n_columns;
    product.residual = product.y;
    job->kernels->matmul_row_f32(&product);
}

static void run_share(void *user, size_t i_share) {
    const backward_job *job = user;
    const pml_frequencies *f = &job->f;
    const size_t n = f->n_samples * f->n_heads, end = pml_share_begin(n, 1, job->n_shares, i_share + 1);
    head_work work;
    lay_out(f, job->work + i_share * job->work_floats, &work);
    for (size_t i = pml_share_begin(n, 1, job->n_shares, i_share); i < end; i++) {
        if (f->activation == PML_FOURIER_SOFTMAX) {
            pml_frequencies_score(job->kernels, f, job->q, job->k, i, work.keys, work.scores);
        }
        find_d_weights(job, i, &work);
        activate_backward(f, job->weights + i * 2 * f->n_keys * f->n_queries, work.scores, work.d_scores);
        if (job->dq != NULL) {
            add_queries(job, i, &work);
        }
        if (job->dk != NULL) {
            add_keys(job, i, &work);
        }
    }
}

pml_status pml_fourier_attention_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                          pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *q = &entry->inputs[0], *k = &entry->inputs[1];
    backward_job job = {.kernels = &context->kernels,
                        .f = pml_frequencies_of(q, k, &entry->attributes),
                        .q = pml_tensor_f32_const(q),
                        .k = pml_tensor_f32_const(k),
                        .g = pml_gradient_out(gradients, entry),
                        .weights = entry->attributes.data};
    head_work counted;
    PML_TRY(pml_gradient_of(gradients, q, &job.dq, error));
    PML_TRY(pml_gradient_of(gradients, k, &job.dk, error));
    job.n_shares = pml_context_shares(context, 2 * pml_frequencies_cost(&job.f));
    job.work_floats = lay_out(&job.f, NULL, &counted);
    PML_TRY(pml_gradients_scratch(gradients, job.n_shares * job.work_floats, &job.work, error));
    pml_context_run(context, job.n_shares, run_share, &job);

done:
    return status;
}
