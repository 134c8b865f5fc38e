/* Splitting an op's work over the context's threads. Kernels stay single-threaded: an op hands each thread a share.
 * What is computed for an item must not depend on the share that it is in, so that results are the same for any number
 * of threads. */
#ifndef PML_RUNTIME_OPS_PARALLEL_H
#define PML_RUNTIME_OPS_PARALLEL_H

#include "runtime/base/thread_pool.h"
#include "runtime/ops/context.h"

/* Costs are nanoseconds that one thread would need, roughly: they only decide whether, and into how many shares, work
 * is split. */
#define PML_COST_MULTIPLY(count) ((double)(count) / 64.0) /* multiply-adds of a product */
#define PML_COST_DOT(count) ((double)(count) / 256.0)     /* those of bytes */
#define PML_COST_BYTES(count) ((double)(count) / 16.0)    /* bytes that come from far away, such as weights */
#define PML_COST_VALUES(count) ((double)(count) / 2.0)    /* values that something is computed for, one by one */
#define PML_COST_LEAST 4000.0 /* of a share: less is sooner done by the caller than handed over */

/* How many shares work of that cost falls into: at most one per thread, and 1 where it is small. */
size_t pml_context_shares(pml_context *context, double cost);
/* Calls fn(user, i) for every share i below n_shares, side by side as far as there are threads, and returns when all
 * are done. `fn` may not use the context. The first call with more than one share starts the threads; where the system
 * gives none, and in a child of fork() none either, the caller does everything, to the same bits. */
void pml_context_run(pml_context *context, size_t n_shares, pml_task_fn *fn, void *user);

typedef void pml_range_fn(void *user, size_t begin, size_t end);
/* The same for n items in ranges of whole `grain`s (the last one takes what is left), as even as that allows. */
void pml_context_ranges(pml_context *context, size_t n, size_t grain, double cost, pml_range_fn *fn, void *user);

/* A product y [m][n] in cells, each for one thread. */
typedef struct pml_grid {
    size_t m, n;
    size_t row_grain, column_grain;
    size_t n_row_parts, n_column_parts; /* all cells: their product */
} pml_grid;
typedef struct pml_cell {
    size_t row, m, column, n; /* rows row .. row + m - 1, columns likewise */
} pml_cell;
/* Cuts a product into at most as many cells as there are threads, as even as whole grains allow; rather by columns than
 * by rows, because rows of a cell share its weights. column_grain 0: columns stay together. */
pml_grid pml_context_grid(pml_context *context, size_t m, size_t n, size_t row_grain, size_t column_grain, double cost);
/* Cell i of it; it may be empty. */
pml_cell pml_grid_cell(const pml_grid *grid, size_t i_cell);

/* Item at which share i of n_shares begins, when n items are shared out in whole grains; n for i = n_shares. */
size_t pml_share_begin(size_t n, size_t grain, size_t n_shares, size_t i_share);

#endif
