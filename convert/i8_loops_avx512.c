/* The loops of i8_loops.h: AVX-512. */
#if defined(__x86_64__)
#include "runtime/kernels/simd_avx512.h"

#include "convert/i8_loops_body.h"
#include "runtime/kernels/kernels.h"

PML_I8_LOOPS(avx512, PML_ISA_avx512);
#else
typedef int pml_i8_loops_of_another_machine; /* ISO C forbids an empty file */
#endif
