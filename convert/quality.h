/* What rounding took away from each tensor of a file, as the conversion recorded it: the relative L2 error in the
 * tensor record, the greatest error of one element in the metadata (specs/pml-format.md §4). */
#ifndef PML_CONVERT_QUALITY_H
#define PML_CONVERT_QUALITY_H

#include <stdio.h>

#include "convert/plan.h"
#include "runtime/file/reader.h"

/* Sets the entry of the plan's metadata from one number per plan->tensors[i]; NULL: zeros, which keep its room. A plan
 * that rounds nothing has no entry. Errors: MEMORY, ARGUMENT. */
pml_status pml_quality_record(pml_plan *plan, const double *max_errors, pml_error *error) PML_WARN_UNUSED;

/* One number per tensor in the order of the table, borrowed from the file; NULL: not recorded. Errors: MISMATCH (not as
 * many as tensors; negative or not finite; a tensor that has the one error and not the other, or has one and is F32),
 * naming the tensor. */
pml_status pml_quality_max_errors(const pml_file *file, const double **max_errors, pml_error *error) PML_WARN_UNUSED;

/* Signal to noise in decibels, -20 log10 of a relative L2 error above 0. */
double pml_quality_snr(double relative_error);

/* Writes what was rounded, the worst first: a table, or one JSON object. Errors: MISMATCH, MEMORY, IO. */
pml_status pml_quality_print(const pml_file *file, bool json, FILE *stream, pml_error *error) PML_WARN_UNUSED;

#endif
