/* Plans and results of conversions for people and for programs. */
#ifndef PML_CONVERT_PLAN_PRINT_H
#define PML_CONVERT_PLAN_PRINT_H

#include <stdio.h>

#include "convert/calibrate.h"

/* Every tensor with its source, shape, stored form and transforms. Errors: MEMORY. */
pml_status pml_plan_print_tensors(const pml_plan *plan, FILE *stream, pml_error *error) PML_WARN_UNUSED;

/* What the source is, what was assumed, what is left out and why, and the sum of it: a few lines; with `all` what is
 * left out is listed tensor by tensor. */
void pml_plan_print_summary(const pml_plan *plan, bool all, FILE *stream);

/* One JSON object; `report` and `seconds` only of a conversion that was done (NULL: a plan only), `calibration` where
 * one was asked for. Errors: IO. */
pml_status pml_plan_print_json(const pml_plan *plan, const pml_convert_report *report,
                               const pml_calibration *calibration, double seconds, FILE *stream,
                               pml_error *error) PML_WARN_UNUSED;

#endif
