#include "runtime/ops/parallel.h"

#include <math.h>

size_t pml_context_shares(pml_context *context, double cost) {
    const double least = context->share_cost > 0 ? context->share_cost : PML_COST_LEAST;
    if (!(cost >= 2 * least)) {
        return 1;
    }
    const size_t n_threads = pml_context_threads(context);
    const double most = cost / least;
    return most < (double)n_threads ? (size_t)most : n_threads;
}

void pml_context_run(pml_context *context, size_t n_shares, pml_task_fn *fn, void *user) {
    if (n_shares > 1 && pml_context_threads(context) > 1) {
        pml_thread_pool *pool = pml_context_pool(context);
        if (pool != NULL) {
            pml_thread_pool_run(pool, n_shares, fn, user);
            return;
        }
    }
    for (size_t i = 0; i < n_shares; i++) {
        fn(user, i);
    }
}

static size_t count_grains(size_t n, size_t grain) {
    return n / grain + (n % grain != 0);
}

size_t pml_share_begin(size_t n, size_t grain, size_t n_shares, size_t i_share) {
    const size_t n_grains = count_grains(n, grain);
    const size_t each = n_grains / n_shares, rest = n_grains % n_shares;
    const size_t i_grain = i_share * each + i_share * rest / n_shares;
    return i_grain > n / grain ? n : i_grain * grain;
}

typedef struct ranges {
    size_t n, grain, n_shares;
    pml_range_fn *fn;
    void *user;
} ranges;

static void run_range(void *user, size_t i_share) {
    const ranges *r = user;
    const size_t begin = pml_share_begin(r->n, r->grain, r->n_shares, i_share);
    const size_t end = pml_share_begin(r->n, r->grain, r->n_shares, i_share + 1);
    if (begin < end) {
        r->fn(r->user, begin, end);
    }
}

void pml_context_ranges(pml_context *context, size_t n, size_t grain, double cost, pml_range_fn *fn, void *user) {
    const size_t n_shares = pml_context_shares(context, cost);
    if (n_shares > 1) {
        pml_context_run(context, n_shares, run_range, &(ranges){n, grain, n_shares, fn, user});
    } else if (n > 0) {
        fn(user, 0, n);
    }
}

/* ---- products ---- */
/* What a row that reads a cell's weights from afar costs, in rows of computing: keeps cells from becoming flat. */
#define ROWS_OF_WEIGHTS 4.0

/* The greatest part when n_grains are shared out. */
static size_t greatest(size_t n_grains, size_t n_parts) {
    return n_grains / n_parts + (n_grains % n_parts != 0);
}

pml_grid pml_context_grid(pml_context *context, size_t m, size_t n, size_t row_grain, size_t column_grain,
                          double cost) {
    const size_t n_shares = pml_context_shares(context, cost);
    pml_grid grid = {m, n, row_grain, column_grain == 0 ? n : column_grain, 1, 1};
    if (n_shares == 1 || m == 0 || n == 0) {
        return grid;
    }
    const size_t n_rows = count_grains(m, row_grain), n_columns = count_grains(n, grid.column_grain);
    double least = INFINITY;
    for (size_t rows = 1; rows <= n_shares && rows <= n_rows; rows++) {
        const size_t columns = n_shares / rows < n_columns ? n_shares / rows : n_columns;
        const double cell = ((double)(greatest(n_rows, rows) * row_grain) + ROWS_OF_WEIGHTS) *
                            (double)(greatest(n_columns, columns) * grid.column_grain);
        if (cell < least) {
            least = cell;
            grid.n_row_parts = rows;
            grid.n_column_parts = columns;
        }
    }
    return grid;
}

pml_cell pml_grid_cell(const pml_grid *grid, size_t i_cell) {
    const size_t i = i_cell / grid->n_column_parts, k = i_cell % grid->n_column_parts;
    pml_cell cell = {.row = pml_share_begin(grid->m, grid->row_grain, grid->n_row_parts, i),
                     .column = pml_share_begin(grid->n, grid->column_grain, grid->n_column_parts, k)};
    cell.m = pml_share_begin(grid->m, grid->row_grain, grid->n_row_parts, i + 1) - cell.row;
    cell.n = pml_share_begin(grid->n, grid->column_grain, grid->n_column_parts, k + 1) - cell.column;
    return cell;
}
