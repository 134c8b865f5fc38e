/* Detection explains itself: every candidate with what speaks for and against it. */
#ifndef PML_CONVERT_DETECT_PRINT_H
#define PML_CONVERT_DETECT_PRINT_H

#include <stdio.h>

#include "mappers/mapper.h"

/* Writes the candidates of `source` to `stream`, best first. `mapping` (NULL: none) is the complete mapping of the
 * accepted candidate: what it assumed and dropped is told too. `verdict` says in one sentence why there is none; NULL:
 * there is one. Errors: IO, MEMORY. */
pml_status pml_detect_print(const pml_source *source, const pml_detect_report *report, const pml_mapping *mapping,
                            const char *verdict, bool json, FILE *stream, pml_error *error) PML_WARN_UNUSED;

#endif
