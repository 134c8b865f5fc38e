/* Real transforms of a few frequencies, and the way back. Cosines at the steps t and L - t are equal and sines
 * opposite: spectra are made of sums and differences of such steps, series as sums and differences of what both tables
 * give. That is half the work, and half the terms in a sum leave half the rounding. */
#include "runtime/ops/fourier.h"
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/repack.h"

typedef struct transform {
    pml_matmul_fn *matmul;
    size_t n_samples, n_modes, n_steps, n_columns, n_half; /* n_half: L / 2 + 1 */
    const float *table;                                    /* [2 M, n_half]; to series: [2][n_half, M], transposed */
    bool to_series;
    bool by_columns; /* series are [D, L] rather than [L, D] */
    bool adds;       /* += instead of = */
    const float *from;
    float *to;
    size_t n_shares, work_floats;
    float *work; /* scratch of every share: sums and differences [2][n_half, D], and a series [L, D] if by_columns */
} transform;

static pml_matmul product(const transform *job, size_t m, size_t k, const float *table, const float *w, float *y) {
    return (pml_matmul){
        .m = m, .k = k, .n = job->n_columns, .x = table, .x_stride = k, .w = w, .y = y, .y_stride = job->n_columns};
}

/* Sums [n_half, D] of the steps t and L - t of x, and behind them differences. Steps that are their own counterpart
 * count once, and have no difference. */
static void fold(const transform *job, const float *x, float *sums) {
    const size_t n = job->n_columns;
    float *differences = sums + job->n_half * n;
    for (size_t t = 0; t < job->n_half; t++, sums += n, differences += n) {
        const float *a = x + t * n, *b = x + (job->n_steps - t) * n;
        if (t == 0 || 2 * t == job->n_steps) {
            memcpy(sums, a, n * sizeof *sums);
            memset(differences, 0, n * sizeof *differences);
            continue;
        }
        for (size_t c = 0; c < n; c++) {
            sums[c] = a[c] + b[c];
            differences[c] = a[c] - b[c];
        }
    }
}

/* The way back, which is not fold's inverse but its transpose. */
static void unfold(const transform *job, const float *sums, bool adds, float *x) {
    const size_t n = job->n_columns;
    const float *differences = sums + job->n_half * n;
    for (size_t t = 0; t < job->n_half; t++, sums += n, differences += n) {
        const bool is_single = t == 0 || 2 * t == job->n_steps;
        float *a = x + t * n, *b = is_single ? NULL : x + (job->n_steps - t) * n;
        for (size_t c = 0; c < n; c++) {
            const float value = is_single ? sums[c] : sums[c] + differences[c];
            a[c] = adds ? a[c] + value : value;
        }
        for (size_t c = 0; b != NULL && c < n; c++) {
            const float value = sums[c] - differences[c];
            b[c] = adds ? b[c] + value : value;
        }
    }
}

static void make_spectrum(const transform *job, const float *x, float *y, float *work) {
    const size_t half = job->n_half * job->n_columns;
    if (job->by_columns) {
        pml_repack_transpose(x, job->n_columns, job->n_steps, job->n_steps, work + 2 * half);
        x = work + 2 * half;
    }
    fold(job, x, work);
    for (size_t part = 0; part < 2; part++) {
        float *to = y + part * job->n_modes * job->n_columns;
        pml_matmul real = product(job, job->n_modes, job->n_half, job->table + part * job->n_modes * job->n_half,
                                  work + part * half, to);
        real.residual = job->adds ? to : NULL;
        real.residual_stride = job->n_columns;
        job->matmul(&real);
    }
}

static void make_series(const transform *job, const float *x, float *y, float *work) {
    const size_t half = job->n_half * job->n_columns, count = job->n_steps * job->n_columns;
    for (size_t part = 0; part < 2; part++) {
        const pml_matmul real = product(job, job->n_half, job->n_modes, job->table + part * job->n_modes * job->n_half,
                                        x + part * job->n_modes * job->n_columns, work + part * half);
        job->matmul(&real);
    }
    if (!job->by_columns) {
        unfold(job, work, job->adds, y);
        return;
    }
    float *series = work + 2 * half;
    unfold(job, work, false, series);
    if (!job->adds) {
        pml_repack_transpose(series, job->n_steps, job->n_columns, job->n_columns, y);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        y[i] += series[i % job->n_steps * job->n_columns + i / job->n_steps];
    }
}

static void run_share(void *user, size_t i_share) {
    const transform *job = user;
    const size_t series = job->n_steps * job->n_columns, spectrum = 2 * job->n_modes * job->n_columns;
    const size_t end = pml_share_begin(job->n_samples, 1, job->n_shares, i_share + 1);
    float *work = job->work + i_share * job->work_floats;
    for (size_t b = pml_share_begin(job->n_samples, 1, job->n_shares, i_share); b < end; b++) {
        if (job->to_series) {
            make_series(job, job->from + b * spectrum, job->to + b * series, work);
        } else {
            make_spectrum(job, job->from + b * series, job->to + b * spectrum, work);
        }
    }
}

static transform transform_of(pml_context *context, const pml_tensor *spectrum, size_t n_steps, bool by_columns) {
    transform job = {.matmul = context->kernels.matmul_row_f32,
                     .n_samples = spectrum->shape[0],
                     .n_modes = spectrum->shape[1] / 2,
                     .n_steps = n_steps,
                     .n_columns = spectrum->shape[2],
                     .n_half = n_steps / 2 + 1,
                     .by_columns = by_columns};
    const double products = (double)pml_tensor_count(spectrum) * (double)job.n_half;
    job.n_shares = pml_context_shares(context, PML_COST_MULTIPLY(products));
    job.work_floats = (2 * job.n_half + (by_columns ? n_steps : 0)) * job.n_columns + 16;
    return job;
}

/* Floats of all scratch: the shares', and the table transposed. */
static size_t count_work(const transform *job) {
    return job->n_shares * job->work_floats + 2 * job->n_modes * job->n_half;
}

static void run(pml_context *context, transform *job, const pml_tensor *table, bool to_series, float *work) {
    const size_t half = job->n_modes * job->n_half;
    job->to_series = to_series;
    job->table = pml_tensor_f32_const(table);
    job->work = work;
    if (to_series) {
        float *turned = work + job->n_shares * job->work_floats;
        for (size_t part = 0; part < 2; part++) {
            pml_repack_transpose(job->table + part * half, job->n_modes, job->n_half, job->n_half,
                                 turned + part * half);
        }
        job->table = turned;
    }
    context->work.products += (uint64_t)job->n_samples * job->n_columns * 2 * half;
    pml_context_run(context, job->n_shares, run_share, job);
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry, transform *job,
                           bool to_series, pml_error *error) {
    pml_status status = PML_OK;
    float *work;
    bool is_new;
    if (pml_gradient_wanted(gradients, &entry->inputs[1])) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: the table has no gradient", entry->op->name));
    }
    PML_TRY(pml_gradient_begin(gradients, &entry->inputs[0], &job->to, &is_new, error));
    if (job->to != NULL) {
        job->adds = !is_new;
        job->from = pml_gradient_out(gradients, entry);
        PML_TRY(pml_gradients_scratch(gradients, count_work(job), &work, error));
        run(context, job, &entry->inputs[1], to_series, work);
    }

done:
    return status;
}

static pml_status mix_steps_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                     pml_error *error) {
    transform job = transform_of(context, &entry->output, entry->inputs[0].shape[1], false);
    return backward(context, gradients, entry, &job, true, error);
}

static pml_status unmix_steps_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                       pml_error *error) {
    transform job = transform_of(context, &entry->inputs[0], entry->output.shape[1], entry->attributes.integer[0] == 0);
    return backward(context, gradients, entry, &job, false, error);
}

static const pml_op op_mix_steps = {.name = "mix_steps", .backward = mix_steps_backward};
static const pml_op op_unmix_steps = {.name = "unmix_steps", .backward = unmix_steps_backward};

static bool is_table(const pml_tensor *table, size_t n_steps) {
    return pml_op_is(table, PML_DTYPE_F32) && table->rank == 2 && table->shape[0] % 2 == 0 && n_steps > 0 &&
           table->shape[1] == n_steps / 2 + 1;
}

pml_status pml_op_mix_steps(pml_context *context, const pml_tensor *table, const pml_tensor *x, pml_tensor *y,
                            pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && is_table(table, x->shape[1]),
                   "mix_steps: x must be F32 [B, L, D] and the table [2 M, L / 2 + 1]");
    const size_t shape[] = {x->shape[0], table->shape[0], x->shape[2]};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    transform job = transform_of(context, y, x->shape[1], false);
    job.from = pml_tensor_f32_const(x);
    job.to = pml_tensor_f32(y);
    PML_TRY(pml_context_quantized(context, count_work(&job) * sizeof(float), error));
    run(context, &job, table, false, context->quantized);
    PML_TRY(pml_tape_record(context->tape, &op_mix_steps, NULL, (const pml_tensor *const[]){x, table}, 2, y, error));

done:
    return status;
}

pml_status pml_op_unmix_steps(pml_context *context, const pml_tensor *x, const pml_tensor *table, size_t n_steps,
                              bool moved, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && is_table(table, n_steps) &&
                       x->shape[1] == table->shape[0],
                   "unmix_steps: x must be F32 [B, 2 M, D] and the table [2 M, L / 2 + 1]");
    const size_t shape[] = {x->shape[0], n_steps, x->shape[2]};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    transform job = transform_of(context, x, n_steps, !moved);
    job.from = pml_tensor_f32_const(x);
    job.to = pml_tensor_f32(y);
    PML_TRY(pml_context_quantized(context, count_work(&job) * sizeof(float), error));
    run(context, &job, table, true, context->quantized);
    PML_TRY(pml_tape_record(context->tape, &op_unmix_steps, &(pml_op_attributes){.integer = {moved}},
                            (const pml_tensor *const[]){x, table}, 2, y, error));

done:
    return status;
}
