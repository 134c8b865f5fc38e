/* What the child does: all of libhdf5 that is used. Both write records to `fd`; the last is END or REFUSED. */
#ifndef PML_FORMATS_HDF5_HDF5_LIBRARY_H
#define PML_FORMATS_HDF5_HDF5_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

typedef struct pml_hdf5_job {
    const uint8_t *bytes; /* of the file */
    size_t size_bytes;
    const char *name; /* of the dataset to read */
} pml_hdf5_job;

/* A TENSOR for each dataset of numbers that hard links lead to from the root, in order of names. */
void pml_hdf5_list(const void *job, int fd);
/* DATA: the bytes of one dataset, little-endian, in order. */
void pml_hdf5_read(const void *job, int fd);

#endif
