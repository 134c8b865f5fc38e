/* y = drop(activation(x U + a)) D + b + residual, and its gradients. What lies between the products is as wide as the
 * layer: it exists for some rows at a time, and what backward passes need of it they compute again. */
#include "runtime/ops/feed_forward_recorded.h"

#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/product.h"
#include "runtime/ops/product_backward.h"
#include "runtime/ops/reduce.h"

/* Rows of a block: so many bytes, but not more blocks than that, because each packs both matrices anew. Whole groups of
 * dropout, whatever the width. */
#define BLOCK_BYTES ((size_t)1 << 20)
#define MOST_BLOCKS 8u
#define ROW_GRAIN 192u
/* Up to this depth the first product is sooner taken again than its result written and read. */
#define AGAIN_DEPTH 64u

typedef struct block_shape {
    size_t n_rows, n_in, width, n_out, block;
    bool keeps; /* what lies before the activation, of all rows */
} block_shape;

static block_shape shape_of(const pml_tensor *x, const pml_tensor *up, const pml_tensor *down) {
    block_shape s = {.n_rows = pml_tensor_rows(x),
                     .n_in = up->shape[0],
                     .width = up->shape[1],
                     .n_out = down->shape[1],
                     .keeps = up->shape[0] > AGAIN_DEPTH};
    const size_t fitting = BLOCK_BYTES / sizeof(float) / (s.width == 0 ? 1 : s.width),
                 even = s.n_rows / MOST_BLOCKS + 1;
    const size_t block = fitting > even ? fitting : even;
    s.block = (block + ROW_GRAIN - 1) / ROW_GRAIN * ROW_GRAIN;
    s.block = s.block < s.n_rows ? s.block : s.n_rows;
    return s;
}

/* ---- between the products ---- */
#define PIECE ((size_t)PML_DROPOUT_GROUP * 16)

typedef struct between {
    const pml_context *context;
    pml_activation activation;
    pml_dropout_mask mask;
    double dropout;
    uint64_t first; /* element of the layer at which the block begins */
    const float *x; /* before the activation; NULL: y has been through it */
    float *y;       /* forward: what the second product reads; backward: its gradient, which becomes x's */
    bool is_forward;
} between;

static void pass_pieces(void *user, size_t begin, size_t end) {
    const between *job = user;
    const pml_kernels *kernels = &job->context->kernels;
    for (size_t at = begin; at < end; at += PIECE) { /* stays in the nearest cache */
        const size_t n = end - at < PIECE ? end - at : PIECE;
        float *y = job->y + at;
        if (job->is_forward && job->x != NULL) {
            memcpy(y, job->x + at, n * sizeof *y);
            kernels->activate_f32(job->activation, y, n);
        }
        if (job->dropout > 0) {
            kernels->dropout_f32(&(pml_dropout){.mask = job->mask, .first = job->first + at, .n = n, .x = y, .y = y});
        }
        if (!job->is_forward && job->activation != PML_ACTIVATION_IDENTITY) {
            kernels->activate_gradient_f32(
                &(pml_activate_gradient){.activation = job->activation, .n = n, .x = job->x + at, .dy = y, .dx = y});
        }
    }
}

static void pass_between(pml_context *context, const between *job, size_t n) {
    between copy = *job;
    pml_context_ranges(context, n, PIECE, 4 * PML_COST_VALUES(n), pass_pieces, &copy);
}

/* ---- forward ---- */
typedef struct first_product {
    const pml_tensor *up, *bias;
    const float *x; /* of the block's first row */
    pml_activation activation;
} first_product;

static pml_status multiply_up(pml_context *context, const block_shape *s, const first_product *of, size_t n_rows,
                              float *y, pml_error *error) {
    const pml_matmul job = {
        .m = n_rows,
        .k = s->n_in,
        .n = s->width,
        .x = of->x,
        .x_stride = s->n_in,
        .w = pml_tensor_bytes(of->up),
        .y = y,
        .y_stride = s->width,
        .bias = of->bias == NULL ? NULL : pml_tensor_f32_const(of->bias),
        .activation = of->activation,
    };
    return pml_product_run(context, &job, of->up, 0, &(pml_product_bytes){0}, error);
}

static pml_status multiply_down(pml_context *context, const block_shape *s, const pml_feed_forward *layer, size_t first,
                                size_t n_rows, const float *x, const pml_tensor *y, pml_error *error) {
    const pml_matmul job = {
        .m = n_rows,
        .k = s->width,
        .n = s->n_out,
        .x = x,
        .x_stride = s->width,
        .w = pml_tensor_bytes(layer->down),
        .y = pml_tensor_f32(y) + first * s->n_out,
        .y_stride = s->n_out,
        .bias = layer->down_bias == NULL ? NULL : pml_tensor_f32_const(layer->down_bias),
        .residual = layer->residual == NULL ? NULL : pml_tensor_f32_const(layer->residual) + first * s->n_out,
        .residual_stride = s->n_out,
    };
    return pml_product_run(context, &job, layer->down, 0, &(pml_product_bytes){0}, error);
}

/* ---- backward ---- */
typedef struct passed { /* what a backward pass goes over */
    const pml_tape_entry *entry;
    block_shape s;
    between middle;
    const float *before; /* [rows][width]; NULL: computed again */
    const float *g;
    float *dx, *d_up, *d_up_bias, *d_down; /* NULL: not wanted */
    bool dx_is_new;
    float *again, *values, *slopes; /* of a block: before and behind the activation, and their gradient */
} passed;

static pml_status pass_block(pml_context *context, pml_gradients *gradients, const passed *p, size_t first, size_t n,
                             pml_error *error) {
    pml_status status = PML_OK;
    const block_shape *s = &p->s;
    const pml_tensor *up = &p->entry->inputs[1], *bias = &p->entry->inputs[2], *down = &p->entry->inputs[3];
    const first_product product = {.up = up,
                                   .bias = bias->dtype == PML_DTYPE_NONE ? NULL : bias,
                                   .x = pml_tensor_f32_const(&p->entry->inputs[0]) + first * s->n_in};
    between middle = p->middle;
    middle.first = (uint64_t)first * s->width;
    middle.x = p->again;
    if (p->before != NULL) {
        middle.x = p->before + first * s->width;
    } else {
        PML_TRY(multiply_up(context, s, &product, n, p->again, error));
    }
    const pml_product_operands outer = {
        .m = n, .x = p->values, .x_stride = s->width, .g = p->g + first * s->n_out, .g_stride = s->n_out};
    if (p->d_down != NULL) {
        middle.is_forward = true;
        middle.y = p->values;
        pass_between(context, &middle, n * s->width);
        PML_TRY(pml_product_weight_backward(context, gradients, &outer, s->width, s->n_out, p->d_down, error));
    }
    PML_TRY(pml_product_input_backward(context, gradients, &outer, down, 0, p->slopes, s->width, true, error));
    middle.is_forward = false;
    middle.y = p->slopes;
    pass_between(context, &middle, n * s->width);
    const pml_product_operands inner = {
        .m = n, .x = product.x, .x_stride = s->n_in, .g = p->slopes, .g_stride = s->width};
    if (p->d_up != NULL) {
        PML_TRY(pml_product_weight_backward(context, gradients, &inner, s->n_in, s->width, p->d_up, error));
    }
    if (p->d_up_bias != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, p->slopes, n, s->width, s->width, p->d_up_bias, error));
    }
    if (p->dx != NULL) {
        PML_TRY(pml_product_input_backward(context, gradients, &inner, up, 0, p->dx + first * s->n_in, s->n_in,
                                           p->dx_is_new, error));
    }

done:
    return status;
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *inputs = entry->inputs;
    const int64_t *at = entry->attributes.integer;
    passed p = {.entry = entry,
                .s = shape_of(&inputs[0], &inputs[1], &inputs[3]),
                .middle = {.context = context,
                           .activation = (pml_activation)(at[0] & 255),
                           .dropout = entry->attributes.real,
                           .mask = pml_dropout_mask_of((uint64_t)at[1], (uint64_t)at[2], (uint64_t)(at[0] >> 8),
                                                       entry->attributes.real)},
                .before = entry->attributes.data,
                .g = pml_gradient_out(gradients, entry)};
    float *d_down_bias;
    PML_TRY(pml_gradients_scratch(gradients, p.before == NULL ? p.s.block * p.s.width : 0, &p.again, error));
    PML_TRY(pml_gradients_scratch(gradients, p.s.block * p.s.width, &p.values, error));
    PML_TRY(pml_gradients_scratch(gradients, p.s.block * p.s.width, &p.slopes, error));
    PML_TRY(pml_gradient_of(gradients, &inputs[1], &p.d_up, error));
    PML_TRY(pml_gradient_of(gradients, &inputs[2], &p.d_up_bias, error));
    PML_TRY(pml_gradient_of(gradients, &inputs[3], &p.d_down, error));
    PML_TRY(pml_gradient_of(gradients, &inputs[4], &d_down_bias, error));
    PML_TRY(pml_gradient_begin(gradients, &inputs[0], &p.dx, &p.dx_is_new, error));
    for (size_t first = 0; first < p.s.n_rows; first += p.s.block) {
        const size_t n = p.s.n_rows - first < p.s.block ? p.s.n_rows - first : p.s.block;
        PML_TRY(pass_block(context, gradients, &p, first, n, error));
    }
    if (d_down_bias != NULL) {
        PML_TRY(pml_reduce_rows(context, gradients, p.g, p.s.n_rows, p.s.n_out, p.s.n_out, d_down_bias, error));
    }
    PML_TRY(pml_gradient_add(gradients, &inputs[5], p.g, 1, error));

done:
    return status;
}

static const pml_op op = {.name = "feed_forward", .backward = backward};

pml_status pml_feed_forward_record(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer,
                                   const pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const block_shape s = shape_of(x, layer->up, layer->down);
    pml_training *training = context->training;
    const double dropout = training == NULL ? 0 : layer->dropout;
    const uint64_t number = dropout > 0 ? training->n_dropouts++ : 0;
    const pml_op_attributes attributes = {.real = dropout,
                                          .integer = {(int64_t)layer->activation | (int64_t)(number << 8),
                                                      dropout > 0 ? (int64_t)training->seed : 0,
                                                      dropout > 0 ? (int64_t)training->step : 0}};
    between middle = {
        .context = context,
        .activation = layer->activation,
        .dropout = dropout,
        .mask = pml_dropout_mask_of((uint64_t)attributes.integer[1], (uint64_t)attributes.integer[2], number, dropout),
        .is_forward = true};
    float *before = NULL;
    PML_OP_REQUIRE(s.n_rows == 0 || s.width <= PML_DROPOUT_MAX / s.n_rows, "feed_forward: too many elements");
    PML_TRY(pml_context_scratch(context, s.block * s.width, &middle.y, error));
    if (s.keeps) {
        PML_TRY(pml_context_scratch(context, s.n_rows * s.width, &before, error));
    }
    for (size_t first = 0; first < s.n_rows; first += s.block) {
        const size_t n = s.n_rows - first < s.block ? s.n_rows - first : s.block;
        const first_product product = {.up = layer->up,
                                       .bias = layer->up_bias,
                                       .x = pml_tensor_f32_const(x) + first * s.n_in,
                                       .activation = s.keeps ? PML_ACTIVATION_IDENTITY : layer->activation};
        middle.first = (uint64_t)first * s.width;
        middle.x = s.keeps ? before + first * s.width : NULL;
        PML_TRY(multiply_up(context, &s, &product, n, s.keeps ? before + first * s.width : middle.y, error));
        if (s.keeps || dropout > 0) {
            pass_between(context, &middle, n * s.width);
        }
        PML_TRY(multiply_down(context, &s, layer, first, n, middle.y, y, error));
    }
    pml_op_attributes recorded = attributes;
    recorded.data = before;
    PML_TRY(pml_tape_record(
        context->tape, &op, &recorded,
        (const pml_tensor *const[]){x, layer->up, layer->up_bias, layer->down, layer->down_bias, layer->residual}, 6, y,
        error));

done:
    return status;
}
