/* pml's own kernels, pinned to the bundle sdot: defines pml_backend_cpu_sdot. */
#include "runtime/backends/backend.h"

PML_BACKEND_PINNED(sdot)
