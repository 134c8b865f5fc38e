/* pml's own kernels, pinned to the bundle neon: defines pml_backend_cpu_neon. */
#include "runtime/backends/backend.h"

PML_BACKEND_PINNED(neon)
