#include "runtime/ops/convolve.h"

#include "runtime/ops/parallel.h"
#include "runtime/ops/product.h"
#include "runtime/ops/unfold.h"

static const pml_op op = {.name = "convolve", .backward = pml_convolve_backward};

pml_images pml_images_of(const pml_tensor *x, const pml_tensor *w) {
    return (pml_images){x->shape[0], x->shape[1], x->shape[2], x->shape[3], w->shape[2], w->shape[0]};
}

pml_image_rows pml_image_rows_at(const pml_images *images, size_t dy) {
    const size_t reach = images->taps / 2, above = dy < reach ? reach - dy : 0, below = dy > reach ? dy - reach : 0;
    const size_t n = above + below < images->height ? images->height - above - below : 0;
    return (pml_image_rows){above * images->width, below * images->width, n * images->width};
}

/* y [n] begins as the bias and the residual. */
static void begin_rows(const float *bias, const float *residual, size_t n_rows, size_t n_out, float *y) {
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t c = 0; c < n_out; c++) {
            const float start = bias == NULL ? 0 : bias[c];
            y[i * n_out + c] = start + (residual == NULL ? 0 : residual[i * n_out + c]);
        }
    }
}

/* ---- image by image ---- */
size_t pml_convolution_work(const pml_images *images) {
    const size_t count = images->height * images->width * images->taps * images->n_in;
    return (count + 15) / 16 * 16;
}

size_t pml_convolution_shares(pml_context *context, const pml_images *images) {
    const double positions = (double)images->n_samples * (double)images->height * (double)images->width;
    const double each = (double)images->taps * (double)images->taps * (double)images->n_in * (double)images->n_out;
    const size_t n_shares = pml_context_shares(context, PML_COST_MULTIPLY(positions * each));
    return n_shares < images->n_samples ? n_shares : images->n_samples;
}

static void convolve_share(void *user, size_t i_share) {
    const pml_convolution *job = user;
    const pml_images *images = &job->images;
    const size_t n_in = images->taps * images->n_in, n_out = images->n_out, count = images->height * images->width;
    float *wide = job->wide + i_share * pml_convolution_work(images);
    const size_t end = pml_share_begin(images->n_samples, 1, job->n_shares, i_share + 1);
    for (size_t b = pml_share_begin(images->n_samples, 1, job->n_shares, i_share); b < end; b++) {
        float *y = job->y + b * count * n_out;
        pml_unfold(job->x + b * count * images->n_in, images->height, images->width, images->n_in, images->taps,
                   PML_UNFOLD_ZERO, wide);
        begin_rows(job->bias, job->residual == NULL ? NULL : job->residual + b * count * n_out, count, n_out, y);
        for (size_t dy = 0; dy < images->taps; dy++) {
            const pml_image_rows rows = pml_image_rows_at(images, dy);
            job->matmul(&(pml_matmul){.m = rows.count,
                                      .k = n_in,
                                      .n = n_out,
                                      .x = wide + rows.source * n_in,
                                      .x_stride = n_in,
                                      .w = job->matrices[dy],
                                      .y = y + rows.first * n_out,
                                      .y_stride = n_out,
                                      .residual = y + rows.first * n_out,
                                      .residual_stride = n_out});
        }
    }
}

void pml_convolution_run(pml_context *context, const pml_convolution *job) {
    pml_convolution copy = *job;
    pml_context_run(context, job->n_shares, convolve_share, &copy);
    const uint64_t count = (uint64_t)job->images.taps * job->images.n_in * job->images.n_out;
    for (size_t dy = 0; dy < job->images.taps; dy++) {
        const size_t n_rows = pml_image_rows_at(&job->images, dy).count;
        context->work.products += job->images.n_samples * n_rows * count;
        context->work.weight_bytes += n_rows == 0 ? 0 : job->images.n_samples * count * sizeof(float);
    }
}

/* ---- all images at once: for one of them, whose rows threads share, and for matrices that need their rows as bytes */
/* Adds what tap row dy gives to all image rows of one sample that have such a neighbour. */
static pml_status add_row(pml_context *context, const pml_images *images, const pml_tensor *wide, const pml_tensor *w,
                          size_t b, size_t dy, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_in = w->shape[1], n_out = w->shape[2], before = b * images->height * images->width;
    const pml_image_rows rows = pml_image_rows_at(images, dy);
    const size_t first = before + rows.first, source = before + rows.source, block = pml_product_rows(w);
    for (size_t i = 0; i < rows.count; i += block < rows.count - i ? block : rows.count - i) {
        pml_product_bytes bytes = {0};
        float *to = pml_tensor_f32(y) + (first + i) * n_out;
        const pml_matmul job = {.m = rows.count - i < block ? rows.count - i : block,
                                .k = n_in,
                                .n = n_out,
                                .x = pml_tensor_f32_const(wide) + (source + i) * n_in,
                                .x_stride = n_in,
                                .w = pml_tensor_matrix(w, dy),
                                .y = to,
                                .y_stride = n_out,
                                .residual = to,
                                .residual_stride = n_out};
        PML_TRY(pml_product_run(context, &job, w, dy, &bytes, error));
    }

done:
    return status;
}

static pml_status run_together(pml_context *context, const pml_images *images, const pml_tensor *x, const pml_tensor *w,
                               const float *bias, const float *residual, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor wide;
    const size_t shape[] = {images->n_samples * images->height, images->width, w->shape[1]};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, &wide, error));
    pml_unfold(pml_tensor_f32_const(x), shape[0], shape[1], images->n_in, images->taps, PML_UNFOLD_ZERO,
               pml_tensor_f32(&wide));
    begin_rows(bias, residual, pml_tensor_rows(y), images->n_out, pml_tensor_f32(y));
    for (size_t b = 0; b < images->n_samples; b++) {
        for (size_t dy = 0; dy < images->taps; dy++) {
            PML_TRY(add_row(context, images, &wide, w, b, dy, y, error));
        }
    }

done:
    return status;
}

static pml_status run_apart(pml_context *context, const pml_images *images, const pml_tensor *x, const pml_tensor *w,
                            const float *bias, const float *residual, size_t n_shares, pml_tensor *y,
                            pml_error *error) {
    pml_status status = PML_OK;
    float *wide;
    const float *matrices[PML_CONVOLVE_MAX_TAPS];
    for (size_t dy = 0; dy < images->taps; dy++) {
        matrices[dy] = pml_tensor_matrix(w, dy);
    }
    PML_TRY(pml_context_scratch(context, n_shares * pml_convolution_work(images), &wide, error));
    pml_convolution_run(context,
                        &(pml_convolution){.images = *images,
                                           .x = pml_tensor_f32_const(x),
                                           .matmul = w->layout == PML_LAYOUT_ROW ? context->kernels.matmul_row_f32
                                                                                 : context->kernels.matmul_panel_f32,
                                           .matrices = matrices,
                                           .bias = bias,
                                           .residual = residual,
                                           .y = pml_tensor_f32(y),
                                           .n_shares = n_shares,
                                           .wide = wide});

done:
    return status;
}

pml_status pml_op_convolve(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                           const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 4 && w->rank == 3 && w->shape[0] % 2 == 1 &&
                       w->shape[0] <= PML_CONVOLVE_MAX_TAPS && w->shape[1] == w->shape[0] * x->shape[3],
                   "convolve: x must be F32 [B, H, W, C] and w [taps, taps * C, out] with odd taps, at most %u",
                   PML_CONVOLVE_MAX_TAPS);
    PML_OP_REQUIRE(pml_op_is_vector(bias, w->shape[2]), "convolve: the bias must have %zu values", w->shape[2]);
    const pml_images images = pml_images_of(x, w);
    const size_t shape[] = {x->shape[0], x->shape[1], x->shape[2], w->shape[2]};
    PML_TRY(pml_product_check(context, w, "convolve", error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 4, y, error));
    PML_OP_REQUIRE(residual == NULL || (pml_op_is(residual, PML_DTYPE_F32) && pml_op_same_shape(residual, y)),
                   "convolve: the residual does not have the result's shape");
    const size_t mark = pml_context_mark(context);
    const float *start = pml_tensor_f32_const(bias), *more = residual == NULL ? NULL : pml_tensor_f32_const(residual);
    const size_t n_shares = pml_convolution_shares(context, &images);
    if (w->dtype == PML_DTYPE_F32 && (images.n_samples > 1 || pml_context_threads(context) == 1)) {
        PML_TRY(run_apart(context, &images, x, w, start, more, n_shares, y, error));
    } else {
        PML_TRY(run_together(context, &images, x, w, start, more, y, error));
    }
    pml_context_release(context, mark, NULL);
    PML_TRY(pml_tape_record(context->tape, &op, NULL, (const pml_tensor *const[]){x, w, bias, residual}, 4, y, error));

done:
    return status;
}

size_t pml_convolve_bytes(size_t n_samples, size_t n_positions, size_t taps, size_t n_in, size_t n_out) {
    return PML_SUM(PML_FLOATS(n_samples, n_positions, n_out), PML_FLOATS(n_samples, n_positions, taps, n_in));
}
