/* The loops of i8_loops.h: AVX2. */
#if defined(__x86_64__)
#include "runtime/kernels/simd_avx2.h"

#include "convert/i8_loops_body.h"
#include "runtime/kernels/kernels.h"

PML_I8_LOOPS(avx2, PML_ISA_avx2);
#else
typedef int pml_i8_loops_of_another_machine; /* ISO C forbids an empty file */
#endif
