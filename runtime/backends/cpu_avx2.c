/* pml's own kernels, pinned to the bundle avx2: defines pml_backend_cpu_avx2. */
#include "runtime/backends/backend.h"

PML_BACKEND_PINNED(avx2)
