/* How the bytes of one tensor are arranged (design: `row` and `panel`), and the sizes that follow.
 *
 * A logical tensor of rank >= 2 whose role is matrix has shape [batch...][in][out]; `panel` stores, batch after batch,
 * panels of 16 output columns: line i of a panel holds depth rows i*d .. i*d+d-1 of the 16 columns as [16][d], d = 1
 * (F32), 2 (BF16), 4 (I8); `in` padded to d and `out` to 16 with zeros. */
#ifndef PML_RUNTIME_FILE_LAYOUT_H
#define PML_RUNTIME_FILE_LAYOUT_H

#include "runtime/base/dtype.h"
#include "runtime/base/error.h"

#define PML_PANEL_COLUMNS 16u
#define PML_TENSOR_ALIGNMENT_BYTES 64u
#define PML_PAGE_ALIGNMENT_BYTES 4096u

/* The numbers are those of the .pml file. */
typedef enum pml_layout { PML_LAYOUT_ROW = 1, PML_LAYOUT_PANEL = 2 } pml_layout;

const char *pml_layout_name(pml_layout layout); /* "row", "panel"; "?" otherwise */
pml_status pml_layout_from_name(const char *name, pml_layout *layout, pml_error *error) PML_WARN_UNUSED;

/* Depth rows per 64-byte line of a panel: 1 (F32), 2 (BF16), 4 (I8); 0 for dtypes without a panel form. */
unsigned pml_panel_depth(pml_dtype dtype);

/* Bytes of the stored form of a tensor. Errors: FORMAT (overflow, rank too small for panel), UNSUPPORTED (dtype). */
pml_status pml_layout_size(pml_layout layout, pml_dtype dtype, const uint64_t *shape, unsigned rank,
                           uint64_t *size_bytes, pml_error *error) PML_WARN_UNUSED;

/* Bytes of the scales and sums that belong to an I8 panel tensor: one pair per column (`group_rows` 0: F32 and I32) or
 * per group of 64 or 32 rows and column (F16 and I16), columns padded to 16. 0 and 0 for other dtypes.
 * Errors: FORMAT (overflow, groups without I8), UNSUPPORTED (another group size). */
pml_status pml_layout_scales(pml_dtype dtype, const uint64_t *shape, unsigned rank, uint32_t group_rows,
                             uint64_t *scales_bytes, uint64_t *sums_bytes, pml_error *error) PML_WARN_UNUSED;

#endif
