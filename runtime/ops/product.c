#include "runtime/ops/product.h"

#include "runtime/base/checked.h"
#include "runtime/ops/repack.h"
#include "runtime/ops/split.h"

/* Bytes of quantized rows that are made before they are used: they stay in the second-level cache beside a panel. */
#define QUANTIZED_BYTES ((size_t)1 << 18)
/* A multiple of every tile's rows. */
#define LEAST_ROWS 48u

static pml_matmul_fn *choose(const pml_kernels *kernels, const pml_tensor *w) {
    if (w->layout == PML_LAYOUT_PANEL) {
        return w->dtype == PML_DTYPE_F32    ? kernels->matmul_panel_f32
               : w->dtype == PML_DTYPE_BF16 ? kernels->matmul_panel_bf16
                                            : NULL;
    }
    return w->dtype == PML_DTYPE_F32    ? kernels->matmul_row_f32
           : w->dtype == PML_DTYPE_BF16 ? kernels->matmul_row_bf16
                                        : NULL;
}

static bool is_i8(const pml_tensor *w) {
    return w->dtype == PML_DTYPE_I8 && w->layout == PML_LAYOUT_PANEL;
}

pml_status pml_product_check(const pml_context *context, const pml_tensor *w, const char *op, pml_error *error) {
    if (choose(&context->kernels, w) == NULL && !is_i8(w)) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: no kernel for a %s matrix in layout %s", op,
                        pml_dtype_name(w->dtype), pml_layout_name(w->layout));
    }
    return PML_OK;
}

size_t pml_product_rows(const pml_tensor *w) {
    if (!is_i8(w)) {
        return SIZE_MAX;
    }
    const size_t row_bytes = w->shape[w->rank - 2] + pml_tensor_n_groups(w) * sizeof(float);
    const size_t n_rows = QUANTIZED_BYTES / row_bytes / LEAST_ROWS * LEAST_ROWS;
    return n_rows < LEAST_ROWS ? LEAST_ROWS : n_rows;
}

/* The job's rows as bytes with a scale per `group` columns. */
static pml_status quantize(pml_context *context, const pml_matmul *job, size_t group, size_t n_groups,
                           pml_product_bytes *bytes, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t stride = 0, scale_bytes = 0, size_bytes = 0;
    /* A line between rows keeps rows of a power of two from sharing sets of the cache. */
    if (!pml_ck_pad(job->k, PML_TENSOR_ALIGNMENT_BYTES, &stride) ||
        !pml_ck_add(stride, PML_TENSOR_ALIGNMENT_BYTES, &stride) ||
        !pml_ck_mul(n_groups, sizeof(float), &scale_bytes) || !pml_ck_add(stride, scale_bytes, &size_bytes) ||
        !pml_ck_mul(size_bytes, job->m, &size_bytes) || size_bytes > SIZE_MAX / 2) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%zu rows of %zu columns are too many", job->m, job->k));
    }
    PML_TRY(pml_context_quantized(context, (size_t)size_bytes, error));
    bytes->rows = context->quantized;
    bytes->stride = (size_t)stride;
    bytes->scales = (float *)(void *)(bytes->rows + job->m * bytes->stride);
    bytes->group = group;
    pml_split_quantize(context, &(pml_quantize){.m = job->m,
                                                .k = job->k,
                                                .x = job->x,
                                                .x_stride = job->x_stride,
                                                .group = group,
                                                .q = bytes->rows,
                                                .q_stride = bytes->stride,
                                                .scales = bytes->scales});

done:
    return status;
}

static void count_work(pml_context *context, const pml_matmul *job, const pml_tensor *w) {
    context->work.products += (uint64_t)job->m * job->k * job->n;
    context->work.weight_bytes += (uint64_t)job->k * job->n * pml_dtype_bits(w->dtype) / 8;
    if (is_i8(w)) { /* beside them a scale and a sum per column, F16 and I16 in groups */
        const size_t each = pml_tensor_quantization(w, 0).group_rows > 0 ? 4 : 8;
        context->work.weight_bytes += (uint64_t)pml_tensor_n_groups(w) * job->n * each;
    }
}

/* Whether training rounds the matrix to BF16 for its products. */
static bool is_rounded(const pml_context *context, const pml_tensor *w) {
    return context->training != NULL && context->training->bf16 && w->dtype == PML_DTYPE_F32 &&
           w->layout == PML_LAYOUT_ROW;
}

/* The panels are needed for this product alone, also where a tape keeps what ops make. */
static pml_status run_rounded(pml_context *context, const pml_matmul *job, pml_error *error) {
    pml_status status = PML_OK;
    pml_tape *tape = context->tape;
    const size_t mark = pml_context_mark(context);
    float *scratch;
    uint64_t depth = 0, count = 0;
    context->tape = NULL;
    if (!pml_ck_pad(job->k, 2, &depth) || !pml_ck_mul(depth, job->n + PML_PANEL_COLUMNS, &count)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "a matrix of %zu x %zu is too large", job->k, job->n));
    }
    PML_TRY(pml_context_scratch(context, pml_repack_count((size_t)depth, job->n) / 2, &scratch, error));
    pml_repack_rows_bf16(job->w, job->k, job->n, job->n, (uint16_t *)(void *)scratch);
    pml_matmul rounded = *job;
    rounded.w = scratch;
    const pml_tensor packed = {
        .dtype = PML_DTYPE_BF16, .layout = PML_LAYOUT_PANEL, .rank = 2, .shape = {job->k, job->n}};
    pml_split_matmul(context, context->kernels.matmul_panel_bf16, &rounded, &packed);

done:
    pml_context_release(context, mark, NULL);
    context->tape = tape;
    return status;
}

pml_status pml_product_run(pml_context *context, const pml_matmul *job, const pml_tensor *w, size_t i_matrix,
                           pml_product_bytes *bytes, pml_error *error) {
    pml_status status = PML_OK;
    count_work(context, job, w);
    if (is_rounded(context, w)) {
        PML_TRY(run_rounded(context, job, error));
        goto done;
    }
    if (!is_i8(w)) {
        pml_split_matmul(context, choose(&context->kernels, w), job, w);
        goto done;
    }
    const pml_quantization quantization = pml_tensor_quantization(w, i_matrix);
    if (bytes->rows == NULL || bytes->group != quantization.group_rows) {
        PML_TRY(quantize(context, job, quantization.group_rows, pml_tensor_n_groups(w), bytes, error));
    }
    pml_matmul_i8_fn *matmul =
        quantization.group_rows == 0 ? context->kernels.matmul_panel_i8 : context->kernels.matmul_panel_i8g;
    const pml_matmul_i8 product = {
        .m = job->m,
        .k = job->k,
        .n = job->n,
        .x = bytes->rows,
        .x_stride = bytes->stride,
        .x_scales = bytes->scales,
        .w = job->w,
        .w_scales = quantization.scales,
        .w_sums = quantization.sums,
        .group_rows = quantization.group_rows,
        .scale_factor = quantization.scale_factor,
        .y = job->y,
        .y_stride = job->y_stride,
        .bias = job->bias,
        .residual = job->residual,
        .residual_stride = job->residual_stride,
        .activation = job->activation,
    };
    pml_split_matmul_i8(context, matmul, &product);

done:
    return status;
}
