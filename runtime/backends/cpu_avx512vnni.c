/* pml's own kernels, pinned to the bundle avx512vnni: defines pml_backend_cpu_avx512vnni. */
#include "runtime/backends/backend.h"

PML_BACKEND_PINNED(avx512vnni)
