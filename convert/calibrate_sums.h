/* The sums of a calibration, and how they are shown. Private to calibrate.c and calibrate_sums.c. */
#ifndef PML_CONVERT_CALIBRATE_SUMS_H
#define PML_CONVERT_CALIBRATE_SUMS_H

#include "convert/calibrate.h"

/* Values of an output; 0 where it has no data. */
size_t pml_calibrated_size(const pml_array *output);
/* The sums of the output of that name, which begin at zero; NULL: there is no room for more outputs. */
pml_calibrated_output *pml_calibrated_find(pml_calibration *calibration, const char *name);
/* Adds n values in rows of n_row. */
void pml_calibrated_add(pml_calibrated_output *sums, const float *exact, const float *rounded, size_t n, size_t n_row);
/* The negative log-likelihood of one of n scores. */
double pml_calibrated_loss(const float *scores, size_t n, size_t target);

#endif
