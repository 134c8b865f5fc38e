/* Small pointwise ops: activations, affine maps and what distribution heads need. */
#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

/* Values that an activation is applied to at a time: they stay in the nearest cache, where they were copied to. */
#define BLOCK 4096u

static pml_status backward_affine(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                  pml_error *error) {
    (void)context;
    return pml_gradient_add(gradients, &entry->inputs[0], pml_gradient_out(gradients, entry),
                            (float)entry->attributes.real, error);
}

static const pml_op op_affine = {.name = "affine", .backward = backward_affine};

pml_status pml_op_affine(pml_context *context, const pml_tensor *x, double factor, double shift, pml_tensor *y,
                         pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32), "affine: x must be F32");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x);
    float *to = pml_tensor_f32(y);
    for (size_t i = 0, n = pml_tensor_count(x); i < n; i++) {
        to[i] = (float)((double)from[i] * factor + shift);
    }
    /* The shift has no influence on a gradient, so that one number is enough. */
    PML_TRY(pml_tape_record(context->tape, &op_affine, &(pml_op_attributes){.real = factor},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* ---- activations ---- */
typedef struct activation_job {
    const pml_context *context;
    pml_activate_gradient of; /* of all values; dy NULL: forward, and dx is y */
} activation_job;

static void run_activation(void *user, size_t begin, size_t end) {
    const activation_job *job = user;
    pml_activate_gradient of = job->of;
    if (of.dy != NULL) {
        of.n = end - begin;
        of.x += begin;
        of.dy += begin;
        of.dx += begin;
        job->context->kernels.activate_gradient_f32(&of);
        return;
    }
    for (size_t i = begin; i < end; i += BLOCK) {
        const size_t n = end - i < BLOCK ? end - i : BLOCK;
        memcpy(of.dx + i, of.x + i, n * sizeof *of.dx);
        job->context->kernels.activate_f32(of.activation, of.dx + i, n);
    }
}

static void split_activation(pml_context *context, const pml_activate_gradient *of) {
    activation_job job = {context, *of};
    pml_context_ranges(context, of->n, BLOCK, PML_COST_VALUES(of->n), run_activation, &job);
}

static pml_status backward_activate(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                    pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0];
    bool is_new;
    pml_activate_gradient of = {.activation = (pml_activation)entry->attributes.integer[0],
                                .n = pml_tensor_count(x),
                                .x = pml_tensor_f32_const(x),
                                .dy = pml_gradient_out(gradients, entry)};
    PML_TRY(pml_gradient_begin(gradients, x, &of.dx, &is_new, error));
    if (of.dx != NULL) {
        of.adds = !is_new;
        split_activation(context, &of);
    }

done:
    return status;
}

static const pml_op op_activate = {.name = "activate", .backward = backward_activate};

pml_status pml_op_activate(pml_context *context, const pml_tensor *x, pml_activation activation, pml_tensor *y,
                           pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32), "activate: x must be F32");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    split_activation(context, &(pml_activate_gradient){.activation = activation,
                                                       .n = pml_tensor_count(x),
                                                       .x = pml_tensor_f32_const(x),
                                                       .dx = pml_tensor_f32(y)});
    PML_TRY(pml_tape_record(context->tape, &op_activate, &(pml_op_attributes){.integer = {(int64_t)activation}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* ---- squareplus ---- */
/* The slope is (1 + x / sqrt(x^2 + 4)) / 2, and 0 where the least value stands. */
static pml_status backward_squareplus(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                      pml_error *error) {
    pml_status status = PML_OK;
    (void)context;
    const float *x = pml_tensor_f32_const(&entry->inputs[0]), *y = pml_tensor_f32_const(&entry->output);
    const float *dy = pml_gradient_out(gradients, entry), least = (float)entry->attributes.real;
    float *dx;
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[0], &dx, error));
    for (size_t i = 0, n = pml_tensor_count(&entry->output); dx != NULL && i < n; i++) {
        const double at = (double)x[i], root = sqrt(at * at + 4.0);
        const double slope = at < 0 ? 2.0 / (root * (root - at)) : (1.0 + at / root) / 2.0;
        dx[i] += y[i] > least ? (float)((double)dy[i] * slope) : 0.0F;
    }

done:
    return status;
}

static const pml_op op_squareplus = {.name = "squareplus", .backward = backward_squareplus};

/* (x + sqrt(x^2 + 4)) / 2, for negative x in the equal form that does not cancel. */
static double squareplus(double x) {
    double root = sqrt(x * x + 4.0);
    return x < 0 ? 2.0 / (root - x) : (x + root) / 2.0;
}

pml_status pml_op_squareplus(pml_context *context, const pml_tensor *x, double shift, double least, pml_tensor *y,
                             pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32), "squareplus: x must be F32");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x);
    float *to = pml_tensor_f32(y);
    for (size_t i = 0, n = pml_tensor_count(x); i < n; i++) {
        double value = shift + squareplus((double)from[i]);
        to[i] = (float)(value < least ? least : value);
    }
    PML_TRY(pml_tape_record(context->tape, &op_squareplus, &(pml_op_attributes){.real = least},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
