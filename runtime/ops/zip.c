/* Steps and columns of series in turns: what wavelet transforms do between their products. */
#include "runtime/ops/blocks.h"
#include "runtime/ops/op.h"
#include "runtime/ops/signal.h"

/* The series whole (0), and its beginning behind its end (1). */
static pml_blocks wrap_blocks(const pml_tensor *x, size_t n_steps, int part) {
    const size_t row = x->shape[1] * x->shape[2], more = (n_steps - x->shape[1]) * x->shape[2];
    return (pml_blocks){.n = {x->shape[0], 1, 1},
                        .count = part == 0 ? row : more,
                        .from = {row},
                        .to = {row + more},
                        .first_y = part == 0 ? 0 : row};
}

static pml_status wrap_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                pml_error *error) {
    pml_status status = PML_OK;
    for (int part = 0; part < 2; part++) {
        const pml_blocks blocks = wrap_blocks(&entry->inputs[0], (size_t)entry->attributes.integer[0], part);
        PML_TRY(pml_blocks_backward(context, gradients, &blocks, &entry->inputs[0], pml_gradient_out(gradients, entry),
                                    error));
    }

done:
    return status;
}

static const pml_op op_wrap = {.name = "wrap", .backward = wrap_backward};

/* The runs of a (0) or of b (1). */
static pml_blocks zip_blocks(const pml_tensor *x, size_t width, int part) {
    return (pml_blocks){.n = {pml_tensor_count(x) / width, 1, 1},
                        .count = width,
                        .from = {width},
                        .to = {2 * width},
                        .first_y = part == 0 ? 0 : width};
}

static pml_status zip_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                               pml_error *error) {
    pml_status status = PML_OK;
    for (int part = 0; part < 2; part++) {
        const pml_blocks blocks = zip_blocks(&entry->inputs[part], (size_t)entry->attributes.integer[0], part);
        PML_TRY(pml_blocks_backward(context, gradients, &blocks, &entry->inputs[part],
                                    pml_gradient_out(gradients, entry), error));
    }

done:
    return status;
}

static const pml_op op_zip = {.name = "zip", .backward = zip_backward};

static pml_blocks alternate_blocks(const pml_tensor *x, size_t first) {
    return (pml_blocks){.n = {x->shape[0] * x->shape[1] / 2, 1, 1},
                        .count = x->shape[2],
                        .from = {2 * x->shape[2]},
                        .to = {x->shape[2]},
                        .first_x = first * x->shape[2]};
}

static pml_status alternate_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                     pml_error *error) {
    const pml_blocks blocks = alternate_blocks(&entry->inputs[0], (size_t)entry->attributes.integer[0]);
    return pml_blocks_backward(context, gradients, &blocks, &entry->inputs[0], pml_gradient_out(gradients, entry),
                               error);
}

static const pml_op op_alternate = {.name = "alternate", .backward = alternate_backward};

pml_status pml_op_wrap(pml_context *context, const pml_tensor *x, size_t n_steps, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && n_steps >= x->shape[1] &&
                       n_steps - x->shape[1] <= x->shape[1],
                   "wrap: %zu steps from x, which must be F32 [B, T, C]", n_steps);
    PML_TRY(
        pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], n_steps, x->shape[2]}, 3, y, error));
    for (int part = 0; part < 2; part++) {
        const pml_blocks blocks = wrap_blocks(x, n_steps, part);
        pml_blocks_copy(context, &blocks, x, y);
    }
    PML_TRY(pml_tape_record(context->tape, &op_wrap, &(pml_op_attributes){.integer = {(int64_t)n_steps}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_zip(pml_context *context, const pml_tensor *a, const pml_tensor *b, size_t width, bool by_columns,
                      pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(a, PML_DTYPE_F32) && pml_op_is(b, PML_DTYPE_F32) && pml_op_same_shape(a, b) &&
                       a->rank >= 2 && width > 0 && a->shape[a->rank - 1] % width == 0,
                   "zip: a and b must be F32 of one shape, in runs of %zu values", width);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, a->shape, sizeof shape);
    shape[a->rank - (by_columns ? 1 : 2)] *= 2;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, a->rank, y, error));
    for (int part = 0; part < 2; part++) {
        const pml_blocks blocks = zip_blocks(a, width, part);
        pml_blocks_copy(context, &blocks, part == 0 ? a : b, y);
    }
    PML_TRY(pml_tape_record(context->tape, &op_zip, &(pml_op_attributes){.integer = {(int64_t)width, by_columns}},
                            (const pml_tensor *const[]){a, b}, 2, y, error));

done:
    return status;
}

pml_status pml_op_alternate(pml_context *context, const pml_tensor *x, size_t first, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && x->shape[1] % 2 == 0 && first < 2,
                   "alternate: x must be F32 [B, T, C] with an even number of steps");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){x->shape[0], x->shape[1] / 2, x->shape[2]}, 3,
                               y, error));
    const pml_blocks blocks = alternate_blocks(x, first);
    pml_blocks_copy(context, &blocks, x, y);
    PML_TRY(pml_tape_record(context->tape, &op_alternate, &(pml_op_attributes){.integer = {(int64_t)first}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
