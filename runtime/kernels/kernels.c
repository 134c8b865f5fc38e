/* The table of variants and the choice among them. */
#include "runtime/kernels/kernels.h"

#include <string.h>

const pml_kernel_variant pml_kernel_variants[] = {
#define PML_KERNEL(kind, op, isa)                                                                                      \
    {#op, #isa, PML_ISA_##isa, offsetof(pml_kernels, op), (pml_kernel_code *)pml_##op##_##isa},
#include "runtime/kernels/registry.def"
#undef PML_KERNEL
    {0}};

void pml_kernels_select(pml_kernels *table, uint32_t allowed) {
    allowed |= PML_ISA_scalar;
    for (const pml_kernel_variant *variant = pml_kernel_variants; variant->op != NULL; variant++) {
        if ((variant->needs & allowed) == variant->needs) {
            /* Every slot is a function pointer; POSIX gives them all one size and form. */
            memcpy((char *)table + variant->slot, &variant->code, sizeof variant->code);
        }
    }
}

size_t pml_attention_work(size_t n_keys, size_t depth) {
    /* The keys as panels of 16 (depth floats a key), and the scores of up to 16 queries. */
    size_t padded = (n_keys + 15) / 16 * 16;
    return padded * (depth + 16);
}

size_t pml_attention_gradient_work(size_t n_keys, size_t depth) {
    /* Keys and values as panels of 16; the weights of a block of queries and what arrives at them. */
    size_t padded = (n_keys + 15) / 16 * 16;
    return 2 * padded * (depth + PML_ATTENTION_GRADIENT_ROWS);
}

pml_dropout_mask pml_dropout_mask_of(uint64_t seed, uint64_t step, uint64_t number, double p) {
    const double threshold = p * 4294967296.0; /* 2^32 */
    return (pml_dropout_mask){
        .seed = seed,
        .step = step,
        .number = (uint32_t)number,
        .threshold = threshold < 4294967295.0 ? (uint32_t)threshold : UINT32_MAX,
        .scale = p < 1 ? (float)(1 / (1 - p)) : 0.0f,
    };
}
