/* Products with adapters, for the ops that multiply. Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_LOW_RANK_PRODUCT_H
#define PML_RUNTIME_OPS_LOW_RANK_PRODUCT_H

#include "runtime/ops/product.h"

/* Whether the adapter fits the matrix w. Errors: ARGUMENT, UNSUPPORTED, naming `op`. */
pml_status pml_low_rank_check(const pml_context *context, const pml_low_rank *adapter, const pml_tensor *w,
                              const char *op, pml_error *error) PML_WARN_UNUSED;
/* pml_product_run with the adapter added before the activation; records nothing. Takes pml_low_rank_bytes of the
 * workspace and gives them back. Errors: MEMORY. */
pml_status pml_low_rank_run(pml_context *context, const pml_matmul *job, const pml_tensor *w,
                            const pml_low_rank *adapter, pml_product_bytes *bytes, pml_error *error) PML_WARN_UNUSED;
/* The same numbers, where nothing is dropped, as ops that a tape records. Errors: those of the ops. */
pml_status pml_low_rank_record(pml_context *context, const pml_tensor *x, const pml_linear_part *part,
                               pml_error *error) PML_WARN_UNUSED;
/* The same of a feed-forward layer of which a matrix has an adapter. */
pml_status pml_low_rank_record_feed_forward(pml_context *context, const pml_tensor *x, const pml_feed_forward *layer,
                                            pml_tensor *y, pml_error *error) PML_WARN_UNUSED;

#endif
