/* Backward of a convolution: the input's gradient is a convolution of g by the matrices turned around; the matrices'
 * are products of the neighbours of all positions, transposed, with g. */
#include "runtime/ops/convolve.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/repack.h"

/* ---- of the input ---- */
typedef struct turn_job {
    const pml_images *images;
    const pml_tensor *w; /* of any dtype and layout that products read */
    size_t matrix_floats, block_floats;
    float *matrices; /* by dy: panels [taps * out][in] */
    float *blocks;   /* scratch, by dy */
} turn_job;

/* Rows dx of matrix dy, transposed, become rows taps - 1 - dx of matrix taps - 1 - dy. */
static void turn_matrices(void *user, size_t begin, size_t end) {
    const turn_job *job = user;
    const size_t taps = job->images->taps, n_in = job->images->n_in, n_out = job->images->n_out;
    for (size_t dy = begin; dy < end; dy++) {
        float *columns = job->blocks + dy * job->block_floats; /* panels [out][taps * in] */
        float *rows = columns + pml_repack_count(n_out, taps * n_in);
        pml_repack_weight_transposed(job->w, taps - 1 - dy, 0, taps * n_in, columns);
        for (size_t k = 0; k < taps * n_out; k++) {
            const size_t first = (taps - 1 - k / n_out) * n_in, o = k % n_out;
            for (size_t c = 0; c < n_in; c++) {
                const size_t row = first + c;
                rows[k * n_in + c] = columns[row / 16 * n_out * 16 + o * 16 + row % 16];
            }
        }
        pml_repack_rows(rows, taps * n_out, n_in, n_in, job->matrices + dy * job->matrix_floats);
    }
}

/* dx is a convolution of g [B, H, W, out] by these. */
static pml_status add_input(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                            pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *w = &entry->inputs[1];
    const pml_images images = pml_images_of(x, w);
    const pml_images turned = {images.n_samples, images.height, images.width, images.n_out, images.n_in, images.taps};
    const float *matrices[PML_CONVOLVE_MAX_TAPS];
    float *dx, *wide;
    bool is_new;
    turn_job turn = {
        .images = &images,
        .w = w,
        .matrix_floats = pml_repack_count(images.taps * images.n_out, images.n_in),
        .block_floats = pml_repack_count(images.n_out, images.taps * images.n_in) + pml_tensor_count(w) / images.taps,
    };
    PML_TRY(pml_gradient_begin(gradients, x, &dx, &is_new, error));
    if (dx == NULL) {
        goto done;
    }
    PML_TRY(pml_gradients_scratch(gradients, images.taps * turn.matrix_floats, &turn.matrices, error));
    PML_TRY(pml_gradients_scratch(gradients, images.taps * turn.block_floats, &turn.blocks, error));
    pml_context_ranges(context, images.taps, 1, PML_COST_VALUES(pml_tensor_count(w)), turn_matrices, &turn);
    for (size_t dy = 0; dy < images.taps; dy++) {
        matrices[dy] = turn.matrices + dy * turn.matrix_floats;
    }
    const size_t n_shares = pml_convolution_shares(context, &turned);
    PML_TRY(pml_gradients_scratch(gradients, n_shares * pml_convolution_work(&turned), &wide, error));
    pml_convolution_run(context, &(pml_convolution){.images = turned,
                                                    .x = pml_gradient_out(gradients, entry),
                                                    .matmul = context->kernels.matmul_panel_f32,
                                                    .matrices = matrices,
                                                    .residual = is_new ? NULL : dx,
                                                    .y = dx,
                                                    .n_shares = n_shares,
                                                    .wide = wide});

done:
    return status;
}

/* ---- of the matrices ---- */
/* Rows of a matrix that are made at a time: what they are added to, for all tap rows, stays in the second-level cache
 * while image after image goes by. */
#define BLOCK_ROWS 48u

typedef struct weight_job {
    pml_images images;
    pml_matmul_fn *matmul;
    const float *channels; /* x [B, in, H * W] */
    const float *g;        /* [B, H * W, out] */
    float *dw;             /* [taps, taps * in, out] */
    size_t n_shares;
    float *neighbours; /* scratch: [n_shares][BLOCK_ROWS][H * W] */
} weight_job;

/* y [H, W] = a channel [H, W], moved to the left by `by` columns within its rows; zeros come in. */
static void move_columns(const float *channel, size_t height, size_t width, ptrdiff_t by, float *y) {
    const size_t distance = (size_t)(by < 0 ? -by : by), kept = distance < width ? width - distance : 0;
    for (size_t h = 0; h < height; h++, channel += width, y += width) {
        const float *from = by > 0 ? channel + (width - kept) : channel;
        float *to = by < 0 ? y + (width - kept) : y;
        memset(by < 0 ? y : y + kept, 0, (width - kept) * sizeof *y);
        memcpy(to, from, kept * sizeof *y);
    }
}

/* Rows first .. first + n - 1 of every dw[dy] += what one image gives. */
static void add_image(const weight_job *job, size_t b, size_t first, size_t n, float *neighbours) {
    const pml_images *images = &job->images;
    const size_t count = images->height * images->width, n_in = images->n_in, n_out = images->n_out;
    for (size_t i = 0; i < n; i++) {
        const size_t tap = (first + i) / n_in, channel = (first + i) % n_in;
        move_columns(job->channels + (b * n_in + channel) * count, images->height, images->width,
                     (ptrdiff_t)tap - (ptrdiff_t)(images->taps / 2), neighbours + i * count);
    }
    for (size_t dy = 0; dy < images->taps; dy++) {
        const pml_image_rows rows = pml_image_rows_at(images, dy);
        float *to = job->dw + (dy * images->taps * n_in + first) * n_out;
        if (rows.count > 0) {
            job->matmul(&(pml_matmul){.m = n,
                                      .k = rows.count,
                                      .n = n_out,
                                      .x = neighbours + rows.source,
                                      .x_stride = count,
                                      .w = job->g + (b * count + rows.first) * n_out,
                                      .y = to,
                                      .y_stride = n_out,
                                      .residual = to,
                                      .residual_stride = n_out});
        }
    }
}

static void weigh_share(void *user, size_t i_share) {
    const weight_job *job = user;
    const pml_images *images = &job->images;
    const size_t n_rows = images->taps * images->n_in, count = images->height * images->width;
    const size_t end = pml_share_begin(n_rows, BLOCK_ROWS, job->n_shares, i_share + 1);
    float *neighbours = job->neighbours + i_share * BLOCK_ROWS * count;
    size_t first = pml_share_begin(n_rows, BLOCK_ROWS, job->n_shares, i_share);
    for (; first < end; first += BLOCK_ROWS) {
        for (size_t b = 0; b < images->n_samples; b++) {
            add_image(job, b, first, end - first < BLOCK_ROWS ? end - first : BLOCK_ROWS, neighbours);
        }
    }
}

typedef struct channels_job {
    const float *x;
    size_t n_positions, n_channels;
    float *channels;
} channels_job;

static void transpose_images(void *user, size_t begin, size_t end) {
    const channels_job *job = user;
    const size_t count = job->n_positions * job->n_channels;
    for (size_t b = begin; b < end; b++) {
        pml_repack_transpose(job->x + b * count, job->n_positions, job->n_channels, job->n_channels,
                             job->channels + b * count);
    }
}

static pml_status add_weight(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                             pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *w = &entry->inputs[1];
    weight_job job = {.images = pml_images_of(x, w),
                      .matmul = context->kernels.matmul_row_f32,
                      .g = pml_gradient_out(gradients, entry)};
    const pml_images *images = &job.images;
    const size_t n_positions = images->height * images->width, n_rows = images->taps * images->n_in;
    PML_TRY(pml_gradient_of(gradients, w, &job.dw, error));
    if (job.dw == NULL) {
        goto done;
    }
    float *channels;
    PML_TRY(pml_gradients_scratch(gradients, pml_tensor_count(x), &channels, error));
    channels_job turn = {pml_tensor_f32_const(x), n_positions, images->n_in, channels};
    pml_context_ranges(context, images->n_samples, 1, PML_COST_VALUES(pml_tensor_count(x)), transpose_images, &turn);
    job.channels = channels;
    const double products = (double)images->n_samples * (double)n_positions * (double)pml_tensor_count(w);
    const size_t most = n_rows / BLOCK_ROWS + (n_rows % BLOCK_ROWS != 0);
    job.n_shares = pml_context_shares(context, PML_COST_MULTIPLY(products));
    job.n_shares = job.n_shares < most ? job.n_shares : most;
    PML_TRY(pml_gradients_scratch(gradients, job.n_shares * BLOCK_ROWS * n_positions, &job.neighbours, error));
    pml_context_run(context, job.n_shares, weigh_share, &job);
    for (size_t dy = 0; dy < images->taps; dy++) {
        context->work.products +=
            (uint64_t)images->n_samples * pml_image_rows_at(images, dy).count * n_rows * images->n_out;
    }

done:
    return status;
}

pml_status pml_convolve_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                 pml_error *error) {
    pml_status status = PML_OK;
    const float *g = pml_gradient_out(gradients, entry);
    const size_t n_out = entry->inputs[1].shape[2];
    float *d_bias;
    PML_TRY(add_input(context, gradients, entry, error));
    PML_TRY(add_weight(context, gradients, entry, error));
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[2], &d_bias, error));
    if (d_bias != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, g, pml_tensor_rows(&entry->output), n_out, n_out, d_bias, error));
    }
    PML_TRY(pml_gradient_add(gradients, &entry->inputs[3], g, 1, error));

done:
    return status;
}
