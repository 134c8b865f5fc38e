/* The scales of I8: of 16 columns over any number of rows, in a few passes over the same lines of 16 floats.
 *
 * A scale is searched, not taken from the greatest magnitude: a few scales near it are tried, the one of the least
 * squared error is fitted once more by least squares, and the better of the two stays. What is added is added in one
 * order, so results depend on the numbers alone. No file, no allocation, no error. */
#ifndef PML_CONVERT_I8_SEARCH_H
#define PML_CONVERT_I8_SEARCH_H

#include "convert/i8_loops.h"

#define PML_I8_CANDIDATES 6u

typedef struct pml_i8_search {
    const pml_i8_loops *loops;
    unsigned i_pass;
    float factor;                    /* 0: scales are F32; otherwise F16 times this power of two */
    float scales[PML_PANEL_COLUMNS]; /* the result, as the kernels will see it; 0 for a column of zeros */
    float tried[PML_I8_CANDIDATES][PML_PANEL_COLUMNS];
    float greatest[PML_PANEL_COLUMNS];
    double errors[PML_I8_CANDIDATES][PML_PANEL_COLUMNS]; /* squared, in steps of the scale */
    double products[PML_PANEL_COLUMNS], squares[PML_PANEL_COLUMNS];
} pml_i8_search;

/* begin, then for each pass: add every line in order, and `next`, until that is false. Values are finite. */
void pml_i8_search_begin(pml_i8_search *search, const pml_i8_loops *loops, float factor);
void pml_i8_search_add(pml_i8_search *search, const float *lines, size_t n);
bool pml_i8_search_next(pml_i8_search *search);

/* The factor of a tensor's F16 scales: a power of two that puts the scale of its greatest magnitude near the top of
 * what F16 holds, so that smaller ones lose no precision. 1 for a tensor of zeros. */
float pml_i8_factor(float greatest);

#endif
