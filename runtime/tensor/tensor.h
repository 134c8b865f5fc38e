/* Tensors: a dtype, a shape and a place in a buffer. They own nothing and are copied by value.
 *
 * Every tensor is contiguous in its layout. `row` tensors are row-major; `panel` tensors are matrices
 * [batch...][in][out] arranged as runtime/file/layout.h says, and only matrix kernels read them. */
#ifndef PML_RUNTIME_TENSOR_TENSOR_H
#define PML_RUNTIME_TENSOR_TENSOR_H

#include "runtime/base/limits.h"
#include "runtime/file/reader.h"

/* Which copy of a buffer is the newer one. */
typedef enum pml_side {
    PML_SIDE_BOTH, /* they agree, or there is only one */
    PML_SIDE_HOST,
    PML_SIDE_DEVICE
} pml_side;

/* Bytes that tensors point into. On the CPU only `host` is used. The owner is whoever made it: a map, an arena. */
typedef struct pml_buffer {
    void *host;
    void *device; /* the backend's handle; NULL on the CPU */
    pml_side newer;
    size_t size_bytes;
} pml_buffer;

/* What an I8 panel matrix is multiplied by (specs/pml-format.md §10). Pointers are borrowed, 64-byte aligned. */
typedef struct pml_quantization {
    const void *scales;  /* F32 [matrices][panels][16], or F16 [matrices][panels][groups][16] */
    const void *sums;    /* of the values: I32 or I16, arranged as the scales */
    uint32_t group_rows; /* 0: one scale per column */
    float scale_factor;  /* of F16 scales */
} pml_quantization;

typedef struct pml_tensor {
    pml_dtype dtype;
    pml_layout layout;
    unsigned rank;                 /* 0: a scalar, one element */
    size_t shape[PML_MAX_RANK];    /* logical */
    pml_buffer *buffer;            /* borrowed */
    size_t offset_bytes;           /* where the tensor begins in the buffer */
    bool is_constant;              /* never written: mapped weights are read-only pages */
    pml_quantization quantization; /* I8 only */
} pml_tensor;

/* A constant tensor over mapped weight bytes. `buffer` is the caller's and is filled here: it must outlive the tensor,
 * as must `file`. Errors: FORMAT (a size that this machine cannot address). */
pml_status pml_tensor_view_file(const pml_file *file, const pml_file_tensor *source, pml_buffer *buffer,
                                pml_tensor *tensor, pml_error *error) PML_WARN_UNUSED;

/* The first byte, whatever the dtype and layout. */
const void *pml_tensor_bytes(const pml_tensor *tensor);
/* The elements of a row-major FP32 tensor; the first form must not be asked of a constant. */
float *pml_tensor_f32(const pml_tensor *tensor);
const float *pml_tensor_f32_const(const pml_tensor *tensor);

/* Elements of the logical shape: their product, 1 for rank 0. */
size_t pml_tensor_count(const pml_tensor *tensor);
/* Product of all axes but the last; 1 for rank 0 and 1. */
size_t pml_tensor_rows(const pml_tensor *tensor);
/* The last axis; 1 for rank 0. */
size_t pml_tensor_columns(const pml_tensor *tensor);

/* For a matrix [batch...][in][out] of rank >= 2: how many matrices it holds, the bytes of one, and the i-th one's. */
size_t pml_tensor_n_matrices(const pml_tensor *tensor);
size_t pml_tensor_matrix_bytes(const pml_tensor *tensor);
const void *pml_tensor_matrix(const pml_tensor *tensor, size_t i_matrix);
/* Of an I8 matrix: groups of rows that have a scale each (1: all rows), and the i-th matrix's scales and sums. */
size_t pml_tensor_n_groups(const pml_tensor *tensor);
pml_quantization pml_tensor_quantization(const pml_tensor *tensor, size_t i_matrix);

/* The same bytes under another shape. Errors: ARGUMENT (another element count, a `panel` tensor, rank above
 * PML_MAX_RANK). */
pml_status pml_tensor_reshape_view(const pml_tensor *tensor, const size_t *shape, unsigned rank, pml_tensor *view,
                                   pml_error *error) PML_WARN_UNUSED;

#endif
