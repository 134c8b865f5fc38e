/* Opens a file that the source has already: what the provider and the fuzz harness share. */
#ifndef PML_FORMATS_NUMPY_NUMPY_OPEN_H
#define PML_FORMATS_NUMPY_NUMPY_OPEN_H

#include "formats/format.h"

/* Adds the arrays of file `i_file`; `source` is of pml_format_numpy. Errors: FORMAT, UNSUPPORTED, MEMORY. */
pml_status pml_numpy_open(pml_source *source, size_t i_file, pml_error *error) PML_WARN_UNUSED;

#endif
