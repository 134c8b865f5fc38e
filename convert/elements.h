/* The numbers of a stored tensor in logical order, whatever its dtype and layout, a piece at a time: how files are
 * compared by value in bounded memory. The plain definition of the layouts (specs/pml-format.md), not the fast one. */
#ifndef PML_CONVERT_ELEMENTS_H
#define PML_CONVERT_ELEMENTS_H

#include "runtime/file/reader.h"

/* Elements of the logical tensor: the product of its shape. A checked file's product does not overflow. */
uint64_t pml_elements_count(const pml_file_tensor *tensor);

/* Where logical element `i_element` (row-major) lies in the stored bytes. */
uint64_t pml_element_offset_bytes(const pml_file_tensor *tensor, uint64_t i_element);

/* The reverse: the logical element that holds stored byte `offset_bytes`; false when the byte is padding. */
bool pml_element_at_byte(const pml_file_tensor *tensor, uint64_t offset_bytes, uint64_t *i_element);

/* What the stored number of logical element `i_element` is multiplied by: the scale of I8, 1 of other dtypes. */
double pml_element_scale(const pml_file *file, const pml_file_tensor *tensor, uint64_t i_element);

/* Reads elements first .. first+count-1 into `values`, as they are stored. `data` is pml_file_tensor_data. Errors:
 * ARGUMENT (range), UNSUPPORTED (complex and narrow dtypes). */
pml_status pml_elements_read(const pml_file_tensor *tensor, const void *data, uint64_t first, size_t count,
                             double *values, pml_error *error) PML_WARN_UNUSED;

/* The same of a tensor of `file`, times the scale of each. */
pml_status pml_elements_values(const pml_file *file, const pml_file_tensor *tensor, uint64_t first, size_t count,
                               double *values, pml_error *error) PML_WARN_UNUSED;

#endif
