/* pml's own kernels, pinned to the bundle avx512: defines pml_backend_cpu_avx512. */
#include "runtime/backends/backend.h"

PML_BACKEND_PINNED(avx512)
