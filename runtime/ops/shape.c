/* Copies that change the order of axes. */
#include "runtime/ops/blocks.h"
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

#define TILE 16u

/* ---- transpose ---- */
typedef struct turn {
    size_t m, n; /* of each matrix `from` */
    const float *from;
    float *to;
    bool adds;
} turn;

static size_t tiles(size_t m) {
    return m / TILE + (m % TILE != 0);
}

/* Items are bands of TILE rows, matrix after matrix: they keep both sides within a few cache lines. */
static void turn_bands(void *user, size_t begin, size_t end) {
    const turn *job = user;
    const size_t m = job->m, n = job->n, n_bands = tiles(m);
    for (size_t band = begin; band < end; band++) {
        const size_t at = band / n_bands * m * n, i_band = band % n_bands * TILE;
        const size_t i_end = m - i_band < TILE ? m : i_band + TILE;
        for (size_t k = 0; k < n; k++) {
            const float *from = job->from + at + k;
            float *to = job->to + at + k * m;
            if (job->adds) {
                for (size_t i = i_band; i < i_end; i++) {
                    to[i] += from[i * n];
                }
                continue;
            }
            for (size_t i = i_band; i < i_end; i++) {
                to[i] = from[i * n];
            }
        }
    }
}

/* to [..., n, m] = or += from [..., m, n], `count` values. */
static void turn_all(pml_context *context, size_t count, const turn *job) {
    if (count > 0) {
        turn copy = *job;
        pml_context_ranges(context, count / (job->m * job->n) * tiles(job->m), 1, PML_COST_VALUES(count) / 2,
                           turn_bands, &copy);
    }
}

/* The gradient of x [..., m, n] is that of y [..., n, m] with both axes exchanged. */
static pml_status transpose_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                     pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0];
    turn job = {.m = x->shape[x->rank - 1], .n = x->shape[x->rank - 2], .from = pml_gradient_out(gradients, entry)};
    bool is_new;
    PML_TRY(pml_gradient_begin(gradients, x, &job.to, &is_new, error));
    job.adds = !is_new;
    if (job.to != NULL) {
        turn_all(context, pml_tensor_count(x), &job);
    }

done:
    return status;
}

static const pml_op op_transpose = {.name = "transpose", .backward = transpose_backward};

pml_status pml_op_transpose(pml_context *context, const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 2, "transpose: x must be F32 of rank 2 or more");
    size_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 2] = n;
    shape[x->rank - 1] = m;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    const turn job = {.m = m, .n = n, .from = pml_tensor_f32_const(x), .to = pml_tensor_f32(y)};
    turn_all(context, pml_tensor_count(x), &job);
    PML_TRY(pml_tape_record(context->tape, &op_transpose, NULL, (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* ---- slice ---- */
static pml_blocks slice_blocks(const pml_tensor *x, size_t first, size_t count) {
    const size_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    return (pml_blocks){.n = {m * n == 0 ? 0 : pml_tensor_count(x) / (m * n), 1, 1},
                        .count = count * n,
                        .from = {m * n},
                        .to = {count * n},
                        .first_x = first * n};
}

static pml_status slice_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                 pml_error *error) {
    const int64_t *range = entry->attributes.integer;
    const pml_blocks blocks = slice_blocks(&entry->inputs[0], (size_t)range[0], (size_t)range[1]);
    return pml_blocks_backward(context, gradients, &blocks, &entry->inputs[0], pml_gradient_out(gradients, entry),
                               error);
}

static const pml_op op_slice = {.name = "slice", .backward = slice_backward};

pml_status pml_op_slice(pml_context *context, const pml_tensor *x, size_t first, size_t count, pml_tensor *y,
                        pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 2, "slice: x must be F32 of rank 2 or more");
    const size_t m = x->shape[x->rank - 2];
    PML_OP_REQUIRE(first <= m && count <= m - first, "slice: rows %zu to %zu of %zu", first, first + count, m);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 2] = count;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    const pml_blocks blocks = slice_blocks(x, first, count);
    pml_blocks_copy(context, &blocks, x, y);
    PML_TRY(pml_tape_record(context->tape, &op_slice, &(pml_op_attributes){.integer = {(int64_t)first, (int64_t)count}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* ---- append ---- */
/* All rows of part x, behind `before` rows of each matrix of y, which has n_rows. */
static pml_blocks append_blocks(const pml_tensor *x, size_t before, size_t n_rows) {
    const size_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    return (pml_blocks){.n = {m * n == 0 ? 0 : pml_tensor_count(x) / (m * n), 1, 1},
                        .count = m * n,
                        .from = {m * n},
                        .to = {n_rows * n},
                        .first_y = before * n};
}

static pml_status append_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                  pml_error *error) {
    pml_status status = PML_OK;
    size_t before = 0;
    for (size_t i = 0; i < 2; i++) {
        const pml_tensor *x = &entry->inputs[i];
        const pml_blocks blocks = append_blocks(x, before, entry->output.shape[x->rank - 2]);
        PML_TRY(pml_blocks_backward(context, gradients, &blocks, x, pml_gradient_out(gradients, entry), error));
        before += x->shape[x->rank - 2];
    }

done:
    return status;
}

static const pml_op op_append = {.name = "append", .backward = append_backward};

pml_status pml_op_append(pml_context *context, const pml_tensor *a, const pml_tensor *b, pml_tensor *y,
                         pml_error *error) {
    pml_status status = PML_OK;
    bool fits = pml_op_is(a, PML_DTYPE_F32) && pml_op_is(b, PML_DTYPE_F32) && a->rank >= 2 && b->rank == a->rank;
    for (unsigned axis = 0; fits && axis < a->rank; axis++) {
        fits = axis == a->rank - 2 || a->shape[axis] == b->shape[axis];
    }
    PML_OP_REQUIRE(fits, "append: a and b must be F32 and differ in axis rank-2 alone");
    const size_t m = a->shape[a->rank - 2], k = b->shape[a->rank - 2];
    size_t shape[PML_MAX_RANK];
    memcpy(shape, a->shape, sizeof shape);
    PML_OP_REQUIRE(k <= SIZE_MAX - m, "append: %zu and %zu rows are too many", m, k);
    shape[a->rank - 2] = m + k;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, a->rank, y, error));
    const pml_blocks first = append_blocks(a, 0, m + k), second = append_blocks(b, m, m + k);
    pml_blocks_copy(context, &first, a, y);
    pml_blocks_copy(context, &second, b, y);
    PML_TRY(pml_tape_record(context->tape, &op_append, NULL, (const pml_tensor *const[]){a, b}, 2, y, error));

done:
    return status;
}
