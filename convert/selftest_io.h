/* Recorded vectors as they lie in a safetensors file, and the outputs of a run on their way back into one. */
#ifndef PML_CONVERT_SELFTEST_IO_H
#define PML_CONVERT_SELFTEST_IO_H

#include "formats/format.h"
#include "runtime/models/selftest.h"

typedef struct pml_selftest_io { /* zero = safe to close */
    pml_source *source;
    pml_vector *vectors; /* views into `source`: in.*, out.* and out64.* of number dtypes; others are left out */
    size_t n_vectors;
} pml_selftest_io;

/* Opens a file of recorded vectors. Tensors of other names (losses, gradients, intermediate values) are left out.
 * Errors: those of pml_source_open, UNSUPPORTED (an in.* or out.* of a dtype without numbers), MEMORY. */
pml_status pml_selftest_io_open(const char *path, pml_selftest_io *io, pml_error *error) PML_WARN_UNUSED;
void pml_selftest_io_close(pml_selftest_io *io);

/* Leaves out what was derived from outputs and is none itself: out64.<name> where neither out.<name> is recorded nor
 * the model has an output of that name (a forecast in other units, for instance). */
void pml_selftest_io_narrow(pml_selftest_io *io, const pml_model *model);

/* Writes the model's outputs of its last run as out.<name>, F32. Errors: those of pml_safetensors_write. */
pml_status pml_selftest_io_write(const pml_model *model, const char *path, pml_error *error) PML_WARN_UNUSED;

#endif
