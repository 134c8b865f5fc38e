/* Kernels: the functions that touch numbers, one table of them, and the choice of the best ones for this CPU.
 *
 * A kernel allocates nothing, keeps nothing, never fails, and reads and writes exactly the ranges that its job names
 * (plus the zero padding inside a `panel` matrix). Pointers need the alignment of their element only. Sizes of 0 are
 * allowed and pointers of empty ranges may be NULL. Strides count elements, not bytes.
 * NaN and infinity propagate as in the formulas. Results of a row never depend on how many rows are in the job. */
#ifndef PML_RUNTIME_KERNELS_KERNELS_H
#define PML_RUNTIME_KERNELS_KERNELS_H

#include "runtime/kernels/gradient_kinds.h"
#include "runtime/kernels/optimize.h"

/* ---- instruction sets: bundles of CPU features, one bit each ---------------------------------------------------- */
/* X(name, the bundles that it builds on). A variant of bundle `name` may use all of theirs too. */
#define PML_ISA_LIST(X)                                                                                                \
    X(scalar, 0)                                                                                                       \
    X(avx2, PML_ISA_scalar)                                                                                            \
    X(avxvnni, PML_ISA_avx2)                                                                                           \
    X(avx512, PML_ISA_avx2)                                                                                            \
    X(avx512vnni, PML_ISA_avx512)                                                                                      \
    X(avx512bf16, PML_ISA_avx512)                                                                                      \
    X(neon, PML_ISA_scalar)                                                                                            \
    X(sdot, PML_ISA_neon)

enum {
#define PML_ISA_INDEX(name, base) PML_ISA_INDEX_##name,
    PML_ISA_LIST(PML_ISA_INDEX)
#undef PML_ISA_INDEX
        PML_ISA_COUNT
};
/* PML_ISA_avx2 and so on: the mask of a bundle together with what it builds on. */
enum {
#define PML_ISA_MASK(name, base) PML_ISA_##name = (1 << PML_ISA_INDEX_##name) | (base),
    PML_ISA_LIST(PML_ISA_MASK)
#undef PML_ISA_MASK
};

/* "avx2" for index 1; NULL past the last. */
const char *pml_isa_name(unsigned i_isa);
/* What this CPU offers and this operating system saves. */
uint32_t pml_isa_detect(void);
/* The mask of a comma list of bundle names, each with what it builds on; scalar is always in. NULL: everything.
 * Errors: ARGUMENT, naming the unknown bundle. */
pml_status pml_isa_parse(const char *list, uint32_t *mask, pml_error *error) PML_WARN_UNUSED;
/* What may be used: pml_isa_detect, restricted by the environment variable PML_ISA. Errors: ARGUMENT. */
pml_status pml_isa_allowed(uint32_t *mask, pml_error *error) PML_WARN_UNUSED;

/* ---- the table -------------------------------------------------------------------------------------------------- */
#define PML_KERNEL_SLOT_scalar(kind, op) pml_##kind##_fn *op;
#define PML_KERNEL_SLOT_avx2(kind, op)
#define PML_KERNEL_SLOT_avxvnni(kind, op)
#define PML_KERNEL_SLOT_avx512(kind, op)
#define PML_KERNEL_SLOT_avx512vnni(kind, op)
#define PML_KERNEL_SLOT_avx512bf16(kind, op)
#define PML_KERNEL_SLOT_neon(kind, op)
#define PML_KERNEL_SLOT_sdot(kind, op)

/* One typed pointer per op, named after it: `kernels->softmax_f32(&job)`. */
typedef struct pml_kernels {
#define PML_KERNEL(kind, op, isa) PML_KERNEL_SLOT_##isa(kind, op)
#include "runtime/kernels/registry.def"
#undef PML_KERNEL
} pml_kernels;

/* The variants by name, each of its kind's type: a source with another signature does not compile. */
#define PML_KERNEL(kind, op, isa) pml_##kind##_fn pml_##op##_##isa;
#include "runtime/kernels/registry.def"
#undef PML_KERNEL

typedef void pml_kernel_code(void); /* any kernel, its type erased */
typedef struct pml_kernel_variant {
    const char *op;
    const char *isa;
    uint32_t needs; /* mask */
    size_t slot;    /* offset in pml_kernels */
    pml_kernel_code *code;
} pml_kernel_variant;
extern const pml_kernel_variant pml_kernel_variants[]; /* in the registry's order, ends with a NULL op */

/* Fills every slot with the best variant that `allowed` permits. */
void pml_kernels_select(pml_kernels *table, uint32_t allowed);

#endif
