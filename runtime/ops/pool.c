/* Reduces the tokens of a sequence to one: their mean or their maximum. */
#include "runtime/ops/op.h"

/* Columns whose sums are held at once: they stay in registers or the nearest cache. */
#define COLUMNS 64u

static void pool_mean(const float *x, size_t m, size_t n, float *y) {
    for (size_t begin = 0; begin < n; begin += COLUMNS) {
        size_t width = n - begin < COLUMNS ? n - begin : COLUMNS;
        double sums[COLUMNS] = {0};
        for (size_t i = 0; i < m; i++) {
            for (size_t k = 0; k < width; k++) {
                sums[k] += (double)x[i * n + begin + k];
            }
        }
        for (size_t k = 0; k < width; k++) {
            y[begin + k] = (float)(sums[k] / (double)m);
        }
    }
}

static void pool_max(const float *x, size_t m, size_t n, float *y) {
    memcpy(y, x, n * sizeof *y);
    for (size_t i = 1; i < m; i++) {
        for (size_t k = 0; k < n; k++) {
            float value = x[i * n + k];
            y[k] = value > y[k] || value != value ? value : y[k]; /* NaN wins */
        }
    }
}

/* ---- backward ---- */
/* Of one sequence: every row has an equal share in a mean; of a maximum, the first row that has it takes all. */
static void add_slopes(const float *x, const float *dy, size_t m, size_t n, pml_pool_kind kind, float *dx) {
    if (kind == PML_POOL_MEAN) {
        const float share = (float)(1.0 / (double)m);
        for (size_t i = 0; i < m; i++) {
            for (size_t k = 0; k < n; k++) {
                dx[i * n + k] += share * dy[k];
            }
        }
        return;
    }
    for (size_t k = 0; k < n; k++) {
        size_t greatest = 0;
        for (size_t i = 1; i < m; i++) {
            greatest = x[i * n + k] > x[greatest * n + k] ? i : greatest;
        }
        dx[greatest * n + k] += dy[k];
    }
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    (void)context;
    const pml_tensor *x = &entry->inputs[0];
    const size_t n = pml_tensor_columns(x), n_sequences = n == 0 ? 0 : pml_tensor_count(&entry->output) / n;
    const size_t *row_offsets = entry->attributes.data; /* of a ragged batch */
    const size_t m = row_offsets != NULL ? 0 : x->shape[x->rank - 2];
    float *dx;
    PML_TRY(pml_gradient_of(gradients, x, &dx, error));
    for (size_t i = 0; dx != NULL && i < n_sequences; i++) {
        const size_t first = row_offsets != NULL ? row_offsets[i] : i * m;
        add_slopes(pml_tensor_f32_const(x) + first * n, pml_gradient_out(gradients, entry) + i * n,
                   row_offsets != NULL ? row_offsets[i + 1] - first : m, n, (pml_pool_kind)entry->attributes.integer[0],
                   dx + first * n);
    }

done:
    return status;
}

static const pml_op op = {.name = "pool", .backward = backward};
static const pml_op op_ragged = {.name = "pool_ragged", .backward = backward};

/* ---- forward ---- */
pml_status pml_op_pool(pml_context *context, const pml_tensor *x, pml_pool_kind kind, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 2 && x->shape[x->rank - 2] > 0,
                   "pool: x must be F32 of rank 2 or more, with rows to pool");
    size_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 2] = n;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank - 1, y, error));
    size_t n_matrices = n == 0 ? 0 : pml_tensor_count(x) / (m * n);
    for (size_t i = 0; i < n_matrices; i++) {
        (kind == PML_POOL_MEAN ? pool_mean : pool_max)(pml_tensor_f32_const(x) + i * m * n, m, n,
                                                       pml_tensor_f32(y) + i * n);
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)kind}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_pool_ragged(pml_context *context, const pml_tensor *x, const size_t *row_offsets, size_t n_sequences,
                              pml_pool_kind kind, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 2, "pool_ragged: x must be F32 of rank 2");
    PML_OP_REQUIRE(row_offsets[0] == 0 && row_offsets[n_sequences] == x->shape[0],
                   "pool_ragged: row offsets must cover the rows of x exactly");
    const size_t n = x->shape[1];
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, (const size_t[]){n_sequences, n}, 2, y, error));
    for (size_t i = 0; i < n_sequences; i++) {
        PML_OP_REQUIRE(row_offsets[i] < row_offsets[i + 1], "pool_ragged: sequence %zu has no rows", i);
        (kind == PML_POOL_MEAN ? pool_mean : pool_max)(pml_tensor_f32_const(x) + row_offsets[i] * n,
                                                       row_offsets[i + 1] - row_offsets[i], n,
                                                       pml_tensor_f32(y) + i * n);
    }
    const size_t *kept = NULL;
    PML_TRY(pml_context_keep_sizes(context, row_offsets, n_sequences + 1, &kept, error));
    PML_TRY(pml_tape_record(context->tape, &op_ragged, &(pml_op_attributes){.integer = {(int64_t)kind}, .data = kept},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
