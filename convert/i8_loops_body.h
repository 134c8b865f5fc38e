/* The loops of i8_loops.h, once for all instruction sets: include after simd_<isa>.h of the kernels, or what stands for
 * it. Sums are added lane by lane of 16, whatever the width of a vector. */
#ifndef PML_CONVERT_I8_LOOPS_BODY_H
#define PML_CONVERT_I8_LOOPS_BODY_H

#include <math.h>
#include <string.h>

#include "convert/i8_loops.h"
#include "runtime/kernels/simd_unroll.h"

enum { LANES = PML_PANEL_COLUMNS, BLOCK = 64, DEPTH = PML_I8_DEPTH, VECS = LANES / VEC_LANES };

static inline vec nearest(vec x) {
    return vec_round(vec_max(vec_min(x, vec_set(127.0f)), vec_set(-127.0f)));
}

/* 1 / scale, and 0 for 0. */
static inline void invert(const float scales[LANES], float inverses[LANES]) {
    for (size_t c = 0; c < LANES; c++) {
        const float inverse = 1.0f / (scales[c] > 0 ? scales[c] : 1.0f);
        inverses[c] = scales[c] > 0 ? inverse : 0.0f;
    }
}

static inline void load_line(const float *line, vec values[VECS]) {
    VEC_UNROLL
    for (size_t v = 0; v < VECS; v++) {
        values[v] = vec_load(line + v * VEC_LANES);
    }
}

static void add_greatest(const float *lines, size_t n, float greatest[LANES]) {
    vec most[VECS];
    load_line(greatest, most);
    for (size_t i = 0; i < n; i++) {
        VEC_UNROLL
        for (size_t v = 0; v < VECS; v++) {
            const vec x = vec_load(lines + i * LANES + v * VEC_LANES);
            most[v] = vec_max(most[v], vec_max(x, vec_sub(vec_set(0.0f), x)));
        }
    }
    VEC_UNROLL
    for (size_t v = 0; v < VECS; v++) {
        vec_store(greatest + v * VEC_LANES, most[v]);
    }
}

static inline void add_to_doubles(const vec sums[VECS], double *doubles) {
    float line[LANES];
    VEC_UNROLL
    for (size_t v = 0; v < VECS; v++) {
        vec_store(line + v * VEC_LANES, sums[v]);
    }
    for (size_t c = 0; c < LANES; c++) {
        doubles[c] += (double)line[c];
    }
}

static void add_errors(const float (*scales)[LANES], size_t n_scales, const float *lines, size_t n,
                       double (*errors)[LANES]) {
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t last = n - first < BLOCK ? n : first + BLOCK;
        for (size_t k = 0; k < n_scales; k++) {
            float inverses[LANES];
            vec factors[VECS], sums[VECS];
            invert(scales[k], inverses);
            load_line(inverses, factors);
            VEC_UNROLL
            for (size_t v = 0; v < VECS; v++) {
                sums[v] = vec_set(0.0f);
            }
            for (size_t i = first; i < last; i++) {
                VEC_UNROLL
                for (size_t v = 0; v < VECS; v++) {
                    const vec x = vec_mul(vec_load(lines + i * LANES + v * VEC_LANES), factors[v]);
                    const vec error = vec_sub(x, nearest(x));
                    sums[v] = vec_add(sums[v], vec_mul(error, error));
                }
            }
            add_to_doubles(sums, errors[k]);
        }
    }
}

static void add_fit(const float scales[LANES], const float *lines, size_t n, double products[LANES],
                    double squares[LANES]) {
    float inverses[LANES];
    vec factors[VECS];
    invert(scales, inverses);
    load_line(inverses, factors);
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t last = n - first < BLOCK ? n : first + BLOCK;
        vec xq[VECS], qq[VECS];
        VEC_UNROLL
        for (size_t v = 0; v < VECS; v++) {
            xq[v] = qq[v] = vec_set(0.0f);
        }
        for (size_t i = first; i < last; i++) {
            VEC_UNROLL
            for (size_t v = 0; v < VECS; v++) {
                const vec x = vec_mul(vec_load(lines + i * LANES + v * VEC_LANES), factors[v]), q = nearest(x);
                xq[v] = vec_add(xq[v], vec_mul(x, q));
                qq[v] = vec_add(qq[v], vec_mul(q, q));
            }
        }
        add_to_doubles(xq, products);
        add_to_doubles(qq, squares);
    }
}

/* A panel line out of four lines. Bytes are put together in words: byte d of word c is row d of column c. */
static inline void round_four(const float *const four[DEPTH], const float inverses[LANES], const float scales[LANES],
                              int8_t *out, int32_t sums[LANES], pml_i8_losses *losses) {
    uint32_t words[LANES] = {0};
    for (unsigned d = 0; d < DEPTH; d++) {
        float rounded[LANES];
        VEC_UNROLL
        for (size_t v = 0; v < VECS; v++) {
            const size_t c = v * VEC_LANES;
            vec_store(rounded + c, nearest(vec_mul(vec_load(four[d] + c), vec_load(inverses + c))));
        }
        for (size_t c = 0; c < LANES; c++) {
            const int32_t value = (int32_t)rounded[c];
            words[c] |= ((uint32_t)value & 255u) << (8 * d);
            sums[c] += value;
        }
        for (size_t c = 0; c < LANES; c++) {
            const double value = (double)four[d][c], difference = (double)(rounded[c] * scales[c]) - value;
            losses->errors[c] += difference * difference;
            losses->signals[c] += value * value;
            losses->greatest[c] = losses->greatest[c] > fabs(difference) ? losses->greatest[c] : fabs(difference);
        }
    }
    memcpy(out, words, sizeof words);
}

static void round_lines(const float scales[LANES], const float *lines, size_t n, int8_t *out, int32_t sums[LANES],
                        pml_i8_losses *losses) {
    static const float zeros[LANES];
    float inverses[LANES];
    int32_t added[LANES];
    pml_i8_losses lost = *losses;
    invert(scales, inverses);
    memcpy(added, sums, sizeof added);
    for (size_t first = 0; first < n; first += DEPTH, out += DEPTH * LANES) {
        const float *four[DEPTH];
        for (size_t d = 0; d < DEPTH; d++) {
            four[d] = first + d < n ? lines + (first + d) * LANES : zeros;
        }
        round_four(four, inverses, scales, out, added, &lost);
    }
    memcpy(sums, added, sizeof added);
    *losses = lost;
}

#define PML_I8_LOOPS(name, mask)                                                                                       \
    const pml_i8_loops pml_i8_loops_##name = {                                                                         \
        .isa = #name,                                                                                                  \
        .needs = (mask),                                                                                               \
        .add_greatest = add_greatest,                                                                                  \
        .add_errors = add_errors,                                                                                      \
        .add_fit = add_fit,                                                                                            \
        .round = round_lines,                                                                                          \
    }

#endif
