#include "convert/i8_loops.h"

#include <string.h>

#include "runtime/kernels/kernels.h"

/* What simd_<isa>.h has, as four floats that any compiler knows. */
#define VEC_LANES 4u
typedef float vec __attribute__((vector_size(16)));
typedef int32_t vec_mask __attribute__((vector_size(16)));

static inline vec vec_load(const float *p) {
    vec value;
    memcpy(&value, p, sizeof value);
    return value;
}
static inline void vec_store(float *p, vec a) {
    memcpy(p, &a, sizeof a);
}
static inline vec vec_set(float x) {
    return (vec){x, x, x, x};
}
static inline vec vec_add(vec a, vec b) {
    return a + b;
}
static inline vec vec_sub(vec a, vec b) {
    return a - b;
}
static inline vec vec_mul(vec a, vec b) {
    return a * b;
}
static inline vec vec_choose(vec_mask mask, vec a, vec b) {
    return (vec)((mask & (vec_mask)a) | (~mask & (vec_mask)b));
}
static inline vec vec_max(vec a, vec b) {
    return vec_choose(a > b, a, b);
}
static inline vec vec_min(vec a, vec b) {
    return vec_choose(a < b, a, b);
}
static inline vec vec_round(vec a) {
    return (a + 12582912.0f) - 12582912.0f;
}

#include "convert/i8_loops_body.h"

PML_I8_LOOPS(scalar, PML_ISA_scalar);

static const pml_i8_loops *const all[] = {
    &pml_i8_loops_scalar,
#if defined(__x86_64__)
    &pml_i8_loops_avx2,
    &pml_i8_loops_avx512,
#endif
};

const pml_i8_loops *pml_i8_loops_at(size_t i) {
    return i < sizeof all / sizeof all[0] ? all[i] : NULL;
}

const pml_i8_loops *pml_i8_loops_choose(uint32_t allowed) {
    const pml_i8_loops *best = &pml_i8_loops_scalar;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        best = (all[i]->needs & ~allowed) == 0 ? all[i] : best;
    }
    return best;
}
