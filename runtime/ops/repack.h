/* Matrices rearranged for the panel kernels: what backward passes multiply by is another way round than what is stored.
 * Panels here are F32, as runtime/file/layout.h describes them; for kernels they must be 64-byte aligned. For ops, and
 * for what reads and stores trained weights. */
#ifndef PML_RUNTIME_OPS_REPACK_H
#define PML_RUNTIME_OPS_REPACK_H

#include "runtime/tensor/tensor.h"

/* Floats of panels of a matrix [depth][n_columns]. */
size_t pml_repack_count(size_t depth, size_t n_columns);

/* panels of x [depth][n_columns], whose rows are `stride` apart. */
void pml_repack_rows(const float *x, size_t depth, size_t n_columns, size_t stride, float *panels);

/* The same of [depth][n_columns] in BF16, rounded to nearest even; pml_repack_count of the depth rounded up to even is
 * how many numbers that is. */
void pml_repack_rows_bf16(const float *x, size_t depth, size_t n_columns, size_t stride, uint16_t *panels);

/* y [n][m] = x [m][n], whose rows are `stride` apart. */
void pml_repack_transpose(const float *x, size_t m, size_t n, size_t stride, float *y);

/* y [in][out], row-major F32: the values of matrix `i_matrix` of w, whatever the dtype and layout that it is stored in.
 */
void pml_repack_weight(const pml_tensor *w, size_t i_matrix, float *y);

/* panels of the transpose of rows first .. first + n_rows - 1 of matrix `i_matrix` of w [..., in, out]: a matrix
 * [out][n_rows] of its values, whatever the dtype and layout that it is stored in. `first` and n_rows are multiples of
 * 16, except that n_rows may end with the matrix. */
void pml_repack_weight_transposed(const pml_tensor *w, size_t i_matrix, size_t first, size_t n_rows, float *panels);

#endif
