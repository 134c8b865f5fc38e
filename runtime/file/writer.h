/* Writing a .pml file: declare everything, then stream tensor bytes, then publish whole or not at all.
 *
 *   create → set_metadata → add_tensor*, add_blob* → begin → (tensor_write* per tensor, in any order) → finish
 *
 * Same declarations and bytes give the same file. The target appears only in finish; destroy before finish leaves
 * nothing. */
#ifndef PML_RUNTIME_FILE_WRITER_H
#define PML_RUNTIME_FILE_WRITER_H

#include "runtime/file/reader.h"

typedef struct pml_writer pml_writer;

typedef enum pml_extent_kind { PML_EXTENT_DATA, PML_EXTENT_SCALES, PML_EXTENT_SUMS, PML_EXTENT_COUNT } pml_extent_kind;

pml_status pml_writer_create(pml_file_kind kind, pml_writer **writer, pml_error *error) PML_WARN_UNUSED;
void pml_writer_destroy(pml_writer *writer); /* NULL is allowed */

/* For adapters and checkpoints: the content digest of the model that they belong to. Errors: ARGUMENT (a model). */
pml_status pml_writer_set_base_digest(pml_writer *writer, const uint8_t digest[16], pml_error *error) PML_WARN_UNUSED;

/* Copies. May be called again, also between begin and finish (for hashes known only after streaming): then the encoded
 * size must be the same. Errors: ARGUMENT, MEMORY. */
pml_status pml_writer_set_metadata(pml_writer *writer, const pml_metadata *metadata, pml_error *error) PML_WARN_UNUSED;

/* Declares a tensor; *i_tensor identifies it in tensor_write. `transforms` may be NULL. Errors: ARGUMENT (name taken,
 * bad shape, too many), UNSUPPORTED, MEMORY. */
pml_status pml_writer_add_tensor(pml_writer *writer, const char *name, pml_dtype dtype, pml_layout layout,
                                 const uint64_t *shape, unsigned rank, const char *transforms, size_t *i_tensor,
                                 pml_error *error) PML_WARN_UNUSED;
/* The same with groups of `group_rows` rows (I8: 0, 32 or 64; otherwise 0). An I8 tensor has three extents to write. */
pml_status pml_writer_add_grouped(pml_writer *writer, const char *name, pml_dtype dtype, pml_layout layout,
                                  uint32_t group_rows, const uint64_t *shape, unsigned rank, const char *transforms,
                                  size_t *i_tensor, pml_error *error) PML_WARN_UNUSED;
pml_status pml_writer_add_blob(pml_writer *writer, const char *name, const void *data, size_t size_bytes,
                               pml_error *error) PML_WARN_UNUSED; /* copies */

/* The size that the file will have, known from the declarations alone (dry runs use it). */
pml_status pml_writer_planned_size(pml_writer *writer, uint64_t *size_bytes, pml_error *error) PML_WARN_UNUSED;

/* Opens the temporary file beside `path` and reserves its space. `replace`: an existing target may be replaced (at
 * finish, atomically); otherwise it is an error here and again at finish. Errors: IO (ENOSPC too), ARGUMENT (exists).
 */
pml_status pml_writer_begin(pml_writer *writer, const char *path, bool replace, pml_error *error) PML_WARN_UNUSED;

/* Appends stored bytes (already in the tensor's layout) to that tensor. */
pml_status pml_writer_tensor_write(pml_writer *writer, size_t i_tensor, const void *bytes, size_t size_bytes,
                                   pml_error *error) PML_WARN_UNUSED;
/* Appends stored bytes to one of the tensor's extents; scales and sums (pml_layout_scales) belong to I8 only. */
pml_status pml_writer_extent_write(pml_writer *writer, size_t i_tensor, pml_extent_kind kind, const void *bytes,
                                   size_t size_bytes, pml_error *error) PML_WARN_UNUSED;
/* I8 in groups: what every F16 scale is multiplied by; finite and not negative. Until finish. */
void pml_writer_set_scale_factor(pml_writer *writer, size_t i_tensor, float factor);
/* For lossy types: what pml_file_tensor.quantization_error will say. */
void pml_writer_set_quantization_error(pml_writer *writer, size_t i_tensor, double relative_rms);

/* Writes header and table, fsyncs, reopens and verifies, renames, fsyncs the directory. Errors: ARGUMENT (a tensor is
 * short), IO, MISMATCH (what was read back differs). On error the target is as before and the temporary is gone. */
pml_status pml_writer_finish(pml_writer *writer, pml_error *error) PML_WARN_UNUSED;

#endif
