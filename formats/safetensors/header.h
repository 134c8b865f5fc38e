/* The header of one safetensors file: 8 bytes little-endian length N, N bytes of JSON, then tensor data without holes.
 */
#ifndef PML_FORMATS_SAFETENSORS_HEADER_H
#define PML_FORMATS_SAFETENSORS_HEADER_H

#include "formats/format.h"

/* Reads and checks the header of file `i_file`, and adds its tensors and metadata to the source.
 * Errors: FORMAT, UNSUPPORTED (a dtype or rank that is not ours), MEMORY. */
pml_status pml_safetensors_read_header(pml_source *source, size_t i_file, pml_error *error) PML_WARN_UNUSED;

/* Checks that the tensors of each file cover its data exactly: no hole, no overlap, nothing behind. All headers were
 * read. Errors: FORMAT, MEMORY. */
pml_status pml_safetensors_check_coverage(pml_source *source, pml_error *error) PML_WARN_UNUSED;

/* The length that the first 8 bytes declare. */
uint64_t pml_safetensors_header_bytes(const uint8_t *bytes);

#endif
