/* What one core can do at most, for benches to state fractions of: multiply-adds from registers alone, and reads. */
#ifndef PML_TESTS_BENCH_PEAK_H
#define PML_TESTS_BENCH_PEAK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runtime/kernels/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum { PEAK_TURNS = 20000, PEAK_CHAINS = 12 };

/* A loop of PEAK_CHAINS independent chains of `instructions` on registers of one width; the assembler text keeps
 * compilers from moving or merging any of it. */
#define PEAK_CHAIN_LOOP(name, type, zero, instructions)                                                                \
    static __attribute__((target(PEAK_TARGET))) void name(void) {                                                      \
        type a = zero, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, x = a, y = a;      \
        for (size_t turn = 0; turn < PEAK_TURNS; turn++) {                                                             \
            PEAK_STEP(instructions, a)                                                                                 \
            PEAK_STEP(instructions, b)                                                                                 \
            PEAK_STEP(instructions, c)                                                                                 \
            PEAK_STEP(instructions, d)                                                                                 \
            PEAK_STEP(instructions, e)                                                                                 \
            PEAK_STEP(instructions, f)                                                                                 \
            PEAK_STEP(instructions, g)                                                                                 \
            PEAK_STEP(instructions, h)                                                                                 \
            PEAK_STEP(instructions, i)                                                                                 \
            PEAK_STEP(instructions, j)                                                                                 \
            PEAK_STEP(instructions, k)                                                                                 \
            PEAK_STEP(instructions, l)                                                                                 \
        }                                                                                                              \
    }
#define PEAK_STEP(instructions, sum) __asm__ volatile(instructions : "+v"(sum) : "v"(x), "v"(y) : "xmm15");

#if defined(__x86_64__)
#define PEAK_TARGET "avx2,fma"
PEAK_CHAIN_LOOP(peak_fma_ymm, __m256, _mm256_setzero_ps(), "vfmadd231ps %2, %1, %0")
PEAK_CHAIN_LOOP(peak_maddubs_ymm, __m256i, _mm256_setzero_si256(),
                "vpmaddubsw %2, %1, %%ymm15\n\tvpmaddwd %2, %%ymm15, %%ymm15\n\tvpaddd %%ymm15, %0, %0")
#undef PEAK_TARGET
#define PEAK_TARGET "avx512f"
PEAK_CHAIN_LOOP(peak_fma_zmm, __m512, _mm512_setzero_ps(), "vfmadd231ps %2, %1, %0")
PEAK_CHAIN_LOOP(peak_dpbusd_zmm, __m512i, _mm512_setzero_si512(), "vpdpbusd %2, %1, %0")
PEAK_CHAIN_LOOP(peak_dpbf16_zmm, __m512, _mm512_setzero_ps(), "vdpbf16ps %2, %1, %0")
#undef PEAK_TARGET
#define PEAK_TARGET "avx2"
PEAK_CHAIN_LOOP(peak_dpbusd_ymm, __m256i, _mm256_setzero_si256(), "%{vex%} vpdpbusd %2, %1, %0")
#undef PEAK_TARGET
#endif

/* Which loop bounds a product over weights of `dtype` ("f32", "bf16", "i8") with a bundle's instructions, and the
 * operations of one of its steps (a multiplication and an addition are two). */
typedef struct peak {
    const char *dtype, *isa;
    void (*loop)(void);
    double operations;
} peak;

static const peak peaks[] = {
#if defined(__x86_64__)
    {"f32", "avx2", peak_fma_ymm, 2 * 8},
    {"f32", "avx512", peak_fma_zmm, 2 * 16},
    {"bf16", "avx2", peak_fma_ymm, 2 * 8},
    {"bf16", "avx512", peak_fma_zmm, 2 * 16},
    {"i8", "avx2", peak_maddubs_ymm, 2 * 32},
    {"bf16", "avx512bf16", peak_dpbf16_zmm, 2 * 32},
    {"i8", "avxvnni", peak_dpbusd_ymm, 2 * 32},
    {"i8", "avx512vnni", peak_dpbusd_zmm, 2 * 64},
#endif
    {NULL, NULL, NULL, 0},
};

/* Operations per nanosecond, from one turn of the loop. */
static inline double peak_measure(const peak *p) {
    const double begin = now_s();
    p->loop();
    return (double)PEAK_TURNS * PEAK_CHAINS * p->operations / (now_s() - begin) * 1e-9;
}

/* Ways to walk through memory; which is the fastest depends on the machine and on where the bytes lie. */
static const struct peak_walk {
    size_t n_streams, ahead_bytes;
} peak_walks[] = {{1, 0}, {1, 1024}, {1, 8192}, {2, 0}, {4, 0}, {4, 2048}, {8, 0}, {8, 512}};
enum { PEAK_READ_LOOPS = sizeof peak_walks / sizeof peak_walks[0] };

/* Seconds of read loop `i_loop` < PEAK_READ_LOOPS over `size_bytes`, with this CPU's widest registers. */
static inline double peak_read_s(size_t i_loop, const void *bytes, size_t size_bytes) {
    static pml_kernels kernels;
    if (kernels.read_words == NULL) {
        pml_kernels_select(&kernels, pml_isa_detect());
    }
    const double begin = now_s();
    const uint64_t sum = kernels.read_words(&(pml_read){.bytes = bytes,
                                                        .size_bytes = size_bytes,
                                                        .n_streams = peak_walks[i_loop].n_streams,
                                                        .ahead_bytes = peak_walks[i_loop].ahead_bytes});
    __asm__ volatile("" : : "r"(sum));
    return now_s() - begin;
}

#endif
