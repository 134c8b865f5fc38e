#include "tests/runtime/kernels/variants.h"

/* The slot of a table, read as the selection writes it. */
static pml_kernel_code *slot(const pml_kernels *table, size_t offset) {
    pml_kernel_code *code = NULL;
    memcpy(&code, (const char *)table + offset, sizeof code);
    return code;
}

static void scalar_fills_every_slot(void) {
    pml_kernels table;
    memset(&table, 0, sizeof table);
    pml_kernels_select(&table, 0);
    size_t n_scalar = 0;
    for (const pml_kernel_variant *v = pml_kernel_variants; v->op != NULL; v++) {
        if (strcmp(v->isa, "scalar") == 0) {
            CU_ASSERT_TRUE(slot(&table, v->slot) == v->code);
            n_scalar++;
        }
    }
    CU_ASSERT_EQUAL(n_scalar * sizeof(pml_kernel_code *), sizeof table);
}

static void the_last_allowed_variant_of_an_op_wins(void) {
    static const uint32_t masks[] = {PML_ISA_scalar, PML_ISA_avx2, PML_ISA_avx512, UINT32_MAX};
    for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
        pml_kernels table;
        memset(&table, 0, sizeof table);
        pml_kernels_select(&table, masks[m]);
        for (const pml_kernel_variant *v = pml_kernel_variants; v->op != NULL; v++) {
            const pml_kernel_variant *best = NULL;
            for (const pml_kernel_variant *other = pml_kernel_variants; other->op != NULL; other++) {
                if (other->slot == v->slot && (other->needs & masks[m]) == other->needs) {
                    best = other;
                }
            }
            CU_ASSERT_PTR_NOT_NULL_FATAL(best);
            CU_ASSERT_STRING_EQUAL(best->op, v->op);
            CU_ASSERT_TRUE(slot(&table, v->slot) == best->code);
        }
    }
}

static void ranks_variants_from_worst_to_best(void) {
    for (const pml_kernel_variant *v = pml_kernel_variants; v->op != NULL; v++) {
        for (const pml_kernel_variant *later = v + 1; later->op != NULL; later++) {
            if (strcmp(v->op, later->op) == 0) {
                /* Bundles beside each other may come in any order: none may come after one that builds on it. */
                CU_ASSERT_TRUE((v->needs & later->needs) != later->needs);
            }
        }
    }
}

PML_TESTS("kernels/kernels", PML_TEST(scalar_fills_every_slot), PML_TEST(the_last_allowed_variant_of_an_op_wins),
          PML_TEST(ranks_variants_from_worst_to_best))
