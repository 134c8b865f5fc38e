/* Both gradients of a product y [m][out] = x [m][in] . W [in][out], for the ops that multiply. Private to runtime/ops.
 * Results do not depend on the number of threads. */
#ifndef PML_RUNTIME_OPS_PRODUCT_BACKWARD_H
#define PML_RUNTIME_OPS_PRODUCT_BACKWARD_H

#include "runtime/ops/gradient.h"

/* Rows of a product and its gradient: `g` [m][out] is that of y. Strides count floats from row to row. */
typedef struct pml_product_operands {
    size_t m;
    const float *x; /* [m][in]; not read by the input's gradient */
    size_t x_stride;
    const float *g; /* [m][out] */
    size_t g_stride;
} pml_product_operands;

/* dx [m][in], rows dx_stride apart, += g . transpose of matrix i_matrix of w [..., in, out], in any layout and dtype
 * that products read; `is_new`: = instead of +=. Errors: MEMORY. */
pml_status pml_product_input_backward(pml_context *context, pml_gradients *gradients, const pml_product_operands *rows,
                                      const pml_tensor *w, size_t i_matrix, float *dx, size_t dx_stride, bool is_new,
                                      pml_error *error) PML_WARN_UNUSED;

/* dw [in][out], row-major and contiguous, += transpose of x . g. Errors: MEMORY. */
pml_status pml_product_weight_backward(pml_context *context, pml_gradients *gradients, const pml_product_operands *rows,
                                       size_t n_in, size_t n_out, float *dw, pml_error *error) PML_WARN_UNUSED;

#endif
