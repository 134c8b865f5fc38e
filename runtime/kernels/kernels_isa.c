/* Instruction sets: names, detection, and the restriction by PML_ISA. */
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static const struct bundle {
    const char *name;
    uint32_t mask;
} bundles[] = {
#define BUNDLE(name, base) {#name, PML_ISA_##name},
    PML_ISA_LIST(BUNDLE)
#undef BUNDLE
};

const char *pml_isa_name(unsigned i_isa) {
    return i_isa < PML_ISA_COUNT ? bundles[i_isa].name : NULL;
}

#if defined(__x86_64__)
/* Extended control register 0: which register states the operating system saves on a context switch. */
static uint64_t saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has(uint32_t value, uint32_t bits) {
    return (value & bits) == bits;
}

uint32_t pml_isa_detect(void) {
    uint32_t mask = PML_ISA_scalar;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) {
        return mask;
    }
    const uint64_t ymm = 0x06, zmm = 0xe6; /* SSE and AVX; those, opmasks and both halves of the ZMM file */
    uint64_t state = saved_state();
    uint32_t leaf7_b, leaf7_c, a1 = 0;
    if ((state & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &leaf7_b, &leaf7_c, &d) || !has(leaf7_b, bit_AVX2)) {
        return mask;
    }
    if (a >= 1) {
        (void)__get_cpuid_count(7, 1, &a1, &b, &c, &d);
    }
    const uint32_t avxvnni = 1u << 4, avx512bf16 = 1u << 5; /* in EAX of leaf 7, subleaf 1 */
    mask |= PML_ISA_avx2;
    if (has(a1, avxvnni)) {
        mask |= PML_ISA_avxvnni;
    }
    if ((state & zmm) == zmm && has(leaf7_b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)) {
        mask |= PML_ISA_avx512;
        if (has(leaf7_c, bit_AVX512VNNI)) {
            mask |= PML_ISA_avx512vnni;
        }
        if (has(a1, avx512bf16)) {
            mask |= PML_ISA_avx512bf16;
        }
    }
    return mask;
}
#elif defined(__aarch64__)
uint32_t pml_isa_detect(void) {
    const bool sdot = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
    return sdot ? PML_ISA_sdot : PML_ISA_neon; /* every 64-bit Arm that runs Linux has NEON */
}
#else
uint32_t pml_isa_detect(void) {
    return PML_ISA_scalar;
}
#endif

static const struct bundle *find(const char *name, size_t length) {
    for (size_t i = 0; i < PML_ISA_COUNT; i++) {
        if (strlen(bundles[i].name) == length && memcmp(bundles[i].name, name, length) == 0) {
            return &bundles[i];
        }
    }
    return NULL;
}

pml_status pml_isa_parse(const char *list, uint32_t *mask, pml_error *error) {
    if (list == NULL) {
        *mask = UINT32_MAX;
        return PML_OK;
    }
    uint32_t parsed = PML_ISA_scalar;
    for (const char *name = list;; name++) {
        size_t length = strcspn(name, ",");
        const struct bundle *bundle = find(name, length);
        if (bundle == NULL) {
#define KNOWN(name, base) " " #name
            return PML_FAIL(error, PML_E_ARGUMENT, "PML_ISA: unknown instruction set '%.*s' (known:%s)",
                            (int)(length < 64 ? length : 64), name, PML_ISA_LIST(KNOWN));
#undef KNOWN
        }
        parsed |= bundle->mask;
        name += length;
        if (*name == '\0') {
            break;
        }
    }
    *mask = parsed;
    return PML_OK;
}

pml_status pml_isa_allowed(uint32_t *mask, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t named = 0;
    const char *list = getenv("PML_ISA");
    PML_TRY(pml_isa_parse(list != NULL && list[0] != '\0' ? list : NULL, &named, error));
    *mask = (pml_isa_detect() & named) | PML_ISA_scalar;
done:
    return status;
}
