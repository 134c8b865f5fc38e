#include "runtime/ops/split.h"

#include "runtime/ops/parallel.h"

/* What kernels compute at a time: the rows of their tallest tile, and the columns of their usual one; a row or a few
 * take more columns, to have sums enough. */
#define TILE_ROWS 12u
#define TILE_COLUMNS (2 * PML_PANEL_COLUMNS)
#define FEW_ROWS 4u

static size_t column_grain(size_t m) {
    return m < FEW_ROWS ? 2 * TILE_COLUMNS : TILE_COLUMNS;
}

static size_t count_lines(size_t k, size_t depth) {
    return k / depth + (k % depth != 0);
}

/* ---- products in floating point ---- */
typedef struct product {
    pml_matmul_fn *matmul;
    const pml_matmul *job;
    size_t column_bytes; /* of a column of a panel matrix; of others columns stay together */
    pml_grid grid;
} product;

static void multiply_cell(void *user, size_t i_cell) {
    const product *p = user;
    const pml_cell cell = pml_grid_cell(&p->grid, i_cell);
    pml_matmul job = *p->job;
    if (cell.m == 0 || cell.n == 0) {
        return;
    }
    job.m = cell.m;
    job.n = cell.n;
    job.x += cell.row * job.x_stride;
    job.w = (const char *)job.w + cell.column * p->column_bytes;
    job.y += cell.row * job.y_stride + cell.column;
    job.bias = job.bias == NULL ? NULL : job.bias + cell.column;
    job.residual = job.residual == NULL ? NULL : job.residual + cell.row * job.residual_stride + cell.column;
    p->matmul(&job);
}

void pml_split_matmul(pml_context *context, pml_matmul_fn *matmul, const pml_matmul *job, const pml_tensor *w) {
    const bool is_panel = w->layout == PML_LAYOUT_PANEL;
    const size_t element_bytes = pml_dtype_bits(w->dtype) / 8u;
    const double n_weights = (double)job->k * (double)job->n;
    const double cost =
        PML_COST_MULTIPLY(n_weights * (double)job->m) + PML_COST_BYTES(n_weights * (double)element_bytes);
    product p = {.matmul = matmul, .job = job};
    if (is_panel) {
        const size_t depth = pml_panel_depth(w->dtype);
        p.column_bytes = count_lines(job->k, depth) * depth * element_bytes;
        p.grid = pml_context_grid(context, job->m, job->n, TILE_ROWS, column_grain(job->m), cost);
    } else {
        const size_t together = context->backend == NULL ? 0 : context->backend->product_rows;
        p.grid = pml_context_grid(context, job->m, job->n, together == 0 ? TILE_ROWS : together, 0, cost);
    }
    const size_t n_cells = p.grid.n_row_parts * p.grid.n_column_parts;
    if (n_cells == 1) {
        matmul(job);
    } else {
        pml_context_run(context, n_cells, multiply_cell, &p);
    }
}

/* ---- products of bytes ---- */
typedef struct product_i8 {
    pml_matmul_i8_fn *matmul;
    const pml_matmul_i8 *job;
    size_t n_groups; /* 1 without groups */
    pml_grid grid;
} product_i8;

static void multiply_cell_i8(void *user, size_t i_cell) {
    const product_i8 *p = user;
    const pml_cell cell = pml_grid_cell(&p->grid, i_cell);
    pml_matmul_i8 job = *p->job;
    const size_t depth = pml_panel_depth(PML_DTYPE_I8);
    const size_t scale_bytes = job.group_rows == 0 ? sizeof(float) : sizeof(uint16_t);
    const size_t sum_bytes = job.group_rows == 0 ? sizeof(int32_t) : sizeof(int16_t);
    if (cell.m == 0 || cell.n == 0) {
        return;
    }
    job.m = cell.m;
    job.n = cell.n;
    job.x += cell.row * job.x_stride;
    job.x_scales += cell.row * p->n_groups;
    job.w += cell.column * count_lines(job.k, depth) * depth;
    job.w_scales = (const char *)job.w_scales + cell.column * p->n_groups * scale_bytes;
    job.w_sums = (const char *)job.w_sums + cell.column * p->n_groups * sum_bytes;
    job.y += cell.row * job.y_stride + cell.column;
    job.bias = job.bias == NULL ? NULL : job.bias + cell.column;
    job.residual = job.residual == NULL ? NULL : job.residual + cell.row * job.residual_stride + cell.column;
    p->matmul(&job);
}

void pml_split_matmul_i8(pml_context *context, pml_matmul_i8_fn *matmul, const pml_matmul_i8 *job) {
    const double n_weights = (double)job->k * (double)job->n;
    const double cost = PML_COST_DOT(n_weights * (double)job->m) + PML_COST_BYTES(n_weights);
    product_i8 p = {.matmul = matmul,
                    .job = job,
                    .n_groups = job->group_rows == 0 ? 1 : count_lines(job->k, job->group_rows),
                    .grid = pml_context_grid(context, job->m, job->n, TILE_ROWS, column_grain(job->m), cost)};
    const size_t n_cells = p.grid.n_row_parts * p.grid.n_column_parts;
    if (n_cells == 1) {
        matmul(job);
    } else {
        pml_context_run(context, n_cells, multiply_cell_i8, &p);
    }
}

/* ---- rows ---- */
typedef struct rows {
    const pml_kernels *kernels;
    const void *job;
} rows;

static void quantize_rows(void *user, size_t begin, size_t end) {
    const rows *r = user;
    pml_quantize job = *(const pml_quantize *)r->job;
    job.m = end - begin;
    job.x += begin * job.x_stride;
    job.q += begin * job.q_stride;
    job.scales += begin * (job.group == 0 ? 1 : count_lines(job.k, job.group));
    r->kernels->quantize_i8(&job);
}

void pml_split_quantize(pml_context *context, const pml_quantize *job) {
    const double cost = PML_COST_VALUES((double)job->m * (double)job->k) / 4;
    pml_context_ranges(context, job->m, 1, cost, quantize_rows, &(rows){&context->kernels, job});
}

static void layer_norm_rows(void *user, size_t begin, size_t end) {
    const rows *r = user;
    pml_layer_norm job = *(const pml_layer_norm *)r->job;
    job.n_rows = end - begin;
    job.x += begin * job.n_columns;
    job.y += begin * job.n_columns;
    r->kernels->layer_norm_f32(&job);
}

void pml_split_layer_norm(pml_context *context, const pml_layer_norm *job) {
    const double cost = PML_COST_VALUES((double)job->n_rows * (double)job->n_columns);
    pml_context_ranges(context, job->n_rows, 1, cost, layer_norm_rows, &(rows){&context->kernels, job});
}

static void batch_norm_rows(void *user, size_t begin, size_t end) {
    const rows *r = user;
    pml_batch_norm job = *(const pml_batch_norm *)r->job;
    job.n_rows = end - begin;
    job.x += begin * job.n_columns;
    job.y += begin * job.n_columns;
    r->kernels->batch_norm_f32(&job);
}

void pml_split_batch_norm(pml_context *context, const pml_batch_norm *job) {
    const double cost = PML_COST_VALUES((double)job->n_rows * (double)job->n_columns);
    pml_context_ranges(context, job->n_rows, 1, cost, batch_norm_rows, &(rows){&context->kernels, job});
}
