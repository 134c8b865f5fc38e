/* A comparison as tables or as JSON. */
#ifndef PML_CONVERT_DIFF_PRINT_H
#define PML_CONVERT_DIFF_PRINT_H

#include <stdio.h>

#include "convert/diff.h"

/* Writes `report` of `a` and `b` to `stream`. Errors: IO, MEMORY. */
pml_status pml_diff_print(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                          const pml_diff_report *report, bool json, FILE *stream, pml_error *error) PML_WARN_UNUSED;

#endif
