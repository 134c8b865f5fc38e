/* The loops over lines of 16 floats that the search of I8 scales and the rounding to I8 consist of, compiled for
 * several instruction sets. All give the same bits: the same operations in the same order, none of them fused. No file,
 * no allocation, no error. */
#ifndef PML_CONVERT_I8_LOOPS_H
#define PML_CONVERT_I8_LOOPS_H

#include "convert/lines.h"

#define PML_I8_DEPTH 4u /* rows of a panel line */

/* What rounding took away from 16 columns. */
typedef struct pml_i8_losses {
    double errors[PML_PANEL_COLUMNS], signals[PML_PANEL_COLUMNS]; /* sums of squares */
    double greatest[PML_PANEL_COLUMNS];                           /* magnitude of a difference */
} pml_i8_losses;

typedef struct pml_i8_loops {
    const char *isa;
    uint32_t needs; /* as in pml_kernel_variant */
    /* greatest[c] = max(greatest[c], |lines[i][c]|) */
    void (*add_greatest)(const float *lines, size_t n, float greatest[PML_PANEL_COLUMNS]);
    /* errors[k][c] += squared differences of lines[i][c] from its multiple of scales[k][c], in steps. A scale of 0
     * counts nothing. Floats within 64 lines, then doubles. */
    void (*add_errors)(const float (*scales)[PML_PANEL_COLUMNS], size_t n_scales, const float *lines, size_t n,
                       double (*errors)[PML_PANEL_COLUMNS]);
    /* With q = lines[i][c] / scales[c] rounded: products[c] += x * q in steps, squares[c] += q * q. */
    void (*add_fit)(const float scales[PML_PANEL_COLUMNS], const float *lines, size_t n,
                    double products[PML_PANEL_COLUMNS], double squares[PML_PANEL_COLUMNS]);
    /* n lines to panel lines of [16][4], the last one completed with zeros; adds to sums and *losses. */
    void (*round)(const float scales[PML_PANEL_COLUMNS], const float *lines, size_t n, int8_t *out,
                  int32_t sums[PML_PANEL_COLUMNS], pml_i8_losses *losses);
} pml_i8_loops;

extern const pml_i8_loops pml_i8_loops_scalar;
#if defined(__x86_64__)
extern const pml_i8_loops pml_i8_loops_avx2, pml_i8_loops_avx512;
#endif

/* The i-th of all, plain ones first; NULL past the last. */
const pml_i8_loops *pml_i8_loops_at(size_t i);
/* The fastest within a mask of instruction sets (runtime/kernels/kernels.h). */
const pml_i8_loops *pml_i8_loops_choose(uint32_t allowed);

#endif
