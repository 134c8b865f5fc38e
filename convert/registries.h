/* The registries as text: families with their dialects, source formats with their file names. */
#ifndef PML_CONVERT_REGISTRIES_H
#define PML_CONVERT_REGISTRIES_H

#include <stdio.h>

#include "runtime/base/error.h"

/* One object {"models": [...]} if `json`, otherwise a paragraph per family. Errors: IO, MEMORY. */
pml_status pml_registry_print_models(bool json, FILE *stream, pml_error *error) PML_WARN_UNUSED;
/* One object {"formats": [...]} if `json`, otherwise a table. Errors: IO, MEMORY. */
pml_status pml_registry_print_formats(bool json, FILE *stream, pml_error *error) PML_WARN_UNUSED;

#endif
