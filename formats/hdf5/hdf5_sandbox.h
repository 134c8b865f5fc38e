/* A process that can compute and nothing else, for code that is not trusted with a file. */
#ifndef PML_FORMATS_HDF5_HDF5_SANDBOX_H
#define PML_FORMATS_HDF5_HDF5_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* Takes this process's rights away for good: descriptors but `fd` and standard error, new descriptors, output to files,
 * core dumps, memory beyond what is mapped and `memory_bytes`, computing beyond `seconds`, and system calls that
 * neither compute nor write to what is open. It dies with its parent. False: a limit could not be set. */
bool pml_hdf5_sandbox_enter(int fd, uint64_t memory_bytes, unsigned seconds);

#endif
