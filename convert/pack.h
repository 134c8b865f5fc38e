/* Packing: one mapped weight becomes the stored bytes of its layout, streamed through bounded buffers.
 *
 * Source elements (F64 F32 F16 BF16) are widened to F32 (F64 rounds once), put into logical order by the mapping's
 * transforms, rounded to the stored dtype (BF16: nearest even; I8: convert/i8_search.h) and laid out as
 * runtime/file/layout.h says. Works in place on mapped bytes of any alignment; needs the same few MiB for any size of
 * tensor: what I8 must know of a whole column or tensor before its first value is read again where it does not fit. */
#ifndef PML_CONVERT_PACK_H
#define PML_CONVERT_PACK_H

#include "mappers/mapper.h"
#include "runtime/file/layout.h"

typedef struct pml_packer pml_packer; /* the buffers, reused from weight to weight */

/* Uses the best instruction set that is allowed; the bytes are the same with any. Errors: MEMORY, ARGUMENT (PML_ISA).
 */
pml_status pml_packer_create(pml_packer **packer, pml_error *error) PML_WARN_UNUSED;
void pml_packer_destroy(pml_packer *packer); /* NULL is allowed */
uint64_t pml_packer_buffer_bytes(void);      /* what a packer allocates, whatever it packs */

typedef struct pml_pack_job {
    pml_source *source;
    const pml_mapped_weight *weight;
    pml_dtype dtype;     /* F32, BF16 or I8 */
    uint32_t group_rows; /* I8: 0, 32 or 64 */
    pml_layout layout;
    bool allow_nonfinite; /* keep NaN and infinities, and let what exceeds the stored range become infinite */
    /* Told before bytes of `tensor` below `end_bytes` (from its start) are read; NULL: nobody is told. */
    pml_status (*before_read)(void *user, const pml_source_tensor *tensor, uint64_t end_bytes, pml_error *error);
    /* Takes the next stored bytes, borrowed for the call. In total exactly pml_layout_size bytes. */
    pml_status (*sink)(void *user, const void *bytes, size_t size_bytes, pml_error *error);
    /* I8: takes the next bytes of scales, or of sums, likewise. */
    pml_status (*side_sink)(void *user, bool is_sums, const void *bytes, size_t size_bytes, pml_error *error);
    void *user;
} pml_pack_job;

typedef struct pml_pack_result {
    /* Of BF16 and I8, against the F32 value: root of (sum of squared differences / sum of squares); 0 for F32. */
    double quantization_error;
    double greatest_error; /* greatest magnitude of one difference, likewise */
    float scale_factor;    /* of I8 in groups */
    uint64_t n_nonfinite;  /* NaN and infinities of the source */
    uint64_t n_overflowed; /* finite values that became infinite */
} pml_pack_result;

/* Errors: NUMERIC (names file, tensor, index and coordinates), UNSUPPORTED (source dtype, by name), FORMAT, CONFIG,
 * INTERRUPTED, MEMORY, and whatever the callbacks return. */
pml_status pml_packer_run(pml_packer *packer, const pml_pack_job *job, pml_pack_result *result,
                          pml_error *error) PML_WARN_UNUSED;

/* What a weight is stored as when `dtype` and `layout` are asked for: products' operands follow, embeddings when it is
 * I8, everything else stays F32 row. */
void pml_pack_choose(const pml_weight_spec *spec, pml_dtype dtype, pml_layout layout, pml_dtype *stored_dtype,
                     pml_layout *stored_layout);

/* UNSUPPORTED, naming tensor and dtype, unless elements of this tensor can become weights. */
pml_status pml_pack_check_dtype(const pml_source *source, const pml_source_tensor *tensor,
                                pml_error *error) PML_WARN_UNUSED;

#endif
