/* Products of rows with one stored matrix, whatever its dtype and layout: what ops that multiply are made of.
 * Private to runtime/ops. */
#ifndef PML_RUNTIME_OPS_PRODUCT_H
#define PML_RUNTIME_OPS_PRODUCT_H

#include "runtime/ops/op.h"

/* The same rows as bytes, made when the first product with an I8 matrix asks for them and used by all that follow.
 * Begins all zero. Borrows the context's buffer: bytes of one set of rows only are kept. */
typedef struct pml_product_bytes {
    uint8_t *rows;
    float *scales;
    size_t stride;
    size_t group; /* columns that share a scale, 0: all */
} pml_product_bytes;

/* Whether there is a kernel for w, of rank 2 or more. Errors: UNSUPPORTED, naming `op`. */
pml_status pml_product_check(const pml_context *context, const pml_tensor *w, const char *op,
                             pml_error *error) PML_WARN_UNUSED;

/* How many rows a product with w should get at a time. */
size_t pml_product_rows(const pml_tensor *w);

/* Runs `job`, whose w is the matrix `i_matrix` of `w`. Rows that share `bytes` are the same rows. Errors: MEMORY. */
pml_status pml_product_run(pml_context *context, const pml_matmul *job, const pml_tensor *w, size_t i_matrix,
                           pml_product_bytes *bytes, pml_error *error) PML_WARN_UNUSED;

#endif
