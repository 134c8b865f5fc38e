/* Rows of a table by index, and columns of a matrix that is a table as well: embeddings. */
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

typedef struct gradient_job {
    const float *indexes, *dy; /* [count], [count][width] */
    size_t count, width, n;
    bool by_row;
    size_t padding; /* an index whose row has no gradient; SIZE_MAX: none */
    float *dtable;  /* [n][width] or, by columns, [width][n] */
} gradient_job;

/* Columns begin .. end - 1 of dy: each thread adds to its own part of the table, in the order of the indexes. */
static void add_rows(void *user, size_t begin, size_t end) {
    const gradient_job *job = user;
    for (size_t i = 0; job->by_row && i < job->count; i++) {
        if ((size_t)job->indexes[i] == job->padding) {
            continue;
        }
        float *to = job->dtable + (size_t)job->indexes[i] * job->width;
        for (size_t k = begin; k < end; k++) {
            to[k] += job->dy[i * job->width + k];
        }
    }
    for (size_t k = begin; !job->by_row && k < end; k++) {
        float *to = job->dtable + k * job->n;
        for (size_t i = 0; i < job->count; i++) {
            const size_t index = (size_t)job->indexes[i];
            to[index] += index == job->padding ? 0.0F : job->dy[i * job->width + k];
        }
    }
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *table = &entry->inputs[0], *indexes = &entry->inputs[1];
    const bool by_row = entry->attributes.integer[0] == PML_LOOKUP_ROWS;
    gradient_job job = {.indexes = pml_tensor_f32_const(indexes),
                        .dy = pml_gradient_out(gradients, entry),
                        .count = pml_tensor_count(indexes),
                        .width = table->shape[by_row ? 1 : 0],
                        .n = table->shape[by_row ? 0 : 1],
                        .by_row = by_row,
                        .padding = (size_t)entry->attributes.integer[1]};
    PML_TRY(pml_gradient_of(gradients, table, &job.dtable, error));
    if (job.dtable != NULL) {
        pml_context_ranges(context, job.width, 16, PML_COST_VALUES((double)job.count * (double)job.width), add_rows,
                           &job);
    }

done:
    return status;
}

static const pml_op op = {.name = "lookup", .backward = backward};

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

/* The scales of 16 columns of an I8 matrix, for the rows of one group. */
static void read_scales(const pml_tensor *matrix, const pml_quantization *q, size_t i_panel, size_t i_row,
                        float scales[PML_PANEL_COLUMNS]) {
    const size_t i_group = q->group_rows == 0 ? 0 : i_row / q->group_rows;
    const size_t first = (i_panel * pml_tensor_n_groups(matrix) + i_group) * PML_PANEL_COLUMNS;
    for (size_t c = 0; c < PML_PANEL_COLUMNS; c++) {
        scales[c] = q->group_rows == 0 ? ((const float *)q->scales)[first + c]
                                       : pml_f32_from_f16(((const uint16_t *)q->scales)[first + c]) * q->scale_factor;
    }
}

/* Row `i_row` of an I8 matrix: of each column, four rows lie side by side in a line. */
static void read_row_i8(const pml_tensor *matrix, size_t i_row, float *y) {
    const pml_quantization q = pml_tensor_quantization(matrix, 0);
    const size_t depth = pml_panel_depth(PML_DTYPE_I8), line_bytes = PML_PANEL_COLUMNS * depth;
    const size_t n_lines = matrix->shape[0] / depth + (matrix->shape[0] % depth != 0), n = matrix->shape[1];
    const char *line = (const char *)pml_tensor_bytes(matrix) + i_row / depth * line_bytes;
    const unsigned n_above = 8 * (unsigned)(depth - 1 - i_row % depth); /* bits of the rows above this one */
    for (size_t first = 0; first < n; first += PML_PANEL_COLUMNS, line += n_lines * line_bytes) {
        float scales[PML_PANEL_COLUMNS], values[PML_PANEL_COLUMNS];
        uint32_t words[PML_PANEL_COLUMNS]; /* a column's four rows each */
        memcpy(words, line, sizeof words);
        read_scales(matrix, &q, first / PML_PANEL_COLUMNS, i_row, scales);
        for (size_t c = 0; c < PML_PANEL_COLUMNS; c++) {
            values[c] = (float)((int32_t)(words[c] << n_above) >> 24) * scales[c];
        }
        memcpy(y + first, values, (n - first < PML_PANEL_COLUMNS ? n - first : PML_PANEL_COLUMNS) * sizeof *y);
    }
}

static void read_column_i8(const pml_tensor *matrix, size_t i_column, float *y) {
    const pml_quantization q = pml_tensor_quantization(matrix, 0);
    const column c = find_column(matrix, i_column);
    const size_t n = matrix->shape[0], group = q.group_rows == 0 ? n : q.group_rows;
    for (size_t first = 0; first < n; first += group) {
        float scales[PML_PANEL_COLUMNS];
        read_scales(matrix, &q, i_column / PML_PANEL_COLUMNS, first, scales);
        const float scale = scales[i_column % PML_PANEL_COLUMNS];
        for (size_t i = first; i < n && i < first + group; i++) {
            y[i] = (float)((const int8_t *)c.bytes)[i / c.depth * c.line_stride + i % c.depth] * scale;
        }
    }
}

static void read_column(const pml_tensor *matrix, size_t i_column, float *y) {
    if (matrix->dtype == PML_DTYPE_I8) {
        read_column_i8(matrix, i_column, y);
        return;
    }
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
    return pml_op_lookup_padded(context, table, axis, indexes, SIZE_MAX, y, error);
}

pml_status pml_op_lookup_padded(pml_context *context, const pml_tensor *table, pml_lookup_axis axis,
                                const pml_tensor *indexes, size_t padding, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const bool by_row = axis == PML_LOOKUP_ROWS;
    PML_OP_REQUIRE(table->rank == 2 && pml_op_is(indexes, PML_DTYPE_F32) && indexes->rank < PML_MAX_RANK,
                   "lookup: the table must have rank 2 and indexes be F32");
    const bool is_i8 = table->dtype == PML_DTYPE_I8 && table->layout == PML_LAYOUT_PANEL;
    if (table->dtype != PML_DTYPE_F32 && !is_i8 && (by_row || table->dtype != PML_DTYPE_BF16)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "lookup: no %s of a table in %s", by_row ? "rows" : "columns",
                         pml_dtype_name(table->dtype)));
    }
    PML_OP_REQUIRE(!by_row || is_i8 || table->layout == PML_LAYOUT_ROW,
                   "lookup: rows are read from a table in layout row");
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
        if (by_row && is_i8) {
            read_row_i8(table, index, to + i * width);
        } else if (by_row) {
            memcpy(to + i * width, pml_tensor_f32_const(table) + index * width, width * sizeof *to);
        } else {
            read_column(table, index, to + i * width);
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)axis, (int64_t)padding}},
                            (const pml_tensor *const[]){table, indexes}, 2, y, error));

done:
    return status;
}
