/* A mapped weight seen as matrices [batch][row][column] over source elements, read as F32 in rectangles.
 *
 * The transforms of a mapping make every axis of a weight a list of strided factors over the elements of one source
 * tensor (or, where weights are stacked, of one tensor per index of the leading axis). A rectangle is read in runs
 * along the axis on which the source is contiguous, whatever the order in which the stored form wants it. */
#ifndef PML_CONVERT_GATHER_H
#define PML_CONVERT_GATHER_H

#include "mappers/mapper.h"
#include "mappers/transform.h"
#include "runtime/file/layout.h"

#define PML_GATHER_RUN 256u /* rows that are transposed at a time */

typedef struct pml_gather_axis { /* factors from outermost to innermost, neighbours joined where they can be */
    unsigned n_factors;
    uint64_t size[PML_MAX_FACTORS];
    uint64_t stride[PML_MAX_FACTORS]; /* in elements */
    uint64_t count;                   /* product of the sizes */
} pml_gather_axis;

typedef enum pml_gather_stack { PML_STACK_NONE, PML_STACK_BATCHES, PML_STACK_ROWS, PML_STACK_COLUMNS } pml_gather_stack;

typedef struct pml_gather { /* storage of the caller, about 40 KiB; fields are read-only outside gather.c */
    pml_source *source;
    const pml_mapped_weight *weight;
    uint64_t n_batches, n_rows, n_columns; /* rank 1: one row; axes before the last two: batches */
    pml_gather_stack stack;                /* which of them runs over the parts */
    bool by_columns;                       /* runs go along the rows' axis, one column after the other */

    size_t i_part; /* the part that the fields below describe */
    const pml_source_tensor *tensor;
    const uint8_t *bytes;
    size_t element_bytes;
    uint64_t offset; /* in elements */
    unsigned n_batch_axes;
    pml_gather_axis batch_axes[PML_MAX_RANK];
    pml_gather_axis rows, columns;

    float runs[PML_PANEL_COLUMNS][PML_GATHER_RUN];
    float zeros[PML_GATHER_RUN];
    float lines[PML_GATHER_RUN * PML_PANEL_COLUMNS];
} pml_gather;

/* Prepares to read `weight`. Both are borrowed. Errors: CONFIG (transforms that do not fit), FORMAT (shapes or parts
 * that do not fit the weight), UNSUPPORTED (dtype), those of pml_source_tensor_view. */
pml_status pml_gather_init(pml_gather *gather, pml_source *source, const pml_mapped_weight *weight,
                           pml_error *error) PML_WARN_UNUSED;

typedef struct pml_gather_block { /* a rectangle of one batch */
    uint64_t batch, row, column;
    size_t n_rows, n_columns;
} pml_gather_block;

/* Reads a rectangle: out[i * stride + c], i < n_rows, c < n_columns. `pad`: n_columns is at most 16 and lines are
 * completed to 16 with zeros. Errors: as init. */
pml_status pml_gather_read(pml_gather *gather, const pml_gather_block *block, bool pad, float *out, size_t stride,
                           pml_error *error) PML_WARN_UNUSED;

/* Which source element one element of the weight is. Afterwards gather->tensor is its tensor. Errors: as init. */
pml_status pml_gather_locate(pml_gather *gather, uint64_t batch, uint64_t row, uint64_t column, uint64_t *i_element,
                             pml_error *error) PML_WARN_UNUSED;

/* End of the bytes (from the tensor's start) that a rectangle needs of the part that holds row `block->row`. Afterwards
 * gather->tensor is its tensor. Errors: as init. */
pml_status pml_gather_end(pml_gather *gather, const pml_gather_block *block, uint64_t *end_bytes,
                          pml_error *error) PML_WARN_UNUSED;

#endif
