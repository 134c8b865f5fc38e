/* The inner loops of packing, written so that a compiler turns them into vector code: transposition into lines of 16
 * columns, the test for numbers that cannot be stored, widening and rounding. No file, no allocation, no error. */
#ifndef PML_CONVERT_LINES_H
#define PML_CONVERT_LINES_H

#include "runtime/base/dtype.h"
#include "runtime/file/layout.h"

/* Transposes 16 runs of `n` floats (any alignment) into n lines of 16 floats, the first at `lines`, each `stride`
 * floats after the one before: lines[i * stride + c] = runs[c][i]. `lines` must not overlap the runs. */
void pml_lines_transpose(const uint8_t *const runs[PML_PANEL_COLUMNS], size_t n, float *lines, size_t stride);

/* Widens `n` elements, each `stride` elements after the one before, from `bytes` (any alignment) to F32.
 * dtype: F64 (rounded to nearest even), F32, F16 or BF16; others leave `out` alone. */
void pml_lines_widen(pml_dtype dtype, const uint8_t *bytes, uint64_t stride, size_t n, float *out);

/* True when all n values are finite, and stay so when rounded to BF16 if `as_bf16`. */
bool pml_lines_are_finite(const float *values, size_t n, bool as_bf16);

/* Sums of squares of what was rounded, in a fixed order of addition. */
typedef struct pml_rounding {
    double error;    /* sum of (stored - value)^2 */
    double signal;   /* sum of value^2 */
    double greatest; /* |stored - value| */
} pml_rounding;

/* Rounds n values to BF16. Values whose rounding error is not finite do not count in *rounding. */
void pml_lines_to_bf16(const float *values, size_t n, uint16_t *out, pml_rounding *rounding);

/* Rounds n lines of 16 and pairs them up: out[i / 2][16][2]; an odd n is completed with zeros. */
void pml_lines_to_bf16_panel(const float *lines, size_t n, uint16_t *out, pml_rounding *rounding);

#endif
