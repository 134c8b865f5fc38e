/* Rows of a table by index, and columns of a matrix that is a table as well: embeddings. */
#include "runtime/ops/op.h"

static const pml_op op = {.name = "lookup"};

/* Where column `i_column` of a matrix [in, out] lies: its elements, depth by depth. */
typedef struct column {
    const char *bytes;
    size_t element_bytes;
    size_t depth;       /* elements that lie side by side */
    size_t line_stride; /* from one such group to the next, in elements */
} column;

static column find_column(const pml_tensor *matrix, size_t i_column) {
    column c = {.bytes = pml_tensor_bytes(matrix), .element_bytes = pml_dtype_bits(matrix->dtype) / 8u, .depth = 1};
    size_t first = i_column;
    c.line_stride = matrix->shape[1];
    if (matrix->layout == PML_LAYOUT_PANEL) {
        c.depth = pml_panel_depth(matrix->dtype);
        c.line_stride = PML_PANEL_COLUMNS * c.depth;
        const size_t n_lines = matrix->shape[0] / c.depth + (matrix->shape[0] % c.depth != 0);
        first = i_column / PML_PANEL_COLUMNS * n_lines * c.line_stride + i_column % PML_PANEL_COLUMNS * c.depth;
    }
    c.bytes += first * c.element_bytes;
    return c;
}

static void read_column(const pml_tensor *matrix, size_t i_column, float *y) {
    const column c = find_column(matrix, i_column);
    for (size_t i = 0; i < matrix->shape[0]; i++) {
        const char *at = c.bytes + (i / c.depth * c.line_stride + i % c.depth) * c.element_bytes;
        if (matrix->dtype == PML_DTYPE_F32) {
            memcpy(&y[i], at, sizeof *y);
        } else {
            uint16_t half;
            memcpy(&half, at, sizeof half);
            y[i] = pml_f32_from_bf16(half);
        }
    }
}

pml_status pml_op_lookup(pml_context *context, const pml_tensor *table, pml_lookup_axis axis, const pml_tensor *indexes,
                         pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const bool by_row = axis == PML_LOOKUP_ROWS;
    PML_OP_REQUIRE(table->rank == 2 && pml_op_is(indexes, PML_DTYPE_F32) && indexes->rank < PML_MAX_RANK,
                   "lookup: the table must have rank 2 and indexes be F32");
    if (table->dtype != PML_DTYPE_F32 && (by_row || table->dtype != PML_DTYPE_BF16)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "lookup: no %s of a table in %s", by_row ? "rows" : "columns",
                         pml_dtype_name(table->dtype)));
    }
    PML_OP_REQUIRE(!by_row || table->layout == PML_LAYOUT_ROW, "lookup: rows are read from a table in layout row");
    const size_t n = by_row ? table->shape[0] : table->shape[1], width = by_row ? table->shape[1] : table->shape[0];
    const float *values = pml_tensor_f32_const(indexes);
    const size_t count = pml_tensor_count(indexes);
    size_t shape[PML_MAX_RANK];
    memcpy(shape, indexes->shape, indexes->rank * sizeof *shape);
    shape[indexes->rank] = width;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, indexes->rank + 1, y, error));
    float *to = pml_tensor_f32(y);
    for (size_t i = 0; i < count; i++) {
        PML_OP_REQUIRE(values[i] >= 0 && values[i] < (float)n, "lookup: index %.9g of %zu", (double)values[i], n);
        const size_t index = (size_t)values[i];
        if (by_row) {
            memcpy(to + i * width, pml_tensor_f32_const(table) + index * width, width * sizeof *to);
        } else {
            read_column(table, index, to + i * width);
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)axis}},
                            (const pml_tensor *const[]){table, indexes}, 2, y, error));

done:
    return status;
}
