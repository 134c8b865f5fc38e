/* Steps side by side with their neighbours: a convolution becomes a product with the panels of its weight. */
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/unfold.h"

/* ---- backward: every step collects what its copies got ---- */
typedef struct fold_job {
    const float *g; /* [B, T, taps * C] */
    float *dx;      /* [B, T, C] */
    bool is_new;
    size_t n_steps, n_channels, taps;
    pml_unfold_padding padding;
} fold_job;

/* dx [T, C] of one sample += column block i of g, its steps at t + offset. */
static void fold_tap(const fold_job *job, const float *g, ptrdiff_t offset, float *dx) {
    const ptrdiff_t n = (ptrdiff_t)job->n_steps;
    const size_t stride = job->taps * job->n_channels;
    for (ptrdiff_t t = 0; t < n; t++) {
        ptrdiff_t at = t + offset;
        if (at < 0 || at >= n) {
            if (job->padding == PML_UNFOLD_ZERO) {
                continue;
            }
            at += at < 0 ? n : -n;
        }
        const float *from = g + (size_t)t * stride;
        float *to = dx + (size_t)at * job->n_channels;
        for (size_t c = 0; c < job->n_channels; c++) {
            to[c] += from[c];
        }
    }
}

static void fold_samples(void *user, size_t begin, size_t end) {
    const fold_job *job = user;
    const size_t count = job->n_steps * job->n_channels, reach = job->taps / 2;
    for (size_t b = begin; b < end; b++) {
        const float *g = job->g + b * count * job->taps;
        float *dx = job->dx + b * count;
        for (size_t t = 0; job->is_new && t < job->n_steps; t++) { /* the tap in the middle has each step once */
            memcpy(dx + t * job->n_channels, g + (t * job->taps + reach) * job->n_channels,
                   job->n_channels * sizeof *dx);
        }
        for (size_t i = 0; i < job->taps; i++) {
            if (i != reach || !job->is_new) {
                fold_tap(job, g + i * job->n_channels, (ptrdiff_t)i - (ptrdiff_t)reach, dx);
            }
        }
    }
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    const pml_tensor *x = &entry->inputs[0];
    fold_job job = {
        .g = pml_gradient_out(gradients, entry),
        .n_steps = x->shape[1],
        .n_channels = x->shape[2],
        .taps = (size_t)entry->attributes.integer[0],
        .padding = (pml_unfold_padding)entry->attributes.integer[1],
    };
    const pml_status status = pml_gradient_begin(gradients, x, &job.dx, &job.is_new, error);
    if (status == PML_OK && job.dx != NULL) {
        pml_context_ranges(context, x->shape[0], 1, PML_COST_VALUES(pml_tensor_count(&entry->output)) / 4, fold_samples,
                           &job);
    }
    return status;
}

static const pml_op op_unfold = {.name = "unfold", .backward = backward};

/* ---- forward ---- */
/* Tap i of all steps of one sample: rows offset .. offset + T - 1 of x into a column block of y. */
static void unfold_tap(const float *x, size_t n_steps, size_t n_channels, ptrdiff_t offset, pml_unfold_padding padding,
                       float *y, size_t y_stride) {
    const ptrdiff_t n = (ptrdiff_t)n_steps;
    for (ptrdiff_t t = 0; t < n; t++) {
        ptrdiff_t from = t + offset;
        if (from < 0 || from >= n) {
            if (padding == PML_UNFOLD_ZERO) {
                memset(y + (size_t)t * y_stride, 0, n_channels * sizeof *y);
                continue;
            }
            from += from < 0 ? n : -n;
        }
        memcpy(y + (size_t)t * y_stride, x + (size_t)from * n_channels, n_channels * sizeof *y);
    }
}

void pml_unfold(const float *x, size_t n_samples, size_t n_steps, size_t n_channels, size_t taps,
                pml_unfold_padding padding, float *y) {
    const size_t stride = taps * n_channels;
    for (size_t b = 0; b < n_samples; b++) {
        for (size_t i = 0; i < taps; i++) {
            unfold_tap(x + b * n_steps * n_channels, n_steps, n_channels, (ptrdiff_t)i - (ptrdiff_t)(taps / 2), padding,
                       y + b * n_steps * stride + i * n_channels, stride);
        }
    }
}

pml_status pml_op_unfold(pml_context *context, const pml_tensor *x, size_t taps, pml_unfold_padding padding,
                         pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] > 0,
                   "unfold: x must be F32 [B, T, C] with at least one step");
    const size_t n_steps = x->shape[1], n_channels = x->shape[2];
    PML_OP_REQUIRE(taps % 2 == 1 && (padding == PML_UNFOLD_ZERO || taps / 2 <= n_steps) &&
                       (n_channels == 0 || taps <= (size_t)PTRDIFF_MAX / n_channels),
                   "unfold: %zu taps do not fit %zu steps", taps, n_steps);
    const size_t shape[] = {x->shape[0], n_steps, taps * n_channels};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, y, error));
    pml_unfold(pml_tensor_f32_const(x), x->shape[0], n_steps, n_channels, taps, padding, pml_tensor_f32(y));
    PML_TRY(pml_tape_record(context->tape, &op_unfold,
                            &(pml_op_attributes){.integer = {(int64_t)taps, (int64_t)padding}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
