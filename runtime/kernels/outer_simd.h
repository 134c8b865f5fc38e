/* Sums of outer products of rows, in tiles of the result that stay in registers; included after a simd_*.h. */
#ifndef PML_RUNTIME_KERNELS_OUTER_SIMD_H
#define PML_RUNTIME_KERNELS_OUTER_SIMD_H

#include <stdbool.h>

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/simd_unroll.h"

#define OUTER_VECS 2u
#if defined(__AVX512F__)
#define OUTER_ROWS 12u      /* with two vectors: 24 sums leave 8 registers of 32 */
#define OUTER_MOST_ROWS 16u /* with one */
#else
#define OUTER_ROWS 4u
#define OUTER_MOST_ROWS 8u
#endif

/* Rows i .. i + m - 1 of y, columns k on: n_vecs vectors, of the last of which n_last columns exist. Every count but
 * n_last is a constant. */
VEC_INLINE void outer_tile(const pml_outer *job, size_t i, size_t k, const size_t m, const size_t n_vecs,
                           const bool is_part, size_t n_last) {
    vec sums[OUTER_MOST_ROWS * OUTER_VECS];
    VEC_UNROLL
    for (size_t s = 0; s < m * n_vecs; s++) {
        sums[s] = vec_set(0);
    }
    const float *a = job->a + i, *b = job->b + k;
    for (size_t r = 0; r < job->n_rows; r++, a += job->a_stride, b += job->b_stride) {
        vec right[OUTER_VECS];
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++) {
            right[v] =
                is_part && v == n_vecs - 1 ? vec_load_part(b + v * VEC_LANES, n_last) : vec_load(b + v * VEC_LANES);
        }
        VEC_UNROLL
        for (size_t s = 0; s < m; s++) {
            const vec left = vec_set(a[s]);
            VEC_UNROLL
            for (size_t v = 0; v < n_vecs; v++) {
                sums[s * n_vecs + v] = vec_fma(left, right[v], sums[s * n_vecs + v]);
            }
        }
    }
    VEC_UNROLL
    for (size_t s = 0; s < m; s++) {
        float *y = job->y + (i + s) * job->y_stride + k;
        VEC_UNROLL
        for (size_t v = 0; v < n_vecs; v++, y += VEC_LANES) {
            vec sum = sums[s * n_vecs + v];
            if (is_part && v == n_vecs - 1) {
                sum = job->adds ? vec_add(vec_load_part(y, n_last), sum) : sum;
                vec_store_part(y, sum, n_last);
            } else {
                vec_store(y, job->adds ? vec_add(vec_load(y), sum) : sum);
            }
        }
    }
}

#define OUTER_TILES(m, n_vecs)                                                                                         \
    static __attribute__((noinline)) void outer_tile_##m##x##n_vecs(const pml_outer *job, size_t i, size_t k,          \
                                                                    size_t n_last) {                                   \
        if (n_last == VEC_LANES) {                                                                                     \
            outer_tile(job, i, k, m, n_vecs, false, VEC_LANES);                                                        \
        } else {                                                                                                       \
            outer_tile(job, i, k, m, n_vecs, true, n_last);                                                            \
        }                                                                                                              \
    }
OUTER_TILES(1, 1)
OUTER_TILES(2, 1)
OUTER_TILES(4, 1)
OUTER_TILES(8, 1)
OUTER_TILES(1, 2)
OUTER_TILES(2, 2)
OUTER_TILES(4, 2)
#if defined(__AVX512F__)
OUTER_TILES(16, 1)
OUTER_TILES(8, 2)
OUTER_TILES(12, 2)
#endif
#undef OUTER_TILES

typedef struct outer_step {
    size_t m;
    void (*run)(const pml_outer *job, size_t i, size_t k, size_t n_last);
} outer_step;

static void outer_simd(const pml_outer *job) {
    static const outer_step ones[] = {
#if defined(__AVX512F__)
        {16, outer_tile_16x1},
#endif
        {8, outer_tile_8x1},
        {4, outer_tile_4x1},
        {2, outer_tile_2x1},
        {1, outer_tile_1x1}
    };
    static const outer_step twos[] = {
#if defined(__AVX512F__)
        {12, outer_tile_12x2},
        {8, outer_tile_8x2},
#endif
        {4, outer_tile_4x2},
        {2, outer_tile_2x2},
        {1, outer_tile_1x2}
    };
    for (size_t k = 0; k < job->n_b;) {
        const size_t left = job->n_b - k, n_vecs = left > VEC_LANES ? 2 : 1;
        const size_t n = left < n_vecs * VEC_LANES ? left : n_vecs * VEC_LANES;
        const outer_step *step = n_vecs == 2 ? twos : ones;
        for (size_t i = 0; i < job->n_a; i += step->m) {
            while (step->m > job->n_a - i) {
                step++;
            }
            step->run(job, i, k, n - (n_vecs - 1) * VEC_LANES);
        }
        k += n;
    }
}

#endif
