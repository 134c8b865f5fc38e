/* Spectra times complex matrices: for each of them, the rows of all samples at its frequency and head. */
#include "runtime/ops/fourier.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/product.h"
#include "runtime/ops/repack.h"

typedef struct mix { /* B samples; matrix i is of head i / M and frequency i mod M */
    size_t n_samples, n_modes, n_heads, n_columns, width;
    const pml_kernels *kernels;
    const pml_tensor *real, *imaginary;
    const float *x, *g; /* spectra; g: backward, the gradient of y */
    float *y;
    float *dx, *d_real, *d_imaginary; /* NULL: not wanted */
    size_t n_shares, work_floats;
    float *work; /* scratch of every share */
} mix;

static mix mix_of(const pml_context *context, const pml_tensor *x, size_t n_heads, const pml_tensor *real,
                  const pml_tensor *imaginary) {
    return (mix){.n_samples = x->shape[0],
                 .n_modes = x->shape[1] / 2,
                 .n_heads = n_heads,
                 .n_columns = x->shape[2],
                 .width = x->shape[2] / n_heads,
                 .kernels = &context->kernels,
                 .real = real,
                 .imaginary = imaginary,
                 .x = pml_tensor_f32_const(x)};
}

/* Where the real part of sample 0 begins; imaginary ones lie `behind` it, and samples are `stride` apart. */
static size_t begin_of(const mix *job, size_t i) {
    return i % job->n_modes * job->n_columns + i / job->n_modes * job->width;
}

static size_t behind(const mix *job) {
    return job->n_modes * job->n_columns;
}

static size_t stride(const mix *job) {
    return 2 * job->n_modes * job->n_columns;
}

/* y [B, E] = sign * rows of all samples. */
static float *gather(const mix *job, const float *rows, float sign, float *y) {
    for (size_t b = 0; b < job->n_samples; b++, y += job->width) {
        for (size_t e = 0; e < job->width; e++) {
            y[e] = sign * rows[b * stride(job) + e];
        }
    }
    return y;
}

/* ---- forward: (a + bi)(c + di) is a c - b d and b c + a d ---- */
typedef struct factors {
    pml_matmul real[2], imaginary[2]; /* each the first, to which the second is added */
} factors;

/* `negative` [B, E]: scratch that gets -b. */
static factors factors_of(const mix *job, size_t i, float *negative) {
    const size_t begin = begin_of(job, i);
    const float *a = job->x + begin, *b = a + behind(job);
    float *y = job->y + begin;
    const pml_matmul first = {.m = job->n_samples,
                              .k = job->width,
                              .n = job->width,
                              .x = a,
                              .x_stride = stride(job),
                              .w = pml_tensor_matrix(job->real, i),
                              .y = y,
                              .y_stride = stride(job)};
    factors f = {.real = {first, first}, .imaginary = {first, first}};
    gather(job, b, -1, negative);
    f.real[1].x = negative;
    f.real[1].x_stride = job->width;
    f.real[1].w = f.imaginary[1].w = pml_tensor_matrix(job->imaginary, i);
    f.imaginary[0].x = b;
    f.imaginary[0].y = f.imaginary[1].y = y + behind(job);
    f.real[1].residual = f.real[1].y;
    f.imaginary[1].residual = f.imaginary[1].y;
    f.real[1].residual_stride = f.imaginary[1].residual_stride = stride(job);
    return f;
}

static void mix_share(void *user, size_t i_share) {
    const mix *job = user;
    const size_t n = job->n_heads * job->n_modes, end = pml_share_begin(n, 1, job->n_shares, i_share + 1);
    pml_matmul_fn *matmul =
        job->real->layout == PML_LAYOUT_ROW ? job->kernels->matmul_row_f32 : job->kernels->matmul_panel_f32;
    for (size_t i = pml_share_begin(n, 1, job->n_shares, i_share); i < end; i++) {
        const factors f = factors_of(job, i, job->work + i_share * job->work_floats);
        for (size_t k = 0; k < 2; k++) {
            matmul(&f.real[k]);
            matmul(&f.imaginary[k]);
        }
    }
}

/* Matrices that need their rows as bytes, or in BF16: one after the other. */
static pml_status mix_in_turns(pml_context *context, const mix *job, float *negative, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < job->n_heads * job->n_modes; i++) {
        const factors f = factors_of(job, i, negative);
        for (size_t k = 0; k < 2; k++) {
            const pml_tensor *w = k == 0 ? job->real : job->imaginary;
            PML_TRY(pml_product_run(context, &f.real[k], w, i, &(pml_product_bytes){0}, error));
            PML_TRY(pml_product_run(context, &f.imaginary[k], w, i, &(pml_product_bytes){0}, error));
        }
    }

done:
    return status;
}

static double cost_of(const mix *job) {
    return PML_COST_MULTIPLY((double)stride(job) * (double)job->n_samples * 2 * (double)job->width);
}

static size_t shares_of(pml_context *context, const mix *job, double cost) {
    const size_t n = job->n_heads * job->n_modes, n_shares = pml_context_shares(context, cost);
    return n_shares < n ? n_shares : n;
}

/* ---- backward ---- */
typedef struct back_work { /* rows are imaginary parts of all samples, and then real ones */
    float *rows;           /* x, transposed: [E, 2 B] */
    float *g, *turned;     /* [2 B, E]: of g, and of g / i */
    float *panels;         /* of a matrix, transposed */
    float *stacked;        /* x: [2 B, E] */
} back_work;

static size_t lay_out(const mix *job, float *floats, back_work *work) {
    const size_t rows = 2 * job->n_samples * job->width;
    const struct {
        float **part;
        size_t count;
    } parts[] = {{&work->rows, rows},
                 {&work->g, rows},
                 {&work->turned, rows},
                 {&work->panels, pml_repack_count(job->width, job->width)},
                 {&work->stacked, rows}};
    size_t total = 0;
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        *parts[k].part = floats == NULL ? NULL : floats + total;
        total += (parts[k].count + 15) / 16 * 16;
    }
    return total;
}

/* dx += G . transpose of real, + (G / i) . transpose of imaginary. */
static void add_input(const mix *job, size_t i, const back_work *work) {
    const size_t count = job->n_samples * job->width;
    float *dx = job->dx + begin_of(job, i);
    for (size_t k = 0; k < 2; k++) {
        pml_repack_weight_transposed(k == 0 ? job->real : job->imaginary, i, 0, job->width, work->panels);
        for (size_t part = 0; part < 2; part++) {
            float *to = dx + (1 - part) * behind(job);
            job->kernels->matmul_panel_f32(&(pml_matmul){.m = job->n_samples,
                                                         .k = job->width,
                                                         .n = job->width,
                                                         .x = (k == 0 ? work->g : work->turned) + part * count,
                                                         .x_stride = job->width,
                                                         .w = work->panels,
                                                         .y = to,
                                                         .y_stride = stride(job),
                                                         .residual = to,
                                                         .residual_stride = stride(job)});
        }
    }
}

/* d real += transpose of x . G, d imaginary += transpose of x . (G / i). */
static void add_matrices(const mix *job, size_t i, const back_work *work) {
    const float *x = job->x + begin_of(job, i);
    float *const to[] = {job->d_real, job->d_imaginary};
    gather(job, x, 1, gather(job, x + behind(job), 1, work->stacked));
    pml_repack_transpose(work->stacked, 2 * job->n_samples, job->width, job->width, work->rows);
    for (size_t k = 0; k < 2; k++) {
        if (to[k] != NULL) {
            float *dw = to[k] + i * job->width * job->width;
            job->kernels->matmul_row_f32(&(pml_matmul){.m = job->width,
                                                       .k = 2 * job->n_samples,
                                                       .n = job->width,
                                                       .x = work->rows,
                                                       .x_stride = 2 * job->n_samples,
                                                       .w = k == 0 ? work->g : work->turned,
                                                       .y = dw,
                                                       .y_stride = job->width,
                                                       .residual = dw,
                                                       .residual_stride = job->width});
        }
    }
}

static void back_share(void *user, size_t i_share) {
    const mix *job = user;
    const size_t n = job->n_heads * job->n_modes, end = pml_share_begin(n, 1, job->n_shares, i_share + 1);
    back_work work;
    lay_out(job, job->work + i_share * job->work_floats, &work);
    for (size_t i = pml_share_begin(n, 1, job->n_shares, i_share); i < end; i++) {
        const float *g = job->g + begin_of(job, i);
        gather(job, g, 1, gather(job, g + behind(job), 1, work.g));
        gather(job, g + behind(job), 1, gather(job, g, -1, work.turned));
        if (job->dx != NULL) {
            add_input(job, i, &work);
        }
        if (job->d_real != NULL || job->d_imaginary != NULL) {
            add_matrices(job, i, &work);
        }
    }
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0];
    mix job = mix_of(context, x, (size_t)entry->attributes.integer[0], &entry->inputs[1], &entry->inputs[2]);
    back_work counted;
    job.g = pml_gradient_out(gradients, entry);
    PML_TRY(pml_gradient_of(gradients, x, &job.dx, error));
    PML_TRY(pml_gradient_of(gradients, job.real, &job.d_real, error));
    PML_TRY(pml_gradient_of(gradients, job.imaginary, &job.d_imaginary, error));
    job.n_shares = shares_of(context, &job, 2 * cost_of(&job));
    job.work_floats = lay_out(&job, NULL, &counted);
    PML_TRY(pml_gradients_scratch(gradients, job.n_shares * job.work_floats, &job.work, error));
    pml_context_run(context, job.n_shares, back_share, &job);
    context->work.products += 4 * (uint64_t)pml_tensor_count(x) * job.width;

done:
    return status;
}

static const pml_op op = {.name = "mix_modes", .backward = backward};

pml_status pml_op_mix_modes(pml_context *context, const pml_tensor *x, size_t n_heads, const pml_tensor *real,
                            const pml_tensor *imaginary, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] % 2 == 0 && n_heads > 0 &&
                       x->shape[2] % n_heads == 0,
                   "mix_modes: x must be a spectrum [B, 2 M, D] of %zu heads", n_heads);
    mix job = mix_of(context, x, n_heads, real, imaginary);
    const size_t shape[] = {n_heads * job.n_modes, job.width, job.width};
    PML_OP_REQUIRE(real->rank == 3 && memcmp(real->shape, shape, sizeof shape) == 0 &&
                       pml_op_same_shape(real, imaginary) && real->dtype == imaginary->dtype &&
                       real->layout == imaginary->layout,
                   "mix_modes: the matrices must be [%zu, %zu, %zu]", shape[0], shape[1], shape[2]);
    PML_TRY(pml_product_check(context, real, "mix_modes", error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, 3, y, error));
    const size_t mark = pml_context_mark(context);
    job.y = pml_tensor_f32(y);
    job.work_floats = (job.n_samples * job.width + 15) / 16 * 16;
    job.n_shares = real->dtype == PML_DTYPE_F32 ? shares_of(context, &job, cost_of(&job)) : 1;
    PML_TRY(pml_context_scratch(context, job.n_shares * job.work_floats, &job.work, error));
    if (real->dtype == PML_DTYPE_F32) {
        const uint64_t products = 2 * (uint64_t)pml_tensor_count(x) * job.width;
        context->work.products += products;
        context->work.weight_bytes += 4 * (uint64_t)pml_tensor_count(real) * sizeof(float);
        pml_context_run(context, job.n_shares, mix_share, &job);
    } else {
        PML_TRY(mix_in_turns(context, &job, job.work, error));
    }
    pml_context_release(context, mark, NULL);
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)n_heads}},
                            (const pml_tensor *const[]){x, real, imaginary}, 3, y, error));

done:
    return status;
}

size_t pml_mix_modes_bytes(size_t n_samples, size_t n_modes, size_t n_columns) {
    const size_t spectrum = PML_FLOATS(2, n_samples, n_modes, n_columns);
    return PML_SUM(spectrum, spectrum);
}
